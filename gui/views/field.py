"""A function over the plane: soft surface, contours, points and arrows over it, a brush that draws data."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QImage, QLinearGradient, QPainter, QPen

from engine.payloads import Array, FieldData, PointsData, Stroke
from gui import colour, theme
from gui.format import number
from gui.views.parts import Chip, Throttle, draw_lines, faded, image_of, pack_rgb, rgb_of, small
from gui.views.plane import Bounds, ticks
from gui.views.points import PointsView, points_csv
from gui.views.shared import Scales

# Marching squares. A cell's corners, clockwise from the top left, give its case (1, 2, 4, 8); its sides are
# 0 top, 1 right, 2 bottom, 3 left. Each case is crossed from side to side; 5 and 10, the saddles, twice.
CROSSINGS = {
    1: [(3, 0)],
    2: [(0, 1)],
    3: [(3, 1)],
    4: [(1, 2)],
    5: [(3, 0), (1, 2)],
    6: [(0, 2)],
    7: [(3, 2)],
    8: [(2, 3)],
    9: [(2, 0)],
    10: [(0, 1), (2, 3)],
    11: [(2, 1)],
    12: [(1, 3)],
    13: [(1, 0)],
    14: [(0, 3)],
}
STRENGTH = 0.58  # of the surface's colours: points must read over them


def contour(values: Array, level: float) -> Array:
    """Where a (H, W) field crosses `level`: (K, 4) segments x1, y1, x2, y2 in units of columns and rows."""
    finite = np.isfinite(values)
    above = values > level
    case = above[:-1, :-1] + 2 * above[:-1, 1:] + 4 * above[1:, 1:] + 8 * above[1:, :-1]
    whole = finite[:-1, :-1] & finite[:-1, 1:] & finite[1:, 1:] & finite[1:, :-1]
    rows, columns = np.nonzero((case > 0) & (case < 15) & whole)
    case = case[rows, columns]
    a, b = values[rows, columns], values[rows, columns + 1]
    d, c = values[rows + 1, columns], values[rows + 1, columns + 1]

    def share(low: Array, high: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            result: Array = np.nan_to_num((level - low) / (high - low), nan=0.5).clip(0, 1)
        return result

    sides = np.stack(
        [
            np.stack([columns + share(a, b), rows], axis=1),
            np.stack([columns + 1.0, rows + share(b, c)], axis=1),
            np.stack([columns + share(d, c), rows + 1.0], axis=1),
            np.stack([columns, rows + share(a, d)], axis=1),
        ]
    )  # (4, K, 2)
    found = [np.zeros((0, 4))]
    for number_, pairs in CROSSINGS.items():
        cells = np.flatnonzero(case == number_)
        if len(cells):
            found += [np.concatenate([sides[i, cells], sides[j, cells]], axis=1) for i, j in pairs]
    return np.concatenate(found)


def soften(rgb: Array, panel: str, strength: float) -> Array:
    """Colours mixed with the panel's, packed for image_of."""
    ground = rgb_of(panel)
    return pack_rgb((rgb * strength + ground * (1 - strength)).round())


@cache
def soft_table(name: str, panel: str, ends: tuple[str, ...] = ()) -> Array:
    """A colour map for surfaces. A signed one has the panel's colour at zero, and beyond it blue and red or `ends`."""
    if name != "diverging":
        return soften(colour.lookup_table(name), panel, STRENGTH + 0.15)
    signed = np.linspace(-1, 1, 256)[:, None]
    if ends:
        poles = np.stack([rgb_of(end) for end in ends])
    else:
        poles = colour.colourise(np.array([-0.7, 0.62]), "diverging", -1, 1).astype(np.float64)
    ground = rgb_of(panel)
    mixed = ground + (np.where(signed < 0, poles[0], poles[1]) - ground) * np.abs(signed) ** 0.85 * STRENGTH
    return pack_rgb(mixed.round())


class FieldView(PointsView):
    """Shows FieldData. With a brush chosen (chips, number keys), clicking and dragging draws data."""

    tight = True

    def __init__(self, description: Any, *, probes: bool = False, edits: bool = False) -> None:
        super().__init__(description, probes=probes, edits=edits)
        self.draws: tuple[str, ...] = ()  # the classes of the brush
        self.brush = -1
        self.drawn: list[tuple[float, float]] = []  # not yet in a payload
        self._batch: list[tuple[float, float]] = []
        self._last = QPointF()
        self._strokes = Throttle(self, self._send_batch)
        self._surface: QImage | None = None
        self._contours: list[tuple[Array, bool]] = []
        self._limits = self._own_limits = (0.0, 1.0)  # of the colours: as they are shown, and of this run alone
        self._stale = False
        self._known: tuple[tuple[str, ...], bool] = (), True  # classes of the data; whether they have classes at all
        self.make_chips(())

    def points(self) -> PointsData | None:
        return None if self.payload is None else self.payload.points

    # --------------------------------------------------------------------------------------------- payload

    def take(self, payload: FieldData) -> None:
        x0, x1, y0, y1 = payload.extent
        spans = sorted([abs(x1 - x0), abs(y1 - y0)])
        self.equal = spans[0] > 0.5 * spans[1]
        low, high = colour.limits(payload.values, self.description.colour)
        low = low if self.description.low is None else self.description.low
        high = high if self.description.high is None else self.description.high
        self._own_limits = (low, high if high > low else low + 1.0)
        self._stale = True
        if not self._own:
            self.drawn.clear()
        super().take(payload)

    def scales(self) -> Scales:
        return super().scales() | ({} if self.payload is None else {"values": self._own_limits})

    def share_scales(self, scales: Scales) -> None:
        self._stale |= scales.get("values") != self.joint.get("values")
        super().share_scales(scales)

    def point(self, place: Any) -> None:
        super().point(place)
        value = None if place[0] is None or self.payload is None else self.value_at(*place[0])
        self.say("" if value is None else f"value {number(value)}")

    def _make(self, payload: FieldData) -> None:
        """The surface and its contours, when they are painted: until then the scale may change."""
        self._stale = False
        self._limits = self.joint.get("values", self._own_limits)
        self._make_surface(payload)
        height, width = payload.values.shape
        x0, x1, y0, y1 = payload.extent
        self._contours = []
        if payload.shares is None and min(height, width) > 1:
            levels = [value for value, _ in ticks(*self._limits, 7)]
            strong = self.description.level
            if strong is not None:
                near = 0.3 * (levels[1] - levels[0]) if len(levels) > 1 else 0.0
                levels = [value for value in levels if abs(value - strong) > near]
            # a sample lies at each corner of the extent: row 0 at the largest y
            scale = np.array([(x1 - x0) / (width - 1), (y0 - y1) / (height - 1)] * 2)
            for level in [*levels, *([] if strong is None else [strong])]:
                segments = contour(payload.values, level)
                if len(segments):
                    self._contours.append((segments * scale + (x0, y1, x0, y1), level == strong))

    def _make_surface(self, payload: FieldData) -> None:
        look = theme.current()
        if payload.shares is not None:
            tints = np.stack([rgb_of(self.class_colour(k)) for k in range(len(payload.shares))])
            mixed = np.einsum("khw,kc->hwc", np.nan_to_num(payload.shares).clip(0, 1), tints)
            ground = rgb_of(look.panel)
            self._surface = image_of((ground + (mixed - ground) * 0.5) / 255, "", 0.0, 1.0)
        else:
            table = self.table()
            self._surface = image_of(payload.values, self.description.colour, *self._limits, table)

    def table(self) -> Array:
        """The surface's colours: those of the two classes, where the points over a signed field have two."""
        look, data = theme.current(), self.points()
        paired = data is not None and data.labels is not None and data.labels.size > 0 and data.labels.max() == 1
        return soft_table(self.description.colour, look.panel, look.classes[:2] if paired else ())

    def target(self) -> Bounds | None:
        x0, x1, y0, y1 = self.payload.extent
        return min(x0, x1), max(x0, x1, x0 + 1e-9), min(y0, y1), max(y0, y1, y0 + 1e-9)

    def aim(self, target: Bounds | None) -> None:
        self.home = target  # the extent is the lab's: it does not creep

    def clear(self) -> None:
        self.drawn.clear()
        self._surface, self._contours = None, []
        super().clear()

    def restyle(self) -> None:
        super().restyle()
        self._stale = True

    # ----------------------------------------------------------------------------------------------- chips

    def take_points(self, data: PointsData) -> None:
        if self._known != (data.classes, data.values is None):
            self._known = data.classes, data.values is None
            self._names = data.classes
            self.make_chips(data.classes)
        super().take_points(data)

    def make_chips(self, classes: tuple[str, ...]) -> None:
        """Brushes for the classes that the data have; for those described as long as there are no data."""
        described = self.description.draws if self.probes or self.edits else ()
        self.draws = (classes or described) if described and self._known[1] else ()
        if not self.draws:
            super().make_chips(classes)
            return
        chips, look = [], theme.current()
        for index, name in enumerate(self.draws):
            chip = Chip(
                self.legend,
                name,
                swatch=look.classes[index % len(look.classes)],
                checkable=True,
                help=f"Draw points of {name} (key {index + 1})",
            )
            chip.setAccessibleName(f"Brush: {name}")
            chip.clicked.connect(lambda _=False, index=index: self.choose_brush(index))
            chips.append(chip)
        wipe = Chip(self.legend, "Clear", help="Remove all points (Delete)")
        wipe.clicked.connect(self.wipe)
        self.legend.fill([*chips, wipe])
        self.choose_brush(-1)
        self.arrange()

    def choose_brush(self, index: int) -> None:
        """Draw with this class; the same again, or -1, puts the brush away."""
        self.brush = -1 if index == self.brush else index
        for number_, chip in enumerate(self.legend.chips[: len(self.draws)]):
            chip.setChecked(number_ == self.brush)
        self.setCursor(Qt.CursorShape.CrossCursor if self.brush >= 0 else Qt.CursorShape.ArrowCursor)
        self.say(f"drag to draw {self.draws[self.brush]}" if self.brush >= 0 else "")

    def wipe(self) -> None:
        """Remove all that is drawn."""
        self.drawn.clear()
        self.send(Stroke((), clear=True), edit=True)
        self.update()

    # -------------------------------------------------------------------------------------------- painting

    def paint_below(self, painter: QPainter) -> None:
        if self._stale:
            self._make(self.payload)
        if self._surface is not None:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            area = self.extent_rect(self.payload.extent)
            width, height = self._surface.width(), self._surface.height()
            if width > 1 and height > 1:  # samples lie at the edges: half a pixel of the picture is left out
                painter.drawImage(area, self._surface, QRectF(0.5, 0.5, width - 1, height - 1))
            else:
                painter.drawImage(area, self._surface)
        ink = theme.current().text
        for segments, strong in self._contours:
            painter.setPen(QPen(QColor(ink), 1.5) if strong else QPen(faded(ink, 0.2), 0.9))
            draw_lines(painter, self.to_pixels(segments.reshape(-1, 2, 2)).reshape(-1, 4).clip(-1e5, 1e5))

    def paint_above(self, painter: QPainter) -> None:
        if self.payload.arrows is not None:
            self.paint_arrows(painter, self.payload.arrows)
        if self.drawn:
            places = self.to_pixels(np.array(self.drawn))
            rows = np.full(len(places), 1 + self.brush % len(theme.current().classes))
            data = self.points()
            sprites = self.sprites(0 if data is None else len(data.xy), False)
            sprites.draw(painter, places, rows, np.zeros(len(places), np.int64))
        if self.payload.shares is None and self.width() >= 260 and self.height() >= 120:
            self.paint_scale(painter)

    def paint_arrows(self, painter: QPainter, arrows: Array) -> None:
        tails = self.to_pixels(arrows[:, :2])
        heads = self.to_pixels(arrows[:, :2] + arrows[:, 2:])
        kept = np.isfinite(tails).all(axis=1) & np.isfinite(heads).all(axis=1)
        tails, heads = tails[kept].clip(-1e5, 1e5), heads[kept].clip(-1e5, 1e5)
        along = heads - tails
        length = np.linalg.norm(along, axis=1, keepdims=True)
        unit = along / np.maximum(length, 1e-9)
        across = np.stack([-unit[:, 1], unit[:, 0]], axis=1)
        barb = np.minimum(5.0, length * 0.45)
        left, right = heads - unit * barb + across * barb * 0.6, heads - unit * barb - across * barb * 0.6
        lines = np.concatenate(
            [np.concatenate(pair, axis=1) for pair in ((tails, heads), (heads, left), (heads, right))]
        )
        painter.setPen(QPen(faded(theme.current().text, 0.7), 1.0))
        draw_lines(painter, lines)

    def paint_scale(self, painter: QPainter) -> None:
        """What the colours mean: a short bar with its ends, where the top right is free."""
        look = theme.current()
        font = small(self.font())
        metrics = QFontMetricsF(font)
        low, high = (number(value) for value in self._limits)
        wide = 56.0
        right = self.width() - 8.0 - metrics.horizontalAdvance(high)
        left = right - wide - 8 - metrics.horizontalAdvance(low)
        area = self.plot()
        beside = area.right() + wide + 70 < self.width()
        if not beside and (not self.strip or left < self.legend.geometry().right() + 8):
            return
        y = 13.0
        painter.save()
        painter.setClipping(False)
        bar = QRectF(right - wide - 4, y - 4, wide, 8)
        gradient = QLinearGradient(bar.topLeft(), bar.topRight())
        table = self.table()
        for step in range(9):
            gradient.setColorAt(step / 8, QColor(int(table[round(step * 255 / 8)]) & 0xFFFFFF))
        painter.setPen(QPen(QColor(look.border), 1))
        painter.setBrush(gradient)
        painter.drawRoundedRect(bar, 2, 2)
        painter.setFont(font)
        painter.setPen(QColor(look.muted))
        painter.drawText(QPointF(left, y + metrics.ascent() / 2 - 1), low)
        painter.drawText(QPointF(right, y + metrics.ascent() / 2 - 1), high)
        painter.restore()

    # ----------------------------------------------------------------------------------- mouse and keyboard

    def value_at(self, x: float, y: float) -> float | None:
        """The field at a place, between its samples; None outside."""
        x0, x1, y0, y1 = self.payload.extent
        values = self.payload.values
        height, width = values.shape
        column = (x - x0) / ((x1 - x0) or 1.0) * (width - 1)
        row = (y1 - y) / ((y1 - y0) or 1.0) * (height - 1)
        if not (0 <= column <= width - 1 and 0 <= row <= height - 1):
            return None
        i, j = min(int(row), max(height - 2, 0)), min(int(column), max(width - 2, 0))
        corner = values[i : i + 2, j : j + 2].astype(np.float64)
        down, across = row - i, column - j
        upper = corner[0, 0] * (1 - across) + corner[0, -1] * across
        lower = corner[-1, 0] * (1 - across) + corner[-1, -1] * across
        return float(upper * (1 - down) + lower * down)

    def hovered(self, at: QPointF | None) -> None:
        super().hovered(at)
        if at is None or self.payload is None:
            return
        if self.brush >= 0:
            self.setCursor(Qt.CursorShape.CrossCursor)
        value = self.value_at(*self.to_plane(at)) if self.plot().contains(at) else None
        if value is not None:
            self.say(f"{self.said} · value {number(value)}" if self.said else f"value {number(value)}")

    def read_again(self) -> None:
        if self.pointer is not None and self.brush < 0:
            self.hovered(self.pointer)

    def seize(self, at: QPointF) -> bool:
        if self.brush < 0:
            return super().seize(at)
        if not self.plot().contains(at):
            return False
        self._add(at)
        return True

    def drag(self, at: QPointF) -> None:
        if self.brush < 0:
            super().drag(at)
        elif (at - self._last).manhattanLength() >= 9 and self.plot().contains(at):
            self._add(at)

    def drop(self, at: QPointF) -> None:
        if self.brush < 0:
            super().drop(at)
        else:
            self._strokes.flush()

    def _add(self, at: QPointF) -> None:
        self._last = at
        place = self.to_plane(at)
        self.drawn.append(place)
        self._batch.append(place)
        self._strokes.push(None)
        self.update()

    def _send_batch(self, _: None) -> None:
        if self._batch:
            self.send(Stroke(tuple(self._batch), self.brush), edit=True)
            self._batch = []

    def keyPressEvent(self, event: Any) -> None:
        key = event.key()
        if self.draws and Qt.Key.Key_1 <= key <= Qt.Key.Key_9:
            if key - Qt.Key.Key_1 < len(self.draws):
                self.choose_brush(key - Qt.Key.Key_1)
        elif self.draws and key in (Qt.Key.Key_0, Qt.Key.Key_Escape) and self.brush >= 0:
            self.choose_brush(-1)
        elif self.draws and key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.wipe()
        else:
            super().keyPressEvent(event)

    # ---------------------------------------------------------------------------------------------- export

    def csv_rows(self) -> list[list[str]]:
        """The field as a table of y against x, then the points."""
        if self.payload is None:
            return []
        height, width = self.payload.values.shape
        x0, x1, y0, y1 = self.payload.extent
        rows = [["y \\ x", *[f"{x:.6g}" for x in np.linspace(x0, x1, width)]]]
        for y, line in zip(np.linspace(y1, y0, height), self.payload.values.tolist(), strict=True):
            rows.append([f"{y:.6g}", *map(str, line)])
        data = self.points()
        return rows if data is None else [*rows, [], *points_csv(data, "x", "y")]
