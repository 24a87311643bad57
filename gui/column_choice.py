"""Which columns of a table are learnt from: two inputs, what is predicted, and whether that is a class or a value."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from engine.data.columns import Columns, Task, task_of
from engine.data.errors import DataError
from engine.data.tables import Table
from gui.knobs import CalmCombo
from gui.plain import plain

AS_CLASS, AS_VALUE = "classes", "values"


class ColumnChoice(QWidget):
    """`columns` is what is chosen; `task` what can be learnt from it, None where it does not fit, for `problem`."""

    changed = Signal()

    def __init__(self, table: Table, wanted: Columns) -> None:
        super().__init__()
        self._table = table
        self.task: Task | None = None
        self.problem = ""
        self.first, self.second = self._combo("First input, x₁"), self._combo("Second input, x₂")
        self.target, self.as_what = self._combo("What is predicted"), self._combo("Predicted as classes or values")
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(4)
        boxes = (("Input x₁", self.first), ("Input x₂", self.second), ("Predict", self.target), ("As", self.as_what))
        for place, (text, box) in enumerate(boxes):
            label = QLabel(text)
            label.setBuddy(box)
            grid.addWidget(label, 0, place)
            grid.addWidget(box, 1, place)
            grid.setColumnStretch(place, 2 if place < 3 else 1)
        for box in (self.first, self.second):
            self._fill(box, [column for column in table.columns if column in table.numbers])
        self._fill(self.target, list(table.columns))
        self._fill(self.as_what, [AS_CLASS, AS_VALUE])
        self._begin(wanted)
        for box in (self.first, self.second, self.target, self.as_what):
            box.activated.connect(self._changed)
        self._check()

    @staticmethod
    def _combo(name: str) -> CalmCombo:
        combo = CalmCombo()
        combo.setAccessibleName(name)
        combo.setMinimumContentsLength(8)
        combo.setSizeAdjustPolicy(CalmCombo.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        return combo

    @staticmethod
    def _fill(combo: CalmCombo, names: list[str]) -> None:
        for name in names:
            combo.addItem(name, name)
            combo.setItemData(combo.count() - 1, plain(name), Qt.ItemDataRole.ToolTipRole)

    def _begin(self, wanted: Columns) -> None:
        """Choose what is wanted, else what is likely to be meant."""
        from engine.data.preview import choose

        try:
            wanted = choose(self._table, wanted)
        except DataError:  # nothing fits: the boxes show what is asked for, and the reason stands below
            numbers = [column for column in self._table.columns if column in self._table.numbers]
            last = self._table.columns[-1]
            wanted = Columns(
                wanted.x or numbers[0], wanted.y or numbers[1 % len(numbers)], wanted.label or last, wanted.value
            )
        named = ((self.first, wanted.x), (self.second, wanted.y), (self.target, wanted.label or wanted.value))
        for box, name in (*named, (self.as_what, AS_VALUE if wanted.value else AS_CLASS)):
            box.setCurrentIndex(box.findData(name))

    def _changed(self) -> None:
        self._check()
        self.changed.emit()

    @property
    def columns(self) -> Columns:
        """What is chosen, every column by its name."""
        target = self.target.currentData() or ""
        as_value = self.as_what.currentData() == AS_VALUE
        found = self.first.currentData() or "", self.second.currentData() or ""
        return Columns(*found, "" if as_value else target, target if as_value else "")

    def use(self, column: str) -> str:
        """What a column is used for, "" where it is not."""
        boxes = ((self.first, "x₁"), (self.second, "x₂"), (self.target, "predicted"))
        return ", ".join(use for box, use in boxes if box.currentData() == column)

    def _check(self) -> None:
        """Offer classes and values as the column has them, and try what is chosen."""
        target = self.target.currentData()
        words = target in self._table.texts
        with QSignalBlocker(self.as_what):
            if words:
                self.as_what.setCurrentIndex(self.as_what.findData(AS_CLASS))
            elif self.sender() is self.target:  # as a lab would take it, were nothing said
                self.as_what.setCurrentIndex(self.as_what.findData(AS_CLASS if self._few(target) else AS_VALUE))
        self.as_what.setEnabled(not words)
        try:
            self.task, self.problem = task_of(self._table, self.columns), ""
        except DataError as error:
            self.task, self.problem = None, str(error)

    def _few(self, column: str) -> bool:
        """Whether a column of numbers looks like classes: it does unless its values can only be predicted."""
        try:
            task = task_of(
                self._table, Columns(self.first.currentData() or "", self.second.currentData() or "", column)
            )
        except DataError:
            return False
        values = self._table.numbers[column][task.rows]
        return bool((values == values.round()).all())
