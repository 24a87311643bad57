"""What the window and the session say to each other: frozen commands, events and frames.

Every message carries the number of the run it belongs to. A run is one training from one seed: a restart, or a
change of a hyperparameter that rebuilds, opens a new run and closes the old one, so that whatever still arrives from
an older run can be recognised and dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from engine.hyperparameters import Hyperparameter, Value
from engine.payloads import Gesture, LayerData, Payload
from engine.views import Description

if TYPE_CHECKING:
    from engine.tape import Tape


@dataclass(frozen=True)
class RunSpec:
    """All that decides a run: the same spec gives the same weights, bit for bit, on one CPU thread."""

    lab: str
    hyperparameters: Mapping[str, Value] = field(default_factory=dict)  # those not named are at their defaults
    dataset: str = ""  # "" is the lab's first
    seed: int = 0
    device: str = "cpu"


@dataclass(frozen=True)
class Mark:
    """Something that changed the experiment after `step`: a live hyperparameter, a gesture that edits, an action, or
    that one of the latter two was undone."""

    step: int
    kind: Literal["set", "edit", "action", "undo"]
    name: str  # of the hyperparameter, view or action
    text: str  # for a person
    old: Value = ""
    new: Value = ""
    gesture: Gesture | None = None
    patch: str = ""  # of an undo: which values it set to what (engine.undo)


@dataclass(frozen=True)
class Bookmark:
    """A step of a run that the viewer named, to come back to."""

    step: int
    name: str


@dataclass(frozen=True)
class FormerRun:
    """A run that another one replaced, with its curves."""

    number: int
    spec: RunSpec
    curves: Series
    changes: int  # how often it was changed on the way
    ended: float  # seconds since the epoch
    branched: int | None = None  # the step at which a branch left it
    pinned: int | None = None  # how it is drawn beside the present run
    by_branch: bool = False  # a branch pinned it, not the viewer


@dataclass(frozen=True)
class Lesson:
    """What the window knows of a run beside its state: it goes into a session file, and comes back out of one."""

    bookmarks: tuple[Bookmark, ...] = ()
    earlier: tuple[FormerRun, ...] = ()
    frames: tuple[tuple[Frame, int], ...] = ()  # to be saved, with their sizes; by rising steps in each view
    room: int = 0  # bytes of frames and snapshots that the file may keep


@dataclass(frozen=True)
class ActionInfo:
    name: str
    title: str
    help: str
    probe: bool


@dataclass(frozen=True)
class LabInfo:
    """A lab's declarations, as the window needs them: it never imports a lab (nor torch) itself."""

    id: str
    title: str
    chapter: str
    summary: str
    about: str  # the class docstring
    layout: tuple[tuple[str, ...], ...]  # the mosaic, row by row; "." is an empty cell
    views: Mapping[str, Description]  # Curves included
    probes: frozenset[str]  # views with a probe handler
    edits: frozenset[str]  # views with an edit handler
    hyperparameters: Mapping[str, Hyperparameter]
    actions: tuple[ActionInfo, ...]
    datasets: tuple[str, ...]
    accepts: tuple[str, ...]
    source: Path
    speed: float | None = None  # steps a second to begin with; None: as fast as it goes


# a metric's name -> the steps (N,) and values (N,) it has; N differs, as a lab need not return each at every step
Series = Mapping[str, tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]]

# --------------------------------------------------------------------------------- commands (to the session)


@dataclass(frozen=True)
class Open:
    """Build a run; with `resume`, load that checkpoint into it. Answered by Opened, NeedsData or Failed."""

    run: int
    spec: RunSpec
    resume: Path | None = None
    marks: tuple[Mark, ...] = ()  # what changed a former run, to be repeated at the same steps


@dataclass(frozen=True)
class Branch:
    """Open `run` where `parent` stood at its latest snapshot not after `step`, with some live hyperparameters changed.

    With none changed it repeats what the parent did, bit for bit. Answered by Opened, whose step is the snapshot's.
    """

    run: int
    parent: int
    step: int
    hyperparameters: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class Close:
    """End a run. What was said to it before and still waits is void, but for Save."""

    run: int


@dataclass(frozen=True)
class Lockstep:
    """Tie runs that have done equally many steps: Play, Pause, StepOnce, MicroStep, Speed and GoBack to one of them
    act on all, and between two commands all have done equally many steps. An error or a divergence in one pauses all.

    `runs` are all of them, `run` included; those that do not stand are left out. Closing one frees it; `runs` of one
    or none frees `run`.
    """

    run: int
    runs: tuple[int, ...]


@dataclass(frozen=True)
class Together:
    """Several commands at one and the same step: between them nothing trains."""

    run: int
    commands: tuple[Command, ...]


@dataclass(frozen=True)
class Play:
    run: int


@dataclass(frozen=True)
class Pause:
    run: int


@dataclass(frozen=True)
class StepOnce:
    """Finish the step under way, or do one more; then pause."""

    run: int


@dataclass(frozen=True)
class MicroStep:
    """Go on to the next phase of the step; then pause. Answered by InsideSeen and Paused."""

    run: int


@dataclass(frozen=True)
class Set:
    """Change a live or view hyperparameter; a live one acts at the next step."""

    run: int
    name: str
    value: Value


@dataclass(frozen=True)
class Poke:
    """A gesture in a view: `edit` changes the experiment, otherwise only what is shown."""

    run: int
    view: str
    gesture: Gesture
    edit: bool = False


@dataclass(frozen=True)
class Act:
    run: int
    action: str


@dataclass(frozen=True)
class Revert:
    """Take back what these edits and actions changed, or such an undo; training goes on. Answered by Edited with a mark
    of its own, or by Failed where it cannot be done. `marks` are those that came with Edited or Opened."""

    run: int
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class LookBack:
    """Show these views as of an earlier step, with what the viewer draws, picks and points at now; a `probe` comes
    first, and acts in the view of then. Training goes on as if nobody had looked. Answered by LookedBack."""

    run: int
    step: int
    views: tuple[str, ...]
    probe: Poke | Act | None = None


@dataclass(frozen=True)
class Look:
    """Which views are visible: they are rendered as often as the budget allows, until the next Look.

    `drawn` reports what the window spent on drawing each view since the last Look, in seconds: it counts too.
    """

    run: int
    views: tuple[str, ...]
    drawn: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Speed:
    """At most so many steps a second; None is as fast as it goes."""

    run: int
    steps_per_second: float | None


@dataclass(frozen=True)
class Budget:
    """The share of the worker's time that watching may take, 0..1."""

    run: int
    share: float


@dataclass(frozen=True)
class Save:
    """Write a checkpoint; the step under way is finished first. Answered by Saved or Failed.

    `metrics` are the curves so far, which whoever shows them holds: they are kept in the file, with what was measured
    since they were looked at, and come back as a MetricBatch when it is opened. `window` is how it is arranged, and
    comes back with Opened, as does the `lesson`.
    """

    run: int
    path: Path
    metrics: Series = field(default_factory=dict)
    window: Mapping[str, str] = field(default_factory=dict)
    lesson: Lesson = Lesson()


@dataclass(frozen=True)
class Remember:
    """The bytes that the snapshots of all runs together may take: they are thinned at once."""

    memory: int
    run: int = 0


@dataclass(frozen=True)
class Export:
    """Carry something of the run away; the step under way is finished first. Answered by Exported or Failed.

    "weights", "marks" and "script" are written to `path`; "command" is the command line that repeats the run, and what
    it needs is to be written, if anything, with "marks".
    """

    run: int
    what: Literal["weights", "marks", "script", "command"]
    path: Path | None = None


@dataclass(frozen=True)
class GoBack:
    """Return to the last snapshot whose metrics were all finite."""

    run: int


@dataclass(frozen=True)
class Quit:
    run: int = 0


Command = (
    Open
    | Branch
    | Close
    | Lockstep
    | Together
    | Play
    | Pause
    | StepOnce
    | MicroStep
    | Set
    | Poke
    | Act
    | Revert
    | LookBack
    | Look
    | Speed
    | Budget
    | Save
    | Remember
    | Export
    | GoBack
    | Quit
)

# ---------------------------------------------------------------------------- events (lossless, in order)


@dataclass(frozen=True)
class Opened:
    run: int
    spec: RunSpec  # with every hyperparameter and the data set filled in
    lab: LabInfo
    step: int
    facts: Mapping[str, str]
    marks: tuple[Mark, ...] = ()  # what changed the experiment before that step: it goes on from a file, or branched
    window: Mapping[str, str] = field(default_factory=dict)  # how it was arranged when that file was saved
    lesson: Lesson = Lesson()  # what that file keeps beside the state; its frames are on the tape
    tape: Tape | None = None  # the frames that were recorded before that file was saved


@dataclass(frozen=True)
class Reading:
    """The data of a run that is being built are read: so much `done` of a `total`. Close stops it."""

    run: int
    done: int
    total: int


@dataclass(frozen=True)
class Closed:
    run: int


@dataclass(frozen=True)
class Playing:
    run: int
    step: int


@dataclass(frozen=True)
class Paused:
    """Training stands still. `phase` is the phase reached within the step, "" between two steps."""

    run: int
    step: int
    phase: str = ""


@dataclass(frozen=True)
class Changed:
    """A hyperparameter took effect. `mark` is None where the experiment is none other for it: a hyperparameter that
    only changes what is shown, or one that is again what it was because the run went back."""

    run: int
    step: int
    name: str
    old: Value
    new: Value
    view_only: bool = False
    mark: Mark | None = None


@dataclass(frozen=True)
class Edited:
    """A gesture, an action or an undo changed the experiment."""

    run: int
    step: int
    what: str
    mark: Mark | None = None
    repeated: bool = False  # as it did in a former run


@dataclass(frozen=True)
class Saved:
    run: int
    step: int
    path: Path


@dataclass(frozen=True)
class Exported:
    """What Export asked for is done."""

    run: int
    step: int
    what: str
    path: Path | None
    text: str = ""  # the command line (also with "marks"), or a remark for the viewer
    needs: str = ""  # the name of the file of marks without which the command line does not repeat the run


@dataclass(frozen=True)
class InsideSeen:
    """The tensors of a step that is gone through phase by phase: what is known of it so far, from input to output."""

    run: int
    step: int
    phase: str  # the one just done, "" at the end of the step
    lit: Literal["", "activation", "gradient", "change"]  # what that phase brought
    layers: tuple[LayerData, ...]
    numbers: tuple[tuple[str, float], ...] = ()  # the loss, or what the step returned


@dataclass(frozen=True)
class LookedBack:
    """What LookBack asked for: frames of those views that depend on what the viewer points at. `reached` is the step
    that they show: the one that was asked for, or one before it, if training up to there would take long."""

    run: int
    step: int
    reached: int
    frames: tuple[Frame, ...] = ()


@dataclass(frozen=True)
class WentBack:
    """The run stands again at an earlier `step`; metrics after it are void. `marks` are those that remain."""

    run: int
    step: int
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class NeedsData:
    """The data set is not on this machine; the window offers to download it."""

    run: int
    spec: RunSpec
    dataset: str
    reason: str


@dataclass(frozen=True)
class Diverged:
    """A metric became NaN or infinite: training is paused. `back_to` is the step GoBack returns to, if it can."""

    run: int
    step: int
    metric: str
    value: float
    cause: str
    back_to: int | None


@dataclass(frozen=True)
class Failed:
    """Something raised. `what` is "open", "step", "view NAME", "edit NAME", "set NAME", "save", "export WHAT",
    "engine" …

    After "step" the run is paused, after "open" and "resume" there is none; otherwise it goes on. `expected` is true
    where the summary alone tells the viewer what to do (a LabError, a full disk): no traceback need be shown.
    """

    run: int
    what: str
    summary: str
    traceback: str
    step: int
    spec: RunSpec
    expected: bool = False
    path: Path | None = None  # the file that could not be read or written


@dataclass(frozen=True)
class Log:
    run: int
    text: str


Event = (
    Opened
    | Reading
    | Closed
    | Playing
    | Paused
    | Changed
    | Edited
    | Saved
    | Exported
    | InsideSeen
    | LookedBack
    | WentBack
    | NeedsData
    | Diverged
    | Failed
    | Log
)

# ------------------------------------------------------------- metrics (append-only) and frames (latest wins)


@dataclass(frozen=True)
class MetricBatch:
    """Metrics of consecutive steps."""

    run: int
    series: Series


@dataclass(frozen=True)
class Frame:
    """One view as it was after `step` (and, within a step, at `phase`)."""

    run: int
    view: str
    step: int
    phase: str
    payload: Payload
    seconds: float  # what rendering it cost
    answers: int = 0  # how many gestures had been carried out when its rendering began
    complete: bool = True  # or what is ready so far, shown because the viewer waits for it


@dataclass(frozen=True)
class Status:
    """The state of a run, refreshed several times a second."""

    run: int
    step: int
    epoch: float | None
    phase: str
    playing: bool
    steps_per_second: float
    watching: float  # share of the worker's time spent rendering views, 0..1
    memory: int  # bytes: on a GPU allocated there, else the process's resident set
    device: str
    state: int = 0  # bytes that a file takes with the state alone
    snapshots: int = 0  # bytes of the snapshots to branch from
    replaced: Mapping[str, str] = field(default_factory=dict)  # as Lab.replaced says


@dataclass(frozen=True)
class News:
    """All that happened since the last look: `events` in order, then metrics, frames and states."""

    events: tuple[Event, ...] = ()
    metrics: tuple[MetricBatch, ...] = ()
    frames: tuple[Frame, ...] = ()
    status: tuple[Status, ...] = ()
