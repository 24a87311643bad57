"""A program for the tests of endings: the application, which opens a lab and trains it by itself.

python trains_itself.py FOLDER LAB [ARGUMENTS OF THE APPLICATION]. It prints "ready" once the lab has done some steps.
"""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path

from PySide6.QtCore import QSettings, QTimer

from gui import __main__ as command_line
from gui import crash_log
from gui.main_window import MainWindow

STEPS = int(os.environ.get("STEPS", "30"))


class Window(MainWindow):
    def __init__(self, *arguments: object, **named: object) -> None:
        super().__init__(*arguments, **named)  # type: ignore[arg-type]
        self.told: list[str] = []
        self.look_timer = QTimer(self)
        self.look_timer.timeout.connect(self.look)
        self.look_timer.start(20)

    def tell(self, word: str) -> None:
        if word not in self.told:
            self.told.append(word)
            print(word, flush=True)

    def look(self) -> None:
        bench = self.workbench
        if self.notice.isVisible():
            self.tell(f"notice: {self.notice.text()}")
        if bench is None:
            return
        self.tell("opening")
        if bench.trouble:
            self.tell(f"trouble: {bench.trouble}")
        if not bench.ready or bench.run is None:
            return
        if "playing" not in self.told:
            bench.toggle_play()
            self.tell("playing")
        if (bench.bridge.history(bench.run).span() or (0, 0))[1] >= STEPS:
            self.tell("ready")


def main() -> int:
    folder, lab = Path(sys.argv[1]), sys.argv[2]
    QSettings.setDefaultFormat(QSettings.Format.IniFormat)
    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(folder))
    crash_log.install = functools.partial(crash_log.install, folder)
    sys.modules["gui.main_window"].MainWindow = Window  # type: ignore[misc]
    return command_line.entry([*(("--lab", lab) if lab else ()), *sys.argv[3:]])


if __name__ == "__main__":
    sys.exit(main())
