"""Undo: one history of all that the viewer changed, the latest last.

Three kinds of changes are taken back in three ways: hyperparameters that act at once are set back, what an edit or an
action changed is put back, both while training goes on; and where another run took the place of one, that one is shown
again as it was, network and curves included.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from PySide6.QtCore import QObject

from engine.hyperparameters import Value
from engine.messages import Edited, Event, Failed, Mark, Revert
from engine.payloads import ValueEdit, WeightEdit
from gui.control_panel import readable
from gui.flags import TOGETHER
from gui.parking import Former
from gui.runs import Runs
from gui.toast import Toast

STROKE = 0.4  # seconds: pieces of a stroke follow each other closer than this
MOST = 200  # entries


@dataclass(eq=False)
class Knobs:
    """Hyperparameters that act at once, each with its value before and after."""

    text: str
    changes: dict[str, tuple[Value, Value]]
    at: float


@dataclass(eq=False)
class Edit:
    """Edits or an action; what is to be taken back are these marks."""

    text: str
    marks: tuple[Mark, ...]
    at: float = 0.0
    awaited: bool = False  # the session was asked and has not answered yet


@dataclass(eq=False)
class Replaced:
    """Another run took the place of one; the one that is not shown now."""

    text: str
    former: Former


Entry = Knobs | Edit | Replaced


def together(first: Mark, second: Mark) -> bool:
    """Whether two edits are steps of one gesture: a weight that is dragged, a stroke."""
    if first.kind != "edit" or (first.kind, first.name) != (second.kind, second.name):
        return False
    one, other = first.gesture, second.gesture
    if isinstance(one, WeightEdit) and isinstance(other, WeightEdit):
        return (one.layer, one.row, one.column) == (other.layer, other.row, other.column)
    if isinstance(one, ValueEdit) and isinstance(other, ValueEdit):
        return (one.name, one.row, one.column) == (other.name, other.row, other.column)
    return type(one) is type(other)


class UndoHistory(QObject):
    """What can be undone and redone in one workbench."""

    def __init__(self, runs: Runs, toast: Toast, refused: Callable[[], bool], parent: QObject) -> None:
        super().__init__(parent)
        self._runs, self._toast = runs, toast
        self._refused = refused  # says so where the views show the past, in which nothing changes
        self._done: list[Entry] = []
        self._undone: list[Entry] = []
        self._awaiting: list[Edit] = []  # the session answers in this order
        self._going = False  # what is chosen now is chosen by undo itself
        runs.chose.connect(self._chose)
        runs.replaced.connect(lambda former, why: self._add(Replaced(why, former)))
        runs.bridge.happened.connect(self._event)

    @property
    def texts(self) -> tuple[str, ...]:
        """What can be undone, the latest last."""
        return tuple(entry.text for entry in self._done)

    def undo(self) -> None:
        """Take back the last change."""
        if self._runs.cancel():
            self._toast.say("Cancelled: the previous run continues")
        elif not self._done:
            self._toast.say("Nothing to undo")
        else:
            self._go(self._done, self._undone, "Undone")

    def redo(self) -> None:
        """Take back the last undo."""
        if not self._undone:
            self._toast.say("Nothing to redo")
        else:
            self._go(self._undone, self._done, "Redone")

    def revert(self, marks: tuple[Mark, ...], text: str) -> None:
        """Take back edits or an action that need not be the last change; that can be undone like any other."""
        entry = Edit(f"undo of {text}", (), awaited=True)
        self._add(entry)
        self._ask(entry, marks)

    def bring_back(self, former: Former, text: str) -> None:
        """Show an earlier run again; that can be undone like any other change."""

        def shown(present: Former) -> None:
            self._add(Replaced(text, present))
            self._toast.say(text[:1].upper() + text[1:], "Undo", self.undo)

        self._runs.bring_back(former, shown)

    # ------------------------------------------------------------------ there and back

    def _go(self, source: list[Entry], target: list[Entry], said: str) -> None:
        entry = source[-1]
        if isinstance(entry, Replaced):
            source.pop()
            self._runs.bring_back(entry.former, lambda present: self._swapped(entry, present, target, said))
            return
        if self._refused():
            return
        if isinstance(entry, Knobs):
            self._set(entry, old=target is self._undone)
        elif entry.awaited:
            self._toast.say("The last undo is still under way: try again in a moment")
            return
        else:
            self._ask(entry, entry.marks)
        source.pop()
        target.append(entry)
        self._say(entry, said)

    def _swapped(self, entry: Replaced, present: Former, target: list[Entry], said: str) -> None:
        entry.former = present
        target.append(entry)
        self._say(entry, said)

    def _say(self, entry: Entry, said: str) -> None:
        back = ("Redo", self.redo) if said == "Undone" else ("Undo", self.undo)
        self._toast.say(f"{said}: {entry.text}", *back)

    def _set(self, entry: Knobs, *, old: bool) -> None:
        self._going = True
        declared = self._runs.info.hyperparameters if self._runs.info is not None else {}
        for name, (before, after) in entry.changes.items():
            if name in declared:  # the code of a lab of one's own may have changed
                self._runs.choose(name, before if old else after)
        self._going = False
        self._runs.settled.emit()

    def _ask(self, entry: Edit, marks: tuple[Mark, ...]) -> None:
        if self._runs.run is not None:
            entry.awaited = True
            self._awaiting.append(entry)
            self._runs.bridge.send(Revert(self._runs.run, marks))

    # ------------------------------------------------------------------ what changes

    def _add(self, entry: Entry) -> None:
        self._done = [*self._done[1 - MOST :], entry]
        self._undone.clear()

    def _chose(self, changes: Mapping[str, tuple[Value, Value]]) -> None:
        """Hyperparameters that act at once were chosen; a knob that is dragged leaves one entry."""
        if self._going or not changes:
            return
        now, last = time.monotonic(), self._done[-1] if self._done else None
        entry = Knobs("", dict(changes), now)
        if isinstance(last, Knobs) and last.changes.keys() == changes.keys() and now - last.at < TOGETHER:
            self._done.pop()
            entry.changes = {name: (last.changes[name][0], after) for name, (_, after) in changes.items()}
        declared = self._runs.info.hyperparameters if self._runs.info is not None else {}
        entry.text = ", ".join(readable(declared[name], after) for name, (_, after) in entry.changes.items())
        if any(before != after for before, after in entry.changes.values()):
            self._add(entry)

    def _event(self, event: Event) -> None:
        if event.run != self._runs.run:
            return
        match event:
            case Edited(mark=Mark(kind="undo") as mark, repeated=False) if self._awaiting:
                entry = self._awaiting.pop(0)
                entry.marks, entry.awaited = (mark,), False
            case Edited(mark=Mark() as mark, repeated=False):
                self._edited(mark)
            case Failed(what="undo", summary=summary):
                self._failed(summary)
            case Failed(what=what) if what.startswith("set "):
                self._not_set(what.removeprefix("set "))

    def _edited(self, mark: Mark) -> None:
        now, last = time.monotonic(), self._done[-1] if self._done else None
        marks: tuple[Mark, ...] = (mark,)
        if isinstance(last, Edit) and last.marks and together(last.marks[-1], mark):
            whole = isinstance(mark.gesture, WeightEdit | ValueEdit)
            if now - last.at < (TOGETHER if whole else STROKE):
                self._done.pop()
                marks = (*last.marks, mark)
        self._add(Edit(mark.text, marks, now))

    def _failed(self, why: str) -> None:
        """It could not be undone: it is as it was, and not to be tried again."""
        if self._awaiting:
            entry = self._awaiting.pop(0)
            self._done = [each for each in self._done if each is not entry]
            self._undone = [each for each in self._undone if each is not entry]
        self._toast.say(why)

    def _not_set(self, name: str) -> None:
        if self._done and isinstance(last := self._done[-1], Knobs) and name in last.changes:
            self._done.pop()
