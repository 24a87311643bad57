"""A lab whose code does not end keeps the engine from everything else: says so, and offers to end it."""

from __future__ import annotations

import time

from PySide6.QtCore import QObject

from engine.discovery import UnknownLab, find_card
from engine.heartbeat import BUILDING, Doing
from gui.notice import Notice
from gui.session_bridge import SessionBridge

ASK_AGAIN = 30.0  # seconds after "Keep waiting"


class StuckEngine(QObject):
    """Shows the notice while the engine is stuck, and takes it down once it goes on."""

    def __init__(self, bridge: SessionBridge, notice: Notice, parent: QObject) -> None:
        super().__init__(parent)
        self._bridge, self._notice = bridge, notice
        self._shown: Doing | None = None
        self._waited_for: Doing | None = None
        self._again = 0.0
        bridge.stuck.connect(self._stuck)

    def _stuck(self, doing: Doing | None) -> None:
        if doing is None:
            self._hide()
        elif doing is self._shown:
            self._notice.retell(self._text(doing))
        elif doing is not self._waited_for or time.monotonic() > self._again:
            self._shown = doing
            self._notice.offer(
                self._text(doing), "End the engine", self._end, self._wait, decline_button="Keep waiting"
            )

    def _text(self, doing: Doing) -> str:
        name, line, importing = doing.lab, 0, False
        try:
            card = find_card(doing.lab)
        except UnknownLab:  # its file is gone
            pass
        else:
            name = card.path.stem if card.own else card.title
            line, importing = self._bridge.line_in(str(card.path))
        kind, _, method = doing.what.partition(" ")
        place = f"{method or ('build' if kind in BUILDING else kind)}()"
        if importing:
            place = "its import"
        elif kind == "set":
            place = "changed()"
        at = f", at line {line}" if line else ""
        return (
            f"{name} has been in {place} for {time.monotonic() - doing.since:.0f} s{at}. Everything else waits for it."
        )

    def _end(self) -> None:
        doing, self._shown = self._shown, None
        if doing is not None:
            self._waited_for, self._again = doing, time.monotonic() + ASK_AGAIN
            self._bridge.end_engine(doing)

    def _wait(self) -> None:
        self._waited_for, self._shown, self._again = self._shown, None, time.monotonic() + ASK_AGAIN

    def _hide(self) -> None:
        if self._shown is not None:
            self._shown = None
            self._notice.hide()
