"""Knobs: one small form field per hyperparameter, made from its declaration.

A number is a slider with its value at the right, to click and type; a choice is a combo box, a flag a switch. A slider
walks through the values that a person would choose (1, 2, 5 …, or powers of two), and anything else can be typed.
"""

from __future__ import annotations

import math

from PySide6.QtCore import QEvent, QPointF, QRectF, QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import (
    QAction,
    QColor,
    QContextMenuEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QWheelEvent,
)
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QSlider,
    QStyle,
    QStyleOptionComboBox,
    QVBoxLayout,
    QWidget,
)

from engine.hyperparameters import Hyperparameter, HyperparameterError, Value
from gui import format, theme
from gui.plain import wrapped

MANTISSAS = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8)
ROOM = 202  # pixels beside the label of a choice
PLACES = 200  # about as many places as a slider has pixels


def _nice(step: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is not below `step`."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(m * power for m in (1.0, 2.0, 5.0, 10.0) if m * power >= step * (1 - 1e-9))


def places(declared: Hyperparameter) -> tuple[float, ...]:
    """The values that a slider can stand at, ascending: limits and default are always among them."""
    low, high, default = declared.low, declared.high, float(declared.default)
    whole = declared.kind == "integer"
    values = {low, high, default}
    if declared.log and low > 0:
        if whole:
            values |= {float(m * 2**k) for k in range(40) for m in (1, 3) if low <= m * 2**k <= high}
        else:
            powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
            values |= {float(f"{m}e{p}") for p in powers for m in MANTISSAS if low <= float(f"{m}e{p}") <= high}
    elif high > low:
        step = _nice((high - low) / PLACES)
        step = max(1.0, step) if whole else step
        digits = max(0, -math.floor(math.log10(step)))
        first = math.ceil(low / step - 1e-9)
        values |= {round(k * step, digits) for k in range(first, math.floor(high / step + 1e-9) + 1)}
    return tuple(sorted(value for value in values if low <= value <= high))


def titled(choice: str) -> str:
    """A choice as a combo box shows it: a word begins with a capital, a name such as ReLU or float32 stays as it is."""
    word = choice.islower() and not any(letter.isdigit() or letter == "_" for letter in choice)
    return choice[:1].upper() + choice[1:] if word else choice


class Switch(QCheckBox):
    """A check box that looks like a switch."""

    def sizeHint(self) -> QSize:
        return QSize(32, 18)

    def hitButton(self, pos: object) -> bool:
        return True

    def paintEvent(self, event: QPaintEvent) -> None:
        t = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        groove = QRectF(1, (self.height() - 16) / 2, 30, 16)
        painter.setPen(QPen(QColor(t.link), 1.5) if self.hasFocus() else QPen(QColor(t.border), 1))
        painter.setBrush(QColor(t.accent if self.isChecked() else t.hover))
        painter.drawRoundedRect(groove, 8, 8)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor("#ffffff"))
        painter.drawEllipse(
            QPointF(groove.right() - 8 if self.isChecked() else groove.left() + 8, groove.center().y()), 5.5, 5.5
        )
        painter.end()


class CalmCombo(QComboBox):
    """A combo box that the wheel does not change in passing, and that a click does not leave focused."""

    def __init__(self) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)

    def paintEvent(self, event: QPaintEvent) -> None:
        """As ever, but for a text that is too long: it ends in … rather than within a letter."""
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        style = self.style()
        field = style.subControlRect(
            QStyle.ComplexControl.CC_ComboBox, option, QStyle.SubControl.SC_ComboBoxEditField, self
        )
        option.currentText = self.fontMetrics().elidedText(
            self.currentText() or self.placeholderText(), Qt.TextElideMode.ElideRight, field.width() - 2
        )
        painter = QPainter(self)
        style.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option, painter, self)
        style.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option, painter, self)
        painter.end()

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()


class CalmSlider(QSlider):
    """A slider that jumps to where it is clicked; the wheel scrolls the panel, and a double click is passed on."""

    double_clicked = Signal()

    def __init__(self) -> None:
        super().__init__(Qt.Orientation.Horizontal)

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.setSliderDown(True)
            self._follow(event)
            event.accept()
        else:
            super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self.isSliderDown():
            self._follow(event)
        else:
            super().mouseMoveEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.setSliderDown(False)
        super().mouseReleaseEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.setSliderDown(False)
        self.double_clicked.emit()

    def _follow(self, event: QMouseEvent) -> None:
        knob = 14
        share = (event.position().x() - knob / 2) / max(1, self.width() - knob)
        self.setValue(round(self.minimum() + min(max(share, 0.0), 1.0) * (self.maximum() - self.minimum())))


class ValueField(QLineEdit):
    """A number that looks like text until it is clicked."""

    left = Signal()  # the viewer went away, or pressed Escape

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "value")
        self.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setFixedWidth(96)
        self.setTextMargins(0, 0, -4, 0)  # flush with the slider below

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.KeyPress and event.key() == Qt.Key.Key_Escape:  # type: ignore[attr-defined]
            self.left.emit()
            self.clearFocus()
            return True
        if event.type() == QEvent.Type.ShortcutOverride and not self.isModified():
            standard = QKeySequence.StandardKey
            if event.matches(standard.Undo) or event.matches(standard.Redo):  # type: ignore[attr-defined]
                return True  # nothing was typed: the window undoes its last change
        done = super().event(event)
        if event.type() == QEvent.Type.FocusOut:
            self.left.emit()
        return done

    def mousePressEvent(self, event: QMouseEvent) -> None:
        fresh = not self.hasFocus()
        super().mousePressEvent(event)
        if fresh:
            self.selectAll()


class Knob(QWidget):
    """One hyperparameter. `changed` is emitted for what the viewer does, never for `show_value`."""

    changed = Signal(str, object)

    def __init__(self, declared: Hyperparameter) -> None:
        super().__init__()
        self.declared = declared
        self.value: Value = declared.default
        self.replaced = ""  # the name of what stands in the place of the value
        self.label = QLabel(declared.label)
        self.setToolTip(wrapped(declared.help))
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(0)

    def show_value(self, value: Value) -> None:
        """Show a value, without telling anybody."""
        self.value, self.replaced = value, ""
        self.display()

    def show_replaced(self, name: str) -> None:
        """Show what the viewer made in the place of the value; each of the values can be chosen again."""
        self.value = self.replaced = name

    def display(self) -> None:
        """Bring the fields to `self.value`."""

    def choose(self, value: Value) -> None:
        """Take what the viewer chose."""
        if value != self.value:
            self.show_value(value)
            self.changed.emit(self.declared.name, value)

    def reset(self) -> None:
        """Go to the default."""
        self.choose(self.declared.default)

    def name_field(self, field: QWidget) -> None:
        """Give the part that is operated its name for those who cannot see the label."""
        field.setAccessibleName(self.declared.label)
        field.setAccessibleDescription(self.declared.help)
        self.setFocusProxy(field)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = QMenu(self)
        default = self.declared.default
        shown = (
            format.number(default) if isinstance(default, int | float) and not isinstance(default, bool) else default
        )
        action = QAction(f"Reset to {shown}", menu)
        action.setEnabled(self.value != default)
        action.triggered.connect(self.reset)
        menu.addAction(action)
        menu.exec(event.globalPos())
        menu.deleteLater()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.reset()


class NumberKnob(Knob):
    """Label left, value right, a slim slider under them."""

    def __init__(self, declared: Hyperparameter) -> None:
        super().__init__(declared)
        self.places = places(declared)
        self.field = ValueField()
        self.slider = CalmSlider()
        self.slider.setRange(0, len(self.places) - 1)
        self.slider.setPageStep(max(1, len(self.places) // 10))
        self.error = QLabel()
        self.error.setProperty("role", "bad")
        self.error.setWordWrap(True)
        self.error.hide()
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.label, 1)
        row.addWidget(self.field)
        self.column.addLayout(row)
        self.column.addWidget(self.slider)
        self.column.addWidget(self.error)
        self.name_field(self.slider)
        self.field.setAccessibleName(f"{declared.label}, value")
        self.slider.valueChanged.connect(self._slid)
        self.slider.double_clicked.connect(self.reset)
        self.field.returnPressed.connect(self._typed)
        self.field.left.connect(self._restore)
        self.field.textEdited.connect(self.error.hide)
        self.display()

    def display(self) -> None:
        value = float(self.value)
        with QSignalBlocker(self.slider):
            self.slider.setValue(min(range(len(self.places)), key=lambda i: abs(self.places[i] - value)))
        text = format.number(value)
        self.field.setText(f"{text} {self.declared.unit}" if self.declared.unit else text)
        self.error.hide()

    def _slid(self, index: int) -> None:
        self.choose(self.declared.check(self.places[index]))

    def _typed(self) -> None:
        text = self.field.text().removesuffix(self.declared.unit).replace(",", "").replace("−", "-").strip()
        try:
            value = self.declared.parse(text)
        except HyperparameterError:
            typed = self.field.text()
            self.display()
            unit = f" {self.declared.unit}" if self.declared.unit else ""
            self.error.setText(f"“{typed}” is not {self.declared.allowed}{unit}")
            self.error.show()
            self.field.selectAll()
            return
        self.choose(value)
        self.display()
        self.field.selectAll()

    def _restore(self) -> None:
        """Leaving without Enter keeps the former value; the complaint about a wrong one stays to be read."""
        complaint = self.error.isVisible()
        self.display()
        self.error.setVisible(complaint)


class ChoiceKnob(Knob):
    """Label left, combo box right."""

    def __init__(self, declared: Hyperparameter) -> None:
        super().__init__(declared)
        self.combo = CalmCombo()
        for choice in declared.choices:
            self.combo.addItem(titled(choice), choice)
        row = QHBoxLayout()
        row.setContentsMargins(0, 2, 0, 2)
        row.setSpacing(12)
        row.addWidget(self.label)
        row.addWidget(self.combo, 1)
        metrics = self.combo.fontMetrics()  # a long choice takes what a short label leaves
        wanted = max(map(metrics.horizontalAdvance, map(titled, declared.choices)), default=0) + 46
        self.combo.setMaximumWidth(max(132, min(wanted, ROOM - self.label.sizeHint().width())))
        self.column.addLayout(row)
        self.name_field(self.combo)
        self.combo.activated.connect(lambda index: self.choose(declared.choices[index]))
        self.display()

    def display(self) -> None:
        self.combo.setCurrentIndex(self.declared.choices.index(str(self.value)))

    def show_replaced(self, name: str) -> None:
        super().show_replaced(name)
        self.combo.setPlaceholderText(titled(name))
        self.combo.setCurrentIndex(-1)


class FlagKnob(Knob):
    """Label left, switch right."""

    def __init__(self, declared: Hyperparameter) -> None:
        super().__init__(declared)
        self.switch = Switch()
        row = QHBoxLayout()
        row.setContentsMargins(0, 2, 0, 2)
        row.addWidget(self.label, 1)
        row.addWidget(self.switch)
        self.column.addLayout(row)
        self.name_field(self.switch)
        self.switch.toggled.connect(self.choose)
        self.display()

    def display(self) -> None:
        with QSignalBlocker(self.switch):
            self.switch.setChecked(bool(self.value))
        self.switch.update()


def make_knob(declared: Hyperparameter) -> Knob:
    """The knob for a declaration."""
    match declared.kind:
        case "choice":
            return ChoiceKnob(declared)
        case "flag":
            return FlagKnob(declared)
        case _:
            return NumberKnob(declared)
