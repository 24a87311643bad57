"""What is averaged to fit a screen still tells, and picks, the rows and columns that there really are."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from engine.payloads import CellPick
from engine.views import SIDE, Heatmap, Images
from gui.views.heatmap import HeatmapView
from gui.views.images import ImagesView


def test_a_large_heatmap(qtbot: QtBot) -> None:
    description = Heatmap("Large", help="")
    view = HeatmapView(description, probes=True)
    qtbot.addWidget(view)
    view.resize(500, 400)
    view.show()
    view.show_payload(description.pack(np.zeros((3 * SIDE, 10))), 1)
    assert view.told(5, 4) == "0\nrow: 15–17\ncolumn: 4"
    with qtbot.waitSignal(view.gesture) as picked:
        qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=view.cell_area(SIDE // 2, 4).center().toPoint())
    gesture = picked.args[0]
    assert isinstance(gesture, CellPick)
    assert gesture.column == 4
    assert abs(gesture.row - 3 * SIDE // 2) < 30


def test_a_large_picture(qtbot: QtBot) -> None:
    description = Images("Large", help="")
    view = ImagesView(description)
    qtbot.addWidget(view)
    view.show_payload(description.pack(np.zeros((1, 2 * SIDE, 20))), 1)
    assert "row 20–21, column 7" in view.lines_about(0, 0, 10, 7)
