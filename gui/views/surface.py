"""A height over the plane in perspective, with the trails of what moves on it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen, QPixmap

from engine.payloads import Array, PointPick, SurfaceData
from gui import theme
from gui.format import number
from gui.views.base import ViewWidget
from gui.views.parts import Chip, ChipRow, faded, is_vector, paint_focus, polygon
from gui.views.scales import label_font
from gui.views.shared import Scales
from gui.views.surface_paint import Camera, Ground, span_of
from gui.views.surface_trails import DARK, Trail, laid, paint_end, paint_trails, seat

KEYS = "drag turns · wheel zooms · Shift+arrows turn, + and − zoom, Home resets"
TURN = 6.0  # degrees a key turns


class SurfaceView(ViewWidget):
    """Drag turns the surface, the wheel zooms, a double click resets; a click picks the place under the pointer."""

    def __init__(self, description: Any, *, probes: bool = False, edits: bool = False) -> None:
        super().__init__(description, probes=probes, edits=edits)
        self.setAccessibleDescription(f"{description.help} Keys: {KEYS}.".strip())
        self.camera = Camera()
        self.ground: Ground | None = None
        self.span = 0.0, 1.0  # of the heights
        self.pointer: tuple[float, float] | None = None  # the place of the plane that is pointed at
        self.unseen: set[str] = set()  # trails that the viewer has put away
        self.legend = ChipRow(self)
        self._names: tuple[str, ...] = ()
        self._made_of: tuple[Array, Any] | None = None  # what the ground shows
        self._picture: QPixmap | None = None
        self._drawn: tuple[Any, ...] = ()  # what the picture shows
        self._press: QPointF | None = None
        self._last = QPointF()
        self._turning = False

    # ------------------------------------------------------------------------------------------ payload

    def take(self, payload: SurfaceData) -> None:
        shown = self._made_of
        if shown is None or shown[1] != payload.extent or not np.array_equal(shown[0], payload.values, equal_nan=True):
            self._made_of = payload.values, payload.extent
            self.span, self.ground = span_of(payload.values), None
        names = self.names()
        if names != self._names:
            self._names = names
            self._make_legend()
        self.update()

    def scales(self) -> Scales:
        return {} if self.payload is None else {"heights": self.span}

    def share_scales(self, scales: Scales) -> None:
        if scales.get("heights") != self.joint.get("heights"):
            self.ground = None
        super().share_scales(scales)

    def place(self) -> Any:
        return self.camera, self.pointer

    def point(self, place: Any) -> None:
        self.camera, self.pointer = place
        ground = self.aim()
        if self.pointer is None or ground is None:
            self.say("")
        else:
            u, v = ground.to_shares(np.array(self.pointer))
            inside = 0 <= u <= 1 and 0 <= v <= 1
            self.say(f"{self._height_name()} {number(ground.height(float(ground.share_at(u, v))))}" if inside else "")
        self.update()

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
        self.ground, self._made_of, self._names, self.pointer = None, None, (), None
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

    def label_font(self) -> QFont:
        return label_font(self.font(), self.size())

    def area(self) -> QRectF:
        """Where the box may be."""
        area = QRectF(self.rect()).adjusted(6, 6, -6, -6)
        if self.legend.isVisibleTo(self):
            area.setTop(min(self.legend.geometry().bottom() + 2.0, area.bottom() - 20))
        if self.labelled():
            line = QFontMetricsF(self.label_font()).height()
            area.adjust(line * 1.6, line * 0.9, -line * 1.2, -line * 1.7)
        return area

    def aim(self) -> Ground | None:
        """The ground, seen as the view now is."""
        if self.payload is None:
            return None
        if self.ground is None:
            span = self.joint.get("heights", self.span)
            self.ground, self._drawn = Ground(self.payload.values, self.payload.extent, self.description.log, span), ()
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
            ground.paint(painter, self.label_font(), axes, self.labelled())
        else:
            ratio = self.devicePixelRatioF()
            key = (self.camera, self.size(), self.area(), ratio, self.font().key())
            if key != self._drawn or self._picture is None:
                self._drawn = key
                self._picture = QPixmap(self.size() * ratio)
                self._picture.setDevicePixelRatio(ratio)
                self._picture.fill(Qt.GlobalColor.transparent)
                inner = QPainter(self._picture)
                ground.paint(inner, self.label_font(), axes, self.labelled())
                inner.end()
            painter.drawPixmap(0, 0, self._picture)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(self.label_font())
        trails = [trail for trail in self.trails() if trail.name not in self.unseen]
        marks = self._marks(ground)
        self._paint_marks(painter, marks)
        paint_trails(painter, ground, trails, min(max(1.8, min(self.width(), self.height()) / 180), 3.2))
        self._paint_cursor(painter, ground)
        if self.following and self.pointer is not None:
            self._paint_pointer(painter, ground, self.pointer)
        radius = min(max(4.5, 0.016 * min(self.width(), self.height() * 1.5)), 9.0)
        labels = [paint_end(painter, ground, trail, radius) for trail in trails]
        self._paint_labels(painter, [label for label in labels if label is not None], marks)
        paint_focus(painter, self)
        painter.end()

    def trails(self) -> list[Trail]:
        """The paths, cut to the surface and laid on it."""
        ground = self.aim()
        assert ground is not None
        return [
            laid(ground, name, self.tint(index), path)
            for index, (name, path) in enumerate(zip(self.names(), self.payload.paths, strict=True))
            if path.shape[1:] == (2,)
        ]

    def _marks(self, ground: Ground) -> list[tuple[QPointF, str, bool]]:
        """Where the marks are seen, their names, and whether a hill hides them."""
        found = [(seat(ground, ground.to_shares(np.array([x, y]))), name) for x, y, name in self.payload.marks]
        return [(place[0], name, place[1]) for place, name in found if place is not None]

    def _paint_marks(self, painter: QPainter, marks: list[tuple[QPointF, str, bool]]) -> None:
        for at, _, behind in marks:
            for ink, width in ((QColor(DARK), 4.0), (QColor("#ffffff"), 1.8)):
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

    def _paint_pointer(self, painter: QPainter, ground: Ground, pointer: tuple[float, float]) -> None:
        """The place that is pointed at in the view of another run."""
        found = seat(ground, ground.to_shares(np.array(pointer)))
        if found is not None:
            for ink, width in ((DARK, 3.4), ("#ffffff", 1.6)):
                painter.setPen(QPen(QColor(ink), width))
                painter.drawEllipse(found[0], 5, 5)

    def _paint_labels(
        self,
        painter: QPainter,
        labels: list[tuple[QPointF, str, QColor]],
        marks: list[tuple[QPointF, str, bool]],
    ) -> None:
        """Names beside balls, then beside marks, none over another: what finds no room is left out."""
        look, metrics = theme.current(), QFontMetricsF(painter.font())
        wanted = [(at, text, tint, 11.0) for at, text, tint in labels]
        if self.labelled():
            wanted += [(at, name, QColor(), 8.0) for at, name, behind in marks if name and not behind]
        taken = [QRectF(at.x() - 6, at.y() - 6, 12, 12) for at, *_ in wanted]
        room = QRectF(self.rect()).adjusted(2, 2, -2, -2)
        if self.legend.isVisibleTo(self):
            room.setTop(self.legend.geometry().bottom() + 1.0)
        for at, text, tint, off in wanted:
            text = text if self.width() >= 420 else text.replace(" the picture", "")
            text = metrics.elidedText(text, Qt.TextElideMode.ElideRight, max(40.0, 0.5 * self.width()))
            swatch = 10.0 if tint.isValid() else 0.0
            wide, high = metrics.horizontalAdvance(text) + 8 + swatch, metrics.height() + 2
            for right, down in (
                (off, -high / 2),
                (-off - wide, -high / 2),
                (-wide / 2, -off - high),
                (-wide / 2, off),
                (off, -high - 4),
                (off, 4),
                (-off - wide, -high - 4),
                (-off - wide, 4),
            ):
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
        self.pointer = None if found is None else (found[0], found[1])
        if found is None:
            self.say(KEYS)
            return
        x0, x1, y0, y1 = self.payload.extent
        digits = [max(0, 2 - math.floor(math.log10(max(abs(span), 1e-12)))) for span in (x1 - x0, y1 - y0)]
        d = self.description
        self.say(
            f"{d.x_axis or 'x'} {found[0]:.{min(digits[0], 6)}f} · {d.y_axis or 'y'} {found[1]:.{min(digits[1], 6)}f}"
            f" · {self._height_name()} {number(found[2])}"
        )

    def _height_name(self) -> str:
        return self.description.z_axis or "height"

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
        self.pointer = None
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
        key, turns = (
            event.key(),
            {
                Qt.Key.Key_Left: (TURN, 0.0),
                Qt.Key.Key_Right: (-TURN, 0.0),
                Qt.Key.Key_Up: (0.0, TURN),
                Qt.Key.Key_Down: (0.0, -TURN),
            },
        )
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
