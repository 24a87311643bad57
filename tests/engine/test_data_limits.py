"""Data that would hang a reader or fill the memory: each is refused at once with a sentence, and all can be stopped."""

from __future__ import annotations

import gzip
import os
import sys
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import hostile_data
import numpy as np
import pytest
from PIL import Image

from engine.__main__ import main
from engine.data import (
    Cancelled,
    DataError,
    DataMissing,
    describe_data,
    files,
    find_files,
    is_available,
    load_images,
    load_table,
    load_text,
    own_images,
    set_data_folder,
)
from engine.data import images as image_sets
from engine.data.preview import preview
from engine.data.reading import watched
from engine.discovery import catalogue
from engine.own_labs import own_cards

unix = pytest.mark.skipif(sys.platform == "win32", reason="named pipes and devices are files on Unix")
SECONDS = 5.0  # of a machine that is busy with other things

Make = Callable[[Path], Path]
SPECIAL: list[tuple[Callable[[Path, str], Path], str]] = [
    (hostile_data.pipe, "is a named pipe; only regular files and folders are read"),
    (hostile_data.device, "is a device; only regular files and folders are read"),
    (hostile_data.listening, "is a socket; only regular files and folders are read"),
    (hostile_data.loop, "there is no"),
]
LARGE: list[tuple[str, Make, str]] = [
    ("lenet", hostile_data.bombs, "has no pictures that can be read"),
    ("lenet", hostile_data.packed_bomb, "announces 20×2,800×2,800 numbers, more than"),
    ("lenet", hostile_data.many_classes, "10,000 different labels; at most 1,000 classes can be learned: choose fewer"),
    ("gpt", hostile_data.alphabet, "more than 4,096 different characters; at most 4,096 can be learned: choose a text"),
    ("dense_network", hostile_data.endless_row, "has a row of more than 1.0 MB after row 1; check its line ends"),
]


@unix
@pytest.mark.parametrize(("lab", "suffix"), [("lenet", ".npz"), ("gpt", ".txt"), ("dense_network", ".csv")])
@pytest.mark.parametrize(("make", "message"), SPECIAL, ids=[make.__name__ for make, _ in SPECIAL])
def test_pipes_devices_and_sockets_are_refused_at_once(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    lab: str,
    suffix: str,
    make: Callable[[Path, str], Path],
    message: str,
) -> None:
    path = make(tmp_path, suffix)
    begun = time.monotonic()
    for read in (preview, describe_data):
        with pytest.raises(DataError, match=message):
            read(str(path))
    assert main(["run", lab, "--data", str(path), "--steps", "1"]) == 2
    said = capsys.readouterr().err.strip()
    assert message in said
    assert len(said.splitlines()) == 1
    assert time.monotonic() - begun < SECONDS


@pytest.mark.parametrize(("lab", "make", "message"), LARGE, ids=[make.__name__ for _, make, _ in LARGE])
def test_bombs_are_refused_before_they_unpack(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lab: str, make: Make, message: str
) -> None:
    path = make(tmp_path)
    begun = time.monotonic()
    tracemalloc.start()
    try:
        assert main(["run", lab, "--data", str(path), "--steps", "1"]) == 2
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    said = capsys.readouterr().err.strip()
    assert message in said
    assert len(said.splitlines()) == 1
    assert most < 100_000_000
    try:
        problem = preview(str(path)).problem
    except DataError as error:
        problem = str(error)
    assert message in problem
    assert time.monotonic() - begun < SECONDS


def test_a_gzipped_idx_file_that_is_a_bomb_is_refused(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "train-images-idx3-ubyte.gz", "wb") as file:
        file.write(b"\0\0\x08\x03" + b"".join(n.to_bytes(4, "big") for n in (100, 1000, 1000)) + bytes(100_000_000))
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(b"\0\0\x08\x01\0\0\0\x64" + bytes(100))
    with pytest.raises(DataError, match="which it cannot hold"):
        load_images(str(tmp_path))
    with pytest.raises(DataError, match="which it cannot hold"):
        preview(str(tmp_path))


def test_a_large_plain_picture_is_left_out_and_a_photograph_is_not(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (2500, 2500), np.uint8)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for i in range(8):
            Image.new("L", (9, 9)).save(tmp_path / name / f"{i}.png")
    Image.fromarray(noise).save(tmp_path / "a" / "photograph.jpg")
    (tmp_path / "b" / "plain.png").write_bytes(hostile_data.png(6000, 6000))
    data = load_images(str(tmp_path))
    assert len(data.train) + len(data.test) == 17
    assert "b/plain.png (6,000×6,000 pixels are too many for 1 kB)" in data.notes[0]


def test_pictures_are_only_read_in_the_formats_that_are_offered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An EPS picture would be handed to whatever program is called gs."""
    (tmp_path / "programs").mkdir()
    program = tmp_path / "programs" / "gs"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'programs'}{os.pathsep}{os.environ['PATH']}")
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 20 20\n%%EndComments\nshowpage\n%%EOF\n"
    for name in ("a", "b"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for i in range(10):
            (tmp_path / "set" / name / f"{i}.png").write_bytes(eps)
    for read in (load_images, preview):
        with pytest.raises(DataError, match=r"no pictures that can be read: a/0.png.*not a picture"):
            read(str(tmp_path / "set"))
    assert not (tmp_path / "started").exists()


def test_an_archive_of_very_many_arrays_is_not_listed(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "many.npz", "w") as archive:
        for i in range(own_images.MAX_ARRAYS + 1):
            archive.writestr(f"{i}.npy", b"")
    with pytest.raises(DataError, match="holds 1,001 arrays or more; at most 1,000"):
        load_images(str(tmp_path / "many.npz"))


def test_folders_with_too_many_classes_or_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_images, "MAX_CLASSES", 5)
    for i in range(8):
        (tmp_path / f"class {i}").mkdir()
        (tmp_path / f"class {i}" / "x.png").write_bytes(b"")
    for read in (load_images, preview):
        with pytest.raises(DataError, match="more than 5 folders with pictures; at most 5 classes can be learned"):
            read(str(tmp_path))
    monkeypatch.setattr(files, "MAX_ENTRIES", 6)
    with pytest.raises(DataError, match="holds more than 6 files and folders; choose a smaller folder"):
        preview(str(tmp_path))


def test_links_that_lead_back_do_not_lead_round_in_circles(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "up").symlink_to(tmp_path)
        (tmp_path / name / "self.png").symlink_to("self.png")
        for i in range(8):
            Image.new("L", (9, 9)).save(tmp_path / name / f"{i}.png")
    data = load_images(str(tmp_path))
    assert len(data.train) + len(data.test) == 16
    assert len(image_sets.fingerprint(tmp_path)) == 3


def test_a_file_that_grows_is_read_as_it_was_when_opened(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_bytes(b"a" * 100_000)
    with files.open_file(path) as file, path.open("ab") as more:
        found = file.read(10)
        for _ in range(10):
            more.write(b"b" * 100_000)
            more.flush()
            found += file.read(90_000)
        found += file.read()
    assert found == b"a" * 100_000


@unix
def test_a_pipe_that_takes_the_place_of_a_file_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = hostile_data.pipe(tmp_path, ".txt")
    regular = tmp_path.joinpath("regular")
    regular.write_text("x")
    monkeypatch.setattr(Path, "stat", lambda *_, **__: os.stat(regular))  # as it was a moment ago
    with pytest.raises(DataError, match="is a named pipe"):
        files.open_file(path)


@pytest.mark.parametrize("suffix", [".txt", ".csv", ".npz", ""])
def test_all_readers_can_be_stopped(tmp_path: Path, suffix: str) -> None:
    """At the first word that they say; with small files it is the reading of bytes that asks."""
    path = tmp_path / f"mine{suffix}"
    if suffix == ".txt":
        path.write_text("a quick brown fox " * 100)
    elif suffix == ".csv":
        path.write_text("a,b,c\n" + "1,2,3\n4,5,6\n" * 20)
    elif suffix == ".npz":
        np.savez(path, x=np.zeros((20, 5, 5), np.uint8), y=np.arange(20) % 2)
    else:
        for name in ("a", "b"):
            (path / name).mkdir(parents=True)
            for i in range(8):
                Image.new("L", (9, 9)).save(path / name / f"{i}.png")
    asked = 0

    def progress(_done: int, _total: int) -> None:
        nonlocal asked
        asked += 1
        raise Cancelled("no longer wanted")

    load: dict[str, Callable[[str], object]] = {".txt": load_text, ".csv": load_table}
    for read in (preview, load.get(suffix, load_images)):
        with watched(progress), pytest.raises(Cancelled):
            read(str(path))
    assert asked == 2


@unix
def test_the_labs_folder_may_hold_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPSCOPE_LABS", str(tmp_path))
    hostile_data.pipe(tmp_path, ".py")
    hostile_data.device(tmp_path, ".py")
    hostile_data.listening(tmp_path, ".py")
    hostile_data.loop(tmp_path, ".py")
    (tmp_path / "large.py").write_bytes(b"#" * 3_000_000)
    cards = own_cards()
    assert [(card.id, card.problem) for card in cards] == [
        ("mine.large", "this file has 3.0 MB; a lab has at most 1.0 MB")
    ]
    assert len(catalogue()) > 10


def test_only_so_many_of_a_folders_files_are_looked_at_for_labs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPSCOPE_LABS", str(tmp_path))
    monkeypatch.setattr("engine.own_labs.MOST_ENTRIES", 20)
    for i in range(50):
        (tmp_path / f"lab{i}.py").write_text("")
    assert len(own_cards()) == 20


@pytest.mark.parametrize("name", ["x" * 300, "no-such-folder", "a-file", "nul\0"])
def test_a_data_folder_that_is_none_hides_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (tmp_path / "a-file").write_text("")
    monkeypatch.setattr("engine.data.catalogue.cache_folder", lambda: tmp_path / "downloads")
    set_data_folder(tmp_path / name)
    try:
        with pytest.raises(DataMissing, match="MNIST is not on this machine"):
            find_files("mnist")
        assert not is_available("mnist")
    finally:
        set_data_folder(None)
