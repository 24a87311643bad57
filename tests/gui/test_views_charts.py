"""What all of curves, pictures, heatmaps, bars and tables have in common: sizes, themes, keyboard, export."""

from __future__ import annotations

import numpy as np
import pytest
from chart_examples import (
    a_history,
    a_table,
    bars,
    curves,
    heatmap,
    images,
    picture,
    pixels_of,
    shown,
)
from PySide6.QtCore import QPoint, QSize, Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QWidget

from engine.payloads import HeatmapData, ImageGroup, ImagesData
from engine.views import Bars, Curves, Heatmap, Images, Table
from gui import export, style
from gui.views import make_view
from gui.views.bars import BarsView
from gui.views.curves import CurvesView, Flag
from gui.views.heatmap import HeatmapView
from gui.views.images import ImagesView
from gui.views.table import TableView

SIZES = ((160, 100), (120, 80), (360, 300), (900, 600), (200, 700))


def every_view() -> list[QWidget]:
    rng = np.random.default_rng(0)
    words = ("The", "law", "will", "never", "be", "perfect", ",", "but", "its", "application", "is", "just")
    n = len(words)
    flagged = curves(a_history(), best="low", unit="nats")
    flagged.set_flags([Flag(300, "a knob")])
    return [
        flagged,
        images({"filters": rng.normal(size=(6, 5, 5)), "maps": rng.random((20, 24, 24))}, colour="viridis"),
        images(ImagesData((ImageGroup("a", rng.random((5, 30, 20, 3)), tuple("a long caption" for _ in range(5))),))),
        heatmap(HeatmapData(rng.random((8, n, n)), words, words), row_axis="from", column_axis="to", numbers=True),
        heatmap(rng.normal(size=(3, 50)), colour="diverging"),
        bars(rng.random(10), 3, 4),
        bars(rng.normal(size=4), low=None, unit="points"),
        a_table(),
    ]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("look", ["dark", "light"])
def test_every_view_at_every_size_in_both_themes(qtbot, application, size, look):
    for view in every_view():
        shown(qtbot, view, *size)
        before = picture(view)
        style.apply(application, look)
        assert picture(view).size() == before.size()
        assert len(np.unique(pixels_of(picture(view)).reshape(-1, 3), axis=0)) > 3
        if isinstance(view, CurvesView | BarsView | TableView):  # pictures alone look alike in both
            assert (picture(view) == before) == (look == "dark")
        style.apply(application, "dark")


def test_every_view_is_reached_by_keyboard_and_says_what_it_is(qtbot):
    for view in every_view():
        shown(qtbot, view)
        assert view.accessibleName()
        assert view.accessibleDescription()
        assert view.focusPolicy() == Qt.FocusPolicy.StrongFocus
        assert view.minimumSizeHint().width() <= 160
        for key in (Qt.Key.Key_Right, Qt.Key.Key_Down, Qt.Key.Key_Return, Qt.Key.Key_Escape, Qt.Key.Key_Home):
            qtbot.keyClick(view, key)
        picture(view)
        view.reset_view()
        view.clear()
        assert view.csv_rows() == []
        picture(view)
        qtbot.keyClick(view, Qt.Key.Key_Right)
        qtbot.mouseMove(view, QPoint(50, 50))
        qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=QPoint(50, 50))


def test_every_view_hands_out_numbers_and_a_picture(qtbot, tmp_path):
    for i, view in enumerate(every_view()):
        shown(qtbot, view)
        rows = view.csv_rows()
        assert len(rows) > 1
        assert {len(row) for row in rows} <= set(range(len(rows[0]) + 1))  # a smaller picture has shorter rows
        export.save_png(view, tmp_path / f"{i}.png")
        saved = QImage(str(tmp_path / f"{i}.png"))
        assert saved.size() == view.size() * 2
        if view.vector():
            export.save_svg(view, tmp_path / f"{i}.svg")
            drawing = (tmp_path / f"{i}.svg").read_text(encoding="utf-8")
            assert any(f"<{shape}" in drawing for shape in ("path", "polyline", "image"))
            assert "<text" in drawing


def test_vector_curves_are_lines_not_a_picture(qtbot, tmp_path):
    view = curves(a_history())
    shown(qtbot, view)
    export.save_svg(view, tmp_path / "curves.svg")
    drawing = (tmp_path / "curves.svg").read_text(encoding="utf-8")
    assert "<image" not in drawing
    assert drawing.count("<polyline") >= 2


def test_the_table_of_views_names_these():
    for description, kind in (
        (Curves("A", metrics=("loss",), help="h"), CurvesView),
        (Images("A", help="h"), ImagesView),
        (Heatmap("A", help="h"), HeatmapView),
        (Bars("A", help="h"), BarsView),
        (Table("A", help="h"), TableView),
    ):
        view = make_view(description, probes=True)
        assert type(view) is kind
        assert view.probes
        assert view.sizeHint() == QSize(320, 240)
        view.deleteLater()
