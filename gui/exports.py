"""Carrying things away from an open lab: pictures, animations, numbers, weights, the run as a command or a script."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtWidgets import QDialog, QFileDialog, QWidget

from engine.export.animation import FORMATS, encode, video_is_there
from engine.export.recording import Recording
from engine.files import writing
from engine.messages import Event, Export, Exported, Paused, Status
from gui import format
from gui.background import Work
from gui.export import png_bytes
from gui.record_badge import RecordBadge
from gui.recorder import Recorder

if TYPE_CHECKING:
    from engine.recorder import MetricHistory
    from engine.tape import Tape
    from gui.replay import Replay, Stretch
    from gui.settings import Settings
    from gui.workbench import Workbench

Kind = Literal["weights", "marks", "script"]
FILTERS = {".csv": "Numbers", ".safetensors": "Weights", ".py": "Python script", ".json": "Marks", ".png": "Picture"}


class Exports(QObject):
    """Of one lab. Files are written beside the window's thread; toasts and the banner tell what came of it."""

    recording_changed = Signal(bool)

    def __init__(self, window: QWidget, bench: Workbench, settings: Settings, parent: QObject) -> None:
        super().__init__(parent)
        self.window, self.bench, self.settings = window, bench, settings
        self.recorder: Recorder | None = None
        self.badge: RecordBadge | None = None
        self._badge_shown = True  # the lab is the one in the window
        self._step = 0
        self._works: list[Work] = []
        self._dialog: QDialog | None = None
        self.replay: Replay | None = None
        bench.bridge.status.connect(self._status)
        bench.bridge.happened.connect(self._event)

    @property
    def recording(self) -> bool:
        """Whether pictures are being taken."""
        return self.recorder is not None

    def end(self) -> None:
        """The lab is closed: stop what is under way, and wait until it has."""
        if self.recorder is not None:
            self.recorder.stop()
            self.recorder = None
        for work in self._works:
            work.end()
        self._works.clear()
        self._end_replay()
        if self._dialog is not None:
            self._dialog.close()
        if self.badge is not None:
            self.badge.hide()
            self.badge.deleteLater()
            self.badge = None

    def show_badge(self, on: bool) -> None:
        """Whether the badge has a place in the window: only that of the lab that is shown."""
        self._badge_shown = on
        if self.badge is not None:
            self.badge.place()
            if not on:
                self.badge.hide()
            elif self.recording:
                self._show_recording()

    # ------------------------------------------------------------------ what can be carried away

    def picture(self) -> None:
        """The window as it is now."""
        from gui.export import picture

        image = picture(self.window, max(1.0, self.window.devicePixelRatioF()))
        self._ask("Save picture", ".png", lambda path: self._write(path, lambda _: _save_image(image, path)))

    def metrics(self) -> None:
        """All metrics so far."""
        from engine.export.metrics import POINTS, save_metrics

        if (run := self.bench.run) is not None:
            series = self.bench.bridge.history(run).thinned(POINTS)
            self._ask("Save metrics", ".csv", lambda path: self._write(path, lambda _: save_metrics(path, series)))

    def weights(self) -> None:
        """What the networks have learnt."""
        self._ask("Save weights", ".safetensors", lambda path: self._send("weights", path))

    def script(self) -> None:
        """The lab as one PyTorch script."""
        self._ask("Save script", ".py", lambda path: self._send("script", path))

    def command(self) -> None:
        """The command line that repeats the run, to the clipboard."""
        if (run := self.bench.run) is not None:
            self.bench.bridge.send(Export(run, "command"))

    def record(self) -> None:
        """Begin to record the enlarged view, else the whole lab; or end it, and ask for a file."""
        if self.recorder is not None:
            self._stop_recording()
            return
        grid = self.bench.grid
        widget = grid.panels[grid.enlarged].view if grid.enlarged else self.bench
        self.recorder = Recorder(widget, self)
        self.recorder.took.connect(self._show_recording)
        self._make_badge()
        self.recorder.start()
        self.recording_changed.emit(True)

    def play_again(self) -> None:
        """A stretch of the recorded timeline as an animation: ask which, and for a file."""
        from gui.replay import size_of_pictures
        from gui.replay_dialog import StretchDialog

        bench = self.bench
        span = bench.bridge.tape(bench.run).span() if bench.run is not None else None
        if self.replay is not None:
            bench.toast.say("An animation is being written: wait for it, or cancel it")
        elif bench.run is None or span is None or span[0] == span[1]:
            bench.toast.say("Nothing is recorded yet: train for a moment first")
        else:
            recorded = bench.bridge.tape(bench.run), bench.bridge.history(bench.run)
            dialog = StretchDialog(span, bench.rewinding.step, size_of_pictures(bench.grid), bench)
            dialog.chosen.connect(lambda stretch: self._ask_replay(stretch, *recorded))
            dialog.finished.connect(lambda: self._asked(dialog))
            self._dialog = dialog
            dialog.open()

    # ------------------------------------------------------------------ recording and encoding

    def _show_recording(self) -> None:
        assert self.recorder is not None
        assert self.badge is not None
        if self._badge_shown:
            self.badge.say(f"Recording · {format.duration(int(self.recorder.recording.seconds))}", "Stop", live=True)

    def _badge_pressed(self) -> None:
        if self.recorder is not None:
            self._stop_recording()
        else:
            for work in self._works:
                work.stop()

    def _stop_recording(self) -> None:
        assert self.recorder is not None
        assert self.badge is not None
        recording = self.recorder.stop()
        self.recorder.deleteLater()
        self.recorder = None
        self.badge.hide()
        self.recording_changed.emit(False)
        self._ask("Save animation", ".gif", lambda path: self._encode(path, recording), endings=tuple(FORMATS))

    def _encode(self, path: Path, recording: Recording) -> None:
        def write(work: Work) -> None:
            pictures, count, samples = recording.pictures(), len(recording), recording.samples()
            encode(path, pictures, count, samples=samples, note=work.note, cancelled=work.asked_to_stop)

        self._follow(self._write(path, write))

    def _ask_replay(self, stretch: Stretch, tape: Tape, history: MetricHistory) -> None:
        def write(path: Path) -> None:
            self._replay(path, stretch, tape, history)

        self._ask("Save animation", ".gif", write, endings=tuple(FORMATS))

    def _replay(self, path: Path, stretch: Stretch, tape: Tape, history: MetricHistory) -> None:
        from gui.replay import Replay

        flags = self.bench.timeline.track.flags
        replay = self.replay = Replay(self.bench.grid, tape, history, flags, stretch, self)
        few_colours = path.suffix.lower() == ".gif"  # they are chosen from samples

        def write(work: Work) -> None:
            stopped = work.asked_to_stop
            samples = replay.samples(stopped) if few_colours else []
            encode(path, replay.pictures(stopped), len(replay), samples=samples, note=work.note, cancelled=stopped)

        replay.start(samples=few_colours)
        work = self._write(path, write)
        work.over.connect(self._end_replay)
        self._make_badge()
        self._follow(work)

    def _end_replay(self) -> None:
        if self.replay is not None:
            self.replay.end()
            self.replay.deleteLater()
            self.replay = None

    def _follow(self, work: Work) -> None:
        work.progress.connect(self._show_progress)
        work.over.connect(self._hide_badge)
        self._show_progress(0, 1)

    def _make_badge(self) -> None:
        if self.badge is None:
            self.badge = RecordBadge(self.window)
            self.badge.pressed.connect(self._badge_pressed)

    def _show_progress(self, done: int, of: int) -> None:
        if self.badge is not None and self._badge_shown and not self.recording:
            share = format.percent(int(100 * done / max(1, of)) / 100)
            self.badge.say(f"Writing the animation · {share}", "Cancel", live=False)

    def _hide_badge(self) -> None:
        if self.badge is not None and not self.recording:
            self.badge.hide()

    # ------------------------------------------------------------------ files

    def name(self, ending: str) -> str:
        """What a file of this run is called: lenet-seed0-step4812.csv."""
        spec = self.bench.runs.spec
        seed = spec.seed if spec is not None else 0
        return f"{self.bench.lab_id}-seed{seed}-step{self._step}{ending}"

    def _ask(self, title: str, ending: str, chosen: Callable[[Path], object], *, endings: tuple[str, ...] = ()) -> None:
        """Ask where to; the folder is that of the last time."""
        if self._dialog is not None:
            self._dialog.close()
        folder = self.settings.export_folder
        dialog = self._dialog = QFileDialog(self.bench, title, folder if Path(folder).is_dir() else "")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        names = [f"{FORMATS[each]} (*{each})" for each in endings if each != ".mp4" or video_is_there()]
        dialog.setNameFilters(names or [f"{FILTERS[ending]} (*{ending})"])
        dialog.setDefaultSuffix(ending)
        dialog.filterSelected.connect(lambda text: self._choose_ending(dialog, text.partition("*")[2].rstrip(")")))
        dialog.selectFile(self.name(ending))
        dialog.fileSelected.connect(lambda name: self._chosen(Path(name), chosen))
        dialog.finished.connect(lambda: self._asked(dialog))
        dialog.open()

    def _chosen(self, path: Path, chosen: Callable[[Path], object]) -> None:
        self.settings.export_folder = str(path.parent)
        chosen(path)

    def _choose_ending(self, dialog: QFileDialog, ending: str) -> None:
        dialog.setDefaultSuffix(ending)
        if chosen := dialog.selectedFiles():
            dialog.selectFile(Path(chosen[0]).with_suffix(ending).name)

    def _asked(self, dialog: QDialog) -> None:
        dialog.deleteLater()
        if self._dialog is dialog:
            self._dialog = None

    def _write(self, path: Path, write: Callable[[Work], object]) -> Work:
        """Write a file beside the window's thread."""
        work = Work(write, self)
        self._works.append(work)
        work.finished.connect(lambda _: self._saved(path))
        work.failed.connect(self._failed)
        work.over.connect(lambda: self._works.remove(work))
        return work.start()

    def _send(self, what: Kind, path: Path) -> None:
        """Let the session write it: it alone may look at the network."""
        if (run := self.bench.run) is not None:
            self.bench.bridge.send(Export(run, what, path))

    # ------------------------------------------------------------------ what came of it

    def _status(self, status: Status) -> None:
        if status.run == self.bench.run:
            self._step = status.step

    def _event(self, event: Event) -> None:
        if event.run != self.bench.run:
            return
        if isinstance(event, Paused):
            self._step = event.step
        elif isinstance(event, Exported):
            self._exported(event)

    def _exported(self, event: Exported) -> None:
        if event.what in ("command", "marks"):
            QGuiApplication.clipboard().setText(event.text)
        if event.needs:
            text = "Copied. Edits do not fit on a command line: it needs a file of marks beside it"
            self.bench.toast.say(text, "Save marks…", self._save_marks)
        elif event.what == "command":
            self.bench.toast.say("Copied the command line that repeats this run")
        elif event.path is not None:
            told = {
                "weights": f" as it is at step {event.step:,}",
                "marks": "; the command line that reads it is copied",
                "script": f". {event.text}" if event.text else "",
            }
            self._saved(event.path, told.get(event.what, ""))

    def _save_marks(self) -> None:
        self._ask("Save marks", ".json", lambda path: self._send("marks", path))

    def _saved(self, path: Path, told: str = "") -> None:
        if self.bench.banner.subject == "export":
            self.bench.banner.dismiss()
        size = f", {format.size(path.stat().st_size)}" if path.exists() and not told else ""
        self.bench.toast.say(f"Saved {path.name}{size}{told}")

    def _failed(self, error: Exception) -> None:
        why = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            why = "the disk is full: nothing was written. Choose another place"
        self.bench.banner.say(f"Not exported. {why[:1].upper()}{why[1:]}.", subject="export")


def _save_image(image: QImage, path: Path) -> None:
    with writing(path) as file:
        file.write(png_bytes(image))
