"""What it costs to keep a run for rewinding: frames for the eye, snapshots to branch from."""

from __future__ import annotations

import math
from collections.abc import Iterator

import psutil
import torch

from engine import messages as m
from engine.benchmarks import Result, in_turns
from engine.benchmarks.session import Client
from engine.tape import Tape

SECONDS, ROUNDS = 1.0, 15  # many short turns: what else the machine does comes and goes
STEPS = 200_000
BOUND = 16 << 20  # bytes, soon reached: half for frames, half for snapshots, as in the window


class Keeper(Client):
    """A client that keeps what the window keeps, or does not."""

    def __init__(self, lab: str, device: torch.device, memory: int) -> None:
        self.tape, self.recording = Tape(memory // 2), True
        super().__init__(lab, device)
        self.run = self.session._runs[1]  # only looked at from here, but for `switch`
        self.run.snapshots.capacity = memory // 2

    def keep(self, news: m.News) -> None:
        for frame in news.frames if self.recording else ():
            self.tape.record(frame)

    def switch(self, on: bool) -> None:
        """Record from now on, or no longer; it stands still."""
        self.recording = on
        self.run._snapshot_at = 0.0 if on else math.inf

    @property
    def bytes(self) -> int:
        """What is held for rewinding."""
        return self.tape.bytes + self.run.snapshots.bytes


def recording(device: torch.device) -> Iterator[Result]:
    """Steps per second with every view looked at and recorded, over looked at only; both at the default budget."""
    for name in ("dense_network", "lenet"):
        client = Keeper(name, device, 512 << 20)

        def rate(on: bool, client: Keeper = client) -> float:
            client.switch(on)
            return client.steps_per_second(SECONDS, client.views)

        rate(True)  # the first pictures, which the budget does not count
        found = in_turns({"recorded": lambda: rate(True), "not": lambda: rate(False)}, ROUNDS)
        frames, snapshots = client.tape.bytes, client.run.snapshots.bytes
        client.close()
        detail = f"{found['recorded']:,.0f} over {found['not']:,.0f} steps/s"
        detail += f", {frames / 1e6:.0f} MB of frames, {snapshots / 1e6:.0f} MB of snapshots"
        yield Result(f"recording {name}", found["recorded"] / found["not"], 0.95, True, detail)


def memory(device: torch.device) -> Iterator[Result]:
    """The most that is held for rewinding in 200,000 watched steps, over the bound given; and how the process grew."""
    client = Keeper("dense_network", device, BOUND)
    process, most = psutil.Process(), 0

    def reached(step: int) -> bool:
        nonlocal most
        most = max(most, client.bytes)
        return client.step >= step

    client.session.send(m.Look(1, client.views))
    client.session.send(m.Play(1))
    client.until(lambda: reached(STEPS // 10), 600.0)
    before, held = process.memory_info().rss, client.bytes
    client.until(lambda: reached(STEPS), 600.0)
    grown = process.memory_info().rss - before
    first, last = client.tape.span() or (0, 0)
    client.close()
    detail = f"{most / 1e6:.1f} of {BOUND / 1e6:.1f} MB, steps {first:,} to {last:,}; from step {STEPS // 10:,} on"
    detail += f" the process grew by {grown / 1e6:.0f} MB, of which {(client.bytes - held) / 1e6:.0f} MB are recorded"
    yield Result("memory for rewinding", most / BOUND, 1.0, False, detail)
