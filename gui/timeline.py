"""The timeline: how far the run has come, what was changed on the way, and a handle to scrub back with."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import QPoint, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QFont,
    QFontMetricsF,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QWheelEvent,
)
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QPushButton, QSizePolicy, QToolTip, QWidget

from engine.messages import Bookmark
from gui import icons, theme
from gui.plain import plain
from gui.timeline_scale import Scale

NEAR = 5  # pixels: so close to a flag the pointer is on it
LINE = 19  # the height of the line's middle: named flags stand above it, round steps below
ZOOM = 0.8  # one notch of the wheel shows so much of what was shown
TICK_WIDTH = 70  # pixels between two labelled steps, about
WIDEST_NAME = 110  # pixels of a bookmark's name that are shown


class TimelineTrack(QWidget):
    """The line itself."""

    scrubbed = Signal(int)  # the step to show
    walked = Signal(int)  # so many recorded frames on, or back
    live_wanted = Signal()
    menu_wanted = Signal(int, QPoint)  # the bookmark at a step was clicked with the right button, here
    rescaled = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Timeline")
        self.setAccessibleDescription(
            "Scrub back through the training: arrow keys go from picture to picture, Page Up and Page Down further, "
            "Home to the beginning, End to live. The wheel zooms; a double click shows the whole run."
        )
        self.scale = Scale()
        self.shown = -1  # below zero: live
        self.flags: list[tuple[int, str]] = []
        self.bookmarks: tuple[Bookmark, ...] = ()
        theme.holder.changed.connect(self.update)

    @property
    def first(self) -> int:
        return self.scale.first

    @property
    def last(self) -> int:
        return self.scale.last

    def sizeHint(self) -> QSize:
        return QSize(400, 38)

    def show_span(self, first: int, last: int) -> None:
        """From which step to which there is something to see."""
        if (first, last) != (self.first, self.last):
            self.scale.span(first, last)
            self.update()

    def show_step(self, step: int) -> None:
        """Where the handle stands; below zero it is live, at the end."""
        if step != self.shown:
            self.shown = step
            if step >= 0:
                self.scale.reveal(step)
            self.update()

    def set_log(self, on: bool) -> None:
        """Use the logarithmic scale, or the linear one; either shows the whole run at first."""
        self.scale.log, self.scale.window = on, None
        self._changed()

    def reset(self) -> None:
        """Show the whole run."""
        self.scale.window = None
        self._changed()

    def _changed(self) -> None:
        self.update()
        self.rescaled.emit()

    # ------------------------------------------------------------------ places

    def _line(self) -> QRectF:
        return QRectF(8, LINE - 2, max(1, self.width() - 16), 4)

    def x_of(self, step: float) -> float:
        """Where a step lies, within the line."""
        line = self._line()
        return line.left() + line.width() * min(1.0, max(0.0, self.scale.share(step)))

    def _share(self, x: float) -> float:
        line = self._line()
        return min(1.0, max(0.0, (x - line.left()) / line.width()))

    def _step(self, x: float) -> int:
        return self.scale.step(self._share(x))

    def _within(self, step: float) -> bool:
        return -1e-9 <= self.scale.share(step) <= 1 + 1e-9

    def _small(self) -> QFont:
        font = QFont(self.font())
        font.setPixelSize(10)
        return font

    def names(self) -> list[tuple[Bookmark, QRectF]]:
        """The bookmarks in sight with the place of their names, which is empty where the next one leaves no room."""
        metrics = QFontMetricsF(self._small())
        seen = [mark for mark in self.bookmarks if self._within(mark.step)]
        xs = [self.x_of(mark.step) for mark in seen]
        found: list[tuple[Bookmark, QRectF]] = []
        for place, mark in enumerate(seen):
            x, following = xs[place], xs[place + 1] if place + 1 < len(xs) else math.inf
            wanted = min(WIDEST_NAME, metrics.horizontalAdvance(mark.name) + 4)
            right, taken = min(following - 7, self.width()) - x - 4, found[-1][1].right() if found else 0.0
            taken = max(taken, xs[place - 1] if place else 0.0)
            if right < wanted and x - taken - 10 >= wanted:  # at the end of the line there is room on the other side
                found.append((mark, QRectF(x - 3 - wanted, 0, wanted, 13)))
            else:
                width = min(wanted, right)
                found.append((mark, QRectF(x + 3, 0, width, 13) if width > 16 else QRectF()))
        return found

    def bookmark_at(self, at: QPointF) -> Bookmark | None:
        """The bookmark whose flag or name is there."""
        if at.y() > LINE + 6:
            return None
        for mark, name in self.names():
            if name.contains(at) or (abs(self.x_of(mark.step) - at.x()) < NEAR and at.y() < LINE - 2):
                return mark
        return None

    # ------------------------------------------------------------------ painting

    def paintEvent(self, event: QPaintEvent) -> None:
        t, line = theme.current(), self._line()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(t.raised))
        painter.drawRoundedRect(line, 2, 2)
        some = self.last > self.first
        x = self.x_of(self.last if self.shown < 0 else self.shown)
        if some:
            self._paint_ticks(painter)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(t.accent))
            painter.drawRoundedRect(QRectF(line.left(), line.top(), x - line.left(), line.height()), 2, 2)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(t.warning))
        for step, _ in self.flags:
            if self._within(step):
                painter.drawRoundedRect(QRectF(self.x_of(step) - 1, line.top() - 4, 2, 12), 1, 1)
        self._paint_bookmarks(painter)
        if some and (self.shown < 0 or self._within(self.shown)):
            painter.setPen(QPen(QColor(t.accent if self.hasFocus() else t.border), 2 if self.hasFocus() else 1))
            painter.setBrush(QColor("#ffffff"))
            painter.drawEllipse(QPointF(x, line.center().y()), 6, 6)
        painter.end()

    def _paint_ticks(self, painter: QPainter) -> None:
        line, font = self._line(), self._small()
        metrics = QFontMetricsF(font)
        painter.setFont(font)
        painter.setPen(QColor(theme.current().muted))
        taken = -1.0
        for step in self.scale.ticks(max(1, int(line.width() / TICK_WIDTH))):
            x, text = self.x_of(step), f"{step:,}"
            width = metrics.horizontalAdvance(text)
            left = min(max(x - width / 2, 0.0), self.width() - width)
            if left < taken:
                continue
            taken = left + width + 10
            painter.drawLine(QPointF(x, line.bottom() + 3), QPointF(x, line.bottom() + 5))
            painter.drawText(QPointF(left, self.height() - 3), text)

    def _paint_bookmarks(self, painter: QPainter) -> None:
        t, font = theme.current(), self._small()
        metrics = QFontMetricsF(font)
        painter.setFont(font)
        for mark, place in self.names():
            x = self.x_of(mark.step)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(t.accent))
            painter.drawRoundedRect(QRectF(x - 1, 1, 2, LINE - 3), 1, 1)
            if not place.isEmpty():
                painter.setPen(QColor(t.text))
                text = metrics.elidedText(mark.name, Qt.TextElideMode.ElideRight, place.width() - 1)
                painter.drawText(place, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)
            else:
                painter.drawEllipse(QPointF(x, 3), 3, 3)

    # ------------------------------------------------------------------ pointer and keys

    def _scrub(self, x: float) -> None:
        if self.last > self.first:
            self.scrubbed.emit(self._step(x))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        if (mark := self.bookmark_at(event.position())) is not None:
            self.scrubbed.emit(mark.step)
        else:
            self._scrub(event.position().x())

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.scale.window is not None:
            self.reset()
        else:
            self.mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        x = event.position().x()
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._scrub(x)
        near = [text for step, text in self.flags if self._within(step) and abs(self.x_of(step) - x) < NEAR]
        if (mark := self.bookmark_at(event.position())) is not None:
            said = "\n".join([mark.name, f"step {mark.step:,}", *near])
        else:
            said = "\n".join([f"step {self._step(x):,}", *near]) if self.last > self.first else ""
        QToolTip.showText(event.globalPosition().toPoint(), plain(said), self)

    def wheelEvent(self, event: QWheelEvent) -> None:
        turned, aside = event.angleDelta().y(), event.angleDelta().x()
        if self.last <= self.first:
            event.ignore()
            return
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            turned, aside = 0, aside or turned
        if turned:
            self.scale.zoom(self._share(event.position().x()), ZOOM ** (turned / 120))
        if aside:
            self.scale.pan(-aside / 1200)
        self._changed()
        event.accept()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if (mark := self.bookmark_at(QPointF(event.pos()))) is not None:
            self.menu_wanted.emit(mark.step, event.globalPos())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        some, key = self.last > self.first, event.key()
        frames = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_PageUp: -10, Qt.Key.Key_PageDown: 10}
        zooms = {Qt.Key.Key_Plus: ZOOM, Qt.Key.Key_Equal: ZOOM, Qt.Key.Key_Minus: 1 / ZOOM}
        if not some or event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            super().keyPressEvent(event)
        elif key in frames:
            self.walked.emit(frames[Qt.Key(key)])
        elif key in zooms:
            at = self.last if self.shown < 0 else self.shown
            self.scale.zoom(min(1.0, max(0.0, self.scale.share(at))), zooms[Qt.Key(key)])
            self._changed()
        elif key == Qt.Key.Key_Home:
            self.scrubbed.emit(self.first)
        elif key == Qt.Key.Key_End:
            self.live_wanted.emit()
        else:
            super().keyPressEvent(event)


class NameField(QLineEdit):
    """The name of a bookmark, to be typed over its flag. Enter or a click elsewhere keeps it, Escape does not."""

    named = Signal(int, str)  # the bookmark's step, its name

    def __init__(self, track: TimelineTrack) -> None:
        super().__init__(track)
        self._track, self._step = track, 0
        self._before: QWidget | None = None
        self.setAccessibleName("Name of the bookmark")
        self.setMaxLength(80)
        self.editingFinished.connect(self._keep)
        self.hide()

    def open(self, mark: Bookmark, before: QWidget | None) -> None:
        """Ask for a name; the keyboard goes back to `before`."""
        self._step, self._before = mark.step, before
        self.setText(mark.name)
        self.selectAll()
        self.resize(150, 26)
        x = round(self._track.x_of(mark.step))
        self.move(min(max(0, x), max(0, self._track.width() - self.width())), 0)
        self.show()
        self.raise_()
        self.setFocus(Qt.FocusReason.PopupFocusReason)

    def _keep(self) -> None:
        if not self.isHidden():
            self._end()
            self.named.emit(self._step, self.text())

    def _end(self) -> None:
        had = self.hasFocus()
        self.hide()
        if had and self._before is not None:
            self._before.setFocus(Qt.FocusReason.PopupFocusReason)
        self._before = None

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self._end()
        else:
            super().keyPressEvent(event)


class Timeline(QWidget):
    """The track, what it says, and the ways back: to live, or into a branch."""

    scrubbed = Signal(int)
    walked = Signal(int)
    live_pressed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "bar")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.track = TimelineTrack()
        self.name_field = NameField(self.track)
        self.where = QLabel()
        self.where.setProperty("role", "hint")
        self.where.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.log = self._button("log", "Logarithmic scale: room for the first steps. The wheel zooms into either scale")
        self.log.setAccessibleName("Logarithmic scale")
        self.log.setCheckable(True)
        self.log.setChecked(True)
        self.bookmarks = self._button("", "Bookmarks: steps with a name, to come back to (B sets one)")
        self.bookmarks.setAccessibleName("Bookmarks")
        self.runs = self._button("Runs", "The earlier runs of this lab: pin their curves, or go back to one (H)")
        self.changes = self._button("Changes", "")
        self.branch = self._button("Branch", "Train on from the step that is shown, beside the curves so far (Ctrl+B)")
        self.live = self._button("Live", "Back to the present step (Ctrl+L)")
        self.track.scrubbed.connect(self.scrubbed)
        self.track.walked.connect(self.walked)
        self.track.live_wanted.connect(self.live_pressed)
        self.log.toggled.connect(self._set_log)
        self.live.clicked.connect(self.live_pressed)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 2, 16, 0)
        row.setSpacing(8)
        row.addWidget(self.track, 1)
        for widget in (self.log, self.where, self.bookmarks, self.runs, self.changes, self.branch, self.live):
            row.addWidget(widget)
        self.where.setFixedWidth(self.where.fontMetrics().horizontalAdvance("rewound to step 9,999,999") + 8)
        theme.holder.changed.connect(self._restyle)
        self.runs.setMinimumWidth(self.runs.fontMetrics().horizontalAdvance("Runs (99)") + 28)
        self.changes.setMinimumWidth(self.changes.fontMetrics().horizontalAdvance("Changes (99)") + 28)
        self._restyle()
        self.set_flags(())
        self.show_step(-1)

    def _button(self, text: str, tip: str) -> QPushButton:
        button = QPushButton(text)
        button.setToolTip(tip)
        button.setAccessibleName(text)
        button.setProperty("kind", "small")
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return button

    def _restyle(self) -> None:
        self.live.setIcon(icons.icon("live", theme.current().muted))
        self.bookmarks.setIcon(icons.icon("bookmark", theme.current().muted))

    def _set_log(self, on: bool) -> None:
        self.track.set_log(on)
        self.log.setText("log" if on else "linear")

    def show_span(self, first: int, last: int) -> None:
        """From which step to which there is something to see."""
        self.track.show_span(first, last)

    def set_flags(self, flags: Sequence[tuple[int, str]]) -> None:
        """What was changed, and after which step."""
        self.track.flags = list(flags)
        self.track.update()
        self.changes.setText(f"Changes ({len(flags):,})" if flags else "Changes")
        self.changes.setEnabled(bool(flags))
        some, none = "List what changed this run", "Nothing changed yet: turn a knob, edit in a view, press an action"
        self.changes.setToolTip(some if flags else none)

    def set_bookmarks(self, bookmarks: Sequence[Bookmark]) -> None:
        """The steps that have a name, in order."""
        self.track.bookmarks = tuple(bookmarks)
        self.track.update()

    def show_runs(self, count: int) -> None:
        """How many earlier runs are kept."""
        self.runs.setText(f"Runs ({count:,})" if count else "Runs")

    def show_step(self, step: int) -> None:
        """Where the handle stands; below zero the views are live."""
        self.track.show_step(step)
        rewound = step >= 0
        self.where.setText(f"rewound to step {step:,}" if rewound else "live · drag to rewind")
        self.branch.setEnabled(rewound)
        if not rewound and (menu := self.branch.menu()) is not None:
            menu.close()
        self.live.setEnabled(rewound)
