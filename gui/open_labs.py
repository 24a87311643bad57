"""The labs that are open in the window: which is shown, how one is left and come back to, and how one is closed.

A lab that is left stays as it is, with its runs, its timeline and its marks; it is paused, or trains on where the
viewer chose so. Closing a lab whose network has learned something that lies in no file writes it to the kept folder
first (see gui/kept.py), and so the earlier runs that undo would bring back. The lab is closed once these files are
complete; where one cannot be written, it stays open.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from gui import kept

if TYPE_CHECKING:
    from engine.messages import Event
    from gui.settings import Settings
    from gui.workbench import Workbench


class OpenLabs(QObject):
    """The workbenches of a window, in the order of their tabs."""

    changed = Signal()  # a lab came, went, or is shown instead of another
    gone = Signal(object, object)  # a workbench that is closed, and the file that keeps its network, or None

    def __init__(self, settings: Settings, parent: QObject) -> None:
        super().__init__(parent)
        self.settings = settings
        self.benches: list[Workbench] = []
        self.shown: Workbench | None = None  # the one that is on screen, or was before the gallery
        self._order: list[Workbench] = []  # the one shown last at the end
        # those that wait for their files: the run that is shown, where it is written, and whether that is done
        self._keeping: dict[Workbench, tuple[int | None, Path | None, bool]] = {}
        self._listening = False
        settings.changed.connect(self._setting_changed)

    def add(self, bench: Workbench) -> None:
        """Another lab is open."""
        self.benches.append(bench)
        self._order.append(bench)
        if not self._listening:  # they share one bridge
            self._listening = True
            bench.bridge.happened.connect(self._event)
        bench.title_changed.connect(self.changed)
        bench.runs.parking.written.connect(lambda: self._finish(bench))
        bench.runs.parking.failed.connect(lambda why: self._stay(bench, why))
        self.changed.emit()

    def of(self, lab_id: str) -> Workbench | None:
        """An open lab of this kind, the one shown last; None where there is none."""
        return next((bench for bench in reversed(self._order) if bench.lab_id == lab_id), None)

    def show(self, bench: Workbench) -> None:
        """This one comes to the screen; the one that was there is left."""
        if self.shown is not None and self.shown is not bench:
            self.shown.leave()
        self.shown = bench
        self._order.remove(bench)
        self._order.append(bench)
        bench.come_back()
        self.changed.emit()

    def beside(self, steps: int) -> Workbench | None:
        """The lab whose tab lies so many places after the one that is shown, going round."""
        if self.shown is None or not self.benches:
            return None
        return self.benches[(self.benches.index(self.shown) + steps) % len(self.benches)]

    def take_all(self) -> list[Workbench]:
        """The window closes: none is open any more. Returns those that were, for the caller to end."""
        benches, self.benches, self.shown = self.benches, [], None
        self._order.clear()
        self._keeping.clear()
        return benches

    def _setting_changed(self, name: str) -> None:
        if name == "train_in_background":
            for bench in self.benches:
                if bench.away and not bench.trains_on:
                    bench.pause()

    # ------------------------------------------------------------------ closing

    def is_keeping(self, bench: Workbench) -> bool:
        """Whether a lab is being closed and waits for its file."""
        return bench in self._keeping

    def close(self, bench: Workbench) -> None:
        """Close a lab; what it has learned is kept first, where it lies in no file."""
        if not bench.bridge.alive or bench.bridge.lost(bench.run):
            self._remove(bench, None)
        elif bench not in self._keeping:
            self._keep(bench)

    def _keep(self, bench: Workbench) -> None:
        self._keeping[bench] = bench.run, None, True
        if bench.unsaved:
            bench.pause()
            try:
                path = kept.place_for(self.settings.kept_folder, bench.lab_id, bench.step)
            except OSError as error:
                self._stay(bench, str(error))
                return
            self._keeping[bench] = bench.run, path, False
            bench.runs.save(path)
        bench.runs.parking.keep_all()
        self._finish(bench)
        if bench in self._keeping:
            self.changed.emit()

    def _event(self, event: Event) -> None:
        from engine.messages import Failed, Saved  # with numpy, which the gallery does without

        for bench, (run, path, _) in tuple(self._keeping.items()):
            if path is not None and isinstance(event, Saved) and event.path == path:
                self._keeping[bench] = run, path, True
                self._finish(bench)
            elif path is not None and isinstance(event, Failed) and event.path == path:
                self._stay(bench, event.summary)
            elif bench.run != run:  # it was replaced meanwhile: the file holds the former one
                del self._keeping[bench]
                self.changed.emit()

    def _finish(self, bench: Workbench) -> None:
        """Close a lab that waits for its files, once all of them are complete."""
        _, path, done = self._keeping.get(bench, (None, None, False))
        if done and not bench.runs.parking.writing:
            self._remove(bench, path)

    def _stay(self, bench: Workbench, why: str) -> None:
        """A file of a lab that is being closed cannot be written: it stays open."""
        if self._keeping.pop(bench, None) is not None:
            bench.saving.not_kept(why)
            self.changed.emit()

    def _remove(self, bench: Workbench, path: Path | None) -> None:
        self._keeping.pop(bench, None)
        place = self.benches.index(bench)
        self.benches.remove(bench)
        self._order.remove(bench)
        if bench is self.shown:
            self.shown = self.benches[min(place, len(self.benches) - 1)] if self.benches else None
        if path is not None or not bench.unsaved:
            bench.autosave.discard()
        bench.close_run()
        self.gone.emit(bench, path)
        bench.close()
        bench.deleteLater()
        self.changed.emit()
