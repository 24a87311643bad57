"""LeNet: its size, its views, its bookkeeping, and that it learns."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from engine.hyperparameters import make_params
from engine.lab import actions_of, advance, start, views_of
from engine.labs.vision.lenet import RECENT, SLICE, LeNet, LeNetParams, shifted
from engine.payloads import Drawing, Pick
from engine.watch import render


@pytest.fixture
def lab() -> LeNet:
    torch.set_num_threads(1)
    lab = start(LeNet)
    assert isinstance(lab, LeNet)
    return lab


@pytest.fixture(scope="module")
def trained() -> LeNet:
    torch.set_num_threads(1)
    lab = start(LeNet)
    assert isinstance(lab, LeNet)
    for _ in range(150):
        advance(lab)
    return lab


def poke(lab: LeNet, view: str, gesture: object) -> None:
    handler = views_of(lab)[view].on_probe
    assert handler is not None
    handler(lab, gesture)


def test_it_has_the_size_of_lenet_5(lab: LeNet) -> None:
    assert lab.facts() == {"parameters": "61,706", "in filters": "2,572", "work": "0.83 MFLOP per image"}


def test_flop_are_those_that_torch_counts(lab: LeNet) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        lab.net(torch.zeros(1, 1, 28, 28))
    assert lab.facts()["work"] == f"{counter.get_total_flops() / 1e6:.2f} MFLOP per image"


@pytest.mark.parametrize("kernel", ["3", "5", "7"])
def test_layer_1_is_a_convolution_by_hand(kernel: str) -> None:
    lab = start(LeNet, make_params(LeNetParams, {"kernel_size": kernel, "activation": "none"}))
    maps = render(lab, "layer1").groups[1].pixels
    k, (weight, bias) = int(kernel), (p.detach() for p in lab.net.conv1.parameters())
    patch = F.pad(lab.drawing, [k // 2] * 4)[10 : 10 + k, 12 : 12 + k]
    assert maps.shape == (6, 28, 28)
    assert maps[3, 10, 12] == pytest.approx(float((patch * weight[3, 0]).sum() + bias[3]), abs=1e-5)


def test_every_view_has_its_shape(lab: LeNet) -> None:
    filters, maps = render(lab, "layer1").groups
    assert filters.pixels.shape == (6, 5, 5)
    assert maps.pixels.shape == (6, 28, 28)
    maps, filters = render(lab, "layer2").groups
    assert maps.pixels.shape == (16, 10, 10)
    assert filters.pixels.shape == (96, 5, 5)
    assert filters.captions[7] == "map 2 → filter 2"
    np.testing.assert_array_equal(filters.pixels[7], lab.net.conv2.weight[1, 1].detach().numpy())
    assert render(lab, "canvas").pixels.shape == (28, 28)
    assert render(lab, "chances").values.sum() == pytest.approx(1, abs=1e-5)
    assert render(lab, "confusion").values.shape == (1, 10, 10)
    assert len(render(lab, "wrong").groups[0].pixels) == 0  # nothing is judged yet


def test_it_learns_the_bundled_digits(trained: LeNet) -> None:
    trained.net.eval()
    with torch.inference_mode():
        assert trained.measure() > 0.9
    trained.net.train()


def test_confusion_matrix_counts_the_judgements(lab: LeNet) -> None:
    lab.predicted = lab.answers.clone()
    third = int(lab.answers[3])
    lab.predicted[3] = (third + 1) % 10
    lab.judged = len(lab.answers)
    shown = render(lab, "confusion")
    of_class = int((lab.answers == third).sum())
    assert shown.values[0, third, third] == pytest.approx((of_class - 1) / of_class)
    assert shown.values[0, third, (third + 1) % 10] == pytest.approx(1 / of_class)
    assert np.trace(shown.values[0]) == pytest.approx(9 + (of_class - 1) / of_class)
    assert shown.hint == f"validation · {100 * (1 - 1 / len(lab.answers)):.1f} %"


def test_judgements_go_round_all_held_out_pictures(trained: LeNet) -> None:
    assert (trained.predicted >= 0).all()
    metrics = trained.judge()
    trained.net.eval()
    with torch.no_grad():
        logits = trained.net(trained.held_out)[-1]
    trained.net.train()
    latest = torch.arange(trained.judged - SLICE, trained.judged) % len(trained.answers)
    assert torch.equal(trained.predicted[latest], logits[latest].argmax(1))
    assert float(metrics["validation accuracy"]) == pytest.approx(
        float((trained.predicted == trained.answers).float().mean())
    )
    assert len(trained.answers) <= RECENT  # so that the mean is over all of them


def test_wrong_ones_are_wrong_and_the_worst_come_first(lab: LeNet) -> None:
    lab.predicted = lab.answers.clone()
    for index, loss in ((5, 1.0), (9, 3.0), (7, 2.0)):
        lab.predicted[index] = (lab.answers[index] + 1) % 10
        lab.losses[index] = loss
    group = render(lab, "wrong").groups[0]
    np.testing.assert_array_equal(group.pixels, lab.held_out[[9, 7, 5], 0].numpy())
    assert group.captions[0] == f"{int(lab.answers[9])} → {int(lab.predicted[9])}"
    poke(lab, "wrong", Pick(1))
    np.testing.assert_array_equal(render(lab, "canvas").pixels, lab.held_out[7, 0].numpy())
    assert render(lab, "chances").target == int(lab.answers[7])


def test_a_drawing_is_what_the_network_looks_at(trained: LeNet) -> None:
    before = render(trained, "chances").values
    poke(trained, "canvas", Drawing(np.zeros((28, 28), np.float32)))
    assert render(trained, "canvas").caption == "your drawing"
    after = render(trained, "chances")
    assert after.target is None
    assert not np.allclose(before, after.values)
    actions_of(trained)["next_sample"].method(trained)
    assert render(trained, "chances").target == int(trained.answers[0])


def test_an_epoch_shows_every_picture_once(lab: LeNet) -> None:
    lab.x = torch.arange(len(lab.x), dtype=torch.float32).view(-1, 1, 1, 1)
    seen = torch.cat([lab.batch()[0].flatten() for _ in range(len(lab.x) // 64)])
    assert lab.epoch == 0
    assert len(seen.unique()) == len(seen)
    lab.batch()
    assert lab.epoch == 1


def test_random_shift_moves_pictures_within_its_limit() -> None:
    x = torch.zeros(200, 1, 9, 9)
    x[:, 0, 4, 4] = 1
    places = shifted(x, 2)[:, 0].nonzero()[:, 1:]  # (200, 2)
    assert len(places) == 200
    assert places.unique().tolist() == [2, 3, 4, 5, 6]
    assert len(places.unique(dim=0)) == 25
    assert shifted(x, 0) is x


def test_live_knobs_act_at_the_next_step(lab: LeNet) -> None:
    advance(lab)
    net = lab.net
    lab.hp = make_params(
        LeNetParams, {"optimiser": "momentum", "learning_rate": 0.5, "rate_decay": 1.0, "dropout": 0.3}
    )
    for name in ("optimiser", "learning_rate", "rate_decay", "dropout"):
        lab.changed(name)
    lab.epoch = 1
    advance(lab)
    assert isinstance(lab.optimizer, torch.optim.SGD)
    assert lab.optimizer.param_groups[0]["lr"] == 0.25
    assert lab.optimizer.param_groups[0]["momentum"] == 0.9
    assert lab.net is net
    assert net.dropout.p == 0.3
