"""The ways to branch: from the step that is shown as it was, or with a larger or smaller learning rate."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu

from engine.hyperparameters import Value
from gui import format
from gui.flags import Flags
from gui.rewinding import Rewinding
from gui.runs import Runs
from gui.timeline import Timeline

FACTORS = (10.0, 0.1)
RATES = ("learning_rate", "lr")


class Branching(QObject):
    """Fills the menu of the timeline's Branch button whenever it opens."""

    def __init__(self, runs: Runs, flags: Flags, rewinding: Rewinding, timeline: Timeline, parent: QObject) -> None:
        super().__init__(parent)
        self._runs, self._flags, self._rewinding = runs, flags, rewinding
        self.menu = QMenu(timeline)  # not of the button: with that disabled, an open menu would hear no key any more
        self.menu.aboutToShow.connect(self._fill)
        timeline.branch.setMenu(self.menu)

    def _fill(self) -> None:
        self.menu.clear()
        key = QKeySequence("Ctrl+B").toString(QKeySequence.SequenceFormat.NativeText)
        self._offer(f"From here, as it was\t{key}", {})  # the key is the workbench's: a second shortcut is ambiguous
        info = self._runs.info
        name = next((each for each in RATES if info is not None and each in info.hyperparameters), "")
        if info is None or not name or info.hyperparameters[name].rebuilds:
            return
        declared, rate = info.hyperparameters[name], float(self.value_then(name))
        for factor in FACTORS:
            value = declared.check(min(max(rate * factor, declared.low), declared.high))
            if value != rate:
                sign = "× 10" if factor > 1 else "÷ 10"
                text = f"From here with learning rate {sign}: {format.number(float(value))}"
                self._offer(text, {name: value})

    def _offer(self, text: str, values: Mapping[str, Value]) -> QAction:
        action = self.menu.addAction(text)
        action.triggered.connect(lambda: self._rewinding.branch(values))
        return action

    def value_then(self, name: str) -> Value:
        """What a hyperparameter was at the step that is shown: what the first change after it replaced."""
        for mark in self._flags.marks:
            if mark.kind == "set" and mark.name == name and mark.step > self._rewinding.step:
                return mark.old
        return self._runs.values()[name]
