"""Diffusion: pictures or points are drowned in noise step by step, and a network learns the way back."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from engine.data.samples import load_samples
from engine.hyperparameters import choice, integer, real
from engine.lab import Lab, LabError, Metrics, Proof, Step, view
from engine.nn.noise import alpha_bar, clean, guided, noised, sampling_times, target, walk
from engine.nn.unet import PointDenoiser, UNet
from engine.payloads import BarsData, FieldData, FilmRow, FilmstripData, ImageGroup, ImagesData, Pick, PointsData
from engine.views import Bars, Curves, Field, Filmstrip, Images, Points

T = TypeVar("T")

ROWS, COLUMNS = 3, 10  # pictures in Samples
CLOUD = NOISES = 300  # points in a cloud; rows of noise to start from
BINS, EVERY = 10, 25  # the validation loss is split by time, and taken every so many steps


@dataclass(frozen=True)
class DiffusionParams:
    learning_rate: float = real(2e-3, 1e-5, 1e-1, log=True, live=True, typed_high=1e6, help="Step of the optimiser")
    batch_size: int = integer(64, 8, 512, log=True, live=True, help="Samples noised and averaged over in one step")
    label_dropout: float = real(0.1, 0, 1, live=True, help="Share of labels hidden in training, as guidance needs")
    ema: float = real(0.99, 0, 0.9999, live=True, label="EMA decay", help="Inertia of the averaged copy that samples")
    sampler: str = choice("DDIM", ("DDIM", "DDPM"), view=True, help="DDPM adds new noise at each step, DDIM none")
    sampling_steps: int = integer(8, 2, 100, view=True, help="Steps from pure noise to a sample; more is finer")
    guidance: float = real(2, 0, 10, view=True, help="Weight of the label: 0 ignores it, 1 follows it, more insists")
    label: int = integer(3, -1, 9, view=True, label="Label asked for", help="Class to be drawn; -1 asks for any")
    noise_seed: int = integer(0, 0, 99, view=True, help="The noise that sampling starts from")
    moment: float = real(0.2, 0.01, 1, view=True, label="Time in the field", help="Noise level of Drift, as share of T")
    channels: int = integer(32, 8, 96, help="Maps at the U-Net's top level; for points, 4 times as many units a layer")
    timesteps: int = integer(1000, 10, 1000, label="Timesteps T", help="Noising steps from clean to pure noise")
    schedule: str = choice("cosine", ("cosine", "linear"), help="How fast the signal fades")
    prediction: str = choice("v", ("v", "epsilon", "x0"), help="What the network predicts: noise, picture or a mix, v")


class Diffusion(Lab):
    """A network learns to remove noise; from pure noise it then draws what it has seen (Ho et al., 2020).

    Sampling by DDPM or DDIM (Song et al., 2021), steered by a label and guidance (Ho and Salimans, 2022).
    """

    title, chapter, summary = "Diffusion", "Generating", "Noise becomes a digit, step by step, as it is told"
    order = 70
    Params = DiffusionParams
    datasets = ("digits", "mnist", "fashion-mnist", "spiral", "moons", "circle", "xor")
    accepts = ("images",)
    many_threads = True
    state = ("net", "averaged", "optimizer", "picked")
    grows = ("picked",)
    layout = """
        loss      samples    samples    paths
        loss      samples    samples    paths
        by_time   noising    noising    paths
        by_time   noising    noising    drift
        schedule  denoising  denoising  drift
        schedule  denoising  denoising  drift
    """
    proof = Proof("guided digits that an independent classifier accepts", bar=0.85, dataset="digits", steps=1500)

    def build(self) -> None:
        self.data = load_samples(self.dataset, self.device)
        self.x, self.y, self.classes = self.data.x, self.data.y, self.data.classes  # (N, 1, 16, 16) or (N, 2); (N,)
        self.any = len(self.classes)  # the label that says nothing
        self.alpha_bar = alpha_bar(self.hp.schedule, self.hp.timesteps).to(self.device)  # (T + 1,)
        fixed = torch.Generator().manual_seed(0)
        pick = torch.randint(len(self.data.held), (10 * BINS,), generator=fixed).to(self.device)
        self.held, self.held_y = self.data.held[pick], self.data.held_y[pick]  # held out, with fixed times and noise
        self.held_t = (torch.linspace(0, 1, 10 * BINS) * (self.hp.timesteps - 1)).long().to(self.device) + 1
        self.held_noise = torch.randn(self.held.shape, generator=fixed).to(self.device)
        self.net = (PointDenoiser if self.data.of_points else UNet)(self.hp.channels, self.any + 1).to(self.device)
        self.averaged = copy.deepcopy(self.net).requires_grad_(False)
        self.optimizer = torch.optim.Adam(self.net.parameters(), betas=(0.9, 0.99), fused=True)
        self.picked: list[int] = []  # label and row of noise of the sample picked, if any: the strips show it
        self.changed("batch_size")

    def changed(self, name: str) -> None:
        self.steps_per_epoch = len(self.x) / self.hp.batch_size
        self.picked = [] if name == "label" else self.picked

    def facts(self) -> dict[str, str]:
        return {"parameters": f"{sum(p.numel() for p in self.net.parameters()):,}"}

    def errors(self, net: nn.Module, x0: Tensor, t: Tensor, y: Tensor, noise: Tensor) -> Tensor:
        """The squared error of each sample's prediction (B,): eq. 14 of Ho et al. (2020), for any target."""
        a = self.alpha_bar[t].view(-1, *[1] * len(self.data.shape))  # (B, 1, 1, 1) or (B, 1)
        output: Tensor = net(noised(x0, a, noise), t / self.hp.timesteps, y)
        return (output - target(self.hp.prediction, x0, a, noise)).square().flatten(1).mean(1)

    def step(self) -> Step:  # algorithm 1 of Ho et al. (2020)
        chosen = torch.randint(len(self.x), (self.hp.batch_size,), device=self.device)
        x0, y = self.x[chosen], self.y[chosen]  # (B, 1, 16, 16) or (B, 2); (B,)
        y = y.masked_fill(torch.rand(len(y), device=self.device) < self.hp.label_dropout, self.any)
        t = torch.randint(1, self.hp.timesteps + 1, (len(y),), device=self.device)
        loss = self.errors(self.net, x0, t, y, torch.randn_like(x0)).mean()
        yield "forward"
        self.optimizer.zero_grad()
        loss.backward()
        yield "backward"
        self.optimizer.param_groups[0]["lr"] = self.hp.learning_rate
        self.optimizer.step()
        keep = min(self.hp.ema, (1 + self.step_count) / (10 + self.step_count))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.averaged.parameters()), list(self.net.parameters()), 1 - keep)
        metrics: Metrics = {"train loss": loss.detach()}
        if self.step_count % EVERY == 0:
            yield "validation"
            metrics["validation loss"] = self.held_errors().mean()
        return metrics

    @torch.no_grad()
    def held_errors(self) -> Tensor:
        return self.errors(self.averaged, self.held, self.held_t, self.held_y, self.held_noise)

    def predict(self, x: Tensor, t: int, y: Tensor) -> Tensor:
        """The clean sample seen in x_t, by the averaged network and guided by labels y (B,)."""
        output = guided(self.averaged, x, t / self.hp.timesteps, y, self.any, self.hp.guidance)
        return clean(self.hp.prediction, output, x, self.alpha_bar[t]).clamp(-self.data.bound, self.data.bound)

    def times(self) -> list[int]:
        return sampling_times(self.hp.timesteps, self.hp.sampling_steps)

    def walk(self, y: Tensor, rows: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """From noise to samples of labels y (B,), each from its row of noise: each x_t, the x_0 seen in it."""
        source, shape = torch.Generator().manual_seed(self.hp.noise_seed), (NOISES, *self.data.shape)
        noise = (torch.randn(shape, generator=source).to(self.device)[rows] for _ in itertools.count())
        return walk(self.hp.sampler, lambda x, t: self.predict(x, t, y), self.times(), self.alpha_bar, noise)

    def trace(
        self, y: Tensor, rows: Tensor, begin: Callable[[Tensor, Tensor], T] | None = None
    ) -> Generator[T | None, None, tuple[Tensor, Tensor]]:
        """All x_t and predicted x_0 of a walk, each (K + 1, B, ...); training may go on between two steps of it.

        `begin` gets them with every frame like the first, and returns what is shown until the walk is complete.
        """
        path: list[tuple[Tensor, Tensor]] = []
        for pair in self.walk(y, rows):
            path.append(pair)
            if begin is not None and len(path) == 1:
                yield begin(*(x.expand(len(self.times()), *x.shape) for x in pair))
            else:
                yield None
        return torch.stack([x for x, _ in path]), torch.stack([x0 for _, x0 in path])

    def ranges(self, state: Mapping[str, Any]) -> Mapping[str, tuple[float, float]]:
        picked = state["picked"]
        if picked and not (list(map(type, picked)) == [int, int] and 0 <= picked[0] < self.any):
            raise LabError("“picked” is the label of a sample and its row of noise, or empty")
        return {"picked": (0, max(self.any, NOISES) - 1)}

    def measure(self) -> float:
        y = torch.arange(self.any, device=self.device).repeat_interleave(40)
        *_, (x, _) = self.walk(y, torch.arange(len(y), device=self.device) % 40)
        return self.data.accepted(x, y)

    loss = Curves(
        "Loss",
        metrics=("train loss", "validation loss"),
        log_y=True,
        hint="train · validation",
        help="Mean squared error of the prediction; validation judges the averaged copy on held-out samples.",
    )

    def chosen(self, points: int) -> tuple[Tensor, Tensor]:
        """Labels and rows of noise of what is looked into: so many points, or one picture."""
        asked, row = self.picked or (self.hp.label, 0)
        label = min(asked, self.any - 1) if asked >= 0 else self.any
        rows = list(range(points)) if self.data.of_points else [row]
        return torch.full((len(rows),), label, device=self.device), torch.tensor(rows, device=self.device)

    def strip(self, times: list[int], path: Tensor, guesses: Tensor) -> FilmstripData:
        """Two rows of frames, (K, B, ...) each: clouds of all B points, or the first picture."""
        rows = (FilmRow(name, **self.data.frames(x)) for name, x in (("x_t", path), ("predicted x₀", guesses)))
        return FilmstripData(tuple(rows), tuple(f"t = {t}" for t in times))

    def spot(self, index: int) -> tuple[int, int]:
        """Label and row of noise of a picture in Samples; where classes are few, they come again with other noise."""
        row, column = divmod(index, COLUMNS)
        return (row, 0) if self.data.of_points else (column % self.any, row + ROWS * (column // self.any))

    @view(
        Images(
            "Samples",
            columns=COLUMNS,
            hint="click one to watch it emerge",
            help="Generated from noise; all pictures of a row start from the same noise. For points: their density.",
        )
    )
    def samples(self) -> Generator[ImagesData | None, None, ImagesData]:
        if not self.data.of_points:
            spots = [self.spot(k) for k in range(ROWS * COLUMNS)]
            names = tuple(self.classes[k] for k, _ in spots)
            path = []
            for x, foreseen in self.walk(*torch.tensor(spots, device=self.device).T):
                path.append(x)
                yield ImagesData((ImageGroup("", self.data.pictures(foreseen), names),))
            return ImagesData((ImageGroup("", self.data.pictures(path[-1]), names),))
        spots = [(label, row) for label in range(self.any) for row in range(CLOUD)]
        ways, _ = yield from self.trace(*torch.tensor(spots, device=self.device).T)
        moments = ways[torch.linspace(0, len(ways) - 1, COLUMNS).long()].unflatten(1, (self.any, CLOUD))
        clouds = self.data.pictures(moments).transpose(0, 1).flatten(0, 1)  # (classes · COLUMNS, 40, 40)
        return ImagesData((ImageGroup("", clouds, tuple(c for c in self.classes for _ in range(COLUMNS))),))

    @samples.probe
    def samples(self, gesture: Pick) -> None:
        self.picked = list(self.spot(gesture.index))

    @view(Filmstrip("Forward: into noise", help="A held-out sample drowning in noise; below, what is still seen in it"))
    def noising(self) -> Generator[FilmstripData | None, None, FilmstripData]:
        first = int((self.held_y == self.chosen(1)[0]).int().argmax())
        shown = slice(None) if self.data.of_points else slice(first, first + 1)
        x0, y, noise = self.held[shown], self.held_y[shown], self.held_noise[shown]
        times = sampling_times(self.hp.timesteps, 10)[::-1]
        path, guesses = [noised(x0, self.alpha_bar[t], noise) for t in times], [x0]
        for t, x in zip(times[1:], path[1:], strict=True):
            guesses.append(self.predict(x, t, y))
            begins = len(guesses) == 2
            yield self.strip(times, torch.stack(path), guesses[1].expand(len(times), *x0.shape)) if begins else None
        return self.strip(times, torch.stack(path), torch.stack(guesses))

    @view(Filmstrip("Reverse: out of noise", help="How a sample is drawn, step by step; below, what is foreseen"))
    def denoising(self) -> Generator[FilmstripData | None, None, FilmstripData]:
        def strip(path: Tensor, guesses: Tensor) -> FilmstripData:
            return self.strip(self.times(), path, guesses)

        return strip(*(yield from self.trace(*self.chosen(CLOUD), begin=strip)))

    @view(
        Points(
            "Paths",
            hint="how samples travel",
            x_axis="first axis",
            y_axis="second axis",
            help="Paths of the samples over the data; for pictures, in the plane of two principal components.",
        )
    )
    def paths(self) -> Generator[PointsData | None, None, PointsData]:
        y, rows = self.chosen(20)
        if not self.data.of_points:  # one noise, every class
            y = torch.arange(min(COLUMNS, self.any), device=self.device)
            rows = rows.expand(len(y))
        path, _ = yield from self.trace(y, rows, begin=self.travelled)
        return self.travelled(path)

    def travelled(self, path: Tensor, _: Tensor | None = None) -> PointsData:
        """The ways of samples (K + 1, B, ...) over the data."""
        x, y, ways = self.x[:CLOUD], self.y[:CLOUD], self.data.project(path).unbind(1)  # each way (K + 1, 2)
        if self.data.of_points:
            return PointsData(x, y, self.classes, paths=ways)
        places, pictures, names = self.data.project(x), self.data.pictures(x), self.classes[:COLUMNS]
        return PointsData(places, y, self.classes, pictures=pictures, paths=ways, path_names=names)

    @view(
        Field(
            "Drift",
            colour="viridis",
            x_axis="first axis",
            y_axis="second axis",
            help="Where the network would move noisy samples at the time chosen (arrows), and how far (colour).",
        )
    )
    def drift(self) -> Generator[FieldData | None, None, FieldData]:
        t, side, data = max(1, round(self.hp.moment * self.hp.timesteps)), 11, self.data
        a = self.alpha_bar[t]
        around = data.project(noised(self.held, a, self.held_noise))
        r = 1.1 * float(around.abs().max())
        ticks = torch.linspace(-r, r, side, device=self.device)
        y, x = torch.meshgrid(-ticks, ticks, indexing="ij")
        places = torch.stack([x, y], -1)  # (11, 11, 2), row 0 is the top
        move = torch.empty_like(places)
        noise = noised(data.centre.view(data.shape), a, self.held_noise[0])  # in all directions but those two
        points, hint = PointsData(around, self.held_y, self.classes), f"t = {t} of {self.hp.timesteps}"
        coarse = torch.zeros(side, side, dtype=torch.bool, device=self.device)
        coarse[::2, ::2] = True  # every second place first: it is shown until the others are known
        for chosen in (coarse, ~coarse):
            x_t = data.at(places[chosen], noise)
            x_0 = self.predict(x_t, t, self.chosen(1)[0].expand(len(x_t)))
            move[chosen] = data.project(a.sqrt() * x_0) - places[chosen]
            if chosen is coarse:
                yield drift_field(places[::2, ::2], move[::2, ::2], r, points, hint)
        return drift_field(places, move, r, points, hint)

    @view(Bars("Loss by time", help="The error on held-out samples, from hardly noised (top) to pure noise (bottom)"))
    def by_time(self) -> BarsData:
        return BarsData(tuple(f"{10 * i}–{i + 1}0 %" for i in range(BINS)), self.held_errors().view(BINS, -1).mean(1))

    @view(
        Points(
            "Schedule",
            equal=False,
            x_axis="time t / T",
            y_axis="amplitude",
            hint="signal falls, noise rises",
            help="Weights of signal and noise in x_t over time; the dots are the times that sampling visits.",
        )
    )
    def schedule(self) -> PointsData:
        t = torch.linspace(0, 1, self.hp.timesteps + 1, device=self.device)
        signal, noise = (torch.stack([t, part.sqrt()], 1) for part in (self.alpha_bar, 1 - self.alpha_bar))
        return PointsData(signal[self.times()], paths=(signal, noise), path_names=("signal √ᾱ", "noise √(1 − ᾱ)"))


def drift_field(places: Tensor, move: Tensor, r: float, points: PointsData, hint: str) -> FieldData:
    """How far samples at places (S, S, 2) of the plane move, as colours, and where to, as arrows."""
    side = len(places)
    far = move.norm(dim=2)  # (S, S): 1 - a times the score, the gradient of log q(x_t)
    arrows = torch.cat([places, move / far.max() * 2 * r / side], 2).flatten(0, 1)  # (S · S, 4)
    return FieldData(far, (-r, r, -r, r), points, arrows, hint=hint)
