"""The table of a comparison: what the runs differ in and how they do, a row for each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from PySide6.QtCore import QPointF, QSize
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from engine.views import Description
from gui import theme
from gui.plain import plain
from gui.views.curve_paint import run_pen
from gui.views.parts import small

HEAD, LINE = 15, 25  # pixels: the line with the columns' titles, and that of a run
GAP = 18  # pixels between two columns
SAMPLE = 40  # pixels that a letter and a piece of its line take
RUNS = "ABCD"


class Column(NamedTuple):
    """What it is of, and what each run has there; of a metric, who does best."""

    title: str
    texts: tuple[str, ...]
    metric: bool = False
    best: frozenset[int] = frozenset()


def direction(view: Description, metric: str) -> str:
    """Whether a metric is best "low" or "high"; "" where that is not known."""
    words = metric.lower()
    if any(
        word in words for word in ("loss", "error", "elbo", "perplexity", "reconstruction", "risk", "cross-entropy")
    ):
        return "low"
    if any(word in words for word in ("accuracy", "return", "reward", "score", "precision", "recall")):
        return "high"
    best: str = getattr(view, "best", "")
    return best


def best_of(values: Sequence[float | None], texts: Sequence[str], towards: str) -> frozenset[int]:
    """Which of the runs do best, as far as the texts tell; none where all are alike."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not towards or len(known) < 2 or len(set(texts)) < 2:
        return frozenset()
    best = texts[list(values).index(min(known) if towards == "low" else max(known))]
    return frozenset(place for place, text in enumerate(texts) if text == best)


class Letters(QWidget):
    """Each run's letter, and how its lines look in the curves."""

    def __init__(self, runs: int = 2) -> None:
        super().__init__()
        self.setFixedWidth(SAMPLE)
        self.runs = runs
        self.setAccessibleName("How the lines of the runs look")
        theme.holder.changed.connect(self.update)

    def show_runs(self, runs: int) -> None:
        """So many."""
        self.runs = runs
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink, metrics = QColor(theme.current().text), QFontMetricsF(painter.font())
        for row, letter in enumerate(RUNS[: self.runs]):
            middle = HEAD + LINE * (row + 0.5)
            painter.setPen(ink)
            painter.drawText(QPointF(0, middle + metrics.capHeight() / 2), letter)
            painter.setPen(run_pen(ink, letter))
            painter.drawLine(QPointF(14, middle), QPointF(SAMPLE - 2, middle))
        painter.end()


class Figures(QWidget):
    """What differs and the metrics, as many columns as there is room for; a dot stands before the best of a metric."""

    def __init__(self) -> None:
        super().__init__()
        self.columns: list[Column] = []
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("The runs compared")
        theme.holder.changed.connect(self.update)

    def show_columns(self, columns: list[Column]) -> None:
        """Show these."""
        if columns != self.columns:
            self.columns = columns
            lines = []
            for column in columns:
                marked = [text + (" (best)" if row in column.best else "") for row, text in enumerate(column.texts)]
                pairs = zip(RUNS, marked, strict=False)
                lines.append(f"{column.title}: {', '.join(f'{letter} {text}' for letter, text in pairs)}")
            self.setAccessibleDescription("; ".join(lines))
            self.setToolTip(plain("\n".join(lines)))
            self.update()

    def minimumSizeHint(self) -> QSize:
        return QSize(60, 48)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        titles = small(self.font())
        look, above, metrics = theme.current(), QFontMetricsF(titles), QFontMetricsF(self.font())
        left = 8.0
        for column, wide in self._shown(above, metrics):
            painter.setFont(titles)
            painter.setPen(QColor(look.muted))
            painter.drawText(QPointF(left, above.ascent()), column.title)
            painter.setFont(self.font())
            for row, text in enumerate(column.texts):
                middle = HEAD + LINE * (row + 0.5)
                if row in column.best:
                    painter.setPen(QColor(look.accent))
                    painter.setBrush(QColor(look.accent))
                    painter.drawEllipse(QPointF(left - 6, middle), 2, 2)
                painter.setPen(QColor(look.text))
                painter.drawText(QPointF(left, middle + metrics.capHeight() / 2), text)
            left += wide + GAP
        painter.end()

    def _shown(self, above: QFontMetricsF, metrics: QFontMetricsF) -> list[tuple[Column, float]]:
        """The columns that there is room for, with their widths: where it is narrow the metrics alone, as form and bar
        tell what differs."""
        widths = []
        for column in self.columns:
            texts = max(metrics.horizontalAdvance(text) for text in (*column.texts, "00.0 %"))
            widths.append((column, max(above.horizontalAdvance(column.title), texts)))
        room = self.width() - 8 + GAP
        if sum(wide + GAP for _, wide in widths) > room:
            widths = [(column, wide) for column, wide in widths if column.metric]
        while widths and sum(wide + GAP for _, wide in widths) > room:
            widths.pop()
        return widths
