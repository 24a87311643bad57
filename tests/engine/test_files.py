"""Files of the user's: whole or not at all, with the usual permissions, through links, and never over a device."""

from __future__ import annotations

import errno
import io
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from engine import checkpoint, files, own_labs
from engine.__main__ import main
from engine.export.animation import encode
from engine.export.metrics import save_metrics
from engine.export.recording import Picture
from engine.export.script import write_script
from engine.export.weights import save_weights
from engine.files import writing
from engine.hyperparameters import make_params
from engine.lab import start
from engine.labs.foundations.perceptron import Perceptron
from engine.messages import RunSpec

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="permissions, links and FIFOs as POSIX has them")

SPEC = RunSpec("perceptron")


def session(path: Path) -> None:
    state = {"net": {"weight": torch.zeros(2000)}}
    checkpoint.save(path, SPEC, checkpoint.Snapshot(1, {}, state, (torch.get_rng_state(), None)))


def weights(path: Path) -> None:
    lab = start(Perceptron, make_params(Perceptron.Params, {}), dataset="", seed=0, device=torch.device("cpu"))
    save_weights(path, lab, SPEC)


def metrics(path: Path) -> None:
    save_metrics(path, {"loss": (np.arange(100), np.linspace(1, 0, 100))})


def script(path: Path) -> None:
    write_script(path, SPEC, 10)


def animation(path: Path) -> None:
    rng = np.random.default_rng(0)
    pictures = [Picture(rng.integers(0, 255, (32, 32, 3)).astype(np.uint8), 0.1) for _ in range(3)]
    encode(path, iter(pictures), 3)


def own_lab(path: Path) -> None:
    own_labs.set_labs_folder(path.parent)
    try:
        own_labs.copy_lab(Path(sys.modules[Perceptron.__module__].__file__ or ""), path.name)
    finally:
        own_labs.set_labs_folder(None)


EXPORTS: dict[str, Callable[[Path], object]] = {
    "run.deepscope": session,
    "run.safetensors": weights,
    "run.csv": metrics,
    "run.py": script,
    "run.gif": animation,
    "run.webp": animation,
    "run.png": animation,
}


def full_after(room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk on which so many bytes are left."""

    class Disk(io.FileIO):
        left = room

        def write(self, data: object) -> int:
            view = memoryview(data)  # type: ignore[arg-type]
            if self.left <= 0 and len(view):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            written = super().write(view[: self.left])
            self.left -= written
            return written

    monkeypatch.setattr(files.os, "fdopen", lambda handle, _: io.BufferedRandom(Disk(handle, "w+")))


@pytest.mark.parametrize("room", [0, 100])
@pytest.mark.parametrize(("name", "export"), [*EXPORTS.items(), ("copy.py", own_lab)])
def test_on_a_full_disk_nothing_is_left_behind(
    name: str, export: Callable[[Path], object], room: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        full_after(room, patch)
        with pytest.raises(OSError, match="No space left") as raised:
            export(tmp_path / name)
        assert raised.value.errno == errno.ENOSPC
        assert name in str(raised.value.filename)
        assert list(tmp_path.iterdir()) == []
        if export is not own_lab:  # which replaces no file
            (tmp_path / name).write_bytes(b"what was there before")
            with pytest.raises(OSError, match="No space left"):
                export(tmp_path / name)
            assert (tmp_path / name).read_bytes() == b"what was there before"
            (tmp_path / name).unlink()
    export(tmp_path / name)
    assert (tmp_path / name).stat().st_size > 100


FULL = """
import resource, sys
from pathlib import Path
import numpy as np
from engine.export.metrics import save_metrics
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    save_metrics(Path(sys.argv[1]), {"loss": (np.arange(1000), np.zeros(1000))})
except OSError as error:
    print(error.strerror)
"""


def test_the_system_s_own_limit_is_met_like_a_full_disk(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FULL, str(tmp_path / "run.csv")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.stdout.strip(), result.stderr) == (os.strerror(errno.EFBIG), "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("umask", "name", "export"),
    [*((0o022, *each) for each in EXPORTS.items()), (0o002, "run.csv", metrics), (0o077, "run.csv", metrics)],
)
def test_permissions_are_those_of_the_umask(
    umask: int, name: str, export: Callable[[Path], object], tmp_path: Path
) -> None:
    former = os.umask(umask)
    try:
        export(tmp_path / name)
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o666 & ~umask
        (tmp_path / name).chmod(0o640)  # as the user has set them since
        export(tmp_path / name)
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o640
    finally:
        os.umask(former)


@pytest.mark.parametrize(("name", "export"), EXPORTS.items())
def test_a_link_stays_a_link(name: str, export: Callable[[Path], object], tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    target, second, link = tmp_path / "there" / "real", tmp_path / "there" / "second", tmp_path / "here" / name
    target.write_bytes(b"former")
    second.symlink_to("real")
    link.symlink_to(second)
    export(link)
    assert link.is_symlink()
    assert second.is_symlink()
    assert target.read_bytes() == link.read_bytes() != b"former"
    target.unlink()
    export(link)  # to a file that is gone
    assert link.is_symlink()
    assert target.stat().st_size > 6
    assert sorted(path.name for path in (tmp_path / "here").iterdir()) == [name]
    assert sorted(path.name for path in (tmp_path / "there").iterdir()) == ["real", "second"]


def special(folder: Path) -> dict[str, Path]:
    """What no file may be written over; a terminal stands for the devices, and none of them is opened."""
    os.mkfifo(folder / "fifo")
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(folder / "socket"))
    server.close()
    (folder / "folder").mkdir()
    (folder / "link").symlink_to("fifo")
    return {"a FIFO": folder / "fifo", "a socket": folder / "socket", "a folder": folder / "folder"}


def test_devices_fifos_and_sockets_are_refused(tmp_path: Path) -> None:
    cases = special(tmp_path)
    before = sorted(tmp_path.iterdir())
    for kind, path in [*cases.items(), ("a FIFO", tmp_path / "link")]:
        for export in (session, weights, metrics):
            with pytest.raises(OSError, match=f"this is {kind}, not a file"):
                export(path)
    assert sorted(tmp_path.iterdir()) == before


def test_a_device_is_refused_before_anything_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, other = os.openpty()
    try:
        device = Path(os.ttyname(other))

        def refuse(*_: object) -> int:
            raise AssertionError("nothing may be opened beside a device")

        with monkeypatch.context() as patch:
            patch.setattr(files.os, "open", refuse)
            with pytest.raises(OSError, match="this is a device, not a file"), writing(device):
                pass
        assert stat.S_ISCHR(device.stat().st_mode)
    finally:
        os.close(terminal)
        os.close(other)


def test_what_may_not_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "read only"
    path.write_bytes(b"kept")
    monkeypatch.setattr(files.os, "access", lambda *_: False)  # root may write everything
    with pytest.raises(PermissionError), writing(path):
        pass
    assert path.read_bytes() == b"kept"
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="symbolic links"), writing(tmp_path / "a"):
        pass


def test_long_names_are_written(tmp_path: Path) -> None:
    path = tmp_path / ("é" * 120 + ".csv")
    with writing(path) as file:
        file.write(b"1")
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("option", ["save", "weights", "metrics"])
def test_the_command_line_refuses_before_it_trains(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind, path in special(tmp_path).items():
        assert main(["run", "perceptron", "--steps", "1000000000", f"--{option}", str(path)]) == 2
        assert capsys.readouterr().err == f"engine: --{option} {path}: this is {kind}, not a file\n"
    assert main(["export", "perceptron", "--script", str(tmp_path / "fifo")]) == 2
    assert "this is a FIFO, not a file" in capsys.readouterr().err


def test_the_command_line_s_files_have_the_usual_permissions(tmp_path: Path) -> None:
    former = os.umask(0o022)
    try:
        written = {f"--{each}": str(tmp_path / each) for each in ("save", "weights", "metrics")}
        arguments = [word for option in written.items() for word in option]
        assert main(["run", "perceptron", "--steps", "5", "--json", *arguments]) == 0
    finally:
        os.umask(former)
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o644}
    assert len(list(tmp_path.iterdir())) == 3
