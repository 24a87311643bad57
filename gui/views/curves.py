"""Metrics over steps, drawn from the history's pyramid: ten million points cost as much as a thousand."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt
from PySide6.QtGui import QAction, QColor, QFontMetricsF, QPainter, QPaintEvent, QResizeEvent

from engine.recorder import Decimated, MetricHistory
from gui import theme
from gui.format import number, percent
from gui.views import curve_paint as paint
from gui.views.base import ViewWidget
from gui.views.curve_paint import Line, one_per_pixel, smoothed_over, steady_range
from gui.views.ghosts import Ghost, value_at
from gui.views.parts import Chip, ChipRow, faded, paint_focus, polygon, small
from gui.views.scales import Axis, room_for, short_names

SMOOTHINGS = (("off", 0.0), ("light", 0.008), ("medium", 0.025), ("strong", 0.08))  # as a share of the plot's width


@dataclass(frozen=True)
class Flag:
    """A knob was turned at a step: drawn as a small flag, `text` is told on hover."""

    step: int
    text: str


class CurvesView(ViewWidget):
    """Curves has no payload: the bridge calls ``show_metrics(history, step)`` and ``set_flags(flags)``.

    The wheel zooms at the pointer, dragging selects a range of steps, shift-dragging moves it, a double click resets.
    """

    def __init__(self, description: Any, *, probes: bool = False, edits: bool = False) -> None:
        super().__init__(description, probes=probes, edits=edits)
        self.history: MetricHistory | None = None
        self.flags: tuple[Flag, ...] = ()
        self.ghosts: list[Ghost] = []
        self.twins: dict[str, MetricHistory] = {}  # by letter, of runs that advance along with this one
        self.window_of_steps: tuple[float, float] | None = None  # None shows all
        self._follows = False  # the zoomed window ends at the newest step and moves along
        self._seen: tuple[int, ...] = ()
        self._range: tuple[float, float] | None = None
        self._lines: list[Line] = []
        self._ghost_lines: list[tuple[Ghost, Line]] = []
        self._twin_lines: list[Line] = []
        self._legend: list[list[str]] = []  # the names over the plot, where they do not fit at the ends of the lines
        self._x, self._y = Axis(), Axis()
        self._cross: float | None = None  # the step under the crosshair
        self._drag: tuple[QPointF, bool, tuple[float, float]] | None = None  # from, whether it pans, window then
        self._pointer: QPointF | None = None
        self._smoothing = 1
        self.log_y = self._action("Logarithmic values", "L", description.log_y)
        self.log_x = self._action("Logarithmic steps", "X", False)
        self.outliers = self._action("Show outliers", "O", False)
        self.smoother = QAction("Smoothing: light", self)
        self.smoother.setShortcut("M")
        self.smoother.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        self.smoother.triggered.connect(lambda: self.smooth((self._smoothing + 1) % len(SMOOTHINGS)))
        self.addAction(self.smoother)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        self._controls = ChipRow(self)
        self._log_chip = Chip(self._controls, "log", help="Logarithmic values (L)", checkable=True)
        self._log_chip.setAccessibleName("Logarithmic values")
        self._log_chip.setChecked(description.log_y)
        self._log_chip.clicked.connect(self.log_y.trigger)
        self.log_y.toggled.connect(self._log_chip.setChecked)
        self._smooth_chip = Chip(self._controls, "smooth: medium", help="Smoothing (M, or Shift and the wheel)")
        self._smooth_chip.clicked.connect(self.smoother.trigger)
        self._controls.fill([self._log_chip, self._smooth_chip])
        self._controls.hide()
        self.smooth(1)

    def _action(self, text: str, key: str, on: bool) -> QAction:
        action = QAction(text, self)
        action.setShortcut(key)
        action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        action.setCheckable(True)
        action.setChecked(on)
        action.toggled.connect(self._rescale)
        self.addAction(action)
        return action

    # ------------------------------------------------------------------ what the bridge calls

    def show_metrics(self, history: MetricHistory, step: int) -> None:
        """Show the history; `step` is where the run (or the viewer, rewinding) stands."""
        if history is not self.history:
            self.history, self._range, self.window_of_steps, self._seen = history, None, None, ()
            self._drag = None  # it was across the steps of the history before
        version = history.version, *(twin.version for twin in self.twins.values())
        if version == self._seen and step == self.step:
            return
        self._seen, self.step = version, step
        if self._follows and self.window_of_steps and (span := history.span(self.names())):
            first, last = self.window_of_steps
            self.window_of_steps = (first + span[1] - last, float(span[1]))
        self.update()

    def set_flags(self, flags: Sequence[Flag]) -> None:
        """Where knobs were turned."""
        if tuple(flags) != self.flags:
            self.flags = tuple(flags)
            self.update()

    def set_ghosts(self, shown: Sequence[Ghost]) -> None:
        """Earlier runs, drawn faintly behind."""
        if list(shown) != self.ghosts:
            self.ghosts, self._range = list(shown), None
            self.update()

    def set_twins(self, twins: Mapping[str, MetricHistory]) -> None:
        """Runs to compare with, by their letters: in the same colours, dashed and dotted."""
        if dict(twins) != self.twins:
            self.twins, self._range, self._seen = dict(twins), None, ()
            self.update()

    def clear(self) -> None:
        self.history, self.flags, self.window_of_steps, self._range, self._lines = None, (), None, None, []
        self._drag = None
        super().clear()

    def names(self) -> tuple[str, ...]:
        """The metrics shown: those declared that have a point, here or in a ghost."""
        known = {name for history in self._histories() for name in history.names()}
        return tuple(name for name in self.description.metrics if name in known)

    def _histories(self) -> list[MetricHistory]:
        return [self.history, *(ghost.history for ghost in self.ghosts)] if self.history is not None else []

    def smooth(self, level: int) -> None:
        """Set the smoothing, an index into SMOOTHINGS."""
        self._smoothing = min(max(level, 0), len(SMOOTHINGS) - 1)
        name = SMOOTHINGS[self._smoothing][0]
        self.smoother.setText(f"Smoothing: {name}")
        self._smooth_chip.setText(f"smooth: {name}")
        self._smooth_chip.setAccessibleName(f"Smoothing: {name}")
        self._place_controls()
        self.update()

    def reset_view(self) -> None:
        self.window_of_steps, self._range, self._cross = None, None, None
        if self.names():
            self._x.low, self._x.high = self._steps_shown()
        self.update()

    def _rescale(self) -> None:
        self._range = None
        self.update()

    def empty_text(self) -> str:
        return "Not measured yet" if self.history and self.history.names() else super().empty_text()

    def vector(self) -> bool:
        return True

    def csv_rows(self) -> list[list[str]]:
        names = self.names()
        if self.history is None or not names:
            return []
        first, last = self._steps_shown()
        table: dict[int, list[str]] = {}
        for column, name in enumerate(names):
            found = self.history.decimated(name, math.floor(first), math.ceil(last), 50_000)
            for step, value in zip(found.steps.tolist(), found.mean.tolist(), strict=True):
                table.setdefault(step, [""] * len(names))[column] = repr(value)
        return [["step", *names], *([str(step), *table[step]] for step in sorted(table))]

    # ------------------------------------------------------------------ layout: what is where

    def _steps_shown(self) -> tuple[float, float]:
        if self.window_of_steps is not None:
            return self.window_of_steps
        spans = [history.span(self.names()) for history in self._histories()]
        known = [span for span in spans if span is not None] or [(0, 1)]
        first, last = known[0][0], max(span[1] for span in known)
        if last == first:
            return first - 0.5, first + 0.5
        return (0.0 if first == 1 and last > 20 else float(first)), float(last)  # so that the axis begins at 0

    def _text(self, value: float) -> str:
        return percent(value) if self.description.percent else number(value)

    def _lay_out(self) -> QRectF:
        """Fetch, scale and place all that is drawn. Returns the plot's rectangle."""
        assert self.history is not None
        names = self.names()
        labels = short_names(names)
        metrics = QFontMetricsF(small(self.font()))
        right = room_for(labels, metrics) + 12 if len(names) > 1 else 10.0
        self._labelled = len(names) > 1 and right < 0.28 * self.width() and self.height() > 90 and not self.twins
        self._legend = []
        if not self._labelled and len(names) > 1 and self.height() >= 80:
            self._legend = paint.legend_rows(labels, metrics, self.width(), 2 if self.height() >= 150 else 1)
        rows = max(len(self._legend), 1 if self.twins and self.height() >= 80 else 0)
        legend = rows * metrics.height() + 2 if rows else 0
        top, bottom = 8 + legend, metrics.height() + 6 if self.height() > 70 else metrics.height() / 2
        first, last = self._steps_shown()
        buckets = max(16, self.width())
        found = {name: self._fetch(self.history, name, first, last, buckets) for name in names}
        twins, span = self.twins, (first, last, buckets)
        theirs = {(run, name): self._fetch(twins[run], name, *span) for run in twins for name in names}
        few = (first, last, buckets // 2)
        past = [(ghost, name, self._fetch(ghost.history, name, *few)) for ghost in self.ghosts for name in names]
        shown = [*found.values(), *theirs.values(), *(entries for _, _, entries in past)]
        low, high = self._values_shown(shown, first, last)
        height = max(10.0, self.height() - top - bottom)
        self._y = Axis(low, high, top + height, top, log=self.log_y.isChecked(), percent=self.description.percent)
        self._y.choose_ticks(round(height / 46) + 1, int(height / 18) + 1)
        left = room_for([text for _, text in self._y.ticks], metrics) + 8 if self.width() > 120 else 4.0
        right = right if self._labelled else 20.0 if self.twins else 10.0
        plot = QRectF(left, top, max(10.0, self.width() - left - right), height)
        self._x = Axis(first, last, plot.left(), plot.right(), log=self.log_x.isChecked(), whole=True)
        self._x.choose_ticks(max(2, round(plot.width() / 62)), int(plot.width() / 36) + 1)
        classes = theme.current().classes
        self._lines = [
            self._line(name, label, QColor(classes[self.description.metrics.index(name) % len(classes)]), found[name])
            for name, label in zip(names, labels, strict=True)
        ]
        self._twin_lines = [
            replace(self._line(line.name, "", line.colour, theirs[run, line.name]), raw=None, run=run)
            for run, line in itertools.product(self.twins, self._lines)
            if len(theirs[run, line.name].steps)
        ]
        colours = {line.name: line.colour for line in self._lines}
        self._ghost_lines = [(ghost, self._line(name, "", colours[name], entries)) for ghost, name, entries in past]
        return plot

    def _fetch(self, history: MetricHistory, name: str, first: float, last: float, buckets: int) -> Decimated:
        """The entries to draw. Smoothing looks back a little beyond the left edge, so that zooming changes nothing."""
        before = 4 * SMOOTHINGS[self._smoothing][1]
        if not self.log_x.isChecked():
            start = first - before * (last - first)
            return history.decimated(name, math.floor(start), math.ceil(last), round(buckets * (1 + before)))
        # on a logarithmic axis early steps need a finer level: fetch in stretches of equal width on the screen
        edges = np.unique(np.geomspace(max(1.0, first), max(2.0, last + 1), 9).round().astype(np.int64)).tolist()
        edges[0] = math.floor(first)
        pieces = []
        for start, stop in itertools.pairwise(edges):
            piece = history.decimated(name, start, stop - 1, buckets // 2)
            kept = (piece.steps >= start) & (piece.steps < stop)
            pieces.append(Decimated(*(column[kept] for column in piece)))
        return Decimated(*(np.concatenate(columns) for columns in zip(*pieces, strict=True)))

    def _values_shown(self, found: Sequence[Decimated], first: float, last: float) -> tuple[float, float]:
        """The range of y: robust against a first value out of all proportion, and steady from frame to frame."""
        log = self.log_y.isChecked()
        lows, highs, means = [], [], []
        for entries in found:
            seen = (entries.steps >= first) & (entries.steps <= last)
            seen &= (entries.low > 0) if log else np.isfinite(entries.low)
            lows.append(entries.low[seen])
            highs.append(entries.high[seen])
            means.append(entries.mean[seen])
        low_all, high_all, middle = np.concatenate(lows), np.concatenate(highs), np.concatenate(means)
        if not len(middle):
            return self._range or (0.1, 1.0)
        low, high = float(low_all.min()), float(high_all.max())
        if not log and not self.outliers.isChecked():
            ordered = np.sort(middle)  # np.quantile would take ten times as long
            a, b = (float(ordered[round(share * (len(ordered) - 1))]) for share in (0.04, 0.96))
            reach = 2.5 * max(b - a, 1e-12 + 0.02 * abs(b))
            low, high = max(low, a - reach), min(high, b + reach)
        self._range = steady_range(self._range, low, high, log=log, share=self.description.percent)
        return self._range

    def _line(self, name: str, label: str, colour: QColor, entries: Decimated) -> Line:
        x = self._x.pixels(entries.steps)
        low, high = self._y.pixels(entries.low), self._y.pixels(entries.high)
        mean = self._y.pixels(entries.mean)
        band = bool((entries.low < entries.high).any())
        bad = x[entries.bad > 0]
        if self.log_x.isChecked() and len(x) > 2:
            x, low, high, mean = one_per_pixel(x, low, high, mean)
        smoothed = smoothed_over(x, mean, SMOOTHINGS[self._smoothing][1] * (self._x.end - self._x.start))
        raw = None
        if band:
            seen = np.isfinite(low) & np.isfinite(high)
            xs = x[seen]
            raw = polygon(np.column_stack((np.r_[xs, xs[::-1]], np.r_[high[seen], low[seen][::-1]])))
        elif self._smoothing and not np.array_equal(smoothed, mean, equal_nan=True):
            raw = polygon(np.column_stack((x, mean))[np.isfinite(mean)])
        return Line(name, label, colour, x, smoothed, raw, band, bad)

    # ------------------------------------------------------------------ painting

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        if not self.names():
            self.paint_empty(painter)
            painter.end()
            return
        painter.setFont(small(self.font()))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        plot = self._lay_out()
        paint.axes(painter, plot, self._x, self._y, self.size())
        painter.save()
        painter.setClipRect(plot.adjusted(0, -3, 0, 2))
        paint.ghost_lines(painter, self._ghost_lines)
        paint.lines(painter, self._lines)
        paint.lines(painter, self._twin_lines)
        paint.crosses(painter, self._lines, plot)
        painter.restore()
        for flag in self.flags:
            if self._x.start - 1 <= self._x.pixel(flag.step) <= self._x.end + 1:
                paint.flag(painter, self._x.pixel(flag.step), plot, self.width())
        if self._labelled:
            paint.end_labels(painter, self._lines, plot)
        elif self._legend:
            paint.legend(painter, self._lines, self._legend)
        if self.twins:
            paint.letters(painter, [*self._lines, *self._twin_lines], plot)
            if plot.top() > 12:
                paint.legend_of_runs(painter, "A" + "".join(self.twins), self.width(), next(iter(self._legend), []))
        self._paint_best(painter, plot)
        self._paint_place(painter, plot)
        if self._drag is not None and self._pointer is not None and not self._drag[1]:
            left, right = sorted((self._drag[0].x(), self._pointer.x()))
            painter.fillRect(QRectF(left, plot.top(), right - left, plot.height()), faded(theme.current().accent, 0.18))
        elif (at := self._place_read()) is not None:
            step = round(min(max(at, self._x.low), self._x.high))
            readings = [(line, self._reading(line.name, step)) for line in self._lines]
            if self._cross is not None:  # where the views are rewound to a line stands already
                paint.cross_line(painter, self._x.pixel(step), plot)
            title = f"step {step:,}{' · ' + ' | '.join(('A', *self.twins)) if self.twins else ''}"
            past = [(ghost, self._ghost_reading(ghost, step)) for ghost in self.ghosts]
            paint.crosshair(painter, self._x.pixel(step), title, readings, plot, self.size(), past)
        paint_focus(painter, self)
        painter.end()

    def _place_read(self) -> float | None:
        """The step to read the metrics at: under the pointer, else where the views are rewound to."""
        if self._cross is not None or self.history is None:
            return self._cross
        span = self.history.span(self.names())
        return float(self.step) if span and span[0] <= self.step < span[1] else None

    def _paint_best(self, painter: QPainter, plot: QRectF) -> None:
        """A ring around the best point of the last metric."""
        best = self._best()
        if best is None:
            return
        at = QPointF(self._x.pixel(best[0]), self._y.pixel(best[1]))
        if plot.adjusted(-2, -2, 2, 2).contains(at):
            paint.best(painter, at, f"best {self._text(best[1])}", plot, over=self.description.best == "low")

    def _best(self) -> tuple[int, float] | None:
        names = self.names()
        if not self.description.best or self.history is None or not names:
            return None
        return self.history.best(names[-1], lowest=self.description.best == "low")

    def _paint_place(self, painter: QPainter, plot: QRectF) -> None:
        """Where the run stands, when that is not its end: what lies ahead is veiled."""
        assert self.history is not None
        span = self.history.span(self.names())
        x = self._x.pixel(self.step)
        if span is None or self.step >= span[1] or not plot.left() <= x <= plot.right() - 2:
            return
        look = theme.current()
        painter.fillRect(QRectF(x, plot.top() - 3, plot.right() - x + 1, plot.height() + 4), faded(look.panel, 0.6))
        painter.fillRect(QRectF(round(x) - 1, plot.top(), 2, plot.height()), QColor(look.accent))

    def _reading(self, name: str, step: int) -> str:
        """A metric's value at a step, as text; where runs are compared, that of each."""
        unit = f" {self.description.unit}" if self.description.unit else ""
        runs = [history for history in (self.history, *self.twins.values()) if history is not None]
        values = [value_at(history, name, step) for history in runs]
        return " | ".join("–" if value is None else self._text(value) + unit for value in values)

    def _ghost_reading(self, ghost: Ghost, step: int) -> str:
        """The values of an earlier run at a step, in the order of the lines."""
        values = [value_at(ghost.history, line.name, step) for line in self._lines]
        if all(value is None for value in values):
            return "ended"
        return " · ".join("–" if value is None else self._text(value) for value in values)

    # ------------------------------------------------------------------ mouse and keys

    def zoom(self, factor: float, at: float | None = None) -> None:
        """Magnify the steps by `factor` about the pixel `at` (the middle)."""
        span = self.history.span(self.names()) if self.history else None
        if span is None or span[1] <= span[0]:
            return
        at = (self._x.start + self._x.end) / 2 if at is None else at
        ends = [at + (edge - at) / factor for edge in (self._x.start, self._x.end)]
        self._show_steps(self._x.value(ends[0]), self._x.value(ends[1]))

    def _show_steps(self, first: float, last: float) -> None:
        span = self.history.span(self.names()) if self.history is not None else None
        if span is None:  # a curve that is drawn no more
            return
        if last - first >= span[1] - span[0]:
            self.reset_view()
            return
        if last - first < 2:
            middle = (first + last) / 2
            first, last = middle - 1, middle + 1
        shift = max(0.0, span[0] - first) - max(0.0, last - span[1])
        self.window_of_steps, self._range = (first + shift, last + shift), None
        self._follows = last + shift >= span[1]
        self._x.low, self._x.high = self.window_of_steps  # the next turn of the wheel may come before the next paint
        self.update()

    def _move(self, pixels: float, window: tuple[float, float]) -> None:
        axis = Axis(*window, self._x.start, self._x.end, log=self._x.log)
        self._show_steps(axis.value(axis.start - pixels), axis.value(axis.end - pixels))

    def mousePressEvent(self, event: Any) -> None:
        if self.names() and event.button() in (Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton):
            pans = event.button() == Qt.MouseButton.MiddleButton or bool(
                event.modifiers() & Qt.KeyboardModifier.ShiftModifier
            )
            self._drag = (event.position(), pans, self._steps_shown())
        else:
            super().mousePressEvent(event)

    def mouseMoveEvent(self, event: Any) -> None:
        self._pointer = event.position()
        if not self._lines:
            return
        if self._drag is not None and self._drag[1] and self.window_of_steps is not None:
            self._move(self._pointer.x() - self._drag[0].x(), self._drag[2])
        inside = self._x.start - 4 <= self._pointer.x() <= self._x.end + 4
        self._cross = self._x.value(self._pointer.x()) if inside else None
        near = [flag for flag in self.flags if abs(self._x.pixel(flag.step) - self._pointer.x()) <= 5]
        top = self._pointer.y() < self._y.end + 14
        self.tell(event.position().toPoint(), "\n".join(f"step {f.step:,}: {f.text}" for f in near) if top else "")
        self.update()

    def mouseReleaseEvent(self, event: Any) -> None:
        drag, self._drag = self._drag, None
        if drag is None or drag[1]:
            return
        start, end = sorted((drag[0].x(), event.position().x()))
        if end - start > 5:
            self._show_steps(self._x.value(max(start, self._x.start)), self._x.value(min(end, self._x.end)))
        self.update()

    def mouseDoubleClickEvent(self, event: Any) -> None:
        self.reset_view()

    def wheelEvent(self, event: Any) -> None:
        notches = (event.angleDelta().y() or event.angleDelta().x()) / 120
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.smooth(self._smoothing + (1 if notches > 0 else -1))
        elif self._lines and notches:
            self.zoom(1.25**notches, event.position().x())
        event.accept()

    def enterEvent(self, event: Any) -> None:
        self._controls.setVisible(bool(self.names()) and self.width() >= 200 and self.height() >= 110)
        self._place_controls()

    def leaveEvent(self, event: QEvent) -> None:
        self._controls.hide()
        self._cross = self._pointer = None
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._place_controls()

    def _place_controls(self) -> None:
        wide = sum(chip.sizeHint().width() + 4 for chip in self._controls.chips)
        rises = self.description.percent or self.description.best == "high"  # then the corner below is empty
        self._controls.arrange(self.width() - wide - 2, self.height() - 46 if rises else 2, wide + 2)

    def keyPressEvent(self, event: Any) -> None:
        key, span = event.key(), self._x.high - self._x.low
        if not self._lines:
            super().keyPressEvent(event)
        elif key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            middle = (self._x.start + self._x.end) / 2
            at = middle if self._cross is None else self._x.pixel(self._cross)
            pixels = max((self._x.end - self._x.start) / 100, (self._x.end - self._x.start) / span)
            moved = self._x.value(at + (pixels if key == Qt.Key.Key_Right else -pixels))
            self._cross = min(max(moved, self._x.low), self._x.high)
            self.update()
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal, Qt.Key.Key_Minus):
            about = None if self._cross is None else self._x.pixel(self._cross)
            self.zoom(0.8 if key == Qt.Key.Key_Minus else 1.25, about)
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_0):
            self.reset_view()
        elif key == Qt.Key.Key_Escape and self._cross is not None:
            self._cross = None
            self.update()
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: Any) -> None:
        self.update()

    def focusOutEvent(self, event: Any) -> None:
        self.update()
