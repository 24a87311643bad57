"""View widgets, one file per kind. This table maps a description's kind to its widget; each is imported when needed."""

from __future__ import annotations

import importlib

from engine.views import Description
from gui.views.base import ViewWidget

WIDGETS = {
    "curves": "CurvesView",
    "images": "ImagesView",
    "heatmap": "HeatmapView",
    "points": "PointsView",
    "field": "FieldView",
    "network": "NetworkView",
    "bars": "BarsView",
    "canvas": "CanvasView",
    "filmstrip": "FilmstripView",
    "text": "TextView",
    "table": "TableView",
    "lines": "LinesView",
    "surface": "SurfaceView",
    "graph": "GraphView",
    "numbers": "NumbersView",
    "formula": "FormulaView",
}


def make_view(description: Description, *, probes: bool = False, edits: bool = False) -> ViewWidget:
    """The widget for a description: gui/views/<kind>.py holds the class named in the table."""
    module = importlib.import_module(f"gui.views.{description.kind}")
    widget: ViewWidget = getattr(module, WIDGETS[description.kind])(description, probes=probes, edits=edits)
    return widget
