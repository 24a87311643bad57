"""Data tensors: shapes, slices and memory are torch's own, and the running mean is the mean."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from engine.data.ranks import KINDS
from engine.hyperparameters import make_params
from engine.lab import advance, start
from engine.labs.foundations.data_tensors import DataTensors, Params
from engine.watch import render


def built(**values: Any) -> DataTensors:
    lab = start(DataTensors, make_params(Params, values))
    assert isinstance(lab, DataTensors)
    return lab


@pytest.mark.parametrize(("rank", "name"), list(enumerate(KINDS)))
def test_ranks_from_none_to_five(rank: int, name: str) -> None:
    kind = KINDS[name]
    assert kind.make().ndim == rank == len(kind.axes)


@pytest.mark.parametrize("name", KINDS)
def test_what_is_written_as_the_index_is_what_is_shown(name: str) -> None:
    lab = built(kind=name, sample=min(1, len(KINDS[name].axes)), moment=3, row=30, column=40, size=20)
    written, _ = lab.index()
    expected = eval(written, {"x": lab.x})  # the text on the screen is Python
    grid = render(lab, "numbers").grids[0]
    assert torch.equal(torch.from_numpy(grid.values).float(), torch.atleast_2d(expected))
    assert str(tuple(expected.shape)) in render(lab, "slice").lines[2].numbers


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "uint8"])
def test_the_memory_told_is_what_torch_takes(dtype: str) -> None:
    lab = built(dtype=dtype)
    for row, x in zip(render(lab, "ranks").rows, lab.kinds.values(), strict=True):
        kept = x.to(getattr(torch, dtype))
        assert row[2:] == (str(tuple(x.shape)), f"{x.numel():,}", f"{kept.numel() * kept.element_size():,}")


@pytest.mark.parametrize("name", KINDS)
def test_the_running_mean_and_deviation_are_those_of_all_seen(name: str) -> None:
    lab = built(kind=name, batch_size=7)
    for step in range(1, 5):
        told = advance(lab)
        seen = lab.numbers_of[lab.dealt[: 7 * step]]
        if 7 * step > len(lab.dealt):
            break
        assert told is not None
        assert float(told["mean"]) == pytest.approx(float(seen.mean()), abs=1e-9)
        assert float(told["deviation"]) == pytest.approx(float(seen.std(correction=0)), abs=1e-9)


def test_after_an_epoch_the_mean_is_exact() -> None:
    lab = built(kind="matrix")
    while lab.step_count < lab.steps_per_epoch:
        advance(lab)
    assert lab.measure() < 1e-12


def test_a_picture_is_dimmed_outside_the_slice() -> None:
    lab = built(row=4, column=6, size=5)
    picture = render(lab, "picture").groups[1].pixels[0]
    whole = lab.x[0, 0].numpy() / 255
    assert picture[4:9, 6:11] == pytest.approx(whole[4:9, 6:11])
    assert picture[0] == pytest.approx(0.35 * whole[0])
