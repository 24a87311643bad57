"""What goes wrong with a run, and what the viewer is offered: all of it in the banner over the views."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject

from engine.data.catalogue import CATALOGUE, megabytes
from engine.messages import Diverged, Failed, GoBack, Mark, NeedsData, RunSpec
from gui import format
from gui.control_panel import dataset_title
from gui.data_offer import Download
from gui.error_banner import Choice, ErrorBanner, report_of
from gui.runs import Pending, Runs
from gui.toast import Toast
from gui.view_grid import BuildingPage, ViewGrid

KEPT = "The previous run continues, with the settings it had."


class Problems(QObject):
    """Says what happened, and does what the viewer chooses."""

    def __init__(
        self, runs: Runs, banner: ErrorBanner, toast: Toast, page: BuildingPage, grid: ViewGrid, parent: QObject
    ) -> None:
        super().__init__(parent)
        self.runs, self.banner, self.toast, self.page, self.grid = runs, banner, toast, page, grid
        self.download: Download | None = None

    def cancel(self) -> None:
        """The lab is closed: stop what is under way."""
        if self.download is not None:
            self.download.cancel()

    # ------------------------------------------------------------------ a run that cannot be built

    def not_built(self, event: Failed) -> None:
        """The new run cannot be built. The former one goes on, and its settings are shown again."""
        pending = self.runs.drop_pending()
        details, report = ("", "") if event.expected else (event.traceback, report_of(event))
        if self.runs.run is not None:
            again = ("Try again", lambda: self._open(pending.spec, pending.told, pending.resume, pending.marks))
            before = "What ran before goes on, as it was." if self.runs.own else KEPT
            text = f"{event.summary}\n{before}"
            self.banner.say(text, again, subject="open", details=details, report=report)
            return
        defaults = replace(pending.spec, hyperparameters={}, dataset="")
        if pending.remembered:
            self._open(defaults)
            self.toast.say("What was set last time no longer fits this lab: it starts with its defaults")
            return
        if self.runs.own:
            self.page.stop("It opens once its file is saved without the error.")
            again = ("Try again", lambda: self._open(pending.spec))
        else:
            self.page.stop("It could not be opened.")
            again = ("Start with the defaults", lambda: self._open(defaults))
        self.banner.say(event.summary, again, subject="open", details=details, report=report or report_of(event))

    def _open(self, spec: RunSpec, told: str = "", resume: Path | None = None, marks: tuple[Mark, ...] = ()) -> None:
        self.banner.dismiss()
        self.page.go_on()
        self.runs.open(spec, told, resume=resume, marks=marks)

    # ------------------------------------------------------------------ data that is not here

    def needs_data(self, event: NeedsData) -> None:
        """The data is not here: offer it, and go on with what there is meanwhile."""
        pending = self.runs.drop_pending()
        known = CATALOGUE.get(event.dataset)
        if known is None or os.environ.get("DEEPSCOPE_OFFLINE"):
            self.banner.say(event.reason, subject="data")
        else:
            text = f"{known.title} is not on this machine: {megabytes(known.bytes)} from {known.source}. "
            text += f"Licence: {known.licence}."
            self.banner.say(text, ("Download", lambda: self._get(pending, event.dataset)), subject="data")
        if self.runs.run is None:
            self.runs.open(replace(pending.spec, dataset=""))

    def _get(self, wanted: Pending, dataset: str) -> None:
        title = CATALOGUE[dataset].title
        download = self.download = Download(dataset, self)
        again = ("Download", lambda: self._get(wanted, dataset))
        self.banner.say(f"Downloading {title}…", ("Cancel", download.cancel), subject="data")
        self.banner.show_progress(0, 1)
        download.progress.connect(self.banner.show_progress)
        download.failed.connect(lambda why: self.banner.say(f"{title}: {why}.", again, subject="data"))
        download.cancelled.connect(self.banner.dismiss)
        download.finished.connect(lambda: self._got(wanted, dataset))
        download.start()

    def _got(self, wanted: Pending, dataset: str) -> None:
        self.banner.dismiss()
        if wanted.resume is not None:  # a saved session that could not go on without its data
            self.runs.open(wanted.spec, resume=wanted.resume)
        elif self.runs.spec is not None:
            self.runs.choose_dataset(dataset)
        else:
            self.runs.open(replace(wanted.spec, dataset=dataset), dataset_title(dataset))

    # ------------------------------------------------------------------ a run that stops

    def diverged(self, event: Diverged) -> None:
        """A metric is no longer a number."""
        became = format.number(event.value).replace("∞", "infinite")
        metric = event.metric[:1].upper() + event.metric[1:]
        choices: list[Choice] = [("Restart", self.runs.start_over)]
        if event.back_to is not None:
            back = GoBack(event.run)
            choices.insert(0, (f"Go back to step {event.back_to:,}", lambda: self.runs.bridge.send(back)))
        self.banner.say(f"{metric} became {became} at step {event.step:,}. {event.cause}", *choices, subject="diverged")

    def engine_ended(self, event: Failed, autosave: Path, step: int | None) -> None:
        """The engine is a new one: the run is lost, but for what was saved."""
        choices: list[Choice] = [("Restart", self.runs.start_over)]
        text = f"{event.summary} It stood at step {event.step:,}"
        if step is not None:
            spec = event.spec
            choices.insert(0, (f"Go on from step {step:,}", lambda: self._open(spec, resume=autosave)))
            text += f"; its autosave of step {step:,} is kept."
        else:
            text += ", and there is no autosave of it."
        self.banner.say(text, *choices, subject="engine")

    def failed(self, event: Failed) -> None:
        """Something raised. A view says so in its own panel, everything else in the banner."""
        what, _, name = event.what.partition(" ")
        if what == "view":
            if name in self.grid.panels:
                self.grid.panels[name].complain(f"This view cannot be drawn.\n{event.summary}", report_of(event))
            return
        if what == "set":
            self.runs.sent.pop(name, None)
            self.runs.settled.emit()
        choices: list[Choice] = [("Restart", self.runs.start_over)] if what == "step" else []
        details, report = ("", "") if event.expected else (event.traceback, report_of(event))
        summary = f"Not exported. {event.summary}" if what == "export" else event.summary
        self.banner.say(summary, *choices, subject=what, details=details, report=report)

    def over(self, *subjects: str) -> None:
        """Take the banner down if it is about one of these."""
        if self.banner.subject in subjects:
            self.banner.dismiss()
