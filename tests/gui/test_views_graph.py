"""Graphs of a computation: where everything lies, what is told, picked, dragged, typed."""

from __future__ import annotations

import math
from itertools import combinations

import pytest
from PySide6.QtCore import QPoint, QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QFont, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from view_examples import GRAPH, KEY, click, colours, drag, graph_data, hover, shower

from engine.payloads import GraphData, GraphEdge, GraphNode, Pick, ValueEdit
from gui.views.graph_layout import Layout, Room

pytestmark = pytest.mark.usefixtures("qapp")
SIZES = [(320, 240), (560, 330), (1200, 700)]
W1 = 4  # the node of the weight, and the first edge in graph_data


@pytest.fixture
def show(qtbot):
    return shower(qtbot)


def dense_graph(inputs=3, hidden=3):
    nodes = [GraphNode(f"x{i}", f"x{i}", "input", "0.1") for i in range(inputs)]
    nodes += [GraphNode(f"h{i}", f"h{i}", value="0.123", below="∂ 0.5") for i in range(hidden)]
    edges = [
        GraphEdge(f"x{i}", f"h{j}", f"{i - j}.25", "-0.031", name=f"w{i}{j}", number=i - j + 0.25)
        for i in range(inputs)
        for j in range(hidden)
    ]
    columns = (tuple(f"x{i}" for i in range(inputs)), tuple(f"h{i}" for i in range(hidden)))
    return GraphData(tuple(nodes), tuple(edges), columns)


def skip_graph():
    nodes = tuple(GraphNode(name, name) for name in "abcde")
    pairs = ("ab", "bc", "cd", "ad", "de", "be")
    edges = tuple(GraphEdge(*pair, forward="64×56×56", backward="64×56×56") for pair in pairs)
    return GraphData(nodes, edges, tuple((name,) for name in "abcde"))


def laid(data, size):
    room = Room(QFont("DejaVu Sans"))
    room.take_all(data)
    return Layout(data, room, QSizeF(*size))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("make", [graph_data, dense_graph, skip_graph, lambda: dense_graph(6, 6)])
def test_nothing_covers_anything(make, size):
    layout = laid(make(), size)
    boxes = [*layout.boxes.values(), *(told.box for told in layout.told)]
    for one, other in combinations(boxes, 2):
        assert not one.intersects(other)
    for box in boxes:
        assert QRectF(QPointF(-1, -1), layout.size + QSizeF(2, 2)).contains(box)
    assert layout.size.width() * layout.shrink == pytest.approx(size[0])
    for index, edge in enumerate(layout.data.edges):  # no edge passes through a node that is not its end
        for x, y in layout.samples[index].tolist():
            for name, box in layout.boxes.items():
                if name not in (edge.source, edge.target):
                    assert not box.contains(QPointF(x, y))


def test_every_text_is_told_where_there_is_room():
    for data in (graph_data(), skip_graph(), dense_graph(2, 2)):
        layout = laid(data, (1200, 700))
        texts = sum(bool(edge.forward) + bool(edge.backward) for edge in data.edges)
        assert len(layout.told) == texts
        for told in layout.told:
            middle = layout.samples[told.edge]
            near = middle[abs(middle[:, 0] - told.box.center().x()).argmin()]
            assert (told.box.center().y() < near[1]) == (told.what == "forward")


def test_fonts_follow_the_size():
    fonts = [laid(graph_data(), size).font * laid(graph_data(), size).shrink for size in ((200, 140), *SIZES)]
    assert fonts == sorted(fonts)
    assert fonts[-1] > 1.5 * fonts[0]


def test_nothing_moves_as_numbers_change(show):
    view = show(GRAPH, graph_data(-1.234))
    before = dict(view.layout_.boxes)
    for value in (0.5, -0.333, 1.0, 0.001):
        view.show_payload(GRAPH.pack(graph_data(value)), 2)
        assert view.layout_.boxes == before
    assert view.layout_.data is view.payload


def test_hovering_tells_everything(show):
    view = show(GRAPH, graph_data())
    hover(view, view.to_view(view.layout_.boxes["z"].center()))
    assert view.hints[-1] == "× = 0.4 · ∂ 0.2"
    hover(view, view.to_view(view.layout_.told[0].box.center()))
    assert view.hints[-1].startswith("x → × · forward 0.8 · backward")
    hover(view, (1, 1))
    assert view.at == -1
    assert "× = 0.4" in view.accessibleDescription()


def test_a_click_picks(show):
    view = show(GRAPH, graph_data())
    click(view, view.to_view(view.layout_.boxes["z"].center()))
    assert view.sent == [(Pick(2, text="z"), False)]
    click(view, view.to_view(view.layout_.spot(W1 + 1)))
    assert view.sent[-1] == (Pick(W1 + 1, text="w to z"), False)


@pytest.mark.parametrize(("probes", "edits"), [(True, False), (False, True), (True, True)])
def test_a_drag_changes_a_number_at_once(show, probes, edits):
    view = show(GRAPH, graph_data(), probes=probes, edits=edits)
    at = view.to_view(view.layout_.boxes["w"].center())
    drag(view, at, at - QPointF(0, 10), at - QPointF(0, 30))
    values = [gesture.value for gesture, _ in view.sent]
    assert all(isinstance(gesture, ValueEdit) and gesture.name == "w" for gesture, _ in view.sent)
    assert values == sorted(values)
    assert values[-1] == pytest.approx(0.5 + 30 * 0.01)
    assert {edit for _, edit in view.sent} == {edits}


def test_the_weight_of_an_edge_is_dragged(show):
    view = show(GRAPH, dense_graph(), edits=True)
    at = view.to_view(next(told.box for told in view.layout_.told if told.edge == 0).center())
    drag(view, at, at + QPointF(0, 20))
    assert view.sent[-1][0] == ValueEdit("w00", pytest.approx(0.05))


def test_typing_a_number(show):
    view = show(GRAPH, graph_data(), edits=True)
    QTest.mouseDClick(view, Qt.MouseButton.LeftButton, pos=view.layout_.boxes["w"].center().toPoint())
    assert view.editor.isVisible()
    QTest.keyClicks(view.editor.number, "2.5")
    QTest.keyClick(view.editor.number, KEY.Key_Return)
    assert view.sent[-1] == (ValueEdit("w", 2.5), True)
    assert not view.editor.isVisible()


def test_escape_sends_nothing_more(show):
    view = show(GRAPH, graph_data(), edits=True)
    view._open_editor(1)
    view.editor.slider.sliderMoved.emit(1000)
    QTest.keyClick(view.editor.number, KEY.Key_Escape)
    assert [gesture.value for gesture, _ in view.sent] == [3.0]


def test_keys_walk_and_type(show):
    view = show(GRAPH, graph_data(), edits=True)
    view.setFocus()
    QTest.keyClick(view, KEY.Key_Tab)
    assert view.payload.nodes[view.at].name == "x"
    QTest.keyClick(view, KEY.Key_Tab)
    assert view.payload.nodes[view.at].name == "w"
    QTest.keyClick(view, KEY.Key_Backtab)
    assert view.payload.nodes[view.at].name == "x"
    QTest.keyClick(view, KEY.Key_Right)
    assert view.payload.nodes[view.at].name == "z"
    QTest.keyClick(view, KEY.Key_Return)
    assert view.sent[-1] == (Pick(2, text="z"), False)
    QTest.keyClick(view, KEY.Key_Down)
    QTest.keyClick(view, KEY.Key_Left)
    assert view.payload.nodes[view.at].name == "w"
    QTest.keyClick(view, KEY.Key_Return)
    assert view.editor.isVisible()
    QTest.keyClick(view.editor.number, KEY.Key_Escape)
    QTest.keyClick(view, KEY.Key_Escape)
    assert view.at == -1


def test_tab_leaves_after_the_last_number(show):
    view = show(GRAPH, graph_data(), edits=True)
    view.setFocus()
    numbers = [index for index in range(view._count()) if view.editable(index)]
    for _ in numbers:
        assert view.focusNextPrevChild(True)
    assert view.at == numbers[-1]
    view.focusNextPrevChild(True)
    assert view.at == -1


def test_zoom_pan_and_reset(show):
    view = show(GRAPH, graph_data())
    at = QPointF(200, 150)
    place = view.to_scene(at)
    wheel = QWheelEvent(
        at,
        view.mapToGlobal(at),
        QPoint(),
        QPoint(0, 240),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view, wheel)
    assert view.zoom > 1.3
    assert view.to_scene(at).x() == pytest.approx(place.x())
    view.reset_view()
    drag(view, (5, 5), (25, 35))
    assert view.offset == QPointF(20, 30)
    assert view.sent == []
    QTest.mouseDClick(view, Qt.MouseButton.LeftButton, pos=QPoint(3, 3))
    assert view.offset == QPointF(0, 0)
    QTest.keyClick(view, KEY.Key_Plus)
    assert view.zoom == 1.25


def test_what_has_just_flowed_is_shown(show, qtbot):
    view = show(GRAPH, graph_data())
    calm = view.grab().toImage()
    view.show_payload(GRAPH.pack(graph_data(lit="backward")), 2)
    qtbot.waitUntil(lambda: view.flow.state() == view.flow.State.Stopped)
    assert view.grab().toImage() != calm
    backward = view.grab().toImage()
    view.show_payload(GRAPH.pack(graph_data(lit="forward")), 3)
    assert view.flow.state() == view.flow.State.Running
    qtbot.waitUntil(lambda: view.flow.state() == view.flow.State.Stopped)
    assert view.grab().toImage() != backward


def test_runs_that_are_compared_share_edges_and_pointer(show):
    one, other = show(GRAPH, dense_graph()), show(GRAPH, dense_graph(), edits=True)
    assert one.scales() == {"edges": (0.0, 2.25)}
    before = one.grab().toImage()
    one.share_scales({"edges": (0.0, 10.0)})
    assert one.grab().toImage() != before
    told = []
    other.pointed.connect(told.append)
    hover(other, other.layout_.boxes["h1"].center())
    other._zoom(2, QPointF(9, 9))
    one.follow(other.place())
    assert told
    assert (one.at, one.zoom, one.offset) == (other.at, 2, other.offset)
    assert one.hints[-1] == other.hints[-1]
    small = show(GRAPH, graph_data())
    small.follow((99, 1.0, (0.0, 0.0)))
    assert small.at == -1


def test_another_graph_begins_afresh(show):
    view = show(GRAPH, graph_data())
    view._zoom(2, QPointF(1, 1))
    view.show_payload(GRAPH.pack(dense_graph()), 2)
    assert view.zoom == 1
    assert set(view.layout_.boxes) == {node.name for node in dense_graph().nodes}
    view.clear()
    assert view.layout_ is None
    assert view.csv_rows() == []
    assert view.empty_text()


def test_odd_numbers_and_empty_graphs(show):
    nodes = (GraphNode("a", "a", number=math.nan), GraphNode("b", "b", number=math.inf))
    odd = GraphData(nodes, (GraphEdge("a", "b", number=math.nan, name="w"),), (("a",), ("b",)))
    view = show(GRAPH, odd, edits=True)
    assert colours(view) > 5
    view._open_editor(0)
    assert view.editor.number.value() == 0
    show(GRAPH, GraphData((), (), ()))


def test_csv(show):
    rows = show(GRAPH, graph_data()).csv_rows()
    assert rows[2] == ["weight", "w", "0.5", "", "0.5"]
    assert rows[W1 + 1][:3] == ["x -> z", "x to z", "0.8"]


def test_the_words_about_what_is_pointed_at_follow_its_number(show):
    view = show(GRAPH, graph_data(0.5), edits=True)
    hover(view, view.to_view(view.layout_.boxes["w"].center()))
    assert view.hints[-1].startswith("w₁ = 0.5")
    view.show_payload(GRAPH.pack(graph_data(-1.25)), 2)  # dragged, or learned
    assert view.hints[-1].startswith("w₁ = -1.25")
    hover(view, (1, 1))
    view.show_payload(GRAPH.pack(graph_data(3.0)), 3)
    assert view.hints[-1] == ""
