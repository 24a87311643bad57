"""Example payloads for the tests of views over the plane, networks, canvas, filmstrip, text; mouse and keys."""

from __future__ import annotations

import math

import numpy as np
import ziamath  # noqa: F401  here, since its import warns, and the typesetter's thread has it in the midst of a test
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest

from engine import views
from engine.diagrams import Formula, Graph, Lines, Numbers, Surface
from engine.payloads import (
    CanvasData,
    FieldData,
    FilmRow,
    FilmstripData,
    FormulaData,
    FormulaLine,
    GraphData,
    GraphEdge,
    GraphNode,
    Grid,
    Line,
    LinesData,
    NetworkData,
    NumbersData,
    PointsData,
    SurfaceData,
    TextData,
)
from gui.views import make_view

LEFT = Qt.MouseButton.LeftButton
KEY = Qt.Key
NAN, INF = math.nan, math.inf


def shower(qtbot):
    """Make the view of a description, show it with a payload, collect its gestures in view.sent."""

    def make(description, value=None, *, probes=True, edits=False, size=(600, 400)):
        view = make_view(description, probes=probes, edits=edits)
        qtbot.addWidget(view)
        view.sent = []
        view.gesture.connect(lambda gesture, edit: view.sent.append((gesture, edit)))
        view.hints = []
        view.hint.connect(view.hints.append)
        view.resize(*size)
        view.show()
        view.setFocus()
        if value is not None:
            view.show_payload(description.pack(value), 1)
        view.repaint()
        return view

    return make


def click(view, place, button=LEFT, modifier=Qt.KeyboardModifier.NoModifier):
    QTest.mouseClick(view, button, modifier, as_point(place))


def as_point(place):
    return place.toPoint() if isinstance(place, QPointF) else QPoint(round(place[0]), round(place[1]))


def drag(view, *places, button=LEFT):
    first, *rest = [as_point(place) for place in places]
    QTest.mousePress(view, button, Qt.KeyboardModifier.NoModifier, first)
    for place in rest:
        QTest.mouseMove(view, place)
    QTest.mouseRelease(view, button, Qt.KeyboardModifier.NoModifier, rest[-1])


def hover(view, place):
    QTest.mouseMove(view, as_point(place))


def colours(view):
    """How many different colours a view shows: one means that nothing is drawn."""
    image = view.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    return len(np.unique(np.frombuffer(image.constBits(), np.uint32)))


POINTS = views.Points("Codes", help="h", x_axis="z1", y_axis="z2")
FIELD = views.Field("Surface", help="h", level=0.0, draws=("blue", "orange"))
NETWORK = views.Network("Network", help="h")
CANVAS = views.Canvas("Draw", help="h", size=28)
FILM = views.Filmstrip("Denoising", help="h")
TEXT = views.Text("Text", help="h")
LINES = Lines("Lines", help="h")
FORMULA = Formula("Formula", help="h")
GRAPH = Graph("Graph", help="h")


def points_data(count=60, **more):
    rng = np.random.default_rng(0)
    return PointsData(rng.normal(size=(count, 2)), rng.integers(0, 3, count), ("a", "b", "c"), **more)


def field_data(**more):
    x, y = np.meshgrid(np.linspace(-1, 1, 40), np.linspace(1, -1, 40))
    return FieldData(x + 0.5 * y, (-1, 1, -1, 1), **more)


def network_data(sizes=(2, 3, 1), **more):
    rng = np.random.default_rng(0)
    units = (
        tuple(f"x{i + 1}" for i in range(sizes[0])),
        *[tuple(f"h{i + 1}" for i in range(n)) for n in sizes[1:-1]],
        tuple(f"y{i + 1}" for i in range(sizes[-1])),
    )
    pairs = list(zip(sizes[1:], sizes[:-1], strict=True))
    return NetworkData(
        units, tuple(rng.normal(size=p) for p in pairs), tuple(rng.normal(size=n) for n, _ in pairs), "tanh", **more
    )


def film_data(frames=20, labelled=True):
    rng = np.random.default_rng(0)
    rows = (
        FilmRow("pictures", pixels=rng.random((frames, 8, 8))),
        FilmRow("cloud", points=rng.random((frames, 50, 2))),
    )
    return FilmstripData(rows, tuple(f"t = {t}" for t in range(frames)) if labelled else ())


def text_data(text="The cat sat on the mat.\nAnd then it left. ", chosen=None):
    probabilities = np.linspace(0, 1, len(text))
    probabilities[:4] = NAN
    alternatives = tuple(((letter, 0.6), ("q", 0.3), ("\n", 0.1)) for letter in text)
    return TextData(tuple(text), probabilities, alternatives, chosen)


def graph_data(w=0.5, lit=""):
    """x and w multiplied give z, from which the loss comes."""
    nodes = (
        GraphNode("x", "x", "input", "0.8", number=0.8),
        GraphNode("w", "w₁", "weight", f"{w:.3g}", number=w),
        GraphNode("z", "×", value="0.4", below="∂ 0.2", lit=bool(lit)),
        GraphNode("J", "J(W)", "loss", "0.08"),
    )
    edges = (
        GraphEdge("x", "z", "0.8", "0.5 · 0.2 = 0.1", name="x to z"),
        GraphEdge("w", "z", f"{w:.3g}", "0.8 · 0.2 = 0.16", lit, name="w to z"),
        GraphEdge("z", "J", "0.4", "0.2"),
    )
    return GraphData(nodes, edges, (("x", "w"), ("z",), ("J",)))


def lines_data(**more):
    x = np.linspace(-1, 1, 100)
    lines = (
        Line("mean", x, np.sin(3 * x), lower=np.sin(3 * x) - 0.3, upper=np.sin(3 * x) + 0.3),
        Line("truth", x, np.where(np.abs(x) < 0.1, NAN, x), "dashed"),
        Line("bound", x, x**3, "dotted"),
        *[Line("samples", x, np.sin(3 * x + k), "faint") for k in range(5)],
    )
    return LinesData(lines, **more)


EXAMPLES = {
    "points": (POINTS, points_data(hollow=np.arange(60) % 2 == 0, ringed=np.arange(60) % 9 == 0, cursor=(0.0, 0.0))),
    "values": (POINTS, PointsData(np.eye(2), values=np.array([-1.0, 1.0]))),
    "paths": (
        POINTS,
        PointsData(np.zeros((0, 2)), paths=(np.random.default_rng(0).normal(size=(300, 2)),), path_names=("SGD",)),
    ),
    "backdrop": (POINTS, points_data(backdrop=np.ones((9, 9, 3)) * 0.5, extent=(-2, 2, -2, 2))),
    "field": (FIELD, field_data(points=points_data(), arrows=np.array([[0, 0, 0.3, 0.3], [NAN, 0, 1, 1]]))),
    "shares": (FIELD, field_data(shares=np.full((3, 40, 40), 1 / 3))),
    "network": (NETWORK, network_data((2, 8, 8, 1), layer_names=("in", "one", "two", "out"))),
    "wide network": (NETWORK, network_data((64, 64, 64, 10))),
    "canvas": (CANVAS, CanvasData(np.random.default_rng(0).random((28, 28)), "a seven")),
    "film": (FILM, film_data()),
    "text": (TEXT, text_data()),
    "graph": (GRAPH, graph_data()),
    "lines": (
        Lines("Lines", help="h", x_axis="x", y_axis="height"),
        lines_data(points=points_data(), cursor=0.3, spans=((0.5, 2.0, "far"),), marks=((0.0, "here"), (0.1, "there"))),
    ),
    "formula": (
        FORMULA,
        FormulaData((FormulaLine(r"y = \sigma(w x + b)", "= 0.73", "one unit"), FormulaLine("x", "= 1", lit=True))),
    ),
    "logarithmic lines": (
        Lines("Lines", help="h", log_x=True, log_y=True),
        LinesData((Line("loss", np.geomspace(1, 1e6, 50), np.geomspace(10, 0.1, 50)),)),
    ),
    "surface": (
        Surface("Loss", help="h"),
        SurfaceData(field_data().values ** 2, (-1, 1, -1, 1), (np.array([[-0.9, 0.9], [0.1, 0.2]]),), ("SGD",)),
    ),
    "numbers": (
        Numbers("Product", help="h"),
        NumbersData((Grid("A", np.eye(3)), Grid("B", np.ones((3, 2)), "(3, 2)", "×"))),
    ),
}

ODD = {
    "no lines": (LINES, LinesData(())),
    "empty lines": (Lines("Lines", help="h", draws=True), LinesData((Line("", np.zeros(0), np.zeros(0)),))),
    "odd lines": (
        LINES,
        LinesData(
            (
                Line("a", np.array([NAN, 0.0, INF, 1.0]), np.array([1.0, NAN, 2.0, INF])),
                Line("back", np.array([1.0, 0.0, 0.5]), np.array([1e300, -1e300, 0.0])),
                Line("one", np.array([2.0]), np.array([3.0]), "dotted", np.array([NAN]), np.array([INF])),
            ),
            PointsData(np.array([[NAN, 1.0], [0.0, INF]]), values=np.array([NAN, INF])),
            cursor=NAN,
            spans=((NAN, 1.0, "x"), (-INF, INF, "all")),
            marks=((INF, "far"), (0.0, "")),
        ),
    ),
    "no formula": (FORMULA, FormulaData(())),
    "odd formulas": (
        FORMULA,
        FormulaData(
            (
                FormulaLine(""),
                FormulaLine("\\frac{", "", lit=True),
                FormulaLine("", "1\n2\n" + "3" * 300, "n" * 300),
                FormulaLine("x + " * 80 + "y", "=", "wide"),
            )
        ),
    ),
    "no place for a logarithm": (
        Lines("Lines", help="h", log_x=True, log_y=True),
        LinesData((Line("f", np.array([-1.0, 0.0]), np.array([0.0, -1.0])),), cursor=0.0, marks=((0.0, "zero"),)),
    ),
    "no points": (POINTS, PointsData(np.zeros((0, 2)))),
    "one point": (POINTS, PointsData(np.array([[3.0, 3.0]]))),
    "no finite point": (POINTS, PointsData(np.array([[NAN, 1.0], [INF, -INF]]))),
    "odd points": (
        POINTS,
        PointsData(
            np.array([[NAN, 1.0], [0.0, INF], [1e30, -1e30], [0.0, 0.0]]),
            labels=np.array([-1, 0, 12, 1]),
            values=np.array([NAN, INF, -INF, 0.0]),
            paths=(np.array([[NAN, NAN]]), np.zeros((0, 2)), np.array([[0.0, 0.0], [NAN, 1.0], [1.0, 1.0]])),
            path_names=("a", "b", "c"),
            cursor=(NAN, INF),
        ),
    ),
    "flat field": (FIELD, FieldData(np.zeros((5, 5)), (0, 1, 0, 1))),
    "tiny field": (FIELD, FieldData(np.ones((1, 1)), (0, 1, 0, 1))),
    "odd field": (FIELD, FieldData(np.array([[NAN, INF], [-INF, 0.0]]), (0, 0, 0, 0), PointsData(np.zeros((0, 2))))),
    "odd network": (
        NETWORK,
        NetworkData(
            (("x",), ("y",)),
            (np.array([[NAN]]),),
            (np.array([INF]),),
            values=(np.array([NAN]), np.array([INF])),
            thumbnails=(np.full((1, 3, 3), NAN), np.full((1, 3, 3), INF)),
            gradients=(np.array([[-INF]]),),
        ),
    ),
    "empty layer": (NETWORK, NetworkData(((), ("y",)), (np.zeros((1, 0)),), (np.zeros(1),))),
    "odd canvas": (CANVAS, np.full((28, 28), NAN)),
    "no rows": (FILM, FilmstripData(())),
    "one frame": (FILM, FilmstripData((FilmRow("", np.zeros((1, 4, 4, 3))),))),
    "odd film": (
        FILM,
        FilmstripData((FilmRow("a", points=np.full((3, 2, 2), NAN)), FilmRow("b", np.full((3, 2, 2), INF)))),
    ),
    "no tokens": (TEXT, TextData((), np.zeros(0))),
    "odd tokens": (TEXT, TextData(("", "\n", "x" * 300, "\t", "🙂"), np.array([INF, -INF, 2.0, NAN, 0.5]), (), 9)),
}
