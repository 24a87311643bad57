"""How long the window stands still while its theme is switched, with a lab in training."""

from __future__ import annotations

import time

from PySide6.QtCore import QTimer

from gui.bench import Window

PULSE_MS = 4


def stalls(switches: int) -> list[float]:
    """For each switch of the theme, the longest time that the event loop did not come round."""
    window = Window("lenet")
    window.train()
    window.live(2.0)
    longest = last = 0.0

    def beat() -> None:
        nonlocal longest, last
        now = time.perf_counter()
        longest, last = max(longest, now - last), now

    pulse = QTimer()
    pulse.setInterval(PULSE_MS)
    pulse.timeout.connect(beat)
    pulse.start()
    found = []
    for turn in range(switches):
        window.live(0.3)
        longest, last = 0.0, time.perf_counter()
        window.settings.theme = ("light", "dark")[turn % 2]
        window.live(0.7)
        found.append(longest)
    window.close()
    return found
