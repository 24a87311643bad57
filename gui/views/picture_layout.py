"""Where groups of pictures lie in a view: as large as fit, columns in line, captions only where they tell something."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from PySide6.QtGui import QFontMetricsF, QImage

from engine.payloads import ImageGroup
from gui.views.scales import room_for

GAP = 4  # between two pictures
LEAST = 14  # pictures do not become smaller than this: rather are some left out


@dataclass
class Grid:
    """Where one group lies. Lengths are in device pixels, so that every pixel of a picture is equally large."""

    group: ImageGroup
    columns: int
    shown: int
    width: int  # of a picture
    height: int
    across: int  # from one picture to the next
    down: int
    caption: int  # what a line of captions takes, 0 where there are none
    foot: bool  # one line of captions, below all rows
    left: int = 0
    top: int = 0
    label_top: int | None = None
    image: QImage | None = None

    @property
    def rows(self) -> int:
        return -(-self.shown // self.columns)

    @property
    def tall(self) -> int:
        return self.rows * self.down + (self.caption if self.foot else 0)

    def place(self, index: int) -> tuple[int, int]:
        """The left and top of a picture."""
        return self.left + index % self.columns * self.across, self.top + index // self.columns * self.down


class Room:
    """What a view has for its pictures, in device pixels, and how they are laid out there.

    `columns`: as described, 0 for as many as fit. `labelled`: the groups' names are written above them. `metrics`: of
    captions and names.
    """

    def __init__(
        self, width: int, height: int, ratio: float, metrics: QFontMetricsF, columns: int, labelled: bool
    ) -> None:
        self.width, self.height, self.ratio, self.metrics = width, height, ratio, metrics
        self.columns, self.labelled = columns, labelled
        self.gap, self.least = round(GAP * ratio), round(LEAST * ratio)
        self.line = math.ceil(metrics.height() * ratio)
        self.counts: dict[int, int] = {}  # by the group's id
        self.told = True  # whether captions are written
        self.mute: set[int] = set()  # ids of groups that have none
        self._widths: dict[tuple[str, ...], float] = {}  # of the widest of some captions

    def plan(self, groups: Sequence[ImageGroup], counts: Sequence[int] = ()) -> tuple[list[Grid], int]:
        """The grids, all pictures of the largest common width at which they fit; and how many are left out.

        `counts`: for how many pictures of each group room is kept, so that sizes stay while their number changes.
        """
        self.counts = {id(group): count for group, count in zip(groups, counts, strict=False)}
        self.told = True
        # of groups in line with one row each and the same captions, the lowest one has them
        single = self.columns and all(len(group.pixels) <= self.columns for group in groups)
        self.mute = {id(group) for group in groups[:-1] if single and group.captions == groups[-1].captions}
        grids = self._plan(groups)
        if any(grid.caption for grid in grids):  # captions are worth a little room, not the pictures
            self.told = False
            bare, kept = self._plan(groups), sum(grid.shown for grid in grids)
            if kept < sum(grid.shown for grid in bare) or grids[0].width < max(0.8 * bare[0].width, 22 * self.ratio):
                grids = bare
        for grid in grids:
            grid.shown = min(grid.shown, len(grid.group.pixels))
        return grids, sum(len(group.pixels) for group in groups) - sum(grid.shown for grid in grids)

    def _plan(self, groups: Sequence[ImageGroup]) -> list[Grid]:
        label = math.ceil((self.metrics.height() + 3) * self.ratio)
        named = [bool(group.name) and self.labelled for group in groups]
        labels = label * sum(named)
        between = 4 * self.gap  # groups that stand side by side
        share = (self.width - between * (len(groups) - 1)) // len(groups)
        beside, width = False, self._widest(groups, self.width, self.height - labels, sum)
        # groups of equally many stand below one another or side by side, whichever shows them larger
        if len(groups) > 1 and not self.columns and len({self._count(group) for group in groups}) == 1:
            aside = self._widest(groups, share, self.height - (label if labels else 0), max)
            beside, width = (True, aside) if aside > 1.05 * width else (False, width)
        fits = width > 0
        width = self._snapped(max(group.pixels.shape[2] for group in groups), width or self.least)
        grids = [self._grid(group, width, share if beside else self.width) for group in groups]
        if not fits:
            labels += self.line  # "… 1,200 more"
            grids = cut(grids, self.height - labels)
        across = [grid.columns * grid.across - self.gap for grid in grids]
        if beside:
            wide, tall = sum(across) + between * (len(grids) - 1), max(g.tall for g in grids) + (label if labels else 0)
        else:
            wide, tall = max(across), sum(grid.tall for grid in grids) + labels
        x, y = max(0, (self.width - wide) // 2), max(0, (self.height - tall) // 2)
        for grid, its_width, has_name in zip(grids, across, named, strict=False):
            grid.left, grid.top = x, y
            if has_name:
                grid.label_top, grid.top = y, y + label
            if beside:
                x += its_width + between
            else:
                y = grid.top + grid.tall
        return grids

    def _count(self, group: ImageGroup) -> int:
        return max(len(group.pixels), self.counts.get(id(group), 0))

    def _widest(
        self, groups: Sequence[ImageGroup], across: int, down: int, together: Callable[[Iterable[int]], int]
    ) -> int:
        """The largest width of a picture with which groups, each `across` wide, are at most `down` high; 0 if none."""

        def fits(width: int) -> bool:
            return together([self._grid(group, width, across).tall for group in groups]) <= down

        least, most = self.least, max(self.least, across, down)
        if not fits(least):
            return 0
        while most - least > 1:  # the height grows with the width of the pictures
            middle = (least + most) // 2
            least, most = (middle, most) if fits(middle) else (least, middle)
        return least

    def _snapped(self, columns: int, width: int) -> int:
        """A width at which the pixels of pictures with so many columns are equally large, where that costs little."""
        times = width // columns
        return times * columns if 1 <= times <= 6 and times * columns > 0.86 * width else width

    def _grid(self, group: ImageGroup, width: int, across: int) -> Grid:
        """The grid of a group whose pictures are at most `width` wide, in a room `across` wide."""
        count, (rows, columns) = self._count(group), group.pixels.shape[1:3]
        fitting = self.columns or max(1, (across + self.gap) // (width + self.gap))
        if self.columns:
            width = self._snapped(columns, min(width, max(1, (across + self.gap) // fitting - self.gap)))
        width = min(width, across)
        used = max(1, min(fitting, count) if self.columns else -(-count // -(-count // fitting)))
        height = max(1, round(width * rows / columns))
        told = captioned(group.captions, used) if self.told and id(group) not in self.mute else ""
        if told:
            if group.captions not in self._widths:
                self._widths[group.captions] = room_for(group.captions, self.metrics) * self.ratio
            widest = self._widths[group.captions]
            # names may be cut a little; more is told on hovering only
            if widest > 1.5 * (width + self.gap):
                told = ""
        step = width + self.gap
        if told:  # where there is room beside the pictures, captions have it
            step = max(step, min(math.ceil(widest) + self.gap, (across + self.gap) // used))
        line = self.line if told else 0
        down = height + self.gap + (line if told == "each" else 0)
        return Grid(group, used, count, width, height, step, down, line, told == "foot")


def cut(grids: list[Grid], room: int) -> list[Grid]:
    """Leave out rows, of the longest group first, until the rest fits; then whole groups."""
    while sum(g.tall for g in grids) > room:
        longest = max(grids, key=lambda g: g.rows)
        if longest.rows > 1:
            surplus = sum(g.tall for g in grids) - room
            others = max((g.rows for g in grids if g is not longest), default=1)
            rows = max(1, min(longest.rows - 1, max(others, longest.rows - surplus // longest.down)))
            longest.shown = rows * longest.columns
        elif len(grids) > 1:
            grids = grids[:-1]
        else:
            break
    return grids


@lru_cache(maxsize=64)
def captioned(captions: tuple[str, ...], columns: int) -> str:
    """Where captions are written: under "each" picture; at the "foot" where every row has the same ones; nowhere where
    they merely count (filter 1, filter 2 …), which hovering tells as well."""
    if not captions or (len(captions) >= 4 and counts(captions)):
        return ""
    rows = {captions[i : i + columns] for i in range(0, len(captions), columns)}
    return "foot" if len(captions) > columns and len(rows) == 1 else "each"


def counts(captions: tuple[str, ...]) -> bool:
    """Whether captions are one word and the numbers from 0 or 1 on."""
    word = captions[0].rstrip("0123456789")
    return bool(word.strip()) and any(
        all(caption == f"{word}{i + first}" for i, caption in enumerate(captions)) for first in (0, 1)
    )
