"""The timeline: scales, zoom, keys that go from picture to picture, bookmarks, and a lab that has curves alone."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from helpers import PATIENCE, SMALL, WindowOpener, bench_of, learn, take_keyboard
from helpers import BenchOpener as Opener
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QMenu
from pytestqt.qtbot import QtBot

from engine.messages import Bookmark, WentBack
from gui.timeline import TimelineTrack
from gui.timeline_scale import Scale
from gui.workbench import Workbench

CURVES_ALONE = '''
"""A number that sinks."""

from dataclasses import dataclass

import torch

from engine.hyperparameters import real
from engine.lab import Lab
from engine.views import Curves


@dataclass(frozen=True)
class Params:
    rate: float = real(0.01, 1e-3, 1, live=True, help="How fast it sinks")


class Sinking(Lab):
    """A number that sinks."""

    title, chapter, summary = "Sinking", "Mine", "A number that sinks"
    Params = Params
    state = ("number",)
    speed = 200
    layout = "loss"
    loss = Curves("Loss", metrics=("number",), help="The number")

    def build(self):
        self.number = torch.ones(1)

    def step(self):
        self.number *= 1 - self.hp.rate
        return {"number": self.number[0].clone()}
'''


def track_of(qtbot: QtBot, last: int = 100_000, width: int = 600) -> TimelineTrack:
    track = TimelineTrack()
    qtbot.addWidget(track)
    track.resize(width, 38)
    track.show_span(0, last)
    track.show()
    return track


def wheel(track: TimelineTrack, x: float, notches: int) -> None:
    at = QPointF(x, 19)
    turned = QPoint(0, 120 * notches)
    none, phase = Qt.MouseButton.NoButton, Qt.ScrollPhase.NoScrollPhase
    event = QWheelEvent(at, track.mapToGlobal(at), QPoint(), turned, none, Qt.KeyboardModifier.NoModifier, phase, False)
    QApplication.sendEvent(track, event)


@pytest.mark.parametrize("log", [True, False])
@pytest.mark.parametrize("window", [None, (40.0, 900.0)])
def test_a_scale_goes_there_and_back(log: bool, window: tuple[float, float] | None) -> None:
    scale = Scale(10, 5000, log, window)
    low, high = scale.ends
    for share in (0.0, 0.2, 0.7, 1.0):
        assert scale.share(scale.step(share)) == pytest.approx(share, abs=0.02)
    assert (scale.step(0.0), scale.step(1.0)) == (round(low), round(high))


def test_the_first_hundred_of_a_hundred_thousand_steps_can_be_reached(qtbot: QtBot) -> None:
    track = track_of(qtbot)
    reached: list[int] = []
    track.scrubbed.connect(reached.append)
    for x in range(8, 593):
        qtbot.mouseClick(track, Qt.MouseButton.LeftButton, pos=QPoint(x, 19))
    early = {step for step in reached if step <= 100}
    assert len(early) > 60  # nearly each of them has a pixel of its own
    assert max(reached) == 100_000


def test_the_wheel_zooms_at_the_pointer_and_a_double_click_shows_all(qtbot: QtBot) -> None:
    track = track_of(qtbot)
    track.set_log(False)
    x = track.x_of(30_000)
    for _ in range(30):
        wheel(track, x, 1)
    low, high = track.scale.ends
    assert high - low < 1000
    assert track.x_of(30_000) == pytest.approx(x, abs=1)
    step = track.scale.step((x - 8) / (track.width() - 16))
    assert abs(step - 30_000) <= 2
    track.show_step(90_000)  # whatever is shown is in sight
    assert track.scale.ends[0] <= 90_000 <= track.scale.ends[1]
    qtbot.mouseDClick(track, Qt.MouseButton.LeftButton, pos=QPoint(300, 19))
    assert track.scale.ends == (0, 100_000)
    for _ in range(400):  # as far as it goes
        wheel(track, x, 1)
    assert track.scale.ends[1] - track.scale.ends[0] >= 4
    for _ in range(400):
        wheel(track, x, -1)
    assert track.scale.window is None


def test_round_steps_are_labelled() -> None:
    assert Scale(0, 100_000).ticks(8) == [0, 1, 10, 100, 1000, 10_000, 100_000]
    assert Scale(0, 1000, log=False).ticks(5) == [0, 200, 400, 600, 800, 1000]
    assert Scale(0, 100_000, window=(5000.0, 6000.0)).ticks(5) == [5000, 5200, 5400, 5600, 5800, 6000]
    assert Scale(0, 0).ticks(5) == []


def stands(bench: Workbench, qtbot: QtBot, steps: int) -> None:
    """Trained for a while, and paused again."""
    qtbot.waitUntil(lambda: recorded(bench) == [0], timeout=PATIENCE)
    learn(bench, qtbot, steps)
    bench.toggle_play()
    qtbot.waitUntil(lambda: not bench.transport.playing, timeout=PATIENCE)
    qtbot.waitUntil(lambda: recorded(bench)[-1] == bench.timeline.track.last >= steps, timeout=PATIENCE)


def recorded(bench: Workbench) -> list[int]:
    assert bench.run is not None
    return bench.bridge.tape(bench.run).steps(bench.grid.visible_views())


def test_arrow_keys_go_from_picture_to_picture(open_bench: Opener, qtbot: QtBot) -> None:
    bench = open_bench()
    stands(bench, qtbot, 60)
    steps, track = recorded(bench), bench.timeline.track
    qtbot.keyClick(track, Qt.Key.Key_Home)
    seen = [bench.rewinding.step]
    for _ in steps[1:]:
        qtbot.keyClick(track, Qt.Key.Key_Right)
        seen.append(bench.rewinding.step)
    assert seen == steps
    qtbot.keyClick(track, Qt.Key.Key_Left)
    assert bench.rewinding.step == steps[-2]
    qtbot.keyClick(track, Qt.Key.Key_PageUp)
    assert bench.rewinding.step == steps[max(0, len(steps) - 12)]
    bench.setFocus()
    at = steps.index(bench.rewinding.step)
    qtbot.keyClick(bench, Qt.Key.Key_Right)  # in the past it is no step of training
    assert bench.rewinding.step == steps[at + 1]
    qtbot.keyClick(track, Qt.Key.Key_End)
    assert not bench.rewinding.rewound


def name_it(bench: Workbench, qtbot: QtBot, name: str) -> None:
    field = bench.timeline.name_field
    assert field.isVisible()
    qtbot.keyClicks(field, name)
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert not field.isVisible()


def test_bookmarks_are_set_by_a_key_named_and_visited(open_bench: Opener, qtbot: QtBot) -> None:
    bench = open_bench()
    stands(bench, qtbot, 60)
    changes: list[object] = []
    bench.bookmarks.changed.connect(lambda: changes.append(bench.bookmarks.get()))
    bench.rewinding.scrub(10)
    take_keyboard(bench, qtbot)
    qtbot.keyClick(bench, Qt.Key.Key_B)
    name_it(bench, qtbot, "Early")
    bench.rewinding.scrub(40)
    qtbot.keyClick(bench, Qt.Key.Key_B)
    qtbot.keyClick(bench.timeline.name_field, Qt.Key.Key_Escape)
    assert bench.bookmarks.get() == (Bookmark(10, "Early"), Bookmark(40, "Step 40"))
    assert changes[-1] == bench.bookmarks.get()
    bench.rewinding.live()
    control = Qt.KeyboardModifier.ControlModifier
    take_keyboard(bench, qtbot)
    visited = []
    for key in (Qt.Key.Key_Left, Qt.Key.Key_Left, Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Right):
        qtbot.keyClick(bench, key, control)
        visited.append(bench.rewinding.step)
    assert visited == [40, 10, 10, 40, -1]
    assert bench.toast.text.text() == "There is no earlier bookmark"
    track = bench.timeline.track
    (_, place), _ = track.names()
    qtbot.mouseClick(track, Qt.MouseButton.LeftButton, pos=place.center().toPoint())
    assert bench.rewinding.step == 10
    take_keyboard(bench, qtbot)
    qtbot.keyClick(bench, Qt.Key.Key_B)  # there is one: another name for it
    name_it(bench, qtbot, "Very early")
    assert bench.bookmarks.get()[0] == Bookmark(10, "Very early")


def entry(menu: QMenu, *path: str) -> None:
    """Choose an entry of a menu."""
    for word in path:
        action = next(each for each in menu.actions() if each.text().startswith(word))
        menu = action.menu() or menu  # type: ignore[assignment]
    action.trigger()


def test_the_menu_lists_bookmarks_to_visit_rename_and_delete(open_bench: Opener, qtbot: QtBot) -> None:
    bench = open_bench()
    stands(bench, qtbot, 60)
    bench.bookmarks.set([Bookmark(50, "Late"), Bookmark(5, "R & D")])

    def open_menu() -> QMenu:
        bench.bookmarks.menu.aboutToShow.emit()
        return bench.bookmarks.menu

    entry(open_menu(), "Late")
    assert bench.rewinding.step == 50
    entry(open_menu(), "Rename", "R && D")
    name_it(bench, qtbot, "Research")
    assert [mark.name for mark in bench.bookmarks.get()] == ["Research", "Late"]
    entry(open_menu(), "Delete", "Late")
    assert bench.bookmarks.get() == (Bookmark(5, "Research"),)
    bench.toast.button.click()  # takes it back
    assert len(bench.bookmarks.get()) == 2


def test_bookmarks_belong_to_a_run_and_go_with_a_branch(open_bench: Opener, qtbot: QtBot) -> None:
    bench = open_bench()
    stands(bench, qtbot, 60)
    bench.bookmarks.set([Bookmark(0, "Beginning"), Bookmark(60, "End")])
    run = bench.run
    bench.rewinding.scrub(30)
    bench.rewinding.branch()
    qtbot.waitUntil(lambda: bench.run != run and bench.ready, timeout=PATIENCE)
    assert bench.bookmarks.get() == (Bookmark(0, "Beginning"),)
    run = bench.run
    bench.restart()
    qtbot.waitUntil(lambda: bench.run != run and bench.ready, timeout=PATIENCE)
    assert bench.bookmarks.get() == ()
    bench.bookmarks.set([Bookmark(3, "a"), Bookmark(9, "b")])
    assert bench.run is not None
    bench.bridge.happened.emit(WentBack(bench.run, 5))  # what comes after is void
    assert bench.bookmarks.get() == (Bookmark(3, "a"),)


def test_names_of_bookmarks_never_overlap(qtbot: QtBot) -> None:
    track = track_of(qtbot, 10_000, 400)
    steps = [1, 2, 3, 5, 20, 21, 22, 400, 1000, 5000, 9000, 9999, 10_000]
    track.bookmarks = tuple(Bookmark(step, "a long name of a bookmark") for step in steps)
    places = [place for _, place in track.names() if not place.isEmpty()]
    assert places
    assert all(place.left() >= 0 and place.right() <= track.width() for place in places)
    assert all(left.right() <= right.left() for left, right in itertools.pairwise(places))
    assert not track.grab().isNull()


def test_a_lab_of_curves_alone_has_a_timeline(
    open_window: WindowOpener, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPSCOPE_LABS", str(tmp_path))
    (tmp_path / "sinking.py").write_text(CURVES_ALONE, encoding="utf-8")
    bench = bench_of(open_window("mine.sinking"))
    learn(bench, qtbot, 60)
    track = bench.timeline.track
    qtbot.waitUntil(lambda: track.last >= 60, timeout=PATIENCE)
    bench.toggle_play()
    qtbot.waitUntil(lambda: not bench.transport.playing, timeout=PATIENCE)
    qtbot.mouseClick(track, Qt.MouseButton.LeftButton, pos=QPoint(round(track.x_of(20)), 19))
    step = bench.rewinding.step
    assert abs(step - 20) <= 1
    assert bench.grid.panels["loss"].view.step == step
    qtbot.keyClick(track, Qt.Key.Key_Left)
    assert bench.rewinding.step == step - 1


def test_the_key_of_a_view_stays_with_the_view(open_bench: Opener, qtbot: QtBot) -> None:
    bench = open_bench(values=SMALL)
    network = bench.grid.panels["network"].view
    qtbot.waitUntil(lambda: network.payload is not None and network.layout_ is not None, timeout=PATIENCE)  # type: ignore[attr-defined]
    network.setFocus()
    network._point((1, 0), None)  # type: ignore[attr-defined]
    qtbot.keyClick(network, Qt.Key.Key_B)
    assert network.editor.isVisible()  # type: ignore[attr-defined]
    assert bench.bookmarks.get() == ()
