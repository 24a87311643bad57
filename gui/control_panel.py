"""The form at the left of a lab, made from its declarations: data, live knobs, what is shown, what restarts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from PySide6.QtCore import QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QResizeEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from engine.data.catalogue import CATALOGUE
from engine.data.columns import split_name
from engine.data.describe import TAKEN
from engine.hyperparameters import Hyperparameter, Value
from engine.messages import LabInfo
from gui import format
from gui.drops import dropped_session
from gui.knobs import CalmCombo, ChoiceKnob, FlagKnob, Knob, make_knob
from gui.plain import wrapped

WIDTH = 260
OPEN_FILE, OPEN_FOLDER = "\0file", "\0folder"
FILTERS = {
    "images": "Pictures with labels (*.npz *.gz *-ubyte);;All files (*)",
    "text": "Text (*.txt *.md);;All files (*)",
    "table": "Tables (*.csv *.tsv);;All files (*)",
}


def dataset_title(name: str) -> str:
    """What a person calls a data set: its title in the catalogue, a file's name, or the name itself."""
    if name in CATALOGUE:
        return CATALOGUE[name].title
    path, columns = split_name(name)
    if "/" in path or "\\" in path or Path(path).suffix:
        return " · ".join(filter(None, (Path(path).name, columns.label or columns.value)))
    return name[:1].upper() + name[1:].replace("_", " ").replace("-", " ")


class DataChoice(QWidget):
    """Which data to learn from: the lab's sets, or the viewer's own."""

    chosen = Signal(str)  # one in the list
    offered = Signal(str)  # a path

    def __init__(self, info: LabInfo) -> None:
        super().__init__()
        self._accepts = info.accepts
        self._shown = ""
        label = QLabel("Data")
        self.combo = CalmCombo()
        self.combo.setAccessibleName("Data")
        label.setBuddy(self.combo)
        for name in info.datasets:
            self.combo.addItem(dataset_title(name), name)
            if name in CATALOGUE:
                self.combo.setItemData(self.combo.count() - 1, CATALOGUE[name].about, Qt.ItemDataRole.ToolTipRole)
        if info.accepts:
            self.combo.insertSeparator(self.combo.count())
            self.combo.addItem("Open a file…", OPEN_FILE)
            if "images" in info.accepts:
                self.combo.addItem("Open a folder…", OPEN_FOLDER)
            kinds = " and ".join(TAKEN[kind] for kind in info.accepts if kind in TAKEN)
            self.setToolTip(wrapped(f"Your own {kinds} can be opened, or dropped here."))
            self.combo.setAccessibleDescription(f"Takes your own {kinds}")
        self.combo.activated.connect(self._activated)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(label)
        column.addWidget(self.combo)

    def show_dataset(self, name: str) -> None:
        """Show the set in use; one of the viewer's own joins the list."""
        self._shown = name
        index = self.combo.findData(name)
        if index < 0 and name:
            self.combo.insertItem(0, dataset_title(name), name)
            index = 0
        with QSignalBlocker(self.combo):
            self.combo.setCurrentIndex(index)
        known = CATALOGUE.get(name)  # the title too: in the box a long one is cut
        self.combo.setToolTip(wrapped(f"{known.title}. {known.about}" if known else name))

    def _activated(self, index: int) -> None:
        name = self.combo.itemData(index)
        if name in (OPEN_FILE, OPEN_FOLDER):
            before = self._shown
            path = self._ask(folder=name == OPEN_FOLDER)
            self.show_dataset(before)
            if path:
                self.offered.emit(path)
        elif name and name != self._shown:
            self.chosen.emit(name)

    def _ask(self, *, folder: bool) -> str:
        if folder:
            return QFileDialog.getExistingDirectory(self, "A folder with one folder of pictures per class")
        filters = ";;".join(FILTERS[kind].split(";;")[0] for kind in self._accepts if kind in FILTERS)
        return QFileDialog.getOpenFileName(self, "Open your own data", "", f"{filters};;All files (*)")[0]


class Section(QWidget):
    """Knobs under a muted heading."""

    def __init__(self, heading: str, remark: str = "") -> None:
        super().__init__()
        self.knobs: list[Knob] = []
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(2)
        self._pair: QGridLayout | None = None
        if heading:
            row = QHBoxLayout()
            row.setContentsMargins(0, 8, 0, 0)
            for text, stretch in ((heading.upper(), 1), (remark, 0)):
                label = QLabel(text)
                label.setProperty("role", "section" if stretch else "hint")
                row.addWidget(label, stretch)
            self.column.addLayout(row)

    def add(self, knob: Knob) -> None:
        """Add a knob; short flags stand two in a row."""
        self.knobs.append(knob)
        if isinstance(knob, FlagKnob) and len(knob.declared.label) <= 8:
            if self._pair is None:
                self._pair = QGridLayout()
                self._pair.setHorizontalSpacing(24)
                self._pair.setVerticalSpacing(2)
                self._pair.setColumnStretch(0, 1)
                self._pair.setColumnStretch(1, 1)
                self.column.addLayout(self._pair)
            self._place_in_pairs(knob, self._pair)
        else:
            self._pair = None
            self.column.addWidget(knob)

    def _place_in_pairs(self, knob: Knob, grid: QGridLayout) -> None:
        """One that stays alone takes the whole width, so that its switch stands below the other values."""
        count = grid.count()
        if count == 1 and (item := grid.itemAtPosition(0, 0)) is not None and (first := item.widget()) is not None:
            grid.removeWidget(first)
            grid.addWidget(first, 0, 0)
        grid.addWidget(knob, count // 2, count % 2, 1, 1 if count else 2)

    def show_relevant(self, values: Mapping[str, Value]) -> None:
        """Show only the knobs that have an effect beside these values."""
        for knob in self.knobs:
            knob.setVisible(knob.declared.matters(values))
        self.setVisible(any(not knob.isHidden() for knob in self.knobs))


class ControlPanel(QFrame):
    """Emits what the viewer chooses; `show_values` shows what is in force without emitting."""

    chosen = Signal(str, object)  # hyperparameter, value
    dataset_chosen = Signal(str)  # one in the list
    data_offered = Signal(str)  # the path of the viewer's own, chosen or dropped
    action_pressed = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "bar")
        self.setProperty("edge", "right")
        self.setFixedWidth(WIDTH)
        self.setAcceptDrops(True)
        self.setAccessibleName("Controls")
        self.knobs: dict[str, Knob] = {}
        self.sections: list[Section] = []
        self.data: DataChoice | None = None
        self.actions_by_name: dict[str, QPushButton] = {}
        self._info: LabInfo | None = None
        self._facts = QGridLayout()
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._scroll.viewport().setAutoFillBackground(False)
        self._scroll.setProperty("role", "bar")
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 1, 0)
        outer.addWidget(self._scroll)

    def build(self, info: LabInfo) -> None:
        """Make the form of a lab."""
        self._info = info
        self.knobs = {name: make_knob(declared) for name, declared in info.hyperparameters.items()}
        self.actions_by_name = {}
        page = QWidget()
        page.setProperty("role", "bar")
        column = QVBoxLayout(page)
        column.setContentsMargins(16, 12, 16, 16)
        column.setSpacing(6)
        self.data = DataChoice(info) if info.datasets or info.accepts else None
        if self.data is not None:
            self.data.chosen.connect(self.dataset_chosen)
            self.data.offered.connect(self.data_offered)
            column.addWidget(self.data)
        self.sections = self._sections(info)
        for section in self.sections:
            column.addWidget(section)
        for knob in self.knobs.values():
            knob.changed.connect(self.chosen)
        self._add_actions(info, column)
        column.addSpacing(10)
        self._facts = QGridLayout()
        self._facts.setVerticalSpacing(4)
        self._facts.setColumnStretch(0, 1)
        column.addLayout(self._facts)
        column.addStretch(1)
        self._scroll.setWidget(page)
        self._fit()

    def _sections(self, info: LabInfo) -> list[Section]:
        """The knobs by what they do: live ones first, then those that change the picture, then those that restart."""
        found: dict[tuple[int, str], Section] = {}

        def place(declared: Hyperparameter) -> tuple[int, str, str]:
            if declared.live:
                return 0, declared.group, ""
            if declared.view:
                return 1, declared.group or "Shown", ""
            return 2, declared.group or "Architecture", "restarts"

        for name in sorted(info.hyperparameters, key=lambda name: place(info.hyperparameters[name])[0]):
            kind, heading, remark = place(info.hyperparameters[name])
            if (kind, heading) not in found:
                found[kind, heading] = Section(heading, remark)
            found[kind, heading].add(self.knobs[name])
        return list(found.values())

    def _add_actions(self, info: LabInfo, column: QVBoxLayout) -> None:
        if not info.actions:
            return
        grid = QGridLayout()
        grid.setContentsMargins(0, 10, 0, 0)
        grid.setSpacing(8)
        place = 0
        for action in info.actions:
            button = QPushButton(action.title)
            button.setToolTip(wrapped(action.help))
            button.setAccessibleDescription(action.help)
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.clicked.connect(lambda _=False, name=action.name: self.action_pressed.emit(name))
            self.actions_by_name[action.name] = button
            wide = button.sizeHint().width() > (WIDTH - 32 - 8) / 2
            if wide and place % 2:
                place += 1
            grid.addWidget(button, place // 2, place % 2, 1, 2 if wide else 1)
            place += 2 if wide else 1
        column.addLayout(grid)

    # ------------------------------------------------------------------ what is in force

    def show_values(self, values: Mapping[str, Value], dataset: str) -> None:
        """Show the hyperparameters and the data set in force."""
        for name, value in values.items():
            if name in self.knobs:
                self.knobs[name].show_value(value)
        if self.data is not None:
            self.data.show_dataset(dataset)
        self._show_relevant()

    def show_value(self, name: str, value: Value) -> None:
        """Show one hyperparameter."""
        self.knobs[name].show_value(value)
        self._show_relevant()

    def show_replaced(self, replaced: Mapping[str, str], values: Mapping[str, Value]) -> None:
        """Show the names of what the viewer made in the place of some choices, and the values of the others."""
        for name, knob in self.knobs.items():
            now = replaced.get(name, "") if isinstance(knob, ChoiceKnob) else ""
            if now and now != knob.replaced:
                knob.show_replaced(now)
            elif knob.replaced and not now and name in values:
                knob.show_value(values[name])

    def _show_relevant(self) -> None:
        values = {name: knob.value for name, knob in self.knobs.items()}
        for section in self.sections:
            section.show_relevant(values)

    def show_facts(self, facts: Mapping[str, str]) -> None:
        """Show what is worth knowing of the built network."""
        while (item := self._facts.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        for row, (name, value) in enumerate(facts.items()):
            for at, text in enumerate((name[:1].upper() + name[1:], value)):
                label = QLabel(text)
                label.setProperty("role", "hint")
                label.setAlignment(Qt.AlignmentFlag.AlignRight if at else Qt.AlignmentFlag.AlignLeft)
                label.setWordWrap(bool(at) and len(text) > 24)
                self._facts.addWidget(label, row, at)

    # ------------------------------------------------------------------ files dropped on it

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        urls = event.mimeData().urls()
        if dropped_session(event.mimeData()) is not None:
            return  # for the window to open
        if self._info is not None and self._info.accepts and len(urls) == 1 and urls[0].isLocalFile():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        event.acceptProposedAction()
        self.data_offered.emit(event.mimeData().urls()[0].toLocalFile())

    # ------------------------------------------------------------------ size

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        if (page := self._scroll.widget()) is not None:
            page.setMaximumWidth(WIDTH - 1)

    def sizeHint(self) -> QSize:
        return QSize(WIDTH, 600)


def readable(declared: Hyperparameter, value: Value) -> str:
    """A value as a sentence would have it: "Filters, layer 1: 8"."""
    if isinstance(value, bool):
        return f"{declared.label}: {'on' if value else 'off'}"
    shown = format.number(value) if isinstance(value, int | float) else value
    return f"{declared.label}: {shown}{f' {declared.unit}' if declared.unit else ''}"
