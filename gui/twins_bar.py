"""The bar of a comparison: in what B, C and D differ from A, and how all of them do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QToolButton, QVBoxLayout, QWidget

from engine.hyperparameters import Hyperparameter, Value
from engine.messages import LabInfo
from engine.recorder import MetricHistory
from engine.views import Description
from gui import format
from gui.knobs import CalmCombo, Knob, NumberKnob, make_knob, places
from gui.plain import plain
from gui.twins_table import HEAD, LINE, Column, Figures, Letters, best_of, direction

LETTERS = "BCD"  # of the runs beside A
MOST = 3  # differences of a run: with more nobody can tell which of them did it
RATES = ("lr", "learning_rate")  # what one compares first


def others(declared: Hyperparameter, value: Value) -> list[Value]:
    """Values worth comparing with this one: ten times a rate, a tenth and three times, twice a number and half, the
    next choices."""
    if declared.kind == "flag":
        return [not value]
    if declared.kind == "choice":
        at = declared.choices.index(str(value))
        return [*declared.choices[at + 1 :], *declared.choices[:at]]
    rate = declared.log and declared.kind == "real"
    now, found = float(value), list[Value]()
    wanted = [now * factor for factor in ((10, 0.1, 10**0.5, 0.1**0.5, 100, 0.01) if rate else (2, 0.5, 4, 0.25, 8))]
    if now == 0:
        wanted = [declared.low + share * (declared.high - declared.low) for share in (0.5, 0.25, 0.75, 1.0)]
    for each in wanted:
        if declared.low <= each <= declared.high:
            place = declared.check(min(places(declared), key=lambda place, each=each: abs(place - each)))  # type: ignore[misc]
            if place not in (value, *found):
                found.append(place)
    return found or [declared.check(place) for place in places(declared) if place != value][:1]


def told(value: Value) -> str:
    """A value, short."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return format.number(value) if isinstance(value, int | float) else value


class Difference(QWidget):
    """One hyperparameter, and the value that it has in a run."""

    changed = Signal()
    refused = Signal(str)  # why what was typed is no value

    def __init__(self, declared: Mapping[str, Hyperparameter], name: str, value: Value) -> None:
        super().__init__()
        self._declared, self.values = declared, dict[str, Value]()
        self.names = CalmCombo()
        self.names.setAccessibleName("What differs")
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
            self._show(name, next(iter(others(self._declared[name], self.values[name])), self.values[name]))
            self.changed.emit()

    def _show(self, name: str, value: Value) -> None:
        if self.knob is not None:
            self._row.removeWidget(self.knob)
            self.knob.hide()
            self.knob.deleteLater()
        self.names.setCurrentIndex(self.names.findData(name))
        self.names.setToolTip(plain(self._declared[name].label))
        knob = self.knob = make_knob(self._declared[name])
        knob.label.hide()  # the combo box says it
        knob.setFixedWidth({"flag": 36}.get(knob.declared.kind, 104))
        if isinstance(knob, NumberKnob):  # a row is as low as its field
            knob.slider.hide()
            knob.error.setFixedHeight(0)
            knob.field.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
            knob.field.returnPressed.connect(lambda: self._refuse(knob))
            knob.setFocusProxy(knob.field)
            knob.field.setAccessibleName(knob.declared.label)
        knob.show_value(value)
        knob.changed.connect(lambda *_: self.changed.emit())
        self._row.addWidget(knob)

    def _refuse(self, knob: NumberKnob) -> None:
        if not knob.error.isHidden():
            self.refused.emit(f"{knob.declared.label}: {knob.error.text()}")


class Beside(QWidget):
    """What one of the runs beside A has otherwise, and the buttons that change how much that is."""

    changed = Signal()
    refused = Signal(str)
    dropped = Signal()

    def __init__(self, declared: Mapping[str, Hyperparameter]) -> None:
        super().__init__()
        self.setProperty("role", "low")
        self._declared, self.rows = declared, list[Difference]()
        self.values: dict[str, Value] = {}  # A's
        self.add = _button("+", "Another difference", self._add)
        self.remove = _button("−", "One difference less", self._remove)
        self.drop = _button("×", "Compare without this run", self.dropped.emit)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(12)
        buttons = QHBoxLayout()
        buttons.setSpacing(1)
        for button in (self.add, self.remove, self.drop):
            buttons.addWidget(button)
        self._row.addLayout(buttons)
        self._row.addStretch(1)

    def differences(self) -> dict[str, Value]:
        """What it has otherwise than A."""
        return {row.name: row.knob.value for row in self.rows if row.knob is not None}

    def show_letter(self, letter: str) -> None:
        """Name the controls, for those who cannot see in which row they stand."""
        for button in (self.add, self.remove, self.drop):
            button.setAccessibleName(f"{letter}: {button.toolTip()}")
        for row in self.rows:
            row.names.setAccessibleName(f"What differs in {letter}")

    def know(self, values: Mapping[str, Value]) -> None:
        """What A has now."""
        self.values = dict(values)
        for row in self.rows:
            row.values = self.values

    def put(self, name: str, value: Value) -> None:
        """One more difference."""
        row = Difference(self._declared, name, value)
        row.values = self.values
        row.changed.connect(self.changed)
        row.refused.connect(self.refused)
        self._row.insertWidget(len(self.rows), row)
        self.rows.append(row)
        self._show_buttons()

    def _add(self) -> None:
        name = next(name for name in self._declared if name not in self.differences())
        self.put(name, next(iter(others(self._declared[name], self.values[name])), self.values[name]))
        self.changed.emit()

    def _remove(self) -> None:
        row = self.rows.pop()
        self._row.removeWidget(row)
        row.hide()
        row.deleteLater()
        self._show_buttons()
        self.changed.emit()

    def _show_buttons(self) -> None:
        self.add.setEnabled(len(self.rows) < min(MOST, len(self._declared)))
        self.remove.setEnabled(len(self.rows) > 1)


class TwinsBar(QFrame):
    """“B is like A, but learning rate 0.3”, a line for each run, and the table of all of them."""

    changed = Signal()  # what differs, or how many there are: all start again
    refused = Signal(str)  # why what was typed is no value
    dropped = Signal(int)  # the number of a run beside A that is compared no longer
    closed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "bar")
        self.setProperty("edge", "bottom")
        self.runs: list[Beside] = []
        self._info: LabInfo | None = None
        self._values: dict[str, Value] = {}
        self._declared: dict[str, Hyperparameter] = {}
        self.figures = Figures()
        self.more = QPushButton("Add C")
        self.more.setToolTip("Compare with one more run, up to four: all start again from step 0")
        self.more.clicked.connect(self._add_run)
        self.close_button = QPushButton("Close")
        self.close_button.setToolTip("End the comparison; A goes on (T)")
        self.close_button.setAccessibleName("End the comparison")
        self.close_button.clicked.connect(self.closed)
        first = QLabel("as set at the left")
        first.setProperty("role", "muted")
        self._lines = QVBoxLayout()
        self._lines.setSpacing(0)
        self._lines.addSpacing(HEAD)
        self._lines.addWidget(first)
        first.setFixedHeight(LINE)
        buttons = QVBoxLayout()
        buttons.setSpacing(4)
        buttons.addWidget(self.more)
        buttons.addWidget(self.close_button)
        buttons.addStretch(1)
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 4, 12, 5)
        row.setSpacing(12)
        self._names = Letters()
        row.addWidget(self._names)
        row.addLayout(self._lines)
        row.addSpacing(4)
        row.addWidget(self.figures, 1)
        row.addLayout(buttons)

    @property
    def letters(self) -> str:
        """Of the runs beside A."""
        return LETTERS[: len(self.runs)]

    def build(self, info: LabInfo, values: Mapping[str, Value]) -> None:
        """Begin a comparison with a run that has these values."""
        while self.runs:
            self._take(self.runs[-1])
        self._info, self._values = info, dict(values)
        self._declared = {name: known for name, known in info.hyperparameters.items() if not known.view}
        self._put()

    def differences(self) -> list[dict[str, Value]]:
        """What each has otherwise than A."""
        return [run.differences() for run in self.runs]

    def put(self, differences: Sequence[Mapping[str, Value]], values: Mapping[str, Value]) -> None:
        """Show the runs of a comparison that is brought back, in place of those that are shown."""
        while self.runs:
            self._take(self.runs[-1])
        self._values = dict(values)
        for its in differences:
            self._put(its)

    def show_figures(self, values: Mapping[str, Value], histories: Sequence[MetricHistory | None], step: int) -> None:
        """Bring the table up to date, A first: the metrics at `step`, below zero the last ones."""
        self._values = dict(values)
        for run in self.runs:
            run.know(values)
        apart = self.differences()
        columns = []
        for name in dict.fromkeys(name for differences in apart for name in differences):
            texts = [told(its.get(name, values[name])) for its in ({}, *apart)]
            columns.append(Column(self._declared[name].label, tuple(texts)))
        for view, name in self._metrics():
            readings = [_reading(history, name, step) for history in histories]
            texts = [_as_text(value, view.percent) for value in readings]  # type: ignore[attr-defined]
            columns.append(Column(name, tuple(texts), True, best_of(readings, texts, direction(view, name))))
        self.figures.show_columns(columns)

    def _metrics(self) -> list[tuple[Description, str]]:
        """Those on the curves, with the view that they are in."""
        views = self._info.views.values() if self._info else ()
        shown = {name: view for view in views if view.kind == "curves" for name in view.metrics}  # type: ignore[attr-defined]
        return [(view, name) for name, view in shown.items()]

    # ------------------------------------------------------------------ the runs beside A

    def _put(self, differences: Mapping[str, Value] | None = None) -> None:
        """One more run, with these differences from A."""
        run = Beside(self._declared)
        run.setFixedHeight(LINE)
        run.know(self._values)
        for name, value in (differences or dict([self._first()])).items():
            run.put(name, value)
        run.changed.connect(self.changed)
        run.refused.connect(self.refused)
        run.dropped.connect(lambda: self._drop_run(run))
        self.runs.append(run)
        self._lines.addWidget(run)
        self._show_runs()

    def _first(self) -> tuple[str, Value]:
        """What the next run differs in at first: the same as those before it where that has one more value worth
        comparing, so that one sees a row of them."""
        taken = [(name, value) for its in self.differences() for name, value in its.items()]
        rates = [name for name in RATES if name in self._declared]
        for name in dict.fromkeys([*(name for name, _ in taken), *rates, *self._declared]):
            for value in others(self._declared[name], self._values[name]):
                if (name, value) not in taken:
                    return name, value
        name = next(iter(self._declared))
        return name, self._values[name]

    def _take(self, run: Beside) -> None:
        self.runs.remove(run)
        self._lines.removeWidget(run)
        run.hide()
        run.deleteLater()
        self._show_runs()

    def _add_run(self) -> None:
        self._put()
        self.changed.emit()

    def _drop_run(self, run: Beside) -> None:
        place = self.runs.index(run)
        self._take(run)
        self.dropped.emit(place)

    def _show_runs(self) -> None:
        for letter, run in zip(self.letters, self.runs, strict=True):
            run.show_letter(letter)
            run.drop.setVisible(len(self.runs) > 1)
        self.more.setVisible(len(self.runs) < len(LETTERS))
        self.more.setText(f"Add {LETTERS[len(self.runs) : len(self.runs) + 1]}")
        self._names.show_runs(1 + len(self.runs))
        self.setFixedHeight(HEAD + LINE * (1 + len(self.runs)) + 9)


def _button(text: str, tip: str, pressed: Callable[[], object]) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    button.setFixedSize(22, LINE - 2)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    button.clicked.connect(lambda: pressed())
    return button


def _reading(history: MetricHistory | None, name: str, step: int) -> float | None:
    last = history.last(name) if history is not None else None
    return history.at(name, step) if history is not None and step >= 0 else last[1] if last else None


def _as_text(value: float | None, percent: bool) -> str:
    return "–" if value is None else format.percent(value) if percent else format.number(value)
