"""What is found at a path, before anything is learnt from it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from engine.data import Cancelled, DataError, preview
from engine.data.columns import Columns, task_of
from engine.data.preview import choose, lacking
from engine.data.reading import watched
from engine.data.tables import load_table

Bytes = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


def write_idx(folder: Path, pictures: Bytes, labels: Bytes) -> None:
    head = bytes([0, 0, 8, 3]) + b"".join(n.to_bytes(4, "big") for n in pictures.shape)
    (folder / "train-images-idx3-ubyte").write_bytes(head + pictures.tobytes())
    (folder / "train-labels-idx1-ubyte").write_bytes(
        bytes([0, 0, 8, 1]) + len(labels).to_bytes(4, "big") + labels.tobytes()
    )


def test_idx(tmp_path: Path) -> None:
    pictures = np.arange(40 * 30, dtype=np.uint8).reshape(40, 5, 6)
    write_idx(tmp_path, pictures, (np.arange(40) % 4).astype(np.uint8))
    for path in (tmp_path, tmp_path / "train-images-idx3-ubyte"):
        found = preview.preview(str(path))
        assert found.facts == ("40 pictures", "4 classes of 10 each", "5×6 pixels each")
        assert found.cells[0] == ("train-images-idx3-ubyte", "40×5×6", "uint8")
        assert [caption for caption, _ in found.pictures[:5]] == ["0", "1", "2", "3", "0"]
        assert np.array_equal(found.pictures[2][1], pictures[2])
        assert not found.problem
    write_idx(tmp_path, pictures, np.arange(30, dtype=np.uint8) % 4)
    assert "has 40 pictures and 30 labels; one label each is wanted" in preview.preview(str(tmp_path)).problem


def test_of_many_pictures_some_are_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview, "TRIED", 20)
    for name, count in (("train/cat", 40), ("train/dog", 30), ("test/cat", 5)):
        (tmp_path / name).mkdir(parents=True)
        for i in range(count):
            Image.new("L", (9, 9), i).save(tmp_path / name / f"{i:02}.png")
    found = preview.preview(str(tmp_path))
    assert found.facts[:4] == ("70 pictures to train, 5 to test", "2 classes", "9×9", "L")
    assert found.facts[4] in {f"{count} of them opened to look" for count in (20, 21, 22)}  # the first of each class
    assert found.cells == (("cat", "40", "5"), ("dog", "30", "0"))
    assert [caption for caption, _ in found.pictures] == ["cat", "dog"]
    assert found.pictures[0][1].shape == (preview.THUMBNAIL, preview.THUMBNAIL)

    def stop(_done: int, _total: int) -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled), watched(stop):
        preview.preview(str(tmp_path))


def test_archives_that_do_not_fit_are_shown_all_the_same(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", weights=np.zeros((3, 4)))
    found = preview.preview(str(tmp_path / "w.npz"))
    assert found.cells == (("weights", "3×4", "float64"),)
    assert found.problem.startswith("w.npz holds weights 3×4; wanted are pictures named x_train")
    np.savez(tmp_path / "w.npz", x=np.asfortranarray(np.arange(800.0).reshape(50, 4, 4)), y=np.zeros(50))
    found = preview.preview(str(tmp_path / "w.npz"))
    assert "has a single class; at least two are wanted" in found.problem
    assert len(found.pictures) == preview.SHOWN


def test_columns_are_chosen_as_they_are_likely_meant(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("kind,long,wide,year\n" + "".join(f"{'ab'[i % 2]},{i},{i % 5},{2000 + i % 3}\n" for i in range(9)))
    table = load_table(path)
    assert choose(table, Columns()) == Columns("long", "wide", "kind")
    assert choose(table, Columns(value="year")) == Columns("long", "wide", value="year")
    assert choose(table, Columns(x="wide")) == Columns("wide", "long", "kind")
    path.write_text("a,b,c\n1,2,0.5\n2,3,\n3,5,1.5\n,1,2\n5,7,8.5\n6,9,1\n")
    found = preview.preview(f"{path}?x=b&y=a")
    assert found.wanted == Columns("b", "a")
    assert found.table is not None
    assert choose(found.table, found.wanted) == Columns("b", "a", value="c")
    task = task_of(found.table, found.wanted)
    assert lacking(found.table, task) == ["line 3: no value for c", "line 5: no value for a"]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(st.binary(max_size=200), st.text('0123456789.,;\t|"\n\r x-', max_size=200).map(str.encode)),
    st.sampled_from(["a.csv", "a.txt", "a.npz", "train-images-idx3-ubyte"]),
)
def test_any_bytes_give_a_preview_or_a_data_error(tmp_path: Path, content: bytes, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with suppress(DataError):  # and nothing else
        found = preview.preview(str(path))
        if found.table is not None:
            with suppress(DataError):
                task = task_of(found.table, choose(found.table, Columns()))
                assert task.lacking + len(task.rows) == found.table.rows
