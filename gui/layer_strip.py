"""The layers of a network side by side, from input to output, and below each what the phases of a step did to it."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QFont,
    QFontMetricsF,
    QHelpEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QToolTip, QWidget

from engine.payloads import LayerData, ParameterData, TensorData
from gui import colour, format, style, theme
from gui.plain import wrapped
from gui.views.pixels import to_image

ROWS = ("activation", "gradient", "change")
LABELS = (("Activation", "smallest … largest"), ("Gradient", "% of weights’ size"), ("Change", "% of weights’ size"))
LABEL_WIDTH = 118  # pixels
TITLE, GAP = 34, 8
BARS = 86  # width of a histogram
BIAS, LEAST = 6, 24  # width of a bias, and of a word that is not left out
SMALL, LARGE = 36, 56  # heights of a row
HIDDEN = -128  # of a picture: nothing
BELOW, ABOVE = QColor("#4393c3"), QColor("#d6604d")  # of the colour map for signed values


class LayerStrip(QWidget):
    """Paints them. Arrow keys go from cell to cell; what a cell holds is told in words."""

    told = Signal(str)  # about the cell under the pointer or the keyboard, "" where there is none
    moved = Signal(int, int)  # the keyboard went to what lies between these two places

    def __init__(self) -> None:
        super().__init__()
        self.layers: tuple[LayerData, ...] = ()
        self.lit = ""
        self.row_height = SMALL
        self.cell = (0, 0)  # layer and row at which the keyboard is
        self._pictures: dict[int, tuple[TensorData, QImage]] = {}
        self._edges: list[int] = [LABEL_WIDTH]  # where the layers begin, and the last one ends
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setAccessibleName("Tensors of each layer")
        theme.holder.changed.connect(self.update)

    def show_layers(self, layers: tuple[LayerData, ...], lit: str) -> None:
        """Show what is known of the step so far; `lit` is what the latest phase brought."""
        self.layers, self.lit = layers, lit
        self.cell = (min(self.cell[0], max(0, len(layers) - 1)), self.cell[1])
        if lit in ROWS and not self.hasFocus():
            self.cell = (self.cell[0], ROWS.index(lit))
        kept = {id(data) for layer in layers for row in range(3) for data in _tensors(layer, row) if data is not None}
        self._pictures = {key: found for key, found in self._pictures.items() if key in kept}
        self._measure()
        self._tell(self.hasFocus())
        self.update()

    def set_row_height(self, height: int) -> None:
        """How high each of the three rows is."""
        self.row_height = height
        self._measure()

    def _measure(self) -> None:
        edges = [LABEL_WIDTH]
        for layer in self.layers:
            extra = BIAS + 2 if len(layer.parameters) > 1 else 0
            edges.append(edges[-1] + self._side() + extra + BARS + 4 * GAP)
        self._edges = edges
        self.setFixedHeight(TITLE + 3 * self.row_height)
        self.setMinimumWidth(edges[-1])
        self.updateGeometry()

    def _side(self) -> int:
        return self.row_height - 6

    def sizeHint(self) -> QSize:
        return QSize(self._edges[-1], TITLE + 3 * self.row_height)

    # ------------------------------------------------------------------ painting

    def paintEvent(self, event: QPaintEvent) -> None:
        t = theme.current()
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(t.bar))
        for row, (name, unit) in enumerate(LABELS):
            top, is_lit = TITLE + row * self.row_height, ROWS[row] == self.lit
            if is_lit:
                painter.fillRect(0, top, self.width(), self.row_height, style.mix(t.bar, t.accent, 0.16))
                painter.fillRect(0, top, 3, self.row_height, QColor(t.accent))
            middle = top + self.row_height / 2
            self._write(painter, QRectF(14, middle - 17, LABEL_WIDTH - 18, 18), name, t.text, 13, bold=is_lit)
            self._write(painter, QRectF(14, middle + 1, LABEL_WIDTH - 18, 16), unit, t.muted, 11)
        for column, layer in enumerate(self.layers):
            area = QRectF(self._edges[column], 0, self._edges[column + 1] - self._edges[column], self.height())
            if area.intersects(QRectF(event.rect())):
                self._paint_layer(painter, area, layer)
        if self.hasFocus() and self.layers:
            painter.setPen(QPen(QColor(t.accent), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(self._rect(*self.cell)).adjusted(2, 1, -2, -1), 4, 4)
        painter.end()

    def _write(
        self, painter: QPainter, area: QRectF, text: str, tint: str, pixels: int, *, bold: bool = False
    ) -> float:
        """Returns how wide it came out."""
        font = style.font(pixels, QFont.Weight.DemiBold if bold else QFont.Weight.Normal)
        painter.setFont(font)
        painter.setPen(QColor(tint))
        metrics = QFontMetricsF(font)
        text = metrics.elidedText(text, Qt.TextElideMode.ElideRight, area.width())
        painter.drawText(area, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)
        return metrics.horizontalAdvance(text)

    def _paint_layer(self, painter: QPainter, area: QRectF, layer: LayerData) -> None:
        t = theme.current()
        painter.fillRect(QRectF(area.left(), 6, 1, area.height() - 12), QColor(t.border))
        inner = area.adjusted(1.5 * GAP, 0, -GAP, 0)
        top = QRectF(inner.left(), 2, inner.width(), 18)
        top.setLeft(top.left() + 6 + self._write(painter, top, layer.name, t.text, 13, bold=True))
        if top.width() > LEAST:
            self._write(painter, top, layer.kind, t.muted, 11)
        self._write(painter, QRectF(inner.left(), 18, inner.width(), 16), _size(layer), t.muted, 11)
        for row in range(3):
            place = QRectF(inner.left(), TITLE + row * self.row_height, inner.width(), self.row_height)
            data, bias = _tensors(layer, row)
            if data is not None:
                self._paint_tensor(painter, place, data, bias, wide=len(layer.parameters) > 1)
            elif row > 0 and layer.parameters:  # still to come
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(QColor(t.faint))
                painter.drawRoundedRect(self._square(place), 3, 3)

    def _square(self, place: QRectF) -> QRectF:
        return QRectF(place.left(), place.top() + 3, self._side(), self._side())

    def _paint_tensor(
        self, painter: QPainter, place: QRectF, data: TensorData, bias: TensorData | None, *, wide: bool
    ) -> None:
        t, square = theme.current(), self._square(place)
        self._paint_picture(painter, square, data)
        left = square.right() + GAP
        if wide:
            if bias is not None:
                self._paint_picture(painter, QRectF(square.right() + 2, square.top(), BIAS, square.height()), bias)
            left += BIAS + 2
        text_height = 15
        bars = QRectF(left, square.top(), BARS, square.height() - text_height)
        heights = np.sqrt(data.histogram / max(float(data.histogram.max()), 1e-12))  # the root: small shares are seen
        low, high = min(data.low, 0.0), max(data.high, 0.0)
        zero = -low / (high - low) * len(heights) if high > low else len(heights) / 2
        width = bars.width() / len(heights)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.fillRect(QRectF(bars.left(), bars.bottom(), bars.width(), 1), QColor(t.border))
        for i, height in enumerate(heights):
            if height > 0:
                tall = max(1.0, float(height) * bars.height())
                at_zero = i <= zero <= i + 1 and low < 0 < high
                tint = QColor(t.muted) if at_zero else BELOW if i + 1 <= zero else ABOVE
                painter.fillRect(QRectF(bars.left() + i * width, bars.bottom() - tall, width - 0.6, tall), tint)
        text = f"{number(data.low)} … {number(data.high)}"
        if data.share is not None:
            text = percent(data.share)
        elif data.shows == "":
            text = "from zero"
        self._write(painter, QRectF(left, bars.bottom() + 1, BARS, text_height), text, t.text, 11)

    def _paint_picture(self, painter: QPainter, place: QRectF, data: TensorData) -> None:
        image = self._picture(data)
        if len(data.shape) == 1 and place.width() < place.height():  # a bias stands upright beside its weights
            painter.save()
            painter.translate(place.topLeft())
            painter.rotate(90)
            painter.scale(1, -1)
            painter.drawImage(QRectF(0, 0, place.height(), place.width()), image)
            painter.restore()
            return
        ratio = self.devicePixelRatioF()
        smooth = image.width() > place.width() * ratio or image.height() > place.height() * ratio
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smooth)
        painter.drawImage(place, image)

    def _picture(self, data: TensorData) -> QImage:
        if id(data) not in self._pictures:
            table = colour.lookup_table("diverging").astype(np.uint32)
            words = 0xFF000000 | table[:, 0] << 16 | table[:, 1] << 8 | table[:, 2]
            picture = data.picture.astype(np.int16)
            shown = np.where(picture == HIDDEN, np.uint32(0), words[np.clip(picture + 128, 0, 255)])
            self._pictures[id(data)] = (data, to_image(shown))
        return self._pictures[id(data)][1]

    # ------------------------------------------------------------------ pointing

    def _rect(self, column: int, row: int) -> QRectF:
        left = self._edges[column]
        return QRectF(left, TITLE + row * self.row_height, self._edges[column + 1] - left, self.row_height)

    def _at(self, place: QPointF) -> tuple[int, int] | None:
        row = int((place.y() - TITLE) // self.row_height)
        for column in range(len(self.layers)):
            if self._edges[column] <= place.x() < self._edges[column + 1] and 0 <= row < 3:
                return column, row
        return None

    def words(self, column: int, row: int) -> list[str]:
        """What a cell holds."""
        layer = self.layers[column]
        if row == 0:
            return [f"{layer.name}, activation {_numbers(layer.activation)}"] if layer.activation else []
        found = []
        for parameter in layer.parameters:
            data = _of(parameter, row)
            if data is not None:
                found.append(f"{layer.name}, {ROWS[row]} of {parameter.name} {_numbers(data)}")
        return found

    def _tell(self, on: bool, cell: tuple[int, int] | None = None) -> None:
        words = " · ".join(self.words(*(cell or self.cell))) if on and self.layers else ""
        self.setAccessibleDescription(words)
        self.told.emit(words)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        cell = self._at(event.position())
        self._tell(cell is not None or self.hasFocus(), cell)

    def leaveEvent(self, event: QEvent) -> None:
        self._tell(self.hasFocus())
        super().leaveEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        cell = self._at(event.position())
        if cell is not None:
            self.cell = cell
            self._tell(True)
            self.update()

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            cell = self._at(QPointF(event.pos()))
            words = "".join(map(wrapped, self.words(*cell))) if cell else ""
            QToolTip.showText(event.globalPos() + QPoint(8, 8), words, self)
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        column, row = self.cell
        last = len(self.layers) - 1
        keys = {
            Qt.Key.Key_Left: (max(0, column - 1), row),
            Qt.Key.Key_Right: (min(last, column + 1), row),
            Qt.Key.Key_Up: (column, max(0, row - 1)),
            Qt.Key.Key_Down: (column, min(2, row + 1)),
            Qt.Key.Key_Home: (0, row),
            Qt.Key.Key_End: (last, row),
        }
        if event.key() in keys and self.layers:
            self.cell = keys[Qt.Key(event.key())]
            self._tell(True)
            self.moved.emit(self._edges[self.cell[0]], self._edges[self.cell[0] + 1])
            self.update()
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        self._tell(True)
        super().focusInEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._tell(False)
        super().focusOutEvent(event)


def number(value: float) -> str:
    """As the window writes numbers, with two digits and a true minus: there is little room."""
    return format.number(float(f"{value:.2g}")).replace("-", "−")


def percent(share: float) -> str:
    """0.023 % for 0.00023."""
    return f"{number(100 * share)} %"


def _of(parameter: ParameterData, row: int) -> TensorData | None:
    return parameter.gradient if row == 1 else parameter.change


def _tensors(layer: LayerData, row: int) -> tuple[TensorData | None, TensorData | None]:
    """What a cell paints: the activation, or what became of the weights, and beside it of the bias."""
    if row == 0:
        return layer.activation, None
    found = [_of(parameter, row) for parameter in layer.parameters[:2]]
    return (found[0] if found else None), (found[1] if len(found) > 1 else None)


def _times(shape: tuple[int, ...]) -> str:
    return " × ".join(f"{size:,}" for size in shape) or "1 number"


def _size(layer: LayerData) -> str:
    return _times(layer.activation.shape if layer.activation else layer.parameters[0].shape if layer.parameters else ())


def _numbers(data: TensorData) -> str:
    parts = [
        f"{number(data.low)} … {number(data.high)}",
        f"mean {number(data.mean)}",
        f"deviation {number(data.deviation)}",
    ]
    if data.zeros > 0:
        parts.append(f"{percent(data.zeros)} are 0")
    if data.share is not None:
        parts.append(f"its size is {percent(data.share)} of the weights’")
    if data.shows:
        parts.append(f"in the picture {data.shows}")
    return f"({_times(data.shape)}): " + ", ".join(parts)
