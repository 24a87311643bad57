"""The timeline: how far the run has come, what was changed on the way, and a handle to scrub back with."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QToolTip, QWidget

from gui import icons, theme
from gui.plain import plain

PARTS = 200  # an arrow key moves so many-th of the run


class TimelineTrack(QWidget):
    """The line itself."""

    scrubbed = Signal(int)  # the step to show

    def __init__(self) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Timeline")
        self.setAccessibleDescription("Scrub back through the training: arrow keys, Home; End returns to live")
        self.first, self.last, self.shown = 0, 0, -1  # shown < 0: live
        self.flags: list[tuple[int, str]] = []
        theme.holder.changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(400, 24)

    def show_span(self, first: int, last: int) -> None:
        """From which step to which there is something to see."""
        if (first, last) != (self.first, self.last):
            self.first, self.last = first, last
            self.update()

    def show_step(self, step: int) -> None:
        """Where the handle stands; below zero it is live, at the end."""
        if step != self.shown:
            self.shown = step
            self.update()

    def _line(self) -> QRectF:
        return QRectF(8, self.height() / 2 - 2, max(1, self.width() - 16), 4)

    def _x(self, step: float) -> float:
        line = self._line()
        share = (step - self.first) / max(1, self.last - self.first)
        return line.left() + line.width() * min(1.0, max(0.0, share))

    def _step(self, x: float) -> int:
        line = self._line()
        share = min(1.0, max(0.0, (x - line.left()) / line.width()))
        return round(self.first + share * (self.last - self.first))

    def paintEvent(self, event: QPaintEvent) -> None:
        t, line = theme.current(), self._line()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(t.raised))
        painter.drawRoundedRect(line, 2, 2)
        live = self.shown < 0
        x = line.right() if live else self._x(self.shown)
        if self.last > self.first:
            painter.setBrush(QColor(t.accent))
            painter.drawRoundedRect(QRectF(line.left(), line.top(), x - line.left(), line.height()), 2, 2)
        painter.setBrush(QColor(t.warning))
        for step, _ in self.flags:
            painter.drawRoundedRect(QRectF(self._x(step) - 1, line.top() - 5, 2, 14), 1, 1)
        if self.last > self.first:
            painter.setPen(QPen(QColor(t.accent if self.hasFocus() else t.border), 2 if self.hasFocus() else 1))
            painter.setBrush(QColor("#ffffff"))
            painter.drawEllipse(QPointF(x, line.center().y()), 7, 7)
        painter.end()

    def _scrub(self, x: float) -> None:
        if self.last > self.first:
            self.scrubbed.emit(self._step(x))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._scrub(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        x = event.position().x()
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._scrub(x)
        near = [text for step, text in self.flags if abs(self._x(step) - x) < 5]
        said = "\n".join([f"step {self._step(x):,}", *near]) if self.last > self.first else ""
        QToolTip.showText(event.globalPosition().toPoint(), plain(said), self)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        at = self.last if self.shown < 0 else self.shown
        stride = max(1, (self.last - self.first) // PARTS)
        keys = {
            Qt.Key.Key_Left: at - stride,
            Qt.Key.Key_Right: at + stride,
            Qt.Key.Key_PageUp: at - 10 * stride,
            Qt.Key.Key_PageDown: at + 10 * stride,
            Qt.Key.Key_Home: self.first,
            Qt.Key.Key_End: self.last,
        }
        if event.key() in keys and self.last > self.first:
            self.scrubbed.emit(min(self.last, max(self.first, keys[Qt.Key(event.key())])))
        else:
            super().keyPressEvent(event)


class Timeline(QWidget):
    """The track, what it says, and the ways back: to live, or into a branch."""

    scrubbed = Signal(int)
    live_pressed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "bar")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.track = TimelineTrack()
        self.where = QLabel()
        self.where.setProperty("role", "hint")
        self.where.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.runs = self._button("Runs", "The earlier runs of this lab: pin their curves, or go back to one (H)")
        self.changes = self._button("Changes", "")
        self.branch = self._button("Branch", "Train on from the step that is shown, beside the curves so far (Ctrl+B)")
        self.live = self._button("Live", "Back to the present step (Ctrl+L)")
        self.track.scrubbed.connect(self.scrubbed)
        self.live.clicked.connect(self.live_pressed)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 4, 16, 0)
        row.setSpacing(8)
        row.addWidget(self.track, 1)
        row.addWidget(self.where)
        row.addWidget(self.runs)
        row.addWidget(self.changes)
        row.addWidget(self.branch)
        row.addWidget(self.live)
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
