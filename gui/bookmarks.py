"""Bookmarks: steps of a run that the viewer named, as flags over the timeline and in a menu."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from PySide6.QtCore import QObject, QPoint, Signal
from PySide6.QtWidgets import QApplication, QMenu

from engine.messages import Bookmark, Event, Opened, WentBack
from gui.rewinding import Rewinding
from gui.runs import Runs
from gui.timeline import Timeline
from gui.toast import Toast


class Bookmarks(QObject):
    """Those of every run of a workbench, by run; the timeline shows those of the present one."""

    changed = Signal()

    def __init__(self, runs: Runs, rewinding: Rewinding, timeline: Timeline, toast: Toast, parent: QObject) -> None:
        super().__init__(parent)
        self._runs, self._rewinding, self._timeline, self._toast = runs, rewinding, timeline, toast
        self._of: dict[int, tuple[Bookmark, ...]] = {}
        self.menu = QMenu(timeline)
        self.menu.aboutToShow.connect(self._fill)
        timeline.bookmarks.setMenu(self.menu)
        timeline.track.menu_wanted.connect(self._open_menu_of)
        timeline.name_field.named.connect(self.rename)
        runs.leaving.connect(self._branched)
        runs.adopted.connect(self._adopted)
        runs.bridge.happened.connect(self._event)

    def get(self) -> tuple[Bookmark, ...]:
        """The bookmarks of the present run, in the order of their steps."""
        return self._of.get(self._runs.run or 0, ())

    def set(self, bookmarks: Iterable[Bookmark]) -> None:
        """Give the present run these bookmarks, one per step."""
        if self._runs.run is not None:
            by_step = {mark.step: mark for mark in bookmarks}
            self._of[self._runs.run] = tuple(by_step[step] for step in sorted(by_step))
            self._show()

    def add(self) -> None:
        """Set one at the step that is shown, and ask for its name; where there is one already, ask for its name."""
        if self._runs.run is None or self._runs.info is None:
            return
        step = self._rewinding.step if self._rewinding.rewound else self._timeline.track.last
        mark = self._at(step)
        if mark is None:
            mark = Bookmark(step, f"Step {step:,}")
            self.set((*self.get(), mark))
        self._ask(mark)

    def rename(self, step: int, name: str) -> None:
        """Give the bookmark of a step another name; an empty one changes nothing."""
        if name.strip():
            self.set(replace(mark, name=name.strip()) if mark.step == step else mark for mark in self.get())

    def delete(self, step: int) -> None:
        """Remove the bookmark of a step."""
        before = self.get()
        if (mark := self._at(step)) is not None:
            self.set(each for each in before if each is not mark)
            run = self._runs.run
            self._toast.say(f"Deleted the bookmark {mark.name}", "Undo", lambda: self._bring_back(run, mark))

    def _bring_back(self, run: int | None, mark: Bookmark) -> None:
        if run == self._runs.run:
            self.set((*self.get(), mark))

    def next(self) -> None:
        """Show the next bookmark; after the last one, the present."""
        shown = self._rewinding.step
        later = [mark.step for mark in self.get() if self._rewinding.rewound and mark.step > shown]
        if later:
            self._rewinding.scrub(later[0])
        elif self._rewinding.rewound:
            self._rewinding.live()
        else:
            self._toast.say("There is no later bookmark" if self.get() else "No bookmarks yet: B sets one")

    def previous(self) -> None:
        """Show the bookmark before the step that is shown."""
        shown = self._rewinding.step if self._rewinding.rewound else self._timeline.track.last + 1
        earlier = [mark.step for mark in self.get() if mark.step < shown]
        if earlier:
            self._rewinding.scrub(earlier[-1])
        else:
            self._toast.say("There is no earlier bookmark" if self.get() else "No bookmarks yet: B sets one")

    # ------------------------------------------------------------------ what else happens to them

    def _branched(self, run: int, _spec: object, step: int | None) -> None:
        """A branch has the bookmarks of the run that it leaves, up to the step where it leaves it."""
        if step is not None and self._runs.run is not None:
            self._of[self._runs.run] = tuple(mark for mark in self._of.get(run, ()) if mark.step <= step)

    def _adopted(self, event: Opened, *_: object) -> None:
        """Another run is shown; one that goes on from a file has the bookmarks that the file keeps."""
        if event.lesson.bookmarks and event.run not in self._of:
            self._of[event.run] = event.lesson.bookmarks
        self._show()

    def _event(self, event: Event) -> None:
        if isinstance(event, WentBack) and event.run in self._of:
            self._of[event.run] = tuple(mark for mark in self._of[event.run] if mark.step <= event.step)
            self._show()

    # ------------------------------------------------------------------ showing

    def _at(self, step: int) -> Bookmark | None:
        return next((mark for mark in self.get() if mark.step == step), None)

    def _ask(self, mark: Bookmark) -> None:
        self._timeline.name_field.open(mark, QApplication.focusWidget())

    def _show(self) -> None:
        self._timeline.set_bookmarks(self.get())
        self.changed.emit()

    def _fill(self) -> None:
        self.menu.clear()
        step = self._rewinding.step if self._rewinding.rewound else self._timeline.track.last
        self.menu.addAction(f"Bookmark step {step:,}", self.add).setEnabled(self._runs.info is not None)
        if not self.get():
            return
        self.menu.addSeparator()
        self._list(self.menu, self._rewinding.scrub)
        self.menu.addSeparator()
        self._list(self.menu.addMenu("Rename"), self._ask_at)
        self._list(self.menu.addMenu("Delete"), self.delete)

    def _list(self, menu: QMenu, act: Callable[[int], object]) -> None:
        for mark in self.get():
            text = f"{mark.name}\tstep {mark.step:,}".replace("&", "&&")
            menu.addAction(text).triggered.connect(lambda _=False, step=mark.step: act(step))

    def _ask_at(self, step: int) -> None:
        if (mark := self._at(step)) is not None:
            self._ask(mark)

    def _open_menu_of(self, step: int, at: QPoint) -> None:
        """The menu of one flag."""
        menu = QMenu(self._timeline)
        menu.addAction("Rename…", lambda: self._ask_at(step))
        menu.addAction("Delete", lambda: self.delete(step))
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(at)
