"""Columns in the name of a data set, and what is made of them."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from engine.data import Cancelled, DataError, kind_of, load_images, load_table, plane
from engine.data.columns import Columns, join_name, split_name, task_of
from engine.data.plane import from_table, load_plane
from engine.data.reading import report, tell, watched

names = st.text(max_size=20)
columns = st.builds(Columns, names, names, names, names)
paths = st.one_of(names, st.text("ab%?=&xy/. c", max_size=12)).filter(bool)


@given(paths, columns)
def test_what_is_joined_is_split_again(path: str, wanted: Columns) -> None:
    assert split_name(join_name(path, wanted)) == (path, wanted)
    assert split_name(join_name(path)) == (path, Columns())


def test_names_are_readable() -> None:
    wanted = Columns("lat", "größe", label="species name")
    assert join_name("my data/birds.csv", wanted) == "my data/birds.csv?x=lat&y=größe&class=species%20name"
    assert split_name("birds.csv?value=a%2Fb&x=c") == ("birds.csv", Columns(x="c", value="a/b"))
    assert join_name("birds.csv") == "birds.csv"


@pytest.mark.parametrize("name", ["a?b.csv", "a.csv?z=1", "a.csv?x=1&x=2", "?x=1", "mnist", "a.csv?x", "drawn"])
def test_other_names_are_left_alone(name: str) -> None:
    path, wanted = split_name(name)
    assert (path, wanted) == (name, Columns()) or (path, wanted.x) == ("a.csv", "")


TABLE = """id,long,wide,deep,kind,mass
1,1,5,0.5,cat,0
2,2,,0.25,dog,1
3,3,7,x,cat,0
4,4,8,0.125,,1
5,5,9,0.5,hen,1
6,6,4,0.75,dog,0
7,7,3,0.5,cat,1
8,8,2,0.5,cat,1
9,9,2,0.5,cat,1
10,10,2,0.5,cat,1
11,11,2,0.5,cat,1
12,12,2,0.5,cat,1
13,13,2,0.5,cat,1
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "mine.csv"
    path.write_text(TABLE)
    return path


def test_rows_that_lack_one_of_the_chosen_cells_are_left_out_and_counted(path: Path) -> None:
    data = load_plane(f"{path}?x=wide&y=deep&class=kind")
    assert len(data.xy) == 10
    assert data.classes == ("cat", "dog", "hen")
    assert data.axes["x₁"] == "wide, 2 to 9"
    assert data.axes["left out"] == "3 of 13 rows lack a value"
    task = task_of(load_table(path), Columns("wide", "deep", "kind"))
    assert (task.lacking, len(task.rows), task.names[1]) == (3, 10, "hen")


def test_of_many_rows_so_many_are_taken_as_a_lab_can_show(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plane, "MOST_ROWS", 6)
    data = load_plane(f"{path}?x=wide&y=deep&class=kind")
    assert len(data.xy) == len(data.target) == 6
    assert data.axes["shown to the lab"] == "6 of these rows, randomly sampled"


def test_whole_numbers_are_classes_or_values_as_is_asked(path: Path) -> None:
    assert from_table(f"{path}?x=long&y=deep&class=mass").classes == ("0", "1")
    values = from_table(f"{path}?x=long&y=deep&value=mass")
    assert values.classes == ()
    assert set(values.target.tolist()) == {-1, 1}
    assert values.axes["predicted"] == "mass, 0 to 1 shown as -1 to 1"
    assert from_table(f"{path}?x=wide").axes["x₂"].startswith("id")
    assert from_table(f"{path}?class=kind").axes["predicted"] == "kind"


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("x=gone", "has no column 'gone'; its columns are id, long, wide, deep, kind, mass"),
        ("x=kind", "kind in mine.csv holds words; x₁ and x₂ are to be columns of numbers"),
        ("x=long&y=long", "must be three different columns, not long, long and mass"),
        ("x=long&y=mass&class=mass", "three different columns"),
        ("x=long&y=deep&value=kind", "holds words; numbers are needed to predict values"),
        ("x=long&y=deep&class=id", "holds 12 different words; 2 to 10"),
    ],
)
def test_columns_that_do_not_fit_are_explained(path: Path, query: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        from_table(f"{path}?{query}")


def test_kinds_and_folders_with_odd_names(tmp_path: Path, path: Path) -> None:
    assert kind_of(f"{path}?x=wide") == "table"
    odd = tmp_path / "what?x=1"
    for label in "ab":
        (odd / label).mkdir(parents=True)
        for i in range(6):
            Image.new("L", (8, 8), 10 * i).save(odd / label / f"{i}.png")
    (odd / "b" / "broken.png").write_bytes(b"no picture")
    assert kind_of(join_name(str(odd))) == "images"
    for _ in range(2):  # read, and kept
        with watched(lambda _done, _total: None) as found:
            images = load_images(join_name(str(odd)), 8)
        assert found == {"unreadable": "1 of 13 pictures"}
    assert images.classes == ("a", "b")


# ------------------------------------------------------------------ being watched


def test_the_watcher_hears_of_reading_on_its_own_thread_and_may_stop_it() -> None:
    seen: list[tuple[int, int]] = []
    report(1, 2)  # nobody watches
    tell([("rows", "none")])
    with watched(lambda done, total: seen.append((done, total))) as found:
        other = threading.Thread(target=report, args=(7, 8))
        other.start()
        other.join()
        report(1, 2)
        report(2, 2)  # too soon to be told
        tell([("rows", "1 of 2")])
    report(3, 3)
    assert seen == [(1, 2)]
    assert found == {"rows": "1 of 2"}

    def stop(_done: int, _total: int) -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled), watched(stop):
        report(1, 2)
    report(1, 2)


@pytest.mark.parametrize("kind", ["folder", "npz", "idx"])
def test_reading_pictures_can_be_stopped(tmp_path: Path, kind: str) -> None:
    import numpy as np

    path, count = tmp_path / "mine", 40
    path.mkdir()
    grey = np.arange(count * 64, dtype=np.uint8).reshape(count, 8, 8)
    if kind == "folder":
        for i, picture in enumerate(grey):
            (path / f"{i % 2}").mkdir(exist_ok=True)
            Image.fromarray(picture).save(path / f"{i % 2}" / f"{i}.png")
    elif kind == "npz":
        path = path / "mine.npz"
        np.savez(path, images=grey, labels=np.arange(count) % 2)
    else:
        head = bytes([0, 0, 8, 3, *count.to_bytes(4, "big"), 0, 0, 0, 8, 0, 0, 0, 8])
        (path / "train-images-idx3-ubyte").write_bytes(head + grey.tobytes())
        (path / "train-labels-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, count]) + bytes([0, 1] * 20))

    def stop(_done: int, _total: int) -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled), watched(stop):
        load_images(str(path), 8)
    assert torch.is_tensor(load_images(str(path), 8).train)
