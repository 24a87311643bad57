"""Where neurons and edges of a network lie, and the picture of all its edges."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPainterPath, QPen

from engine.payloads import Array
from gui import colour

MOST_EDGES = 1500  # more are not told apart: the strongest are drawn
CROWD = 300  # of so many edges the weak ones would hide the strong: they are fainter
LARGEST, SMALLEST = 46.0, 9.0  # side of a neuron's square; smaller ones become dots


@dataclass(frozen=True)
class Edges:
    """The edges that are drawn, each one weight: its layer, row (unit it leads to) and column (unit it comes from)."""

    layer: Array
    row: Array
    column: Array
    strength: Array  # signed, -1..1 of the strongest
    total: int  # how many there are in all

    @property
    def crowd(self) -> bool:
        return len(self.row) > CROWD

    def thickness(self, strength: Any) -> Any:
        """The width in pixels of an edge of strength 0..1."""
        return 0.25 + 3.0 * strength if self.crowd else 0.35 + 4.2 * strength

    def opacity(self, strength: Any) -> Any:
        return 0.06 + 0.8 * strength if self.crowd else 0.3 + 0.55 * strength


def strongest(weights: tuple[Array, ...], scale: float) -> Edges:
    """The edges to draw: all, or the MOST_EDGES strongest, weakest first so that strong ones lie on top."""
    total = sum(w.size for w in weights)
    flat = np.concatenate([w.ravel() for w in weights]) if weights else np.zeros(0)
    flat = np.nan_to_num(flat, nan=0.0, posinf=scale, neginf=-scale) / scale
    layers = np.repeat(np.arange(len(weights)), [w.size for w in weights])
    rows = np.concatenate([np.repeat(np.arange(w.shape[0]), w.shape[1]) for w in weights] or [np.zeros(0, int)])
    columns = np.concatenate([np.tile(np.arange(w.shape[1]), w.shape[0]) for w in weights] or [np.zeros(0, int)])
    kept = np.argsort(np.abs(flat), kind="stable")[-MOST_EDGES:]
    return Edges(layers[kept], rows[kept], columns[kept], flat[kept].clip(-1, 1), total)


def carried(weights: tuple[Array, ...], values: tuple[Array, ...]) -> tuple[Array, ...]:
    """What each edge brings to the sum it leads to, as a share of the most that any edge of its layer does."""
    found = []
    for w, a in zip(weights, values, strict=False):
        with np.errstate(invalid="ignore", over="ignore"):  # infinite weights of a diverged network
            brought = w * a
        most = np.abs(brought[np.isfinite(brought)]).max(initial=0.0)
        found.append(brought / max(most, 1e-12))
    return tuple(found)


class Layout:
    """Neurons of each layer in a column; edges run from the right side of one to the left side of the next."""

    def __init__(self, sizes: tuple[int, ...], area: QRectF, real: tuple[int, ...] = ()) -> None:
        self.sizes, self.area = sizes, area
        self.gaps: dict[int, QPointF] = {}  # by layer: where units are left out, in the middle of those that are listed
        gap = area.width() / max(len(sizes) - 1, 1) if len(sizes) > 1 else area.width()
        self.side: list[float] = []
        self.x: list[float] = []
        self.y: list[Array] = []
        for layer, listed in enumerate(sizes):
            elided = bool(real) and real[layer] > listed
            count = listed + elided
            pitch = area.height() / max(count, 1)
            side = min(pitch * 0.8, gap * 0.48, LARGEST)
            self.side.append(side if side >= SMALLEST else max(2.4, min(7.0, pitch * 0.8)))
            pitch = min(pitch, max(side, 6.0) * 1.9)
            places = area.center().y() + (np.arange(count) - (count - 1) / 2) * pitch
            if elided:
                self.gaps[layer] = QPointF(0, float(places[listed // 2]))
            self.y.append(np.delete(places, listed // 2) if elided else places)
            self.x.append(area.left() + gap * layer if len(sizes) > 1 else area.center().x())
        # the outer squares stay within the area
        first, last = self.side[0] / 2, self.side[-1] / 2
        span = area.width() - first - last
        if len(sizes) > 1:
            self.x = [area.left() + first + span * layer / (len(sizes) - 1) for layer in range(len(sizes))]
        for layer in self.gaps:
            self.gaps[layer].setX(self.x[layer])

    def dots(self, layer: int) -> bool:
        """Whether the layer's neurons are too many for squares."""
        return self.side[layer] < SMALLEST

    def box(self, layer: int, unit: int) -> QRectF:
        side = self.side[layer]
        return QRectF(self.x[layer] - side / 2, float(self.y[layer][unit]) - side / 2, side, side)

    def paint_gap(self, painter: QPainter, layer: int, ink: QColor) -> None:
        """Three dots where units are left out."""
        pen = QPen(ink, 3.0)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        painter.setPen(pen)
        for step in (-1, 0, 1):
            painter.drawPoint(self.gaps[layer] + QPointF(0, step * min(6.0, self.side[layer] / 2)))

    def unit_at(self, at: QPointF) -> tuple[int, int] | None:
        """The neuron at a pixel."""
        for layer in range(len(self.sizes)):
            reach = max(self.side[layer] / 2 + 2, 4.0)
            if abs(at.x() - self.x[layer]) <= reach and self.sizes[layer]:
                distance = np.abs(self.y[layer] - at.y())
                if distance.min() <= reach:
                    return layer, int(distance.argmin())
        return None

    def span(self, layer: int) -> tuple[float, float]:
        """From where to where the edges after `layer` run."""
        return self.x[layer] + self.side[layer] / 2, self.x[layer + 1] - self.side[layer + 1] / 2

    def edge_at(self, at: QPointF, edges: Edges, reach: float = 5.0) -> int:
        """The number of the drawn edge nearest to a pixel, -1 where none is near."""
        for layer in range(len(self.sizes) - 1):
            left, right = self.span(layer)
            if left < at.x() < right:
                chosen = np.flatnonzero(edges.layer == layer)
                t = (at.x() - left) / (right - left)
                start, rise = self._ends(layer, edges.row[chosen], edges.column[chosen])
                slope = rise * 6 * t * (1 - t) / (right - left)
                distance = np.abs(start + rise * t * t * (3 - 2 * t) - at.y()) / np.sqrt(1 + slope**2)
                distance -= 1.5 * np.abs(edges.strength[chosen])  # of two that are near, the thicker
                if len(distance) and distance.min() <= reach:
                    return int(chosen[distance.argmin()])
        return -1

    def _ends(self, layer: int, rows: Array, columns: Array) -> tuple[Array, Array]:
        start = self.y[layer][columns]
        return start, self.y[layer + 1][rows] - start

    def path(self, layer: int, row: int, column: int) -> QPainterPath:
        """One edge as a curve."""
        left, right = self.span(layer)
        start, end = float(self.y[layer][column]), float(self.y[layer + 1][row])
        third = (right - left) / 3  # with the handles at thirds the curve is y = 3t² - 2t³ of its way in x
        path = QPainterPath(QPointF(left, start))
        path.cubicTo(QPointF(left + third, start), QPointF(right - third, end), QPointF(right, end))
        return path

    def paint_edges(self, edges: Edges, colours: Array, ratio: float) -> QImage:
        """All edges as one picture of the area. Stroking hundreds of curves takes QPainter 20 ms, this takes 2.

        In each pixel column an edge covers the rows from y - h/2 to y + h/2. Adding its opacity where the cover begins
        and taking it away where it ends, split between the two rows it falls between, and summing down the column
        gives the coverage of all edges at once. Counts are whole numbers, negative weights' in the upper bits of the
        same sum. `colours` are the packed colours of (negative, positive) coverage, 64 levels each.
        """
        width, height = math.ceil(self.area.width() * ratio), math.ceil(self.area.height() * ratio)
        words = np.zeros((height, width), np.uint32)
        for layer in range(len(self.sizes) - 1):
            chosen = np.flatnonzero((edges.layer == layer) & (np.abs(edges.strength) > 0.004))
            left, right = ((x - self.area.left()) * ratio for x in self.span(layer))
            if not len(chosen) or left >= right:
                continue
            # where edges are many, every second column is reckoned and drawn twice
            stride = 2 if len(chosen) * (right - left) > 40_000 else 1
            every = np.arange(max(0, math.floor(left)), min(width, math.ceil(right)), stride)
            start, rise = self._ends(layer, edges.row[chosen], edges.column[chosen])
            start, rise = ((start - self.area.top()) * ratio)[:, None], (rise * ratio)[:, None]
            strength = np.abs(edges.strength[chosen])[:, None]
            thick = edges.thickness(strength) * ratio / 2
            opacity = np.rint(255 * edges.opacity(strength)) * np.array([1, -1])[:, None, None]  # (2, E, 1)
            unit = np.where(edges.strength[chosen] < 0, float(1 << 24), 1.0)[:, None]
            # a few columns at a time: arrays that stay in the processor's cache are several times faster
            block = max(4, min(40, 6000 // len(chosen)))
            for first in range(0, len(every), block):
                columns = every[first : first + block]
                t = ((columns + stride / 2 - left) / (right - left)).clip(0, 1)
                half = thick * np.sqrt(1 + (rise * (6 * t * (1 - t)) / (right - left)) ** 2)
                centre = start + rise * (t * t * (3 - 2 * t))
                bounds = np.stack([centre - half, centre + half]).clip(0, height - 1e-3)  # (2, E, G)
                floor = bounds.astype(np.int64)
                lower = np.rint(opacity * (bounds - floor))
                bins = floor + np.arange(len(columns)) * (height + 1)
                size = len(columns) * (height + 1)
                sums = np.bincount(bins.ravel(), ((opacity - lower) * unit).ravel(), size)
                sums[1:] += np.bincount(bins.ravel(), (lower * unit).ravel(), size)[:-1]
                cover = sums.reshape(len(columns), height + 1).cumsum(axis=1)[:, :height].astype(np.int64)
                levels = np.minimum(cover >> 24, 255) >> 2 << 6 | np.minimum(cover & 0xFFFFFF, 255) >> 2
                for offset in range(stride):
                    place = words[:, columns[0] + offset : columns[-1] + offset + 1 : stride]
                    place[:] = colours[levels].T[:, : place.shape[1]]
        image = QImage(words.data, width, height, 4 * width, QImage.Format.Format_ARGB32_Premultiplied).copy()
        image.setDevicePixelRatio(ratio)
        return image


def mixtures(positive: Array, negative: Array) -> Array:
    """The packed colours that paint_edges needs: (64 * 64,) premultiplied, by coverage with negative and positive."""
    share = np.arange(64) / 63
    minus, plus = (side[..., None] for side in np.meshgrid(share, share, indexing="ij"))
    total = minus + plus
    alpha = np.minimum(total, 0.92)
    rgb = ((minus * negative + plus * positive) / np.maximum(total, 1e-9) * alpha).astype(np.uint32)
    packed: Array = (alpha[..., 0] * 255).astype(np.uint32) << 24 | rgb[..., 0] << 16 | rgb[..., 1] << 8 | rgb[..., 2]
    return packed.ravel()


@lru_cache(maxsize=32)
def frame_of(side: float, ratio: float, corners: str, line: str) -> QImage:
    """A rounded frame to lay over a map: much faster than filling rounded squares with the map."""
    pixels = round((side + 2) * ratio)
    image = QImage(pixels, pixels, QImage.Format.Format_ARGB32_Premultiplied)
    image.setDevicePixelRatio(ratio)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    box, path = QRectF(1, 1, side, side), QPainterPath()
    path.addRect(box)
    path.addRoundedRect(box, 4, 4)  # odd-even: the corners alone
    painter.fillPath(path, QColor(corners))
    painter.setPen(QPen(QColor(line), 1))
    painter.drawRoundedRect(box, 4, 4)
    painter.end()
    return image


def value_range(values: Array, name: str) -> tuple[float, float]:
    """What the colours of a layer's values span: magnitudes at least 0 to 1, so that a silent layer is dark."""
    if name == "diverging":
        return colour.limits(values, name)
    finite = values[np.isfinite(values)]
    return float(finite.min(initial=0.0)), float(finite.max(initial=1.0))


def heights(maps: Array) -> Array:
    """(units,) the largest magnitude in each neuron's map (units, h, w). What is next to nothing in its layer counts as
    nothing: a dead neuron stays blank."""
    flat = maps.reshape(len(maps), -1)
    sizes = np.maximum(flat.max(axis=1), -flat.min(axis=1))
    if not np.isfinite(sizes).all():
        sizes = np.abs(np.where(np.isfinite(flat), flat, 0)).max(axis=1)
    return np.maximum(sizes, max(1e-3 * float(sizes.max(initial=0.0)), 1e-12))
