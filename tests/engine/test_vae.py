"""The variational autoencoder's parts against torch.distributions, and the lab that is made of them."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Bernoulli, Normal, kl_divergence

from engine.hyperparameters import make_params
from engine.lab import Lab, advance, start
from engine.labs.generating.vae import STEPS, TILES, VAE, VAEParams, divergence, reconstruction, reparameterise
from engine.payloads import ImagesData, Pick, PointPick, PointsData
from engine.watch import render, watching


def lab(steps: int = 0, **settings: float | int | bool) -> tuple[Lab, dict[str, float]]:
    torch.set_num_threads(1)
    built = start(VAE, make_params(VAEParams, {"hidden": 128, **settings}))
    metrics: dict[str, float] = {}
    for _ in range(steps):
        metrics.update({name: float(value) for name, value in (advance(built) or {}).items()})
    return built, metrics


# ------------------------------------------------------------------------------------------------ the parts


def test_divergence_is_that_of_two_gaussians() -> None:
    mean, log_variance = torch.randn(7, 5), torch.randn(7, 5)
    expected = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0))
    torch.testing.assert_close(divergence(mean, log_variance), expected)
    assert divergence(torch.zeros(1, 3), torch.zeros(1, 3)).abs().max() == 0


def test_gradients_pass_through_the_sample() -> None:
    mean = torch.randn(6, requires_grad=True)
    log_variance = torch.randn(6, requires_grad=True)
    noise = torch.randn(6)
    reparameterise(mean, log_variance, noise).sum().backward()
    torch.testing.assert_close(mean.grad, torch.ones(6))
    torch.testing.assert_close(log_variance.grad, 0.5 * (0.5 * log_variance.detach()).exp() * noise)


def test_the_mean_gradient_is_that_of_the_expectation() -> None:
    """E[z²] = mean² + variance, so its gradients are 2 mean and variance (by the log-variance)."""
    torch.manual_seed(0)
    mean = torch.tensor(1.5, requires_grad=True)
    log_variance = torch.tensor(-0.4, requires_grad=True)
    reparameterise(mean, log_variance, torch.randn(400_000)).square().mean().backward()
    assert float(mean.grad) == pytest.approx(3.0, abs=0.02)
    assert float(log_variance.grad) == pytest.approx(math.exp(-0.4), abs=0.02)


def test_reconstruction_is_counted_in_nats() -> None:
    logits, bits = torch.randn(4, 784), (torch.rand(4, 784) > 0.5).float()
    expected = -Bernoulli(logits=logits).log_prob(bits).sum(1)
    torch.testing.assert_close(reconstruction(logits, bits), expected)
    grey, p = torch.rand(4, 784), logits.sigmoid()
    torch.testing.assert_close(reconstruction(logits, grey), -(grey * p.log() + (1 - grey) * (1 - p).log()).sum(1))
    assert float(reconstruction(torch.zeros(1, 784), grey[:1])) == pytest.approx(784 * math.log(2), rel=1e-5)


# -------------------------------------------------------------------------------------------------- the lab


def test_it_learns() -> None:
    trained, metrics = lab(200)
    fresh, before = lab(1)
    assert before["validation −ELBO"] > 500  # 784 pixels at ln 2 each
    assert metrics["validation −ELBO"] < 360
    with watching(trained), watching(fresh):
        assert trained.measure() < 360 < fresh.measure()


def test_the_bound_is_the_sum_of_its_parts_whatever_beta_is() -> None:
    _, metrics = lab(21, beta=7.0)
    for kind in ("train", "validation"):
        parts = metrics[f"{kind} reconstruction"] + metrics[f"{kind} KL"]
        assert metrics[f"{kind} −ELBO"] == pytest.approx(parts, rel=1e-5)


def test_beta_and_the_regulariser_govern_how_much_the_code_tells() -> None:
    kl = {
        name: lab(200, **knobs)[1]["validation KL"]
        for name, knobs in {"off": {"regularise": False}, "one": {"beta": 1.0}, "ten": {"beta": 10.0}}.items()
    }
    assert kl["off"] > 2 * kl["one"] > 4 * kl["ten"]


def tile(shown: PointsData, row: int, column: int) -> torch.Tensor:
    whole = torch.from_numpy(shown.backdrop)
    return whole.view(TILES, 28, TILES, 28)[row, :, column]


@pytest.mark.parametrize(("latent", "across", "up"), [(2, 1, 2), (5, 4, 2)])
def test_the_plane_shows_what_the_decoder_draws_there(latent: int, across: int, up: int) -> None:
    trained, _ = lab(30, latent=latent, across=across, up=up)
    trained.spot = [0.3 * i for i in range(latent)]
    shown = render(trained, "plane")
    assert isinstance(shown, PointsData)
    reach = shown.extent[1]
    middle = reach * (1 - 1 / TILES)
    for row, column, x, y in (
        (0, 0, -middle, middle),
        (TILES - 1, 0, -middle, -middle),
        (0, TILES - 1, middle, middle),
    ):
        VAE.plane.on_probe(trained, PointPick(x, y))
        here = torch.from_numpy(render(trained, "here").groups[0].pixels[0])
        torch.testing.assert_close(here, tile(shown, row, column), rtol=1e-4, atol=1e-5)
    assert render(trained, "plane").cursor == pytest.approx((middle, middle))
    others = [i for i in range(latent) if i not in (across - 1, up - 1)]
    assert [trained.spot[i] for i in others] == [0.3 * i for i in others]


def test_picking_a_code_moves_the_cursor_there_in_all_latents() -> None:
    trained, _ = lab(30, latent=4)
    places = render(trained, "codes").xy
    VAE.codes.on_probe(trained, PointPick(float(places[3, 0]), float(places[3, 1]), 3))
    with watching(trained):
        assert trained.spot == pytest.approx(trained.code(3).tolist(), abs=1e-5)


def test_the_walk_leads_from_one_picture_to_the_other() -> None:
    trained, _ = lab(30)
    for index in (4, 8):  # the last two picked are the ends
        VAE.pairs.on_probe(trained, Pick(index, "in"))
    assert trained.ends == [4, 8]
    pairs, walk = render(trained, "pairs"), render(trained, "walk")
    assert isinstance(walk, ImagesData)
    codes, pixels = (group.pixels for group in walk.groups)
    assert len(codes) == STEPS
    assert abs(codes[0] - pairs.groups[1].pixels[4]).max() < 1e-5
    assert abs(codes[-1] - pairs.groups[1].pixels[8]).max() < 1e-5
    assert abs(pixels[-1] - pairs.groups[0].pixels[8]).max() < 1e-6
    VAE.turn_page.method(trained)
    assert trained.ends == [10, 11]


def test_only_the_chosen_latent_varies() -> None:
    trained, _ = lab(30, latent=3, varied=2)
    with watching(trained):
        code = trained.code(0)
        code[1] = -3.0
        expected = trained.net.decode(code[None])[0]
    first = torch.from_numpy(render(trained, "vary").groups[0].pixels[0])
    torch.testing.assert_close(first, expected, rtol=1e-4, atol=1e-5)


def test_a_latent_beyond_the_last_is_the_last() -> None:
    trained, _ = lab(1, latent=3, across=32, up=31, varied=20)
    assert render(trained, "vary").hint == "latent 3 of 3"
    assert render(trained, "codes").xy.shape == (360, 2)
