"""One open lab: controls at the left, views in the middle, transport at the bottom, Explain and Code at the right.

A run is replaced only once its successor is built: until `Opened` arrives the former one goes on, so that a setting
that cannot be built loses nothing.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QKeyEvent, QKeySequence, QShowEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QHBoxLayout,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from engine.data.catalogue import CATALOGUE, megabytes
from engine.discovery import find_card
from engine.hyperparameters import HyperparameterError, Value
from engine.messages import (
    Act,
    Changed,
    Diverged,
    Edited,
    Event,
    Failed,
    Frame,
    GoBack,
    LabInfo,
    Log,
    MicroStep,
    NeedsData,
    Opened,
    Pause,
    Paused,
    Play,
    Playing,
    Poke,
    RunSpec,
    Save,
    Saved,
    Set,
    Speed,
    Status,
    StepOnce,
    WentBack,
)
from gui import format
from gui.code_panel import CodePanel
from gui.control_panel import ControlPanel, dataset_title, readable
from gui.data_offer import Download
from gui.error_banner import ErrorBanner, report_of
from gui.explain_panel import ExplainPanel
from gui.session_bridge import SessionBridge
from gui.settings import Settings
from gui.toast import Toast
from gui.transport_bar import TransportBar
from gui.view_grid import BuildingPage, BusyLine, ViewGrid

DEBOUNCE_MS = 250  # a structural slider is being dragged: wait until it rests before building
BUSY_MS = 200  # builds shorter than this need no sign of progress
FLAG_SECONDS = 1.5  # turns of one knob that follow each other closer than this are one flag
DATASET = "@dataset"  # among the remembered hyperparameters


@dataclass(frozen=True)
class Pending:
    """A run that is being built."""

    run: int
    spec: RunSpec
    told: str = ""  # what changed, for the notice once it stands
    play: bool = False
    remembered: bool = False  # made of what was used last time: may no longer fit


class Workbench(QWidget):
    """Shows one lab and drives its run."""

    title_changed = Signal(str, str)  # title, muted words beside it

    def __init__(
        self,
        bridge: SessionBridge,
        lab_id: str,
        settings: Settings,
        parent: QWidget | None = None,
        *,
        resume: Path | None = None,
        values: Mapping[str, Value] | None = None,
        dataset: str = "",
        seed: int | None = None,
    ) -> None:
        super().__init__(parent)
        self.bridge, self.lab_id, self.settings = bridge, lab_id, settings
        self.info: LabInfo | None = None
        self.run: int | None = None
        self.spec: RunSpec | None = None
        self.pending: Pending | None = None
        self._undone: list[RunSpec] = []
        self._done: list[RunSpec] = []
        self._wanted: dict[str, Value] = {}  # structural changes that wait for the slider to rest
        self._sent: dict[str, Value] = {}  # live changes that were not confirmed yet
        self._flags: list[tuple[int, str, str, float]] = []  # step, name, text, when
        self._speed: float | None = None
        self._step = 0
        self._drawn_at: deque[float] = deque(maxlen=120)
        self._download: Download | None = None
        self._told_title = ("", "")
        self._build_widgets()
        self._make_actions()
        self._connect()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._open_first(resume, values, dataset, seed)

    # ------------------------------------------------------------------ widgets

    def _build_widgets(self) -> None:
        card = find_card(self.lab_id)
        self.controls = ControlPanel()
        self.grid = ViewGrid()
        self.grid.budget = self.settings.budget
        self.transport = TransportBar()
        self.banner = ErrorBanner()
        self.busy = BusyLine()
        self.busy.hide()
        self.building = BuildingPage(card.title, "Building the network…")
        self.pages = QStackedWidget()
        self.pages.addWidget(self.building)
        self.pages.addWidget(self.grid)
        self.explain, self.code = ExplainPanel(), CodePanel()
        self.side = QStackedWidget()
        self.side.addWidget(self.explain)
        self.side.addWidget(self.code)
        self.side.setMinimumWidth(300)
        self.side.hide()
        centre = QWidget()
        column = QVBoxLayout(centre)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.banner)
        column.addWidget(self.pages, 1)
        self.toast = Toast(centre)
        self.busy.setParent(centre)
        self.split = QSplitter(Qt.Orientation.Horizontal)
        self.split.setChildrenCollapsible(False)
        self.split.setHandleWidth(5)
        self.split.addWidget(centre)
        self.split.addWidget(self.side)
        self.split.setStretchFactor(0, 1)
        self.split.setStretchFactor(1, 0)
        middle = QHBoxLayout()
        middle.setSpacing(0)
        middle.addWidget(self.controls)
        middle.addWidget(self.split, 1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addLayout(middle, 1)
        outer.addWidget(self.transport)
        self._debounce = QTimer(self, singleShot=True, interval=DEBOUNCE_MS)
        self._debounce.timeout.connect(self._open_wanted)
        self._show_busy = QTimer(self, singleShot=True, interval=BUSY_MS)
        self._show_busy.timeout.connect(self._start_busy)

    def _make_actions(self) -> None:
        self.explain_action = self._toggle("Explain", self.explain)
        self.code_action = self._toggle("Code", self.code)
        self.play_action = self._action("Play or pause", "Space", self._space)
        self._action("Step", "S", self.step_once)
        self._action("Phase", "P", self.micro_step)
        self._action("Restart", "R", self.restart)
        self._action("New seed", "N", self.new_seed)
        self._action("Enlarge view", "F", lambda: self.grid.enlarge("" if self.grid.enlarged else self.grid.current()))
        self.undo_action = self._action("Undo", QKeySequence.StandardKey.Undo, self.undo)
        self.redo_action = self._action("Redo", QKeySequence.StandardKey.Redo, self.redo)
        self._action("Copy picture", QKeySequence.StandardKey.Copy, self._copy)
        self._action("Save session", QKeySequence.StandardKey.Save, self._save)

    def _action(self, text: str, key: str | QKeySequence.StandardKey, pressed: object) -> QAction:
        action = QAction(text, self)
        action.setShortcut(key)
        action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
        action.triggered.connect(lambda: pressed())  # type: ignore[operator]
        self.addAction(action)
        return action

    def _toggle(self, text: str, panel: QWidget) -> QAction:
        action = QAction(text, self)
        action.setCheckable(True)
        action.toggled.connect(lambda on: self._show_side(panel, on))
        return action

    def _connect(self) -> None:
        bridge, controls, transport, grid = self.bridge, self.controls, self.transport, self.grid
        bridge.opened.connect(self._opened)
        bridge.happened.connect(self._event)
        bridge.metrics.connect(self._metrics)
        bridge.frame.connect(self._frame)
        bridge.status.connect(self._status)
        controls.chosen.connect(self.choose)
        controls.dataset_chosen.connect(self.choose_dataset)
        controls.action_pressed.connect(self._act)
        transport.play_pressed.connect(self.toggle_play)
        transport.step_pressed.connect(self.step_once)
        transport.phase_pressed.connect(self.micro_step)
        transport.restart_pressed.connect(self.restart)
        transport.seed_pressed.connect(self.new_seed)
        transport.speed_chosen.connect(self._choose_speed)
        grid.gesture.connect(self._gesture)
        grid.visible_changed.connect(self._watch)
        grid.notice.connect(self.toast.say)
        self.explain.view_pointed.connect(grid.light)
        self.explain.settings_asked.connect(self.apply_settings)
        self.settings.changed.connect(self._setting_changed)

    @property
    def ready(self) -> bool:
        """Whether a run stands, with its form and views."""
        return self.run is not None and self.pending is None

    @property
    def trouble(self) -> str:
        """What the banner says; "" where all is well."""
        return "" if self.banner.isHidden() else self.banner.text.text()

    # ------------------------------------------------------------------ opening runs

    def _open_first(
        self, resume: Path | None, values: Mapping[str, Value] | None, dataset: str, seed: int | None
    ) -> None:
        remembered = {} if resume or values is not None else self.settings.hyperparameters(self.lab_id)
        last = str(remembered.pop(DATASET, ""))
        spec = RunSpec(self.lab_id, values or remembered, dataset or last, seed or 0, self.settings.device)
        run = self.bridge.open(spec, resume)
        self.pending = Pending(run, spec, remembered=bool(remembered or last))

    def _open(self, spec: RunSpec, told: str = "", *, play: bool | None = None) -> None:
        """Build a run; the present one goes on until it stands."""
        if self.pending is not None:
            self.bridge.close(self.pending.run)
        play = self.transport.playing if play is None else play
        self.pending = Pending(self.bridge.open(spec), spec, told, play)
        self._show_busy.start()

    def _start_busy(self) -> None:
        self.busy.setGeometry(0, self.pages.y(), self.pages.width(), 3)
        self.busy.show()
        self.busy.raise_()
        self.transport.say("building…")

    def _stop_busy(self) -> None:
        self._show_busy.stop()
        self.busy.hide()

    def _opened(self, event: Opened) -> None:
        pending = self.pending
        if pending is None or event.run != pending.run:
            return
        former_run, former_spec = self.run, self.spec
        playing = pending.play or (former_run is not None and self.transport.playing)
        self.run, self.spec, self.pending = event.run, event.spec, None
        if former_run is not None:
            self.bridge.close(former_run)
        self._stop_busy()
        if self.info is None:
            self._build(event.lab)
        if self.banner.subject != "data":
            self.banner.dismiss()
        self._sent.clear()
        self._flags.clear()
        self._step = event.step
        self.controls.show_values({**event.spec.hyperparameters, **self._wanted}, event.spec.dataset)
        self.controls.show_facts(event.facts)
        self.grid.set_flags([])
        self.grid.show_metrics(self.bridge.history(event.run), event.step, now=True)
        self.code.light_phase("")
        self.transport.show_enabled(True)
        if self._speed is not None:
            self.bridge.send(Speed(event.run, self._speed))
        self._watch()
        if playing:
            self.bridge.send(Play(event.run))
        if pending.told and former_spec is not None:
            self._done.append(former_spec)
            self._undone.clear()
            self.toast.say(f"Restarted with {pending.told}", "Undo", self.undo)
        self._remember()
        self._tell_title()

    def _build(self, info: LabInfo) -> None:
        """The first run of this lab stands: make its form and its views."""
        self.info = info
        self.controls.build(info)
        self.grid.build(info)
        self.pages.setCurrentWidget(self.grid)
        for panel, action in ((self.explain, self.explain_action), (self.code, self.code_action)):
            if action.isChecked():
                self._fill_side(panel)

    def _tell_title(self) -> None:
        assert self.info is not None
        assert self.spec is not None
        self.title_changed.emit(self.info.title, f"{self.info.chapter} · seed {self.spec.seed}")

    def close_run(self) -> None:
        """End the run, and whatever is under way; nothing is heard of it any more."""
        self._remember()
        self._debounce.stop()
        self._stop_busy()
        if self._download is not None:
            self._download.cancel()
        for run in (self.pending.run if self.pending else None, self.run):
            if run is not None:
                self.bridge.close(run)
        self.run = self.pending = None

    def _remember(self) -> None:
        if self.spec is not None:
            values = {**self.spec.hyperparameters, DATASET: self.spec.dataset}
            self.settings.remember_hyperparameters(self.lab_id, values)

    # ------------------------------------------------------------------ what the viewer changes

    def choose(self, name: str, value: Value) -> None:
        """A knob was turned: live ones act at the next step, the others build anew once the knob rests."""
        if self.info is None or self.run is None:
            return
        if self.info.hyperparameters[name].rebuilds:
            self._wanted[name] = value
            self._debounce.start()
        else:
            self._sent[name] = value
            self.bridge.send(Set(self.run, name, value))
        self.controls.show_value(name, value)

    def _target(self) -> RunSpec | None:
        """What the next run is derived from: the one being built, else the present one."""
        return self.pending.spec if self.pending else self.spec

    def _open_wanted(self) -> None:
        target = self._target()
        if target is None or self.info is None or not self._wanted:
            return
        wanted, self._wanted = self._wanted, {}
        declared = self.info.hyperparameters
        told = ", ".join(readable(declared[name], value) for name, value in wanted.items())
        values = {**target.hyperparameters, **self._live_values(), **wanted}
        self._open(replace(target, hyperparameters=values), told)

    def _live_values(self) -> dict[str, Value]:
        """The live and view hyperparameters as they stand: a restart keeps them."""
        if self.info is None or self.spec is None:
            return {}
        declared = self.info.hyperparameters
        return {n: v for n, v in {**self.spec.hyperparameters, **self._sent}.items() if not declared[n].rebuilds}

    def choose_dataset(self, name: str) -> None:
        """Learn from other data: a new run with the same seed."""
        target = self._target()
        if target is not None:
            values = {**target.hyperparameters, **self._live_values()}
            self._open(replace(target, hyperparameters=values, dataset=name), dataset_title(name))

    def apply_settings(self, asked: Mapping[str, str]) -> None:
        """Set hyperparameters (and `dataset`) given as text, as a link in a guide does, and train."""
        target = self._target()
        if self.info is None or self.run is None or target is None:
            return
        declared = self.info.hyperparameters
        by_label = {d.label.lower().replace(" ", "_").replace(",", ""): n for n, d in declared.items()}
        values: dict[str, Value] = {}
        try:
            for word, text in asked.items():
                name = word if word in declared else by_label.get(word, "")
                if name:
                    values[name] = declared[name].parse(text)
                elif word != "dataset":
                    raise HyperparameterError(f"this lab has no {word!r}")
        except HyperparameterError as error:
            self.banner.say(f"That link does not fit this lab: {error}", subject="link")
            return
        dataset = asked.get("dataset", target.dataset)
        structural = {n for n, v in values.items() if declared[n].rebuilds and target.hyperparameters.get(n) != v}
        if structural or dataset != target.dataset:
            told = ", ".join(
                [readable(declared[name], value) for name, value in values.items()]
                + ([dataset_title(dataset)] if dataset != target.dataset else [])
            )
            both = {**target.hyperparameters, **self._live_values(), **values}
            self._open(replace(target, hyperparameters=both, dataset=dataset), told, play=True)
            return
        for name, value in values.items():
            if not declared[name].rebuilds:
                self.choose(name, value)
        self.bridge.send(Play(self.run))

    def undo(self) -> None:
        """Bring back the hyperparameters, data and seed of the former run."""
        self._swap(self._done, self._undone)

    def redo(self) -> None:
        """Take back an undo."""
        self._swap(self._undone, self._done)

    def _swap(self, source: list[RunSpec], target: list[RunSpec]) -> None:
        if source and self.spec is not None:
            self._debounce.stop()
            self._wanted.clear()
            target.append(self.spec)
            self._open(source.pop())

    def restart(self) -> None:
        """From the beginning, with the same seed."""
        self._start_over(0)

    def new_seed(self) -> None:
        """From the beginning, with the next seed."""
        self._start_over(1)

    def _start_over(self, seeds: int) -> None:
        target = self._target()
        if target is None:
            return
        self._debounce.stop()
        wanted, self._wanted = self._wanted, {}
        values = {**target.hyperparameters, **self._live_values(), **wanted}
        self._open(replace(target, hyperparameters=values, seed=target.seed + seeds))

    def _setting_changed(self, name: str) -> None:
        if name == "budget":
            self.grid.budget = self.settings.budget
        elif name == "device" and self.spec is not None and self.spec.device != self.settings.device:
            self._open(replace(self.spec, device=self.settings.device))

    # ------------------------------------------------------------------ transport

    def toggle_play(self) -> None:
        """Play, or pause."""
        if self.run is not None:
            self.bridge.send(Pause(self.run) if self.transport.playing else Play(self.run))

    def step_once(self) -> None:
        """One step."""
        if self.run is not None:
            self.bridge.send(StepOnce(self.run))

    def micro_step(self) -> None:
        """One phase."""
        if self.run is not None:
            self.bridge.send(MicroStep(self.run))

    def _choose_speed(self, speed: float | None) -> None:
        self._speed = speed
        if self.run is not None:
            self.bridge.send(Speed(self.run, speed))

    def _act(self, name: str) -> None:
        if self.run is not None:
            self.bridge.send(Act(self.run, name))

    def _gesture(self, view: str, gesture: object, edit: bool) -> None:
        if self.run is not None:
            self.bridge.send(Poke(self.run, view, gesture, edit))  # type: ignore[arg-type]

    def _save(self) -> None:
        from PySide6.QtWidgets import QFileDialog

        if self.run is None:
            return
        name, _ = QFileDialog.getSaveFileName(
            self, "Save session", f"{self.lab_id}.deepscope", "Deepscope sessions (*.deepscope)"
        )
        if name:
            self.bridge.send(Save(self.run, Path(name).with_suffix(".deepscope")))

    # ------------------------------------------------------------------ what the session says

    def _event(self, event: Event) -> None:
        if self.pending is not None and event.run == self.pending.run:
            match event:
                case NeedsData():
                    self._needs_data(event)
                case Failed():
                    self._not_built(event)
                case _:
                    pass
        if event.run != self.run:
            return
        match event:
            case Playing():
                self.transport.show_playing(True)
                self.code.light_phase("")
                if self.banner.subject in ("diverged", "step"):
                    self.banner.dismiss()
            case Paused(step=step, phase=phase):
                self._step = step
                self.transport.show_playing(False)
                self.code.light_phase(phase)
                self.grid.show_metrics(self.bridge.history(event.run), step, now=True)
            case Changed():
                self._changed(event)
            case Edited(step=step, what=what):
                self._flag(step, what, what)
            case Saved(path=path):
                self.toast.say(f"Saved {path.name}")
            case WentBack(step=step):
                self._went_back(step)
            case Diverged():
                self._diverged(event)
            case Failed():
                self._failed(event)
            case Log(text=text):
                self.toast.say(text)
            case _:
                pass

    def _changed(self, event: Changed) -> None:
        assert self.info is not None
        assert self.spec is not None
        self.spec = replace(self.spec, hyperparameters={**self.spec.hyperparameters, event.name: event.new})
        if event.name in self._sent and self._sent[event.name] != event.new:
            return  # the viewer is still turning this knob: what he chose last is on its way
        self._sent.pop(event.name, None)
        self.controls.show_value(event.name, event.new)
        if not event.view_only:
            self._flag(event.step, event.name, readable(self.info.hyperparameters[event.name], event.new))

    def _flag(self, step: int, name: str, text: str) -> None:
        """Mark the curves; a knob that is being dragged leaves one flag."""
        now = time.monotonic()
        if self._flags and self._flags[-1][1] == name and now - self._flags[-1][3] < FLAG_SECONDS:
            step = self._flags.pop()[0]
        self._flags.append((step, name, text, now))
        self.grid.set_flags([(at, words) for at, _, words, _ in self._flags])

    def _went_back(self, step: int) -> None:
        assert self.run is not None
        self._step = step
        self._flags = [flag for flag in self._flags if flag[0] <= step]
        self.grid.set_flags([(at, words) for at, _, words, _ in self._flags])
        self.grid.show_metrics(self.bridge.history(self.run), step, now=True)
        self.banner.dismiss()

    def _metrics(self, run: int, names: tuple[str, ...]) -> None:
        if run == self.run:
            self.grid.show_metrics(self.bridge.history(run), self._step, names=names)

    def _frame(self, frame: Frame) -> None:
        if frame.run == self.run:
            self.grid.show_frame(frame)
            now = time.monotonic()
            if not self._drawn_at or now - self._drawn_at[-1] > 0.01:
                self._drawn_at.append(now)

    def _status(self, status: Status) -> None:
        if status.run != self.run:
            return
        self._step = status.step
        since = time.monotonic() - 1
        while self._drawn_at and self._drawn_at[0] < since:
            self._drawn_at.popleft()
        if self.pending is None or not self.busy.isVisible():
            self.transport.show_where(status)
        self.transport.show_hud(status, len(self._drawn_at))

    # ------------------------------------------------------------------ what goes wrong

    def _not_built(self, event: Failed) -> None:
        """The new run cannot be built. The former one goes on, and its settings are shown again."""
        pending, self.pending = self.pending, None
        assert pending is not None
        self.bridge.close(event.run)
        self._stop_busy()
        details = "" if event.expected else event.traceback
        if self.run is None or self.spec is None:
            if pending.remembered:
                self._open(replace(pending.spec, hyperparameters={}, dataset=""))
                self.toast.say("What was set last time no longer fits this lab: it starts with its defaults")
                return
            defaults = replace(pending.spec, hyperparameters={}, dataset="")
            again = ("Start with the defaults", lambda: self._try_again(defaults))
            self.building.stop(event.summary)
            self.banner.say(event.summary, again, subject="open", details=details, report=report_of(event))
            return
        self._show_present()
        again = ("Try again", lambda: self._try_again(pending.spec, pending.told))
        text = f"{event.summary}\nThe run before goes on, with the settings it had."
        self.banner.say(text, again, subject="open", details=details, report="" if event.expected else report_of(event))

    def _try_again(self, spec: RunSpec, told: str = "") -> None:
        self.banner.dismiss()
        self.building.go_on()
        self._open(spec, told)

    def _show_present(self) -> None:
        """Put the form back to the run that is there."""
        if self.spec is not None:
            self.controls.show_values({**self.spec.hyperparameters, **self._sent}, self.spec.dataset)

    def _needs_data(self, event: NeedsData) -> None:
        """The data is not here: offer it, and go on with what there is meanwhile."""
        pending, self.pending = self.pending, None
        assert pending is not None
        self.bridge.close(event.run)
        self._stop_busy()
        self._show_present()
        known = CATALOGUE.get(event.dataset)
        if known is None or os.environ.get("DEEPSCOPE_OFFLINE"):
            self.banner.say(event.reason, subject="data")
        else:
            text = f"{known.title} is not on this machine: {megabytes(known.bytes)} from {known.source}. "
            text += f"Licence: {known.licence}."
            get = ("Download", lambda: self._get(pending.spec, event.dataset))
            self.banner.say(text, get, subject="data")
        if self.run is None:
            self._open(replace(pending.spec, dataset=""))

    def _get(self, spec: RunSpec, dataset: str) -> None:
        title = CATALOGUE[dataset].title
        download = self._download = Download(dataset, self)
        again = ("Download", lambda: self._get(spec, dataset))
        self.banner.say(f"Downloading {title}…", ("Cancel", download.cancel), subject="data")
        self.banner.show_progress(0, 1)
        download.progress.connect(self.banner.show_progress)
        download.failed.connect(lambda why: self.banner.say(f"{title}: {why}.", again, subject="data"))
        download.cancelled.connect(self.banner.dismiss)
        download.finished.connect(lambda: self._got(replace(self._target() or spec, dataset=dataset)))
        download.start()

    def _got(self, spec: RunSpec) -> None:
        self.banner.dismiss()
        self._open(spec, dataset_title(spec.dataset))

    def _diverged(self, event: Diverged) -> None:
        self.transport.show_playing(False)
        became = format.number(event.value).replace("∞", "infinite")
        metric = event.metric[:1].upper() + event.metric[1:]
        choices = [("Restart", self.restart)]
        if event.back_to is not None and self.run is not None:
            run = self.run
            choices.insert(0, (f"Go back to step {event.back_to:,}", lambda: self.bridge.send(GoBack(run))))
        self.banner.say(f"{metric} became {became} at step {event.step:,}. {event.cause}", *choices, subject="diverged")

    def _failed(self, event: Failed) -> None:
        what, _, name = event.what.partition(" ")
        if what == "view":
            if name in self.grid.panels:
                self.grid.panels[name].complain(f"This view cannot be drawn.\n{event.summary}", report_of(event))
            return
        if what == "set":
            self._sent.pop(name, None)
            self._show_present()
        choices = [("Restart", self.restart)] if what == "step" else []
        details, report = ("", "") if event.expected else (event.traceback, report_of(event))
        self.banner.say(event.summary, *choices, subject=what, details=details, report=report)

    # ------------------------------------------------------------------ Explain and Code

    def explain_toggled(self, on: bool) -> None:
        """Show or hide the explanation."""
        self.explain_action.setChecked(on)

    def code_toggled(self, on: bool) -> None:
        """Show or hide the code."""
        self.code_action.setChecked(on)

    def _show_side(self, panel: QWidget, on: bool) -> None:
        other = self.code_action if panel is self.explain else self.explain_action
        if on:
            other.setChecked(False)
            self._fill_side(panel)
            self.side.setCurrentWidget(panel)
            self.side.show()
            wide = 460 if panel is self.code else 380
            self.split.setSizes([max(400, self.split.width() - wide), wide])
        elif not other.isChecked():
            self.side.hide()
            self.grid.light("")

    def _fill_side(self, panel: QWidget) -> None:
        if self.info is None or panel.property("filled"):
            return
        panel.setProperty("filled", True)
        if panel is self.explain:
            self.explain.show_lab(self.info)
        else:
            self.code.show_file(self.info.source)

    # ------------------------------------------------------------------ keys, focus, visibility

    def _space(self) -> None:
        """Space plays, unless the keyboard stands on something that Space presses."""
        focus = QApplication.focusWidget()
        if isinstance(focus, QAbstractButton) and focus.isEnabled():
            focus.click()
        elif isinstance(focus, QComboBox):
            focus.showPopup()
        else:
            self.toggle_play()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Right and not event.modifiers():
            self.step_once()
        elif event.key() == Qt.Key.Key_Escape and self.grid.enlarged:
            self.grid.enlarge("")
        else:
            super().keyPressEvent(event)

    def _copy(self) -> None:
        if (name := self.grid.enlarged or self.grid.current()) in self.grid.panels:
            self.grid.panels[name].copy_picture()

    def _watch(self) -> None:
        if self.run is not None:
            self.bridge.watch(self.run, self.grid.visible_views(), self.grid.take_drawn)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.window().installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.WindowStateChange:
            self._watch()  # nothing is drawn for a minimised window
        return False
