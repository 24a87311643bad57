"""A height over the plane in perspective, with the trails of what moves on it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen, QPixmap, QRadialGradient

from engine.payloads import Array, PointPick, SurfaceData
from gui import theme
from gui.format import number
from gui.views.base import ViewWidget
from gui.views.parts import Chip, ChipRow, draw_lines, faded, is_vector, line_height, paint_focus, polygon, small
from gui.views.surface_paint import Camera, Ground

KEYS = "drag turns · wheel zooms · Shift+arrows turn, + and − zoom, Home resets"
MOST = 500  # steps of a trail that are drawn: of more, evenly many are left out
FINE = 0.025  # a trail follows the surface in pieces of this share of it
TURN = 6.0  # degrees a key turns


@dataclass
class Trail:
    """A path cut to the extent: pieces in the box (N, 2, 3), and where it is now (or where it left, and which way)."""

    name: str
    tint: QColor
    pieces: Array
    end: Array | None
    way: Array | None = None  # (2,) in shares: set where the path has left


def inside(path: Array) -> tuple[Array, Array, Array]:
    """The parts of the steps of (K, 2) shares that lie within 0..1: from, to, and which steps they are."""
    begin, along = path[:-1], path[1:] - path[:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        first, second = (0 - begin) / along, (1 - begin) / along
        still, within = along == 0, (begin >= 0) & (begin <= 1)
        enter = np.where(still, np.where(within, -np.inf, np.inf), np.minimum(first, second)).max(axis=1, initial=0)
        leave = np.where(still, np.where(within, np.inf, -np.inf), np.maximum(first, second)).min(axis=1, initial=1)
        kept = np.flatnonzero(leave > enter)
    begin, along = begin[kept], along[kept]
    return begin + along * enter[kept, None], begin + along * leave[kept, None], kept


class SurfaceView(ViewWidget):
    """Drag turns the surface, the wheel zooms, a double click resets; a click picks the place under the pointer."""

    def __init__(self, description: Any, *, probes: bool = False, edits: bool = False) -> None:
        super().__init__(description, probes=probes, edits=edits)
        self.setAccessibleDescription(f"{description.help} Keys: {KEYS}.".strip())
        self.camera = Camera()
        self.ground: Ground | None = None
        self.unseen: set[str] = set()  # trails that the viewer has put away
        self.legend = ChipRow(self)
        self._names: tuple[str, ...] = ()
        self._picture: QPixmap | None = None
        self._drawn: tuple[Any, ...] = ()  # what the picture shows
        self._press: QPointF | None = None
        self._last = QPointF()
        self._turning = False

    # ------------------------------------------------------------------------------------------ payload

    def take(self, payload: SurfaceData) -> None:
        shown = self.ground_of
        if shown is None or shown[1] != payload.extent or not np.array_equal(shown[0], payload.values, equal_nan=True):
            self.ground_of = payload.values, payload.extent
            self.ground = Ground(payload.values, payload.extent, self.description.log)
            self._drawn = ()
        names = self.names()
        if names != self._names:
            self._names = names
            self._make_legend()
        self.update()

    ground_of: tuple[Array, Any] | None = None  # what the ground was made of

    def names(self) -> tuple[str, ...]:
        """What the trails are called."""
        given = self.payload.path_names
        return tuple(given[k] if k < len(given) else "" for k in range(len(self.payload.paths)))

    def tint(self, index: int) -> QColor:
        classes = theme.current().classes
        return QColor(classes[index % len(classes)])

    def _make_legend(self) -> None:
        chips = []
        for index, name in enumerate(self._names):
            if name:
                chip = Chip(self.legend, name, swatch=self.tint(index).name(), help=f"Show or hide {name}")
                chip.setAccessibleName(f"Show or hide {name}")
                chip.clicked.connect(lambda _=False, name=name: self.toggle(name))
                chip.dimmed = name in self.unseen
                chips.append(chip)
        self.legend.fill(chips if len(chips) > 1 else [])
        self._arrange()

    def toggle(self, name: str) -> None:
        """Show or put away a trail."""
        self.unseen ^= {name}
        for chip in self.legend.chips:
            chip.dimmed = chip.text() in self.unseen
            chip.update()
        self.update()

    def _arrange(self) -> None:
        if self.legend.chips:
            self.legend.arrange(2, 2, max(40, self.width() - 4), 2 if self.height() >= 200 else 1)
        self.legend.setVisible(bool(self.legend.chips) and self.height() >= 120)

    def clear(self) -> None:
        self.ground, self.ground_of, self._drawn, self._names = None, None, (), ()
        self.legend.fill([])
        super().clear()

    def restyle(self) -> None:
        self._drawn = ()
        self._make_legend()
        super().restyle()

    def reset_view(self) -> None:
        self.camera = Camera()
        self.update()

    def vector(self) -> bool:
        return True

    def csv_rows(self) -> list[list[str]]:
        if self.payload is None:
            return []
        x_name, y_name = self.description.x_axis or "x", self.description.y_axis or "y"
        rows = [["what", "step", x_name, y_name, self.description.z_axis or "height"]]
        x0, x1, y0, y1 = self.payload.extent
        height, width = self.payload.values.shape
        xs, ys = np.linspace(x0, x1, width).tolist(), np.linspace(y1, y0, height).tolist()
        for y, line in zip(ys, self.payload.values.tolist(), strict=True):
            rows += [["surface", "", *(f"{v:.6g}" for v in (x, y, z))] for x, z in zip(xs, line, strict=True)]
        for name, path in zip(self.names(), self.payload.paths, strict=True):
            for step, (x, y) in enumerate(path.tolist()):
                rows.append([name or "path", str(step), f"{x:.6g}", f"{y:.6g}", ""])
        rows += [[name, "", f"{x:.6g}", f"{y:.6g}", ""] for x, y, name in self.payload.marks]
        return rows

    # ------------------------------------------------------------------------------------------ painting

    def labelled(self) -> bool:
        return self.width() >= 220 and self.height() >= 160

    def area(self) -> QRectF:
        """Where the box may be."""
        area = QRectF(self.rect()).adjusted(6, 6, -6, -6)
        if self.legend.isVisibleTo(self):
            area.setTop(min(self.legend.geometry().bottom() + 2.0, area.bottom() - 20))
        if self.labelled():
            line = line_height(self.font())
            area.adjust(line * 1.6, line * 0.9, -line * 1.2, -line * 1.7)
        return area

    def aim(self) -> Ground | None:
        """The ground, seen as the view now is."""
        if self.ground is not None:
            self.ground.look_from(self.camera, self.area())
        return self.ground

    def paintEvent(self, event: Any) -> None:
        painter = QPainter(self)
        ground = self.aim()
        if ground is None:
            self.paint_empty(painter)
            painter.end()
            return
        axes = self.description.x_axis, self.description.y_axis, self.description.z_axis
        if is_vector(painter):
            ground.paint(painter, self.font(), axes, self.labelled())
        else:
            ratio = self.devicePixelRatioF()
            key = (self.camera, self.size(), self.area(), ratio, self.font().key())
            if key != self._drawn or self._picture is None:
                self._drawn = key
                self._picture = QPixmap(self.size() * ratio)
                self._picture.setDevicePixelRatio(ratio)
                self._picture.fill(Qt.GlobalColor.transparent)
                inner = QPainter(self._picture)
                ground.paint(inner, self.font(), axes, self.labelled())
                inner.end()
            painter.drawPixmap(0, 0, self._picture)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(small(self.font()))
        trails = [trail for trail in self.trails() if trail.name not in self.unseen]
        self._paint_marks(painter, ground)
        self._paint_trails(painter, ground, trails)
        self._paint_cursor(painter, ground)
        labels = [self._paint_end(painter, ground, trail) for trail in trails]
        self._paint_labels(painter, ground, [label for label in labels if label is not None])
        paint_focus(painter, self)
        painter.end()

    def trails(self) -> list[Trail]:
        """The paths, cut to the surface and laid on it."""
        assert self.ground is not None
        return [
            self._trail(self.ground, name, self.tint(index), path)
            for index, (name, path) in enumerate(zip(self.names(), self.payload.paths, strict=True))
            if path.shape[1:] == (2,)
        ]

    def _trail(self, ground: Ground, name: str, tint: QColor, path: Array) -> Trail:
        if len(path) > MOST:
            path = path[np.linspace(0, len(path) - 1, MOST).round().astype(int)]
        shares = ground.to_shares(path).clip(-1e6, 1e6)
        finite = np.isfinite(shares).all(axis=1)
        broken = bool(len(shares)) and not finite[-1]
        shares = shares[finite]
        empty = np.zeros((0, 2, 3))
        if not len(shares):
            return Trail(name, tint, empty, None)
        begin, end, steps = inside(shares)
        # each part in so many pieces that it follows the surface
        count = np.ceil(np.abs(end - begin).max(axis=1) / FINE).clip(1, 60).astype(int)
        which = np.repeat(np.arange(len(begin)), count)
        order = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
        one, two = ((order + k) / count[which] for k in (0, 1))
        pieces = np.stack([begin[which] + (end - begin)[which] * share[:, None] for share in (one, two)], axis=1)
        here = shares[-1]
        if broken or (here < 0).any() or (here > 1).any():
            if not len(end):
                return Trail(name, tint, empty, None)
            way = shares[steps[-1] + 1] - shares[steps[-1]]
            return Trail(name, tint, ground.on(pieces), end[-1].clip(0, 1), way)
        return Trail(name, tint, ground.on(pieces), here)

    def _paint_trails(self, painter: QPainter, ground: Ground, trails: list[Trail]) -> None:
        width = 2.4 if self.labelled() else 1.8
        halo = QColor("#0b0d12")
        for trail in trails:
            pixels, _ = ground.pixels(trail.pieces)
            kept = np.isfinite(pixels).all(axis=(1, 2))
            pixels = pixels[kept].reshape(-1, 4)
            behind = ground.hidden(trail.pieces[kept].mean(axis=1)) if len(pixels) else np.zeros(0, np.bool_)
            cap = Qt.PenCapStyle.RoundCap
            painter.setPen(QPen(faded(trail.tint, 0.35), width - 0.8, Qt.PenStyle.SolidLine, Qt.PenCapStyle.FlatCap))
            draw_lines(painter, pixels[behind])
            painter.setPen(QPen(halo, width + 1.6, Qt.PenStyle.SolidLine, cap))
            draw_lines(painter, pixels[~behind])
            painter.setPen(QPen(trail.tint.lighter(112), width, Qt.PenStyle.SolidLine, cap))
            draw_lines(painter, pixels[~behind])

    def _seat(self, ground: Ground, uv: Array) -> tuple[QPointF, bool] | None:
        """Where a place of the surface is seen, and whether a hill hides it."""
        place = ground.on(np.asarray(uv, np.float64)[None])
        if not np.isfinite(place).all():
            return None
        x, y = ground.pixels(place)[0][0].tolist()
        return QPointF(x, y), bool(ground.hidden(place + np.array([0, 0, 0.03]))[0])

    def _paint_end(self, painter: QPainter, ground: Ground, trail: Trail) -> tuple[QPointF, str, QColor] | None:
        """The ball where a path is now, or an arrow where it has left; returns what is to be written there."""
        found = None if trail.end is None else self._seat(ground, trail.end)
        if found is None or trail.end is None:
            return None
        at, behind = found
        painter.save()
        painter.setOpacity(0.45 if behind else 1.0)
        if trail.way is not None:
            self._paint_leaving(painter, ground, trail, at)
        else:
            radius = min(max(4.5, 0.016 * min(self.width(), self.height() * 1.5)), 9.0)
            at -= QPointF(0, 0.6 * radius)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(faded("#000000", 0.0 if behind else 0.35))
            painter.drawEllipse(at + QPointF(0, 0.8 * radius), radius, radius * 0.5)
            shine = QRadialGradient(at - QPointF(0.35, 0.4) * radius, 1.5 * radius)
            shine.setColorAt(0, QColor("#ffffff"))
            shine.setColorAt(0.25, trail.tint.lighter(125))
            shine.setColorAt(1, trail.tint.darker(170))
            painter.setPen(QPen(trail.tint if behind else QColor("#0b0d12"), 2 if behind else 1))
            painter.setBrush(trail.tint if behind else shine)
            painter.drawEllipse(at, radius, radius)
        painter.restore()
        text = f"{trail.name or 'path'} left the picture" if trail.way is not None else trail.name
        return (at, text, trail.tint) if text else None

    def _paint_leaving(self, painter: QPainter, ground: Ground, trail: Trail, at: QPointF) -> None:
        assert trail.end is not None
        assert trail.way is not None
        here = ground.on(trail.end[None])[0]
        along = trail.way / max(float(np.abs(trail.way).max()), 1e-12) * 0.1
        there = here + np.array([2 * along[0] * ground.half[0], 2 * along[1] * ground.half[1], 0])
        step = ground.pixels(there[None])[0][0] - (at.x(), at.y())
        length = float(np.hypot(*step))
        unit = step / length if length > 1e-6 else np.array([1.0, 0.0])
        across = np.array([-unit[1], unit[0]])
        start = np.array([at.x(), at.y()])
        head = start + unit * 20
        for ink, width in ((QColor("#0b0d12"), 4.0), (trail.tint.lighter(112), 2.2)):
            painter.setPen(QPen(ink, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin))
            barbs = [[*head, *(head - unit * 8 + across * 5)], [*head, *(head - unit * 8 - across * 5)]]
            draw_lines(painter, np.array([[*start, *head], *barbs]))

    def _paint_marks(self, painter: QPainter, ground: Ground) -> None:
        for x, y, _ in self.payload.marks:
            found = self._seat(ground, ground.to_shares(np.array([x, y])))
            if found is None:
                continue
            at, behind = found
            for ink, width in ((QColor("#0b0d12"), 4.0), (QColor("#ffffff"), 1.8)):
                painter.setPen(QPen(faded(ink, 0.3 if behind else 1.0), width, c=Qt.PenCapStyle.RoundCap))
                painter.drawLine(at + QPointF(-4, -3), at + QPointF(4, 3))
                painter.drawLine(at + QPointF(-4, 3), at + QPointF(4, -3))

    def _paint_cursor(self, painter: QPainter, ground: Ground) -> None:
        """A ring on the surface where the next ball is dropped."""
        if self.payload.cursor is None:
            return
        look, middle = theme.current(), ground.to_shares(np.array(self.payload.cursor))
        turn = np.linspace(0, 2 * np.pi, 33)
        ring = np.stack([np.cos(turn) / ground.half[0], np.sin(turn) / ground.half[1]], axis=1)
        places = ground.on((middle + 0.035 * ring).clip(0, 1)) if (np.abs(middle - 0.5) <= 0.5).all() else None
        if places is None or not np.isfinite(places).all():
            return
        line = polygon(ground.pixels(places)[0])
        painter.setBrush(faded(look.accent, 0.25))
        for ink, width in ((QColor("#ffffff"), 4.4), (QColor(look.accent), 2.2)):
            painter.setPen(QPen(ink, width))
            painter.drawPolyline(line)
        painter.setBrush(Qt.BrushStyle.NoBrush)

    def _paint_labels(self, painter: QPainter, ground: Ground, labels: list[tuple[QPointF, str, QColor]]) -> None:
        """Names beside balls, then beside marks, none over another: what finds no room is left out."""
        look, metrics = theme.current(), QFontMetricsF(painter.font())
        wanted = [(at, text, tint, 11.0) for at, text, tint in labels]
        if self.labelled():
            for x, y, name in self.payload.marks:
                found = self._seat(ground, ground.to_shares(np.array([x, y])))
                if found is not None and name and not found[1]:
                    wanted.append((found[0], name, QColor(), 8.0))
        taken = [QRectF(at.x() - 6, at.y() - 6, 12, 12) for at, *_ in wanted]
        room = QRectF(self.rect()).adjusted(2, 2, -2, -2)
        if self.legend.isVisibleTo(self):
            room.setTop(self.legend.geometry().bottom() + 1.0)
        for at, text, tint, off in wanted:
            text = metrics.elidedText(text, Qt.TextElideMode.ElideRight, max(40.0, 0.5 * self.width()))
            swatch = 10.0 if tint.isValid() else 0.0
            wide, high = metrics.horizontalAdvance(text) + 8 + swatch, metrics.height() + 2
            for right, down in ((off, -high / 2), (-off - wide, -high / 2), (-wide / 2, -off - high), (-wide / 2, off),
                                (off, -high - 4), (off, 4), (-off - wide, -high - 4), (-off - wide, 4)):  # fmt: skip
                box = QRectF(at.x() + right, at.y() + down, wide, high)
                if room.contains(box) and not any(box.intersects(other) for other in taken):
                    break
            else:
                continue
            taken.append(box)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(faded(look.panel, 0.78))
            painter.drawRoundedRect(box, 4, 4)
            if tint.isValid():
                painter.setBrush(tint)
                painter.drawEllipse(QPointF(box.left() + 8, box.center().y()), 3.2, 3.2)
            painter.setPen(QColor(look.text))
            painter.drawText(QPointF(box.left() + 4 + swatch, box.top() + 1 + metrics.ascent()), text)
        painter.setBrush(Qt.BrushStyle.NoBrush)

    # ------------------------------------------------------------------------------------------ mouse and keys

    def place_at(self, at: QPointF) -> tuple[float, float, float] | None:
        """x, y and the height of the surface under the pointer."""
        ground = self.aim()
        found = None if ground is None else ground.at(at.x(), at.y())
        if ground is None or found is None:
            return None
        return *ground.to_plane(found[0], found[1]), ground.height(found[2])

    def mousePressEvent(self, event: Any) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.payload is not None:
            self._press, self._last, self._turning = event.position(), event.position(), False
        else:
            super().mousePressEvent(event)

    def mouseMoveEvent(self, event: Any) -> None:
        at = event.position()
        if self._press is not None and event.buttons() & Qt.MouseButton.LeftButton:
            if not self._turning and (at - self._press).manhattanLength() > 4:
                self._turning = True
                self.setCursor(Qt.CursorShape.ClosedHandCursor)
            if self._turning:
                moved, self._last = at - self._last, at
                self.turn(-0.45 * moved.x(), 0.35 * moved.y())
            return
        if self.payload is None:
            return
        found = self.place_at(at)
        if found is None:
            self.say(KEYS)
            return
        x0, x1, y0, y1 = self.payload.extent
        digits = [max(0, 2 - math.floor(math.log10(max(abs(span), 1e-12)))) for span in (x1 - x0, y1 - y0)]
        d = self.description
        self.say(
            f"{d.x_axis or 'x'} {found[0]:.{min(digits[0], 6)}f} · {d.y_axis or 'y'} {found[1]:.{min(digits[1], 6)}f}"
            f" · {d.z_axis or 'height'} {number(found[2])}"
        )

    def mouseReleaseEvent(self, event: Any) -> None:
        if event.button() != Qt.MouseButton.LeftButton or self._press is None:
            return
        if self._turning:
            self.unsetCursor()
        elif (found := self.place_at(event.position())) is not None:
            self.send(PointPick(found[0], found[1]))
        self._press, self._turning = None, False

    def mouseDoubleClickEvent(self, event: Any) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.reset_view()

    def leaveEvent(self, event: QEvent) -> None:
        self.say("")

    def wheelEvent(self, event: Any) -> None:
        if self.payload is not None and event.angleDelta().y():
            self.zoom(1.001 ** event.angleDelta().y(), event.position())
            event.accept()
        else:
            event.ignore()

    def turn(self, azimuth: float, elevation: float) -> None:
        """Look from so many degrees further round, and higher."""
        self.camera = self.camera.turned(azimuth, elevation)
        self.update()

    def zoom(self, factor: float, at: QPointF | None = None) -> None:
        """Larger by a factor, the place under `at` staying where it is."""
        old = self.camera
        size = min(max(old.zoom * factor, 0.5), 6.0)
        factor = size / old.zoom
        middle = self.area().center()
        at = middle if at is None else at
        dx, dy = at.x() - middle.x(), at.y() - middle.y()
        shift = dx - (dx - old.shift[0]) * factor, dy - (dy - old.shift[1]) * factor
        self.camera = Camera(old.azimuth, old.elevation, size, shift)
        self.update()

    def keyPressEvent(self, event: Any) -> None:
        key, turns = event.key(), {
            Qt.Key.Key_Left: (TURN, 0.0), Qt.Key.Key_Right: (-TURN, 0.0),
            Qt.Key.Key_Up: (0.0, TURN), Qt.Key.Key_Down: (0.0, -TURN),
        }  # fmt: skip
        if self.payload is None:
            event.ignore()
        elif key in turns and event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.turn(*turns[key])
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self.zoom(1.25)
        elif key == Qt.Key.Key_Minus:
            self.zoom(0.8)
        elif key == Qt.Key.Key_Home:
            self.reset_view()
        else:
            event.ignore()

    def focusInEvent(self, event: Any) -> None:
        self.say(KEYS)
        super().focusInEvent(event)

    def focusOutEvent(self, event: Any) -> None:
        self.say("")
        super().focusOutEvent(event)

    def resizeEvent(self, event: Any) -> None:
        self._arrange()
