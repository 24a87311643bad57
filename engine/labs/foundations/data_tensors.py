"""Data as tensors: whatever is to be learnt from, a flower, a photograph, a video, goes in as an array of numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from engine.data.ranks import CHANNELS, FRAMES, HEIGHT, KINDS, LENGTHS, WIDTH
from engine.diagrams import Formula, Lines, Numbers
from engine.hyperparameters import choice, integer
from engine.lab import Lab, LabError, Metrics, Proof, view
from engine.payloads import (
    FormulaData,
    FormulaLine,
    Grid,
    ImageGroup,
    ImagesData,
    Line,
    LinesData,
    NumbersData,
    TableData,
)
from engine.views import Curves, Images, Table

DTYPES = {"float32": torch.float32, "float64": torch.float64, "float16": torch.float16, "uint8": torch.uint8}


PICTURES = ("images", "video")


@dataclass(frozen=True)
class Params:
    kind: str = choice(
        "images", tuple(KINDS), label="Tensor", group="Data", help="What is looked at, from no axes at all to five"
    )
    dtype: str = choice(
        "float32", tuple(DTYPES), view=True, help="What a number is kept as, and so how much memory it takes"
    )
    flower: int = integer(0, 0, 149, view=True, when=("kind", ("matrix",)), help="The first row of the slice")
    flowers: int = integer(8, 1, 30, view=True, when=("kind", ("matrix",)), help="How many rows the slice has")
    sample: int = integer(
        0, 0, 1, view=True, when=("kind", ("time series", *PICTURES)), help="The first index: which of the two"
    )
    moment: int = integer(
        0, 0, FRAMES - 1, view=True, when=("kind", ("time series", "video")), help="The index in time"
    )
    channel: str = choice("red", CHANNELS, view=True, when=("kind", PICTURES), help="Which colour's numbers are shown")
    row: int = integer(8, 0, HEIGHT - 1, view=True, when=("kind", PICTURES), help="The first row of the slice")
    column: int = integer(8, 0, WIDTH - 1, view=True, when=("kind", PICTURES), help="The first column of the slice")
    size: int = integer(8, 1, HEIGHT, view=True, when=("kind", PICTURES), help="How many rows and columns it has")
    batch_size: int = integer(8, 1, 64, log=True, live=True, help="How many numbers one step takes in")


class DataTensors(Lab):
    """A tensor is an array of numbers with any number of axes. Index it, slice it, and look at an image as its numbers.

    A step takes the next batch of numbers into a running mean and deviation: what one normalises inputs with.
    """

    title, chapter, summary = "Data tensors", "Foundations", "Scalars to videos: all data are arrays of numbers"
    order = 120
    Params = Params
    state = ("seen", "dealt")
    speed = 30  # mean and deviation have settled after some 400 steps
    proof = Proof(
        "mean after one epoch, less that of all numbers", 1e-6, higher=False, steps=75, settings=(("kind", "matrix"),)
    )
    layout = """
        picture picture numbers numbers
        picture picture numbers numbers
        ranks   ranks   slice   slice
        ranks   ranks   plot    stats
    """

    def build(self) -> None:
        self.kinds = {name: kind.make() for name, kind in KINDS.items()}
        self.x = self.kinds[self.hp.kind]
        self.numbers_of = self.x.flatten().double()  # in the order in which they lie in memory
        self.dealt = torch.randperm(self.numbers_of.numel())  # an epoch: every number once
        self.seen = torch.zeros(3, dtype=torch.float64)  # how many, their mean, the sum of squared distances from it
        self.steps_per_epoch = self.numbers_of.numel() / self.hp.batch_size

    # ---------------------------------------------------------------------------------------------- training

    def step(self) -> Metrics:
        """The next batch joins the running mean and deviation (Chan, Golub and LeVeque, 1979, equations 2.1)."""
        n, mean, squares = self.seen.tolist()
        begin = int(n) % self.dealt.numel()
        batch = self.numbers_of[self.dealt[begin : begin + self.hp.batch_size]]
        m, theirs = len(batch), float(batch.mean())
        squares += float((batch - theirs).square().sum()) + (theirs - mean) ** 2 * n * m / (n + m)
        self.seen = torch.tensor([n + m, mean + (theirs - mean) * m / (n + m), squares], dtype=torch.float64)
        return {"mean": float(self.seen[1]), "deviation": math.sqrt(float(self.seen[2]) / (n + m))}

    def ranges(self, state: Mapping[str, Any]) -> Mapping[str, tuple[float, float]]:
        count, _, squares = state["seen"].tolist()
        if not (count >= 0 and squares >= 0):
            raise LabError("neither the count nor the sum of squares in “seen” can be negative")
        return {"dealt": (0, self.numbers_of.numel() - 1), "seen": (-1e100, 1e100)}

    def measure(self) -> float:
        return abs(float(self.seen[1]) - float(self.numbers_of.mean()))

    def changed(self, name: str) -> None:
        if name == "batch_size":
            self.steps_per_epoch = self.numbers_of.numel() / self.hp.batch_size

    def facts(self) -> dict[str, str]:
        kind = KINDS[self.hp.kind]
        return {"axes": " · ".join(kind.axes) or "none", "unit": kind.unit, "shape": shape(self.x)}

    # ------------------------------------------------------------------------------------------------- views

    stats = Curves(
        "Mean and deviation so far",
        metrics=("mean", "deviation"),
        help="Step by step the batches are taken in: inputs are normalised with their mean and standard deviation.",
    )

    def index(self) -> tuple[str, tuple[Any, ...]]:
        """What the sliders point at: the index as it is written, and as Python takes it."""
        hp = self.hp
        at: tuple[Any, ...] = ()
        if hp.kind == "matrix":
            at = (slice(hp.flower, min(hp.flower + hp.flowers, len(self.x))), slice(None))
        elif hp.kind == "time series":
            at = (hp.sample, slice(None), slice(None))
        elif hp.kind in PICTURES:
            moment = () if hp.kind == "images" else (hp.moment,)
            high, wide = self.x.shape[-2:]
            top, left = min(hp.row, high - 1), min(hp.column, wide - 1)
            part = slice(top, min(top + hp.size, high)), slice(left, min(left + hp.size, wide))
            at = (hp.sample, *moment, CHANNELS.index(hp.channel), *part)
        written = [
            ("" if i == slice(None) else f"{i.start}:{i.stop}") or ":" if isinstance(i, slice) else str(i) for i in at
        ]
        return f"x[{', '.join(written)}]" if at else "x", at

    def kept(self, x: Tensor) -> Tensor:
        """These numbers in the chosen dtype."""
        return x.to(DTYPES[self.hp.dtype])

    @view(
        Numbers("The slice, as numbers", colour="viridis", help="What the index at the left picks out of the tensor.")
    )
    def numbers(self) -> NumbersData:
        written, at = self.index()
        part = self.kept(self.x[at])
        rows: tuple[str, ...] = ()
        columns: tuple[str, ...] = LENGTHS if self.hp.kind in ("vector", "matrix") else ()
        lit = None
        if self.hp.kind == "matrix":
            rows = tuple(str(at[0].start + i) for i in range(len(part)))
        elif self.hp.kind == "time series":
            rows, columns = tuple(f"t = {t}" for t in range(FRAMES)), CHANNELS
            lit = (torch.arange(FRAMES) == self.hp.moment)[:, None].expand(FRAMES, 3)
        elif self.hp.kind in PICTURES:
            down, right = at[-2:]
            rows = tuple(map(str, range(down.start, down.stop)))
            columns = tuple(map(str, range(right.start, right.stop)))
        return NumbersData(
            (Grid(written, part, f"{shape(part)} {self.hp.dtype}", rows=rows, columns=columns, lit=lit),)
        )

    @view(Formula("Index and slice", help="The index that picks the slice, its shape, and the memory that it takes."))
    def slice(self) -> FormulaData:
        written, at = self.index()
        part, whole = self.kept(self.x[at]), self.kept(self.x)
        sizes = r" \times ".join(map(str, self.x.shape))
        kind = KINDS[self.hp.kind]
        axes = f"axes: {', '.join(kind.axes)}" if kind.axes else "no axes: one number"
        counted = " · ".join(map(str, whole.shape)) or "1"
        memory = f"= {counted} · {whole.element_size()} = {whole.nbytes:,} bytes"
        return FormulaData(
            (
                FormulaLine(r"x \in \mathbb{R}" + (f"^{{{sizes}}}" if sizes else ""), "", f"{kind.what}; {axes}"),
                FormulaLine(r"\mathrm{memory}", memory, f"a number in {self.hp.dtype} takes {whole.element_size()}"),
                FormulaLine(
                    r"\mathrm{slice}", f"{written}.shape = {shape(part)}", f"{part.numel():,} numbers", lit=True
                ),
            )
        )

    @view(Images("The same numbers, as a picture", help="The whole sample; what lies outside the slice is dimmed."))
    def picture(self) -> ImagesData:
        _, at = self.index()
        if self.hp.kind not in PICTURES:  # any array is a picture, if one likes: of most, one sees little
            x = self.x[at[:1] if self.hp.kind == "time series" else ()]
            flat = x.reshape(1, -1) if x.ndim < 2 else x.T
            return ImagesData((ImageGroup(KINDS[self.hp.kind].what, (flat / self.x.max())[None]),))
        chosen = self.kept(self.x[at[:-3]]).float() / 255  # (3, H, W)
        lit = torch.full_like(chosen[0], 0.35)
        lit[at[-2:]] = 1.0
        groups = [
            ImageGroup("x, in colour", (chosen * lit).permute(1, 2, 0)[None]),
            ImageGroup("each channel, as brightness", chosen * lit, CHANNELS),
        ]
        if self.hp.kind == "video":
            frames = (self.x[self.hp.sample] / 255).permute(0, 2, 3, 1)  # (16, 24, 24, 3)
            groups.append(ImageGroup("all frames", frames, tuple(f"t = {t}" for t in range(FRAMES))))
        return ImagesData(tuple(groups))

    @view(Table("From no axes to five", help="What data look like as tensors, with the memory that each takes."))
    def ranks(self) -> TableData:
        rows = []
        for rank, (name, x) in enumerate(self.kinds.items()):
            chosen = "▸ " if name == self.hp.kind else ""
            rows.append((f"{chosen}{name}", str(rank), shape(x), f"{x.numel():,}", f"{self.kept(x).nbytes:,}"))
        return TableData(("tensor", "axes", "shape", "numbers", "bytes"), tuple(rows))

    @view(Lines("Along one axis", help="The numbers along an axis of the tensor; the slice is shaded."))
    def plot(self) -> LinesData:
        _, at = self.index()
        lines, cursor = {"": self.x.reshape(-1)}, None
        spans: tuple[tuple[float, float, str], ...] = ()
        if self.hp.kind == "matrix":
            lines, spans = dict(zip(LENGTHS, self.x.T, strict=True)), ((at[0].start, at[0].stop - 1, "slice"),)
        elif self.hp.kind == "time series":
            lines, cursor = dict(zip(CHANNELS, self.x[self.hp.sample].T, strict=True)), float(self.hp.moment)
        elif self.hp.kind == "images":
            down, right = at[-2:]
            lines = {name: self.x[self.hp.sample, c, down.start] for c, name in enumerate(CHANNELS)}
            spans = ((right.start, right.stop - 1, f"row {down.start}"),)
        elif self.hp.kind == "video":
            lines = dict(zip(CHANNELS, self.x[self.hp.sample].mean((-1, -2)).T, strict=True))
            cursor = float(self.hp.moment)
        return LinesData(tuple(Line(n, torch.arange(len(y)), y) for n, y in lines.items()), spans=spans, cursor=cursor)


def shape(x: Tensor) -> str:
    """As Python writes it."""
    return str(tuple(x.shape))
