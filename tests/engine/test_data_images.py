"""Image sets: the catalogue's, and whatever a viewer may point at."""

from __future__ import annotations

import gzip
import subprocess
import sys
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

from engine.data import DataError, DataMissing, ImageSet, catalogue, load_images, set_data_folder
from engine.data.idx import idx_shape, read_idx

RealData = Callable[[str], Path]
RNG = np.random.default_rng(0)


def idx_bytes(array: npt.NDArray[np.uint8]) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


def pictures(count: int, height: int = 28, width: int = 28) -> npt.NDArray[np.uint8]:
    return RNG.integers(0, 256, (count, height, width), np.uint8)


def write_idx(folder: Path, prefix: str, images: npt.NDArray[Any], labels: npt.NDArray[Any], packed: bool) -> None:
    for name, array in ((f"{prefix}-images-idx3-ubyte", images), (f"{prefix}-labels-idx1-ubyte", labels)):
        content = idx_bytes(array.astype(np.uint8))
        path = folder / (f"{name}.gz" if packed else name)
        path.write_bytes(gzip.compress(content) if packed else content)


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


# ------------------------------------------------------------------ the catalogue


def test_importing_the_package_loads_neither_torch_nor_numpy() -> None:
    code = (
        "import sys, engine.data; assert engine.data.CATALOGUE['mnist'].bytes > 1e7;"
        "print([name for name in ('torch', 'numpy', 'sklearn', 'requests') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("size", [8, 16, 28, 32])
def test_digits_need_no_network_and_come_in_any_size(size: int) -> None:
    data = load_images("digits", size)
    check_set(data, size)
    assert (len(data.train), len(data.test)) == (1437, 360)
    assert data.classes == tuple("0123456789")
    assert len(data.train_labels.unique()) == len(data.test_labels.unique()) == 10
    assert data.train.max() > 0.9


def test_digits_at_8_pixels_are_scikit_learns_own() -> None:
    from sklearn.datasets import load_digits

    data = load_images("digits", 8)
    ours = torch.cat([data.train, data.test])[:, 0].flatten(1) * 16
    theirs = torch.from_numpy(load_digits().images).float().flatten(1)
    assert sorted(map(tuple, ours.round().int().tolist())) == sorted(map(tuple, theirs.int().tolist()))


def test_loading_is_cached_and_leaves_the_random_numbers_alone() -> None:
    torch.manual_seed(5)
    np_state = np.random.get_state()[1].copy()  # type: ignore[index, union-attr]
    before = torch.get_rng_state()
    first = load_images("digits", 12)
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], np_state)  # type: ignore[index]
    assert load_images("digits", 12) is first


def test_mnist_is_the_published_one(real_data: RealData) -> None:
    real_data("mnist")
    data = load_images("mnist")
    check_set(data, 28)
    assert (len(data.train), len(data.test)) == (60_000, 10_000)
    assert data.train_labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert data.test_labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert data.train.mean().item() == pytest.approx(0.1307, abs=1e-4)  # the constants everyone normalises with
    assert data.train.std().item() == pytest.approx(0.3081, abs=1e-4)
    assert load_images("mnist") is data


def test_fashion_mnist_is_the_published_one(real_data: RealData) -> None:
    real_data("fashion-mnist")
    data = load_images("fashion-mnist")
    check_set(data, 28)
    assert (len(data.train), len(data.test)) == (60_000, 10_000)
    assert data.train_labels[:10].tolist() == [9, 0, 0, 3, 0, 2, 7, 2, 5, 5]
    assert data.test_labels[:10].tolist() == [9, 2, 1, 1, 6, 1, 4, 6, 5, 7]
    assert data.classes[9] == "ankle boot"
    assert data.train.mean().item() == pytest.approx(0.2860, abs=1e-4)


@pytest.fixture
def no_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine with no data on it; the folder stands for the cache."""
    monkeypatch.delenv("DEEPSCOPE_DATA", raising=False)
    monkeypatch.setattr(catalogue, "cache_folder", lambda: tmp_path / "cache")
    return tmp_path


@pytest.mark.usefixtures("no_data")
def test_a_missing_set_says_how_to_get_it() -> None:
    with pytest.raises(
        DataMissing, match=r"MNIST is not on this machine.*11\.6 MB, CC BY-SA 3\.0.*settings"
    ) as missing:
        load_images("mnist")
    assert missing.value.dataset == "mnist"


def test_the_users_folder_comes_before_the_environment_and_the_cache(
    no_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = {"mine": 20, "named": 30, "cache": 40}
    for name, count in sizes.items():
        folder = no_data / name / "mnist"
        folder.mkdir(parents=True)
        write_idx(folder, "train", pictures(count), np.arange(count) % 10, packed=True)
        write_idx(folder, "t10k", pictures(11), np.arange(11) % 10, packed=True)
    assert len(load_images("mnist").train) == sizes["cache"]
    monkeypatch.setenv("DEEPSCOPE_DATA", str(no_data / "named"))
    assert len(load_images("mnist").train) == sizes["named"]
    try:
        set_data_folder(no_data / "mine")
        assert len(load_images("mnist").train) == sizes["mine"]
        (no_data / "mine" / "mnist" / "t10k-labels-idx1-ubyte.gz").unlink()  # half a set is no set
        assert len(load_images("mnist").train) == sizes["cache"]
    finally:
        set_data_folder(None)
    assert len(load_images("mnist").train) == sizes["named"]


def test_in_one_shared_folder_sizes_tell_mnist_and_fashion_apart(
    real_data: RealData, no_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in real_data("fashion-mnist").iterdir():
        (no_data / path.name).symlink_to(path)
    monkeypatch.setenv("DEEPSCOPE_DATA", str(no_data))
    assert load_images("fashion-mnist").train_labels[:3].tolist() == [9, 0, 0]
    with pytest.raises(DataMissing):
        load_images("mnist")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tinyshakespeare", "is a text; pictures are wanted"),
        ("no-such-set", "there is no image set"),
        ("nul\0byte", "there is no image set"),
    ],
)
def test_what_is_no_image_set_is_said(name: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_images(name)


@pytest.mark.parametrize("size", [0, 3, 257, -1])
def test_absurd_sizes_are_refused(size: int) -> None:
    with pytest.raises(DataError, match="4 to 256 pixels"):
        load_images("digits", size)


# ------------------------------------------------------------------ IDX


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("with_test", [True, False])
def test_a_folder_of_idx_files(tmp_path: Path, packed: bool, with_test: bool) -> None:
    images = pictures(70)
    write_idx(tmp_path, "train", images, np.arange(70) % 3 + 4, packed)
    if with_test:
        write_idx(tmp_path, "t10k", pictures(20), np.arange(20) % 3 + 4, packed)
    data = load_images(str(tmp_path))
    check_set(data, 28)
    assert data.classes == ("4", "5", "6")
    assert (len(data.train), len(data.test)) == ((70, 20) if with_test else (60, 10))
    if with_test:
        assert torch.equal(data.train[:, 0], torch.from_numpy(images) / 255)
    else:
        assert "10 of 70 pictures were randomly held out" in data.notes[0]
    single = next(path for path in tmp_path.iterdir() if "train-images" in path.name)
    assert torch.equal(load_images(str(single)).train, data.train)


def test_the_split_is_the_same_every_time_and_loses_nothing(tmp_path: Path) -> None:
    for copy in ("a", "b"):
        (tmp_path / copy).mkdir()
        write_idx(
            tmp_path / copy, "train", np.arange(100)[:, None, None].repeat(4, 1).repeat(4, 2), np.arange(100) % 2, False
        )
    one, two = load_images(str(tmp_path / "a"), 4), load_images(str(tmp_path / "b"), 4)
    assert torch.equal(one.test, two.test)
    seen = (torch.cat([one.train, one.test])[:, 0, 0, 0] * 255).round().int()
    assert sorted(seen.tolist()) == list(range(100))
    assert torch.equal((one.test[:, 0, 0, 0] * 255).round().long() % 2, one.test_labels)


def test_an_edited_file_is_read_again(tmp_path: Path) -> None:
    write_idx(tmp_path, "train", pictures(50), np.arange(50) % 2, packed=False)
    first = load_images(str(tmp_path))
    assert load_images(str(tmp_path)) is first
    write_idx(tmp_path, "train", pictures(60), np.arange(60) % 2, packed=False)
    assert len(load_images(str(tmp_path)).train) == 60 - 60 // 7


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros(50), "has a single class; at least two are wanted"),
        (np.arange(49) % 2, "has 50 pictures and 49 labels"),
    ],
)
def test_labels_that_cannot_be_learned_from(tmp_path: Path, labels: npt.NDArray[Any], message: str) -> None:
    write_idx(tmp_path, "train", pictures(50), labels, packed=False)
    with pytest.raises(DataError, match=message):
        load_images(str(tmp_path))


def test_too_few_and_too_many_pictures(tmp_path: Path) -> None:
    write_idx(tmp_path, "train", pictures(3), np.arange(3), packed=False)
    with pytest.raises(DataError, match="has 3 pictures; at least 10 are wanted"):
        load_images(str(tmp_path))
    (tmp_path / "train-images-idx3-ubyte").unlink()
    write_idx(tmp_path, "train", np.zeros((700_000, 1, 1)), np.arange(700_000) % 2, packed=True)
    with pytest.raises(DataError, match=r"700,000 pictures, 2\.2 GB at 28×28 pixels; at most 637,755"):
        load_images(str(tmp_path))


def test_oblong_pictures_are_cut_to_their_centre(tmp_path: Path) -> None:
    images = np.zeros((20, 10, 20), np.uint8)
    images[:, :, 5:15] = 255
    write_idx(tmp_path, "train", images, np.arange(20) % 2, packed=False)
    data = load_images(str(tmp_path), 16)
    assert data.train.min() == 1
    assert any("pictures of 10×20 pixels were cut" in note for note in data.notes)


GOOD_IDX = idx_bytes(pictures(5, 4, 3))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not an IDX file"),
        (b"\x89PNG\r\n", "is not an IDX file"),
        (b"\0\0\x0d\x03", "holds type 0x0d with 3 axes"),
        (b"\0\0\x08\x01" + b"\0" * 20, "with 1 axes; unsigned bytes"),
        (b"\0\0\x08\x03\0\0", "ends within its header"),
        (b"\0\0\x08\x03" + b"\0" * 12, "is empty: it announces 0×0×0"),
        (b"\0\0\x08\x03" + b"\xff" * 12 + b"abc", "which it cannot hold"),
        (GOOD_IDX[:-1], "announces 5×4×3 = 60 bytes and holds 59"),
        (GOOD_IDX[:40], "announces 5×4×3 = 60 bytes, which it cannot hold"),
        (GOOD_IDX + b"x", "holds more than 60: it is damaged"),
        (gzip.compress(GOOD_IDX[:-1]), "announces 5×4×3 = 60 bytes and holds 59"),
        (gzip.compress(GOOD_IDX)[:-9], r"cannot be read: Compressed file ended"),
        (b"\x1f\x8bnothing of the kind", "cannot be read"),
    ],
    ids=range(13),
)
def test_a_damaged_idx_file_is_explained(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "x-idx3"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_idx(path, 3)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    edits=st.lists(st.tuples(st.integers(0, 75), st.integers(0, 255)), max_size=6),
    cut=st.integers(0, 80),
    packed=st.booleans(),
)
def test_mutated_idx_bytes_give_an_array_or_a_data_error(
    tmp_path: Path, edits: list[tuple[int, int]], cut: int, packed: bool
) -> None:
    content = bytearray(gzip.compress(GOOD_IDX, mtime=0) if packed else GOOD_IDX)
    for place, value in edits:
        content[place % len(content)] = value
    path = tmp_path / "x-idx3"
    path.write_bytes(bytes(content[: len(content) - cut] if cut < 40 else content))
    with suppress(DataError):  # and nothing else
        array = read_idx(path, 3)
        assert array.shape == idx_shape(path, 3)
        assert array.size == array.nbytes > 0
