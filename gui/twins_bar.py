"""The bar of a comparison: in what B differs from A, and how both do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from PySide6.QtCore import QPointF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from engine.hyperparameters import Hyperparameter, Value
from engine.messages import LabInfo
from engine.recorder import MetricHistory
from gui import format, theme
from gui.knobs import CalmCombo, Knob, make_knob, places
from gui.views.parts import small

MOST = 3  # differences: with more nobody can tell which of them did it
RATES = ("lr", "learning_rate")  # what one compares first
GAP = 16  # pixels between two columns
SAMPLE = 40  # pixels that a letter and a piece of its line take


def other(declared: Hyperparameter, value: Value) -> Value:
    """A value worth comparing with this one: ten times a rate, twice a number, the next choice."""
    if declared.kind == "flag":
        return not value
    if declared.kind == "choice":
        choices = declared.choices
        return choices[(choices.index(str(value)) + 1) % len(choices)]
    factor = 10.0 if declared.log and declared.kind == "real" else 2.0
    now = float(value)
    wanted = now * factor if now * factor <= declared.high else now / factor
    if now == 0:
        wanted = (declared.low + declared.high) / 2
    standing = [place for place in places(declared) if place != value]
    return declared.check(min(standing, key=lambda place: abs(place - wanted), default=now))


def told(value: Value) -> str:
    """A value, short."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return format.number(value) if isinstance(value, int | float) else value


class Difference(QWidget):
    """One hyperparameter, and the value that it has in B."""

    changed = Signal()

    def __init__(self, declared: Mapping[str, Hyperparameter], name: str, value: Value) -> None:
        super().__init__()
        self._declared, self.values = declared, dict[str, Value]()
        self.names = CalmCombo()
        self.names.setAccessibleName("What differs in B")
        for each, known in declared.items():
            self.names.addItem(known.label, each)
        self.names.setFixedWidth(128)
        self.knob: Knob | None = None
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(8)
        self._row.addWidget(self.names)
        self.names.activated.connect(self._choose)
        self._show(name, value)

    @property
    def name(self) -> str:
        """Of the hyperparameter."""
        return str(self.names.currentData())

    def _choose(self, index: int) -> None:
        name = str(self.names.itemData(index))
        assert self.knob is not None
        if name != self.knob.declared.name:
            self._show(name, other(self._declared[name], self.values[name]))
            self.changed.emit()

    def _show(self, name: str, value: Value) -> None:
        if self.knob is not None:
            self._row.removeWidget(self.knob)
            self.knob.hide()
            self.knob.deleteLater()
        self.names.setCurrentIndex(self.names.findData(name))
        self.names.setToolTip(self._declared[name].label)
        knob = self.knob = make_knob(self._declared[name])
        knob.label.hide()  # the combo box says it
        knob.setFixedWidth({"flag": 36}.get(knob.declared.kind, 104))
        knob.show_value(value)
        knob.changed.connect(lambda *_: self.changed.emit())
        self._row.addWidget(knob)


class Column(NamedTuple):
    """Of the table: what it is of, and what A and B have there."""

    title: str
    a: str
    b: str
    metric: bool


class Figures(QWidget):
    """Two rows, A and B: what differs and the metrics, as many columns as there is room for."""

    def __init__(self) -> None:
        super().__init__()
        self.columns: list[Column] = []
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("A and B")
        theme.holder.changed.connect(self.update)

    def show_columns(self, columns: list[Column]) -> None:
        """Show these."""
        if columns != self.columns:
            self.columns = columns
            text = "; ".join(f"{column.title}: A {column.a}, B {column.b}" for column in columns)
            self.setAccessibleDescription(text)
            self.setToolTip(text.replace("; ", "\n"))
            self.update()

    def minimumSizeHint(self) -> QSize:
        return QSize(SAMPLE + 60, 48)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(small(self.font()))
        look, metrics = theme.current(), QFontMetricsF(painter.font())
        line = metrics.height() + 1
        top = (self.height() - 3 * line) / 2 + metrics.ascent()
        for row, letter in enumerate("AB", 1):
            y = top + row * line
            painter.setPen(QColor(look.text))
            painter.drawText(QPointF(0, y), letter)
            style = Qt.PenStyle.DashLine if letter == "B" else Qt.PenStyle.SolidLine
            painter.setPen(QPen(QColor(look.text), 1.6, style))
            middle = y - metrics.capHeight() / 2
            painter.drawLine(QPointF(13, middle), QPointF(SAMPLE - 8, middle))
        left = float(SAMPLE)
        for column, wide in self._shown(metrics):
            painter.setPen(QColor(look.muted))
            painter.drawText(QPointF(left, top), column.title)
            painter.setPen(QColor(look.text))
            for row, text in enumerate((column.a, column.b), 1):
                painter.drawText(QPointF(left, top + row * line), text)
            left += wide + GAP
        painter.end()

    def _shown(self, metrics: QFontMetricsF) -> list[tuple[Column, float]]:
        """The columns that there is room for, with their widths: where it is narrow the metrics alone, as form and bar
        tell what differs."""
        widths = [
            (column, max(metrics.horizontalAdvance(text) for text in (column.title, column.a, column.b, "00.0 %")))
            for column in self.columns
        ]
        room = self.width() - SAMPLE + GAP
        if sum(wide + GAP for _, wide in widths) > room:
            widths = [(column, wide) for column, wide in widths if column.metric]
        while widths and sum(wide + GAP for _, wide in widths) > room:
            widths.pop()
        return widths


class TwinsBar(QFrame):
    """“B is like A, but learning rate = 0.02”, and the table of both."""

    changed = Signal()  # what differs
    closed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "bar")
        self.setProperty("edge", "bottom")
        self.rows: list[Difference] = []
        self._info: LabInfo | None = None
        self._values: dict[str, Value] = {}
        self._declared: dict[str, Hyperparameter] = {}
        self.add = self._button("+", "Another difference", self._add)
        self.remove = self._button("−", "One difference less", self._remove)
        self.figures = Figures()
        self.close_button = QPushButton("Close")
        self.close_button.setToolTip("End the comparison; A goes on (T)")
        self.close_button.setAccessibleName("End the comparison")
        self.close_button.clicked.connect(self.closed)
        self._differences = QHBoxLayout()
        self._differences.setSpacing(16)
        buttons = QVBoxLayout()
        buttons.setSpacing(2)
        buttons.addStretch(1)
        buttons.addWidget(self.add)
        buttons.addWidget(self.remove)
        buttons.addStretch(1)
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 4, 12, 4)
        row.setSpacing(12)
        row.addWidget(QLabel("B is like A, but"))
        row.addLayout(self._differences)
        row.addLayout(buttons)
        row.addSpacing(4)
        row.addWidget(self.figures, 1)
        row.addWidget(self.close_button)
        self.setMinimumHeight(62)

    def _button(self, text: str, tip: str, pressed: object) -> QToolButton:
        button = QToolButton()
        button.setText(text)
        button.setToolTip(tip)
        button.setAccessibleName(tip)
        button.setFixedSize(22, 22)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.clicked.connect(pressed)
        return button

    def build(self, info: LabInfo, values: Mapping[str, Value]) -> None:
        """Begin a comparison with a run that has these values."""
        while self.rows:
            self._drop()
        self._info, self._values = info, dict(values)
        self._declared = {name: known for name, known in info.hyperparameters.items() if not known.view}
        first = next((name for name in RATES if name in self._declared), next(iter(self._declared)))
        self._put(first)

    def differences(self) -> dict[str, Value]:
        """What B has otherwise than A."""
        return {row.name: row.knob.value for row in self.rows if row.knob is not None}

    def show_figures(
        self, values: Mapping[str, Value], ours: MetricHistory, theirs: MetricHistory | None, step: int
    ) -> None:
        """Bring the table up to date: the metrics at `step`, below zero the last ones."""
        self._values = dict(values)
        for row in self.rows:
            row.values = self._values
        columns = [
            Column(self._declared[name].label, told(values[name]), told(b), False)
            for name, b in self.differences().items()
        ]
        for name, percent in self._metrics().items():
            a, b = (_reading(history, name, step, percent) for history in (ours, theirs))
            columns.append(Column(name, a, b, True))
        self.figures.show_columns(columns)

    def _metrics(self) -> dict[str, bool]:
        """Those on the curves, and whether they are shares."""
        views = self._info.views.values() if self._info else ()
        return {
            name: view.percent  # type: ignore[attr-defined]
            for view in views
            if view.kind == "curves"
            for name in view.metrics  # type: ignore[attr-defined]
        }

    # ------------------------------------------------------------------ what differs

    def _put(self, name: str) -> None:
        row = Difference(self._declared, name, other(self._declared[name], self._values[name]))
        row.values = self._values
        row.changed.connect(self.changed)
        self.rows.append(row)
        self._differences.addWidget(row)
        self._show_buttons()

    def _drop(self) -> None:
        row = self.rows.pop()
        self._differences.removeWidget(row)
        row.hide()
        row.deleteLater()
        self._show_buttons()

    def _add(self) -> None:
        self._put(next(name for name in self._declared if name not in self.differences()))
        self.changed.emit()

    def _remove(self) -> None:
        self._drop()
        self.changed.emit()

    def _show_buttons(self) -> None:
        self.add.setEnabled(len(self.rows) < min(MOST, len(self._declared)))
        self.remove.setEnabled(len(self.rows) > 1)


def _reading(history: MetricHistory | None, name: str, step: int, percent: bool) -> str:
    last = history.last(name) if history is not None else None
    value = history.at(name, step) if history is not None and step >= 0 else last[1] if last else None
    if value is None:
        return "–"
    return format.percent(value) if percent else format.number(value)
