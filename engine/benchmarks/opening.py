"""How long a large session takes to open: a transformer's weights, Adam's two moments of each, and its curves."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from engine import checkpoint
from engine import messages as m
from engine.benchmarks import Result
from engine.hyperparameters import Value
from engine.recorder import MetricHistory
from engine.session import Session

LARGE: dict[str, Value] = {"layers": 6, "width": "256", "batch_size": 4}
AT_LEAST = 50e6  # bytes
STEPS, ROUNDS = 12, 3
PATIENCE = 120.0  # seconds


def until(session: Session, done: Callable[[m.News], bool]) -> None:
    """Look for news until `done` with it; an error of the engine is one here."""
    deadline, nap = time.perf_counter() + PATIENCE, threading.Event()
    while time.perf_counter() < deadline:
        news = session.news()
        for event in news.events:
            if isinstance(event, m.Failed):
                raise RuntimeError(event.summary)
        if done(news):
            return
        nap.wait(0.002)
    raise TimeoutError(f"nothing came in {PATIENCE:g} s")


def stands_at(session: Session, run: int, step: int) -> None:
    until(session, lambda news: any(s.run == run and s.step >= step for s in news.status))


def save_large(session: Session, path: Path, device: torch.device) -> None:
    """Train run 1 for some steps, and write it with its curves."""
    curves = MetricHistory()

    def learnt(news: m.News) -> bool:
        for batch in news.metrics:
            for name, (steps, values) in batch.series.items():
                curves.append(name, steps, values)
        return (curves.span() or (0, 0))[1] >= STEPS

    session.send(m.Open(1, m.RunSpec("gpt", LARGE, device=str(device))))
    session.send(m.Play(1))
    until(session, learnt)
    session.send(m.Save(1, path, curves.thinned(4096)))
    until(session, lambda news: any(isinstance(event, m.Saved) for event in news.events))
    session.send(m.Close(1))


def benchmark(device: torch.device) -> Iterator[Result]:
    """Seconds from the file to a run that has made its next step, at worst: checked as the window does, read, built,
    restored, trained on. The session is warm, as it is in a window that stands."""
    with tempfile.TemporaryDirectory() as folder:
        path, session = Path(folder) / "large.deepscope", Session()
        try:
            save_large(session, path, device)
            if (size := path.stat().st_size) < AT_LEAST:
                raise RuntimeError(f"{size / 1e6:.1f} MB are no large session")
            stood = checkpoint.load(path)[1].step
            worst, checking = 0.0, 0.0
            for run in range(2, 2 + ROUNDS):
                begun = time.perf_counter()
                spec = checkpoint.read_spec(path)
                checking = max(checking, time.perf_counter() - begun)
                session.send(m.Open(run, m.RunSpec(spec.lab, spec.hyperparameters, device=str(device)), path))
                session.send(m.StepOnce(run))
                stands_at(session, run, stood + 1)
                worst = max(worst, time.perf_counter() - begun)
                session.send(m.Close(run))
        finally:
            session.quit()
    detail = (
        f"worst of {ROUNDS}: {size / 1e6:.0f} MB in {1000 * worst:.0f} ms, {1000 * checking:.0f} of them to check it"
    )
    yield Result("open a large session, seconds", worst, 1.0, False, detail)
