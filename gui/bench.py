"""``python -m gui bench [NAME]``: what the window costs, as ratios from one run, and how soon it answers."""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from engine.benchmarks.result import Result
from engine.discovery import built_in

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from gui.main_window import MainWindow

ROUNDS = 3
STARTS = 12
SCRUBBED, SCRUBS = 10_000, 300  # steps
SECONDS = 4.0
INPUT_SECONDS = 12.0
GESTURES = 40  # in each lab
GESTURE_LABS = tuple(card.id for card in built_in())
SWITCHES = 20  # of the theme
POINTS = 10_000_000
LABS = {"dense_network": 0.75, "lenet": 0.9, "vae": 0.9, "gpt": 0.9, "diffusion": 0.9}
QUICK = {
    "ROUNDS": 1,
    "STARTS": 2,
    "SCRUBBED": 30,
    "SCRUBS": 3,
    "SECONDS": 0.5,
    "INPUT_SECONDS": 0.5,
    "GESTURES": 2,
    "GESTURE_LABS": ("dense_network",),
    "SWITCHES": 2,
    "POINTS": 20_000,
    "LABS": {"dense_network": 0.75},
}


def _child(code: str) -> str:
    """Run code in a fresh interpreter, with bytecode kept as in an installation; returns the last line it prints."""
    settings = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=settings)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return done.stdout.strip().splitlines()[-1]


# ------------------------------------------------------------------------------------------- start-up

BARE = """
import time
from PySide6.QtWidgets import QApplication, QWidget
class Window(QWidget):
    def paintEvent(self, event):
        print(time.time(), flush=True)
        app.quit()
app = QApplication([])
window = Window()
window.resize(1280, 720)
window.show()
app.exec()
"""

OURS = """
import time
import gui.app
def finish():
    print(time.time(), flush=True)
    from PySide6.QtWidgets import QApplication
    QApplication.quit()
gui.app.finish = finish
gui.app.run(gui.app.Start())
"""


def start() -> Iterator[Result]:
    """From the start of the process to the first painted window, over a bare PySide6 window."""
    found: dict[str, list[float]] = {"bare": [], "ours": []}
    for _ in range(STARTS):
        for name, code in (("bare", BARE), ("ours", OURS)):
            begun = time.time()
            found[name].append(float(_child(code)) - begun)
    found = {name: times[1:] for name, times in found.items()}  # the first start compiles and reads from the disk
    bare, ours = median(found["bare"]), median(found["ours"])
    yield Result("start over a bare window", ours / bare, 1.5, False, f"{1000 * ours:.0f} over {1000 * bare:.0f} ms")


# ----------------------------------------------------------------------------------------- the window


class Window:
    """The real main window with one lab open, driven by running its event loop for a while."""

    def __init__(self, lab: str) -> None:
        from PySide6.QtCore import QSettings

        from gui import app as application
        from gui.main_window import MainWindow
        from gui.settings import Settings

        self.app: QApplication = application.make_application(["deepscope"])
        self._folder = tempfile.TemporaryDirectory()
        self.settings = settings = Settings(
            QSettings(str(Path(self._folder.name) / "bench.ini"), QSettings.Format.IniFormat)
        )
        application.follow_theme(self.app, settings)
        self.main: MainWindow = MainWindow(settings, warm_up=False)
        self.main.resize(1440, 900)
        self.main.show()
        self.main.open_lab(lab, values={}, dataset="", seed=0)
        workbench = self.main.workbench
        assert workbench is not None
        self.workbench = workbench
        self.live(120.0, lambda: workbench.run is not None)

    def train(self) -> None:
        """As fast as it goes, whatever pace the lab opens with."""
        from engine.messages import Play

        self.workbench.transport.show_speed(None)
        self.workbench.transport.speed_chosen.emit(None)
        run = self.workbench.run
        assert run is not None
        self.workbench.bridge.send(Play(run))

    def live(self, seconds: float, done: Callable[[], bool] = lambda: False) -> None:
        from PySide6.QtCore import QEventLoop, QTimer

        loop, poll = QEventLoop(), QTimer()
        poll.timeout.connect(lambda: loop.quit() if done() else None)
        poll.start(20)
        QTimer.singleShot(round(seconds * 1000), loop.quit)
        loop.exec()

    def close(self) -> None:
        self.main.close()
        self._folder.cleanup()


def steps_per_second(lab: str, seconds: float) -> tuple[float, float]:
    """Train in the window, every view visible; returns steps per second and the largest share spent watching."""
    from engine.messages import Status

    window = Window(lab)
    seen: list[tuple[float, Status]] = []
    bridge = window.workbench.bridge
    bridge.status.connect(lambda status: seen.append((time.perf_counter(), status)))
    window.train()
    window.live(2.0)
    seen.clear()
    window.live(seconds)
    window.close()
    (begun, first), (ended, last) = seen[0], seen[-1]
    return (last.step - first.step) / (ended - begun), max(status.watching for _, status in seen)


def watching() -> Iterator[Result]:
    """Steps per second with the window open and every view visible, over headless; each in a process of its own."""
    for lab, bar in LABS.items():
        watched, headless, shares = [], [], []
        for _ in range(ROUNDS):
            code = f"import gui.bench as b, json; print(json.dumps(b.steps_per_second({lab!r}, {SECONDS})))"
            rate, share = json.loads(_child(code))
            watched.append(rate)
            shares.append(share)
            code = f"from engine.benchmarks.session import bare_rate; print(bare_rate({lab!r}, {SECONDS}))"
            headless.append(float(_child(code)))
        ratio = median(watched) / median(headless)
        detail = (
            f"{median(watched):,.0f} over {median(headless):,.0f} steps/s, at most {100 * max(shares):.0f} % watching"
        )
        yield Result(f"watching {lab}", ratio, bar, True, detail)


def latency() -> Iterator[Result]:
    """From an injected mouse event to its handling, while LeNet trains at full speed: the 99th percentile."""
    from PySide6.QtCore import QCoreApplication, QEvent, QObject, QPointF, Qt
    from PySide6.QtGui import QMouseEvent

    window = Window("lenet")
    window.train()
    window.live(2.0)
    posted: dict[int, float] = {}
    waits: list[float] = []

    class Catcher(QObject):
        def eventFilter(self, watched: QObject, event: QEvent) -> bool:
            if event.type() == QEvent.Type.MouseMove and isinstance(event, QMouseEvent):
                at = posted.pop(round(event.position().x()), None)
                if at is not None:
                    waits.append(time.perf_counter() - at)
            return False

    catcher = Catcher()
    target = window.workbench
    target.setMouseTracking(True)  # otherwise Qt drops movements with no button pressed
    target.installEventFilter(catcher)
    over = threading.Event()

    def inject() -> None:
        number, chance = 0, random.Random(0)
        while not over.wait(chance.uniform(0.005, 0.03)):
            number += 1
            place = QPointF(number, 1)
            none = Qt.MouseButton.NoButton
            event = QMouseEvent(QEvent.Type.MouseMove, place, place, none, none, Qt.KeyboardModifier.NoModifier)
            posted[number] = time.perf_counter()
            QCoreApplication.postEvent(target, event)

    thread = threading.Thread(target=inject)
    thread.start()
    window.live(INPUT_SECONDS)
    over.set()
    thread.join()
    window.live(0.2)
    window.close()
    waits.sort()
    p99 = waits[int(0.99 * len(waits))]
    detail = f"of {len(waits)} mouse events: median {1000 * median(waits):.1f}, p99 {1000 * p99:.1f} ms"
    yield Result("input answered (p99, seconds)", p99, 0.05, False, detail)


def gesture() -> Iterator[Result]:
    """From a gesture to all visible views painted with what followed it, while the lab trains at full speed: the 95th
    percentile; each lab in a process of its own."""
    for lab in GESTURE_LABS:
        code = f"import gui.bench_gesture as b, json; print(json.dumps(b.answers({lab!r}, {GESTURES})))"
        times = sorted(json.loads(_child(code)))
        if not times:
            continue  # there is nothing to touch in it
        p95 = times[int(0.95 * len(times))]
        detail = f"of {len(times)} gestures: median {1000 * median(times):.0f}, p95 {1000 * p95:.0f} ms"
        yield Result(f"gesture answered in {lab} (p95, s)", p95, 0.15, False, detail)


def scrub() -> Iterator[Result]:
    """From setting a step, anywhere in 10,000 recorded ones of LeNet, until every view has been painted as it was: the
    95th percentile, while training stands and while it goes on."""
    from PySide6.QtCore import QEvent, QObject

    from engine.messages import Pause

    window = Window("lenet")
    bench = window.workbench
    run = bench.run
    assert run is not None
    window.train()
    window.live(600.0, lambda: (bench.bridge.tape(run).span() or (0, 0))[1] >= SCRUBBED)
    tape, views, chance = bench.bridge.tape(run), {n: p.view for n, p in bench.grid.panels.items()}, random.Random(0)
    painted: set[QObject] = set()

    class Painted(QObject):
        def eventFilter(self, watched: QObject, event: QEvent) -> bool:
            if event.type() == QEvent.Type.Paint:
                painted.add(watched)
            return False

    catcher = Painted()
    for view in views.values():
        view.installEventFilter(catcher)

    def answers(count: int) -> list[float]:
        times = []
        for _ in range(count):
            step = chance.randint(0, SCRUBBED)
            frames = {view: tape.at(name, step) for name, view in views.items()}
            fresh = {view for view, frame in frames.items() if frame and frame.payload is not view.payload}
            painted.clear()
            begun = time.perf_counter()
            bench.timeline.scrubbed.emit(step)
            while not fresh <= painted:
                if time.perf_counter() - begun > 10:
                    raise TimeoutError("a view was not painted")
                window.app.processEvents()
            times.append(time.perf_counter() - begun)
        return sorted(times)

    found = {" while it trains": answers(max(1, SCRUBS // 3))}
    bench.bridge.send(Pause(run))
    window.live(60.0, lambda: not bench.transport.playing)
    found = {"": answers(SCRUBS), **found}
    window.close()
    for when, times in found.items():
        p95 = times[int(0.95 * len(times))]
        detail = f"{len(views)} views: median {1000 * median(times):.1f}, p95 {1000 * p95:.1f} ms"
        yield Result(f"scrub{when} (p95, seconds)", p95, 0.033, False, detail)


def growth() -> Iterator[Result]:
    """Draw time of the curves at 10 million points over 10 thousand."""
    import numpy as np

    from engine.recorder import MetricHistory
    from engine.views import Curves
    from gui.app import make_application
    from gui.views.curves import CurvesView

    _app = make_application(["deepscope"])
    noise = np.random.default_rng(0)
    views = {}
    for count in (10_000, POINTS):
        history = MetricHistory()
        for name in ("train", "validation"):
            values = np.exp(-np.arange(count) * (5 / count)) + 0.05 * noise.standard_normal(count)
            history.append(name, np.arange(count), values)
        view = CurvesView(Curves("Loss", metrics=("train", "validation"), help="Loss"))
        view.resize(600, 350)
        view.show_metrics(history, count)
        views[count] = (view, history)
    times: dict[int, list[float]] = {count: [] for count in views}
    for _ in range(60):
        for count, (view, history) in views.items():
            begun = time.perf_counter()
            view.show_metrics(history, count)
            view.grab()
            times[count].append(time.perf_counter() - begun)
    few, many = (median(times[count]) for count in views)
    detail = f"{1000 * many:.2f} over {1000 * few:.2f} ms"
    yield Result("curves: 10 million over 10 thousand", many / few, 1.2, False, detail)


def theme() -> Iterator[Result]:
    """The longest stall of the window at each switch of the theme, while LeNet trains: the 99th percentile."""
    from gui.bench_theme import stalls

    times = sorted(stalls(SWITCHES))
    p99 = times[int(0.99 * len(times))]
    detail = f"of {len(times)} switches: median {1000 * median(times):.0f}, worst {1000 * times[-1]:.0f} ms"
    yield Result("theme switched (p99 stall, seconds)", p99, 0.1, False, detail)


BENCHMARKS: dict[str, Callable[[], Iterator[Result]]] = {
    "start": start,
    "watching": watching,
    "latency": latency,
    "gesture": gesture,
    "theme": theme,
    "scrub": scrub,
    "growth": growth,
}


def one(name: str) -> int:
    """Run one benchmark; returns how many bars it misses."""
    missed = 0
    for result in BENCHMARKS[name]():
        missed += not result.holds
        print(result.line(), flush=True)
    return missed


def each(options: list[str]) -> int:
    """Run all, each in a process of its own, as there is one QApplication in a process; returns how many failed."""
    missed = 0
    for name in BENCHMARKS:
        done = subprocess.run([sys.executable, "-m", "gui", "bench", name, *options], check=False)
        if done.returncode not in (0, 1):
            print(f"FAILED {name}: it ended with {done.returncode}", flush=True)
        missed += done.returncode != 0
    return missed


def main(argv: list[str]) -> int:
    """Run one benchmark or all; returns 1 if one misses its bar."""
    parser = argparse.ArgumentParser(prog="deepscope bench", description="Measures the window on this machine.")
    parser.add_argument("name", nargs="?", choices=BENCHMARKS, metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--on-screen", action="store_true", help="use the display instead of rendering off screen")
    parser.add_argument("--quick", action="store_true", help=argparse.SUPPRESS)  # only to see that they run
    options = parser.parse_args(argv)
    if not options.name:
        return 1 if each(argv) else 0
    if not options.on_screen:
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    if options.quick:
        globals().update(QUICK)
    return 1 if one(options.name) else 0
