"""A lab in its workbench, with the real session: what goes wrong there is said, and all goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import LAB, PATIENCE, step_of, until_trained
from helpers import BenchOpener as Opener
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from engine.discovery import load_lab
from engine.lab import LabError, views_of


def test_what_cannot_be_built_leaves_the_former_run(open_bench: Opener, qtbot: QtBot, tmp_path: Path) -> None:
    bench = open_bench()
    bench.toggle_play()
    until_trained(bench, qtbot)
    run = bench.run
    missing = tmp_path / "none.csv"
    bench.runs.choose_dataset(str(missing))
    qtbot.waitUntil(lambda: bool(bench.trouble), timeout=PATIENCE)
    assert "none.csv" in bench.trouble
    assert "The previous run continues" in bench.trouble
    assert list(bench.banner.buttons()) == ["Try again"]
    assert bench.run == run
    assert bench.controls.data is not None
    assert bench.controls.data.combo.currentData() == bench.runs.spec.dataset  # type: ignore[union-attr]
    before = step_of(bench)
    qtbot.waitUntil(lambda: step_of(bench) > before, timeout=PATIENCE)


def test_a_network_that_cannot_be_built_says_why_and_shows_the_former_settings(
    open_bench: Opener, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = open_bench()
    run = bench.run

    def build(_: object) -> None:
        raise LabError("Four layers are too many today.")

    monkeypatch.setattr(load_lab(LAB), "build", build)
    bench.controls.knobs["layers"].choose(4)
    qtbot.waitUntil(lambda: bool(bench.trouble), timeout=PATIENCE)
    assert bench.trouble.startswith("Four layers are too many today.")
    assert "Details" not in bench.banner.buttons()
    assert bench.controls.knobs["layers"].value == 1
    assert bench.run == run
    monkeypatch.undo()
    bench.banner.buttons()["Try again"].click()
    qtbot.waitUntil(lambda: bench.run != run, timeout=PATIENCE)
    assert bench.controls.knobs["layers"].value == 4
    assert bench.trouble == ""


def test_a_lab_that_cannot_be_opened_says_why(
    open_bench: Opener, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(_: object) -> None:
        raise ZeroDivisionError("the cause")

    monkeypatch.setattr(load_lab(LAB), "build", build)
    bench = open_bench()
    assert "the cause" in bench.trouble
    assert set(bench.banner.buttons()) == {"Start with the defaults", "Details", "Copy"}
    assert bench.pages.currentWidget() is bench.building
    monkeypatch.undo()
    bench.banner.buttons()["Start with the defaults"].click()
    qtbot.waitUntil(lambda: bench.ready, timeout=PATIENCE)
    assert bench.pages.currentWidget() is bench.grid


def test_missing_data_is_offered_and_the_lab_goes_on(
    open_bench: Opener, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("DEEPSCOPE_DATA", raising=False)
    monkeypatch.delenv("DEEPSCOPE_OFFLINE", raising=False)
    monkeypatch.setattr("engine.data.catalogue.cache_folder", lambda: tmp_path)
    bench = open_bench("lenet", values={}, dataset="mnist")
    qtbot.waitUntil(lambda: bench.ready, timeout=PATIENCE)
    assert "MNIST is not on this machine" in bench.trouble
    assert "11.6 MB" in bench.trouble
    assert "Licence" in bench.trouble
    assert list(bench.banner.buttons()) == ["Download"]
    assert bench.runs.spec is not None
    assert bench.runs.spec.dataset == "digits"


@pytest.mark.parametrize(("outcome", "says"), [("", ""), ("no connection", "no connection"), ("cancel", "")])
def test_a_download_shows_progress_and_ends(
    open_bench: Opener, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, outcome: str, says: str
) -> None:
    import threading

    from engine.data.errors import Cancelled, DownloadFailed

    started, go_on = threading.Event(), threading.Event()

    def download(_: str, *, progress: Callable[[int, int], None], cancel: threading.Event) -> None:
        progress(3_000_000, 6_000_000)
        started.set()
        if outcome == "cancel":
            assert cancel.wait(20)
            raise Cancelled("stopped")
        assert go_on.wait(20)
        if outcome:
            raise DownloadFailed(outcome)

    monkeypatch.setattr("engine.data.download.download", download)
    monkeypatch.delenv("DEEPSCOPE_DATA", raising=False)
    monkeypatch.delenv("DEEPSCOPE_OFFLINE", raising=False)
    monkeypatch.setattr("engine.data.catalogue.cache_folder", lambda: tmp_path)
    bench = open_bench("lenet", values={}, dataset="mnist")
    qtbot.waitUntil(lambda: bench.ready, timeout=PATIENCE)
    bench.banner.buttons()["Download"].click()
    qtbot.waitUntil(started.is_set)
    qtbot.waitUntil(lambda: bench.banner.progress.value() == 500)
    assert bench.banner.progress.isVisible()
    asked: list[str] = []
    monkeypatch.setattr(bench.runs, "choose_dataset", asked.append)
    if outcome == "cancel":
        bench.banner.buttons()["Cancel"].click()
    go_on.set()
    if says:
        qtbot.waitUntil(lambda: says in bench.trouble)
        assert list(bench.banner.buttons()) == ["Download"]
    else:
        qtbot.waitUntil(lambda: bench.trouble == "")
    assert asked == ([] if outcome else ["mnist"])


def test_a_step_that_raises_pauses_and_can_be_copied(
    open_bench: Opener, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = open_bench(seed=3)

    def step(_: object) -> None:
        raise ZeroDivisionError("the cause")

    monkeypatch.setattr(load_lab(LAB), "step", step)
    bench.toggle_play()
    qtbot.waitUntil(lambda: bool(bench.trouble), timeout=PATIENCE)
    qtbot.waitUntil(lambda: not bench.transport.playing)
    assert bench.trouble == "ZeroDivisionError: the cause"
    buttons = bench.banner.buttons()
    assert list(buttons) == ["Restart", "Details", "Copy"]
    assert not bench.banner.details.isVisible()
    buttons["Details"].click()
    assert bench.banner.details.isVisible()
    assert "Traceback" in bench.banner.details.toPlainText()
    buttons["Copy"].click()
    copied = QGuiApplication.clipboard().text()
    for part in ("ZeroDivisionError: the cause", LAB, "seed 3", "width_1=3", "torch", "Traceback"):
        assert part in copied
    monkeypatch.undo()
    run = bench.run
    buttons["Restart"].click()
    qtbot.waitUntil(lambda: bench.run != run, timeout=PATIENCE)
    assert bench.trouble == ""


def test_a_loss_that_is_no_number_offers_the_way_back(
    open_bench: Opener, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = open_bench()
    monkeypatch.setattr(load_lab(LAB), "step", lambda _: {"train loss": float("nan")})
    bench.toggle_play()
    qtbot.waitUntil(lambda: bool(bench.trouble), timeout=PATIENCE)
    assert bench.trouble.startswith("Train loss became NaN at step 1.")
    assert list(bench.banner.buttons()) == ["Go back to step 0", "Restart"]
    qtbot.waitUntil(lambda: not bench.transport.playing)
    bench.banner.buttons()["Go back to step 0"].click()
    qtbot.waitUntil(lambda: bench.trouble == "", timeout=PATIENCE)
    qtbot.waitUntil(lambda: step_of(bench) == 0)


def test_a_view_that_raises_says_so_in_its_own_panel(
    open_bench: Opener, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise ZeroDivisionError("the cause")

    view = views_of(load_lab(LAB))["surface"]
    monkeypatch.setattr(view, "method", broken)
    bench = open_bench()
    panels = bench.grid.panels
    qtbot.waitUntil(lambda: panels["surface"].complaint.isVisible(), timeout=PATIENCE)
    assert "the cause" in panels["surface"].complaint.text()
    qtbot.waitUntil(lambda: panels["network"].view.payload is not None, timeout=PATIENCE)
    assert bench.trouble == ""
    monkeypatch.undo()
    bench.step_once()
    qtbot.waitUntil(lambda: not panels["surface"].complaint.isVisible(), timeout=PATIENCE)


def test_a_widget_that_raises_says_so_in_its_own_panel(
    open_bench: Opener, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = open_bench()
    panel = bench.grid.panels["surface"]

    def take(_: object) -> None:
        raise ZeroDivisionError("the cause")

    monkeypatch.setattr(panel.view, "take", take)
    bench.step_once()
    qtbot.waitUntil(panel.complaint.isVisible, timeout=PATIENCE)
    assert "the cause" in panel.complaint.text()
