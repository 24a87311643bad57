"""A height map in perspective: from the plane to pixels and back, what hides what, and the painting of the ground.

Places are shares (u, v) of the extent in 0..1, v growing with y; heights are shares of the range shown.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QFont, QFontMetricsF, QPainter, QPen

from engine.payloads import Array
from gui import colour, theme
from gui.format import number
from gui.style import mix
from gui.views.field import contour
from gui.views.parts import draw_lines, faded, polygon
from gui.views.plane import ticks

QUADS = 32  # at most so many per side are painted
RISE, GAP = 0.85, 0.3  # the height of the surface, and of the air below it, where half the longer side is 1
DISTANCE = 5.2  # from the eye to the middle
STRETCH = 1.25  # how much wider than high a unit may be, to fill a wide view
SHADES = 24
FINER = 72  # samples per side for the lines of equal height


@dataclass(frozen=True)
class Camera:
    """From where one looks, in degrees: the azimuth turns about the height, the elevation is that over the plane."""

    azimuth: float = -32.0
    elevation: float = 41.0
    zoom: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)  # pixels

    def turned(self, azimuth: float, elevation: float) -> Camera:
        """Turned by so many degrees; never seen from below."""
        around = (self.azimuth + azimuth + 180) % 360 - 180
        return Camera(around, min(max(self.elevation + elevation, 6.0), 88.0), self.zoom, self.shift)


def resampled(values: Array, most: int) -> Array:
    """(H, W) heights at no more than so many places a side, what is not finite as NaN."""
    values = np.where(np.isfinite(values), values, np.nan).astype(np.float64)
    for axis in (0, 1):
        length = values.shape[axis]
        if length > most:
            places = np.linspace(0, length - 1, most)
            low = np.minimum(places.astype(int), length - 2)
            share = (places - low).reshape((-1, 1) if axis == 0 else (1, -1))
            values = values.take(low, axis) * (1 - share) + values.take(low + 1, axis) * share
    return values


def span_of(values: Array) -> tuple[float, float]:
    """From the lowest to the highest height; something that can be divided by."""
    low, high = colour.limits(values.astype(np.float64), "viridis")
    low, high = max(low, -1e300), min(high, 1e300)
    return low, high if high - low > 1e-12 * abs(low) else low + max(1.0, 1e-3 * abs(low))


class Ground:
    """The surface within its box, seen by a camera, within an area of pixels. `span` are the heights of its range."""

    def __init__(self, values: Array, extent: tuple[float, ...], log: bool, span: tuple[float, float]) -> None:
        self.heights = resampled(values, QUADS + 1)  # (R, C), row 0 at the largest y
        self.lowest, self.log = span[0], log
        self.low, self.high = (0.0, float(np.log1p(span[1] - span[0]))) if log else span
        self.shares = self._to_shares(self.heights)
        x0, x1, y0, y1 = (value if math.isfinite(value) else 0.0 for value in extent)
        self.extent = x0, x1 if x1 != x0 else x0 + 1.0, y0, y1 if y1 != y0 else y0 + 1.0
        across, along = abs(self.extent[1] - x0), abs(self.extent[3] - y0)
        # half the sides of the box: long rectangles are shown less long than they are
        longer = max(across, along)
        self.half = max(across / longer, 0.6), max(along / longer, 0.6)
        self._contours = self._levels(resampled(values, FINER))
        self.look_from(Camera(), QRectF(0, 0, 100, 100))

    def _to_shares(self, heights: Array) -> Array:
        if self.log:
            heights = np.log1p(np.maximum(heights - self.lowest, 0.0))
        shares: Array = (heights - self.low) / (self.high - self.low)
        return shares

    def _levels(self, heights: Array) -> list[tuple[float, Array]]:
        """The lines of equal height on the floor, in the box (K, 2, 3), by their share."""
        shares = self._to_shares(heights)
        rows, columns = shares.shape
        found = []
        for level in np.linspace(0, 1, 11)[1:-1].tolist():
            segments = contour(shares, level).reshape(-1, 2, 2)
            u, v = segments[..., 0] / (columns - 1), 1 - segments[..., 1] / (rows - 1)
            found.append((level, self.box(u, v, np.full_like(u, -GAP / RISE))))
        return found

    # ------------------------------------------------------------------------------------------ geometry

    def look_from(self, camera: Camera, area: QRectF) -> None:
        """Where the eye is, and which pixels show the box."""
        self.camera = camera
        a, e = math.radians(camera.azimuth), math.radians(camera.elevation)
        self._turn = math.cos(a), math.sin(a), math.cos(e), math.sin(e)
        self.toward = np.array([-math.sin(a) * math.cos(e), -math.cos(a) * math.cos(e), math.sin(e)])
        corners = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-GAP, RISE)], np.float64)
        corners[:, :2] *= self.half
        turns = np.linspace(0, 2 * np.pi, 24, endpoint=False)[:, None]  # the scale stays while it is turned around
        x = corners[:, 0] * np.cos(turns) - corners[:, 1] * np.sin(turns)
        y = corners[:, 0] * np.sin(turns) + corners[:, 1] * np.cos(turns)
        right, up, _ = self._seen(x, y, np.broadcast_to(corners[:, 2], x.shape))
        bottom, top = float(up.min()), float(up.max())
        fits = area.width() / (2 * float(np.abs(right).max())), area.height() / (top - bottom)
        unit = max(min(fits), 1.0)
        self.scale = max(min(fits[0], STRETCH * unit), 1.0) * camera.zoom, unit * camera.zoom
        self.centre = (
            area.center().x() + camera.shift[0],
            area.center().y() + (top + bottom) / 2 * self.scale[1] + camera.shift[1],
        )

    def _seen(self, x: Array, y: Array, z: Array) -> tuple[Array, Array, Array]:
        """To the right, up, and how near, for what is already turned about the height."""
        _, _, flat, steep = self._turn
        nearness = (z - RISE / 3) * steep - y * flat
        grown = DISTANCE / np.maximum(DISTANCE - nearness, 0.1)
        return x * grown, ((z - RISE / 3) * flat + y * steep) * grown, nearness

    def box(self, u: Array, v: Array, share: Array) -> Array:
        """(..., 3) in the box."""
        return np.stack([(2 * u - 1) * self.half[0], (2 * v - 1) * self.half[1], share * RISE], axis=-1)

    def pixels(self, places: Array) -> tuple[Array, Array]:
        """(..., 3) in the box to pixels (..., 2), and how near they are (...)."""
        cos, sin, _, _ = self._turn
        x, y, z = places[..., 0], places[..., 1], places[..., 2]
        right, up, nearness = self._seen(x * cos - y * sin, x * sin + y * cos, z)
        return np.stack([self.centre[0] + right * self.scale[0], self.centre[1] - up * self.scale[1]], -1), nearness

    def to_shares(self, xy: Array) -> Array:
        """Places (..., 2) of the plane to shares of the extent."""
        x0, x1, y0, y1 = self.extent
        with np.errstate(over="ignore"):
            result: Array = (np.asarray(xy, np.float64) - (x0, y0)) / (x1 - x0, y1 - y0)
        return result

    def to_plane(self, u: float, v: float) -> tuple[float, float]:
        x0, x1, y0, y1 = self.extent
        return x0 + u * (x1 - x0), y0 + v * (y1 - y0)

    def share_at(self, u: Array, v: Array) -> Array:
        """The surface between its samples; NaN where there is none."""
        rows, columns = self.shares.shape
        column, row = np.clip(u, 0, 1) * (columns - 1), (1 - np.clip(v, 0, 1)) * (rows - 1)
        j, i = np.minimum(column.astype(int), columns - 2), np.minimum(row.astype(int), rows - 2)
        across, down = column - j, row - i
        upper = self.shares[i, j] * (1 - across) + self.shares[i, j + 1] * across
        lower = self.shares[i + 1, j] * (1 - across) + self.shares[i + 1, j + 1] * across
        result: Array = upper * (1 - down) + lower * down
        return result

    def height(self, share: float) -> float:
        """The height, as the lab gave it, at a share of the range."""
        value = self.low + share * (self.high - self.low)
        return self.lowest + math.expm1(min(value, 700.0)) if self.log else value

    def on(self, uv: Array) -> Array:
        """Places (..., 2) on the surface: (..., 3) in the box. What lies beside it has NaN as its height."""
        u, v = uv[..., 0], uv[..., 1]
        inside = (u >= 0) & (u <= 1) & (v >= 0) & (v <= 1)
        u, v = np.where(inside, u, 0.0), np.where(inside, v, 0.0)
        return self.box(u, v, np.where(inside, self.share_at(u, v), np.nan))

    def hidden(self, places: Array) -> Array:
        """(N,) bool: which of (N, 3) places in the box lie behind a hill."""
        eye = self.toward * DISTANCE + (0, 0, RISE / 3)
        steps = np.linspace(0, 0.8, 31)[1:, None, None] ** 1.5
        rays = places + steps * (eye - places)  # (30, N, 3)
        u, v = ((rays[..., axis] / self.half[axis] + 1) / 2 for axis in (0, 1))
        over = (u >= 0) & (u <= 1) & (v >= 0) & (v <= 1)
        u, v = np.where(over, u, 0.0), np.where(over, v, 0.0)
        with np.errstate(invalid="ignore"):
            result: Array = (over & (self.share_at(u, v) * RISE > rays[..., 2] + 0.012)).any(axis=0)
        return result

    def mesh(self) -> tuple[Array, Array, Array]:
        """The vertices: in the box (R, C, 3), their pixels (R, C, 2), and how near they are (R, C)."""
        rows, columns = self.shares.shape
        u, v = np.meshgrid(np.linspace(0, 1, columns), np.linspace(1, 0, rows))
        places = self.box(u, v, self.shares)
        return places, *self.pixels(places)

    def at(self, x: float, y: float) -> tuple[float, float, float] | None:
        """The (u, v, share) of the front-most place of the surface under a pixel; None beside it."""
        _, seen, near = self.mesh()
        rows, columns = self.shares.shape
        found: tuple[float, float, float, float] | None = None
        grid_v, grid_u = np.meshgrid(np.linspace(1, 0, rows), np.linspace(0, 1, columns), indexing="ij")
        whole = np.dstack([seen, near, grid_u, grid_v, self.shares])  # (R, C, 6)
        a, b, c, d = whole[:-1, :-1], whole[:-1, 1:], whole[1:, 1:], whole[1:, :-1]
        for p, q, r in ((a, b, c), (a, c, d)):
            one, two = q[..., :2] - p[..., :2], r[..., :2] - p[..., :2]
            to = np.array([x, y]) - p[..., :2]
            with np.errstate(divide="ignore", invalid="ignore"):
                area = one[..., 0] * two[..., 1] - one[..., 1] * two[..., 0]
                s = (to[..., 0] * two[..., 1] - to[..., 1] * two[..., 0]) / area
                t = (one[..., 0] * to[..., 1] - one[..., 1] * to[..., 0]) / area
                hit = (s >= -1e-6) & (t >= -1e-6) & (s + t <= 1 + 1e-6)
            for i, j in np.argwhere(hit).tolist():
                mixed = p[i, j] + s[i, j] * (q[i, j] - p[i, j]) + t[i, j] * (r[i, j] - p[i, j])
                if found is None or mixed[2] > found[0]:
                    found = tuple(mixed[2:].tolist())
        return None if found is None else found[1:]

    # ------------------------------------------------------------------------------------------ painting

    def paint(self, painter: QPainter, font: QFont, axes: tuple[str, str, str], labelled: bool) -> None:
        """The floor with its contours, the two walls behind, the axes, the surface."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(font)
        self._paint_room(painter, axes, labelled)
        self._paint_mesh(painter)

    def _paint_room(self, painter: QPainter, axes: tuple[str, str, str], labelled: bool) -> None:
        look = theme.current()
        a, b = self.half
        # the sides that are behind, as seen from the eye
        x, y = (-a if self.toward[0] >= 0 else a), (-b if self.toward[1] >= 0 else b)
        floor = np.array([(-a, -b, -GAP), (a, -b, -GAP), (a, b, -GAP), (-a, b, -GAP)])
        walls = [
            np.array([(x, -b, -GAP), (x, b, -GAP), (x, b, RISE), (x, -b, RISE)]),
            np.array([(-a, y, -GAP), (a, y, -GAP), (a, y, RISE), (-a, y, RISE)]),
        ]
        edge = QPen(QColor(look.border), 1)
        for face, strength in ((floor, 0.75), (walls[0], 0.4), (walls[1], 0.4)):
            painter.setPen(edge)
            painter.setBrush(faded(look.raised, strength))
            painter.drawConvexPolygon(polygon(self.pixels(face)[0]))
        x_ticks, y_ticks = self._ticks(0), self._ticks(1)
        z_ticks = self._height_ticks()
        lines = []
        for place, _ in x_ticks:
            lines += [[(place, -b, -GAP), (place, b, -GAP)], [(place, y, -GAP), (place, y, RISE)]]
        for place, _ in y_ticks:
            lines += [[(-a, place, -GAP), (a, place, -GAP)], [(x, place, -GAP), (x, place, RISE)]]
        for place, _ in z_ticks:
            lines += [[(-a, y, place), (a, y, place)], [(x, -b, place), (x, b, place)]]
        if lines:
            painter.setPen(QPen(mix(look.border, look.panel, 0.3), 1))
            draw_lines(painter, self.pixels(np.array(lines))[0].reshape(-1, 4))
        self._paint_contours(painter)
        if not labelled:
            return
        self._paint_axis(painter, [((p, -y, -GAP), t) for p, t in x_ticks], (0.0, -y, -GAP), (0, -y, 0), axes[0])
        self._paint_axis(painter, [((-x, p, -GAP), t) for p, t in y_ticks], (-x, 0.0, -GAP), (-x, 0, 0), axes[1])
        # heights stand at the outer end of the wall that ends further left
        ends = np.array([(x, -y, 0.0), (-x, y, 0.0)])
        left = ends[int(np.argmin(self.pixels(ends)[0][:, 0]))]
        self._paint_heights(painter, [((left[0], left[1], p), t) for p, t in z_ticks], left, axes[2])

    def _ticks(self, axis: int) -> list[tuple[float, str]]:
        """Where along the x or y of the box a number stands, and which."""
        low, high = sorted(self.extent[2 * axis : 2 * axis + 2])
        first, last = self.extent[2 * axis], self.extent[2 * axis + 1]
        places = ticks(low, high, 4 if self.scale[0] < 130 else 6)
        return [((2 * (value - first) / (last - first) - 1) * self.half[axis], text) for value, text in places]

    def _height_ticks(self) -> list[tuple[float, str]]:
        span = self.high - self.low
        if not self.log:
            return [((value - self.low) / span * RISE, text) for value, text in ticks(self.low, self.high, 4)]
        found: list[tuple[float, str]] = []
        for share in (0.0, 0.25, 0.5, 0.75, 1.0):
            value = self.height(share)
            if share == 0 and abs(value) < 0.02 * abs(self.height(0.25)):
                value = 0.0
            rounded = float(f"{value:.1g}")
            place = (math.log1p(max(rounded - self.lowest, 0.0)) - self.low) / span
            if number(rounded) not in [text for _, text in found]:
                found.append((min(max(place, 0.0), 1.0) * RISE, number(rounded)))
        return found

    def _paint_axis(
        self,
        painter: QPainter,
        texts: list[tuple[tuple[float, float, float], str]],
        middle: tuple[float, float, float],
        outward: tuple[float, float, float],
        title: str,
    ) -> None:
        """Numbers and a name beside an edge of the floor, on its outer side."""
        look, metrics = theme.current(), QFontMetricsF(painter.font())
        base, _ = self.pixels(np.array([middle, np.array(middle) + np.array(outward) * 0.2]))
        way = (base[1] - base[0]) / max(float(np.hypot(*(base[1] - base[0]))), 1e-9)
        painter.setPen(QColor(look.muted))
        widest = max((metrics.horizontalAdvance(text) for _, text in texts), default=0.0)
        for place, text in texts:
            at = self.pixels(np.array(place))[0] + way * 7
            _text_beside(painter, metrics, at, way, text)
        if title:
            painter.setPen(mix(look.text, look.muted, 0.4))
            reach = 11 + abs(way[0]) * widest + abs(way[1]) * metrics.height()
            _text_beside(painter, metrics, base[0] + way * reach, way, title)

    def _paint_heights(
        self, painter: QPainter, texts: list[tuple[tuple[float, float, float], str]], foot: Array, title: str
    ) -> None:
        look, metrics = theme.current(), QFontMetricsF(painter.font())
        painter.setPen(QColor(look.muted))
        last = math.inf
        for place, text in texts:
            at = self.pixels(np.array(place))[0]
            if last - at[1] < metrics.height() * 0.9:
                continue
            last = at[1]
            _text_beside(painter, metrics, at - np.array([6.0, 0.0]), np.array([-1.0, 0.0]), text)
        if title:
            at = self.pixels(np.array([foot[0], foot[1], RISE]))[0]
            painter.setPen(mix(look.text, look.muted, 0.4))
            left = max(4.0, at[0] - metrics.horizontalAdvance(title) / 2)
            painter.drawText(QPointF(left, at[1] - metrics.height() * 0.75 - 2), title)

    def _paint_contours(self, painter: QPainter) -> None:
        table, look = colour.lookup_table("viridis"), theme.current()
        for level, places in self._contours:
            tint = QColor(*table[round(level * 255)].tolist())
            if look.name == "dark":  # what is low is nearly black
                tint = mix(tint.name(), "#ffffff", 0.22 * (1 - level))
            painter.setPen(QPen(faded(tint, 0.8), 1.2))
            draw_lines(painter, self.pixels(places)[0].reshape(-1, 4))

    def _paint_mesh(self, painter: QPainter) -> None:
        """The surface's quads, the farthest first."""
        places, seen, _ = self.mesh()
        eye = self.toward * DISTANCE
        corners = np.stack([seen[:-1, :-1], seen[:-1, 1:], seen[1:, 1:], seen[1:, :-1]], axis=2).reshape(-1, 4, 2)
        middle = (places[:-1, :-1] + places[:-1, 1:] + places[1:, 1:] + places[1:, :-1]).reshape(-1, 3) / 4
        normal = np.cross(
            (places[:-1, 1:] - places[1:, :-1]).reshape(-1, 3), (places[:-1, :-1] - places[1:, 1:]).reshape(-1, 3)
        )
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
        # the light comes from the upper left of who looks
        cos, sin, _, _ = self._turn
        light = np.array([-0.5 * cos - 0.35 * sin, 0.5 * sin - 0.35 * cos, 0.8])
        bright = np.clip(normal @ (light / np.linalg.norm(light)), 0, 1)
        distance = np.linalg.norm(middle - eye, axis=1)
        order = np.argsort(-distance)
        order = order[np.isfinite(distance[order])]
        tints = (np.clip(middle[:, 2] / RISE, 0, 1)[order] * 63).astype(int).tolist()
        shades = (bright[order] * (SHADES - 1)).astype(int).tolist()
        name = theme.current().name
        for tint, shade, quad in zip(tints, shades, corners[order].tolist(), strict=True):
            key = name, tint, shade
            ink = _inks.get(key)
            if ink is None:
                ink = _inks[key] = _ink(tint, shade)
            painter.setPen(ink[0])
            painter.setBrush(ink[1])
            painter.drawConvexPolygon([QPointF(*quad[0]), QPointF(*quad[1]), QPointF(*quad[2]), QPointF(*quad[3])])
        painter.setBrush(Qt.BrushStyle.NoBrush)


_inks: dict[tuple[str, int, int], tuple[QPen, QBrush]] = {}


def _ink(tint: int, shade: int) -> tuple[QPen, QBrush]:
    """The line and the fill of a quad of a height, lit so much. The line is opaque, and so closes the seams."""
    look = theme.current()
    rgb = colour.lookup_table("viridis")[round(tint * 255 / 63)].astype(np.float64)
    lit = shade / (SHADES - 1)
    strength = (0.56 if look.name == "dark" else 0.64) + 0.42 * lit
    rgb = np.clip(rgb * strength + 255 * 0.10 * lit**3, 0, 255)
    fill = QColor(*rgb.astype(int).tolist())
    line = mix(fill.name(), "#000000" if look.name == "light" else "#ffffff", 0.13)
    return QPen(line, 0.8), QBrush(fill)


def _text_beside(painter: QPainter, metrics: QFontMetricsF, at: Array, way: Array, text: str) -> None:
    """A text that begins at a place and leads away from it."""
    wide, high = metrics.horizontalAdvance(text), metrics.capHeight()
    centre = at + way * (wide / 2 * abs(way[0]) + high / 2 * abs(way[1]))
    painter.drawText(QPointF(centre[0] - wide / 2, centre[1] + high / 2), text)
