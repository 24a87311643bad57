"""The card that tells of what is under the pointer. It floats over the window, so that no view's border cuts it, and
stands beside what it tells of rather than over it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QImage, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from gui import theme
from gui.views.parts import small

GAP, PAD = 8, 8


class HoverCard(QWidget):
    """A picture, a headline and muted lines. There is one per window; `of` finds or makes it."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.owner: QWidget | None = None
        self.lines: tuple[str, ...] = ()
        self.picture: QImage | None = None
        self.swatch: QColor | None = None
        self.hide()

    @staticmethod
    def of(view: QWidget) -> HoverCard:
        """The card of a view's window."""
        window = view.window()
        found = window.findChild(HoverCard, options=Qt.FindChildOption.FindDirectChildrenOnly)
        return found if isinstance(found, HoverCard) else HoverCard(window)

    def tell(
        self,
        view: QWidget,
        area: QRectF,
        lines: Sequence[str],
        picture: QImage | None = None,
        swatch: QColor | None = None,
    ) -> None:
        """Tell of `area` of a view."""
        if self.owner is not view:
            self._leave()
            self.owner = view
            view.installEventFilter(self)
        self.lines, self.picture, self.swatch = tuple(lines), picture, swatch
        self.setFont(small(view.font()))
        window, aligned = view.window(), area.toAlignedRect()
        about = QRect(view.mapTo(window, aligned.topLeft()), aligned.size())
        self.setGeometry(placed(self.sizeHint(), about, window.rect()))
        self.raise_()
        self.show()
        self.update()

    def drop(self, view: QWidget) -> None:
        """The view has nothing more to tell."""
        if self.owner is view:
            self._leave()
            self.hide()

    def _leave(self) -> None:
        if self.owner is not None:
            self.owner.removeEventFilter(self)
            self.owner = None

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.Hide, QEvent.Type.DeferredDelete) and watched is self.owner:
            self._leave()
            self.hide()
        return False

    def sizeHint(self) -> QSize:
        metrics = QFontMetricsF(self.font())
        wide = max((metrics.horizontalAdvance(line) for line in self.lines), default=0.0)
        wide += 14 if self.swatch is not None else 0
        high = self._line() * len(self.lines)
        if self.picture is not None:
            size = self.picture.deviceIndependentSize()
            wide, high = max(wide, size.width()), high + size.height() + 4
        return QSize(math.ceil(wide) + 2 * PAD, math.ceil(high) + 2 * PAD - 3)

    def _line(self) -> float:
        return QFontMetricsF(self.font()).height() + 1

    def paintEvent(self, event: QPaintEvent) -> None:
        look, painter = theme.current(), QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(look.border), 1))
        painter.setBrush(QColor(look.raised))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
        y = float(PAD)
        if self.picture is not None:
            painter.drawImage(QPoint(PAD, PAD), self.picture)
            y += self.picture.deviceIndependentSize().height() + 4
        line, ascent = self._line(), QFontMetricsF(self.font()).ascent()
        for number, text in enumerate(self.lines):
            x = float(PAD)
            if self.swatch is not None and number == 0:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(self.swatch)
                painter.drawEllipse(QRectF(x, y + line / 2 - 4, 8, 8))
                x += 14
            painter.setPen(QColor(look.text if number == 0 else look.muted))
            painter.drawText(QRectF(x, y - 1, self.width(), ascent + 6), Qt.AlignmentFlag.AlignTop, text)
            y += line


def placed(size: QSize, about: QRect, within: QRect) -> QRect:
    """A rectangle of this size beside `about`: at its right, left, below or above, whichever lies within; else where it
    covers the least."""
    middle_y = about.center().y() - size.height() // 2
    middle_x = about.center().x() - size.width() // 2
    room = within.adjusted(4, 4, -4, -4)
    tried = []
    for x, y in (
        (about.right() + GAP, middle_y),
        (about.left() - GAP - size.width(), middle_y),
        (middle_x, about.bottom() + GAP),
        (middle_x, about.top() - GAP - size.height()),
    ):
        x = max(room.left(), min(x, room.right() - size.width()))
        y = max(room.top(), min(y, room.bottom() - size.height()))
        box = QRect(QPoint(x, y), size)
        if not box.intersects(about):
            return box
        tried.append(box)
    return min(tried, key=lambda box: box.intersected(about).width() * box.intersected(about).height())
