"""Paths on a surface: cut to its extent, laid on it, drawn with a ball where they are now."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QRadialGradient

from engine.payloads import Array
from gui.views.parts import draw_lines, faded
from gui.views.surface_paint import Ground

MOST = 500  # steps of a trail that are drawn: of more, evenly many are left out
DARK = "#0b0d12"  # around what lies on the surface, so that it is seen on every colour
NEAR = 0.004  # places of a trail nearer to one another are left out: a ball at rest would cost as one that rolls
FINE = 0.025  # a trail follows the surface in pieces of this share of it


@dataclass
class Trail:
    """A path cut to the extent: pieces in the box (N, 2, 3), and where it is now (or where it left, and which way)."""

    name: str
    tint: QColor
    pieces: Array
    end: Array | None
    way: Array | None = None  # (2,) in shares: set where the path has left


def inside(path: Array) -> tuple[Array, Array, Array]:
    """The parts of the steps of (K, 2) shares that lie within 0..1: from, to, and which steps they are."""
    begin, along = path[:-1], path[1:] - path[:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        first, second = (0 - begin) / along, (1 - begin) / along
        still, within = along == 0, (begin >= 0) & (begin <= 1)
        enter = np.where(still, np.where(within, -np.inf, np.inf), np.minimum(first, second)).max(axis=1, initial=0)
        leave = np.where(still, np.where(within, np.inf, -np.inf), np.maximum(first, second)).min(axis=1, initial=1)
        kept = np.flatnonzero(leave > enter)
    begin, along = begin[kept], along[kept]
    return begin + along * enter[kept, None], begin + along * leave[kept, None], kept


def laid(ground: Ground, name: str, tint: QColor, path: Array) -> Trail:
    """A path cut to the extent and laid on the surface."""
    if len(path) > MOST:
        stride = 1 << (len(path) // MOST).bit_length()  # seldom another: the trail keeps its shape while it grows
        path = np.concatenate([path[:-1:stride], path[-1:]])
    shares = ground.to_shares(path).clip(-1e6, 1e6)
    finite = np.isfinite(shares).all(axis=1)
    broken = bool(len(shares)) and not finite[-1]
    shares = shares[finite]
    empty = np.zeros((0, 2, 3))
    if not len(shares):
        return Trail(name, tint, empty, None)
    way = np.abs(np.diff(shares, axis=0)).sum(axis=1).cumsum() // NEAR
    kept = np.concatenate([[True], np.diff(way, prepend=0) > 0])
    kept[-1] = True
    shares = shares[kept]
    begin, end, steps = inside(shares)
    # each part in so many pieces that it follows the surface
    count = np.ceil(np.abs(end - begin).max(axis=1) / FINE).clip(1, 60).astype(int)
    which = np.repeat(np.arange(len(begin)), count)
    order = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
    one, two = ((order + k) / count[which] for k in (0, 1))
    pieces = np.stack([begin[which] + (end - begin)[which] * share[:, None] for share in (one, two)], axis=1)
    pieces = pieces.clip(0, 1)
    here = shares[-1]
    if broken or (here < 0).any() or (here > 1).any():
        if not len(end):
            alone = broken and (here >= 0).all() and (here <= 1).all()
            return Trail(name, tint, empty, here if alone else None, np.zeros(2))
        way = shares[steps[-1] + 1] - shares[steps[-1]]
        return Trail(name, tint, ground.on(pieces), end[-1].clip(0, 1), way)
    return Trail(name, tint, ground.on(pieces), here)


def paint_trails(painter: QPainter, ground: Ground, trails: list[Trail], width: float) -> None:
    """The trails on the surface, faint where a hill is before them."""
    if not trails:
        return
    ends = np.cumsum([len(trail.pieces) for trail in trails])[:-1]
    pieces = np.concatenate([trail.pieces for trail in trails])
    pixels, behind = ground.pixels(pieces)[0].reshape(-1, 4), ground.hidden(pieces.mean(axis=1))
    flat, round_ = Qt.PenCapStyle.FlatCap, Qt.PenCapStyle.RoundCap
    for trail, lines, back in zip(trails, np.split(pixels, ends), np.split(behind, ends), strict=True):
        whole = np.isfinite(lines).all(axis=1)
        for tint, breadth, cap, shown in (
            (faded(trail.tint, 0.35), width - 0.8, flat, back),
            (QColor(DARK), width + 2, round_, ~back),
            (trail.tint, width, round_, ~back),
        ):
            painter.setPen(QPen(tint, breadth, Qt.PenStyle.SolidLine, cap))
            draw_lines(painter, lines[shown & whole])


def seat(ground: Ground, uv: Array) -> tuple[QPointF, bool] | None:
    """Where a place of the surface is seen, and whether a hill hides it."""
    place = ground.on(np.asarray(uv, np.float64)[None])
    if not np.isfinite(place).all():
        return None
    x, y = ground.pixels(place)[0][0].tolist()
    return QPointF(x, y), bool(ground.hidden(place + np.array([0, 0, 0.03]))[0])


def paint_end(painter: QPainter, ground: Ground, trail: Trail, radius: float) -> tuple[QPointF, str, QColor] | None:
    """The ball where a path is now, or an arrow where it has left; returns what is to be written there."""
    found = None if trail.end is None else seat(ground, trail.end)
    if found is None or trail.end is None:
        return None
    at, behind = found
    painter.save()
    painter.setOpacity(0.45 if behind else 1.0)
    if trail.way is not None:
        at = _paint_leaving(painter, ground, trail, at)
    else:
        at -= QPointF(0, 0.6 * radius)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(faded("#000000", 0.0 if behind else 0.35))
        painter.drawEllipse(at + QPointF(0, 0.8 * radius), radius, radius * 0.5)
        shine = QRadialGradient(at - QPointF(0.35, 0.4) * radius, 1.5 * radius)
        shine.setColorAt(0, QColor("#ffffff"))
        shine.setColorAt(0.2, trail.tint.lighter(112))
        shine.setColorAt(0.5, trail.tint)
        shine.setColorAt(1, trail.tint.darker(170))
        painter.setPen(QPen(trail.tint if behind else QColor(DARK), 2 if behind else 1))
        painter.setBrush(trail.tint if behind else shine)
        painter.drawEllipse(at, radius, radius)
    painter.restore()
    text = f"{trail.name or 'path'} left the picture" if trail.way is not None else trail.name
    return (at, text, trail.tint) if text else None


def _paint_leaving(painter: QPainter, ground: Ground, trail: Trail, at: QPointF) -> QPointF:
    """An arrow out of the extent; returns where its head is."""
    assert trail.end is not None
    assert trail.way is not None
    here = ground.on(trail.end[None])[0]
    along = trail.way / max(float(np.abs(trail.way).max()), 1e-12) * 0.1
    there = here + np.array([2 * along[0] * ground.half[0], 2 * along[1] * ground.half[1], 0])
    step = ground.pixels(there[None])[0][0] - (at.x(), at.y())
    length = float(np.hypot(*step))
    unit = step / length if length > 1e-6 else np.array([1.0, 0.0])
    across = np.array([-unit[1], unit[0]])
    start = np.array([at.x(), at.y()])
    head = start + unit * 20
    for ink, width in ((QColor(DARK), 4.0), (trail.tint, 2.2)):
        painter.setPen(QPen(ink, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin))
        barbs = [[*head, *(head - unit * 8 + across * 5)], [*head, *(head - unit * 8 - across * 5)]]
        draw_lines(painter, np.array([[*start, *head], *barbs]))
    return QPointF(*head)
