"""The session: one worker thread that owns every lab, network, optimiser and RNG, and nobody else touches them.

Commands go in through a queue; the thread drains it between steps and phases and sleeps on it when nothing trains.
Out come events (lossless, in order), metrics (append-only, in batches) and frames (the latest of each view wins). The
window polls `news` at display rate: a Qt signal per step would leave it seconds behind.

torch's default RNG is one per process, so there is one thread for all runs: they take turns, and each turn begins by
restoring that run's RNG state. That is what makes a run the same, bit for bit, alone or beside another.

This module imports neither torch nor a lab before its thread runs: the window opens while torch is still loading.
"""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import math
import queue
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from engine.heartbeat import BUILDING, Doing, Heartbeat
from engine.interruption import Interrupted
from engine.messages import (
    Act,
    Branch,
    Budget,
    Close,
    Closed,
    Command,
    Event,
    Export,
    Exported,
    Failed,
    Frame,
    GoBack,
    Lesson,
    Lockstep,
    Log,
    Look,
    LookBack,
    MetricBatch,
    MicroStep,
    NeedsData,
    News,
    Open,
    Pause,
    Play,
    Poke,
    Quit,
    Reading,
    Remember,
    Revert,
    RunSpec,
    Save,
    Saved,
    Series,
    Set,
    Speed,
    Status,
    StepOnce,
    Together,
)

if TYPE_CHECKING:
    from engine import lockstep
    from engine.checkpoint import Snapshot
    from engine.run import Run

TURN = 0.006  # seconds of training between two looks at the queue
BACKGROUND = 0.25  # of the time goes to all runs that nobody looks at, while one that is looked at trains
STATUS_INTERVAL = 0.1
READING_INTERVAL = 0.1
END_PATIENCE = 2.0  # seconds that a lab's code has at the end until it is interrupted
EXIT_LIMIT = 4.0  # seconds that an interpreter that exits waits for the thread
SAVE_LIMIT = 30.0  # seconds that a file may take to be written at the end
PATIENCE = 0.1  # seconds that training waits at most, where one gesture follows the other, until it goes on a little


class Session:
    """The worker thread and its mailboxes. Methods may be called from any thread; none of them waits for training."""

    def __init__(self, *, threads: int = 0, memory: int = 256 << 20) -> None:
        self._inbox: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._events: list[Event] = []
        self._metrics: list[MetricBatch] = []
        self._frames: dict[tuple[int, str], Frame] = {}
        self._status: dict[int, Status] = {}
        self._runs: dict[int, Run] = {}
        self._tied: list[lockstep.Lockstep] = []  # the runs that advance together
        self._limits: Any = {"threads": threads, "memory": memory}
        self.remembered = 0  # bytes that the snapshots of all runs take
        self.devices: dict[str, str] = {}  # once torch is loaded: what this machine computes on, the fastest first
        self.why_dead = ""  # a sentence, once the thread has ended by itself
        self._status_at = 0.0
        self._trained_at = 0.0
        self._last = 0  # the run that trained last, as the others are next where a command came meanwhile
        self._void: set[int] = set()  # runs that are to be closed as soon as the thread gets there; 0 is all of them
        self._heart = Heartbeat()
        self._wanted_at = 0.0  # when somebody last asked for something, time.monotonic()
        self._abandoned = False
        # daemon, so that an interpreter that exits without quit() reaches atexit
        self._thread = threading.Thread(target=self._main, name="deepscope-session", daemon=True)
        self._thread.start()
        atexit.register(self._at_exit)

    # ------------------------------------------------------------------------------------ from any thread

    def send(self, command: Command) -> None:
        """Queue a command; it is carried out between two steps or phases.

        Close and Quit make void what still waits before them, but for what is to be saved: a hundred steps asked for
        by a key held down, or the networks that a slider was dragged past, would hold up the next lab for nobody.
        """
        if isinstance(command, Close | Quit):
            with self._lock:
                self._void.add(command.run)
        if not isinstance(command, Look | Budget | Save):  # these come by themselves
            self._wanted_at = time.monotonic()
        self._inbox.put(command)

    def news(self) -> News:
        """All that happened since the last call."""
        with self._lock:
            news = News(
                tuple(self._events), tuple(self._metrics), tuple(self._frames.values()), tuple(self._status.values())
            )
            self._events, self._metrics, self._frames, self._status = [], [], {}, {}
        return news

    def quit(self, limit: float | None = None) -> bool:
        """Close all runs and end the thread; returns when it has ended. May be called again.

        Code of a lab that does not end is interrupted. With a `limit` in seconds the thread is left alone where it goes
        on all the same, and False returned; a file that is being written gets longer.
        """
        atexit.unregister(self._at_exit)
        if not self._thread.is_alive():
            return True
        self.send(Quit())
        begun, interrupted = time.monotonic(), None
        while True:
            self._thread.join(0.05)
            if not self._thread.is_alive():
                return True
            doing, now = self._heart.doing, time.monotonic()
            if doing is not None and doing is not interrupted and now - max(begun, doing.since) > END_PATIENCE:
                self._heart.interrupt(doing)
                interrupted = doing
            saving = doing is not None and doing.what == "save"
            if limit is not None and now - begun > (SAVE_LIMIT if saving else limit):
                return False

    def _at_exit(self) -> None:
        self.quit(limit=EXIT_LIMIT)

    def overdue(self) -> Doing | None:
        """What a lab has been doing for far longer than usual, if it is."""
        return self._heart.overdue(self._wanted_at)

    def still(self, doing: Doing) -> bool:
        """Whether the thread does this at the moment."""
        return self._heart.doing is doing

    def line_in(self, path: str) -> tuple[int, bool]:
        """The line of a lab's file that the thread is at, 0 where it is elsewhere; and whether it is imported."""
        return self._heart.line_in(path)

    def interrupt(self, doing: Doing) -> None:
        """Raise Interrupted in the lab's code: this becomes its error, Failed follows, and all other runs go on."""
        self._heart.interrupt(doing)

    def abandon(self) -> None:
        """Nothing more is wanted of the thread. It ends if it ever comes back from where it is stuck."""
        atexit.unregister(self._at_exit)
        self._abandoned = True
        self._inbox.put(Quit())

    def remember(self, memory: int) -> None:
        """How many bytes the snapshots of all runs together may take."""
        self._inbox.put(Remember(memory))

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    # ------------------------------------------------------------------------------------- on the thread

    def _main(self) -> None:
        self._heart.begin()
        try:
            with self._heart.during(0, "", "load"):
                import engine.run  # noqa: F401  torch is loaded here, on the worker, while the window already stands
                from engine import device

            self.devices = {name: device.describe(name) for name in device.available()}
        except BaseException as error:
            self.why_dead = f"PyTorch could not be loaded: {_line(error)}. Check your installation."
            raise
        try:
            self._serve()
        except BaseException as error:
            self.why_dead = f"The engine stopped because of an error of its own: {_line(error)}."
            raise

    def _serve(self) -> None:
        going = True
        while going and not self._abandoned:
            with contextlib.suppress(Interrupted):  # it came just when the lab's code had ended
                going = self._serve_one()
            if 0 in self._void and self._inbox.empty():  # the interruption may have swallowed the Quit
                break
        self._runs.clear()

    def _serve_one(self) -> bool:
        """Carry out a command, or train and render for a while; False where it is time to end."""
        try:
            command = self._inbox.get(timeout=self._patience())
        except queue.Empty:
            command = None
        if isinstance(command, Quit):
            return False
        if command is not None:
            if isinstance(command, Close | Save) or self._void.isdisjoint((0, command.run)):
                self._guarded(command)
            if isinstance(command, Close):
                with self._lock:
                    self._void.discard(command.run)
        else:
            self._turn()
        return True

    def _patience(self) -> float | None:
        """How long to wait for a command: not at all while there is work, for ever when there is none."""
        if not self._inbox.empty():
            return 0.0
        now, idle = time.perf_counter(), self._idle()
        groups = self._groups()
        waits = [self._wait(together, groups) for together in groups if together.playing]
        waits += [together.rest(now, idle) for together in groups]
        shortest = min(waits, default=math.inf)
        return None if shortest == math.inf else shortest

    def _idle(self) -> bool:
        """Whether all that trains is ahead of its pace: the time until the next step belongs to watching."""
        groups = self._groups()
        return all(self._wait(together, groups) > 0 for together in groups if together.playing)

    def _wait(self, together: lockstep.Lockstep, groups: list[lockstep.Lockstep]) -> float:
        """Seconds until these runs are to train: at their pace, and where nobody looks at them, in their share of the
        time."""
        wait = together.wait()
        if not together.watched and any(each.watched and each.playing for each in groups):
            wait = max(wait, together.runs[0].rests_until - time.perf_counter())
        return wait

    def _rest(self, together: lockstep.Lockstep, groups: list[lockstep.Lockstep], seconds: float) -> None:
        """Runs that nobody looks at have trained for so long: they share their part of the time equally."""
        if not together.watched:
            many = sum(each.playing and not each.watched for each in groups)
            together.runs[0].rests_until = time.perf_counter() + seconds * (many / BACKGROUND - 1)

    def _groups(self) -> list[lockstep.Lockstep]:
        """The runs, those together that advance together."""
        groups = [self._with(run) for run in self._runs.values()]
        return [group for group, run in zip(groups, self._runs.values(), strict=True) if group.runs[0] is run]

    def _turn(self) -> None:
        groups = self._groups()
        for together in groups:
            while together.owed() and self._inbox.empty():  # what the viewer did is answered before anything else
                self._render_next(together)
        owing = any(together.owed() for together in groups)
        if owing and time.perf_counter() - self._trained_at < PATIENCE:
            return
        groups.sort(key=lambda together: together.runs[0].number <= self._last)
        for together in groups:
            begun = time.perf_counter()
            if together.playing and self._wait(together, groups) <= 0:
                self._train(together)
                self._rest(together, groups, time.perf_counter() - begun)
                self._trained_at, self._last = time.perf_counter(), together.runs[0].number
            self._render(together, max(TURN, time.perf_counter() - begun))
            if not self._inbox.empty():
                break
        self._report_status()

    def _with(self, run: Run) -> lockstep.Lockstep:
        """The runs that advance with this one; itself alone as a rule."""
        from engine.lockstep import Lockstep

        return next((tied for tied in self._tied if run in tied.runs), None) or Lockstep((run,))

    def _train(self, together: lockstep.Lockstep) -> None:
        busy = self._inbox.empty
        first = together.runs[0]
        try:
            with self._heart.during(first.number, first.spec.lab, "step"):
                if len(together.runs) == 1:
                    first.work(TURN, lambda: not busy())
                else:
                    together.work(TURN, lambda: not busy())
        except BaseException as error:  # a lab may raise SystemExit, too: it is its error
            culprit = together.take_culprit() or first
            if isinstance(error, Interrupted):
                self._undo_half_a_step(culprit)
            self._fail(culprit.number, "step", error, culprit)
            self._halt(culprit)
        for run in together.runs:
            self._flush(run)
        for run in together.runs if not together.playing else ():
            self._flush(run, force=True)

    def _undo_half_a_step(self, run: Run) -> None:
        """It was interrupted, and its weights may be half updated: go back to the latest snapshot."""
        try:
            with self._heart.during(run.number, run.spec.lab, "step"):
                self._post_all(self._with(run).go_back(run, run.snapshots.steps[-1]))
        except BaseException as error:
            self._fail(run.number, "step", error, run)

    def _halt(self, run: Run) -> None:
        """It stands still, and with it those that advance with it."""
        together = self._with(run)
        together.play(False)
        self._post_states(together)

    def _flush(self, run: Run, *, force: bool = False) -> None:
        for event in run.applied:
            self._post(event)
        run.applied = []
        refused, run.refused = run.refused, []
        for name, error in refused:
            self._fail(run.number, f"set {name}", error, run)
        try:
            with self._heart.during(run.number, run.spec.lab, "step"):  # on a GPU this waits for the steps
                batch, diverged = run.flush(time.perf_counter(), force=force)
        except BaseException as error:
            self._fail(run.number, "step", error, run)
            self._halt(run)
            return
        if batch is not None:
            with self._lock:
                self._metrics.append(batch)
        if diverged is not None:
            self._post(diverged)
            self._halt(run)

    def _render(self, together: lockstep.Lockstep, seconds: float) -> None:
        """Render what is due, for at most about as long as was trained: first pictures do not count the budget. Time
        that the pace leaves idle belongs to watching, until a step is due."""
        until = time.perf_counter() + seconds
        while self._render_next(together):
            if time.perf_counter() >= until or not self._inbox.empty():
                return

    def _render_next(self, together: lockstep.Lockstep) -> bool:
        """Render one slice of the view whose turn it is; False where there is none."""
        due = together.due(time.perf_counter(), self._idle())
        if due is None:
            return False
        name, runs = due
        frames = [self._render_one(run, name) for run in runs]
        with self._lock:
            self._frames.update({(frame.run, name): frame for frame in frames if frame is not None})
        return True

    def _render_one(self, run: Run, name: str) -> Frame | None:
        try:
            with self._heart.during(run.number, run.spec.lab, f"view {name}"):
                return run.watcher.render(name)
        except BaseException as error:
            self._fail(run.number, f"view {name}", error, run)
            return None

    def _report_status(self, *, now: bool = False) -> None:
        at = time.perf_counter()
        if now or at - self._status_at >= STATUS_INTERVAL:
            self._status_at = at
            self._thin_snapshots()
            status = {number: run.status(at) for number, run in self._runs.items()}
            with self._lock:
                self._status.update(status)

    def _thin_snapshots(self) -> None:
        """Keep the snapshots of all runs within their bound: those of the run thin first that was not looked at for
        longest, those of the runs on screen last."""
        from engine.tape import fit

        hidden = sorted((run for run in self._runs.values() if not run.watcher.visible), key=lambda run: run.looked)
        seen = [run.snapshots for run in self._runs.values() if run.watcher.visible]
        fit([*([run.snapshots] for run in hidden), seen], self._limits["memory"])
        self.remembered = sum(run.snapshots.bytes for run in self._runs.values())

    def _post(self, event: Event) -> None:
        with self._lock:
            self._events.append(event)

    def _guarded(self, command: Command) -> None:
        run = self._runs.get(command.run)
        lab = run.spec.lab if run is not None else command.spec.lab if isinstance(command, Open) else ""
        calls = isinstance(command, Open | Branch | StepOnce | MicroStep | Pause | Set | Poke | Act | GoBack | Revert)
        try:
            with self._heart.during(command.run, lab, _what(command)) if calls else contextlib.nullcontext():
                if isinstance(command, Open):
                    self._open(command)
                elif isinstance(command, Branch):
                    self._branch(command)
                elif isinstance(command, Remember):
                    self._limits["memory"] = command.memory
                    for each in self._runs.values():
                        each.snapshots.capacity = command.memory
                elif run is not None:  # a run closed meanwhile: what is said to it is void
                    self._say(command, run)
        except BaseException as error:
            together = self._with(run) if run is not None else None
            culprit = together.take_culprit() if together is not None else None
            if together is not None and (culprit or isinstance(command, StepOnce | MicroStep | Pause)):
                together.play(False)
            failed = culprit or run
            changes = isinstance(command, StepOnce | MicroStep | Pause | Set | Act | Save | Revert)
            if isinstance(error, Interrupted) and failed is not None and (changes or getattr(command, "edit", False)):
                self._undo_half_a_step(failed)
            number = failed.number if failed is not None else command.run
            self._fail(number, "step" if culprit else _what(command), error, failed, command)
            if together is not None:
                self._post_states(together)
        self._report_status(now=True)

    def _say(self, command: Command, run: Run) -> None:
        together = self._with(run)
        phase = run.phase
        self._carry_out(command, run, together)
        if phase and not run.phase and isinstance(command, Save | Poke | Act | Revert | LookBack):
            together.level()
            self._post_states(together)  # the step under way was finished for it
        for each in together.runs:
            self._flush(each, force=not each.playing)

    def _open(self, command: Open) -> None:
        from engine import checkpoint, fitting, session_recording
        from engine.data import DataMissing
        from engine.data.reading import watched
        from engine.run import Run

        curves: Series = {}
        arranged: Mapping[str, str] = {}
        lesson, reopened = Lesson(), session_recording.Reopened()
        try:
            if command.resume is None:
                with watched(self._progress(command.run)) as found:
                    run = Run(command.run, command.spec, **self._limits, script=command.marks)
            else:
                spec, snapshot, curves = checkpoint.load(command.resume)
                spec = RunSpec(spec.lab, spec.hyperparameters, spec.dataset, spec.seed, command.spec.device)
                with watched(self._progress(command.run)) as found:
                    run = Run(command.run, spec, **self._limits)
                fitting.check(run.lab, snapshot)
                reopened = session_recording.reopen(
                    command.resume,
                    command.run,
                    run.lab,
                    run.info.views,
                    self._limits["memory"],
                    self._progress(command.run),
                )
                run.begin_at(snapshot)  # after that: earlier states were compared with the lab as it was then
                run.remember(reopened.snapshots)
                run.origin, run.resumed, run.inherited = run.spec, command.resume, snapshot.marks
                run.marks, arranged, lesson = list(snapshot.history), snapshot.window, snapshot.lesson
                run.resumed_at = snapshot.step
        except DataMissing as missing:
            self._post(NeedsData(command.run, command.spec, missing.dataset, str(missing)))
            return
        run.found = found
        self._runs[command.run] = run
        self._post(dataclasses.replace(run.opened(), window=arranged, lesson=lesson, tape=reopened.tape))
        for problem in reopened.problems:
            self._post(Log(command.run, problem))
        if curves:
            with self._lock:
                self._metrics.append(MetricBatch(command.run, curves))
        self._post_states(self._with(run))

    def _progress(self, number: int) -> Callable[[int, int], None]:
        """What readers call while a run is built: it tells the window, and ends the reading where the run is void."""
        from engine.data import Cancelled

        told = time.perf_counter()

        def progress(done: int, total: int) -> None:
            nonlocal told
            self._heart.beat()
            if not self._void.isdisjoint((0, number)):
                raise Cancelled("the reading was stopped")
            if time.perf_counter() - told >= READING_INTERVAL:
                told = time.perf_counter()
                self._post(Reading(number, done, total))

        return progress

    def _branch(self, command: Branch) -> None:
        from engine.lab import LabError
        from engine.run import Run

        parent = self._runs.get(command.parent)
        snapshot = parent.snapshots.nearest(command.step) if parent else None
        if parent is None or snapshot is None:
            raise LabError("the run to branch from is closed")
        run = Run(command.run, parent.spec, **self._limits)
        run.begin_at(snapshot)
        run.marks = parent.marks[: snapshot.marks]
        run.undoable = parent.undoable.of(snapshot.marks)
        run.descend(parent, snapshot)
        run.found = parent.found
        opened = run.opened()
        changed = [e for name, value in command.hyperparameters.items() for e in run.set(Set(command.run, name, value))]
        self._runs[command.run] = run
        self._post(opened)
        self._post_all(changed)
        self._post_states(self._with(run))

    def _carry_out(self, command: Command, run: Run, together: lockstep.Lockstep) -> None:
        match command:
            case Play() | Pause():
                together.play(isinstance(command, Play))
                if isinstance(command, Pause):  # at a step's end: the next phase is then the first of a step
                    together.finish_step()
                self._post_states(together)
            case StepOnce() | MicroStep():
                together.play(False)
                together.step_once() if isinstance(command, StepOnce) else together.micro_step()
                self._post_all(run.take_inside())
                self._post_states(together)
            case Lockstep():
                self._tie(command, run)
            case Together(commands=commands):
                for each in commands:
                    self._guarded(each)
            case Set():
                self._post_all(run.set(command))
            case Poke():
                self._post_all(run.poke(command))
            case Act():
                self._post_all(run.act(command))
            case Revert():
                self._post_all(run.revert(command))
            case LookBack():
                from engine.lookback import look_back

                self._post(look_back(run, command))
            case Look(views=views, drawn=drawn):
                run.watcher.look(views, dict(drawn))
                run.looked = time.perf_counter()
            case Speed(steps_per_second=speed):
                for each_run in together.runs:
                    each_run.set_speed(speed)
            case Budget(share=share):
                run.budget = min(1.0, max(0.01, share))
            case Save():
                self._save(command, run)
            case Export():
                self._export(command, run)
            case GoBack():
                self._post_all(together.go_back(run))
            case Close():
                self._free(run)
                del self._runs[run.number]
                self._post(Closed(run.number))
            case _:
                self._post(Log(run.number, f"unknown command {type(command).__name__}"))

    def _tie(self, command: Lockstep, run: Run) -> None:
        from engine import lockstep
        from engine.lab import LabError

        runs = [self._runs[number] for number in command.runs if number in self._runs]
        if len({each.lab.step_count for each in runs}) > 1:
            raise LabError("runs that stand at different steps cannot advance together")
        for each in (run, *runs):
            self._free(each)
        if len(runs) > 1:
            playing = any(each.playing for each in runs)
            self._tied.append(lockstep.Lockstep(runs))
            self._tied[-1].play(playing)
            self._post_states(self._tied[-1])

    def _free(self, run: Run) -> None:
        """It advances alone again; so does the last one that is left."""
        for tied in self._tied:
            if run in tied.runs:
                tied.runs.remove(run)
        self._tied = [tied for tied in self._tied if len(tied.runs) > 1]

    def _post_states(self, together: lockstep.Lockstep) -> None:
        """Whether runs train or stand still; their status goes along, as none may follow for a long time."""
        for run in together.runs:
            self._post(run.state_event())
        self._report_status(now=True)

    def _post_all(self, events: list[Event]) -> None:
        for event in events:
            self._post(event)

    def _save(self, command: Save, run: Run) -> None:
        from engine import checkpoint, session_recording
        from engine.metrics import continued

        try:
            snapshot = self._snapshot(run)
        except Interrupted as error:  # what it had learned before that step is saved
            self._undo_half_a_step(run)
            self._fail(run.number, "step", error, run)
            snapshot = self._snapshot(run)
        snapshot = dataclasses.replace(snapshot, history=tuple(run.marks), window=command.window)
        self._flush(run, force=True)
        recording = session_recording.gather(command.lesson, run.snapshots, snapshot.step)
        checkpoint.save(command.path, run.spec, snapshot, continued(command.metrics, run.recent), recording)
        self._post(Saved(run.number, snapshot.step, command.path))

    def _snapshot(self, run: Run) -> Snapshot:
        with self._heart.during(run.number, run.spec.lab, "step"):  # the step under way is finished
            return run.snapshot()

    def _export(self, command: Export, run: Run) -> None:
        from engine.export.of_run import export

        text, needs = export(run, command.what, command.path)
        self._post(Exported(run.number, run.lab.step_count, command.what, command.path, text, needs))

    def _fail(
        self, number: int, what: str, error: BaseException, run: Run | None, command: Command | None = None
    ) -> None:
        from engine.faults import explain

        if isinstance(error, Interrupted):
            summary, expected = f"{_place(what)} did not end and was stopped.", False
        else:
            summary, expected = explain(error, run.lab if run else None)
        spec: Any = run.spec if run else getattr(command, "spec", RunSpec(""))
        step = run.lab.step_count if run else 0
        trace = "".join(traceback.format_exception(error))
        # the traceback holds the frames, and with them the tensors of the failed step
        with contextlib.suppress(AttributeError):
            error.__traceback__ = None
        self._post(Failed(number, what, summary, trace, step, spec, expected, getattr(command, "path", None)))


def _line(error: BaseException) -> str:
    """The error on one line, without its full stop."""
    text = " ".join(str(error).split()).rstrip(".")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _place(what: str) -> str:
    """The method of a lab in which something named as in Failed takes place."""
    kind, _, name = what.partition(" ")
    return f"{name}()" if name else "Opening it" if kind in BUILDING else f"{kind}()"


def _what(command: Command) -> str:
    match command:
        case Open(resume=None):
            return "open"
        case Open():
            return "resume"
        case Branch():
            return "branch"
        case Save():
            return "save"
        case Export(what=what):
            return f"export {what}"
        case Set(name=name):
            return f"set {name}"
        case Poke(view=view):
            return f"edit {view}"
        case Act(action=action):
            return f"action {action}"
        case Revert():
            return "undo"
        case StepOnce() | MicroStep() | Pause():
            return "step"
        case _:
            return type(command).__name__.lower()
