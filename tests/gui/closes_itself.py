"""A program for test_closing: the whole application in a process of its own, which closes itself at a given moment.

python closes_itself.py FOLDER LAB MOMENT SEED
"""

from __future__ import annotations

import functools
import random
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QObject, QSettings, QTimer
from PySide6.QtWidgets import QApplication, QDialog, QFileDialog, QMenu, QMessageBox

from engine.interruption import leave
from gui import app, crash_log
from gui.main_window import MainWindow

MOMENTS = (
    "loading",  # torch is being imported
    "building",
    "training",
    "within a step",
    "rendering",
    "saving",
    "settings",  # dialogs that the window goes on behind
    "question",
    "file dialog",
    "menu",
    "explaining",
    "quit",  # the application is told to quit, as by the system's menu
    "exit",  # the loop ends though the window is open
    "any time",
)
LOOK_MS = 5


class Closer(QObject):
    """Brings the window to the moment, waits a little, and closes it."""

    def __init__(self, window: MainWindow, lab: str, moment: str, folder: Path, chance: random.Random) -> None:
        super().__init__()
        self.window, self.lab, self.moment, self.folder, self.chance = window, lab, moment, folder, chance
        self.rendering = threading.Event()
        self.steps = self.begin()
        self.timer = QTimer(self)
        self.timer.timeout.connect(self.look)
        self.timer.start(LOOK_MS)

    def look(self) -> None:
        """Go on once what is waited for has come."""
        until = next(self.steps, None)
        if until is None:
            self.timer.stop()
            self.close()
            return
        self.timer.stop()
        self.poll(until)

    def poll(self, until: Callable[[], bool]) -> None:
        if until():
            self.timer.start(LOOK_MS)
        else:
            QTimer.singleShot(LOOK_MS, self, lambda: self.poll(until))

    def begin(self):  # type: ignore[no-untyped-def]
        """The way to the moment, as conditions to wait for."""
        if self.moment == "any time":
            yield self.after(self.chance.uniform(0, 4))
            return
        if self.moment == "loading":
            yield self.after(self.chance.uniform(0, 1.5))
            return
        if self.moment == "building":
            yield lambda: self.window.bridge is not None and bool(self.window.bridge.devices)
            yield self.after(self.chance.uniform(0, 0.05))
            return
        yield lambda: self.window.workbench is not None and self.window.workbench.ready
        bench = self.window.workbench
        assert bench is not None
        if self.moment == "within a step":
            bench.micro_step()
            yield lambda: "after " in bench.transport.where.text()
            return
        if self.moment == "rendering":
            self.slow_views()
        bench.toggle_play()
        yield lambda: bench.transport.playing
        if self.moment == "rendering":
            yield self.rendering.is_set
        yield self.after(self.chance.uniform(0, 0.5))
        self.disturb()
        if self.moment in ("settings", "question", "file dialog", "menu", "explaining"):
            yield self.after(self.chance.uniform(0, 0.3))

    def after(self, seconds: float) -> Callable[[], bool]:
        at = time.monotonic() + seconds
        return lambda: time.monotonic() >= at

    def slow_views(self) -> None:
        """Views that take a third of a second, and say when they have begun."""
        from engine.discovery import load_lab
        from engine.lab import views_of

        def slow(method: Callable[[object], object], lab: object) -> object:
            self.rendering.set()
            end = time.monotonic() + 0.3
            while time.monotonic() < end:
                pass
            return method(lab)

        for view in views_of(load_lab(self.lab)).values():
            view.method = functools.partial(slow, view.method)

    def disturb(self) -> None:
        """What lies over the window when it is closed. What blocks is begun by a timer: this goes on meanwhile."""
        bench = self.window.workbench
        assert bench is not None
        panel = bench.grid.panels[self.chance.choice(list(bench.grid.panels))]
        match self.moment:
            case "saving":
                bench.saving._write(self.folder / "closing.deepscope")
            case "settings":
                self.window.show_settings()
            case "question":
                QTimer.singleShot(0, QMessageBox(QMessageBox.Icon.Question, "?", "Sure?", parent=self.window).exec)
            case "file dialog":
                ask = self.chance.choice((bench.saving.save_as, self.window._opening.choose, self.export))
                QTimer.singleShot(0, ask)
            case "menu":
                QTimer.singleShot(0, panel._open_menu)
            case "explaining":
                bench.explain_action.setChecked(True)  # the formulas are being set
            case _:
                pass

    def export(self) -> None:
        QFileDialog.getSaveFileName(self.window, "Save", "picture.png")

    def close(self) -> None:
        if self.moment == "quit":
            QCoreApplication.quit()
        elif self.moment == "exit":
            QCoreApplication.exit(0)
        else:
            self.window.close()


def main() -> int:
    """Run the application as it is, but for where it keeps its settings and its log."""
    folder, lab, moment, seed = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
    QSettings.setDefaultFormat(QSettings.Format.IniFormat)
    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(folder))
    crash_log.install = functools.partial(crash_log.install, folder)
    kept: list[Closer] = []

    class Window(MainWindow):
        def __init__(self, *arguments: object, **named: object) -> None:
            super().__init__(*arguments, **named)  # type: ignore[arg-type]
            self.painted.connect(lambda: kept.append(Closer(self, lab, moment, folder, random.Random(seed))))

    sys.modules["gui.main_window"].MainWindow = Window  # type: ignore[misc]
    code = app.run(app.Start(lab=lab))
    left = [w for w in QApplication.topLevelWidgets() if isinstance(w, QDialog | QMenu | MainWindow) and w.isVisible()]
    if left and moment != "exit":
        print(f"still open: {left}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(leave(main()))
