"""Pictures that a viewer may point at: .npz archives and folders, good, damaged and hostile."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from engine.data import DataError, ImageSet, load_images
from engine.data.own_images import read_npz

RealData = Callable[[str], Path]
RNG = np.random.default_rng(0)


def pictures(count: int, height: int = 28, width: int = 28) -> npt.NDArray[np.uint8]:
    return RNG.integers(0, 256, (count, height, width), np.uint8)


def check_set(data: ImageSet, size: int) -> None:
    """What every lab relies on."""
    for images, labels in ((data.train, data.train_labels), (data.test, data.test_labels)):
        assert images.shape == (len(labels), 1, size, size)
        assert images.dtype == torch.float32
        assert labels.dtype == torch.int64
        assert images.is_contiguous()
        assert images.min() >= 0
        assert images.max() <= 1
        assert labels.min() >= 0
        assert labels.max() < len(data.classes)


# ------------------------------------------------------------------ NPZ


@pytest.mark.parametrize(
    ("images", "names"),
    [
        (pictures(70), ("x_train", "y_train")),
        (pictures(70)[..., None], ("images", "labels")),
        (pictures(70)[:, None], ("X", "Y")),
        (pictures(70).reshape(70, 784), ("arr_0", "arr_1")),
        (pictures(70).astype(np.float32) / 255, ("data", "targets")),
        (pictures(70).astype(np.float64), ("x", "y")),
        (pictures(70) > 127, ("x", "y")),
        (pictures(70).astype(np.uint16) * 257, ("x", "y")),
        (pictures(70)[..., None].repeat(3, -1), ("x", "y")),
        (pictures(70)[:, None].repeat(3, 1), ("x", "y")),
    ],
)
def test_npz_archives_of_every_common_shape(tmp_path: Path, images: npt.NDArray[Any], names: tuple[str, str]) -> None:
    path = tmp_path / "mine.npz"
    np.savez(path, **{names[0]: images, names[1]: np.arange(70) % 7})  # type: ignore[arg-type]
    data = load_images(str(path))
    check_set(data, 28)
    assert (len(data.train), len(data.test), len(data.classes)) == (60, 10, 7)
    assert data.train.max() > 0.99
    assert data.train.min() < 0.01


def test_npz_pictures_keep_their_values_and_their_labels(tmp_path: Path) -> None:
    images = pictures(70, 16, 16)
    path = tmp_path / "mine.npz"
    words = np.array(["cat", "dog"])[np.arange(70) % 2]
    np.savez_compressed(path, x_train=images, y_train=words, x_test=images[:10], y_test=words[:10])
    data = load_images(str(path), 16)
    assert torch.equal((data.train[:, 0] * 255).round().to(torch.uint8), torch.from_numpy(images))
    assert data.classes == ("cat", "dog")
    assert data.train_labels.tolist() == [0, 1] * 35
    assert data.notes == ()


@pytest.mark.parametrize("labels", [np.eye(5)[np.arange(70) % 5], (np.arange(70) % 5)[:, None], (np.arange(70) % 5.0)])
def test_npz_labels_may_be_one_hot_or_a_column(tmp_path: Path, labels: npt.NDArray[Any]) -> None:
    np.savez(tmp_path / "mine.npz", x=pictures(70), y=labels, x_test=pictures(10), y_test=labels[:10])
    data = load_images(str(tmp_path / "mine.npz"))
    assert data.train_labels[:6].tolist() == [0, 1, 2, 3, 4, 0]


def test_signed_values_are_rescaled_and_noted(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", x=pictures(70) / 127.5 - 1, y=np.arange(70) % 2)
    data = load_images(str(tmp_path / "mine.npz"))
    assert "values -1 to 1 became 0 to 1" in data.notes
    check_set(data, 28)


NAN = pictures(20).astype(np.float32)
NAN[3, 4, 5] = np.nan


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": np.zeros(3), "b": np.zeros((2, 2))}, "holds a 3, b 2×2; wanted are pictures named x_train"),
        ({"x": NAN, "y": np.arange(20) % 2}, "x holds 1 values that are NaN or infinite"),
        ({"x": pictures(20), "y": np.arange(20) / 3}, "y holds fractions or NaN"),
        ({"x": pictures(20), "y": np.arange(19) % 2}, "20 pictures and 19 labels"),
        ({"x": pictures(20), "y": np.zeros((20, 3, 3))}, "one label for each picture"),
        ({"x": np.zeros((20, 5)), "y": np.arange(20) % 2}, r"x is 20×5; wanted is \(pictures, height, width\)"),
        ({"x": np.zeros((20, 2, 2, 2, 2)), "y": np.arange(20) % 2}, "wanted is"),
        ({"x": np.float32(3), "y": np.arange(20) % 2}, "has no pictures"),
        ({"x": np.zeros((0, 28, 28)), "y": np.zeros(0)}, "has no pictures; at least 10"),
        ({"x": np.zeros((20, 0, 28)), "y": np.arange(20)}, "pictures made of numbers are wanted"),
        ({"x": np.array(["a"] * 20), "y": np.arange(20)}, "pictures made of numbers are wanted"),
        ({"x": np.zeros((2000, 4, 4), np.uint8), "y": np.arange(2000)}, "2,000 different labels; at most 1,000"),
        ({"x": np.array([{}, []], object), "y": np.arange(2)}, "holds Python objects, which could run code"),
        ({"x": np.zeros((10_000_000, 1, 1), np.uint8), "y": np.zeros(3)}, "10,000,000 pictures, 31.4 GB"),
    ],
)
def test_an_unusable_npz_is_explained(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    np.savez_compressed(tmp_path / "mine.npz", **arrays)
    with pytest.raises(DataError, match=message):
        load_images(str(tmp_path / "mine.npz"))


def test_an_npz_header_that_lies_is_refused_before_memory_is_asked_for(tmp_path: Path) -> None:
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (4000000, 30, 30), }"
    header += b" " * (118 - len(header) - 1) + b"\n"
    with zipfile.ZipFile(tmp_path / "mine.npz", "w") as archive:
        archive.writestr("x.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + b"abc")
    with pytest.raises(DataError, match="announces 4,000,000×30×30 numbers, more than the file holds"):
        load_images(str(tmp_path / "mine.npz"))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=5))
def test_mutated_npz_bytes_give_pictures_or_a_data_error(tmp_path: Path, edits: list[tuple[int, int]]) -> None:
    path = tmp_path / "mine.npz"
    np.savez(path, x=np.ones((12, 4, 4), np.uint8), y=np.arange(12) % 2)
    content = bytearray(path.read_bytes())
    for place, value in edits:
        content[place % len(content)] = value
    path.write_bytes(bytes(content))
    with suppress(DataError):  # and nothing else
        assert read_npz(path, 4).train.dtype == np.uint8


# ------------------------------------------------------------------ a folder per class


def save_pictures(
    folder: Path, count: int, *, suffix: str = ".png", size: tuple[int, int] = (20, 20), grey: int = 0
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        Image.new("RGB", size, (grey, grey, grey)).save(folder / f"{i}{suffix}")


def test_a_folder_per_class(tmp_path: Path) -> None:
    save_pictures(tmp_path / "night", 14, grey=10)
    save_pictures(tmp_path / "day", 14, grey=250, suffix=".jpg", size=(40, 30))
    (tmp_path / ".hidden").mkdir()
    data = load_images(str(tmp_path), 16)
    check_set(data, 16)
    assert data.classes == ("day", "night")
    assert (len(data.train), len(data.test)) == (24, 4)
    for images, labels in ((data.train, data.train_labels), (data.test, data.test_labels)):
        assert torch.equal(images.mean((1, 2, 3)) > 0.5, labels == 0)


def test_unreadable_files_are_counted_and_named(tmp_path: Path) -> None:
    save_pictures(tmp_path / "a", 10)
    save_pictures(tmp_path / "b", 10)
    (tmp_path / "a" / "broken.png").write_bytes(b"not a picture")
    (tmp_path / "b" / "half.png").write_bytes((tmp_path / "b" / "0.png").read_bytes()[:50])
    (tmp_path / "b" / "notes.doc").write_text("other")
    (tmp_path / "loose.png").write_bytes(b"")
    data = load_images(str(tmp_path))
    assert len(data.train) + len(data.test) == 20
    assert data.notes[0].startswith("2 of 22 picture files could not be read and were left out: a/broken.png (")
    assert "b/half.png" in data.notes[0]
    assert data.notes[1] == "2 other files were left out"


def test_a_decompression_bomb_is_left_out(tmp_path: Path) -> None:
    save_pictures(tmp_path / "a", 10)
    save_pictures(tmp_path / "b", 10)
    Image.new("1", (8000, 8000)).save(tmp_path / "b" / "bomb.png")
    data = load_images(str(tmp_path))
    assert "b/bomb.png (8,000×8,000 pixels are too many)" in data.notes[0]


def test_train_and_test_folders_are_respected(tmp_path: Path) -> None:
    for part, count in (("train", 12), ("test", 5)):
        save_pictures(tmp_path / part / "a", count, grey=100)
        save_pictures(tmp_path / part / "b", count, grey=200)
    save_pictures(tmp_path / "test" / "c", 1)
    data = load_images(str(tmp_path))
    assert (len(data.train), len(data.test)) == (24, 11)
    assert data.classes == ("a", "b", "c")
    assert data.train_labels.unique().tolist() == [0, 1]


def test_modes_become_grey_on_white(tmp_path: Path) -> None:
    save_pictures(tmp_path / "a", 10)
    folder = tmp_path / "b"
    folder.mkdir()
    Image.new("RGBA", (9, 9), (0, 0, 0, 0)).save(folder / "clear.png")
    Image.new("L", (9, 9), 255).save(folder / "grey.png")
    Image.new("1", (9, 9), 1).save(folder / "bit.png")
    Image.fromarray(np.full((9, 9), 65535, np.uint16)).save(folder / "deep.png")
    Image.new("P", (9, 9), 0).save(folder / "palette.gif")
    Image.new("CMYK", (9, 9), 0).save(folder / "ink.jpg")
    data = load_images(str(tmp_path))
    assert data.notes[0].endswith("were randomly held out as test data")
    means = torch.cat([data.train, data.test]).mean((1, 2, 3))[torch.cat([data.train_labels, data.test_labels]) == 1]
    assert sorted(round(mean, 1) for mean in means.tolist()) == [0, 1, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda _folder: None, "has no pictures in subfolders; wanted is"),
        (lambda folder: save_pictures(folder, 20), "has no pictures in subfolders"),
        (lambda folder: save_pictures(folder / "only", 20), "has a single class"),
        (lambda folder: [save_pictures(folder / c, 2) for c in "ab"], "has 4 pictures; at least 10"),
    ],
)
def test_folders_that_are_no_set(tmp_path: Path, make: Callable[[Path], None], message: str) -> None:
    make(tmp_path)
    with pytest.raises(DataError, match=message):
        load_images(str(tmp_path))


def test_a_class_that_cannot_be_read_at_all_leaves_one(tmp_path: Path) -> None:
    save_pictures(tmp_path / "a", 20)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x.png").write_bytes(b"")
    with pytest.raises(DataError, match="has a single class"):
        load_images(str(tmp_path))


def test_a_file_that_is_no_set(tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").write_text("words")
    with pytest.raises(DataError, match=r"thesis\.docx is not a set of pictures; wanted is an \.npz archive"):
        load_images(str(tmp_path / "thesis.docx"))


def test_photographs_of_clothing(real_data: RealData, tmp_path: Path) -> None:
    with zipfile.ZipFile(next(real_data("clothing-cc0").glob("*.zip"))) as archive:
        archive.extractall(tmp_path)
    root = next(path for path in (tmp_path, *tmp_path.iterdir()) if (path / "train").is_dir())
    data = load_images(str(root), 32)
    check_set(data, 32)
    assert (len(data.train), len(data.test)) == (3068, 372)
    assert len(data.classes) == 10
