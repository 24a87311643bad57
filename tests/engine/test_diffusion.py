"""The formulas of diffusion against their closed forms, and the lab that learns with them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from engine.hyperparameters import make_params
from engine.lab import Lab, advance, start
from engine.labs.generating.diffusion import CLOUD, COLUMNS, ROWS, Diffusion, DiffusionParams
from engine.nn.noise import alpha_bar, clean, ddim_step, ddpm_step, noised, target
from engine.payloads import FieldData, FilmstripData, ImagesData, Pick, PointsData
from engine.watch import render, rendering, watching

SCHEDULES = ("linear", "cosine")
TIMES = [(1000, 999), (700, 500), (400, 399), (30, 1), (2, 1), (1, 0)]


def lab(steps: int = 0, dataset: str = "digits", **settings: float | int | str) -> Lab:
    torch.set_num_threads(1)
    built = start(Diffusion, make_params(DiffusionParams, settings), dataset=dataset)
    for _ in range(steps):
        advance(built)
    return built


def samples(*shape: int) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(5)
    return tuple(torch.randn(shape, dtype=torch.float64) for _ in range(3))


# ---------------------------------------------------------------------------------------------- the formulas


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("steps", [10, 100, 1000])
def test_schedules_fall_from_all_signal_to_none(schedule: str, steps: int) -> None:
    a = alpha_bar(schedule, steps)
    assert a.shape == (steps + 1,)
    assert a[0] == 1
    assert (a.diff() < 0).all()
    assert 0 < a[-1] < 1e-3


def test_schedules_are_those_of_the_papers() -> None:
    linear = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), 0)
    torch.testing.assert_close(alpha_bar("linear", 1000)[1:].double(), linear, rtol=1e-5, atol=1e-7)
    t = torch.arange(900, dtype=torch.float64) / 1000
    f = torch.cos((t + 0.008) / 1.008 * torch.pi / 2) ** 2
    torch.testing.assert_close(alpha_bar("cosine", 1000)[:900].double(), f / f[0], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_one_jump_has_the_mean_and_variance_of_many_small_steps(schedule: str) -> None:
    """q(x_t | x_0) is what t steps x_t = sqrt(1 - beta) x_(t-1) + sqrt(beta) noise lead to."""
    a = alpha_bar(schedule, 50).double()
    mean, variance = 3.0, 0.0
    for before, after in itertools.pairwise(a.tolist()):
        alpha = after / before
        mean, variance = alpha**0.5 * mean, alpha * variance + 1 - alpha
    at_once = noised(torch.full((400_000,), 3.0), a[50].float(), torch.randn(400_000))
    assert float(noised(torch.tensor(3.0), a[50], torch.tensor(0.0))) == pytest.approx(mean, abs=1e-6)
    assert float(at_once.mean()) == pytest.approx(mean, abs=0.01)
    assert float(at_once.var()) == pytest.approx(variance, abs=0.01)


@pytest.mark.parametrize("kind", ["epsilon", "x0", "v"])
@pytest.mark.parametrize("t", [1, 300, 900])
def test_a_perfect_prediction_means_the_clean_sample(kind: str, t: int) -> None:
    x0, noise, _ = samples(4, 6)
    a = alpha_bar("cosine", 1000).double()[t]
    found = clean(kind, target(kind, x0, a, noise), noised(x0, a, noise), a)
    torch.testing.assert_close(found, x0, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("t", "s"), TIMES)
def test_ddpm_step_is_the_posterior(t: int, s: int) -> None:
    """Bayes: q(x_s | x_t, x_0) is proportional to q(x_t | x_s) q(x_s | x_0), two Gaussians in x_s."""
    x, x0, z = samples(50)
    a = alpha_bar("cosine", 1000).double()
    alpha = a[t] / a[s]
    mean = ddpm_step(x, x0, a[t], a[s], torch.zeros_like(z))
    variance = (ddpm_step(x, x0, a[t], a[s], z) - mean).div(z).square()
    if s == 0:  # nothing is left to chance
        torch.testing.assert_close(mean, x0)
        torch.testing.assert_close(variance, torch.zeros_like(variance))
        return
    precision = alpha / (1 - alpha) + 1 / (1 - a[s])
    expected = (alpha.sqrt() * x / (1 - alpha) + a[s].sqrt() * x0 / (1 - a[s])) / precision
    torch.testing.assert_close(mean, expected, rtol=1e-8, atol=1e-10)
    torch.testing.assert_close(variance, (1 / precision).expand_as(variance), rtol=1e-8, atol=1e-12)


def test_ddpm_mean_is_equation_11() -> None:
    x0, noise, zero = samples(50)
    a = alpha_bar("linear", 1000).double()
    for t in (2, 10, 500, 1000):
        beta = 1 - a[t] / a[t - 1]
        x = noised(x0, a[t], noise)
        eq11 = (x - beta / (1 - a[t]).sqrt() * noise) / (1 - beta).sqrt()
        torch.testing.assert_close(ddpm_step(x, x0, a[t], a[t - 1], 0 * zero), eq11, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize(("t", "s"), TIMES)
def test_ddim_with_eta_one_is_ddpm(t: int, s: int) -> None:
    x, x0, z = samples(50)
    a = alpha_bar("linear", 1000).double()
    torch.testing.assert_close(
        ddim_step(x, x0, a[t], a[s], z, eta=1.0), ddpm_step(x, x0, a[t], a[s], z), rtol=1e-8, atol=1e-10
    )


@pytest.mark.parametrize("kind", ["epsilon", "x0", "v"])
def test_ddim_with_a_perfect_network_keeps_to_the_marginals_and_ends_at_the_sample(kind: str) -> None:
    x0, noise, z = samples(20)
    a = alpha_bar("cosine", 100).double()
    times = [100, 63, 20, 7, 0]
    x = noised(x0, a[100], noise)
    for t, s in itertools.pairwise(times):
        seen = clean(kind, target(kind, x0, a[t], noise), x, a[t])
        x = ddim_step(x, seen, a[t], a[s], z)
        torch.testing.assert_close(x, noised(x0, a[s], noise), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(x, x0, rtol=1e-6, atol=1e-6)


# --------------------------------------------------------------------------------------------------- the lab


@pytest.mark.parametrize(
    ("prediction", "steps", "bar"),
    [
        ("x0", 100, 0.85),
        pytest.param("v", 250, 0.85, marks=pytest.mark.slow),
        pytest.param("epsilon", 250, 0.5, marks=pytest.mark.slow),
    ],
)
def test_it_learns_to_draw_the_digits_asked_for(prediction: str, steps: int, bar: float) -> None:
    trained = lab(steps, prediction=prediction)  # predicting the noise takes longer than the others
    with watching(trained):
        assert trained.measure() > bar


def test_an_untrained_network_draws_no_digits() -> None:
    fresh = lab()
    with watching(fresh):
        assert fresh.measure() < 0.3


def test_points_find_their_spiral() -> None:
    trained = lab(1500, dataset="spiral", label=0, sampling_steps=20)
    film = render(trained, "denoising")
    assert isinstance(film, FilmstripData)
    path = torch.from_numpy(film.rows[0].points)  # (K + 1, CLOUD, 2)
    assert path.shape == (21, CLOUD, 2)
    own, other = (trained.x[trained.y == label] for label in (0, 1))
    far = torch.cdist(path[-1], own).min(1).values
    assert far.median() < 0.08
    assert (far < torch.cdist(path[-1], other).min(1).values).float().mean() > 0.85
    assert torch.cdist(path[0], own).min(1).values.mean() > 2 * far.mean()


def test_guidance_mixes_the_answer_with_and_without_label() -> None:
    trained = lab(5, label_dropout=0.5)
    x, t = torch.randn(3, 1, 16, 16), 700
    a = trained.alpha_bar[t]

    def guess(guidance: float, label: int) -> torch.Tensor:
        trained.hp = make_params(DiffusionParams, {"guidance": guidance})
        with watching(trained):
            return trained.predict(x, t, torch.full((3,), label))

    with watching(trained):
        times = torch.full((3,), t / 1000)
        free, told = (trained.averaged(x, times, torch.full((3,), label)) for label in (trained.any, 2))
    torch.testing.assert_close(guess(0, 2), clean("v", free, x, a).clamp(-1, 1))
    torch.testing.assert_close(guess(1, 2), clean("v", told, x, a).clamp(-1, 1))
    torch.testing.assert_close(guess(3, 2), clean("v", 3 * told - 2 * free, x, a).clamp(-1, 1))
    torch.testing.assert_close(guess(5, trained.any), guess(1, trained.any))


def test_hidden_labels_teach_only_the_label_that_says_nothing() -> None:
    trained = lab(3, label_dropout=1.0)
    gradient = trained.net.condition.label.weight.grad
    assert gradient[:-1].abs().max() == 0
    assert gradient[-1].abs().max() > 0


def test_the_averaged_copy_follows_at_its_own_pace() -> None:
    prompt, inert = lab(30, ema=0.0), lab(30, ema=0.9999)
    for own, copied in zip(prompt.net.parameters(), prompt.averaged.parameters(), strict=True):
        torch.testing.assert_close(own, copied)
    gap = [(a - b).abs().max() for a, b in zip(inert.net.parameters(), inert.averaged.parameters(), strict=True)]
    assert max(gap) > 1e-3


@pytest.mark.parametrize("sampler", ["DDIM", "DDPM"])
def test_a_sample_picked_emerges_in_the_strip_as_it_is_in_the_grid(sampler: str) -> None:
    trained = lab(20, sampler=sampler, sampling_steps=8)
    grid = render(trained, "samples")
    assert isinstance(grid, ImagesData)
    assert len(grid.groups[0].pixels) == ROWS * COLUMNS
    index = 2 * COLUMNS + 7  # a seven, from the third noise
    Diffusion.samples.on_probe(trained, Pick(index))
    film = render(trained, "denoising")
    assert film.labels[0] == "t = 1000"
    assert film.labels[-1] == "t = 0"
    assert abs(film.rows[0].pixels[-1] - grid.groups[0].pixels[index]).max() < 1e-3
    trained.changed("label")  # the knob has the last word
    assert abs(render(trained, "denoising").rows[0].pixels[-1] - grid.groups[0].pixels[3]).max() < 1e-3


@pytest.mark.parametrize("dataset", ["digits", "moons"])
def test_drift_points_from_every_place_of_the_plane(dataset: str) -> None:
    trained = lab(60, dataset=dataset)
    field = render(trained, "drift")
    assert isinstance(field, FieldData)
    r = field.extent[1]
    assert field.values.shape == (11, 11)
    assert field.arrows[0, :2] == pytest.approx([-r, r])  # row 0 is the top
    assert field.arrows[10, :2] == pytest.approx([r, r])
    far = (field.arrows[:, 2] ** 2 + field.arrows[:, 3] ** 2) ** 0.5
    assert far / far.max() == pytest.approx(field.values.ravel() / field.values.max(), abs=1e-4)
    inward = -(field.arrows[:, :2] * field.arrows[:, 2:]).sum(1)
    corners = [0, 10, 110, 120]
    assert (inward[corners] > 0).all()  # far from all data, the way leads back


def test_paths_of_all_classes_begin_at_one_place() -> None:
    shown = render(lab(5), "paths")
    assert isinstance(shown, PointsData)
    assert len(shown.paths) == len(shown.path_names) == 10
    starts = {tuple(path[0].round(4).tolist()) for path in shown.paths}
    ends = {tuple(path[-1].round(4).tolist()) for path in shown.paths}
    assert len(starts) == 1
    assert len(ends) == 10


def test_sampling_takes_no_more_steps_than_there_are() -> None:
    few = lab(timesteps=10, sampling_steps=100)
    assert few.times() == list(range(10, -1, -1))
    assert lab(sampling_steps=4).times() == [1000, 750, 500, 250, 0]


def test_what_is_shown_first_has_the_shape_of_the_whole() -> None:
    few = lab(3)
    for name in ("noising", "denoising", "paths", "drift"):
        slices = rendering(few, name, parts=True)
        parts = []
        try:
            while True:
                parts.append(next(slices))
        except StopIteration as stop:
            whole = stop.value
        (part,) = [each for each in parts if each is not None]
        assert type(part) is type(whole)
        if name == "drift":  # every second place of the plane, as it will be
            assert np.allclose(part.values, whole.values[::2, ::2], atol=1e-5)
        elif name != "paths":
            assert [row.pixels.shape for row in part.rows] == [row.pixels.shape for row in whole.rows]
        else:
            assert [way.shape for way in part.paths] == [way.shape for way in whole.paths]
