"""Digits by a dense network: its 13,002 parameters, what is drawn of them, its bookkeeping, and that it learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from engine.data import DataError
from engine.hyperparameters import make_params
from engine.lab import actions_of, advance, start, views_of
from engine.labs.foundations.digits import RECENT, SHOWN, Digits, Params
from engine.payloads import Drawing, Pick
from engine.watch import render


def built(dataset: str = "", **values: Any) -> Digits:
    torch.set_num_threads(1)
    lab = start(Digits, make_params(Params, values), dataset=dataset)
    assert isinstance(lab, Digits)
    return lab


@pytest.fixture
def lab() -> Digits:
    return built()


@pytest.fixture(scope="module")
def trained() -> Digits:
    lab = built()
    for _ in range(1000):
        advance(lab)
    return lab


def poke(lab: Digits, view: str, gesture: object) -> None:
    handler = views_of(lab)[view].on_probe
    assert handler is not None
    handler(lab, gesture)


def test_it_has_13_002_parameters_and_counts_them(lab: Digits) -> None:
    assert lab.facts()["parameters"] == "13,002"
    rule, weights, biases, total = render(lab, "count").lines
    assert rule.latex == r"a^{(1)} = \sigma(W^{(0)} a^{(0)} + b^{(0)})"
    assert (weights.latex, weights.numbers) == (r"784 \cdot 16 + 16 \cdot 16 + 16 \cdot 10", "= 12,960")
    assert (biases.latex, biases.numbers) == ("16 + 16 + 10", "= 42")
    assert total.numbers == "13,002"


def test_the_count_follows_the_widths() -> None:
    lab = built(width_1=3, width_2=64, activation="tanh")
    expected = 784 * 3 + 3 * 64 + 64 * 10 + 3 + 64 + 10
    rule, _, _, total = render(lab, "count").lines
    assert rule.latex.startswith(r"a^{(1)} = \tanh(")
    assert total.numbers == f"{expected:,}"
    assert lab.facts()["parameters"] == f"{expected:,}"


@pytest.mark.parametrize("activation", ["sigmoid", "ReLU", "tanh"])
def test_layers_by_hand(activation: str) -> None:
    lab = built(activation=activation)
    bend = {"sigmoid": lambda z: 1 / (1 + np.exp(-z)), "ReLU": lambda z: np.maximum(z, 0), "tanh": np.tanh}[activation]
    (w0, b0), (w1, b1), (w2, b2) = ([p.detach().double().numpy() for p in layer.parameters()] for layer in lab.net)
    a0 = lab.drawing.double().numpy()
    a1 = bend(w0 @ a0 + b0)
    a2 = bend(w1 @ a1 + b1)
    z = w2 @ a2 + b2
    shown = render(lab, "network")
    np.testing.assert_array_equal(shown.values[0], lab.drawing[SHOWN].numpy())
    np.testing.assert_allclose(shown.values[1], a1, atol=1e-5)
    np.testing.assert_allclose(shown.values[2], a2, atol=1e-5)
    np.testing.assert_allclose(shown.values[3], np.exp(z) / np.exp(z).sum(), atol=1e-5)
    assert shown.chosen == z.argmax()


def test_of_784_pixels_sixteen_are_drawn_with_their_true_weights(lab: Digits) -> None:
    shown = render(lab, "network")
    assert shown.sizes == (784, 16, 16, 10)
    assert [len(layer) for layer in shown.units] == [16, 16, 16, 10]
    assert shown.units[0][5] == f"pixel {SHOWN[5]}"
    np.testing.assert_array_equal(shown.weights[0][:, 5], lab.net[0].weight[:, SHOWN[5]].detach().numpy())
    assert shown.units[3] == tuple("0123456789")


def test_weights_are_pictures_of_the_pixels_they_belong_to(lab: Digits) -> None:
    group = render(lab, "layer1").groups[0]
    assert group.pixels.shape == (16, 28, 28)
    assert group.pixels[3, 10, 12] == lab.net[0].weight[3, 28 * 10 + 12].item()


def test_it_learns_the_bundled_digits_within_ten_seconds_of_play(trained: Digits) -> None:
    assert Digits.speed is not None
    assert trained.step_count <= 10 * Digits.speed
    with torch.inference_mode():
        assert trained.measure() > 0.93


def test_confusion_counts_the_judgements(trained: Digits) -> None:
    assert (trained.predicted >= 0).all()
    assert len(trained.answers) <= RECENT  # so that the curve is over all of them
    shown = render(trained, "confusion")
    for true in range(10):
        taken = trained.predicted[trained.answers == true]
        for guess in range(10):
            assert shown.values[0, true, guess] == pytest.approx(float((taken == guess).float().mean()))
    right = float((trained.predicted == trained.answers).float().mean())
    assert shown.hint == f"{100 * right:.1f} % right"
    assert float(trained.judge()["held-out accuracy"]) == pytest.approx(right, abs=0.03)


def test_wrong_ones_come_with_their_loss_the_largest_first(lab: Digits) -> None:
    assert len(render(lab, "wrong").groups[0].pixels) == 10  # an untrained network guesses
    lab.predicted = lab.answers.clone()
    assert len(render(lab, "wrong").groups[0].pixels) == 0
    for index, loss in ((5, 1.0), (9, 6.24), (7, 2.0)):
        lab.predicted[index] = (lab.answers[index] + 1) % 10
        lab.losses[index] = loss
    group = render(lab, "wrong").groups[0]
    np.testing.assert_array_equal(group.pixels.reshape(3, -1), lab.held_out[[9, 7, 5]].numpy())
    assert group.captions[0] == f"{int(lab.answers[9])}→{int(lab.predicted[9])} · 6.2"
    poke(lab, "wrong", Pick(1))
    np.testing.assert_array_equal(render(lab, "canvas").pixels.ravel(), lab.held_out[7].numpy())
    assert render(lab, "chances").target == int(lab.answers[7])
    poke(lab, "wrong", Pick(3))  # a click on one that is no longer listed
    assert lab.shown == 7


def test_a_loss_is_that_of_the_right_answer(trained: Digits) -> None:
    count = len(trained.answers)
    trained.judged = 0
    trained.judge()
    chances = trained.forward(trained.held_out[:100])[-1].softmax(1).detach()
    right = chances[torch.arange(100), trained.answers[:100]]
    torch.testing.assert_close(trained.losses[:100], -right.log(), atol=1e-5, rtol=1e-4)
    assert count == 360


def test_what_is_drawn_flows_through(trained: Digits) -> None:
    before = render(trained, "network")
    poke(trained, "canvas", Drawing(np.ones((28, 28), np.float32)))
    after = render(trained, "network")
    assert (after.values[0] == 1).all()
    assert not np.allclose(before.values[1], after.values[1])
    assert render(trained, "canvas").caption == "your drawing"
    assert render(trained, "chances").target is None
    actions_of(trained)["another"].method(trained)
    assert render(trained, "canvas").caption == f"held out: {int(trained.answers[0])}"


def test_looking_changes_nothing_of_the_experiment(trained: Digits) -> None:
    before = [p.detach().clone() for p in trained.net.parameters()]
    for name in views_of(trained):
        render(trained, name)
    assert all(torch.equal(a, b) for a, b in zip(before, trained.net.parameters(), strict=True))


def test_an_epoch_shows_every_picture_once(lab: Digits) -> None:
    seen = []
    for _ in range(len(lab.x) // 32):
        advance(lab)
        seen.append(lab.queue[lab.position - 32 : lab.position])
    assert len(torch.cat(seen).unique()) == 32 * (len(lab.x) // 32)
    assert lab.steps_per_epoch == pytest.approx(len(lab.x) / 32)


def test_live_knobs_act_at_the_next_step(lab: Digits) -> None:
    advance(lab)
    lab.hp = make_params(Params, {"optimiser": "SGD", "learning_rate": 0.5, "batch_size": 8})
    for name in ("optimiser", "learning_rate", "batch_size"):
        lab.changed(name)
    twin = built()
    for ours, theirs in zip(twin.net.parameters(), lab.net.parameters(), strict=True):
        ours.data.copy_(theirs.data)
    x, y = (each[lab.queue[lab.position : lab.position + 8]] for each in (lab.x, lab.y))
    advance(lab)
    loss = -twin.forward(x)[-1].log_softmax(1)[torch.arange(8), y].mean()
    parameters = list(twin.net.parameters())
    for ours, theirs, slope in zip(
        parameters, lab.net.parameters(), torch.autograd.grad(loss, parameters), strict=True
    ):
        torch.testing.assert_close(theirs, ours - 0.5 * slope, atol=1e-6, rtol=1e-5)


def pictures(folder: Path, classes: tuple[str, ...]) -> str:
    for number, name in enumerate(classes):
        (folder / name).mkdir()
        for i in range(15):
            Image.new("L", (20, 20), 60 * number + i).save(folder / name / f"{i}.png")
    return str(folder)


def test_own_pictures_of_three_classes_have_three_answers(tmp_path: Path) -> None:
    lab = built(pictures(tmp_path, ("cat", "dog", "owl")))
    advance(lab)
    assert render(lab, "network").units[3] == ("cat", "dog", "owl")
    assert lab.facts()["parameters"] == f"{784 * 16 + 16 * 16 + 16 * 3 + 16 + 16 + 3:,}"


def test_pictures_of_one_class_teach_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="single class"):
        built(pictures(tmp_path, ("cat",)))
