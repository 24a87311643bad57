"""The viewer's own data on their way into a lab: shown before they are used, their reading told and stopped."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from engine.data.catalogue import CATALOGUE
from engine.messages import Event, Reading
from gui.control_panel import dataset_title
from gui.data_preview import DataPreview

if TYPE_CHECKING:
    from gui.workbench import Workbench

SUBJECT = "reading"  # of the banner


class OwnData(QObject):
    """Asks before own data that were not used yet take the place of others; the run before goes on meanwhile."""

    def __init__(self, bench: Workbench) -> None:
        super().__init__(bench)
        self.bench = bench
        self.dialog: DataPreview | None = None
        self._told = 0  # the run whose reading stands in the banner, or stood there
        bench.controls.dataset_chosen.connect(bench.runs.choose_dataset)
        bench.controls.data_offered.connect(self.offer)
        bench.bridge.happened.connect(self._happened)
        bench.runs.adopted.connect(self._read)

    def offer(self, path: str) -> None:
        """Show what is there; it is learnt from once the viewer says so."""
        info = self.bench.info
        if info is None:
            return
        if self.dialog is not None:
            self.dialog.reject()
        dialog = self.dialog = DataPreview(path, info.title, info.accepts, self.bench)
        dialog.chosen.connect(self.bench.runs.choose_dataset)
        dialog.finished.connect(self._dialog_over)
        dialog.show()
        dialog.place_over(self.bench)

    def close(self) -> None:
        """The lab is closed, and the preview with it."""
        if self.dialog is not None:
            self.dialog.end()

    def _dialog_over(self) -> None:
        self.dialog = None

    # ------------------------------------------------------------------ while a run is built from them

    def _happened(self, event: Event) -> None:
        pending = self.bench.runs.pending
        if not isinstance(event, Reading) or pending is None or event.run != pending.run:
            return
        if pending.spec.dataset in CATALOGUE:
            return  # quick to read
        banner = self.bench.banner
        if self._told != event.run:
            self._told = event.run
            banner.say(f"Reading {dataset_title(pending.spec.dataset)}…", ("Cancel", self.stop), subject=SUBJECT)
        if banner.subject == SUBJECT and not banner.isHidden():  # the viewer may have put it away
            banner.show_progress(event.done, event.total)
            banner.progress.setToolTip("")  # not all that is counted are bytes

    def stop(self) -> None:
        """The viewer no longer wants them: what ran before goes on."""
        self._read()
        if self.bench.runs.pending is None:
            return
        pending = self.bench.runs.drop_pending()
        self.bench.stop_busy()
        if self.bench.runs.run is None:  # nothing ran before
            self.bench.runs.open(replace(pending.spec, dataset=""))

    def _read(self) -> None:
        if self.bench.banner.subject == SUBJECT:
            self.bench.banner.dismiss()
