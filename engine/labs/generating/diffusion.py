"""Diffusion: pictures or points are drowned in noise step by step, and a network learns the way back."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.data.samples import load_samples
from engine.hyperparameters import choice, integer, real
from engine.lab import Lab, LabError, Metrics, Proof, Step, view
from engine.nn.noise import alpha_bar, clean, ddim_step, ddpm_step, noised, target
from engine.nn.unet import PointDenoiser, UNet
from engine.payloads import (
    BarsData,
    FieldData,
    FilmRow,
    FilmstripData,
    Gesture,
    ImageGroup,
    ImagesData,
    Pick,
    PointsData,
)
from engine.views import Bars, Curves, Field, Filmstrip, Images, Points

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
    sampling_steps: int = integer(12, 2, 100, view=True, help="Steps from pure noise to a sample; more is finer")
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

    Watch digits, or points of the plane, dissolve and come back. Sampling by DDPM or DDIM (Song et al., 2021), steered
    by a label with classifier-free guidance (Ho and Salimans, 2022).
    """

    title, chapter, summary = "Diffusion", "Generating", "Noise becomes a digit, step by step, as it is told"
    order = 70
    Params = DiffusionParams
    datasets = ("digits", "mnist", "fashion-mnist", "spiral", "moons", "circle", "xor")
    accepts = ("images",)
    many_threads = True
    state = ("net", "averaged", "optimizer", "picked")
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
        net = (PointDenoiser if self.data.of_points else UNet)(self.hp.channels, self.any + 1)
        self.net = net.to(self.device)
        self.averaged = copy.deepcopy(self.net).requires_grad_(False)
        self.optimizer = torch.optim.Adam(self.net.parameters(), betas=(0.9, 0.99), fused=True)
        self.picked: list[int] = []  # label and row of noise of the sample picked, if any: the strips show it
        self.changed("batch_size")

    def changed(self, name: str) -> None:
        self.steps_per_epoch = len(self.x) / self.hp.batch_size
        if name == "label":
            self.picked = []

    def facts(self) -> dict[str, str]:
        return {"parameters": f"{sum(p.numel() for p in self.net.parameters()):,}"}

    def errors(self, net: nn.Module, x0: Tensor, t: Tensor, y: Tensor, noise: Tensor) -> Tensor:
        """The squared error of each sample's prediction (B,): eq. 14 of Ho et al. (2020), for any target."""
        a = self.alpha_bar[t].view(-1, *[1] * len(self.data.shape))  # (B, 1, 1, 1) or (B, 1)
        output = net(noised(x0, a, noise), t / self.hp.timesteps, y)
        square: Tensor = (output - target(self.hp.prediction, x0, a, noise)).square()
        return square.flatten(1).mean(1)

    def step(self) -> Step:  # algorithm 1 of Ho et al. (2020)
        size = self.hp.batch_size
        chosen = torch.randint(len(self.x), (size,), device=self.device)
        x0, y = self.x[chosen], self.y[chosen]  # (B, 1, 16, 16) or (B, 2); (B,)
        y = y.masked_fill(torch.rand(size, device=self.device) < self.hp.label_dropout, self.any)
        t = torch.randint(1, self.hp.timesteps + 1, (size,), device=self.device)
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

    # ---------------------------------------------------------------------------------------------- sampling

    def predict(self, x: Tensor, t: int, y: Tensor) -> Tensor:
        """The clean sample seen in x_t, guided: eq. 6 of Ho and Salimans (2022), with w = guidance - 1."""
        labels = torch.cat([y, torch.full_like(y, self.any)])
        times = torch.full((2 * len(x),), t / self.hp.timesteps, device=self.device)
        told, free = self.averaged(torch.cat([x, x]), times, labels).chunk(2)
        output = free + self.hp.guidance * (told - free)
        return clean(self.hp.prediction, output, x, self.alpha_bar[t]).clamp(-self.data.bound, self.data.bound)

    def times(self) -> list[int]:
        """The times that sampling visits, from T down to 0."""
        count = min(self.hp.sampling_steps, self.hp.timesteps)
        return [round(self.hp.timesteps * (1 - i / count)) for i in range(count + 1)]

    def walk(self, y: Tensor, rows: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """From noise to samples of labels y (B,), each from its row of noise: each x_t, the x_0 seen in it."""
        source = torch.Generator().manual_seed(self.hp.noise_seed)
        noise = (torch.randn(NOISES, *self.data.shape, generator=source).to(self.device) for _ in itertools.count())
        step = {"DDIM": ddim_step, "DDPM": ddpm_step}[self.hp.sampler]
        x = next(noise)[rows]
        for t, s in itertools.pairwise(self.times()):
            x0 = self.predict(x, t, y)
            yield x, x0
            x = step(x, x0, self.alpha_bar[t], self.alpha_bar[s], next(noise)[rows])
        yield x, x

    def trace(self, y: Tensor, rows: Tensor) -> Generator[None, None, tuple[Tensor, Tensor]]:
        """All x_t and predicted x_0 of a walk, each (K + 1, B, ...); training may go on between two steps of it."""
        path = []
        for pair in self.walk(y, rows):
            path.append(pair)
            yield
        return torch.stack([x for x, _ in path]), torch.stack([x0 for _, x0 in path])

    def measure(self) -> float:
        from sklearn.svm import SVC

        judge = SVC(C=10).fit(self.x[:8000].flatten(1).cpu(), self.y[:8000].cpu())  # knows only real samples
        if judge.score(self.data.held.flatten(1).cpu(), self.data.held_y.cpu()) < 0.97:
            raise LabError("the classifier that is to judge the samples does not know the real ones")
        y = torch.arange(self.any, device=self.device).repeat_interleave(40)
        *_, (x, _) = self.walk(y, torch.arange(len(y), device=self.device) % 40)
        return float(judge.score(x.flatten(1).cpu(), y.cpu()))

    # ------------------------------------------------------------------------------------------------- views

    loss = Curves(
        "Loss", metrics=("train loss", "validation loss"), log_y=True, hint="train · validation",
        help="Mean squared error of the prediction; validation judges the averaged copy on held-out samples.",
    )  # fmt: skip

    def chosen(self, points: int) -> tuple[Tensor, Tensor]:
        """Labels and rows of noise of what is looked into: so many points, or one picture."""
        asked, row = self.picked or (self.hp.label, 0)
        label = min(asked, self.any - 1) if asked >= 0 else self.any
        rows = list(range(points)) if self.data.of_points else [row]
        return torch.full((len(rows),), label, device=self.device), torch.tensor(rows, device=self.device)

    def strip(self, times: list[int], path: Tensor, guesses: Tensor) -> FilmstripData:
        """Two rows of frames, (K, B, ...) each: clouds of all B points, or the first picture."""
        films = []
        for name, x in (("x_t", path), ("predicted x₀", guesses)):
            points = self.data.of_points
            films.append(FilmRow(name, points=x) if points else FilmRow(name, self.data.pictures(x[:, 0])))
        return FilmstripData(tuple(films), tuple(f"t = {t}" for t in times))

    def spot(self, index: int) -> tuple[int, int]:
        """Label and row of noise of a picture in Samples; where classes are few, they come again with other noise."""
        row, column = divmod(index, COLUMNS)
        return (row, 0) if self.data.of_points else (column % self.any, row + ROWS * (column // self.any))

    @view(Images(
        "Samples", columns=COLUMNS, hint="click one to watch it emerge",
        help="Drawn from noise as told; a row starts from one and the same noise. Of points: density, from noise on.",
    ))  # fmt: skip
    def samples(self) -> Generator[None, None, ImagesData]:
        n, points = self.any, self.data.of_points
        spots = [self.spot(k) for k in range(ROWS * COLUMNS)]
        spots = [(label, row) for label in range(n) for row in range(CLOUD)] if points else spots
        labels, rows = torch.tensor(spots, device=self.device).T
        path, _ = yield from self.trace(labels, rows)
        if not points:
            names = tuple(self.classes[label] for label, _ in spots)
            return ImagesData((ImageGroup("", self.data.pictures(path[-1]), names),))
        moments = torch.linspace(0, len(path) - 1, COLUMNS).long()
        clouds = path[moments].view(COLUMNS, n, CLOUD, 2).transpose(0, 1).flatten(0, 1)  # (n · COLUMNS, CLOUD, 2)
        names = tuple(name for name in self.classes for _ in range(COLUMNS))
        return ImagesData((ImageGroup("", self.data.pictures(clouds), names),))

    @samples.probe
    def samples(self, gesture: Gesture) -> None:
        if isinstance(gesture, Pick):
            self.picked = list(self.spot(gesture.index))

    @view(Filmstrip(
        "Forward: into noise",
        help="A held-out sample as noise is added; below, the clean one that the network sees in it, blurred by doubt.",
    ))  # fmt: skip
    def noising(self) -> Generator[None, None, FilmstripData]:
        first = int((self.held_y == self.chosen(1)[0]).int().argmax())
        shown = slice(None) if self.data.of_points else slice(first, first + 1)
        x0, y, noise = self.held[shown], self.held_y[shown], self.held_noise[shown]
        times = [round(self.hp.timesteps * i / 10) for i in range(11)]
        path = [noised(x0, self.alpha_bar[t], noise) for t in times]
        guesses = [x0]
        for t, x in zip(times[1:], path[1:], strict=True):
            guesses.append(self.predict(x, t, y))
            yield
        return self.strip(times, torch.stack(path), torch.stack(guesses))

    @view(Filmstrip(
        "Reverse: out of noise",
        help="How the label asked for is drawn: x_t at each sampling step, and the clean sample predicted from it.",
    ))  # fmt: skip
    def denoising(self) -> Generator[None, None, FilmstripData]:
        path, guesses = yield from self.trace(*self.chosen(CLOUD))
        return self.strip(self.times(), path, guesses)

    @view(Points(
        "Paths", hint="how samples travel", x_axis="first axis", y_axis="second axis",
        help="Ways of samples through the plane, over the data; for pictures, the plane of two principal components.",
    ))  # fmt: skip
    def paths(self) -> Generator[None, None, PointsData]:
        y, rows = self.chosen(20)
        if not self.data.of_points:  # one noise, every class
            y = torch.arange(min(COLUMNS, self.any), device=self.device)
            rows = rows.expand(len(y))
        path, _ = yield from self.trace(y, rows)
        ways, x = self.data.project(path), self.x[:CLOUD]  # (K + 1, B, 2)
        places, labels = self.data.project(x), self.y[:CLOUD]
        if self.data.of_points:
            return PointsData(places, labels, self.classes, paths=ways.unbind(1))
        pictures, names = self.data.pictures(x), self.classes[:COLUMNS]
        return PointsData(places, labels, self.classes, pictures=pictures, paths=ways.unbind(1), path_names=names)

    @view(Field(
        "Drift", colour="viridis", x_axis="first axis", y_axis="second axis",
        help="Where the network would move noisy samples at the time chosen (arrows), and how far (colour).",
    ))  # fmt: skip
    def drift(self) -> Generator[None, None, FieldData]:
        t, side, data = max(1, round(self.hp.moment * self.hp.timesteps)), 12, self.data
        a = self.alpha_bar[t]
        around = data.project(noised(self.held, a, self.held_noise))
        r = 1.1 * float(around.abs().max())
        ticks = torch.linspace(-r, r, side, device=self.device)
        places = torch.cartesian_prod(-ticks, ticks).flip(1)  # (144, 2), row by row from the top left
        rest = noised(data.centre, a, self.held_noise[0].flatten())  # the usual noise in all other directions
        x = rest + (places - data.project(rest.view(data.shape))) @ data.axes.T  # (144, D)
        moves = []
        for part in x.view(-1, *data.shape).split(48):
            seen = self.predict(part, t, self.chosen(1)[0].expand(len(part)))
            moves.append(data.project(a.sqrt() * seen) - data.project(part))
            yield
        move = torch.cat(moves)  # (144, 2): (1 - a) times the score, the gradient of log q(x_t)
        far = move.norm(dim=1)
        arrows = torch.cat([places, move / far.max() * 2 * r / side], 1)
        points, hint = PointsData(around, self.held_y, self.classes), f"t = {t} of {self.hp.timesteps}"
        return FieldData(far.view(side, side), (-r, r, -r, r), points, arrows, hint=hint)

    @view(Bars("Loss by time", help="The error on held-out samples, from hardly noised (top) to pure noise (bottom)"))
    def by_time(self) -> BarsData:
        parts = tuple(f"{100 * i // BINS}–{100 * (i + 1) // BINS} %" for i in range(BINS))
        return BarsData(parts, self.held_errors().view(BINS, -1).mean(1))

    @view(Points(
        "Schedule", equal=False, x_axis="time t / T", y_axis="amplitude", hint="signal falls, noise rises",
        help="Weights of signal and noise in x_t over time; the dots are the times that sampling visits.",
    ))  # fmt: skip
    def schedule(self) -> PointsData:
        last = self.hp.timesteps
        t = torch.linspace(0, last, 101, device=self.device).round().long()
        visited = torch.tensor(self.times(), device=self.device)
        signal, noise = self.alpha_bar.sqrt(), (1 - self.alpha_bar).sqrt()
        ways = tuple(torch.stack([t / last, amplitude[t]], 1) for amplitude in (signal, noise))
        dots = torch.stack([visited / last, signal[visited]], 1)
        return PointsData(dots, paths=ways, path_names=("signal √ᾱ", "noise √(1 − ᾱ)"))
