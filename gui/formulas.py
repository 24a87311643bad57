"""LaTeX to pictures: ziamath makes an SVG of outlines, QtSvg paints it sharply in the colour of the text.

Typesetting takes 5 to 60 ms, so it runs on a thread of its own and is kept; painting an SVG takes less than one.
"""

from __future__ import annotations

import math
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

_typesetter = ThreadPoolExecutor(1, thread_name_prefix="formulas")


@dataclass(frozen=True)
class Formula:
    """A typeset formula, in black. Lengths are in pixels at the text size it was set for."""

    svg: str
    width: float
    ascent: float  # above the baseline
    descent: float  # below it


@lru_cache(maxsize=512)
def typeset(latex: str, size: float, display: bool) -> Formula | None:
    """Set a formula; None where it cannot be understood (the text is then shown as it was written)."""
    from ziamath.config import config  # here, because it takes 0.15 s and the gallery has no formulas
    from ziamath.zmath import Latex

    config.svg2 = False  # QtSvg draws blanks for SVG 2's references
    try:
        math_ = Latex(latex, size=size, inline=not display)
        svg = math_.svg()
        width, height = math_.getsize()
        descent = -float(math_.getyofst())
    except Exception:  # it raises what its parsers raise: KeyError, IndexError, ParseError …
        return None
    margin = float(math_.margin)
    return Formula(svg, float(width) + 2 * margin, float(height) - descent + margin, descent + margin)


def typeset_all(formulas: tuple[tuple[str, bool], ...], size: float) -> Future[list[Formula | None]]:
    """Set formulas, each with whether it stands alone, on the typesetter's thread."""
    return _typesetter.submit(lambda: [typeset(latex, size, display) for latex, display in formulas])


def paint(
    formula: Formula, colour: str, ratio: float, *, above: float | None = None, below: float | None = None
) -> QImage:
    """A picture of a formula for a screen of that device pixel ratio, padded to `above` and `below` the baseline."""
    above = formula.ascent if above is None else above
    below = formula.descent if below is None else below
    image = QImage(
        math.ceil(formula.width * ratio), math.ceil((above + below) * ratio), QImage.Format.Format_ARGB32_Premultiplied
    )
    image.setDevicePixelRatio(ratio)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    renderer = QSvgRenderer(QByteArray(formula.svg.encode()))
    renderer.render(painter, QRectF(0, above - formula.ascent, formula.width, formula.ascent + formula.descent))
    # one colour over the black outlines: the alpha of the drawing stays
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceIn)
    painter.fillRect(QRectF(0, 0, formula.width + 1, above + below + 1), QColor(colour))
    painter.end()
    return image
