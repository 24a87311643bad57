"""The same view of several runs in one panel, each with its letter: of equal size, on one scale, with one pointer."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QLabel, QWidget

from gui.views.base import ViewWidget
from gui.views.shared import Scales, alike, common

GUTTER = 15  # pixels for the letter
GAP = 8
ROWS = {2: (2, 1), 3: (3, 2, 1), 4: (4, 2, 1)}  # how many of so many may stand in a row


class SideBySide(QWidget):
    """Holds them all, A first; the panel takes that one out again."""

    def __init__(self, views: Mapping[str, ViewWidget]) -> None:
        super().__init__()
        self.views = dict(views)
        self._letters = [QLabel(letter, self) for letter in views]
        self._scales: dict[ViewWidget, Scales] = {}
        first = views["A"]
        for label, view in zip(self._letters, views.values(), strict=True):
            label.setProperty("role", "panel-title")
            label.setAlignment(Qt.AlignmentFlag.AlignTop)
            view.setParent(self)
            view.setAccessibleName(f"{view.description.title}, {label.text()}")
            if view is not first:
                view.follow(first.place())
            view.pointed.connect(partial(self._pointed, view))
            view.rescaled.connect(partial(self.shown, view))
            view.show()
            self._scales[view] = view.scales()

    def part(self) -> None:
        """The panel takes the first one out: it is alone again, on its own scale."""
        for view in self.views.values():
            view.pointed.disconnect()
            view.rescaled.disconnect()
        first = self.views["A"]
        first.following = False
        first.setAccessibleName(first.description.title)
        first.share_scales({})

    def shown(self, view: ViewWidget) -> None:
        """A view shows something else: all are to have the range that holds what each of them shows."""
        self._scales[view] = view.scales()
        shared = common(self._scales.values())
        for each in self.views.values():
            if not alike(shared, each.joint):
                each.share_scales(shared)

    def _pointed(self, view: ViewWidget, place: object) -> None:
        for each in self.views.values():
            if each is not view:
                each.follow(place)

    @property
    def columns(self) -> int:
        """How many stand beside each other: as leaves each of them largest, in a row rather than below one another."""
        count = len(self.views)

        def side(columns: int) -> float:
            wide, high = self.width() / columns - GUTTER - GAP, self.height() / -(-count // columns) - GAP
            return min(wide / self.views["A"].aspect, high)

        return max(ROWS[count], key=side)

    def resizeEvent(self, event: QResizeEvent) -> None:
        columns = self.columns
        rows = -(-len(self.views) // columns)
        wide = (self.width() - GAP * (columns - 1)) // columns
        high = (self.height() - GAP * (rows - 1)) // rows
        for place, (label, view) in enumerate(zip(self._letters, self.views.values(), strict=True)):
            row, column = divmod(place, columns)
            x, y = column * (wide + GAP), row * (high + GAP)
            label.setGeometry(x, y, GUTTER, 18)
            view.setGeometry(x + GUTTER, y, max(0, wide - GUTTER), high)
