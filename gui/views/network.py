"""Neurons and weights: a map per neuron, edges by size and sign, live equations, weights to edit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QImage, QPainter, QPen, QTextDocument

from engine.payloads import Array, NetworkData, UnitPick, WeightEdit
from gui import colour, theme
from gui.format import number
from gui.views.base import ViewWidget
from gui.views.equations import edge_text, equation, map_range
from gui.views.network_paint import Edges, Layout, carried, frame_of, heights, mixtures, strongest, value_range
from gui.views.network_sweep import Sweep
from gui.views.parts import Chip, Throttle, faded, image_of, is_vector, paint_focus, polygon, small
from gui.views.shared import Scales
from gui.views.weight_editor import WeightEditor

FEW_EDGES = 40  # are stroked one by one


class NetworkView(ViewWidget):
    """Shows NetworkData. A click on an edge or a neuron edits its weight or bias, where the lab takes edits."""

    def __init__(self, description: Any, *, probes: bool = False, edits: bool = False) -> None:
        super().__init__(description, probes=probes, edits=edits)
        self.scale = 0.0  # the weight whose edge is thickest
        self._own_scale = 0.0  # that of this run alone, where several are compared
        self.layout_: Layout | None = None
        self.edges: Edges | None = None
        self.unit: tuple[int, int] | None = None  # under the pointer or chosen by keys
        self.edge: tuple[int, int, int] | None = None
        self.editing: tuple[int, int, int] | None = None
        self._picture: QImage | None = None
        self._thumbnails: list[QImage | None] = []
        self._shown: tuple[Array, ...] = ()
        # the colours of positive and negative weights: those of the signed colour map
        rgb = colour.colourise(np.array([0.58, -0.6]), "diverging", -1, 1)
        self._signs = QColor(*map(int, rgb[0])), QColor(*map(int, rgb[1]))
        self._mixtures = mixtures(rgb[0], rgb[1])
        self.sweep, self._front = Sweep(self), math.inf
        self._sending = Throttle(self, self._send_value)
        self.gradients = Chip(self, "Gradients", checkable=True, help="Edges show d loss / d weight (G)")
        self.gradients.toggled.connect(self._toggle_gradients)
        self.gradients.hide()
        self.editor = WeightEditor(self)
        self.editor.moved.connect(self._sending.push)
        self.editor.closed.connect(self._close_editor)

    # --------------------------------------------------------------------------------------------- payload

    def take(self, payload: NetworkData) -> None:
        sizes = tuple(len(layer) for layer in payload.units)
        if self.layout_ is None or sizes != self.layout_.sizes:
            self.unit = self.edge = self.editing = None
            self.editor.hide()
            self._own_scale = 0.0
        self.gradients.setVisible(payload.gradients is not None and self.height() >= 120)
        self._weigh()
        self._arrange()
        self._draw_thumbnails()
        if self.description.flow:
            self.sweep.follow(payload.values)
        self.update()

    def clear(self) -> None:
        self.unit = self.edge = self.editing = None
        self._own_scale, self.layout_, self.edges, self._picture = 0.0, None, None, None
        self.editor.hide()
        self.gradients.hide()
        super().clear()

    def restyle(self) -> None:
        self._picture = None
        self._draw_thumbnails()
        super().restyle()

    def resizeEvent(self, event: Any) -> None:
        if self.payload is not None:
            self.gradients.setVisible(self.payload.gradients is not None and self.height() >= 120)
            self._arrange()
            self._draw_thumbnails()
        size = self.gradients.sizeHint()
        self.gradients.setGeometry(self.width() - size.width() - 4, 2, size.width(), size.height())

    def _toggle_gradients(self, _: bool) -> None:
        self._own_scale = 0.0
        if self.payload is not None:
            self._weigh()
        self.rescaled.emit()
        self.tell_place()
        self.update()

    def _weigh(self) -> None:
        """Choose the edges. The thickest follows the largest weight: at once when it grows, slowly when it shrinks."""
        data, with_gradients = self.payload, self.gradients.isChecked() and self.payload.gradients is not None
        flows = self.description.flow and data.values is not None and not with_gradients
        self._shown = data.gradients if with_gradients else data.weights
        self._shown = carried(self._shown, data.values) if flows else self._shown
        sizes = [np.abs(w[np.isfinite(w)]).max(initial=0.0) for w in self._shown]
        largest = float(max(sizes, default=0.0))
        self._own_scale = max(largest, self._own_scale * 0.95, 1e-12 if with_gradients else 0.3)
        self.scale = max(self._own_scale, self.joint.get("edges", (0.0, 0.0))[1])
        self.edges, self._picture = strongest(self._shown, self.scale), None

    def scales(self) -> Scales:
        if self.payload is None:
            return {}
        found: Scales = {"edges": (0.0, self._own_scale)}
        for layer, values in enumerate(self.payload.values or ()):
            found[f"values {layer}"] = self._own_range(layer, values)
        return found  # each neuron's map has its own scale, in one network as in several: it shows a shape

    def _own_range(self, layer: int, values: Array) -> tuple[float, float]:
        """What the colours of a layer span: of answers with bounds these, so that one colour means one answer."""
        bounds: tuple[float, float] | None = self.payload.answers
        if bounds is not None and layer == len(self.payload.units) - 1:
            return bounds
        return value_range(values, self.description.colour)

    def share_scales(self, scales: Scales) -> None:
        super().share_scales(scales)
        if self.payload is not None:
            self._weigh()

    def place(self) -> Any:
        return self.unit, self.edge, self.gradients.isChecked()

    def point(self, place: Any) -> None:
        unit, edge, gradients = place
        sizes = self.layout_.sizes if self.layout_ is not None else ()
        known = unit is not None and unit[0] < len(sizes) and unit[1] < sizes[unit[0]]
        linked = edge is not None and edge[0] + 1 < len(sizes)
        linked = linked and edge[1] < sizes[edge[0] + 1] and edge[2] < sizes[edge[0]]
        self.gradients.setChecked(gradients)
        self._point(unit if known else None, edge if linked else None)

    def _arrange(self) -> None:
        """Place the neurons, leaving room for the names at the sides and above."""
        data, metrics = self.payload, QFontMetricsF(small(self.font()))
        sides = []
        for names in (data.units[0], data.units[-1]):
            few = len(names) * metrics.height() <= self.height() - 24 and self.width() >= 160
            widest = max((metrics.horizontalAdvance(name) for name in names), default=0.0)
            sides.append(min(widest, self.width() * 0.2) + 8 if few and widest else 6.0)
        top = 8.0 + (metrics.height() if self._titled() else 0)
        area = QRectF(self.rect()).adjusted(sides[0], top, -sides[1], -6)
        if self._crowded():
            area.adjust(0, 0, 0, -metrics.height())
        self.layout_ = Layout(tuple(len(layer) for layer in data.units), area, data.sizes)
        self._named = sides[0] > 6, sides[1] > 6
        self._picture = None

    def _titled(self) -> bool:
        return (bool(self.payload.layer_names) or not self.gradients.isHidden()) and self.height() >= 120

    def _crowded(self) -> bool:
        return self.edges is not None and len(self.edges.row) < self.edges.total and self.height() >= 120

    def _draw_thumbnails(self) -> None:
        self._thumbnails = []
        if self.payload is None or self.payload.thumbnails is None or self.layout_ is None:
            return
        for layer, maps in enumerate(self.payload.thumbnails):
            # no more pixels than are shown
            wanted = self.layout_.side[layer] * self.devicePixelRatioF()
            stride = max(1, int(min(maps.shape[1:]) // max(wanted, 1))) if maps.ndim == 3 and maps.size else 1
            reduced = maps[:, ::stride, ::stride]
            if not reduced.size or self.layout_.dots(layer):
                self._thumbnails.append(None)
                continue
            # one picture per layer, its neurons below one another, each on its own scale: their shapes can be seen
            scaled = reduced / heights(reduced)[:, None, None]
            self._thumbnails.append(image_of(scaled.reshape(-1, reduced.shape[-1]), "diverging", -1, 1))

    # -------------------------------------------------------------------------------------------- painting

    def paintEvent(self, event: Any) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        if self.payload is None or self.layout_ is None or self.edges is None:
            self.paint_empty(painter)
            paint_focus(painter, self)
            return
        layout, edges = self.layout_, self.edges
        positive, negative = self._signs
        self._front = self.sweep.front(layout, painter)
        painter.setClipRect(QRectF(0, 0, min(self._front, self.width()), self.height()))
        if is_vector(painter) or len(edges.row) <= FEW_EDGES:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            columns = (edges.layer.tolist(), edges.row.tolist(), edges.column.tolist(), edges.strength.tolist())
            for layer, row, column, strength in zip(*columns, strict=True):
                tint = faded(positive if strength >= 0 else negative, edges.opacity(abs(strength)))
                painter.setPen(QPen(tint, edges.thickness(abs(strength))))
                painter.drawPath(layout.path(layer, row, column))
        else:
            if self._picture is None:
                self._picture = layout.paint_edges(edges, self._mixtures, self.devicePixelRatioF())
            painter.drawImage(layout.area.topLeft(), self._picture)
        painter.setClipping(False)
        if self.edge is not None:
            self._paint_chosen_edge(painter, layout, self.edge)
        for layer in range(len(layout.sizes)):
            self._paint_layer(painter, layout, layer)
        self._paint_names(painter, layout)
        if self.unit is not None and not self.editor.isVisible() and (self.width() >= 260 or not self.following):
            self._paint_card(painter, layout, *self.unit)
        paint_focus(painter, self)

    def _paint_chosen_edge(self, painter: QPainter, layout: Layout, edge: tuple[int, int, int]) -> None:
        layer, row, column = edge
        strength = float(np.nan_to_num(self._shown[layer][row, column])) / self.scale
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(theme.current().text), 3.4 + 4.2 * min(abs(strength), 1.0)))
        painter.drawPath(layout.path(*edge))
        painter.setPen(QPen(self._signs[strength < 0], 1.4 + 4.2 * min(abs(strength), 1.0)))
        painter.drawPath(layout.path(*edge))

    def _paint_layer(self, painter: QPainter, layout: Layout, layer: int) -> None:
        data, look = self.payload, theme.current()
        values = data.values[layer] if data.values is not None else None
        values = np.zeros_like(values) if values is not None and layout.x[layer] > self._front else values
        own = self._own_range(layer, values) if values is not None else (-1.0, 1.0)
        low, high = self.joint.get(f"values {layer}", own)
        if layer in layout.gaps:
            layout.paint_gap(painter, layer, QColor(look.text))
        if layout.dots(layer):
            places = np.stack([np.full(layout.sizes[layer], layout.x[layer]), layout.y[layer]], axis=1)
            shades = (
                np.zeros(len(places)) if values is None else (np.nan_to_num(values.astype(float)) - low) / (high - low)
            )
            shades = (shades.clip(0, 1) * 8).round() / 8  # nine colours, each drawn in one call
            for shade in np.unique(shades):
                tint = QColor(*map(int, colour.colourise(np.array(shade), self.description.colour, 0, 1)))
                pen = QPen(tint if values is not None else QColor(look.muted), layout.side[layer])
                pen.setCapStyle(Qt.PenCapStyle.RoundCap)
                painter.setPen(pen)
                painter.drawPoints(polygon(places[shades == shade]))
            return
        maps = self._thumbnails[layer] if layer < len(self._thumbnails) else None
        tall = 0 if maps is None else maps.height() // layout.sizes[layer]
        frame = frame_of(layout.side[layer], self.devicePixelRatioF(), look.panel, look.muted)
        painter.setFont(small(self.font(), 0.8))
        metrics = QFontMetricsF(painter.font())
        least = (
            metrics.horizontalAdvance("0.00") if values is not None else 0.0
        )  # some with and some without look broken
        for unit in range(layout.sizes[layer]):
            box = layout.box(layer, unit)
            chosen = self.unit == (layer, unit)
            painter.setPen(QPen(QColor(look.text if chosen else look.muted), 2.0 if chosen else 1.0))
            text, ink = "", QColor(look.text)
            if maps is not None and not chosen:
                painter.drawImage(box, maps, QRectF(0, unit * tall, maps.width(), tall))
                painter.drawImage(box.topLeft() - QPointF(1, 1), frame)
                self._paint_bias(painter, layer, unit, box)
                continue
            if maps is not None:
                painter.drawImage(box, maps, QRectF(0, unit * tall, maps.width(), tall))
                painter.setBrush(Qt.BrushStyle.NoBrush)
            elif values is not None:
                rgb = colour.colourise(values[unit : unit + 1], self.description.colour, low, high)[0]
                painter.setBrush(QColor(*map(int, rgb)))
                ink = QColor("#15171b" if rgb.mean() > 110 else "#ffffff")
                value = float(values[unit])
                text = number(float(f"{value:.2g}")) if self.description.colour == "diverging" else f"{value:.2f}"
            else:
                painter.setBrush(QColor(look.raised))
                text = data.units[layer][unit]
            painter.drawRoundedRect(box, 4, 4)
            if (
                text
                and max(metrics.horizontalAdvance(text), least) < box.width() - 2
                and metrics.height() < box.height() + 2
            ):
                painter.setPen(ink)
                painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
            self._paint_bias(painter, layer, unit, box)

    def _paint_bias(self, painter: QPainter, layer: int, unit: int, box: QRectF) -> None:
        """The bias as a dot at the corner: its sign by colour, its size by area."""
        if layer == 0 or box.width() < 14:
            return
        bias = float(self.payload.biases[layer - 1][unit])
        share = 0.3 if self.gradients.isChecked() else min(abs(bias) / self.scale, 1.0)
        radius = 2.0 + 1.8 * share if math.isfinite(share) else 2.0
        painter.setPen(QPen(QColor(theme.current().panel), 1))
        painter.setBrush(self._signs[bias < 0])
        painter.drawEllipse(box.bottomLeft() + QPointF(1, -1), radius, radius)

    def _paint_names(self, painter: QPainter, layout: Layout) -> None:
        data, look = self.payload, theme.current()
        painter.setFont(small(self.font()))
        metrics = QFontMetricsF(painter.font())
        bold = small(self.font())
        bold.setBold(True)
        elide = Qt.TextElideMode.ElideRight
        for layer, beside in ((0, self._named[0]), (len(layout.sizes) - 1, self._named[1])):
            if not beside or (layer == 0 and len(layout.sizes) == 1):
                continue
            for unit, name in enumerate(data.units[layer]):
                box = layout.box(layer, unit)
                room = box.left() - 4 if layer == 0 else self.width() - box.right() - 4
                text = metrics.elidedText(name, elide, room)
                x = box.left() - 5 - metrics.horizontalAdvance(text) if layer == 0 else box.right() + 5
                answer = layer > 0 and unit == data.chosen and layout.x[layer] <= self._front
                painter.setPen(QColor(look.text if answer else look.muted))
                painter.setFont(bold if answer else small(self.font()))
                painter.drawText(QPointF(x, box.center().y() + metrics.ascent() / 2 - 1), text)
        painter.setFont(small(self.font()))
        painter.setPen(QColor(look.muted))
        if self._titled():
            apart = float(min(np.diff(layout.x), default=self.width()))
            names = data.layer_names[: len(layout.sizes)]
            if max(map(metrics.horizontalAdvance, names), default=0) > apart - 6:  # "layer 1" becomes "1"
                names = tuple(name.removeprefix("layer ") for name in names)
            if max(map(metrics.horizontalAdvance, names), default=0) > apart - 2:
                names = ()
            end = self.gradients.x() - 4.0 if not self.gradients.isHidden() else self.width() - 2.0
            for layer, text in enumerate(names):
                width = metrics.horizontalAdvance(text)
                x = min(max(2.0, layout.x[layer] - width / 2), self.width() - 2 - width)
                if x + width <= end:
                    painter.drawText(QPointF(x, 3 + metrics.ascent()), text)
        if self._crowded() and self.edges is not None:
            shown, total = len(self.edges.row), self.edges.total
            text = f"the {shown:,} strongest of {total:,} weights"
            painter.drawText(QPointF((self.width() - metrics.horizontalAdvance(text)) / 2, self.height() - 5), text)

    # ------------------------------------------------------------------------------------------- equations

    def equation(self, layer: int, unit: int) -> str:
        """The neuron's equation with its live numbers, as rich text."""
        return equation(self.payload, layer, unit, self._signs)

    def range_of(self, layer: int, unit: int) -> str:
        """What the colours of a neuron's map mean: each has its own scale, symmetric about zero."""
        return map_range(self.payload.thumbnails[layer][unit])

    def _paint_card(self, painter: QPainter, layout: Layout, layer: int, unit: int) -> None:
        """The equation, and the neuron's map enlarged, beside it."""
        data, look, box = self.payload, theme.current(), layout.box(layer, unit)
        image = None
        if data.thumbnails is not None and data.thumbnails[layer].size and self.height() >= 200:
            maps = data.thumbnails[layer]
            high = float(heights(maps)[unit])
            image = image_of(maps[unit], "diverging", -high, high)
        side = min(110.0, self.height() * 0.33) if image is not None else 0.0
        document = QTextDocument()
        document.setDefaultFont(small(self.font(), 0.92))
        document.setDocumentMargin(0)
        told = f'<span style="color:{look.text}">{self.equation(layer, unit)}</span>'
        if image is not None:
            told += f'<br><span style="color:{look.muted}">{self.range_of(layer, unit)}</span>'
        document.setHtml(told)
        document.setTextWidth(min(self.width() - 24.0, max(document.idealWidth() + 1, side), 260.0))
        width = max(document.textWidth(), side) + 16
        height = document.size().height() + 14 + (side + 6 if image is not None else 0)
        x = box.right() + 10 if box.right() + 12 + width < self.width() else box.left() - 10 - width
        y = box.center().y() - height / 2
        if layout.sizes[layer] <= 3 and height + 10 < self.height() - box.bottom():  # below, where no edge is hidden
            x, y = box.center().x() - width / 2, box.bottom() + 8
        x = max(2.0, min(x, self.width() - width - 2))
        y = max(2.0, min(y, self.height() - height - 2))
        painter.setPen(QPen(QColor(look.border), 1))
        painter.setBrush(faded(look.raised, 0.97))
        painter.drawRoundedRect(QRectF(x, y, width, height), 6, 6)
        if image is not None:
            painter.drawImage(QRectF(x + 8, y + 8, side, side), image)
        painter.save()
        painter.translate(x + 8, y + 7 + (side + 6 if image is not None else 0))
        document.drawContents(painter)
        painter.restore()

    # ----------------------------------------------------------------------------------- mouse and keyboard

    def _point(self, unit: tuple[int, int] | None, edge: tuple[int, int, int] | None) -> None:
        if (unit, edge) != (self.unit, self.edge):
            self.unit, self.edge = unit, edge
            self.say(edge_text(self.payload, *edge, flow=self.description.flow) if edge is not None else "")
            self.update()

    def read_again(self) -> None:
        if self.edge is not None:
            self.say(edge_text(self.payload, *self.edge, flow=self.description.flow))

    def mouseMoveEvent(self, event: Any) -> None:
        if self.layout_ is None or self.edges is None or self.editor.isVisible():
            return
        unit, edge = self.layout_.unit_at(event.position()), None
        if unit is None and (index := self.layout_.edge_at(event.position(), self.edges)) >= 0:
            edges = self.edges
            edge = int(edges.layer[index]), int(edges.row[index]), int(edges.column[index])
        self._point(unit, edge)
        active = (edge is not None and self.edits) or (unit is not None and (self.probes or self.edits))
        self.setCursor(Qt.CursorShape.PointingHandCursor if active else Qt.CursorShape.ArrowCursor)

    def leaveEvent(self, event: Any) -> None:
        if not self.editor.isVisible():
            self._point(None, None)

    def mousePressEvent(self, event: Any) -> None:
        if self.editor.isVisible():
            self._close_editor(self.editor.number.value(), False)
        self.mouseMoveEvent(event)
        if event.button() != Qt.MouseButton.LeftButton or self.layout_ is None:
            return
        if self.unit is not None:
            layer, unit = self.unit
            corner = self.layout_.box(layer, unit).bottomLeft()
            on_bias = (event.position() - corner).manhattanLength() <= 8
            self._use_unit(on_bias, event.position())
        elif self.edge is not None and self.edits:
            self._open_editor(self.edge, event.position())

    def _use_unit(self, bias: bool, at: QPointF) -> None:
        """Edit the neuron's bias, or tell that it was picked."""
        assert self.unit is not None
        layer, unit = self.unit
        if self.edits and layer > 0 and (bias or not self.probes):
            self._open_editor((layer - 1, unit, -1), at)
        elif self.probes:
            self.send(UnitPick(layer, unit))

    def _opens_bias(self, event: Any) -> bool:
        """Whether a key opens the bias of the chosen neuron."""
        chosen = self.unit is not None and self.edits and self.unit[0] > 0
        return bool(chosen and event.key() == Qt.Key.Key_B and not event.modifiers())

    def event(self, event: Any) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and self._opens_bias(event):
            event.accept()  # this key is a shortcut of the window elsewhere
            return True
        return super().event(event)

    def keyPressEvent(self, event: Any) -> None:
        key, layout = event.key(), self.layout_
        if layout is None or self.payload is None:
            event.ignore()
            return
        steps = {Qt.Key.Key_Left: (-1, 0), Qt.Key.Key_Right: (1, 0), Qt.Key.Key_Up: (0, -1), Qt.Key.Key_Down: (0, 1)}
        if key in steps and event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self._next_edge(1 if key in (Qt.Key.Key_Down, Qt.Key.Key_Right) else -1)
        elif key in steps:
            layer, unit = self.unit or ((self.edge[0] + 1, self.edge[1]) if self.edge else (0, -1))
            layer = min(max(layer + steps[key][0], 0), len(layout.sizes) - 1)
            self._point((layer, min(max(unit + steps[key][1], 0), layout.sizes[layer] - 1)), None)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.unit is not None:
            self._use_unit(False, layout.box(*self.unit).bottomRight())
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.edge is not None and self.edits:
            self._open_editor(self.edge, layout.path(*self.edge).pointAtPercent(0.5))
        elif self.unit is not None and self._opens_bias(event):
            self._use_unit(True, layout.box(*self.unit).bottomRight())
        elif key == Qt.Key.Key_G and not self.gradients.isHidden():
            self.gradients.toggle()
        elif key == Qt.Key.Key_Escape and (self.unit or self.edge):
            self._point(None, None)
        else:
            event.ignore()

    def _next_edge(self, step: int) -> None:
        """Go through the edges that lead into the chosen neuron."""
        assert self.layout_ is not None
        if self.edge is not None:
            layer, row, column = self.edge
            self._point(None, (layer, row, (column + step) % self.layout_.sizes[layer]))
        elif self.unit is not None and self.unit[0] > 0:
            self._point(None, (self.unit[0] - 1, self.unit[1], 0))

    # ---------------------------------------------------------------------------------------------- editing

    def _open_editor(self, target: tuple[int, int, int], at: QPointF) -> None:
        layer, row, column = target
        data = self.payload
        bias = column < 0
        value = float(data.biases[layer][row] if bias else data.weights[layer][row, column])
        self.editing = target
        name = data.units[layer + 1][row]
        self.editor.open(f"bias of {name}" if bias else f"{data.units[layer][column]} → {name}", value, at)
        self.update()

    def _send_value(self, value: float) -> None:
        if self.editing is not None:
            self.send(WeightEdit(*self.editing, value), edit=True)

    def _close_editor(self, value: float, keep: bool) -> None:
        """Enter sends the value; Escape sends nothing (what the slider has sent is taken back by Undo)."""
        self._sending.drop()
        if keep:
            self._send_value(value)
        self.editing = None
        self.editor.hide()
        self.setFocus()
        self.update()

    # ---------------------------------------------------------------------------------------------- export

    def csv_rows(self) -> list[list[str]]:
        if self.payload is None:
            return []
        data, rows = self.payload, [["layer", "to", "from", "weight"]]
        for layer, (weights, biases) in enumerate(zip(data.weights, data.biases, strict=True)):
            for row, unit in enumerate(data.units[layer + 1]):
                rows.append([str(layer + 1), unit, "bias", str(float(biases[row]))])
                names = zip(data.units[layer], weights[row].tolist(), strict=True)
                rows += [[str(layer + 1), unit, source, str(weight)] for source, weight in names]
        return rows

    def vector(self) -> bool:
        return True
