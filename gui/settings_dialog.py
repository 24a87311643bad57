"""The settings: what is changed here acts at once and is remembered; there is no OK to forget."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QShowEvent, QStandardItemModel
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QFileDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMessageBox,
    QPushButton,
    QSlider,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from engine.own_labs import lab_files, usual_labs_folder
from gui import association, format, kept, style
from gui.background import Work
from gui.settings import DEVICE_NAMES, DEVICES, KEPT_LIMITS, MEMORIES, THEMES, Settings

if TYPE_CHECKING:
    from gui.session_bridge import SessionBridge

THEME_NAMES = {"system": "As the system", "light": "Light", "dark": "Dark"}


def describe_folder(text: str) -> tuple[str, str]:
    """What is found in a data folder, and the role to write it in: "good", "bad" or "hint"."""
    from engine.data import CATALOGUE

    if not text:
        named = os.environ.get("DEEPSCOPE_DATA")
        return (f"DEEPSCOPE_DATA points to {named}." if named else "Bundled and downloaded data only."), "hint"
    folder = Path(os.path.expanduser(text))
    if problem := _no_folder(folder):
        return problem, "bad"
    known = [d for d in CATALOGUE.values() if d.files]
    found = [
        d.title
        for d in known
        if all(os.path.isfile(folder / d.folder / f.name) or os.path.isfile(folder / f.name) for f in d.files)
    ]
    if not found:
        return f"None of {', '.join(d.title for d in known)} is in it.", "warning"
    return f"Found: {', '.join(found)}.", "good"


def _no_folder(folder: Path) -> str:
    """Why it is no folder to read from, "" where it is one. Any text may be a path here: os.path raises nothing."""
    if not os.path.isdir(folder):
        return "This is a file, not a folder." if os.path.exists(folder) else "There is no such folder."
    return "" if os.access(folder, os.R_OK | os.X_OK) else "This folder may not be read."


def describe_labs(text: str) -> tuple[str, str]:
    """What is found in the folder of the viewer's own labs, and the role to write it in."""
    folder = Path(os.path.expanduser(text)) if text else usual_labs_folder()
    if text and (problem := _no_folder(folder)):
        return problem, "bad"
    count = len(lab_files(folder))
    if not count:
        return "None yet. Each file in it is a lab; begin with a copy of one, in the Code panel.", "hint"
    return f"{count} file{'s' if count > 1 else ''} in it, shown in the gallery under Mine.", "good"


def _shortened(folder: Path) -> str:
    """A folder as a person writes it: ~ for the home folder, and not longer than a line."""
    home, text = str(Path.home()), str(folder)
    text = f"~{text[len(home) :]}" if text.startswith(f"{home}{os.sep}") else text
    return text if len(text) <= 48 else f"…{text[-47:]}"


class SettingsDialog(QDialog):
    """The bridge knows which devices there are, once torch is loaded."""

    def __init__(self, settings: Settings, bridge: SessionBridge | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Settings")
        self.settings = settings
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(24)
        self._grid.setVerticalSpacing(6)
        self._grid.setColumnStretch(1, 1)
        self._theme = self._combo("Theme", THEMES, THEME_NAMES)
        self._theme.activated.connect(lambda i: setattr(settings, "theme", THEMES[i]))
        self._make_folder()
        self._make_labs()
        self._device = self._combo("Device", DEVICES, DEVICE_NAMES)
        self._device.activated.connect(lambda i: setattr(settings, "device", DEVICES[i]))
        self._device.activated.connect(lambda _: self._show_devices())
        self._device_hint = self._hint()
        self._make_budget()
        self._make_threads()
        self._make_memory()
        self._make_open_labs()
        self._make_association()
        heading = QLabel("Settings")
        heading.setProperty("role", "heading")
        reset = QPushButton("Reset everything…")
        reset.setProperty("kind", "danger")
        reset.clicked.connect(self._ask_reset)
        done = QPushButton("Done")
        done.setProperty("kind", "primary")
        done.setDefault(True)
        done.clicked.connect(self.accept)
        buttons = QHBoxLayout()
        buttons.addWidget(reset)
        buttons.addStretch(1)
        buttons.addWidget(done)
        rule = QFrame()
        rule.setProperty("role", "rule")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(28, 20, 28, 16)
        layout.setSpacing(14)
        layout.addWidget(heading)
        layout.addLayout(self._grid)
        layout.addStretch(1)
        layout.addWidget(rule)
        layout.addLayout(buttons)
        self.setMinimumWidth(840)
        self._bridge = bridge
        self._show_devices()
        if bridge is not None:
            bridge.loaded.connect(self._show_devices)
        self._show_values()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._fit()

    def _fit(self) -> None:
        """High enough for every hint: Qt asks how high wrapped text gets only where it is told to."""
        if (layout := self.layout()) is not None:
            high = layout.totalHeightForWidth(max(self.width(), self.minimumWidth()))
            self.setMinimumHeight(high)
            self.resize(self.width(), high)

    # ------------------------------------------------------------------ rows

    def _row(self, label: str, widget: QWidget | QHBoxLayout, focus: QWidget) -> None:
        name = QLabel(label)
        name.setBuddy(focus)
        focus.setAccessibleName(label)
        row = self._grid.rowCount()
        self._grid.setRowMinimumHeight(row, 8)  # the air between two settings
        self._grid.addWidget(name, row + 1, 0)
        if isinstance(widget, QWidget):
            self._grid.addWidget(widget, row + 1, 1)
        else:
            self._grid.addLayout(widget, row + 1, 1)

    def _hint(self, text: str = "") -> QLabel:
        hint = QLabel(text)
        hint.setProperty("role", "hint")
        hint.setWordWrap(True)
        self._grid.addWidget(hint, self._grid.rowCount(), 1)
        return hint

    def _combo(self, label: str, values: tuple[str, ...], names: Mapping[str, str]) -> QComboBox:
        combo = QComboBox()
        combo.addItems([names[value] for value in values])
        self._row(label, combo, combo)
        return combo

    def _make_folder(self) -> None:
        self._folder = QLineEdit()
        self._folder.setPlaceholderText("None")
        self._folder.setClearButtonEnabled(False)
        self._folder.editingFinished.connect(self._take_folder)
        self._folder.textChanged.connect(self._describe_folder)
        self._row("Data folder", self._with_browse(self._folder, self._browse), self._folder)
        self._folder_hint = self._hint()

    def _with_browse(self, field: QLineEdit, browse: Callable[[], None]) -> QHBoxLayout:
        button = QPushButton("Choose…")
        button.setAutoDefault(False)
        button.clicked.connect(browse)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(field, 1)
        row.addWidget(button)
        return row

    def _make_labs(self) -> None:
        self._labs = QLineEdit()
        self._labs.editingFinished.connect(self._take_labs)
        self._labs.textChanged.connect(self._describe_labs)
        self._row("My labs", self._with_browse(self._labs, self._browse_labs), self._labs)
        self._labs_hint = self._hint()

    def _make_association(self) -> None:
        self._associate = QPushButton()
        self._associate.setAutoDefault(False)
        self._associate.clicked.connect(self._toggle_association)
        self._associate_hint = QLabel()
        self._associate_hint.setWordWrap(True)
        row = QHBoxLayout()
        row.setSpacing(12)
        row.addWidget(self._associate)
        row.addWidget(self._associate_hint, 1)
        self._row("Session files", row, self._associate)
        self._show_association()

    def _show_association(self) -> None:
        on, why = association.associated(), association.unsupported()
        self._associate.setVisible(not why)
        self._associate.setEnabled(True)
        self._associate.setText("Do so no longer" if on else "Open by a double click")
        self._associate.setAccessibleName(f"Session files: {self._associate.text()}")
        style.mark(self._associate_hint, "role", "good" if on and not why else "hint")
        said = (
            "A double click on a .deepscope file opens it here." if on else "In the file manager, for .deepscope files."
        )
        self._associate_hint.setText(why or said)

    def _toggle_association(self) -> None:
        """Another thread writes the files: the desktop's programs that read them again take a second or more."""
        on = association.associated()
        self._associate.setEnabled(False)
        work = Work(lambda _: association.dissociate() if on else association.associate(), self.settings)
        work.finished.connect(self._association_changed)
        work.failed.connect(self._association_failed)
        work.start()

    def _association_changed(self, _: object) -> None:
        self._show_association()

    def _association_failed(self, error: Exception) -> None:
        self._show_association()
        style.mark(self._associate_hint, "role", "bad")
        self._associate_hint.setText(f"That failed: {error}")

    def _make_budget(self) -> None:
        self._budget = QSlider(Qt.Orientation.Horizontal)
        self._budget.setRange(1, 50)
        self._budget.setPageStep(5)
        self._budget_value = QLabel()
        self._budget_value.setMinimumWidth(40)
        self._budget_value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._budget.valueChanged.connect(lambda percent: self._budget_value.setText(f"{percent} %"))
        self._budget.valueChanged.connect(lambda percent: setattr(self.settings, "budget", percent / 100))
        row = QHBoxLayout()
        row.addWidget(self._budget, 1)
        row.addWidget(self._budget_value)
        self._row("Rendering budget", row, self._budget)
        self._hint(
            "The share of training time that drawing the views may take. Less trains faster, more looks smoother."
        )

    def _make_threads(self) -> None:
        self._threads = QSpinBox()
        self._threads.setRange(0, os.cpu_count() or 1)
        self._threads.setSpecialValueText("Automatic")
        self._threads.lineEdit().setTextMargins(8, 0, 0, 0)  # the style sheet's padding does not reach it
        self._threads.valueChanged.connect(lambda number: setattr(self.settings, "threads", number))
        self._row("Threads", self._threads, self._threads)
        self._hint("Processor threads that training may use, from the next start. Automatic leaves the window a core.")

    def _make_memory(self) -> None:
        names = {str(size): f"{size} MB" if size < 1024 else f"{size // 1024} GB" for size in MEMORIES}
        self._memory = self._combo("Memory for rewinding", tuple(names), names)
        self._memory.activated.connect(lambda i: setattr(self.settings, "memory", MEMORIES[i]))
        self._memory_hint = self._hint()
        self._look = QTimer(self)
        self._look.setInterval(1000)
        self._look.timeout.connect(self._show_memory)
        self._look.start()

    def _show_memory(self) -> None:
        """What the recordings take now. It holds for all open labs, so that it does not grow with their number."""
        taken = f"{self._bridge.recorded >> 20} MB in use. " if self._bridge is not None else ""
        self._memory_hint.setText(
            f"{taken}Recorded views and snapshots of all open labs; the labs not viewed for longest keep "
            "fewer of them first."
        )

    def _make_open_labs(self) -> None:
        self._away = QComboBox()
        self._away.addItems(["Pause", "Keep training, in a quarter of the time"])
        self._away.activated.connect(lambda i: setattr(self.settings, "train_in_background", bool(i)))
        self._row("Background labs", self._away, self._away)
        names = {str(size): f"{size} MB" if size < 1024 else f"{size // 1024} GB" for size in KEPT_LIMITS}
        self._kept = self._combo("Kept networks", tuple(names), names)
        self._kept.activated.connect(lambda i: setattr(self.settings, "kept_limit", KEPT_LIMITS[i]))
        files = kept.listing(self.settings.kept_folder)
        taken = (
            f"Now {format.size(sum(file.size for file in files))} in {len(files)} files, "
            if files
            else "Networks of closed labs are kept "
        )
        hint = self._hint(
            f"{taken}in {_shortened(self.settings.kept_folder)}. Beyond the limit you are asked; "
            f"after {kept.KEEP_DAYS} days they are removed."
        )
        hint.setToolTip(str(self.settings.kept_folder))

    # ------------------------------------------------------------------ values

    def _show_devices(self) -> None:
        """Offer the devices that there are; before they are known, all of them."""
        devices = self._bridge.devices if self._bridge is not None else {}
        for index, name in enumerate(DEVICES):
            model = self._device.model()
            assert isinstance(model, QStandardItemModel)
            model.item(index).setEnabled(not devices or name == "auto" or name in devices)
        gone = bool(devices) and self.settings.device not in ("auto", *devices)
        style.mark(self._device_hint, "role", "warning" if gone else "hint")
        if gone:
            self._device_hint.setText(
                f"{DEVICE_NAMES[self.settings.device]} is not on this machine now: the device is chosen automatically. "
                f"There are: {', '.join(devices.values())}."
            )
        elif devices:
            self._device_hint.setText(f"On this machine: {', '.join(devices.values())}. Acts when a lab is opened.")
        else:
            self._device_hint.setText("Those of this machine are listed once a lab is open. Acts when a lab is opened.")
        self._fit()

    def _show_values(self) -> None:
        s = self.settings
        self._theme.setCurrentIndex(THEMES.index(s.theme))
        self._folder.setText(s.data_folder)
        self._describe_folder(s.data_folder)
        self._labs.setPlaceholderText(str(usual_labs_folder()))
        self._labs.setText(s.labs_folder)
        self._describe_labs(s.labs_folder)
        self._device.setCurrentIndex(DEVICES.index(s.device))
        self._budget.setValue(round(s.budget * 100))
        self._budget_value.setText(f"{self._budget.value()} %")
        self._threads.setValue(s.threads)
        self._memory.setCurrentIndex(MEMORIES.index(s.memory))
        self._show_memory()
        self._away.setCurrentIndex(int(s.train_in_background))
        self._kept.setCurrentIndex(KEPT_LIMITS.index(s.kept_limit))

    def _browse(self) -> None:
        start = self._folder.text() or str(Path.home())
        if chosen := QFileDialog.getExistingDirectory(self, "Data folder", start):
            self._folder.setText(chosen)
            self._take_folder()

    def _take_folder(self) -> None:
        text = self._folder.text().strip()
        if describe_folder(text)[1] != "bad":
            self.settings.data_folder = text

    def _describe_folder(self, text: str) -> None:
        said, role = describe_folder(text.strip())
        self._folder_hint.setText(said)
        style.mark(self._folder_hint, "role", role)

    def _browse_labs(self) -> None:
        start = self._labs.text() or self._labs.placeholderText()
        if chosen := QFileDialog.getExistingDirectory(self, "My labs", start):
            self._labs.setText(chosen)
            self._take_labs()

    def _take_labs(self) -> None:
        text = self._labs.text().strip()
        if describe_labs(text)[1] != "bad":
            self.settings.labs_folder = text

    def _describe_labs(self, text: str) -> None:
        said, role = describe_labs(text.strip())
        self._labs_hint.setText(said)
        style.mark(self._labs_hint, "role", role)

    def _ask_reset(self) -> None:
        box = QMessageBox(self)
        box.setWindowTitle("Reset everything")
        box.setText("Forget all settings?")
        box.setInformativeText("Also the recent labs and what was last set in each. Saved sessions and data stay.")
        reset = box.addButton("Reset", QMessageBox.ButtonRole.DestructiveRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.exec()
        if box.clickedButton() is reset:
            self.reset()

    def reset(self) -> None:
        """Back to the defaults."""
        self.settings.reset()
        self._show_values()
