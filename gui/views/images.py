"""Grids of pictures: filters, activations, samples. As large as fit, crisp, one composed image per group."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt
from PySide6.QtGui import QAction, QColor, QFontMetricsF, QImage, QPainter, QPaintEvent, QPen, QResizeEvent

from engine.payloads import Array, ImageGroup, ImagesData, Pick
from gui import theme
from gui.format import number, position
from gui.views.base import ViewWidget
from gui.views.card import HoverCard
from gui.views.parts import CHIP_HEIGHT, Chip, ChipRow, faded, paint_tag, small
from gui.views.picture_layout import Grid, Room
from gui.views.pixels import coloured, enlarged, reduced, tiled, to_image
from gui.views.shared import Scales

LOUPE = 112  # the side of the enlarged picture


class ImagesView(ViewWidget):
    """Hovering enlarges a picture and reads its pixels; arrow keys move a selection, Enter or a click picks."""

    def __init__(self, description: Any, *, probes: bool = False, edits: bool = False) -> None:
        super().__init__(description, probes=probes, edits=edits)
        self.aspect = 2.0 if description.columns >= 8 else 1.0
        self.tab = 0
        self.selected: tuple[int, int] | None = None  # group, picture
        self._hovered: tuple[int, int, int, int] | None = None  # group, picture, row and column of the pixel
        self._told = False  # the keyboard's selection is enlarged too
        self._card: HoverCard | None = None
        self._grids: list[Grid] = []
        self._left_out = 0
        self._planned: tuple[Any, ...] = ()
        self._counts: dict[str, int] = {}
        self._stale = True
        self.shared = QAction("One scale for all pictures", self)
        self.shared.setShortcut("U")
        self.shared.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        self.shared.setCheckable(True)
        self.shared.setChecked(description.shared)
        self.shared.toggled.connect(self._changed)
        self.shared.toggled.connect(self.rescaled)
        self.addAction(self.shared)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        self._tabs = ChipRow(self)
        self._tab_names: tuple[str, ...] = ()

    # ------------------------------------------------------------------ content

    def take(self, payload: ImagesData) -> None:
        names = tuple(group.name for group in payload.groups) if self.description.tabs else ()
        if names != self._tab_names:
            self._make_tabs(names)
        self._changed()

    def _make_tabs(self, names: tuple[str, ...]) -> None:
        kept = self._tab_names[self.tab] if self.tab < len(self._tab_names) else ""
        self._tab_names, self.tab = names, names.index(kept) if kept in names else 0
        chips = []
        for index, name in enumerate(names):
            chip = Chip(self._tabs, name, help=f"Show {name}", checkable=True)
            chip.clicked.connect(lambda _=False, index=index: self.show_tab(index))
            chips.append(chip)
        self._tabs.fill(chips if len(names) > 1 else [])
        self._mark_tab()

    def show_tab(self, index: int) -> None:
        """Show another group, where they are shown one at a time."""
        if self._tab_names:
            self.tab, self.selected, self._hovered = index % len(self._tab_names), None, None
            self._mark_tab()
            self._changed()
            self.rescaled.emit()
            self.tell_place()

    def _mark_tab(self) -> None:
        for index, chip in enumerate(self._tabs.chips):
            chip.setChecked(index == self.tab)
        self._tabs.arrange(0, 0, self.width())

    def clear(self) -> None:
        self.selected = self._hovered = None
        self._grids, self._planned, self._counts = [], (), {}
        self._make_tabs(())
        super().clear()
        self._tell()

    def reset_view(self) -> None:
        self.selected, self._hovered, self._told = None, None, False
        self.shared.setChecked(self.description.shared)
        self._tell()

    def empty_text(self) -> str:
        return super().empty_text() if self.payload is None else "None at the moment"

    def _changed(self) -> None:
        self._stale = True
        self._tell()

    def groups(self) -> list[tuple[int, ImageGroup]]:
        """The groups on view, with their places in the payload; those without pictures are left out."""
        if self.payload is None:
            return []
        groups = [(i, g) for i, g in enumerate(self.payload.groups) if len(g.pixels)]
        return [(i, g) for i, g in groups if i == self.tab] if self._tab_names else groups

    def csv_rows(self) -> list[list[str]]:
        groups = self.groups()
        if not groups:
            return []
        widest = max(g.pixels.shape[2] for _, g in groups)
        rows = [["group", "picture", "caption", "channel", "row", *(f"column {c}" for c in range(widest))]]
        for _, group in groups:
            channels = ("red", "green", "blue") if group.pixels.ndim == 4 else ("",)
            planes = group.pixels.reshape(*group.pixels.shape[:3], -1)
            for index, picture in enumerate(planes):
                caption = group.captions[index] if group.captions else ""
                for c, channel in enumerate(channels):
                    rows += [
                        [group.name, str(index), caption, channel, str(r), *(f"{v:.6g}" for v in row[:, c].tolist())]
                        for r, row in enumerate(picture)
                    ]
        return rows

    def scales(self) -> Scales:
        return {group.name: self._own_range(group)[1:] for _, group in self.groups()}

    def share_scales(self, scales: Scales) -> None:
        super().share_scales(scales)
        self._stale = True

    def place(self) -> Any:
        return self.tab, self.shared.isChecked(), self._hovered, self.selected

    def point(self, place: Any) -> None:
        tab, shared, hovered, selected = place
        if tab != self.tab:
            self.show_tab(tab)
        self.shared.setChecked(shared)
        self._hovered = hovered if hovered and self.area_of(*hovered[:2]) else None
        self.selected = selected if selected and self.area_of(*selected) else None
        self._tell()

    def _range(self, group: ImageGroup) -> tuple[str, Array | float, Array | float]:
        """The colour map of a group and its limits, the same in all runs that are compared."""
        name, low, high = self._own_range(group)
        joint, count = self.joint.get(group.name), len(group.pixels)
        if joint is not None and not np.ndim(joint[0]):
            low, high = joint
        elif joint is not None and len(joint[0]) >= count:
            low, high = joint[0][:count], joint[1][:count]
        return name, low, high

    def _own_range(self, group: ImageGroup) -> tuple[str, Array | float, Array | float]:
        """The colour map of a group and its limits: for the whole group, or (N, 1, 1) for each picture."""
        pixels = group.pixels
        name = "rgb" if pixels.ndim == 4 else self.description.colours.get(group.name, self.description.colour)
        if name == "rgb":
            return ("rgb", 0.0, 1.0) if pixels.ndim == 4 else ("grey", 0.0, 1.0)
        known = np.where(np.isfinite(pixels), pixels, np.nan)
        empty = np.isnan(known).all(axis=(1, 2), keepdims=True)
        known = np.where(empty, 0, known)
        low = np.nanmin(known, axis=(1, 2), keepdims=True)
        high = np.nanmax(known, axis=(1, 2), keepdims=True)
        if self.shared.isChecked():
            low, high = low.min(), high.max()
            if name == "grey" and low >= -1e-6 and high <= 1 + 1e-6:
                return name, 0.0, 1.0
        if name == "diverging":
            high = np.maximum(np.abs(low), np.abs(high))
            low = -high
        flat = high <= low
        return name, np.where(flat, low - 0.5, low), np.where(flat, high + 0.5, high)

    # ------------------------------------------------------------------ layout

    def _lay_out(self) -> None:
        """Place and compose every group. The plan is made anew only where shapes, captions or the room changed."""
        self._stale = False
        groups, ratio, font = [group for _, group in self.groups()], self.devicePixelRatioF(), small(self.font())
        top = (CHIP_HEIGHT + 4) if self._tabs.chips else 0
        room = (math.floor(self.width() * ratio), math.floor((self.height() - top) * ratio))
        counts = [self._kept(group) for group in groups]
        key = (room, ratio, font.key(), tuple(counts), tuple((g.name, g.pixels.shape, g.captions) for g in groups))
        if key != self._planned:
            self._planned, self._grids, self._left_out = key, [], 0
            if groups:
                space = Room(*room, ratio, QFontMetricsF(font), self.description.columns, not self._tab_names)
                self._grids, self._left_out = space.plan(groups, counts)
            for grid in self._grids:
                grid.top += round(top * ratio)
                grid.label_top = None if grid.label_top is None else grid.label_top + round(top * ratio)
        for grid, group in zip(self._grids, groups, strict=False):
            grid.group = group
            self._compose(grid)

    def _kept(self, group: ImageGroup) -> int:
        """For how many pictures room is kept: that of lately, so that a list that grows and shrinks does not jump."""
        before, now = self._counts.get(group.name, 0), len(group.pixels)
        self._counts[group.name] = before if before / 3 <= now <= before else now
        return self._counts[group.name]

    def _compose(self, grid: Grid) -> None:
        name, low, high = self._range(grid.group)
        pixels = grid.group.pixels[: grid.shown]
        if pixels.dtype == np.uint8:
            pixels = pixels.astype(np.float32) / 255 if name == "rgb" else pixels.astype(np.float32)
        if isinstance(low, np.ndarray) and low.ndim:
            low, high = low[: grid.shown], np.asarray(high)[: grid.shown]
        words = coloured(reduced(pixels, grid.height, grid.width), name, low, high)
        grid.image = tiled(enlarged(words, grid.height, grid.width), grid.columns, (grid.down, grid.across))
        grid.image.setDevicePixelRatio(self.devicePixelRatioF())

    # ------------------------------------------------------------------ painting

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        if not self.groups():
            self.paint_empty(painter)
            painter.end()
            return
        if self._stale:
            self._lay_out()
        painter.setFont(small(self.font()))
        look, ratio = theme.current(), self.devicePixelRatioF()
        metrics = QFontMetricsF(painter.font())
        for grid in self._grids:
            if grid.image is None:
                continue
            painter.drawImage(QPointF(grid.left / ratio, grid.top / ratio), grid.image)
            painter.setPen(QColor(look.muted))
            if grid.label_top is not None:
                painter.drawText(QPointF(grid.left / ratio, grid.label_top / ratio + metrics.ascent()), grid.group.name)
            if grid.caption:
                self._paint_captions(painter, grid, metrics, ratio)
        if self._left_out:
            text = f"… {self._left_out:,} more"
            area = QRectF(0, self.height() - metrics.height(), self.width(), metrics.height())
            side, first = Qt.AlignmentFlag.AlignHCenter, self._grids[0].label_top if self._grids else None
            if first is not None and self._low() > area.top() + 2:  # no room below: beside the first group's name
                area.moveTop(first / ratio)
                side = Qt.AlignmentFlag.AlignRight
            painter.setPen(QColor(look.muted))
            painter.drawText(area, side | Qt.AlignmentFlag.AlignVCenter, text)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_marks(painter)
        painter.end()

    def _low(self) -> float:
        """Where the lowest picture ends."""
        ends = (grid.place(grid.shown - 1)[1] + grid.height for grid in self._grids if grid.shown)
        return max(ends, default=0) / self.devicePixelRatioF()

    def _paint_captions(self, painter: QPainter, grid: Grid, metrics: QFontMetricsF, ratio: float) -> None:
        width = grid.across / ratio - 2
        for index in range(max(0, grid.shown - grid.columns) if grid.foot else 0, grid.shown):
            left, top = grid.place(index)
            text = metrics.elidedText(grid.group.captions[index], Qt.TextElideMode.ElideRight, width)
            x = left / ratio + (grid.width / ratio - metrics.horizontalAdvance(text)) / 2
            painter.drawText(QPointF(x, (top + grid.height) / ratio + metrics.ascent()), text)

    def _paint_marks(self, painter: QPainter) -> None:
        """A ring around the selected picture, a thinner one around that under the pointer, and its enlargement."""
        look = theme.current()
        if self.selected is not None and (area := self.area_of(*self.selected)):
            painter.setPen(QPen(QColor(look.accent), 2))
            painter.drawRoundedRect(area.adjusted(-1, -1, 1, 1), 3, 3)
        told = self._hovered or ((*self.selected, -1, -1) if self._told and self.selected else None)
        area = self.area_of(told[0], told[1]) if told else None
        if told is None or area is None:
            return
        if self._hovered:
            painter.setPen(QPen(QColor(look.text), 1.2))
            painter.drawRoundedRect(area.adjusted(-0.5, -0.5, 0.5, 0.5), 2, 2)
        if self._hovered and area.width() >= LOUPE:  # large enough without a loupe: the pixel is framed in its place
            rows, columns = self.payload.groups[told[0]].pixels.shape[1:3]
            wide, high = area.width() / columns, area.height() / rows
            painter.setPen(QPen(QColor("#ffffff"), 1.4))
            painter.drawRect(QRectF(area.left() + told[3] * wide, area.top() + told[2] * high, wide, high))
        if self._hovered and self.following:
            paint_tag(painter, area.center(), self.rect(), self.lines_about(*self._hovered)[:1])

    def _tell(self) -> None:
        """Repaint, and bring the card beside the picture under the pointer, or that chosen by keys, up to date."""
        self.update()
        told = self._hovered or ((*self.selected, -1, -1) if self._told and self.selected else None)
        shows = self.payload is not None and self.isVisible() and not self.following  # the pointer is in another run
        area = self.area_of(told[0], told[1]) if told and shows else None
        if told is not None and area is not None:
            self._card = HoverCard.of(self)
            self._card.tell(self, area, self.lines_about(*told), self.loupe(*told) if area.width() < LOUPE else None)
        elif self._card is not None:
            self._card.drop(self)
            self._card = None

    def lines_about(self, group_index: int, index: int, row: int, column: int) -> list[str]:
        """What the card beside a picture says; row -1 speaks of the whole picture."""
        group = self.payload.groups[group_index]
        picture = group.pixels[index]
        lines = []
        if row >= 0:
            value = picture[row, column]
            text = ", ".join(number(v) for v in value.tolist()) if np.ndim(value) else number(float(value))
            lines.append(text)
        elif np.isfinite(picture).any():
            finite = picture[np.isfinite(picture)]
            lines.append(f"{number(float(finite.min()))} to {number(float(finite.max()))}")
        if group.captions and group.captions[index]:
            lines.append(group.captions[index])
        if not (group.captions and group.captions[index]):
            lines.append(f"picture {index + 1}")
        if group.name and len(self.payload.groups) > 1:
            lines.append(group.name)
        if row >= 0:
            shown = picture.shape[:2]
            high, wide = group.size or shown
            lines.append(f"row {position(row, shown[0], high)}, column {position(column, shown[1], wide)}")
        return lines

    def loupe(self, group_index: int, index: int, row: int, column: int) -> QImage:
        """The picture enlarged, in a square, the pixel under the pointer framed."""
        group, ratio = self.payload.groups[group_index], self.devicePixelRatioF()
        name, low, high = self._range(group)
        if isinstance(low, np.ndarray) and low.ndim:
            low, high = low[index], np.asarray(high)[index]
        picture = group.pixels[index].astype(np.float32)
        if group.pixels.dtype == np.uint8 and name == "rgb":
            picture = picture / 255
        rows, columns = picture.shape[:2]
        side = round(LOUPE * ratio)
        height, width = (max(1, round(side * n / max(rows, columns))) for n in (rows, columns))
        words = coloured(reduced(picture[None], height, width), name, low, high)
        image = QImage(side, side, QImage.Format.Format_ARGB32_Premultiplied)
        image.fill(Qt.GlobalColor.transparent)
        left, top = (side - width) // 2, (side - height) // 2
        painter = QPainter(image)
        painter.drawImage(left, top, to_image(enlarged(words, height, width)[0]))
        if row >= 0 and width / columns >= 3:
            cell = QRectF(left + column * width / columns, top + row * height / rows, width / columns, height / rows)
            painter.setPen(QPen(faded("#000000", 0.8), 3))
            painter.drawRect(cell)
            painter.setPen(QPen(QColor("#ffffff"), 1.4))
            painter.drawRect(cell)
        painter.end()
        image.setDevicePixelRatio(ratio)
        return image

    # ------------------------------------------------------------------ mouse and keys

    def area_of(self, group_index: int, index: int) -> QRectF | None:
        """Where a picture lies, None if it is not on view."""
        if self._stale:
            self._lay_out()
        ratio = self.devicePixelRatioF()
        for (place, _), grid in zip(self.groups(), self._grids, strict=False):
            if place == group_index and index < grid.shown:
                left, top = grid.place(index)
                return QRectF(left / ratio, top / ratio, grid.width / ratio, grid.height / ratio)
        return None

    def picture_at(self, at: QPointF) -> tuple[int, int, int, int] | None:
        """Group, picture, row and column of the pixel at a place."""
        if self._stale:
            self._lay_out()
        ratio = self.devicePixelRatioF()
        for (place, group), grid in zip(self.groups(), self._grids, strict=False):
            x, y = at.x() * ratio - grid.left, at.y() * ratio - grid.top
            column, row = math.floor(x / grid.across), math.floor(y / grid.down)
            x, y = x - column * grid.across, y - row * grid.down
            index = row * grid.columns + column
            inside = 0 <= column < grid.columns and row >= 0 and index < grid.shown
            if inside and x < grid.width and y < grid.height:
                rows, columns = group.pixels.shape[1:3]
                return place, index, int(y * rows / grid.height), int(x * columns / grid.width)
        return None

    def mouseMoveEvent(self, event: Any) -> None:
        found = self.picture_at(event.position())
        if found != self._hovered:
            self._hovered, self._told = found, False
            self._tell()

    def leaveEvent(self, event: QEvent) -> None:
        self._hovered = None
        self._tell()

    def mousePressEvent(self, event: Any) -> None:
        found = self.picture_at(event.position())
        if event.button() != Qt.MouseButton.LeftButton or found is None:
            super().mousePressEvent(event)
            return
        self.selected = found[:2] if self.probes or self.edits else None
        self._pick(*found[:2])
        self._tell()

    def _pick(self, group_index: int, index: int) -> None:
        if self.probes or self.edits:
            self.gesture.emit(Pick(index, self.payload.groups[group_index].name), not self.probes)

    def keyPressEvent(self, event: Any) -> None:
        key, steps = (
            event.key(),
            {
                Qt.Key.Key_Left: (-1, 0),
                Qt.Key.Key_Right: (1, 0),
                Qt.Key.Key_Up: (0, -1),
                Qt.Key.Key_Down: (0, 1),
            },
        )
        if key in steps and self._grids:
            self._walk(*steps[key])
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.selected is not None:
            self._pick(*self.selected)
        elif key == Qt.Key.Key_Escape and self.selected is not None:
            self.selected, self._told = None, False
            self._tell()
        elif key in (Qt.Key.Key_PageUp, Qt.Key.Key_PageDown) and len(self._tab_names) > 1:
            self.show_tab(self.tab + (1 if key == Qt.Key.Key_PageDown else -1))
        else:
            super().keyPressEvent(event)

    def _walk(self, right: int, down: int) -> None:
        """Move the selection; at the edge of a group it goes on into the next one."""
        places = [place for place, _ in self.groups()][: len(self._grids)]
        if self.selected is None or self.selected[0] not in places:
            self.selected = places[0], 0
        else:
            at = places.index(self.selected[0])
            grid, index = self._grids[at], self.selected[1]
            moved = index + right + down * grid.columns
            if 0 <= moved < grid.shown:
                self.selected = places[at], moved
            elif moved < 0 and at > 0:
                self.selected = places[at - 1], self._grids[at - 1].shown - 1
            elif moved >= grid.shown and at + 1 < len(places):
                self.selected = places[at + 1], 0
        self._told, self._hovered = True, None
        self._tell()

    def focusOutEvent(self, event: Any) -> None:
        self._told = False
        self._tell()

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._tabs.arrange(0, 0, self.width())
        self._stale = True

    def changeEvent(self, event: QEvent) -> None:
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.DevicePixelRatioChange):
            self._stale = True
        super().changeEvent(event)
