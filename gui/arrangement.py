"""How the window is arranged about a run: speed, enlarged view, panel at the side. It is saved with the run."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from engine.messages import Opened, Speed

if TYPE_CHECKING:
    from gui.workbench import Workbench


class Arrangement(QObject):
    """Tells how the window is arranged, and arranges it as it was when the file was saved that a run comes from."""

    def __init__(self, bench: Workbench) -> None:
        super().__init__(bench)
        self._bench = bench
        bench.runs.arranged = self.now

    def now(self) -> dict[str, str]:
        """In words that a file keeps."""
        bench = self._bench
        sides = {"explain": bench.explain_action, "code": bench.code_action}
        side = next((name for name, action in sides.items() if action.isChecked()), "")
        return {"enlarged": bench.grid.enlarged, "side": side, "speed": str(bench.transport.chosen_speed or "full")}

    def restore(self, event: Opened) -> None:
        """A run stands: before it trains it has its speed, and the window what its file says of it."""
        if event.window:
            self._arrange(event.window)
        self._bench.bridge.send(Speed(event.run, self._bench.transport.chosen_speed))

    def _arrange(self, window: Mapping[str, str]) -> None:
        """What a file says that this window does not have is left as it is."""
        bench = self._bench
        bench.grid.enlarge(window.get("enlarged", ""))
        for name, action in (("explain", bench.explain_action), ("code", bench.code_action)):
            if window.get("side") == name:
                action.setChecked(True)
        with contextlib.suppress(ValueError, ZeroDivisionError):
            speed = window.get("speed", "")
            bench.transport.show_speed(None if speed == "full" else float(speed))
