"""A scatter in the plane: classes, values, pictures, paths, a handle to drag."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QImage, QPainter, QPen

from engine.payloads import Array, PointPick, PointsData
from gui import colour, theme
from gui.format import number
from gui.views import point_names
from gui.views.card import HoverCard
from gui.views.parts import Chip, ChipRow, Throttle, faded, image_of, paint_focus, polygon, small
from gui.views.plane import Bounds, Plane, Sprites, spread, union
from gui.views.shared import Scales

SHADES = 33  # colours of points that have values instead of classes
REACH = 11.0  # pixels within which a point counts as hit
PICTURE = 84  # the side of a point's picture on its card
NAMED = 150  # up to so many points have their names written beside them


class PointsView(Plane):
    """Shows PointsData. A click picks a point, the handle can be dragged, a class's chip shows it alone."""

    def __init__(self, description: Any, *, probes: bool = False, edits: bool = False) -> None:
        super().__init__(description, probes=probes, edits=edits)
        self.equal = getattr(description, "equal", True)
        self.legend = ChipRow(self)
        self.lit: set[int] = set()  # classes shown strongly; none: all
        self.selected = -1  # the point under the pointer or chosen by keys
        self.handle: tuple[float, float] | None = None
        self._sending = Throttle(self, self.send, 16)
        self._dragging = False
        self._sprites: tuple[Any, Sprites] | None = None
        self._backdrop: QImage | None = None
        self._names: tuple[str, ...] = ()
        self._card: HoverCard | None = None
        self._tinted: tuple[float, float] | None = None  # the range of the points' values

    def points(self) -> PointsData | None:
        """The points of the payload."""
        data: PointsData | None = self.payload
        return data

    # --------------------------------------------------------------------------------------------- payload

    def take(self, payload: Any) -> None:
        data = self.points()
        if data is not None:
            self.take_points(data)
        self.aim(self.target())
        self.tell_selected()

    def take_points(self, data: PointsData) -> None:
        """React to new points: legend, backdrop, handle."""
        if data.classes != self._names:
            self._names = data.classes
            self.lit &= set(range(len(data.classes)))
            self.make_chips(data.classes)
        if self.selected >= len(data.xy):
            self.selected = -1
        if not self._dragging:
            self.handle = data.cursor
        self._tinted = None if data.values is None else colour.limits(data.values, "diverging")
        self._backdrop = None if data.backdrop is None else image_of(data.backdrop, "grey", 0.0, 1.0)

    def target(self) -> Bounds | None:
        """The range to show."""
        data = self.points()
        if data is None:
            return None
        found = data.extent or spread(np.concatenate([data.xy, *data.paths]) if data.paths else data.xy)
        if data.cursor is not None and np.isfinite(data.cursor).all():
            found = union(found, (data.cursor[0], data.cursor[0], data.cursor[1], data.cursor[1]))
            if found is not None and (found[0] == found[1] or found[2] == found[3]):
                found = spread(np.array([data.cursor]))
        return found

    def scales(self) -> Scales:
        return super().scales() | ({} if self._tinted is None else {"points": self._tinted})

    def place(self) -> Any:
        return *super().place(), self.selected, frozenset(self.lit)

    def point(self, place: Any) -> None:
        data = self.points() if self.payload is not None else None
        self.lit = set(place[3])
        self.selected = place[2] if data is not None and place[2] < len(data.xy) else -1
        self._show_lit()
        super().point(place[:2] if self.selected < 0 else (None, place[1]))  # a ring around the point says it better
        self.tell_selected()

    def clear(self) -> None:
        self.selected, self.handle = -1, None
        super().clear()
        self.tell_selected()

    def reset_view(self) -> None:
        self.lit.clear()
        self.selected = -1
        self._show_lit()
        super().reset_view()
        self.tell_selected()

    # ----------------------------------------------------------------------------------------------- chips

    def make_chips(self, classes: tuple[str, ...]) -> None:
        """One chip per class."""
        look = theme.current()
        chips = []
        for index, name in enumerate(classes):
            chip = Chip(
                self.legend,
                name,
                swatch=look.classes[index % len(look.classes)],
                help=f"Show {name} alone, or all again",
            )
            chip.clicked.connect(lambda _=False, index=index: self.toggle_class(index))
            chips.append(chip)
        self.legend.fill(chips)
        self.arrange()

    def toggle_class(self, index: int) -> None:
        """Dim all classes but those chosen; the last one unchosen shows all again."""
        self.lit ^= {index}
        self._show_lit()
        self.tell_place()

    def _show_lit(self) -> None:
        for index, chip in enumerate(self.legend.chips):
            chip.dimmed = bool(self.lit) and index not in self.lit
            chip.update()
        self.update()

    def arrange(self) -> None:
        """Place the chips, where there is room for them: in two lines if need be, so that all have their names."""
        shown = bool(self.legend.chips) and self.height() >= 110 and self.width() >= 100
        self.legend.setVisible(shown)
        self.strip = 0
        if shown:
            self.legend.arrange(4, 2, self.width() - 8, 2 if self.height() >= 170 else 1)
            self.strip = self.legend.height()

    def resizeEvent(self, event: Any) -> None:
        self.arrange()

    def restyle(self) -> None:
        self._sprites = None
        self.make_chips(self._names)
        super().restyle()

    # -------------------------------------------------------------------------------------------- painting

    def class_colour(self, label: int) -> QColor:
        """The colour of a class; that of -1 is muted."""
        look = theme.current()
        return QColor(look.muted) if label < 0 else QColor(look.classes[label % len(look.classes)])

    def radius(self, count: int) -> float:
        """How large the points are: smaller where they are many or the view is small."""
        size = 4.4 if count <= 300 else 3.6 if count <= 1000 else 2.8 if count <= 4000 else 2.1
        return size * (0.75 if min(self.width(), self.height()) < 200 else 1.0)

    def sprites(self, count: int, valued: bool) -> Sprites:
        """Pre-drawn points; made anew only where theme, size or screen change."""
        look, radius, ratio = theme.current(), self.radius(count), self.devicePixelRatioF()
        key = (look.name, radius, ratio, valued)
        if self._sprites is None or self._sprites[0] != key:
            if valued:
                shades = colour.colourise(np.linspace(-1, 1, SHADES), "diverging", -1, 1)
                colours = tuple(QColor(*map(int, shade)) for shade in shades)
            else:
                colours = (self.class_colour(-1), *(QColor(name) for name in look.classes))
            self._sprites = key, Sprites(colours, radius, ratio, look.panel)
        return self._sprites[1]

    def paintEvent(self, event: Any) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.payload is None:
            self.paint_empty(painter)
            paint_focus(painter, self)
            return
        self.paint_axes(painter)
        painter.save()
        painter.setClipRect(self.plot().adjusted(-1, -1, 1, 1))
        self.paint_below(painter)
        data = self.points()
        if data is not None:
            named = len(data.names) if len(data.names) <= NAMED else 0
            places = self.to_pixels(data.xy) if named else data.xy
            letters = None
            if named and max(map(len, data.names)) <= 1 and data.ringed is None:
                letters = point_names.apart(places, self.font())
            self.paint_points(painter, data, letters)
            if letters is not None:
                labels = labels_of(data)
                tints = {label: self.class_colour(label) for label in set(labels.tolist())}
                seen = self.seen(data)
                point_names.paint_letters(painter, places, data.names, letters, labels, tints, seen, self.font())
            elif named:
                radius = self.radius(len(data.xy))
                point_names.paint_beside(painter, places, data.names, self.seen(data), radius, self.font())
            self.paint_paths(painter, data)
        self.paint_above(painter)
        self.paint_there(painter)
        if self.handle is not None and np.isfinite(self.handle).all():
            self.paint_handle(painter, QPointF(*self.to_pixels(np.array(self.handle)).tolist()))
        painter.restore()
        if data is not None and 0 <= self.selected < len(data.xy) and np.isfinite(data.xy[self.selected]).all():
            self.paint_selected(painter, data, self.selected)
        paint_focus(painter, self)

    def extent_rect(self, extent: Bounds) -> QRectF:
        """A rectangle of the plane in pixels."""
        (left, top), (right, bottom) = self.to_pixels(
            np.array([(extent[0], extent[3]), (extent[1], extent[2])])
        ).tolist()
        return QRectF(QPointF(left, top), QPointF(right, bottom))

    def paint_below(self, painter: QPainter) -> None:
        """What lies under the points: the backdrop."""
        data = self.points()
        if self._backdrop is not None and data is not None and data.extent is not None:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(self.extent_rect(data.extent), self._backdrop)

    def paint_above(self, painter: QPainter) -> None:
        """What lies over points and paths."""

    def seen(self, data: PointsData) -> Array:
        """(N,) bool: points of classes that are not dimmed."""
        return np.isin(labels_of(data), list(self.lit)) if self.lit else np.ones(len(data.xy), np.bool_)

    def paint_points(self, painter: QPainter, data: PointsData, but: Array | None = None) -> None:
        """All points, or all `but` some."""
        places, area = self.to_pixels(data.xy), self.plot().adjusted(-6, -6, 6, 6)
        with np.errstate(invalid="ignore"):
            seen = (
                (places[:, 0] > area.left())
                & (places[:, 0] < area.right())
                & (places[:, 1] > area.top())
                & (places[:, 1] < area.bottom())
            )
        if but is not None:
            seen &= ~but
        if data.values is not None:
            high = self.joint.get("points", self._tinted or (-1.0, 1.0))[1]
            scaled = np.nan_to_num(data.values / high, nan=0.0, posinf=1.0, neginf=-1.0).clip(-1, 1)
            rows = np.rint((scaled + 1) * (SHADES - 1) / 2).astype(np.int64)
        elif data.labels is not None:
            rows = np.where(data.labels < 0, 0, 1 + data.labels % len(theme.current().classes))
        else:
            rows = np.ones(len(places), np.int64)
        variants = np.zeros(len(places), np.int64)
        if data.hollow is not None:
            variants += data.hollow
        if data.ringed is not None:
            variants += 2 * data.ringed
        if self.lit and data.labels is not None:
            variants += 4 * ~np.isin(data.labels, list(self.lit))
        # the emphasised ones on top, the faint ones below
        order = np.flatnonzero(seen)
        if data.ringed is not None or self.lit:
            order = order[np.argsort((variants[order] & 2) - (variants[order] & 4), kind="stable")]
        self.sprites(len(places), data.values is not None).draw(painter, places[order], rows[order], variants[order])

    def paint_paths(self, painter: QPainter, data: PointsData) -> None:
        """Trajectories, with a ring where they begin, a dot where they end, and their names."""
        look, ends = theme.current(), []
        for number_, path in enumerate(data.paths):
            path = path[np.isfinite(path).all(axis=1)]
            if not len(path):
                continue
            places = self.to_pixels(path).clip(-1e5, 1e5)
            last = places[-1]
            # one place for every 2 pixels of the way is enough
            way = np.linalg.norm(np.diff(places, axis=0), axis=1).cumsum() // 2
            kept = np.concatenate([[True], np.diff(way, prepend=0) > 0])
            kept[-1] = True
            tint = self.class_colour(number_)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(tint, 1.8))
            painter.drawPolyline(polygon(places[kept]))
            painter.setBrush(QColor(look.panel))
            painter.drawEllipse(QPointF(*places[0].tolist()), 3, 3)
            painter.setPen(QPen(QColor(look.panel), 1.2))
            painter.setBrush(tint)
            painter.drawEllipse(QPointF(*last.tolist()), 5, 5)
            if number_ < len(data.path_names) and data.path_names[number_]:
                ends.append((float(last[1]), float(last[0]), data.path_names[number_], tint))
        font = small(self.font())
        painter.setFont(font)
        metrics, area, free = QFontMetricsF(font), self.plot(), -1e9
        if len(ends) * metrics.height() > 0.6 * area.height():
            return  # the names would hide what they name
        for y, x, name, tint in sorted(ends, key=lambda end: end[0]):
            width = metrics.horizontalAdvance(name)
            # names of paths that end together stand below one another
            top = min(max(y - metrics.height() / 2, free, area.top()), area.bottom() - metrics.height())
            free = top + metrics.height()
            left = x + 9 if x + 12 + width < area.right() else x - 12 - width
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(faded(look.panel, 0.75))
            painter.drawRoundedRect(QRectF(left - 3, top, width + 6, metrics.height()), 3, 3)
            painter.setPen(tint)
            painter.drawText(QPointF(left, top + metrics.ascent()), name)

    def paint_selected(self, painter: QPainter, data: PointsData, index: int) -> None:
        """A ring around one point."""
        at = QPointF(*self.to_pixels(data.xy[index]).tolist())
        if self.plot().adjusted(-6, -6, 6, 6).contains(at):
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(theme.current().text), 1.8))
            painter.drawEllipse(at, self.radius(len(data.xy)) + 3, self.radius(len(data.xy)) + 3)

    def lines_about(self, data: PointsData, index: int) -> list[str]:
        """What the card beside a point says."""
        lines = [data.names[index]] if data.names else []
        if data.labels is not None:
            label = int(data.labels[index])
            known = 0 <= label < len(data.classes)
            lines.append(data.classes[label] if known else "no class" if label < 0 else f"class {label}")
        if data.values is not None:
            lines.append(f"value {number(float(data.values[index]))}")
        lines.append(f"{number(float(data.xy[index, 0]))}, {number(float(data.xy[index, 1]))}")
        if data.hollow is not None and data.hollow[index]:
            lines.append("test")
        return lines

    def tell_selected(self) -> None:
        """Repaint, and bring the card beside the chosen point up to date."""
        self.update()
        data, index = self.points() if self.payload is not None else None, self.selected
        shows = self.isVisible() and not self.following  # the card stands where the pointer is
        seen = shows and data is not None and 0 <= index < len(data.xy) and np.isfinite(data.xy[index]).all()
        at = QPointF(*self.to_pixels(data.xy[index]).tolist()) if seen else QPointF()  # type: ignore[union-attr]
        if data is None or not seen or not self.plot().adjusted(-6, -6, 6, 6).contains(at):
            if self._card is not None:
                self._card.drop(self)
                self._card = None
            return
        picture = None
        if data.pictures is not None:
            side = round(PICTURE * self.devicePixelRatioF())
            picture = image_of(data.pictures[index], "grey", 0.0, 1.0).scaled(side, side)
            picture.setDevicePixelRatio(self.devicePixelRatioF())
        swatch = None if data.labels is None else self.class_colour(int(data.labels[index]))
        self._card = HoverCard.of(self)
        reach = self.radius(len(data.xy)) + 4
        area = QRectF(at.x() - reach, at.y() - reach, 2 * reach, 2 * reach)
        self._card.tell(self, area, self.lines_about(data, index), picture, swatch)

    # ----------------------------------------------------------------------------------- mouse and keyboard

    def hit(self, at: QPointF) -> int:
        """The point within reach of a pixel, else -1."""
        data = self.points()
        if data is None or not len(data.xy):
            return -1
        distance = ((self.to_pixels(data.xy) - (at.x(), at.y())) ** 2).sum(axis=1)
        distance[~np.isfinite(distance)] = np.inf
        if self.lit and data.labels is not None:
            distance[~np.isin(data.labels, list(self.lit))] = np.inf
        nearest = int(distance.argmin())
        return nearest if distance[nearest] <= REACH**2 else -1

    def over_handle(self, at: QPointF) -> bool:
        if self.handle is None or not (self.probes or self.edits):
            return False
        x, y = self.to_pixels(np.array(self.handle)).tolist()
        return bool((x - at.x()) ** 2 + (y - at.y()) ** 2 <= 15**2)

    def seize(self, at: QPointF) -> bool:
        self._dragging = self.over_handle(at)
        return self._dragging

    def drag(self, at: QPointF) -> None:
        area = self.plot()
        inside = QPointF(min(max(at.x(), area.left()), area.right()), min(max(at.y(), area.top()), area.bottom()))
        self.move_handle(*self.to_plane(inside))

    def drop(self, at: QPointF) -> None:
        self._sending.flush()
        self._dragging = False

    def move_handle(self, x: float, y: float) -> None:
        """Move the handle and tell so."""
        self.handle = (x, y)
        self._sending.push(PointPick(x, y))
        self.update()

    def clicked(self, at: QPointF) -> None:
        if not self.plot().contains(at):
            return
        index, (x, y) = self.hit(at), self.to_plane(at)
        self.selected = index
        if index < 0 and self.handle is not None and (self.probes or self.edits):
            self.handle = (x, y)
        self.pick(x, y, index)
        self.tell_selected()

    def pick(self, x: float, y: float, index: int) -> None:
        """Tell what was clicked."""
        self.send(PointPick(x, y, index))

    def hovered(self, at: QPointF | None) -> None:
        super().hovered(at)
        selected = -1
        if at is not None and self.payload is not None and not self._panning and not self._dragging:
            selected = self.hit(at)
            over = self.over_handle(at)
            self.setCursor(Qt.CursorShape.OpenHandCursor if over else Qt.CursorShape.ArrowCursor)
        if selected != self.selected:
            self.selected = selected
            self.tell_selected()

    def keyPressEvent(self, event: Any) -> None:
        data, key = self.points(), event.key()
        steps = {
            Qt.Key.Key_Left: (-1, 0),
            Qt.Key.Key_Right: (1, 0),
            Qt.Key.Key_Up: (0, 1),
            Qt.Key.Key_Down: (0, -1),
        }
        shifted = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if (
            data is not None
            and key in steps
            and not shifted
            and self.handle is not None
            and (self.probes or self.edits)
        ):
            x0, x1, y0, y1 = self.bounds()
            dx, dy = steps[key]
            self.move_handle(self.handle[0] + dx * (x1 - x0) / 50, self.handle[1] + dy * (y1 - y0) / 50)
        elif data is not None and len(data.xy) and key in steps and not shifted:
            self.selected = (self.selected + sum(steps[key])) % len(data.xy)
            self.tell_selected()
        elif data is not None and key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and 0 <= self.selected < len(data.xy):
            x, y = data.xy[self.selected].tolist()
            self.pick(x, y, self.selected)
        elif Qt.Key.Key_1 <= key <= Qt.Key.Key_9 and key - Qt.Key.Key_1 < len(self.legend.chips):
            self.legend.chips[key - Qt.Key.Key_1].click()
        elif key == Qt.Key.Key_Escape and (self.lit or self.selected >= 0):
            self.lit.clear()
            self.selected = -1
            self._show_lit()
            self.tell_selected()
        else:
            super().keyPressEvent(event)

    # ---------------------------------------------------------------------------------------------- export

    def csv_rows(self) -> list[list[str]]:
        data = self.points()
        return [] if data is None else points_csv(data, self.description.x_axis or "x", self.description.y_axis or "y")

    def vector(self) -> bool:
        return True


def labels_of(data: PointsData) -> Array:
    """(N,) int, the first class where there are none."""
    return np.zeros(len(data.xy), np.int64) if data.labels is None else data.labels


def points_csv(data: PointsData, x_axis: str, y_axis: str) -> list[list[str]]:
    """Points and paths as rows of text."""
    columns: list[tuple[str, Array]] = [(x_axis, data.xy[:, 0]), (y_axis, data.xy[:, 1])]
    columns += [
        (name, array)
        for name, array in (
            ("label", data.labels),
            ("value", data.values),
            ("test", data.hollow),
            ("ringed", data.ringed),
        )
        if array is not None
    ]
    lists = [array.astype(int).tolist() if array.dtype == bool else array.tolist() for _, array in columns]
    rows = [[name for name, _ in columns], *[[str(cell) for cell in row] for row in zip(*lists, strict=True)]]
    for number_, path in enumerate(data.paths):
        name = data.path_names[number_] if number_ < len(data.path_names) else f"path {number_ + 1}"
        rows += [[], [f"{name}: {x_axis}", y_axis], *[[str(x), str(y)] for x, y in path.tolist()]]
    return rows
