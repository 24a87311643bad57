"""Animations, read back by Pillow: every picture, in its place, for its time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from engine.export import animation
from engine.export.animation import AnimationError, Stopped, encode, video_is_there
from engine.export.recording import Picture, Recording

SECONDS = (0.1, 0.25, 0.07, 0.5)


def pictures(count: int = 4, size: tuple[int, int] = (60, 81)) -> list[Picture]:
    """A flat ground in which a square of another colour moves."""
    made = []
    for place in range(count):
        pixels = np.full((*size, 3), (20, 22, 28), np.uint8)
        pixels[10 + 3 * place : 20 + 3 * place, 30:44] = (90, 20 * place % 250, 250)
        made.append(Picture(pixels, SECONDS[place % 4]))
    return made


@pytest.mark.parametrize("ending", [".gif", ".webp", ".png", ".apng"])
def test_all_pictures_come_back(ending: str, tmp_path: Path) -> None:
    path, some, told = tmp_path / f"a{ending}", pictures(), list[tuple[int, int]]()
    colours = [picture.pixels for picture in some]
    encode(path, iter(some), len(some), samples=colours, note=lambda done, of: told.append((done, of)))
    assert told == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]
    assert list(tmp_path.iterdir()) == [path]
    with Image.open(path) as read:
        assert (read.n_frames, read.size) == (4, (81, 60))
        assert read.info.get("loop") == 0
        exact = ending in (".png", ".apng", ".gif")  # few colours
        for frame, picture in zip(ImageSequence.Iterator(read), some, strict=True):
            pixels = np.array(frame.convert("RGB")).astype(int)
            differences = np.abs(pixels - picture.pixels)
            assert differences.max() == 0 if exact else differences.mean() < 3
            assert frame.info["duration"] == pytest.approx(1000 * picture.seconds, abs=10)


def test_rounded_times_do_not_add_up(tmp_path: Path) -> None:
    some = [Picture(picture.pixels, 1 / 15) for picture in pictures(30, (40, 50))]
    encode(tmp_path / "a.gif", iter(some), 30)
    with Image.open(tmp_path / "a.gif") as read:
        total = sum(frame.info["duration"] for frame in ImageSequence.Iterator(read))
    assert total == pytest.approx(2000, abs=20)


def test_a_picture_that_stays_and_a_single_one(tmp_path: Path) -> None:
    (one,) = pictures(1)
    for ending in (".gif", ".png", ".webp"):
        encode(tmp_path / f"one{ending}", iter([one]), 1)
        encode(tmp_path / f"still{ending}", iter([one, one]), 2)
        with Image.open(tmp_path / f"still{ending}") as read:
            assert np.array(read.convert("RGB")).shape == (60, 81, 3)


def test_colours_of_later_pictures_are_in_the_palette(tmp_path: Path) -> None:
    some = pictures()
    red = Picture(np.full_like(some[0].pixels, (255, 0, 0)), 0.1)
    encode(tmp_path / "a.gif", iter([*some, red]), 5, samples=[some[0].pixels, red.pixels])
    with Image.open(tmp_path / "a.gif") as read:
        read.seek(4)
        assert read.convert("RGB").getpixel((3, 3)) == (255, 0, 0)


@pytest.mark.parametrize("ending", [".gif", ".webp", ".png"])
def test_stopped_in_the_middle_leaves_the_former_file(ending: str, tmp_path: Path) -> None:
    path, asked = tmp_path / f"a{ending}", iter([False, False, True])
    path.write_bytes(b"former")
    with pytest.raises(Stopped):
        encode(path, iter(pictures()), 4, cancelled=lambda: next(asked))
    assert path.read_bytes() == b"former"
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(AnimationError, match=r"must end in \.gif"):
        encode(tmp_path / "a.avi", iter(pictures()), 4)
    with pytest.raises(AnimationError, match="nothing was recorded"):
        encode(tmp_path / "a.gif", iter([]), 0)
    with pytest.raises(OSError, match="no such folder"):
        encode(tmp_path / "nowhere" / "a.gif", iter(pictures()), 4)
    assert list(tmp_path.iterdir()) == []


def test_without_the_extra_the_command_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(animation, "video_is_there", lambda: False)
    with pytest.raises(AnimationError, match=r'pip install "imageio\[pyav\]"'):
        encode(tmp_path / "a.mp4", iter(pictures()), 4)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not video_is_there(), reason="the extra `video` is not installed")
def test_a_video(tmp_path: Path) -> None:
    import imageio.v3 as iio

    encode(tmp_path / "a.mp4", iter(pictures()), 4)
    frames = iio.imread(tmp_path / "a.mp4", plugin="pyav")
    assert frames.shape == (round(15 * sum(SECONDS)), 60, 80, 3)
    assert np.abs(frames[0].astype(int) - pictures()[0].pixels[:, :80]).mean() < 8


def test_other_threads_go_on(tmp_path: Path) -> None:
    """No step of it keeps the interpreter for long: the window draws meanwhile."""
    rng = np.random.default_rng(0)
    some = [Picture(rng.integers(0, 255, (400, 640, 3), np.uint8), 0.1) for _ in range(2)]
    gaps: list[float] = []
    for ending in (".gif", ".png", ".webp"):
        worker = threading.Thread(target=encode, args=(tmp_path / f"a{ending}", iter(some), 2))
        worker.start()
        last = time.perf_counter()
        while worker.is_alive():
            threading.Event().wait(0.001)
            gaps.append(time.perf_counter() - last)
            last = time.perf_counter()
        worker.join()
    assert sorted(gaps)[len(gaps) // 2] < 0.016  # the median, as a busy machine has pauses of its own


# ------------------------------------------------------------------------------------------------ recordings


def scene(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 255, (20, 30, 3), np.uint8)


def test_a_recording_keeps_pictures_and_their_times() -> None:
    recording = Recording(rate=10)
    for place in range(5):
        recording.add(scene(place), 3 + 0.1 * place)
    recording.add(scene(4), 3.5)  # nothing new: the fifth lasts
    recording.stop(4.0)
    assert len(recording) == 5
    assert recording.seconds == pytest.approx(1.0)
    read = list(recording.pictures())
    assert [picture.seconds for picture in read] == pytest.approx([0.1, 0.1, 0.1, 0.1, 0.6])
    assert all((picture.pixels == scene(place)).all() for place, picture in enumerate(read))
    assert len(recording.samples(3)) == 3
    assert (recording.samples(3)[1] == scene(2)).all()


def test_a_long_recording_stays_within_its_memory() -> None:
    recording = Recording(capacity=40_000, rate=10)
    for place in range(500):
        recording.add(scene(place), 0.1 * place)
    assert recording.bytes <= 40_000
    assert recording.seconds == pytest.approx(49.9)
    assert recording.interval == pytest.approx(3.2)
    lasting = [picture.seconds for picture in recording.pictures()]
    assert sum(lasting) == pytest.approx(49.9, abs=3.3)
    assert max(lasting[:-1]) <= 3.3
    assert (next(recording.pictures()).pixels == scene(0)).all()


def test_pictures_come_no_faster_than_the_rate() -> None:
    recording = Recording(rate=10)
    for place in range(100):
        recording.add(scene(place), 0.01 * place)
    assert 8 <= len(recording) <= 11
    with pytest.raises(ValueError, match="does not fit"):
        recording.add(np.zeros((5, 5, 3), np.uint8), 2.0)


def test_an_empty_recording() -> None:
    recording = Recording()
    recording.stop(1.0)
    empty: Iterator[Picture] = recording.pictures()
    assert list(empty) == []
    assert recording.samples() == []
    assert recording.seconds == 0
