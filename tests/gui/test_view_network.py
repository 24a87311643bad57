"""Networks: how edges are drawn, named and edited."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QTextDocument
from PySide6.QtTest import QTest
from view_examples import KEY, NETWORK, click, hover, network_data, shower

from engine.bounds import ViewError
from engine.payloads import (
    NetworkData,
    UnitPick,
    WeightEdit,
)
from engine.views import Network
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


def test_the_slider_edits_live_and_escape_sends_nothing_more(show):
    view = show(NETWORK, network_data(), edits=True)
    click(view, view.layout_.path(0, 0, 1).pointAtPercent(0.15))
    view.editor.slider.sliderMoved.emit(500)
    assert view.sent[-1] == (WeightEdit(0, 0, 1, pytest.approx(view.editor.reach / 2, abs=1e-3)), True)
    view.editor.slider.sliderMoved.emit(700)  # so soon that it waits
    QTest.keyClick(view.editor.number, KEY.Key_Escape)
    assert len(view.sent) == 1


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


def elided(**more):
    """8 of 100 inputs, 3 hidden units, 2 outputs."""
    data = network_data((8, 3, 2), **more)
    return dataclasses.replace(data, sizes=(100, 3, 2))


def test_units_left_out_leave_a_gap_in_the_middle(show):
    whole, part = show(NETWORK, network_data((8, 3, 2))).layout_, show(NETWORK, elided()).layout_
    assert whole.gaps == {}
    assert list(part.gaps) == [0]
    steps = np.diff(part.y[0])
    assert steps[3] == pytest.approx(2 * steps[0])  # between the fourth and the fifth
    assert np.delete(steps, 3) == pytest.approx(steps[0])
    assert part.gaps[0].y() == pytest.approx((part.y[0][3] + part.y[0][4]) / 2)
    assert part.gaps[0].x() == part.x[0]
    assert part.unit_at(part.gaps[0]) is None


def test_dots_stand_in_the_gap(show):
    view = show(NETWORK, elided())
    image = view.grab().toImage()
    at = view.layout_.gaps[0]
    assert image.pixelColor(at.toPoint()).lightness() != image.pixelColor(3, 3).lightness()


def test_of_units_left_out_the_equation_makes_no_sum(show):
    values = (np.ones(8), np.array([0.5, 0.25, 0.125]), np.array([0.75, 0.25]))
    view = show(NETWORK, elided(values=values))
    document = QTextDocument()
    document.setHtml(view.equation(1, 1))
    first, second = document.toPlainText().split("\n")
    assert first.endswith("+ … 94 more)")
    assert second == "= 0.25"


def test_more_units_listed_than_there_are_is_an_error():
    with pytest.raises(ViewError, match="cannot be of layers"):
        NETWORK.pack(dataclasses.replace(network_data(), sizes=(1, 3, 1)))
    with pytest.raises(ViewError, match="cannot be of layers"):
        NETWORK.pack(dataclasses.replace(network_data(), sizes=(2, 3)))


def test_a_softmax_is_called_by_its_name(show):
    data = network_data((2, 3, 3))
    hidden = np.array([0.2, -0.4, 0.9])
    z = data.weights[1] @ hidden + data.biases[1]
    data = dataclasses.replace(data, values=(np.zeros(2), hidden, np.exp(z) / np.exp(z).sum()))
    document = QTextDocument()
    document.setHtml(show(NETWORK, data).equation(2, 1))
    assert document.toPlainText().startswith("y2 = softmax(")


FLOW = Network("Flow", help="", colour="grey", flow=True)


def test_an_edge_shows_what_flows_along_it(show):
    values = (np.array([0.0, 2.0]), np.array([1.0, 0.5, 0.0]), np.array([1.0]))
    data = network_data(values=values)
    view = show(FLOW, data)
    edges = view.edges
    shown = {}
    for layer, row, column, strength in zip(edges.layer, edges.row, edges.column, edges.strength, strict=True):
        shown[layer, row, column] = strength
    most = np.abs(data.weights[0][:, 1] * 2).max()
    for row in range(3):
        assert shown[0, row, 0] == 0  # a silent unit brings nothing
        assert shown[0, row, 1] == pytest.approx(data.weights[0][row, 1] * 2 / most)
    assert max(abs(shown[1, 0, column]) for column in range(3)) == pytest.approx(1)  # each layer by itself
    hover(view, view.layout_.path(0, 2, 1).pointAtPercent(0.8))
    assert "brings" in view.hints[-1]


def test_active_units_are_bright_and_silent_ones_dark(show):
    values = (np.array([0.0, 1.0]), np.array([0.5, 0.0, 0.25]), np.array([1.0]))
    view = show(FLOW, network_data(values=values))
    image = view.grab().toImage()

    def light(layer, unit):
        return image.pixelColor((view.layout_.box(layer, unit).topLeft() + QPointF(6, 6)).toPoint()).lightness()

    assert light(0, 0) == light(1, 1) == 0
    assert light(0, 1) == light(2, 0) == 255
    assert 120 < light(1, 0) < 135  # the scale goes up to 1 even where no unit is fully active


def test_among_many_edges_weak_ones_are_fainter():
    few = strongest((np.ones((10, 10)),), 1.0)
    many = strongest((np.ones((30, 30)),), 1.0)
    assert many.opacity(0.1) < few.opacity(0.1) / 2
    assert many.thickness(0.1) < few.thickness(0.1)


def test_the_answer_is_written_in_bold(show):
    plain, told = (show(NETWORK, network_data((2, 3, 4), chosen=chosen)) for chosen in (None, 2))
    assert plain.grab().toImage() != told.grab().toImage()


def flowing(*inputs):
    return network_data(values=(np.array(inputs), np.array([1.0, 1.0, 1.0]), np.array([1.0])), chosen=0)


def test_another_sample_runs_through_from_left_to_right(show):
    view = show(FLOW, flowing(1.0, 0.0))
    assert view.sweep.state() == view.sweep.State.Stopped
    view.show_payload(FLOW.pack(flowing(0.0, 1.0)), 2)
    assert view.sweep.state() == view.sweep.State.Running
    whole = []
    for share, lit in ((0.4, [True, False, False]), (0.6, [True, True, False])):
        view.sweep.setCurrentTime(round(share * view.sweep.duration()))
        image = view.grab().toImage()
        places = [view.layout_.box(layer, n).topLeft() + QPointF(6, 6) for layer, n in ((0, 1), (1, 0), (2, 0))]
        assert [image.pixelColor(place.toPoint()).lightness() > 200 for place in places] == lit
        whole.append(image)
    view.sweep.setCurrentTime(view.sweep.duration())
    assert view.sweep.state() == view.sweep.State.Stopped
    image = view.grab().toImage()
    assert all(image.pixelColor(place.toPoint()).lightness() > 200 for place in places)
    assert image not in whole


@pytest.mark.parametrize("inputs", [(1.0, 0.0), (0.95, 0.1)])
def test_training_and_a_small_stroke_start_nothing(show, inputs):
    view = show(FLOW, flowing(1.0, 0.0))
    view.show_payload(FLOW.pack(flowing(*inputs)), 2)
    assert view.sweep.state() == view.sweep.State.Stopped


def test_without_flow_nothing_runs(show):
    view = show(NETWORK, flowing(1.0, 0.0))
    view.show_payload(NETWORK.pack(flowing(0.0, 1.0)), 2)
    assert view.sweep.state() == view.sweep.State.Stopped


def test_a_diverged_network_is_still_drawn(show):
    nan, inf = float("nan"), float("inf")
    values = (np.array([0.0, inf]), np.array([nan, -inf, 1e38]), np.array([nan]))
    data = dataclasses.replace(flowing(1.0, 0.0), values=values, weights=(np.full((3, 2), inf), np.full((1, 3), -1e38)))
    view = show(FLOW, data)
    view.show_payload(FLOW.pack(flowing(0.0, 1.0)), 2)
    view.show_payload(FLOW.pack(data), 3)
    assert not view.grab().isNull()
    tall = show(FLOW, dataclasses.replace(data, thumbnails=None), size=(600, 30))  # neurons as dots
    assert not tall.grab().isNull()


def test_the_words_about_an_edge_follow_its_weight(show):
    data = network_data()
    view = show(NETWORK, data)
    hover(view, view.layout_.path(0, 0, 1).pointAtPercent(0.15))
    before = view.hints[-1]
    weights = (data.weights[0] + 1.0, *data.weights[1:])
    view.show_payload(NETWORK.pack(dataclasses.replace(data, weights=weights)), 2)
    assert view.hints[-1] != before
    assert view.hints[-1].startswith("w = ")


def test_an_answer_with_bounds_has_the_colour_of_its_value(show):
    """A probability of 0.1 and one of 1 do not look alike."""

    def colour_of(answer):
        data = network_data(values=(np.zeros(2), np.zeros(3), np.array([answer])), answers=(0.0, 1.0))
        view = show(NETWORK, data)
        box = view.layout_.box(2, 0)
        return view.grab().toImage().pixelColor(round(box.left() + 4), round(box.center().y()))

    low, middle, high = (colour_of(answer) for answer in (0.1, 0.5, 0.98))
    assert low.blue() > low.red() + 60
    assert high.red() > high.blue() + 60
    assert min(middle.red(), middle.green(), middle.blue()) > 200
