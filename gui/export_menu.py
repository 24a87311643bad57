"""The menu of what can be carried away from an open lab."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtWidgets import QMenu, QWidget

if TYPE_CHECKING:
    from gui.exports import Exports
    from gui.settings import Settings
    from gui.workbench import Workbench


class ExportMenu(QMenu):
    """Acts on the lab that is shown; disabled where none is."""

    def __init__(self, window: QWidget, settings: Settings) -> None:
        super().__init__("Export", window)
        self._window, self._settings = window, settings
        self.exports: Exports | None = None  # of the lab that is shown
        self._all: dict[Workbench, Exports] = {}
        self.setToolTipsVisible(True)
        self._add("Window as picture…", lambda e: e.picture(), "Ctrl+Shift+P")
        self.record = self._add("Record animation", lambda e: e.record(), "Ctrl+Shift+R")
        self.record.setToolTip("Of the enlarged view, else of the whole lab; once more ends it")
        again = self._add("Animation of the timeline…", lambda e: e.play_again())
        again.setToolTip("Of a stretch of what was recorded, while training goes on")
        self.video = QAction("Copy the command that adds MP4", self)
        self.video.triggered.connect(self._copy_video_command)
        self.addAction(self.video)
        self.addSeparator()
        self._add("Metrics as CSV…", lambda e: e.metrics())
        self._add("Weights…", lambda e: e.weights()).setToolTip("As safetensors, which any PyTorch program reads")
        self.addSeparator()
        self._add("Run as command line", lambda e: e.command()).setToolTip("To the clipboard: it repeats this run")
        self._add("Script…", lambda e: e.script()).setToolTip("This lab as one PyTorch file that runs by itself")
        self.aboutToShow.connect(self._look_for_video)
        self.setEnabled(False)

    def _add(self, text: str, act: Callable[[Exports], None], key: str = "") -> QAction:
        action = QAction(text, self)
        action.setShortcut(key)
        action.triggered.connect(lambda: act(self.exports) if self.exports is not None else None)
        self._window.addAction(action)  # the key works while the menu is closed
        self.addAction(action)
        return action

    def show_lab(self, bench: Workbench | None, *, shown: bool) -> None:
        """This lab is the one to act on, and on screen or not. What is under way in others goes on."""
        if bench is not None and bench not in self._all:
            from gui.exports import Exports

            self._all[bench] = made = Exports(self._window, bench, self._settings, self)
            made.recording_changed.connect(lambda on: self._show_recording(on) if made is self.exports else None)
        self.exports = self._all[bench] if bench is not None else None
        for each in self._all.values():
            each.show_badge(each is self.exports)
        self._show_recording(self.exports is not None and self.exports.recording)
        self.setEnabled(shown)
        for action in self.actions():
            action.setEnabled(shown)

    def end(self, bench: Workbench) -> None:
        """A lab is closed: stop what is under way in it."""
        if (exports := self._all.pop(bench, None)) is not None:
            exports.end()
            exports.deleteLater()
            if exports is self.exports:
                self.exports = None
                self._show_recording(False)

    def _show_recording(self, on: bool) -> None:
        self.record.setText("Stop recording…" if on else "Record animation")

    def _look_for_video(self) -> None:
        from engine.export.animation import video_is_there

        self.video.setVisible(not video_is_there())

    def _copy_video_command(self) -> None:
        from engine.export.animation import ADD_VIDEO

        QGuiApplication.clipboard().setText(ADD_VIDEO)
        if self.exports is not None:
            self.exports.bench.toast.say(f"Copied: {ADD_VIDEO}")
