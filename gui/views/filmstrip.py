"""A process over time: a large frame of each row, and a strip of thumbnails to scrub, play and compare."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QColor, QFontMetricsF, QImage, QPainter, QPen

from engine.payloads import Array, FilmRow, FilmstripData, Pick
from gui import colour, theme
from gui.format import number
from gui.views.base import ViewWidget
from gui.views.parts import Throttle, faded, image_of, paint_focus, paint_tag, polygon, small
from gui.views.plane import Bounds, spread
from gui.views.shared import Scales

LOOP = 4000  # ms to play all frames
BUTTON = 24.0


class FilmstripView(ViewWidget):
    """Shows FilmstripData. Drag or arrow keys scrub, Return plays, a click on the large frames pins them."""

    aspect = 1.3

    def __init__(self, description: Any, *, probes: bool = False, edits: bool = False) -> None:
        super().__init__(description, probes=probes, edits=edits)
        self.frame = -1  # chosen; -1 until there is one: then the last
        self.pinned = -1
        self._scrubbing = False
        self._hover: QPointF | None = None
        self._pictures: dict[tuple[int, int], QImage] = {}
        self._limits: list[tuple[float, float]] = []
        self._extents: list[Bounds] = []
        self._sending = Throttle(self, self.send)
        self._playing = QTimer(self)
        self._playing.timeout.connect(self._advance)

    # --------------------------------------------------------------------------------------------- payload

    def count(self) -> int:
        """How many frames there are."""
        if self.payload is None or not self.payload.rows:
            return 0
        return min(len(row.pixels if row.pixels is not None else row.points) for row in self.payload.rows)

    def take(self, payload: FilmstripData) -> None:
        count = self.count()
        self.frame = count - 1 if not 0 <= self.frame < count else self.frame
        self.pinned = self.pinned if self.pinned < count else -1
        self._pictures.clear()
        self._limits, self._extents = [], []
        for row in payload.rows:
            shown = row.pixels if row.pixels is not None else np.zeros(1)
            grey = self.description.colour == "grey"
            self._limits.append((0.0, 1.0) if grey else colour.limits(shown, self._colour()))
            places = np.zeros((0, 2)) if row.points is None else row.points.reshape(-1, 2)
            self._extents.append(spread(places) or (-1.0, 1.0, -1.0, 1.0))
        if count < 2:
            self.play(False)
        self.update()

    def scales(self) -> Scales:
        found: Scales = {f"colours {row}": limits for row, limits in enumerate(self._limits)}
        for row, (x0, x1, y0, y1) in enumerate(self._extents):
            found |= {f"x {row}": (x0, x1), f"y {row}": (y0, y1)}
        return found if self.payload is not None else {}

    def share_scales(self, scales: Scales) -> None:
        self._pictures.clear()
        super().share_scales(scales)

    def place(self) -> Any:
        at = self._hover
        return self.frame, self.pinned, None if at is None else (at.x() / self.width(), at.y() / self.height())

    def point(self, place: Any) -> None:
        self.play(False)
        count, at = self.count(), place[2]
        if count:
            self.frame, self.pinned = min(place[0], count - 1), min(place[1], count - 1)
        self._hover = None if at is None else QPointF(at[0] * self.width(), at[1] * self.height())
        self.update()

    def clear(self) -> None:
        self.play(False)
        self.frame = self.pinned = -1
        super().clear()

    def _colour(self) -> str:
        name: str = self.description.colour
        return "grey" if name == "rgb" else name

    def picture(self, row: int, frame: int) -> QImage:
        """A frame of pictures, converted when first shown."""
        key = row, frame
        if key not in self._pictures:
            limits = self.joint.get(f"colours {row}", self._limits[row])
            self._pictures[key] = image_of(self.payload.rows[row].pixels[frame], self._colour(), *limits)
        return self._pictures[key]

    # ------------------------------------------------------------------------------------------- geometry

    def _line(self) -> float:
        return QFontMetricsF(small(self.font())).height()

    def thumb(self) -> float:
        """The side of a thumbnail; 0 where there is no room for a strip of them."""
        rows, line = len(self.payload.rows), self._line()
        if self.count() < 2:
            return 0.0
        side = min(52.0, (self.height() * 0.38 - line) / rows - 2, (self.width() - BUTTON - 12) / 3)
        return side if side >= 10 and self.height() >= 100 else 0.0

    def strip(self) -> QRectF:
        """The strip of thumbnails, without the play button."""
        rows, side = len(self.payload.rows), self.thumb()
        height = rows * (side + 2) if side else 8.0
        bottom = self._line() + 4 if self.payload.labels and self.height() >= 100 else 4.0
        room = max(self.width() - BUTTON - 12.0, 1.0)
        width = (
            min(room, self.count() * (side + 3.0)) if side else room
        )  # of few frames: in the middle, as the large ones
        return QRectF(BUTTON + 8 + (room - width) / 2, self.height() - height - bottom, width, height)

    def columns(self) -> list[int]:
        """The frames that have a thumbnail: as many as fit, evenly taken, first and last among them."""
        count, side = self.count(), self.thumb()
        if not side:
            return []
        fit = max(2, int(self.strip().width() // (side + 3)))
        if count <= fit:
            return list(range(count))
        return np.linspace(0, count - 1, fit).round().astype(int).tolist()  # type: ignore[no-any-return]

    def x_of(self, frame: int) -> float:
        """The middle of a frame on the strip."""
        strip, side = self.strip(), self.thumb()
        count = self.count()
        span = max(strip.width() - side, 1.0)
        if side and count <= len(self.columns()):
            span = min(span, (count - 1) * (side + 3.0))
        return strip.left() + side / 2 + (frame / max(count - 1, 1)) * span

    def frame_at(self, x: float) -> int:
        """The frame at a place of the strip."""
        first, last = self.x_of(0), self.x_of(self.count() - 1)
        share = (x - first) / max(last - first, 1e-9)
        return round(min(max(share, 0.0), 1.0) * (self.count() - 1))

    def cells(self) -> list[tuple[int, int, QRectF]]:
        """The large frames: (row, frame, where). A pinned frame stands left of the chosen one."""
        frames = [self.frame] if self.pinned < 0 else [self.pinned, self.frame]
        rows, line = len(self.payload.rows), self._line()
        shown = self.count() > 1
        area = QRectF(4, 4, self.width() - 8, (self.strip().top() if shown else self.height()) - 12)
        named = any(row.name for row in self.payload.rows) and self.height() >= 120
        caption = line + 2 if named or len(frames) > 1 else 0.0
        count = rows * len(frames)
        best, across = 0.0, 1
        for tried in range(len(frames), count + 1, len(frames)):
            down = -(-count // tried)
            side = min((area.width() - 8 * (tried - 1)) / tried, (area.height() - 6 * (down - 1)) / down - caption)
            if side > best:
                best, across = side, tried
        best = max(best, 4.0)
        down = -(-count // across)
        left = area.center().x() - (across * (best + 8) - 8) / 2
        top = area.center().y() - (down * (best + caption + 6) - 6) / 2 + caption
        result = []
        for place in range(count):
            x, y = left + place % across * (best + 8), top + place // across * (best + caption + 6)
            result.append((place // len(frames), frames[place % len(frames)], QRectF(x, y, best, best)))
        return result

    # -------------------------------------------------------------------------------------------- painting

    def paintEvent(self, event: Any) -> None:
        painter = QPainter(self)
        painter.setFont(small(self.font()))
        if self.count() == 0:
            self.paint_empty(painter)
            paint_focus(painter, self)
            return
        look, metrics = theme.current(), QFontMetricsF(painter.font())
        cells = self.cells()
        for row, frame, box in cells:
            self._paint_frame(painter, row, frame, box, large=True)
            pinned = self.pinned >= 0 and frame == self.pinned
            name = self.payload.rows[row].name
            if self.pinned >= 0:
                name = " · ".join(part for part in (name, self.label(frame) or f"frame {frame}") if part)
            if name and self.height() >= 120:
                painter.setPen(QColor(look.link if pinned else look.muted))
                last = not any(other.top() == box.top() and other.left() > box.left() for _, _, other in cells)
                room = self.width() - box.left() - 4 if last else box.width() + 6
                text = metrics.elidedText(name, Qt.TextElideMode.ElideRight, room)
                painter.drawText(QPointF(box.left(), box.top() - 4), text)
            if pinned:
                painter.setPen(QPen(QColor(look.accent), 1.5))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawRect(box.adjusted(-1, -1, 1, 1))
        if self.count() > 1:
            self._paint_strip(painter)
        if self._hover is not None and not self._scrubbing:
            for row, frame, box in cells:
                if box.contains(self._hover) and self.payload.rows[row].pixels is not None:
                    self._paint_pixel(painter, row, frame, box)
        paint_focus(painter, self)

    def label(self, frame: int) -> str:
        """What is written under a frame."""
        return self.payload.labels[frame] if frame < len(self.payload.labels) else ""

    def _paint_frame(self, painter: QPainter, row: int, frame: int, box: QRectF, large: bool) -> None:
        data: FilmRow = self.payload.rows[row]
        if data.pixels is not None:
            painter.drawImage(fitted(box, self.picture(row, frame).size()), self.picture(row, frame))
            return
        look, (x0, x1, y0, y1) = theme.current(), self._extents[row]
        (x0, x1), (y0, y1) = self.joint.get(f"x {row}", (x0, x1)), self.joint.get(f"y {row}", (y0, y1))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(look.raised))
        painter.drawRect(box)
        assert data.points is not None
        places = data.points[frame]
        places = places[np.isfinite(places).all(axis=1)].astype(np.float64)
        if not large:
            places = places[:: max(1, len(places) // 120)]
        unit = max(x1 - x0, y1 - y0) / box.width()
        centre = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
        pixels = (places - centre) * (1 / unit, -1 / unit) + (box.center().x(), box.center().y())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, large)
        # thin pens are drawn much faster than round dots, so dots are for few points
        width = (3.4 if len(pixels) <= 600 else 2.2) if large else 1.4
        painter.setPen(QPen(faded(look.classes[0], 0.85), width, c=Qt.PenCapStyle.RoundCap))
        painter.drawPoints(polygon(pixels))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def _paint_strip(self, painter: QPainter) -> None:
        look, strip, side = theme.current(), self.strip(), self.thumb()
        metrics = QFontMetricsF(painter.font())
        columns = self.columns()
        first, last = self.x_of(0), self.x_of(self.count() - 1)
        places = [(frame, first + (last - first) * i / (len(columns) - 1)) for i, frame in enumerate(columns)]
        # pinned and chosen frame lie over the others, at their own places
        places += [(frame, self.x_of(frame)) for frame in (self.pinned, self.frame) if frame >= 0 and side]
        for row in range(len(self.payload.rows)):
            for frame, x in places:
                box = QRectF(round(x - side / 2), round(strip.top() + row * (side + 2)), side, side)
                self._paint_frame(painter, row, frame, box, large=False)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if not side:  # no room for thumbnails: a plain slider
            painter.setPen(QPen(QColor(look.raised), 4, c=Qt.PenCapStyle.RoundCap))
            y = strip.center().y()
            painter.drawLine(QPointF(self.x_of(0), y), QPointF(self.x_of(self.count() - 1), y))
        for frame, tint in ((self.pinned, look.muted), (self.frame, look.accent)):
            if frame < 0:
                continue
            x, half = self.x_of(frame), max(side / 2, 3.0)
            box = QRectF(x - half - 1, strip.top() - 1.5, 2 * half + 2, strip.height() + 1)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(tint), 2))
            painter.drawRoundedRect(box, 3, 3)
        # labels: the chosen frame's always, others where they do not meet another
        taken: list[tuple[float, float]] = []
        y = strip.bottom() + metrics.ascent() + 1
        order = [self.frame, *[frame for frame in (columns or [0, self.count() - 1]) if frame != self.frame]]
        for frame in order:
            text = self.label(frame)
            width = metrics.horizontalAdvance(text)
            x = min(max(strip.left(), self.x_of(frame) - width / 2), self.width() - 2 - width)
            if text and self.height() >= 100 and all(x > end + 6 or x + width < start - 6 for start, end in taken):
                painter.setPen(QColor(look.text if frame == self.frame else look.muted))
                painter.drawText(QPointF(x, y), text)
                taken.append((x, x + width))
        self._paint_button(painter)

    def button(self) -> QRectF:
        """The play button, at the left of the strip."""
        strip = self.strip()
        return QRectF(strip.left() - BUTTON - 4, strip.center().y() - BUTTON / 2, BUTTON, BUTTON)

    def _paint_button(self, painter: QPainter) -> None:
        look, box = theme.current(), self.button()
        over = self._hover is not None and box.contains(self._hover)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(look.hover if over else look.raised))
        painter.drawRoundedRect(box, 6, 6)
        painter.setBrush(QColor(look.text))
        x, y = box.center().x(), box.center().y()
        if self._playing.isActive():
            painter.drawRect(QRectF(x - 4, y - 5, 3, 10))
            painter.drawRect(QRectF(x + 1, y - 5, 3, 10))
        else:
            painter.drawPolygon([QPointF(x - 3.5, y - 5.5), QPointF(x + 5, y), QPointF(x - 3.5, y + 5.5)])

    def _paint_pixel(self, painter: QPainter, row: int, frame: int, box: QRectF) -> None:
        assert self._hover is not None
        pixels: Array = self.payload.rows[row].pixels[frame]
        inner = fitted(box, self.picture(row, frame).size())
        x = int((self._hover.x() - inner.left()) / inner.width() * pixels.shape[1])
        y = int((self._hover.y() - inner.top()) / inner.height() * pixels.shape[0])
        if 0 <= x < pixels.shape[1] and 0 <= y < pixels.shape[0]:
            value = pixels[y, x]
            text = ", ".join(number(float(v)) for v in np.atleast_1d(value))
            paint_tag(painter, self._hover, self.rect(), [text, f"row {y}, column {x}"])

    # ----------------------------------------------------------------------------------- mouse and keyboard

    def choose(self, frame: int) -> None:
        """Show this frame, and tell so."""
        frame = min(max(frame, 0), self.count() - 1)
        if frame != self.frame:
            self.frame = frame
            self._sending.push(Pick(frame))
            self.tell_place()  # the timer may have chosen it
            self.update()

    def pin(self, frame: int) -> None:
        """Keep this frame beside the chosen one; the same again lets it go."""
        self.pinned = -1 if self.pinned >= 0 and frame in (self.pinned, self.frame) else frame
        self.update()

    def play(self, on: bool) -> None:
        """Play all frames in a loop, or stop."""
        if on and self.count() > 1:
            self._playing.start(min(max(LOOP // self.count(), 40), 400))
        else:
            self._playing.stop()
        self.update()

    def _advance(self) -> None:
        if self.count() < 2:
            self.play(False)
        else:
            self.choose((self.frame + 1) % self.count())

    def mousePressEvent(self, event: Any) -> None:
        at = event.position()
        if event.button() != Qt.MouseButton.LeftButton or self.count() == 0:
            return
        if self.count() > 1 and self.button().contains(at):
            self.play(not self._playing.isActive())
        elif self.count() > 1 and at.y() >= self.strip().top() - 4 and at.x() > BUTTON + 4:
            self.play(False)
            frame = self.frame_at(at.x())
            if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
                self.pin(frame)
            else:
                self._scrubbing = True
                self.choose(frame)
        elif self.count() > 1 and any(box.contains(at) for _, _, box in self.cells()):
            self.pin(self.frame)

    def mouseMoveEvent(self, event: Any) -> None:
        self._hover = event.position()
        if self._scrubbing:
            self.choose(self.frame_at(event.position().x()))
        self.update()

    def mouseReleaseEvent(self, event: Any) -> None:
        if self._scrubbing:
            self._scrubbing = False
            self._sending.flush()

    def leaveEvent(self, event: Any) -> None:
        self._hover = None
        self.update()

    def hideEvent(self, event: Any) -> None:
        self.play(False)
        self._sending.flush()

    def keyPressEvent(self, event: Any) -> None:
        page = max(1, self.count() // 10)
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_PageUp: -page, Qt.Key.Key_PageDown: page}
        key = event.key()
        if self.count() == 0:
            event.ignore()
        elif key in steps:
            self.choose(self.frame + steps[key])
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            self.choose(0 if key == Qt.Key.Key_Home else self.count() - 1)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.play(not self._playing.isActive())
        elif key == Qt.Key.Key_P:
            self.pin(self.frame)
        else:
            event.ignore()

    def reset_view(self) -> None:
        self.pinned = -1
        self.update()

    # ---------------------------------------------------------------------------------------------- export

    def csv_rows(self) -> list[list[str]]:
        """The chosen frame of every row: pixels as row, column, value, points as x, y."""
        if self.count() == 0:
            return []
        rows = [["row", "frame", "y", "x", "value"]]
        for data in self.payload.rows:
            head = [data.name, self.label(self.frame) or str(self.frame)]
            if data.pixels is None:
                rows += [[*head, str(y), str(x), ""] for x, y in data.points[self.frame].tolist()]
                continue
            for y, line in enumerate(data.pixels[self.frame].tolist()):
                rows += [[*head, str(y), str(x), str(value)] for x, value in enumerate(line)]
        return rows


def fitted(box: QRectF, size: QSize) -> QRectF:
    """The largest rectangle of a picture's shape in a box, centred."""
    scale = min(box.width() / max(size.width(), 1), box.height() / max(size.height(), 1))
    width, height = size.width() * scale, size.height() * scale
    return QRectF(box.center().x() - width / 2, box.center().y() - height / 2, width, height)
