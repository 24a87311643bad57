"""The labs on a CUDA device: the contract, closeness to the CPU, no synchronisation per step, device-resident data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from engine import checkpoint
from engine.benchmarks import BENCHMARKS
from engine.discovery import catalogue, load_lab
from engine.hyperparameters import values_of
from engine.lab import Lab, advance, modules_of, start, views_of
from engine.messages import RunSpec
from engine.watch import render, rng_state, set_rng_state

CUDA = torch.device("cuda")
LABS = [card.id for card in catalogue()]
pytestmark = pytest.mark.gpu


def trained(lab_id: str, steps: int, seed: int = 3, watch: bool = False) -> Lab:
    lab = start(load_lab(lab_id), seed=seed, device=CUDA)
    for _ in range(steps):
        advance(lab)
        if watch:
            for name in views_of(lab):
                render(lab, name)
    return lab


def tensors(value: Any) -> list[torch.Tensor]:
    """All tensors of a state, in order."""
    if isinstance(value, torch.Tensor):
        return [value.detach()]
    if isinstance(value, dict):
        return [tensor for item in value.values() for tensor in tensors(item)]
    if isinstance(value, list | tuple):
        return [tensor for item in value for tensor in tensors(item)]
    return []


def close(one: Lab, two: Lab) -> bool:
    """Whether two labs agree within what the order of additions on a GPU may change."""
    states = [checkpoint.take(lab, {}, rng_state(CUDA)).state for lab in (one, two)]
    pairs = zip(tensors(dict(states[0])), tensors(dict(states[1])), strict=True)
    return all(torch.allclose(a.double(), b.double(), rtol=1e-2, atol=1e-3) for a, b in pairs)


@pytest.mark.parametrize("lab_id", LABS)
def test_trains_and_shows_on_the_device(lab_id: str) -> None:
    lab = trained(lab_id, 20)
    for module in modules_of(lab):
        assert all(parameter.is_cuda for parameter in module.parameters())
    for name in views_of(lab):
        render(lab, name)


@pytest.mark.parametrize("lab_id", LABS)
def test_watched_is_unwatched_within_tolerance(lab_id: str) -> None:
    assert close(trained(lab_id, 5), trained(lab_id, 5, watch=True))


@pytest.mark.parametrize("lab_id", LABS)
def test_resumed_is_uninterrupted_within_tolerance(lab_id: str, tmp_path: Path) -> None:
    whole = trained(lab_id, 5)
    snapshot = checkpoint.take(whole, values_of(whole.hp), rng_state(CUDA))
    checkpoint.save(tmp_path / "a.deepscope", RunSpec(lab_id), snapshot)
    other = trained(lab_id, 1, seed=9)
    _, loaded, _ = checkpoint.load(tmp_path / "a.deepscope")
    checkpoint.put(other, loaded)
    set_rng_state(loaded.rng, CUDA)
    for _ in range(3):
        advance(other)
    set_rng_state(snapshot.rng, CUDA)
    for _ in range(3):
        advance(whole)
    assert close(whole, other)


@pytest.mark.parametrize("lab_id", LABS)
def test_a_checkpoint_of_the_gpu_opens_on_the_cpu(lab_id: str, tmp_path: Path) -> None:
    lab = trained(lab_id, 2)
    path = tmp_path / "a.deepscope"
    checkpoint.save(path, RunSpec(lab_id), checkpoint.take(lab, values_of(lab.hp), rng_state(CUDA)))
    _, loaded, _ = checkpoint.load(path)
    other = start(load_lab(lab_id), seed=9)
    checkpoint.put(other, loaded)
    advance(other)


@pytest.mark.parametrize("lab_id", LABS)
def test_a_step_does_not_wait_for_the_device(lab_id: str) -> None:
    lab = trained(lab_id, 30)
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(5):
            advance(lab)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("name", BENCHMARKS)
def test_benchmark(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    results = list(BENCHMARKS[name](CUDA))
    with capsys.disabled():
        print()
        for result in results:
            print(result.line())
    assert results
