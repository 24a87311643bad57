"""What the session costs: against the bare loop, while watched, to pause, and as a run grows long."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import psutil
import torch

from engine import messages as m
from engine.benchmarks import Result, in_turns, rate
from engine.device import threads_for
from engine.discovery import load_lab
from engine.lab import advance, start
from engine.session import Session

LABS = ("dense_network", "lenet", "vae", "gpt", "diffusion")
SECONDS, ROUNDS = 2.0, 3


class Client:
    """What the window would be: it opens a run in a session, and polls its news at display rate."""

    def __init__(self, lab: str, device: torch.device) -> None:
        self.session = Session()
        self.step = 0
        self.steps_seen: list[m.Status] = []
        self.events: list[m.Event] = []
        self.views: tuple[str, ...] = ()
        self.session.send(m.Open(1, m.RunSpec(lab, device=str(device))))
        opened = self.event(m.Opened)
        assert isinstance(opened, m.Opened)
        self.views = tuple(name for name, view in opened.lab.views.items() if view.kind != "curves")

    def poll(self) -> None:
        news = self.session.news()
        self.events += news.events
        for status in news.status:
            self.step = status.step
            self.steps_seen.append(status)
        self.keep(news)

    def keep(self, news: m.News) -> None:
        """For those who want more of it."""

    def until(self, done: Callable[[], bool], seconds: float = 120.0) -> None:
        deadline, nap = time.perf_counter() + seconds, threading.Event()
        while not done():
            if time.perf_counter() > deadline:
                raise TimeoutError(f"nothing came in {seconds:g} s")
            nap.wait(1 / 60)
            self.poll()

    def event(self, kind: type[m.Event]) -> m.Event:
        found: list[m.Event] = []

        def seen() -> bool:
            found.extend(event for event in self.events if isinstance(event, kind))
            failed = [event for event in self.events if isinstance(event, m.Failed)]
            if failed:
                raise RuntimeError(failed[0].summary)
            return bool(found)

        self.until(seen)
        self.events.clear()
        return found[-1]

    def steps_per_second(self, seconds: float, views: tuple[str, ...] = ()) -> float:
        """Train for so long, watched or not, and pause again."""
        self.session.send(m.Look(1, views))
        self.session.send(m.Play(1))
        self.event(m.Playing)
        self.poll()
        first = len(self.steps_seen)
        deadline = time.perf_counter() + seconds
        self.until(lambda: time.perf_counter() > deadline)
        self.session.send(m.Pause(1))
        begun, step = deadline - seconds, self.steps_seen[first - 1].step if first else 0
        self.event(m.Paused)
        self.poll()
        return (self.step - step) / (time.perf_counter() - begun)

    def close(self) -> None:
        self.session.quit()


def bare_rate(name: str, seconds: float) -> float:
    """Steps per second of the bare loop on the CPU, after two seconds to warm up."""
    lab_class = load_lab(name)
    torch.set_num_threads(threads_for(lab_class))
    lab = start(lab_class)
    rate(lambda: advance(lab), 2.0)
    return rate(lambda: advance(lab), seconds)


def overhead(device: torch.device) -> Iterator[Result]:
    """Steps per second through the session, unwatched, over the bare loop of the same code."""
    for name in LABS:
        lab_class = load_lab(name)
        torch.set_num_threads(threads_for(lab_class))
        lab = start(lab_class, device=device)
        client = Client(name, device)
        sides = {
            "bare": lambda lab=lab: rate(lambda: advance(lab), SECONDS),
            "session": lambda client=client: client.steps_per_second(SECONDS),
        }
        found = in_turns(sides, ROUNDS)  # type: ignore[arg-type]
        client.close()
        detail = f"{found['session']:,.0f} over {found['bare']:,.0f} steps/s"
        yield Result(f"overhead {name}", found["session"] / found["bare"], 0.97, True, detail)


def watching(device: torch.device) -> Iterator[Result]:
    """Steps per second with every view looked at, over unwatched: the worker's side of it; `python -m gui bench
    watching` adds the window's."""
    for name in LABS:
        client = Client(name, device)
        sides = {
            "unwatched": lambda client=client: client.steps_per_second(SECONDS),
            "watched": lambda client=client: client.steps_per_second(SECONDS, client.views),
        }
        found = in_turns(sides, ROUNDS)  # type: ignore[arg-type]
        share = max(status.watching for status in client.steps_seen)
        client.close()
        detail = f"{found['watched']:,.0f} over {found['unwatched']:,.0f} steps/s, {100 * share:.0f} % of time watching"
        yield Result(
            f"watching {name}", found["watched"] / found["unwatched"], 0.9 if name != LABS[0] else 0.75, True, detail
        )


def pause(device: torch.device) -> Iterator[Result]:
    """Seconds from asking for a pause until training stands, at worst, every view being looked at; bar 0.1 s."""
    for name in LABS:
        client = Client(name, device)
        client.session.send(m.Look(1, client.views))
        worst = 0.0
        for trial in range(20):
            client.session.send(m.Play(1))
            client.event(m.Playing)
            deadline = time.perf_counter() + 0.05 + 0.007 * trial
            client.until(lambda deadline=deadline: time.perf_counter() > deadline)  # type: ignore[misc]
            asked = time.perf_counter()
            client.session.send(m.Pause(1))
            while not any(isinstance(event, m.Paused) for event in client.session.news().events):
                threading.Event().wait(0.001)
            worst = max(worst, time.perf_counter() - asked)
        client.close()
        yield Result(f"pause {name}, seconds", worst, 0.1, False, f"worst of 20: {1000 * worst:.0f} ms")


def growth(device: torch.device) -> Iterator[Result]:
    """Step time and memory at step 200,000 over those at 1,000 (memory: at 20,000, once torch has warmed up)."""
    client = Client("dense_network", device)
    process = psutil.Process()
    client.session.send(m.Play(1))

    def span(first: int, last: int) -> float:
        client.until(lambda: client.step >= first)
        begun, at = client.step, time.perf_counter()
        client.until(lambda: client.step >= last)
        return (time.perf_counter() - at) / (client.step - begun)

    early = span(1_000, 15_000)
    client.until(lambda: client.step >= 20_000)
    memory_early = process.memory_info().rss
    late = span(200_000, 214_000)
    memory_late = process.memory_info().rss
    client.close()
    yield Result("growth step time", late / early, 1.2, False, f"{1e6 * late:.0f} over {1e6 * early:.0f} us")
    detail = f"{memory_late / 1e6:.0f} over {memory_early / 1e6:.0f} MB"
    yield Result("growth memory", memory_late / memory_early, 1.2, False, detail)
