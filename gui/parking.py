"""Runs that gave way to another one: they stay open for a while, paused and out of sight, so that undo brings them back
as they were. One that makes way for others is kept as a session file before it is closed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from engine.messages import Event, Failed, Lesson, Opened, RunSpec, Save, Saved
from gui import kept
from gui.session_bridge import SessionBridge

MOST = 3  # parked runs of a workbench
CHEAP = 8 << 20  # bytes of the timeline that is kept unasked: writing so many takes the worker a tenth of a second
CURVE_POINTS = 4096  # per metric, in a file: more than a screen has columns, and 64 kB


@dataclass(eq=False)
class Former:
    """A run that gave way: open and parked, in a file, or one that had learned nothing and can be built anew."""

    run: int  # its number in the session
    spec: RunSpec
    opened: Opened  # as it was announced
    resumed: Path | None  # the file that it went on from
    playing: bool
    is_open: bool = False
    file: Path | None = None

    @property
    def has_network(self) -> bool:
        """Whether what it learned is still there."""
        return self.is_open or self.file is not None


class Parking(QObject):
    """The parked runs of one workbench, the one that was parked first in front."""

    failed = Signal(str)  # why a run could not be written: it stays open
    written = Signal()  # one more run lies in a file

    def __init__(self, bridge: SessionBridge, lab_id: str, folder: Path, parent: QObject) -> None:
        super().__init__(parent)
        self._bridge, self._lab_id, self._folder = bridge, lab_id, folder
        self._parked: list[Former] = []
        self._saving: dict[Path, Former] = {}
        self.arranged: Callable[[], Mapping[str, str]] = dict
        bridge.happened.connect(self._event)

    @property
    def runs(self) -> tuple[int, ...]:
        """The numbers of the runs that are parked."""
        return tuple(former.run for former in (*self._saving.values(), *self._parked))

    def park(self, former: Former) -> None:
        """A run is not shown any more. One that stands where it began, at step 0, is closed: it can be built anew."""
        if self._bridge.learned(former.run) is None and former.opened.step == 0:
            self._bridge.close(former.run)
            return
        former.is_open = True
        self._bridge.park(former.run)
        self._parked.append(former)
        for each in self._parked[:-MOST]:
            self._keep(each)

    @property
    def writing(self) -> bool:
        """Whether files are being written."""
        return bool(self._saving)

    def keep_all(self, room: int = CHEAP) -> None:
        """The lab is about to be closed: write every parked run to a file of its own, with at most `room` bytes of its
        timeline. `written` or `failed` follows for each."""
        for former in tuple(self._parked):
            self._keep(former, room)

    def take(self, former: Former) -> None:
        """A parked run is shown again."""
        self._parked = [each for each in self._parked if each is not former]
        self._saving = {path: each for path, each in self._saving.items() if each is not former}
        former.is_open = False

    def close(self) -> None:
        """End all parked runs; files that are being written are finished."""
        for former in (*self._saving.values(), *self._parked):
            self._end(former)
        self._parked, self._saving = [], {}

    def _end(self, former: Former) -> None:
        former.is_open = False
        self._bridge.close(former.run)

    def _keep(self, former: Former, room: int = CHEAP) -> None:
        """Write a run to a file of its own; it is closed once that is done."""
        if self._bridge.lost(former.run):
            return
        if self._bridge.learned(former.run) is None and former.resumed is not None and former.resumed.exists():
            former.file = former.resumed  # nothing was learned since
            self._parked.remove(former)
            self._end(former)
            return
        history = self._bridge.history(former.run)
        try:
            path = kept.place_for(self._folder, self._lab_id, self._bridge.standing(former.run).step)
        except OSError as error:
            self._not_kept(error.strerror or str(error))
            return
        self._parked.remove(former)
        self._saving[path] = former
        lesson = Lesson(frames=self._bridge.tape(former.run).frames() if room else (), room=room)
        self._bridge.send(Save(former.run, path, history.thinned(CURVE_POINTS), self.arranged(), lesson))

    def _not_kept(self, why: str) -> None:
        self.failed.emit(f"An earlier run could not be written to a file, so it stays in memory: {why}")

    def _event(self, event: Event) -> None:
        if isinstance(event, Saved) and (former := self._saving.pop(event.path, None)) is not None:
            former.file = event.path
            self._end(former)
            self.written.emit()
        elif isinstance(event, Failed) and event.path and (former := self._saving.pop(event.path, None)) is not None:
            self._parked.insert(0, former)
            self._not_kept(event.summary)
