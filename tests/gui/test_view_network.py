"""Networks: how edges are drawn, named and edited."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QTextDocument
from PySide6.QtTest import QTest
from view_examples import KEY, NETWORK, click, hover, network_data, shower

from engine.payloads import (
    NetworkData,
    UnitPick,
    WeightEdit,
)
from gui.views.network_paint import MOST_EDGES, Layout, mixtures, strongest


@pytest.fixture
def show(qtbot):
    return shower(qtbot)


def test_edges_are_summed_as_they_would_be_stroked():
    """The picture of all edges against QPainter's own strokes of the same curves."""
    layout = Layout((3, 4, 2), QRectF(0, 0, 300, 200))
    rng = np.random.default_rng(1)
    edges = strongest((np.abs(rng.normal(size=(4, 3))), np.abs(rng.normal(size=(2, 4)))), 2.0)
    white = np.array([255, 255, 255])
    picture = layout.paint_edges(edges, mixtures(white, white), 1.0).convertToFormat(QImage.Format.Format_ARGB32)
    stroked = QImage(300, 200, QImage.Format.Format_ARGB32)
    stroked.fill(Qt.GlobalColor.transparent)
    painter = QPainter(stroked)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    columns = (edges.layer, edges.row, edges.column, edges.strength)
    for layer, row, column, strength in zip(*columns, strict=True):
        pen = painter.pen()
        pen.setWidthF(0.35 + 4.2 * float(strength))
        tint = QColor("white")
        tint.setAlphaF(0.3 + 0.55 * float(strength))
        pen.setColor(tint)
        painter.setPen(pen)
        painter.drawPath(layout.path(int(layer), int(row), int(column)))
    painter.end()
    mine, theirs = (
        np.frombuffer(image.constBits(), np.uint8).reshape(200, 300, 4)[..., 3].astype(float)
        for image in (picture, stroked)
    )
    assert theirs.sum() > 1e5
    assert np.abs(mine - theirs).mean() < 4
    assert mine.sum() == pytest.approx(theirs.sum(), rel=0.08)  # where edges cross, sums and strokes differ


def test_the_strongest_edges_are_drawn():
    weights = np.arange(60 * 60, dtype=float).reshape(60, 60)
    edges = strongest((weights,), weights.max())
    assert edges.total == 3600
    assert len(edges.row) == MOST_EDGES
    assert np.abs(edges.strength).min() >= (3600 - MOST_EDGES) / 3600 - 1e-3


def test_hovering_an_edge_names_it(show):
    data = network_data()
    view = show(NETWORK, data)
    hover(view, view.layout_.path(0, 0, 1).pointAtPercent(0.15))
    assert view.edge == (0, 0, 1)
    assert view.hints[-1].startswith("w = ")
    assert "(from x2 to h1)" in view.hints[-1]


def test_an_edge_is_edited_by_click_and_enter(show):
    view = show(NETWORK, network_data(), edits=True)
    click(view, view.layout_.path(0, 0, 1).pointAtPercent(0.15))
    assert view.editor.isVisible()
    assert view.rect().contains(view.editor.geometry())
    QTest.keyClicks(view.editor.number, "0.75")
    QTest.keyClick(view.editor.number, KEY.Key_Return)
    assert view.sent == [(WeightEdit(0, 0, 1, 0.75), True)]
    assert not view.editor.isVisible()


def test_escape_leaves_the_weight(show):
    view = show(NETWORK, network_data(), edits=True)
    click(view, view.layout_.path(0, 0, 1).pointAtPercent(0.15))
    QTest.keyClicks(view.editor.number, "9")
    QTest.keyClick(view.editor.number, KEY.Key_Escape)
    assert view.sent == []
    assert not view.editor.isVisible()


def test_the_slider_edits_live_and_escape_takes_it_back(show):
    view = show(NETWORK, network_data(), edits=True)
    old = float(view.payload.weights[0][0, 1])
    click(view, view.layout_.path(0, 0, 1).pointAtPercent(0.15))
    view.editor.slider.sliderMoved.emit(500)
    assert view.sent[-1] == (WeightEdit(0, 0, 1, pytest.approx(view.editor.reach / 2, abs=1e-3)), True)
    QTest.keyClick(view.editor.number, KEY.Key_Escape)
    assert view.sent[-1] == (WeightEdit(0, 0, 1, old), True)


def test_a_neuron_is_picked_and_its_bias_edited(show):
    view = show(NETWORK, network_data(), edits=True)
    box = view.layout_.box(1, 2)
    click(view, box.center())
    assert view.sent == [(UnitPick(1, 2), False)]
    click(view, box.bottomLeft() + QPointF(1, -1))
    QTest.keyClicks(view.editor.number, "-0.5")
    QTest.keyClick(view.editor.number, KEY.Key_Return)
    assert view.sent[-1] == (WeightEdit(0, 2, -1, -0.5), True)


def test_keys_reach_neurons_and_edges(show):
    view = show(NETWORK, network_data(), edits=True, probes=False)
    QTest.keyClick(view, KEY.Key_Down)
    QTest.keyClick(view, KEY.Key_Right)
    assert view.unit == (1, 0)
    QTest.keyClick(view, KEY.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    QTest.keyClick(view, KEY.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    assert view.edge == (0, 0, 1)
    QTest.keyClick(view, KEY.Key_Return)
    assert view.editor.isVisible()


def test_the_equation_has_the_live_numbers(show):
    data = NetworkData(
        (("x1", "x2"), ("y",)),
        (np.array([[3.0, -2.0]]),),
        (np.array([1.0]),),
        values=(np.array([-1.0, 2.0]), np.array([1 / (1 + math.exp(6))])),
    )
    view = show(NETWORK, data)
    document = QTextDocument()
    document.setHtml(view.equation(1, 0))
    assert document.toPlainText() == "y = sigmoid(1 + 3·x1 − 2·x2)\n= sigmoid(-6) = 0.00247"


def test_gradients_can_be_shown_instead(show):
    data = network_data(gradients=(np.ones((3, 2)), np.zeros((1, 3))))
    view = show(NETWORK, data)
    QTest.keyClick(view, KEY.Key_G)
    assert view.gradients.isChecked()
    assert sorted(np.abs(view.edges.strength).round(3)) == [0, 0, 0, 1, 1, 1, 1, 1, 1]
