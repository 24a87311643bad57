"""Views that return far too much are refused on the worker's thread, with a sentence, and nothing else suffers."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hostile_lab import write_lab
from tiny_lab import Reader

from engine import bounds, diagrams, views
from engine import messages as m
from engine.bounds import ViewError
from engine.payloads import (
    BarsData,
    FieldData,
    FilmRow,
    FilmstripData,
    FormulaLine,
    GraphData,
    GraphNode,
    Grid,
    ImageGroup,
    ImagesData,
    Line,
    LinesData,
    NetworkData,
    NumbersData,
    PointsData,
    SurfaceData,
    TableData,
    TextData,
)
from engine.session import Session


def huge(*shape: int) -> torch.Tensor:
    """A tensor of any size that takes no memory."""
    return torch.zeros(()).expand(*shape)


def named(count: int) -> tuple[str, ...]:
    return tuple(map(str, range(count)))


def nodes(count: int) -> GraphData:
    return GraphData(tuple(GraphNode(name, name) for name in named(count)), (), (named(count),))


TOO_MUCH: dict[str, tuple[views.Description, Callable[[], Any]]] = {
    "pictures that would not fit into memory": (views.Images("It", help="h"), lambda: huge(1, 10**6, 10**6)),
    "a picture that is too wide": (views.Images("It", help="h"), lambda: huge(1, 1, 40_000)),
    "too many pictures": (views.Images("It", help="h"), lambda: huge(20_000, 1, 1)),
    "a caption": (
        views.Images("It", help="h"),
        lambda: ImagesData((ImageGroup("a", huge(1, 2, 2), ("x" * 10**6,)),)),
    ),
    "a matrix": (views.Heatmap("It", help="h"), lambda: huge(40_000, 40_000)),
    "points": (views.Points("It", help="h"), lambda: huge(10**6, 2)),
    "paths": (views.Points("It", help="h"), lambda: PointsData(huge(1, 2), paths=(huge(2, 2),) * 400)),
    "a backdrop": (
        views.Points("It", help="h"),
        lambda: PointsData(huge(1, 2), backdrop=huge(40_000, 1), extent=(0, 1, 0, 1)),
    ),
    "a field": (views.Field("It", help="h"), lambda: FieldData(huge(4000, 4000), (0, 1, 0, 1))),
    "arrows": (views.Field("It", help="h"), lambda: FieldData(huge(2, 2), (0, 1, 0, 1), arrows=huge(10**6, 4))),
    "a network": (
        views.Network("It", help="h"),
        lambda: NetworkData((named(3000), named(3000)), (huge(3000, 3000),), (huge(3000),)),
    ),
    "bars": (views.Bars("It", help="h"), lambda: BarsData(named(20_000), huge(20_000))),
    "frames": (views.Filmstrip("It", help="h"), lambda: FilmstripData((FilmRow("a", huge(20_000, 1, 1)),))),
    "tokens": (views.Text("It", help="h"), lambda: TextData(named(30_000), huge(30_000))),
    "alternatives": (
        views.Text("It", help="h"),
        lambda: TextData(("a",), huge(1), (tuple((name, 0.1) for name in named(500)),)),
    ),
    "a table": (views.Table("It", help="h"), lambda: TableData(("a",), (("b",),) * 60_000)),
    "long cells": (views.Table("It", help="h"), lambda: TableData(("a",), (("b" * 15_000,),) * 200)),
    "lines": (diagrams.Lines("It", help="h"), lambda: tuple(Line("a", huge(2), huge(2)) for _ in range(400))),
    "long lines": (diagrams.Lines("It", help="h"), lambda: LinesData((Line("a", huge(10**6), huge(10**6)),))),
    "a surface": (diagrams.Surface("It", help="h"), lambda: SurfaceData(huge(4000, 4000), (0, 1, 0, 1))),
    "a graph": (diagrams.Graph("It", help="h"), lambda: nodes(1000)),
    "numbers": (diagrams.Numbers("It", help="h"), lambda: NumbersData((Grid("a", huge(1200, 1200)),) * 2)),
    "formulas": (diagrams.Formula("It", help="h"), lambda: (FormulaLine("x"),) * 300),
    "a formula": (diagrams.Formula("It", help="h"), lambda: (FormulaLine("x" * 10**6),)),
}


@pytest.mark.parametrize("what", TOO_MUCH)
def test_it_is_refused_with_how_much_may_be(what: str) -> None:
    description, make = TOO_MUCH[what]
    with pytest.raises(ViewError, match=r"^It.*: [\d,]+ .* are too many to show, the most is [\d,]+$"):
        description.pack(make())


def test_what_is_large_but_can_be_shown_is_taken() -> None:
    assert views.Images("It", help="h").pack(huge(1, 6000, 6000)).groups[0].pixels.shape == (1, 2000, 2000)
    assert len(views.Points("It", help="h").pack(huge(bounds.POINTS, 2)).xy) == bounds.POINTS
    assert views.Heatmap("It", help="h").pack(np.zeros((2000, 2000))).values.shape == (1, 2000, 2000)


def test_words_without_an_end_are_refused() -> None:
    with pytest.raises(ViewError, match="words are too many"):
        bounds.words(itertools.repeat("again"), "It")


def test_the_lab_goes_on_and_the_others_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPSCOPE_LABS", str(tmp_path))
    write_lab(tmp_path, "odd", "view", "return BarsData(range(10**5), torch.zeros(10**5))")
    session = Session(threads=1)
    try:
        reader = Reader(session)
        session.send(m.Open(1, m.RunSpec("mine.odd")))
        session.send(m.Look(1, ("bars",)))
        failed = reader.event(m.Failed, what="view bars")
        assert "Weight: 100,000 bars are too many to show, the most is 10,000" in failed.summary
        session.send(m.StepOnce(1))
        assert reader.event(m.Paused, step=1)
    finally:
        session.quit()
