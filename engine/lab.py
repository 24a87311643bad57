"""The lab contract: a lab is one class in one file.

    class LeNet(Lab):
        '''Digits, classified by a convolutional network (LeCun et al., 1998).'''
        title, chapter, summary = "LeNet on digits", "Vision", "Filters as they form"
        Params = Params                          # a frozen dataclass of hyperparameters
        datasets = ("digits", "mnist")           # the first is bundled and the default
        state = ("net", "optimizer", "drawing")  # what a checkpoint keeps, apart from hyperparameters and RNG
        layout = '''
            loss     filters
            canvas   chances
        '''

        def build(self): ...                     # data, network, optimiser, on self.device
        def step(self):                          # one optimiser step
            loss = F.cross_entropy(self.net(x), y)
            yield "forward"                      # the step may stop here: micro-step, Pause
            loss.backward()
            yield "backward"
            self.optimizer.step()
            return {"train loss": loss.detach()} # metrics stay tensors: no synchronisation per step

        loss = Curves("Loss", metrics=("train loss",), help="...")

        @view(Canvas("Draw a digit", help="..."))
        def canvas(self): return self.drawing
        @canvas.probe                            # what the viewer does changes only what is shown
        def canvas(self, gesture): self.drawing = ...

        @action("Fool it", help="...")           # a button; changes the experiment, between two steps
        def fool(self): ...

The engine alone calls these methods, on one thread. View methods run in inference mode, with the networks in eval mode
and with an RNG of their own that starts alike each time, so watching never changes the experiment.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from engine.hyperparameters import Hyperparameter, hyperparameters_of
from engine.messages import ActionInfo, LabInfo
from engine.views import Curves, Description

Metrics = dict[str, Tensor | float]
Step = Generator[str, None, Metrics | None]
COUNT = (0, 2**53)  # the range of a number that counts something
LARGEST_SEED = 2**64 - 1  # that torch takes
Layers = dict[str, tuple[Tensor, Tensor, Tensor]]  # by name: activations (B, ...), weights, and their gradient


class LabError(RuntimeError):
    """Something the viewer can mend: the message is shown as it is (a data set of one class, say)."""


class View:
    """A method of a lab that returns what a description declares, with its handlers."""

    def __init__(self, description: Description, method: Callable[[Any], Any]) -> None:
        self.description = description
        self.method = method
        self.on_probe: Callable[[Any, Any], None] | None = None
        self.on_edit: Callable[[Any, Any], None] | None = None

    def probe(self, handler: Callable[[Any, Any], None]) -> View:
        """Mark the handler of a gesture that changes only what is shown: acts at once, leaves training alone."""
        self.on_probe = handler
        return self

    def edit(self, handler: Callable[[Any, Any], None]) -> View:
        """Mark the handler of a gesture that changes the experiment (a weight, the data): acts between two steps."""
        self.on_edit = handler
        return self


def view(description: Description) -> Callable[[Callable[[Any], Any]], View]:
    """Mark a lab's method as a view. It returns what `description` declares, or is a generator that yields wherever
    it may be interrupted and returns it at the end: for what takes longer than about 20 ms. What it yields, if it is
    what is ready so far, is shown at once where the viewer waits for it after a gesture."""

    def mark(method: Callable[[Any], Any]) -> View:
        return View(description, method)

    return mark


class Action:
    """A method of a lab behind a button."""

    def __init__(self, title: str, help: str, method: Callable[[Any], Any], probe: bool) -> None:
        self.title, self.help, self.method, self.probe = title, help, method, probe


def action(title: str, *, help: str, probe: bool = False) -> Callable[[Callable[[Any], Any]], Action]:
    """Mark a lab's method as a button. `probe`: it changes only what is shown (another sample), not the experiment."""

    def mark(method: Callable[[Any], Any]) -> Action:
        return Action(title, help, method, probe)

    return mark


@dataclass(frozen=True)
class Proof:
    """The figure that proves a lab: it is trained headless with these settings, then ``measure`` is compared."""

    figure: str  # what is measured, in words
    bar: float
    higher: bool = True  # whether the figure must be at least the bar, or at most
    dataset: str = ""
    seconds: float | None = None
    steps: int | None = None
    settings: tuple[tuple[str, float | int | str | bool], ...] = ()
    seed: int = 0


class Lab:
    """Base class of all labs; the module docstring shows one."""

    title: ClassVar[str]
    chapter: ClassVar[str]
    summary: ClassVar[str]
    Params: ClassVar[type[Any]]
    layout: ClassVar[str]
    state: ClassVar[tuple[str, ...]]
    grows: ClassVar[tuple[str, ...]] = ()  # parts of the state whose length (of tensors, the first axis) varies
    weights: ClassVar[tuple[str, ...]] = ()  # exported as learnt, if not all networks: tensors, lists or dicts of them
    order: ClassVar[int] = 50  # its place in the chapter
    datasets: ClassVar[tuple[str, ...]] = ()  # names in engine.data; the first needs no network
    accepts: ClassVar[tuple[str, ...]] = ()  # kinds of the user's own data: "images", "text", "table"
    speed: ClassVar[float | None] = None  # steps a second at which the window shows it best; None: as fast as it goes
    many_threads: ClassVar[bool] = False  # torch may use cores - 1 threads; tiny nets are faster with one
    proof: ClassVar[Proof | None] = None

    def __init__(self, hp: Any, *, dataset: str = "", device: torch.device | str = "cpu") -> None:
        self.hp = hp  # an instance of Params; the session replaces it when a live hyperparameter changes
        self.dataset = dataset or (self.datasets[0] if self.datasets else "")
        self.device = torch.device(device)
        self.step_count = 0  # completed steps; kept by the engine
        self.steps_per_epoch = 0.0  # set in build where there are epochs

    def build(self) -> None:
        """Make data, network and optimiser on self.device. The engine has seeded torch before."""
        raise LabError(f"{type(self).__name__} does not define build()")

    def step(self) -> Step | Metrics | None:
        """One training step; a generator where it has phases. Returns metrics by name, as 0-d tensors or floats."""
        raise LabError(f"{type(self).__name__} does not define step()")

    def changed(self, name: str) -> None:
        """Called after live or view hyperparameter `name` took its new value in self.hp."""

    def replaced(self) -> Mapping[str, str]:
        """The hyperparameters in whose place stands what the viewer made, and its name, as {"target": "drawn"}."""
        return {}

    def ranges(self, state: Mapping[str, Any]) -> Mapping[str, tuple[float, float]]:
        """The lowest and highest number allowed in parts of a saved state: above all of those that index something.

        The parts have the kinds and shapes of the built lab's. Raises LabError where they contradict each other.
        """
        return {}

    def inside(self) -> Layers:
        """The layers of a network that is no nn.Module, as the latest phase left them: micro-steps show them."""
        return {}

    def measure(self) -> float:
        """The figure of `proof`, measured on the trained lab. Runs in inference and eval mode."""
        raise LabError(f"{type(self).__name__} has no proof")

    def facts(self) -> dict[str, str]:
        """What is worth knowing of the built network, shown under the controls."""
        count = sum(p.numel() for module in modules_of(self) for p in module.parameters())
        return {"parameters": f"{count:,}"} if count else {}


def modules_of(lab: Lab) -> list[nn.Module]:
    """The networks that a lab holds."""
    return [value for value in vars(lab).values() if isinstance(value, nn.Module)]


def _declared(lab: type[Lab] | Lab, kind: type[Any]) -> dict[str, Any]:
    """Class attributes of one kind, bases first, in the order they are written."""
    cls = lab if isinstance(lab, type) else type(lab)
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        found.update({name: value for name, value in vars(base).items() if isinstance(value, kind)})
    return found


def views_of(lab: type[Lab] | Lab) -> dict[str, View]:
    """The lab's view methods by name."""
    return _declared(lab, View)


def descriptions_of(lab: type[Lab] | Lab) -> dict[str, Description]:
    """The descriptions of all that the lab shows, curves included, by name."""
    views = {name: item.description for name, item in views_of(lab).items()}
    return {**_declared(lab, Curves), **views}


def actions_of(lab: type[Lab] | Lab) -> dict[str, Action]:
    """The lab's actions by name."""
    return _declared(lab, Action)


def describe(lab: type[Lab], lab_id: str) -> LabInfo:
    """The lab's declarations, for whoever shows it. Raises LabError where the layout is wrong."""
    views, layout = views_of(lab), mosaic(lab.layout)
    named = dict.fromkeys(name for row in layout for name in row if name != ".")
    if unknown := [name for name in named if name not in descriptions_of(lab)]:
        known = ", ".join(descriptions_of(lab)) or "none"
        raise LabError(
            f"the layout names {', '.join(map(repr, unknown))}, and the lab has no such view (it has: {known})"
        )
    return LabInfo(
        id=lab_id,
        title=lab.title,
        chapter=lab.chapter,
        summary=lab.summary,
        about=inspect.getdoc(lab) or "",
        layout=layout,
        views=descriptions_of(lab),
        probes=frozenset(name for name, item in views.items() if item.on_probe),
        edits=frozenset(name for name, item in views.items() if item.on_edit),
        hyperparameters=hyperparameters(lab),
        actions=tuple(ActionInfo(name, a.title, a.help, a.probe) for name, a in actions_of(lab).items()),
        datasets=lab.datasets,
        accepts=lab.accepts,
        speed=lab.speed,
        source=Path(inspect.getfile(lab)),
    )


def hyperparameters(lab: type[Lab]) -> dict[str, Hyperparameter]:
    """The lab's hyperparameters by name."""
    return hyperparameters_of(lab.Params)


def mosaic(layout: str) -> tuple[tuple[str, ...], ...]:
    """The rows of a layout; raises LabError where the rows differ in length or a name is no rectangle."""
    rows = tuple(tuple(line.split()) for line in layout.strip().splitlines())
    if len({len(row) for row in rows}) != 1 or not rows[0]:
        raise LabError("the rows of a layout need the same number of names")
    for name in {name for row in rows for name in row} - {"."}:
        cells = [(r, c) for r, row in enumerate(rows) for c, cell in enumerate(row) if cell == name]
        height = max(r for r, _ in cells) - min(r for r, _ in cells) + 1
        width = max(c for _, c in cells) - min(c for _, c in cells) + 1
        if height * width != len(cells):
            raise LabError(f"{name!r} is not a rectangle in the layout")
    return rows


def check_seed(seed: int) -> None:
    """Raises LabError where torch would not take the seed."""
    if not 0 <= seed <= LARGEST_SEED:
        raise LabError(f"the seed must be a whole number from 0 to {LARGEST_SEED:,}")


def start(
    lab_class: type[Lab], hp: Any = None, *, dataset: str = "", seed: int = 0, device: torch.device | str = "cpu"
) -> Lab:
    """Seed torch and build a lab: the beginning of every run. Raises LabError where the seed is out of range."""
    check_seed(seed)
    torch.manual_seed(seed)
    lab = lab_class(lab_class.Params() if hp is None else hp, dataset=dataset, device=device)
    lab.build()
    return lab


def advance(lab: Lab) -> Metrics | None:
    """One whole step, phases and all. This is the bare loop that the session is measured against."""
    result: Any = lab.step()
    if isinstance(result, Generator):
        try:
            while True:
                next(result)
        except StopIteration as stop:
            result = stop.value
    lab.step_count += 1
    return result  # type: ignore[no-any-return]
