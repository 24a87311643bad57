"""A computation as nodes and edges, with the numbers that flow forward and backward; numbers are dragged or typed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt, QVariantAnimation
from PySide6.QtGui import QColor, QPainter

from engine.payloads import GraphData, GraphEdge, GraphNode, Pick, ValueEdit
from gui import colour, theme
from gui.format import number
from gui.views.base import ViewWidget
from gui.views.graph_layout import Layout, Room
from gui.views.graph_paint import Inks, paint_edge, paint_node, paint_told
from gui.views.parts import Throttle, is_vector, paint_focus, paint_tag
from gui.views.shared import Scales
from gui.views.weight_editor import WeightEditor

FLOW = 180  # ms that what has just been lit takes to grow along its edge
STILL = 4  # pixels: less is a click, not a drag
KEY = Qt.Key


class GraphView(ViewWidget):
    """Shows GraphData. Elements are counted: first the nodes, then the edges."""

    def __init__(self, description: Any, *, probes: bool = False, edits: bool = False) -> None:
        super().__init__(description, probes=probes, edits=edits)
        self.layout_: Layout | None = None
        self.room: Room | None = None
        self.at = -1  # the element under the pointer or chosen by keys
        self.editing = -1
        self._own_strongest = 0.3  # the number whose edge is thickest, in this run alone
        self.zoom, self.offset = 1.0, QPointF()
        self._laid: Any = None  # what the layout was made for
        self._press: QPointF | None = None
        self._grabbed, self._dragging, self._panned = -1, False, QPointF()
        self._start = self._value = 0.0
        rgb = colour.colourise(np.array([0.58, -0.6]), "diverging", -1, 1)
        self._signs = QColor(*map(int, rgb[0])), QColor(*map(int, rgb[1]))
        self._sending = Throttle(self, self._send_value)
        self.flow = QVariantAnimation(self)
        self.flow.setDuration(FLOW)
        self.flow.setStartValue(0.0)
        self.flow.setEndValue(1.0)
        self.flow.valueChanged.connect(self._flowed)
        self.editor = WeightEditor(self)
        self.editor.moved.connect(self._sending.push)
        self.editor.closed.connect(self._close_editor)

    # --------------------------------------------------------------------------------------------- payload

    def take(self, payload: GraphData) -> None:
        structure = self._structure(payload)
        if self._laid is None or structure != self._laid[0]:
            self._forget()
            self.room = Room(self.font())
        previous = self._lit
        assert self.room is not None
        self.room.take_all(payload)
        largest = max(
            (abs(e.number) for e in payload.edges if e.number is not None and math.isfinite(e.number)), default=0
        )
        self._own_strongest = max(largest, self._own_strongest * 0.95, 0.3)
        self._arrange()
        self._lit = [edge.lit for edge in payload.edges]
        if any(now and now != before for now, before in zip(self._lit, previous, strict=False)):
            # a picture that follows at once, as in fast play, stands still
            calm = self.flow.state() != QVariantAnimation.State.Running and self.isVisible() and bool(previous)
            self.flow.stop()
            if calm:
                self.flow.start()
        values = "; ".join(self.told(element) for element in range(min(self._count(), 60)))
        self.setAccessibleDescription(f"{self.description.help} {values}")
        self.update()

    _lit: list[str] = []

    def _forget(self) -> None:
        self.at = self.editing = self._grabbed = -1
        self._press, self._dragging, self._laid, self.layout_ = None, False, None, None
        self._own_strongest, self.zoom, self.offset = 0.3, 1.0, QPointF()
        self._lit = []
        self.flow.stop()
        self.editor.hide()

    def clear(self) -> None:
        self._forget()
        super().clear()

    @staticmethod
    def _structure(data: GraphData) -> Any:
        nodes = tuple((node.name, node.kind) for node in data.nodes)
        return nodes, tuple((edge.source, edge.target) for edge in data.edges), data.columns

    def _arrange(self) -> None:
        if self.payload is None or self.room is None or not self.payload.nodes:
            return
        laid = (self._structure(self.payload), self.room.version, self.size())
        if laid != self._laid:
            self._laid = laid
            self.layout_ = Layout(self.payload, self.room, QSizeF(self.size()))
        elif self.layout_ is not None:
            self.layout_.data = self.payload

    def resizeEvent(self, event: Any) -> None:
        self._arrange()

    def restyle(self) -> None:
        if self.payload is not None:  # the font may be another one
            self.room, self._laid = Room(self.font()), None
            self.room.take_all(self.payload)
            self._arrange()
        super().restyle()

    def _flowed(self, _: Any) -> None:
        self.update()

    # ------------------------------------------------------------------ together with the views of other runs

    def scales(self) -> Scales:
        return {} if self.payload is None else {"edges": (0.0, self._own_strongest)}

    def place(self) -> Any:
        return self.at, self.zoom, self.offset.toTuple()

    def point(self, place: Any) -> None:
        at, self.zoom, offset = place
        self.offset = QPointF(*offset)
        self._point(at if at < self._count() else -1)
        self.update()

    # ------------------------------------------------------------------------------------------- elements

    def _count(self) -> int:
        return 0 if self.payload is None else len(self.payload.nodes) + len(self.payload.edges)

    def element(self, index: int) -> GraphNode | GraphEdge:
        nodes: tuple[GraphNode, ...] = self.payload.nodes
        element: GraphNode | GraphEdge = nodes[index] if index < len(nodes) else self.payload.edges[index - len(nodes)]
        return element

    def editable(self, index: int) -> bool:
        return index >= 0 and (self.edits or self.probes) and self.element(index).number is not None

    def told(self, index: int) -> str:
        """All that is known of an element, in a line."""
        it = self.element(index)
        if isinstance(it, GraphNode):
            below = it.below.replace("\n", " ")
            return f"{it.label} = {it.value}" * bool(it.value) + it.label * (not it.value) + f" · {below}" * bool(below)
        nodes = {node.name: node.label for node in self.payload.nodes}
        parts = [f"{nodes[it.source]} → {nodes[it.target]}"]
        parts += [f"forward {it.forward}"] if it.forward else []
        parts += [f"backward {it.backward}"] if it.backward else []
        return " · ".join(parts).replace("\n", " ")

    def _point(self, index: int) -> None:
        if index != self.at:
            self.at = index
            self.say(self.told(index) if index >= 0 else "")
            self.update()

    def read_again(self) -> None:
        if self.at >= 0:
            self.say(self.told(self.at))

    # -------------------------------------------------------------------------------------------- painting

    def _scale(self) -> float:
        return self.zoom * (1.0 if self.layout_ is None else self.layout_.shrink)

    def to_scene(self, at: QPointF) -> QPointF:
        return (at - self.offset) / self._scale()

    def to_view(self, place: QPointF) -> QPointF:
        return place * self._scale() + self.offset

    def paintEvent(self, event: Any) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        layout, look = self.layout_, theme.current()
        if self.payload is None or layout is None or not self.payload.nodes:
            self.paint_empty(painter)
            paint_focus(painter, self)
            return
        strongest = max(self._own_strongest, self.joint.get("edges", (0.0, 0.0))[1])
        inks = Inks(QColor(look.link), QColor(look.classes[1]), *self._signs)
        running = self.flow.state() == QVariantAnimation.State.Running and not is_vector(painter)
        progress = float(self.flow.currentValue()) if running else 1.0
        painter.save()
        painter.translate(self.offset)
        painter.scale(self._scale(), self._scale())
        count, edges = len(self.payload.nodes), self.payload.edges
        for index in sorted(range(len(edges)), key=lambda i: bool(edges[i].lit)):  # what is lit lies on top
            paint_edge(painter, layout, index, inks, strongest, self.at == count + index, progress)
        for told in layout.told:
            paint_told(painter, layout, self.font(), told, inks)
        backward = {name for edge in edges if edge.lit == "backward" for name in (edge.source, edge.target)}
        for index, node in enumerate(self.payload.nodes):
            lit = inks.backward if node.name in backward else inks.forward
            paint_node(painter, layout, node, self.font(), lit, self.at == index, self.editable(index))
        painter.restore()
        if self._dragging and self._grabbed >= 0:
            at = self.to_view(layout.spot(self._grabbed))
            paint_tag(painter, at, self.rect(), [f"{self.element(self._grabbed).name} = {number(self._value)}"])
        paint_focus(painter, self)

    # ----------------------------------------------------------------------------------------------- mouse

    def mouseMoveEvent(self, event: Any) -> None:
        if self.layout_ is None or self.editor.isVisible():
            return
        if self._press is None:
            self._point(self.layout_.element_at(self.to_scene(event.position())))
            self._show_cursor()
            return
        moved = event.position() - self._press
        if not self._dragging and moved.manhattanLength() <= STILL:
            return
        self._dragging = True
        if self.editable(self._grabbed):
            fine = 0.1 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1.0
            step = 10.0 ** math.floor(math.log10(max(abs(self._start), 1.0) / 50)) * fine
            value = round((self._start - moved.y() * step) / step) * step
            self._value = float(f"{value:.6g}")
            self._sending.push(self._value)
        else:
            self.offset = self._panned + moved
        self.update()

    def _show_cursor(self) -> None:
        shape = Qt.CursorShape.ArrowCursor
        if self.editable(self.at):
            shape = Qt.CursorShape.SizeVerCursor
        elif self.at >= 0 and self.probes:
            shape = Qt.CursorShape.PointingHandCursor
        self.setCursor(shape)

    def mousePressEvent(self, event: Any) -> None:
        if self.editor.isVisible():
            self._close_editor(self.editor.number.value(), False)
        if event.button() != Qt.MouseButton.LeftButton or self.layout_ is None:
            return
        self.mouseMoveEvent(event)
        self._press, self._grabbed, self._dragging, self._panned = event.position(), self.at, False, self.offset
        if self.editable(self.at):
            self._start = self._value = self._number(self.at)

    def mouseReleaseEvent(self, event: Any) -> None:
        if event.button() != Qt.MouseButton.LeftButton or self._press is None:
            return
        if self._dragging:
            self._sending.flush()
        elif self._grabbed >= 0:
            self._pick(self._grabbed)
        self._press, self._grabbed, self._dragging = None, -1, False
        self.update()

    def mouseDoubleClickEvent(self, event: Any) -> None:
        if event.button() != Qt.MouseButton.LeftButton or self.layout_ is None:
            return
        self.mouseMoveEvent(event)
        if self.editable(self.at):
            self._open_editor(self.at)
        elif self.at < 0:
            self.reset_view()

    def leaveEvent(self, event: Any) -> None:
        if not self.editor.isVisible():
            self._point(-1)

    def wheelEvent(self, event: Any) -> None:
        if self.layout_ is None or not event.angleDelta().y():
            event.ignore()
            return
        self._zoom(1.0015 ** event.angleDelta().y(), event.position())
        event.accept()

    def _zoom(self, factor: float, at: QPointF) -> None:
        """Show everything so much larger; what is under `at` stays where it is."""
        factor = min(max(self.zoom * factor, 0.3), 12.0) / self.zoom
        self.zoom *= factor
        self.offset = at - (at - self.offset) * factor
        self.update()

    def reset_view(self) -> None:
        self.zoom, self.offset = 1.0, QPointF()
        self.update()

    def _pick(self, index: int) -> None:
        if self.probes:
            self.send(Pick(index, text=self.element(index).name))

    # -------------------------------------------------------------------------------------------- keyboard

    def focusNextPrevChild(self, forward: bool) -> bool:
        """Tab walks through the numbers that can be changed, and leaves after the last."""
        changing = [index for index in range(self._count()) if self.editable(index)]
        if changing and not self.editor.isVisible():
            place = changing.index(self.at) if self.at in changing else -1 if forward else 0
            place += 1 if forward else -1
            if 0 <= place < len(changing):
                self._point(changing[place])
                return True
            self._point(-1)
        return super().focusNextPrevChild(forward)

    def keyPressEvent(self, event: Any) -> None:
        key, middle = event.key(), QRectF(self.rect()).center()
        ways = {KEY.Key_Left: (-1, 0), KEY.Key_Right: (1, 0), KEY.Key_Up: (0, -1), KEY.Key_Down: (0, 1)}
        if self.layout_ is None or not self._count():
            event.ignore()
        elif key in ways:
            self._walk(*ways[key])
        elif key in (KEY.Key_Return, KEY.Key_Enter) and self.at >= 0:
            if self.editable(self.at):
                self._open_editor(self.at)
            else:
                self._pick(self.at)
        elif key in (KEY.Key_Plus, KEY.Key_Equal, KEY.Key_Minus):
            self._zoom(1 / 1.25 if key == KEY.Key_Minus else 1.25, middle)
        elif key in (KEY.Key_Home, KEY.Key_0):
            self.reset_view()
        elif key == KEY.Key_Escape and self.at >= 0:
            self._point(-1)
        else:
            event.ignore()

    def _walk(self, right: int, down: int) -> None:
        """Choose the nearest node or changeable edge in that direction."""
        assert self.layout_ is not None
        layout, nodes = self.layout_, len(self.payload.nodes)
        walked = [index for index in range(self._count()) if index < nodes or self.editable(index)]
        if self.at < 0:
            self._point(walked[0])
            return
        places = {}
        for index in {*walked, self.at}:
            box = layout.boxes[self.payload.nodes[index].name].center() if index < nodes else layout.spot(index)
            places[index] = box
        here, best, least = places[self.at], -1, math.inf
        for index in walked:
            along = (places[index].x() - here.x()) * right + (places[index].y() - here.y()) * down
            across = abs((places[index].x() - here.x()) * down) + abs((places[index].y() - here.y()) * right)
            if along > 1 and along + 2 * across < least:
                best, least = index, along + 2 * across
        if best >= 0:
            self._point(best)

    # --------------------------------------------------------------------------------------------- editing

    def _number(self, index: int) -> float:
        value = self.element(index).number
        return float(value) if value is not None and math.isfinite(value) else 0.0

    def _open_editor(self, index: int) -> None:
        assert self.layout_ is not None
        self._press, self.editing = None, index
        self.at = index
        self.editor.open(self.element(index).name, self._number(index), self.to_view(self.layout_.spot(index)))
        self.update()

    def _send_value(self, value: float) -> None:
        index = self.editing if self.editing >= 0 else self._grabbed
        if index >= 0:
            self.send(ValueEdit(self.element(index).name, value), edit=True)

    def _close_editor(self, value: float, keep: bool) -> None:
        """Enter sends the value; Escape sends nothing (what the slider has sent is taken back by Undo)."""
        self._sending.drop()
        if keep:
            self._send_value(value)
        self.editing = -1
        self.editor.hide()
        self.setFocus()
        self.update()

    # ---------------------------------------------------------------------------------------------- export

    def csv_rows(self) -> list[list[str]]:
        if self.payload is None:
            return []
        rows = [["element", "name", "value or forward", "below or backward", "number"]]
        for index in range(self._count()):
            it = self.element(index)
            changed = "" if it.number is None else str(it.number)
            if isinstance(it, GraphNode):
                rows.append([it.kind, it.name, it.value, it.below, changed])
            else:
                rows.append([f"{it.source} -> {it.target}", it.name, it.forward, it.backward, changed])
        return rows

    def vector(self) -> bool:
        return True
