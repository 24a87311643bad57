"""The one file of the window that knows the session: it sends commands, polls for news and hands them on.

The session lives on a thread of its own and never calls the window. A timer asks it for news at display rate; nothing
crosses as a Qt signal, because one signal per training step would put the window seconds behind.
"""

from __future__ import annotations

import copy
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from engine.hyperparameters import Value
from engine.messages import (
    Act,
    Branch,
    Budget,
    Changed,
    Close,
    Closed,
    Command,
    Diverged,
    Edited,
    Event,
    Failed,
    Frame,
    Lockstep,
    Look,
    LookBack,
    Mark,
    MicroStep,
    NeedsData,
    News,
    Open,
    Opened,
    Pause,
    Paused,
    Play,
    Playing,
    Poke,
    Revert,
    RunSpec,
    Set,
    Speed,
    StepOnce,
    Together,
    WentBack,
)
from engine.recorder import MetricHistory
from engine.tape import Tape, fit

if TYPE_CHECKING:
    from engine.heartbeat import Doing
    from engine.session import Session

TRAINING_MS = 33  # at most 30 looks a second while something trains: every redraw takes the interpreter from it
STANDING_MS = 16  # nothing trains, but an answer is awaited
IDLE_MS = 250
AWAKE_SECONDS = 1.0  # how long to stay quick after a command or news
ANSWER_SECONDS = 0.3  # how long after a gesture frames are looked for as often as if nothing trained
LOOK_SECONDS = 0.1
CLOSING = 4.0  # seconds that closing waits for a lab that does not end; files that are being written get longer
INTERRUPTED_MS = 2000  # what a lab's code has to end in once it was interrupted
MEMORY = 512 << 20  # bytes that all runs together may keep: half in frames, half in the session's snapshots

Drawn = Callable[[], Mapping[str, float]]


def _make_session(threads: int) -> Session:
    from engine.session import Session  # its thread loads torch; the window opens meanwhile

    # how long the worker may keep the interpreter while the window waits for it: halves the delay of input (p99)
    sys.setswitchinterval(0.001)
    return Session(threads=threads)


@dataclass
class _Run:
    spec: RunSpec
    history: MetricHistory
    tape: Tape
    latest: dict[str, Frame] = field(default_factory=dict)
    built: bool = False
    playing: bool = False
    views: tuple[str, ...] = ()
    drawn: Drawn | None = None
    looked: float = 0.0
    seen: float = field(default_factory=time.monotonic)  # when it came to the screen, or left it
    said: tuple[str, ...] = field(default=())  # the views of the last Look
    began: int = 0  # the step at which it was opened
    step: int = 0  # the newest step heard of
    changes: int = 0  # commands that let it learn or change it
    lost: bool = False  # with an engine that was ended
    marks: list[Mark] = field(default_factory=list)  # what changed it
    state_size: int = 0  # bytes of its state in a file, as was told last
    snapshots_size: int = 0


@dataclass(frozen=True)
class Standing:
    """How a run stands."""

    spec: RunSpec
    step: int
    playing: bool
    marks: tuple[Mark, ...]


class SessionBridge(QObject):
    """Owns the session and the numbers of the runs. What belongs to a run that was closed is dropped."""

    opened = Signal(object)  # messages.Opened
    happened = Signal(object)  # any messages.Event but Opened
    metrics = Signal(int, object)  # run, the names of the metrics that grew
    frame = Signal(object)  # messages.Frame
    status = Signal(object)  # messages.Status
    polled = Signal()  # all news of one look were handed on
    loaded = Signal()  # torch is there, and with it `devices`
    stuck = Signal(object)  # heartbeat.Doing, while a lab takes far longer than usual; None once it is over

    def __init__(
        self,
        parent: QObject | None = None,
        *,
        threads: int = 0,
        memory: int = MEMORY,
        make_session: Callable[[int], Session] = _make_session,
    ) -> None:
        super().__init__(parent)
        self._threads = threads  # torch's; 0 leaves the choice to the lab
        self._memory = memory
        self._make_session = make_session
        self._session: Session | None = None
        self.devices: dict[str, str] = {}  # "cuda" -> "CUDA: NVIDIA H100", the fastest first; {} until `loaded`
        self._over = False
        self._dead = False  # the session's thread ended by itself: only opening a lab tries anew
        self._runs: dict[int, _Run] = {}
        self._twins: dict[int, dict[int, frozenset[str]]] = {}  # a run's twins, and in what each differs
        self._last_run = 0
        self._awake_until = 0.0
        self._answer_until = 0.0
        self._budget: float | None = None
        self._was_stuck = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._poll)

    # ------------------------------------------------------------------ runs

    def warm_up(self) -> None:
        """Begin to load torch on the session's thread; call it once the first window is painted."""
        if self._session is None and not self._over:
            self._dead = False
            self._session = self._make_session(self._threads)
            self._session.remember(self._memory // 2)
            self._wake()

    def open(self, spec: RunSpec, resume: Path | None = None, marks: tuple[Mark, ...] = ()) -> int:
        """Build a run, changed at the steps of `marks` as they say; `opened`, or `happened` with NeedsData or Failed,
        answers. Returns the run's number."""
        self._last_run += 1
        self._runs[self._last_run] = _Run(spec, MetricHistory(), Tape(self._memory // 2))
        self.send(Open(self._last_run, spec, resume, marks))
        if self._budget is not None:
            self.send(Budget(self._last_run, self._budget))
        return self._last_run

    def branch(self, parent: int, step: int, values: Mapping[str, Value]) -> int:
        """Build a run that goes on where `parent` stood at its latest snapshot not after `step`, with these live
        hyperparameters changed."""
        self._last_run += 1
        former = self._runs[parent]
        self._runs[self._last_run] = _Run(former.spec, copy.deepcopy(former.history), Tape(self._memory // 2))
        self.send(Branch(self._last_run, parent, step, values))
        if self._budget is not None:
            self.send(Budget(self._last_run, self._budget))
        return self._last_run

    def close(self, run: int) -> None:
        """End a run and forget it: nothing more is heard of it."""
        if self._runs.pop(run, None) is not None:
            self.untie(run)
            self.send(Close(run))

    def tie(self, run: int, apart: Sequence[Mapping[str, Value]], marks: tuple[Mark, ...] = ()) -> tuple[int, ...]:
        """Build twins that advance in lock-step with a run that does not train yet, and are closed with it: each is
        like it but for the hyperparameters that its entry of `apart` names.

        What is said to the run that changes it or what it shows is said to the twins at the same step, but for those
        hyperparameters. They look at the same views. Returns the twins' numbers.
        """
        spec, twins = self._runs[run].spec, dict[int, frozenset[str]]()
        for differences in apart:
            its = tuple(mark for mark in marks if mark.kind != "set" or mark.name not in differences)
            values = {**spec.hyperparameters, **differences}
            twins[self.open(replace(spec, hyperparameters=values), marks=its)] = frozenset(differences)
        self.send(Lockstep(run, (run, *twins)))
        self._twins[run] = twins
        self._share_budget()
        return tuple(twins)

    def twins(self, run: int | None) -> tuple[int, ...]:
        """The twins of a run, in their order."""
        return tuple(self._twins.get(run or 0, ()))

    def untie(self, run: int | None, *twins: int) -> None:
        """Close these twins of a run, or all; the rest goes on."""
        if (known := self._twins.get(run or 0)) is None:
            return
        for twin in twins or tuple(known):
            del known[twin]
            self.close(twin)
        if not known:
            del self._twins[run or 0]
        self._share_budget()

    def learned(self, run: int) -> tuple[int, int] | None:
        """How far a run has got, as two numbers that change as it learns; None while it stands as it was opened."""
        state = self._runs.get(run)
        if state is None or (state.changes == 0 and state.step == state.began):
            return None
        return state.step, state.changes

    def standing(self, run: int) -> Standing:
        """How a run that is open stands, as far as was heard."""
        state = self._runs[run]
        return Standing(state.spec, state.step, state.playing, tuple(state.marks))

    def park(self, run: int) -> None:
        """Pause a run and its twins, and look at none of their views: it may be brought back."""
        self.send(Pause(run))
        self.watch(run, ())

    def differences(self, run: int) -> list[dict[str, Value]]:
        """In which hyperparameters each twin of a run is another than it."""
        twins = self._twins.get(run, {})
        return [{name: self._runs[twin].spec.hyperparameters[name] for name in names} for twin, names in twins.items()]

    def history(self, run: int) -> MetricHistory:
        """The metrics of a run that is open."""
        return self._runs[run].history

    def tape(self, run: int) -> Tape:
        """The frames recorded of a run that is open."""
        return self._runs[run].tape

    def sizes(self, run: int) -> tuple[int, int]:
        """About how many bytes a file of a run takes: for its state, and for its recorded frames and snapshots."""
        state = self._runs[run]
        return state.state_size, state.tape.bytes + state.snapshots_size

    def latest(self, run: int) -> tuple[Frame, ...]:
        """The newest frame of each view."""
        return tuple(self._runs[run].latest.values())

    def send(self, command: Command) -> None:
        """Give the session a command; its answer is looked for at once."""
        if isinstance(command, Set | Poke | Act | Revert | LookBack):
            self._answer_until = time.monotonic() + ANSWER_SECONDS
            if twins := self._twins.get(command.run):
                name = command.name if isinstance(command, Set) else ""
                theirs = tuple(replace(command, run=twin) for twin, apart in twins.items() if name not in apart)
                command = Together(command.run, (command, *theirs))
        state = self._runs.get(command.run)
        if state is not None and state.lost:
            if not isinstance(command, Close | Look | Budget | Speed):
                QTimer.singleShot(0, self, lambda: self._tell_lost(command.run))
            return
        if state is not None and _teaches(command):
            state.changes += 1
        if not self._dead or isinstance(command, Open):
            self.warm_up()
        if self._session is not None:
            self._session.send(command)
            self._wake()

    def watch(self, run: int, views: tuple[str, ...], drawn: Drawn | None = None) -> None:
        """Say which views are visible; `drawn` is asked what each of them cost to draw since it was last asked."""
        if (state := self._runs.get(run)) is not None:
            state.views = views
            state.seen = time.monotonic()
            state.drawn = drawn or state.drawn
            self._look(run, state, time.monotonic())
            for twin in self.twins(run):
                self.watch(twin, views)

    @property
    def alive(self) -> bool:
        """Whether there is an engine that can answer."""
        return self._session is not None and self._session.alive

    def set_budget(self, share: float) -> None:
        """The share of the worker's time that watching may take, now and in runs to come."""
        self._budget = share
        self._share_budget()

    def _share_budget(self) -> None:
        """A run and its twins have together what one has alone."""
        if self._budget is not None:
            many = {each: 1 + len(twins) for run, twins in self._twins.items() for each in (run, *twins)}
            for run in self._runs:
                self.send(Budget(run, self._budget / many.get(run, 1)))

    @property
    def recorded(self) -> int:
        """How many bytes the frames and snapshots of all runs take."""
        frames = sum(state.tape.bytes for state in self._runs.values())
        return frames + (self._session.remembered if self._session is not None else 0)

    def _thin_frames(self) -> None:
        """Keep the frames of all runs within their half of the memory: those of the run thin first that was not looked
        at for longest, those of the runs on screen last."""
        hidden = sorted((state for state in self._runs.values() if not state.views), key=lambda state: state.seen)
        seen = [state.tape for state in self._runs.values() if state.views]
        fit([*([state.tape] for state in hidden), seen], self._memory // 2)

    def set_memory(self, memory: int) -> None:
        """How many bytes all runs together may keep for rewinding. With less, they are thinned at once."""
        self._memory = memory
        for state in self._runs.values():
            state.tape.resize(memory // 2)
        self._thin_frames()
        if self._session is not None:
            self._session.remember(memory // 2)

    def shutdown(self) -> None:
        """Stop polling, stop the session and join its thread. Nothing is heard after that. A thread that is stuck in a
        lab is interrupted; where even that does not help, it is left behind after CLOSING seconds."""
        self._over = True
        self._timer.stop()
        self._runs.clear()
        session, self._session = self._session, None
        if session is not None:
            session.quit(limit=CLOSING)

    # ------------------------------------------------------------------ a lab that does not end

    def line_in(self, path: str) -> tuple[int, bool]:
        """The line of a lab's file that the engine is at, 0 where it is elsewhere; and whether the file is imported."""
        return self._session.line_in(path) if self._session is not None else (0, False)

    def end_engine(self, doing: Doing) -> None:
        """Stop the lab's code, which becomes its error. Where that does not help, begin with a new engine: `happened`
        tells every run that is lost with the old one."""
        if (session := self._session) is not None:
            session.interrupt(doing)
            QTimer.singleShot(INTERRUPTED_MS, self, lambda: self._abandon(session, doing))

    def _abandon(self, session: Session, doing: Doing) -> None:
        if session is not self._session or not session.still(doing):
            return
        session.abandon()
        self._session = None
        self._twins.clear()
        self.warm_up()
        if self._was_stuck:
            self._was_stuck = False
            self.stuck.emit(None)
        for run, state in list(self._runs.items()):
            state.playing, state.built, state.lost = False, True, True
            self._tell_lost(run)

    def lost(self, run: int | None) -> bool:
        """Whether a run went with an engine that was ended: only what was recorded of it is left."""
        return (state := self._runs.get(run or 0)) is not None and state.lost

    def _tell_lost(self, run: int) -> None:
        if (state := self._runs.get(run)) is not None:
            summary = "The engine was ended, and this network with it."
            self.happened.emit(Failed(run, "engine", summary, "", state.step, state.spec, expected=True))

    # ------------------------------------------------------------------ polling

    def _wake(self) -> None:
        self._awake_until = time.monotonic() + AWAKE_SECONDS
        if not self._timer.isActive() or self._timer.remainingTime() > STANDING_MS:
            self._timer.start(STANDING_MS)

    def _poll(self) -> None:
        begin = time.monotonic()
        pause = IDLE_MS
        try:
            pause = self._look_for_news(begin)
        finally:  # whatever was raised: the window must not go still while training goes on
            # the timer must leave room for painting and input, however long the handling took
            spent = (time.monotonic() - begin) * 1000
            if self._session is not None and not self._timer.isActive():
                self._timer.start(round(max(pause - spent, spent, 4)))

    def _look_for_news(self, begin: float) -> int:
        """Hand on what happened; returns in how many milliseconds to look again."""
        session = self._session
        if session is None:
            return IDLE_MS
        dead = not session.alive  # before the news: what it said last is among them
        self._take(session, session.news(), begin)
        if dead:
            self._session_died()
        if ((stuck := session.overdue()) is not None and not dead) or self._was_stuck:
            self._was_stuck = stuck is not None
            self.stuck.emit(stuck)
        playing = any(state.playing for state in self._runs.values())
        awake = playing or begin < self._awake_until
        building = not self.devices or any(not state.built for state in self._runs.values())
        if begin < self._answer_until:
            return STANDING_MS
        return TRAINING_MS if playing or building else STANDING_MS if awake else IDLE_MS

    def _take(self, session: Session, news: News, begin: float) -> None:
        if session.devices and not self.devices:
            self.devices = dict(session.devices)
            self.loaded.emit()
        if news.events or news.metrics or news.frames:
            self._awake_until = begin + AWAKE_SECONDS
        self._hand_on(news)
        for run, state in list(self._runs.items()):
            if state.views and begin - state.looked >= LOOK_SECONDS:
                self._look(run, state, begin)

    def _look(self, run: int, state: _Run, now: float) -> None:
        drawn = {name: seconds for name, seconds in (state.drawn() if state.drawn else {}).items() if seconds > 0}
        if self._session is not None and drawn and (twins := self.twins(run)):
            drawn = {name: seconds / (1 + len(twins)) for name, seconds in drawn.items()}  # each panel draws them all
            for twin in twins:
                self._session.send(Look(twin, state.views, drawn))
        if self._session is not None and (drawn or state.views != state.said):
            self._session.send(Look(run, state.views, drawn))
            state.said, state.looked = state.views, now

    def _hand_on(self, news: News) -> None:
        """Keep the metrics and tell the window; what belongs to runs that were closed is dropped."""
        for batch in news.metrics:
            if (state := self._runs.get(batch.run)) is not None:
                for name, (steps, values) in batch.series.items():
                    state.history.append(name, steps, values)
        for event in news.events:  # going back pauses, so what was measured along with it came before it
            if isinstance(event, WentBack) and (state := self._runs.get(event.run)) is not None:
                state.history.cut(event.step)
                state.tape.cut(event.step)
        for event in news.events:
            if event.run in self._runs:
                self._hand_on_event(event)
        for batch in news.metrics:
            if batch.run in self._runs:
                self.metrics.emit(batch.run, tuple(batch.series))
        for frame in news.frames:
            if (state := self._runs.get(frame.run)) is not None:
                if frame.complete:
                    state.tape.record(frame)
                state.latest[frame.view] = frame
                self.frame.emit(frame)
        if news.frames:
            self._thin_frames()
        for status in news.status:
            if (state := self._runs.get(status.run)) is not None:
                state.playing, state.step = status.playing, status.step
                state.state_size, state.snapshots_size = status.state, status.snapshots
                self.status.emit(status)
        self.polled.emit()

    def _hand_on_event(self, event: Event) -> None:
        state = self._runs[event.run]
        match event:
            case Opened():
                state.spec, state.built, state.marks = event.spec, True, list(event.marks)
                state.began = state.step = event.step
                state.tape = event.tape or state.tape
                state.history.cut(event.step)  # a branch has its parent's up to here
                self.opened.emit(event)
                return
            case Changed(name=name, new=new):
                state.spec = replace(state.spec, hyperparameters={**state.spec.hyperparameters, name: new})
                state.marks += [event.mark] if event.mark is not None else []
            case Edited(mark=Mark() as mark):
                state.marks.append(mark)
            case WentBack(marks=marks):
                state.marks = list(marks)
            case Playing():
                state.playing = True
            case Paused() | Diverged():
                state.playing = False
            case NeedsData() | Failed(what="open" | "resume"):
                state.built = True  # there is nothing more to wait for
            case Failed(what="step"):
                state.playing = False
            case Closed():
                self._runs.pop(event.run, None)
            case _:
                pass
        self.happened.emit(event)

    def _session_died(self) -> None:
        """The thread ended by itself: torch cannot be imported, most likely. Nothing can run any more."""
        session, self._session, self._dead = self._session, None, True
        summary = (session.why_dead if session else "") or "The engine stopped; the terminal shows why."
        for run, state in list(self._runs.items()):
            state.playing = False
            self.happened.emit(Failed(run, "open", summary, "", 0, state.spec, expected=True))


def _teaches(command: Command) -> bool:
    """Whether a command lets a run learn, or changes what it has learned."""
    if isinstance(command, Together):
        return any(map(_teaches, command.commands))
    if isinstance(command, Poke):
        return command.edit
    return isinstance(command, Play | StepOnce | MicroStep | Act | Revert)
