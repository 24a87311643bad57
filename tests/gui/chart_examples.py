"""Curves, pictures, heatmaps, bars and tables with something to show, and how to look at what they drew."""

from __future__ import annotations

import csv
import io

import numpy as np
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QImage, QWheelEvent
from PySide6.QtWidgets import QApplication, QWidget

from engine.payloads import BarsData, TableData
from engine.recorder import MetricHistory
from engine.views import Bars, Curves, Heatmap, Images, Table
from gui.views.bars import BarsView
from gui.views.curves import CurvesView
from gui.views.heatmap import HeatmapView
from gui.views.images import ImagesView
from gui.views.table import TableView


def shown(qtbot, view: QWidget, width: int = 360, height: int = 300) -> QImage:
    """Show a view at a size; returns what it looks like."""
    qtbot.addWidget(view)
    view.resize(width, height)
    view.show()
    qtbot.waitExposed(view)
    return picture(view)


def picture(view: QWidget) -> QImage:
    return view.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)


def pixels_of(image: QImage) -> np.ndarray:
    """(H, W, 3) bytes."""
    raw = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine() // 4, 4)
    return raw[:, : image.width(), 2::-1]


def count_near(image: QImage, colour: str, within: int = 24) -> int:
    """How many pixels have about that colour."""
    wanted = np.array(QColor(colour).getRgb()[:3])
    return int((np.abs(pixels_of(image).astype(int) - wanted).max(axis=2) <= within).sum())


def wheel(view: QWidget, at: QPointF, notches: int, modifiers=Qt.KeyboardModifier.NoModifier) -> None:
    event = QWheelEvent(
        at,
        view.mapToGlobal(at),
        QPoint(),
        QPoint(0, 120 * notches),
        Qt.MouseButton.NoButton,
        modifiers,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view, event)


def as_csv(rows: list[list[str]]) -> list[dict[str, str]]:
    """Rows as a reader of the file gets them."""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    text.seek(0)
    return list(csv.DictReader(text))


def a_history(count: int = 1000) -> MetricHistory:
    history, steps = MetricHistory(), np.arange(1, count + 1)
    history.append("train loss", steps, 2 * np.exp(-steps / count * 4) + 0.1)
    history.append("validation loss", steps[::10], 2 * np.exp(-steps[::10] / count * 3) + 0.2)
    return history


def curves(history: MetricHistory | None = None, **options) -> CurvesView:
    options = {"metrics": ("train loss", "validation loss"), "help": "Loss"} | options
    view = CurvesView(Curves("Loss", **options))
    if history is not None:
        span = history.span()
        view.show_metrics(history, span[1] if span else 0)
    return view


def images(payload, *, probes: bool = False, **options) -> ImagesView:
    description = Images("Pictures", **({"help": "Pictures"} | options))
    view = ImagesView(description, probes=probes)
    view.show_payload(description.pack(payload), 1)
    return view


def heatmap(payload, *, probes: bool = False, **options) -> HeatmapView:
    description = Heatmap("Matrix", **({"help": "Matrix"} | options))
    view = HeatmapView(description, probes=probes)
    view.show_payload(description.pack(payload), 1)
    return view


def bars(values, target=None, chosen=None, *, labels=(), probes: bool = False, **options) -> BarsView:
    description = Bars("Bars", **({"help": "Bars"} | options))
    view = BarsView(description, probes=probes)
    names = labels or tuple(f"class {i}" for i in range(len(values)))
    view.show_payload(description.pack(BarsData(tuple(names), np.array(values), target, chosen)), 1)
    return view


TABLE = TableData(
    ("Model", "Accuracy", "Parameters"),
    (("LeNet", "98.7 %", "61,706"), ("ResNet", "99.4 %", "1.2 M"), ("MLP", "97 %", "120,000")),
)


def a_table(*, probes: bool = False) -> TableView:
    view = TableView(Table("Results", help="Results"), probes=probes)
    view.show_payload(TABLE, 1)
    return view
