"""Data in the plane: sets, features, tables, and how they are dealt into batches."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine.data import catalogue
from engine.data.errors import DataError
from engine.data.plane import FEATURES, REACH, SETS, PlaneSet, Samples, from_table, grid, load_plane, with_features
from engine.payloads import Stroke

MADE = [name for name in SETS if name != "drawn"]
CPU = torch.device("cpu")


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_sets_are_of_the_declared_kind_and_repeat_with_the_seed(name: str, noise: float) -> None:
    torch.manual_seed(3)
    one = load_plane(name, noise, 200)
    torch.manual_seed(3)
    two = load_plane(name, noise, 200)
    other = load_plane(name, noise, 200)
    assert one.xy.shape == (200, 2)
    assert one.xy.dtype == torch.float32
    assert torch.isfinite(one.xy).all()
    assert torch.equal(one.xy, two.xy)
    assert torch.equal(one.target, two.target)
    assert not torch.equal(one.xy, other.xy)
    if one.classes:
        assert one.target.dtype == torch.int64
        share = float((one.target == 1).float().mean())
        assert 0.3 < share < 0.7
    else:
        assert -1 <= float(one.target.min()) < -0.3
        assert 0.3 < float(one.target.max()) <= 1


def test_without_noise_the_rules_of_the_sets_hold() -> None:
    ring = SETS["circle"](400, 0.0)
    assert torch.equal(ring.target == 1, ring.xy.norm(dim=1) < 2.5)
    squares = SETS["xor"](400, 0.0)
    assert torch.equal(squares.target == 1, squares.xy.prod(1) > 0)
    assert float(squares.xy.abs().min()) >= 0.3
    slope = SETS["plane"](400, 0.0)
    assert torch.allclose(slope.target, (slope.xy.sum(1) / 10).clamp(-1, 1))
    peaks = SETS["multi-gaussian"](2000, 0.0)
    near = (peaks.xy - torch.tensor([0.0, 2.5])).norm(dim=1) < 0.3  # on the second cone, which points down
    assert near.any()
    assert float(peaks.target[near].max()) < -0.8


def test_noise_mixes_the_classes_of_the_circle() -> None:
    ring = SETS["circle"](1000, 0.3)
    wrong = (ring.target == 1) != (ring.xy.norm(dim=1) < 2.5)
    assert 0.05 < float(wrong.float().mean()) < 0.5


def test_features_and_the_column_of_ones() -> None:
    x = with_features(torch.tensor([[2.0, -3.0]]), list(FEATURES))
    expected = [1, 2, -3, 4, 9, -6, float(torch.tensor(2.0).sin()), float(torch.tensor(-3.0).sin())]
    assert torch.allclose(x, torch.tensor([expected]))
    assert torch.equal(with_features(torch.tensor([[2.0, -3.0]]), ["x2"]), torch.tensor([[1.0, -3.0]]))


def test_grid_starts_at_the_top_left_and_reaches_the_edges() -> None:
    places = grid(3)
    assert places[:4].tolist() == [[-REACH, REACH], [0, REACH], [REACH, REACH], [-REACH, 0]]
    assert places[-1].tolist() == [REACH, -REACH]


# ---------------------------------------------------------------------------------------------- tables


def table(folder: Path, text: str) -> Path:
    path = folder / "mine.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_table_of_words_is_a_task_of_classes(tmp_path: Path) -> None:
    path = table(tmp_path, "name,long,wide,kind\na,1,10,cat\nb,2,20,dog\nc,3,40,cat\nd,5,50,hen\n")
    data = from_table(path)
    assert data.classes == ("cat", "dog", "hen")
    assert data.axes["x₁"] == "long, 1 to 5"
    name, start, scale = data.units[0]
    assert (name, start - 5 * scale, start + 5 * scale) == ("long", 1.0, 5.0)  # as the axis reads
    assert data.axes["predicted"] == "kind"
    found = {tuple(round(v, 4) for v in xy.tolist()): int(t) for xy, t in zip(data.xy, data.target, strict=True)}
    assert found == {(-5, -5): 0, (-2.5, -2.5): 1, (0, 2.5): 0, (5, 5): 2}


def test_a_table_of_whole_numbers_is_one_of_classes_and_of_others_one_of_values(tmp_path: Path) -> None:
    assert from_table(table(tmp_path, "a,b,c\n1,1,0\n2,4,1\n3,2,1\n4,0,0\n")).classes == ("0", "1")
    data = from_table(table(tmp_path, "a,b,c\n1,1,0.5\n2,4,1.5\n3,2,1.0\n4,0,2.5\n"))
    assert data.classes == ()
    assert sorted(data.target.tolist()) == [-1, -0.5, 0, 1]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a,b\n1,2\n3,4\n5,6\n", "2 columns"),
        ("a,b,c\nx,1,0\ny,2,1\nz,3,0\nu,4,1\n", "words in a"),
        ("a,b,c\n1,1,dog\n2,2,dog\n3,4,dog\n4,3,dog\n", "only the class dog"),
        ("a,b,c\n1,1,7\n2,2,7\n3,4,7\n4,3,7\n", "only the class 7"),
        ("a,b,c\n1,1,0\n2,,1\n3,4,0\n4,3,1\n", "has 3 rows that have a, b and c; at least 4"),
        ("a,b,c\n1,1,0\n2,nan,1\n3,4,0\n4,3,1\n", "has 3 rows that have a, b and c"),
        ("a,b,c\n1,1,dog\n2,2,\n3,4,cat\n4,3,dog\n", "has 3 rows that have a, b and c"),
        ("a,b,c\n-1e308,1,0\n1e308,2,1\n3,4,0\n4,3,1\n", "reaches from -1e\\+308 to 1e\\+308: these numbers are too"),
        ("a,b,c\n1,1,0\n1,2,1\n1,4,0\n1,3,1\n", "always 1"),
        ("a,b,c\n1,1,0\n2,2,1\n", "2 rows"),
        ("a,b,c\n" + "".join(f"{i},{i},w{i}\n" for i in range(12)), "12 different words"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_with_a_reason(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        from_table(table(tmp_path, text))


# ------------------------------------------------------------------------------------- batches, drawing


def samples(name: str = "circle", share: float = 0.6, n: int = 50) -> Samples:
    return Samples(load_plane(name, n=n), share, ["x1", "x2"], CPU)


def test_an_epoch_deals_each_training_point_once_and_no_test_point() -> None:
    dealt = samples()
    assert (dealt.held_back, dealt.learnt) == (20, 30)
    orders = []
    for _ in range(2):
        seen = [dealt.next(8)[0]]
        while dealt.batches:
            seen.append(dealt.next(8)[0])
        assert sorted(map(len, seen)) == [6, 8, 8, 8]
        epoch = torch.cat(seen)
        assert sorted(epoch.tolist()) == sorted(dealt.x[20:].tolist())
        orders.append(epoch)
    assert not torch.equal(*orders)


def test_another_batch_size_deals_what_is_left_of_the_epoch() -> None:
    dealt = samples()
    first = dealt.next(8)[0]
    dealt.redeal(5)
    rest = torch.cat([x for x, _ in dealt.batches])
    assert {len(x) for x, _ in dealt.batches} <= {5, len(rest) % 5}
    assert sorted(torch.cat([first, rest]).tolist()) == sorted(dealt.x[20:].tolist())


def test_a_drawing_needs_two_classes_and_says_so() -> None:
    dealt = samples("drawn")
    with pytest.raises(DataError, match="nothing is drawn yet"):
        dealt.next(10)
    dealt.draw(Stroke(((1.0, 2.0), (1.5, 2.0)), 2))
    with pytest.raises(DataError, match="only one class is drawn"):
        dealt.next(10)
    dealt.draw(Stroke(((-1.0, 2.0),), 0))
    x, y = dealt.next(10)
    assert sorted(x.tolist()) == [[1, -1, 2], [1, 1, 2], [1, 1.5, 2]]
    assert y.sum(0).tolist() == [1, 0, 2]
    dealt.draw(Stroke((), clear=True))
    assert dealt.learnt == 0


def test_drawn_points_join_those_to_learn_from_and_go_again() -> None:
    dealt = samples()
    dealt.next(8)
    dealt.draw(Stroke(((1.0, 2.0),), 1))
    assert (dealt.held_back, dealt.learnt) == (20, 31)
    assert dealt.x[-1].tolist() == [1, 1, 2]
    assert dealt.y[-1].tolist() == [1]
    assert not dealt.batches
    with pytest.raises(DataError, match="blue and orange"):
        dealt.draw(Stroke(((1.0, 2.0),), 2))
    dealt.draw(Stroke((), clear=True))
    assert dealt.learnt == 30
    with pytest.raises(DataError, match="values instead of classes"):
        samples("plane").draw(Stroke(((1.0, 2.0),), 0))


def test_what_is_shown_follows_the_split() -> None:
    dealt = samples()
    both, training = dealt.shown(True), dealt.shown(False)
    assert (len(both.xy), int(both.hollow.sum())) == (50, 20)
    assert (len(training.xy), int(training.hollow.sum())) == (30, 0)
    values = samples("plane").shown(True)
    assert values.labels is None
    assert values.values.shape == (50,)


def test_the_state_brings_back_points_and_the_place_in_the_epoch() -> None:
    one, two = samples(), samples()
    one.draw(Stroke(((1.0, 2.0),), 1))
    one.next(8)
    kept = one.state_dict()
    expected = [(x.clone(), y.clone()) for x, y in one.batches]
    two.load_state_dict(kept)
    assert torch.equal(one.x, two.x)
    for (x, y), (x2, y2) in zip(expected, two.batches, strict=True):
        assert torch.equal(x, x2)
        assert torch.equal(y, y2)
    two.next(8)
    assert len(one.batches) == len(expected)  # the two share nothing


def test_more_than_two_classes_are_one_hot() -> None:
    data = PlaneSet(torch.zeros(3, 2), torch.tensor([2, 0, 1]), ("a", "b", "c"))
    assert Samples(data, 1.0, ["x1"], CPU).y.tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0]]


def test_the_names_of_generated_sets_are_known_without_torch() -> None:
    assert set(catalogue.GENERATED) == set(SETS)
    assert all(map(catalogue.is_known, ("", "digits", *SETS)))
    assert not any(map(catalogue.is_known, ("digits2", "/tmp/digits", "digits?x=a", "./moons")))
