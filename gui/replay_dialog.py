"""Which stretch of the recorded timeline is to become an animation, and how fast it is to go by."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from gui import theme
from gui.replay import Stretch

RATES = (10, 15, 25, 30)
LONGEST = 60  # seconds
RADIUS = 7
ALIGNED = Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight


class StretchTrack(QWidget):
    """The timeline with two handles. The keyboard has the fields below it."""

    moved = Signal(int, int)

    def __init__(self, first: int, last: int) -> None:
        super().__init__()
        self.first, self.last = first, last
        self.low, self.high = first, last
        self._held = ""
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName("Stretch of the timeline")

    def sizeHint(self) -> QSize:
        return QSize(400, 28)

    def show_stretch(self, low: int, high: int) -> None:
        """Where the handles stand."""
        self.low, self.high = low, high
        self.update()

    def x_of(self, step: int) -> float:
        """Where a step is, in pixels."""
        room = self.width() - 2 * RADIUS - 2
        return RADIUS + 1 + room * (step - self.first) / max(1, self.last - self.first)

    def _step(self, x: float) -> int:
        share = (x - RADIUS - 1) / max(1, self.width() - 2 * RADIUS - 2)
        return round(self.first + min(1.0, max(0.0, share)) * (self.last - self.first))

    def paintEvent(self, event: QPaintEvent) -> None:
        t, y = theme.current(), self.height() / 2
        left, right = self.x_of(self.low), self.x_of(self.high)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(t.raised))
        painter.drawRoundedRect(QRectF(RADIUS + 1, y - 2, self.width() - 2 * RADIUS - 2, 4), 2, 2)
        painter.setBrush(QColor(t.accent))
        painter.drawRoundedRect(QRectF(left, y - 2, right - left, 4), 2, 2)
        painter.setPen(QPen(QColor(t.border), 1))
        painter.setBrush(QColor("#ffffff"))
        for x in (left, right):
            painter.drawEllipse(QPointF(x, y), RADIUS, RADIUS)
        painter.end()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        x = event.position().x()
        low, high = self.x_of(self.low), self.x_of(self.high)
        # the nearer one; where both stand together, the one that can go there
        self._held = "low" if (abs(x - low), x - low) < (abs(x - high), 0) else "high"
        self._move(x)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._held:
            self._move(event.position().x())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._held = ""

    def _move(self, x: float) -> None:
        step = self._step(x)
        if self._held == "low":
            self.moved.emit(min(step, self.high), self.high)
        else:
            self.moved.emit(self.low, max(step, self.low))


class StretchDialog(QDialog):
    """`here` is the step that is shown where the views are rewound, else below zero; `size` that of the pictures."""

    chosen = Signal(object)  # gui.replay.Stretch

    def __init__(self, span: tuple[int, int], here: int, size: QSize, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Animation of the timeline")
        self._size = size
        first, last = span
        self.track = StretchTrack(first, last)
        self.low, self.high = self._field("From step", first, last), self._field("To step", first, last)
        self.seconds = self._field("Length in seconds", 1, LONGEST)
        self.seconds.setSuffix(" s")
        self.seconds.setValue(10)
        self.rate = QComboBox()
        self.rate.setAccessibleName("Pictures a second")
        self.rate.addItems([str(rate) for rate in RATES])
        self.rate.setCurrentIndex(1)
        self.told = QLabel()
        self.told.setProperty("role", "hint")
        self.whole = self._button("Whole recording", lambda: self._choose(first, last))
        self.to_here = self._button("Beginning to here", lambda: self._choose(first, min(last, here)))
        self.to_here.setEnabled(here > first)
        self.to_here.setToolTip("" if here > first else "Rewind to a step first")
        self.cancel, self.save = QPushButton("Cancel"), QPushButton("Save…")
        self.cancel.setAutoDefault(False)
        self.save.setProperty("kind", "primary")
        self.save.setDefault(True)
        self._lay_out()
        self.track.moved.connect(self._choose)
        for field in (self.low, self.high):
            field.valueChanged.connect(lambda _: self._show())
        self.seconds.valueChanged.connect(lambda _: self._show())
        self.rate.currentIndexChanged.connect(lambda _: self._show())
        self.cancel.clicked.connect(self.reject)
        self.save.clicked.connect(self.accept)
        self.accepted.connect(lambda: self.chosen.emit(self.stretch()))
        self._choose(first, min(last, here) if here > first else last)

    def stretch(self) -> Stretch:
        """What is chosen."""
        return Stretch(self.low.value(), self.high.value(), self.seconds.value(), RATES[self.rate.currentIndex()])

    def _field(self, name: str, low: int, high: int) -> QSpinBox:
        field = QSpinBox()
        field.setRange(low, high)
        field.setGroupSeparatorShown(True)
        field.setAccessibleName(name)
        field.lineEdit().setTextMargins(8, 0, 0, 0)  # the style sheet's padding does not reach it
        return field

    def _button(self, text: str, pressed: object) -> QPushButton:
        button = QPushButton(text)
        button.setProperty("kind", "small")
        button.setAutoDefault(False)
        button.clicked.connect(pressed)
        return button

    def _lay_out(self) -> None:
        heading, what = QLabel("Animation of the timeline"), QLabel()
        heading.setProperty("role", "heading")
        what.setText("Plays the recording once more, into a file. Training goes on meanwhile.")
        what.setProperty("role", "muted")
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(12)
        grid.setColumnStretch(4, 1)
        for row, (left, first, right, second) in enumerate(
            (("From step", self.low, "to", self.high), ("Length", self.seconds, "pictures a second", self.rate))
        ):
            for column, item in enumerate((QLabel(left), first, QLabel(right), second)):
                grid.addWidget(item, row, column)
                if isinstance(item, QLabel):
                    item.setBuddy((first, second)[column // 2])
                    item.setAlignment(Qt.AlignmentFlag.AlignVCenter | ALIGNED[column // 2])
                else:
                    item.setFixedWidth(130)
        stretches, buttons = QHBoxLayout(), QHBoxLayout()
        stretches.addWidget(self.whole)
        stretches.addWidget(self.to_here)
        stretches.addStretch(1)
        buttons.addWidget(self.told, 1)
        buttons.addWidget(self.cancel)
        buttons.addWidget(self.save)
        rule = QFrame()
        rule.setProperty("role", "rule")
        outer = QVBoxLayout(self)
        outer.setContentsMargins(28, 24, 28, 20)
        outer.setSpacing(16)
        outer.addWidget(heading)
        outer.addWidget(what)
        outer.addWidget(self.track)
        outer.addLayout(stretches)
        outer.addLayout(grid)
        outer.addWidget(rule)
        outer.addLayout(buttons)
        self.setMinimumWidth(620)

    def _choose(self, low: int, high: int) -> None:
        self.low.setValue(low)
        self.high.setValue(high)
        self._show()

    def _show(self) -> None:
        stretch = self.stretch()
        self.track.show_stretch(stretch.first, max(stretch.first, stretch.last))
        fits = stretch.first < stretch.last
        self.save.setEnabled(fits)
        size = f"{self._size.width():,} × {self._size.height():,}"
        pictures = f"{len(stretch.steps()):,} pictures of {size}"
        self.told.setText(pictures if fits else "It ends before it begins: choose a later last step")
