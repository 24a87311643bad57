"""One open lab: controls at the left, views in the middle, transport at the bottom, Explain and Code at the right."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
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

from engine.discovery import find_card
from engine.hyperparameters import HyperparameterError, Value
from engine.messages import (
    Act,
    Changed,
    Command,
    Diverged,
    Edited,
    Event,
    Failed,
    Frame,
    LabInfo,
    Lesson,
    Log,
    MicroStep,
    NeedsData,
    Opened,
    Pause,
    Paused,
    Play,
    Playing,
    Poke,
    Saved,
    Speed,
    Status,
    StepOnce,
    WentBack,
)
from gui import export
from gui.arrangement import Arrangement
from gui.autosave import Autosave
from gui.bookmarks import Bookmarks
from gui.branching import Branching
from gui.changes import Changes
from gui.code_panel import CodeSide
from gui.control_panel import ControlPanel
from gui.earlier import EarlierRuns
from gui.error_banner import ErrorBanner
from gui.explain_panel import ExplainPanel
from gui.flags import Flags
from gui.inside import Inside
from gui.lab_file import LabFile
from gui.own_data import OwnData
from gui.problems import Problems
from gui.rewinding import Rewinding
from gui.runs import Runs
from gui.saving import Saving
from gui.session_bridge import SessionBridge
from gui.settings import DEVICE_NAMES, Settings
from gui.timeline import Timeline
from gui.toast import Toast
from gui.transport_bar import TransportBar
from gui.twins import Twins
from gui.undo import UndoHistory
from gui.view_grid import BuildingPage, BusyLine, ViewGrid

BUSY_MS = 200  # builds shorter than this need no sign of progress
SIDE = {"explain": 380, "code": 460}  # pixels


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
        card = find_card(lab_id)
        self.title, self.subtitle = card.title, card.chapter
        self.step = 0  # as far as the session has told
        self.away = False  # another page of the window is shown
        self.background: bool | None = None  # whether it trains on while it is away; None: as the settings say
        self._safe: tuple[int, int, int] | None = None  # what the viewer saved: the run, and how far it had got
        self._rescued: int | None = None  # a run that came from an autosave, and lies nowhere else
        self.runs = Runs(bridge, lab_id, settings, self)
        self._drawn_at: deque[float] = deque(maxlen=120)
        self._build_widgets()
        self.problems = Problems(self.runs, self.banner, self.toast, self.building, self.grid, self)
        self.saving = Saving(self.runs, self.banner, self.toast, self)
        self.autosave = Autosave(self.runs, settings.autosave_folder, self)
        self.flags = Flags(self.grid, self.timeline, self)
        self.rewinding = Rewinding(self.runs, self.grid, self.timeline, self)
        self.bookmarks = Bookmarks(self.runs, self.rewinding, self.timeline, self.toast, self)
        self.branching = Branching(self.runs, self.flags, self.rewinding, self.timeline, self)
        self.undo = UndoHistory(self.runs, self.toast, self._refused, self)
        self.changes = Changes(self.flags, self.runs, self.rewinding, self.timeline, self.undo, self)
        self._make_actions()
        self.file = LabFile(lab_id, self.code, self.code_action, self.problems, self.grid, self)
        self._connect()
        self.inside = Inside(self)
        self.arrangement = Arrangement(self)
        self.twins, self.earlier, self.own_data = Twins(self), EarlierRuns(self), OwnData(self)
        self.runs.lesson = lambda: Lesson(self.bookmarks.get(), self.earlier.former())
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.runs.open_first(resume, values, dataset, seed)

    @property
    def run(self) -> int | None:
        """The number of the run that is shown."""
        return self.runs.run

    @property
    def info(self) -> LabInfo | None:
        """The lab's declarations, once a run stands."""
        return self.runs.info

    @property
    def ready(self) -> bool:
        """Whether a run stands, with its form and views, and no other is being built."""
        return self.run is not None and self.runs.pending is None

    @property
    def trouble(self) -> str:
        """What the banner says; "" where all is well."""
        return "" if self.banner.isHidden() else self.banner.text.text()

    @property
    def training(self) -> bool:
        """Whether it trains, or is about to."""
        return self.transport.playing or self.transport.wanted

    @property
    def unsaved(self) -> bool:
        """Whether its network has learned something that lies in no file of the viewer's."""
        if self.run is None or self.training:
            return self.run is not None
        learned = self.bridge.learned(self.run)
        return self.run == self._rescued if learned is None else (self.run, *learned) != self._safe

    @property
    def trains_on(self) -> bool:
        """Whether it goes on training while another page is shown."""
        return self.settings.train_in_background if self.background is None else self.background

    def set_background(self, on: bool) -> None:
        """Let it train on while another page is shown, or not; where one is, that holds at once."""
        self.background = on
        if self.away and not on:
            self.pause()
        elif self.away and self.run is not None:
            self._drive(Play, True)

    def leave(self) -> None:
        """Another page is shown: pause, unless it is to train on."""
        self.away = True
        if not self.trains_on:
            self.pause()

    def come_back(self) -> None:
        """It is shown again."""
        self.away = False

    def pause(self) -> None:
        """Let it stand still."""
        if self.training:
            self._drive(Pause, False)

    # ------------------------------------------------------------------ widgets

    def _build_widgets(self) -> None:
        self.controls = ControlPanel()
        self.grid = ViewGrid()
        self.grid.budget = self.settings.budget
        self.transport = TransportBar()
        self.timeline = Timeline()
        self.banner = ErrorBanner()
        self.building = BuildingPage(self.title, "Building the network…")
        self.pages = QStackedWidget()
        self.pages.addWidget(self.building)
        self.pages.addWidget(self.grid)
        centre = QWidget()
        column = QVBoxLayout(centre)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.banner)
        column.addWidget(self.pages, 1)
        self.toast = Toast(centre)
        self.busy = BusyLine(centre)
        self.busy.hide()
        self.explain, self.code = ExplainPanel(), CodeSide()
        self.side = QStackedWidget()
        self.side.addWidget(self.explain)
        self.side.addWidget(self.code)
        self.side.setMinimumWidth(300)
        self.side.hide()
        self.split = QSplitter(Qt.Orientation.Horizontal)
        self.split.setChildrenCollapsible(False)
        self.split.setHandleWidth(5)
        self.split.addWidget(centre)
        self.split.addWidget(self.side)
        self.split.setStretchFactor(0, 1)
        middle = QHBoxLayout()
        middle.setSpacing(0)
        middle.addWidget(self.controls)
        middle.addWidget(self.split, 1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addLayout(middle, 1)
        outer.addWidget(self.timeline)
        outer.addWidget(self.transport)
        self._show_busy = QTimer(self, singleShot=True, interval=BUSY_MS)
        self._show_busy.timeout.connect(self._start_busy)

    def _make_actions(self) -> None:
        self.explain_action = self._toggle("Explain", "E", self.explain)
        self.code_action = self._toggle("Code", "C", self.code)
        self._action("Play or pause", "Space", self._space)
        self._action("Step", "S", self.step_once)
        self._action("Phase", "P", self.micro_step)
        self._action("Restart", "R", self.restart)
        self._action("New seed", "N", self.new_seed)
        self._action("Slower", "[", self.transport.slower)
        self._action("Faster", "]", self.transport.faster)
        self._action("Enlarge view", "F", self._enlarge)
        self._action("Undo", QKeySequence.StandardKey.Undo, self.undo.undo)
        self._action("Redo", "Ctrl+Shift+Z", self.undo.redo)
        self.actions()[-1].setShortcuts([QKeySequence("Ctrl+Shift+Z"), QKeySequence("Ctrl+Y")])
        self._action("Copy picture", QKeySequence.StandardKey.Copy, self._copy)
        self._action("Back to live", "Ctrl+L", self.rewinding.live)
        self._action("Branch from here", "Ctrl+B", lambda: self.rewinding.branch())
        self._action("Bookmark", "B", self.bookmarks.add)
        self._action("Previous bookmark", "Ctrl+Left", self.bookmarks.previous)
        self._action("Next bookmark", "Ctrl+Right", self.bookmarks.next)

    def _action(self, text: str, key: str | QKeySequence.StandardKey, pressed: Callable[[], None]) -> None:
        action = QAction(text, self)
        action.setShortcut(key)
        action.triggered.connect(lambda: pressed())
        self.addAction(action)

    def _toggle(self, text: str, key: str, panel: QWidget) -> QAction:
        action = QAction(text, self, checkable=True, shortcut=QKeySequence(key))
        self.addAction(action)
        action.toggled.connect(lambda on: self._show_side(panel, on))
        return action

    def _connect(self) -> None:
        bridge, controls, transport, grid, runs = self.bridge, self.controls, self.transport, self.grid, self.runs
        bridge.happened.connect(self._event)
        bridge.metrics.connect(self._metrics)
        bridge.frame.connect(self._frame)
        bridge.status.connect(self._status)
        runs.adopted.connect(self._adopted)
        runs.building.connect(self._show_busy.start)
        runs.settled.connect(self._show_values)
        runs.cancelled.connect(self.stop_busy)
        self.rewinding.coarse.connect(
            lambda step: self.toast.say(f"Your picture is shown with the network of step {step:,}, the nearest kept")
        )
        runs.parking.failed.connect(self.toast.say)
        controls.chosen.connect(self._choose)
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

    # ------------------------------------------------------------------ runs

    def _adopted(self, event: Opened, told: str, play: bool | None) -> None:
        """A run stands, the first one, the successor of another or one that is brought back: show it."""
        self.step = event.step
        resumed = self.runs.resumed
        if resumed is not None and self.autosave.adopts(event.run, resumed):
            self._rescued = event.run
        elif resumed is not None and resumed.parent != self.settings.kept_folder:  # else it is asked where to save it
            self.saving.keep(event.run, resumed, event.window)
        playing = (self.transport.playing if play is None else play) and (self.trains_on or not self.away)
        self.stop_busy()
        if self.grid.info != event.lab:
            self._build(event.lab)
        self.problems.over("open", "diverged", "step", "set", "edit", "action", "link", "engine")
        self.flags.restore(event.marks, event.step, event.lab)
        self.rewinding.adopted()
        self._show_values()
        self.controls.show_facts(event.facts)
        self._show_metrics(now=True)
        self.transport.show_enabled(True)
        self.arrangement.restore(event)
        for frame in self.bridge.latest(event.run):  # of a run that is brought back
            self.grid.show_frame(frame)
        self._watch()
        if play is False:
            self.transport.show_playing(False)
        if playing:
            self._drive(Play, True)
        if told:
            self.toast.say(f"Restarted with {told}", "Undo", self.undo.undo)
        if self.runs.asked is not None and self.runs.asked.device != event.spec.device:
            missing = DEVICE_NAMES.get(self.runs.asked.device, self.runs.asked.device)
            self.toast.say(f"{missing} is not on this machine: the device is chosen automatically")
        self.title, self.subtitle = event.lab.title, f"{event.lab.chapter} · seed {event.spec.seed}"
        self.title_changed.emit(self.title, self.subtitle)

    def _build(self, info: LabInfo) -> None:
        """The first run of this lab, or of its code as it now is, stands: make its form and its views."""
        self.controls.build(info)
        self.transport.show_speed(info.speed)
        self.grid.build(info)
        self.pages.setCurrentWidget(self.grid)
        for panel, action in ((self.explain, self.explain_action), (self.code, self.code_action)):
            panel.setProperty("filled", False)
            if action.isChecked():
                self._fill_side(panel)

    def _start_busy(self) -> None:
        self.busy.setGeometry(0, self.pages.y(), self.pages.width(), 3)
        self.busy.show()
        self.transport.say("building…")

    def stop_busy(self) -> None:
        """No run is being built any more."""
        self._show_busy.stop()
        self.busy.hide()

    def close_run(self) -> None:
        """End the run, and whatever is under way; nothing is heard of it any more."""
        self.stop_busy()
        self.problems.cancel()
        self.own_data.close()
        self.autosave.close()
        self.runs.close()

    def restart(self) -> None:
        """From the beginning, with the same seed."""
        self.runs.start_over()

    def new_seed(self) -> None:
        """From the beginning, with the next seed."""
        self.runs.start_over(new_seed=True)

    def apply_settings(self, asked: Mapping[str, str]) -> None:
        """Set hyperparameters (and `dataset`) given as text, and train, from the present on."""
        self.rewinding.live()
        try:
            self.runs.apply_texts(asked)
        except HyperparameterError as error:
            self.banner.say(f"That link does not fit this lab: {error}.", subject="link")

    def _choose(self, name: str, value: Value) -> None:
        declared = self.info.hyperparameters[name] if self.info is not None else None
        if declared is not None and declared.live and self._refused():
            self._show_values()
            return
        self.runs.choose(name, value)
        self.controls.show_value(name, value)

    def _refused(self) -> bool:
        """Whether the views show the past, which nothing changes: then say so, and what to do instead."""
        if not self.rewinding.rewound:
            return False
        step = self.rewinding.step
        self.toast.say(
            f"This is step {step:,}: go back to live (Ctrl+L) or branch (Ctrl+B) to change it",
            "Back to live",
            self.rewinding.live,
        )
        return True

    def _show_values(self) -> None:
        if self.runs.spec is not None:
            self.controls.show_values(self.runs.values(), self.runs.spec.dataset)

    def _setting_changed(self, name: str) -> None:
        if name == "budget":
            self.grid.budget = self.settings.budget
        elif name == "device" and not self.away:
            self.runs.change_device(self.settings.device)

    # ------------------------------------------------------------------ transport

    def toggle_play(self) -> None:
        """Play, or pause: the other of what was asked for last, as the session may not have answered yet."""
        self._drive(Pause if self.transport.wanted else Play, not self.transport.wanted)

    def step_once(self) -> None:
        """One step."""
        self._drive(StepOnce, False)

    def micro_step(self) -> None:
        """One phase."""
        self._drive(MicroStep, False)

    def _drive(self, command: Callable[[int], Command], plays: bool) -> None:
        self.transport.wanted = plays and self.run is not None
        self._tell(command)

    def _tell(self, command: Callable[[int], Command]) -> None:
        if self.run is not None:
            self.bridge.send(command(self.run))

    def _tell_past(self, probe: Callable[[int], Poke | Act]) -> None:
        if self.run is not None:
            self.rewinding.probe(probe(self.run))

    def _choose_speed(self, speed: float | None) -> None:
        self._tell(lambda run: Speed(run, speed))

    def _act(self, name: str) -> None:
        probes = {action.name for action in self.info.actions if action.probe} if self.info is not None else set()
        if self.rewinding.rewound and name in probes:
            self._tell_past(lambda run: Act(run, name))
        elif not self._refused():
            self._tell(lambda run: Act(run, name))

    def _gesture(self, view: str, gesture: object, edit: bool) -> None:
        if edit and self._refused():
            self.rewinding.scrub(self.rewinding.step)  # a view may have drawn the gesture already
            return
        if self.rewinding.rewound:
            self._tell_past(lambda run: Poke(run, view, gesture))  # type: ignore[arg-type]
            return
        self._tell(lambda run: Poke(run, view, gesture, edit))  # type: ignore[arg-type]

    # ------------------------------------------------------------------ what the session says

    def _event(self, event: Event) -> None:
        if self.runs.pending is not None and event.run == self.runs.pending.run:
            self._event_while_building(event)
        elif event.run == self.run:
            self._event_of_run(event)

    def _event_while_building(self, event: Event) -> None:
        match event:
            case NeedsData():
                self.stop_busy()
                self.problems.needs_data(event)
            case Failed():
                self.stop_busy()
                self.problems.not_built(self.file.located(event))

    def _event_of_run(self, event: Event) -> None:
        if self.autosave.concerns(event) or self._concerns_keeping(event):
            return
        match event:
            case Playing():
                self.transport.show_playing(True)
                self._light_phase("")
                self.problems.over("diverged", "step")
            case Paused(phase=phase, step=step):
                self.step = step
                self.transport.show_playing(False)
                self._light_phase(phase)
                self._show_metrics(now=True)
            case Changed():
                self._changed(event)
            case Edited():
                self.flags.happened(event)
            case Saved():
                self._safe = event.run, event.step, (self.bridge.learned(event.run) or (0, 0))[1]
                self._rescued = None
                self.saving.saved(event)
            case WentBack(step=step, marks=marks) if self.info is not None:
                self.step = step
                self.rewinding.live()
                self.flags.restore(marks, step, self.info)
                self._show_metrics(now=True)
                self.problems.over("diverged", "step")
            case Diverged():
                self.transport.show_playing(False)
                self.problems.diverged(self.twins.named(event))
            case Failed(what="engine"):
                self.transport.show_playing(False)
                self.problems.engine_ended(event, self.autosave.path, self.autosave.step_of(event.run))
            case Failed(what="save"):
                self.saving.failed(event)
            case Failed():
                self.problems.failed(self.twins.named(self.file.located(event)))
            case Log(text=text):
                self.toast.say(text)

    def _concerns_keeping(self, event: Event) -> bool:
        """Whether an event answers the keeping of a lab that is being closed."""
        path = event.path if isinstance(event, Saved | Failed) else None
        return path is not None and path.parent == self.settings.kept_folder and path != self.runs.resumed

    def _light_phase(self, phase: str) -> None:
        self.code.light_phase(phase)
        self.explain.light_phase(phase)

    def _changed(self, event: Changed) -> None:
        if self.runs.confirm(event):
            self.controls.show_value(event.name, event.new)
        self.flags.happened(event)

    def _metrics(self, run: int, names: tuple[str, ...]) -> None:
        if run == self.run and self.isVisible():
            self._show_metrics(names, now=not self.transport.playing)

    def _show_metrics(self, names: tuple[str, ...] = (), *, now: bool = False) -> None:
        assert self.run is not None
        if self.rewinding.rewound:
            return
        self.grid.show_metrics(self.bridge.history(self.run), names=names, now=now)

    def _frame(self, frame: Frame) -> None:
        if frame.run == self.run:
            if not self.rewinding.rewound:
                self.grid.show_frame(frame)
            now = time.monotonic()
            if not self._drawn_at or now - self._drawn_at[-1] > 0.01:
                self._drawn_at.append(now)

    def _status(self, status: Status) -> None:
        if status.run != self.run:
            return
        self.step = status.step
        since = time.monotonic() - 1
        while self._drawn_at and self._drawn_at[0] < since:
            self._drawn_at.popleft()
        if self.busy.isHidden():
            self.transport.show_where(status)
        self.transport.show_hud(status, len(self._drawn_at))
        self.grid.leisure = status.playing and self.transport.keeps_pace
        replaced = {name: what for name, what in status.replaced.items() if name not in self.runs.sent}
        self.controls.show_replaced(replaced, self.runs.values())

    # ------------------------------------------------------------------ Explain and Code

    def _show_side(self, panel: QWidget, on: bool) -> None:
        other = self.code_action if panel is self.explain else self.explain_action
        if on:
            other.setChecked(False)
            self._fill_side(panel)
            self.side.setCurrentWidget(panel)
            self.side.show()
            width = SIDE["code" if panel is self.code else "explain"]
            self.split.setSizes([max(400, self.split.width() - width), width])
        elif not other.isChecked():
            self.side.hide()
            self.grid.light("")

    def _fill_side(self, panel: QWidget) -> None:
        if self.runs.info is None or panel.property("filled"):
            return
        panel.setProperty("filled", True)
        if panel is self.explain:
            self.explain.show_lab(self.runs.info)
        else:
            self.code.show_file(self.runs.info.source)

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
        ways = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        if self.rewinding.rewound and event.key() in ways and not event.modifiers():
            self.rewinding.walk(ways[Qt.Key(event.key())])
        elif event.key() == Qt.Key.Key_Right and not event.modifiers():
            self.step_once()
        elif event.key() == Qt.Key.Key_Escape and self.grid.enlarged:
            self.grid.enlarge("")
        else:
            super().keyPressEvent(event)

    def _enlarge(self) -> None:
        self.grid.enlarge("" if self.grid.enlarged else self.grid.current())

    def _copy(self) -> None:
        """Selected text where there is any, else a picture of the view."""
        if export.copy_selection(QApplication.focusWidget()):
            return
        if (name := self.grid.enlarged or self.grid.current()) in self.grid.panels:
            self.grid.panels[name].copy_picture()

    def _watch(self) -> None:
        if self.run is not None:
            self.bridge.watch(self.run, self.grid.visible_views(), self.grid.take_drawn)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.window().installEventFilter(self)
        if self.run is not None:
            self._show_metrics(now=True)  # those that came while another page was shown

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.WindowStateChange:
            self._watch()  # nothing is drawn for a minimised window
        return False
