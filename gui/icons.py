"""Line icons, drawn for the project: 24 units square, in the theme's colour and sharp at every scale.

They are small enough to live in code, and cost nothing until one is asked for (an icon font takes 0.2 s to load).
"""

from __future__ import annotations

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QIcon, QPainter, QPixmap

from gui import theme

_STROKES = {
    "back": "M15 5l-7 7 7 7",
    "forward": "M9 5l7 7-7 7",
    "down": "M5 9l7 7 7-7",
    "up": "M5 15l7-7 7 7",
    "close": "M6 6l12 12M18 6L6 18",
    "check": "M5 13l4.5 4.5L19 7",
    "more": "M5 12h.01M12 12h.01M19 12h.01",
    "menu": "M4 7h16M4 12h16M4 17h16",
    "search": "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16 16l4.5 4.5",
    "sun": "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4"
    "M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4",
    "moon": "M20 14.2A8.2 8.2 0 0 1 9.8 4 8.2 8.2 0 1 0 20 14.2z",
    "settings": "M4 7h9M17 7h3M4 17h3M11 17h9M15 5a2 2 0 1 0 0 4 2 2 0 0 0 0-4zM9 15a2 2 0 1 0 0 4 2 2 0 0 0 0-4z",
    "info": "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 11v5.5M12 7.5h.01",
    "warning": "M12 4L2.8 20h18.4zM12 10v4.5M12 17.2h.01",
    "keyboard": "M4 6h16a1.5 1.5 0 0 1 1.5 1.5v9A1.5 1.5 0 0 1 20 18H4a1.5 1.5 0 0 1-1.5-1.5v-9A1.5 1.5 0 0 1 4 6z"
    "M6.5 10h.01M10 10h.01M14 10h.01M17.5 10h.01M8 14.2h8",
    "play": "M7.5 4.8v14.4L19 12z",
    "pause": "M8.5 5v14M15.5 5v14",
    "step": "M6 5v14l9-7zM18.5 5v14",
    "phase": "M5 12h9M10.5 7.5L15 12l-4.5 4.5M19 8v8",
    "restart": "M4.5 12a7.5 7.5 0 1 0 2.6-5.7M4.2 3.8v4h4",
    "dice": "M6 4h12a2 2 0 0 1 2 2v12a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2V6a2 2 0 0 1 2-2zM8.5 8.5h.01M15.5 8.5h.01M12 12h.01"
    "M8.5 15.5h.01M15.5 15.5h.01",
    "live": "M12 9.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5zM6.5 6.5a7.8 7.8 0 0 0 0 11M17.5 6.5a7.8 7.8 0 0 1 0 11",
    "copy": "M9 8.5h10a1 1 0 0 1 1 1V20a1 1 0 0 1-1 1H9a1 1 0 0 1-1-1V9.5a1 1 0 0 1 1-1zM16 8.5V4a1 1 0 0 0-1-1H5a1 1 "
    "0 0 0-1 1v11a1 1 0 0 0 1 1h3",
    "export": "M12 15.5V4M7.5 8L12 3.5 16.5 8M4.5 14v5a1.5 1.5 0 0 0 1.5 1.5h12a1.5 1.5 0 0 0 1.5-1.5v-5",
    "save": "M5 4h11l4 4v11a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1V5a1 1 0 0 1 1-1zM8 4v5h7V4M8 20v-6h8v6",
    "folder": "M3 7a1.5 1.5 0 0 1 1.5-1.5h4.6l2.2 2.5h8.2A1.5 1.5 0 0 1 21 9.5v8a1.5 1.5 0 0 1-1.5 1.5h-15A1.5 1.5 0 0 "
    "1 3 17.5z",
    "download": "M12 4v11M7.5 11l4.5 4.5 4.5-4.5M4.5 19.5h15",
    "explain": "M12 6.5C10 5 7 4.5 3.5 4.8v13c3.5-.3 6.5.2 8.5 1.7 2-1.5 5-2 8.5-1.7v-13C17 4.5 14 5 12 6.5zM12 6.5v13",
    "code": "M8 7l-5 5 5 5M16 7l5 5-5 5M13.5 5l-3 14",
    "expand": "M14 4h6v6M10 20H4v-6M20 4l-7 7M4 20l7-7",
    "shrink": "M20 10h-6V4M4 14h6v6M14 10l7-7M10 14l-7 7",
    "bookmark": "M7 4h10v16l-5-4-5 4z",
    "home": "M4 11l8-7 8 7v8.5a.5.5 0 0 1-.5.5H15v-6H9v6H4.5a.5.5 0 0 1-.5-.5z",
}
_FILLED = {"play", "step"}


def names() -> tuple[str, ...]:
    """The icons there are."""
    return tuple(_STROKES)


def pixmap(name: str, size: int = 18, colour: str = "", ratio: float = 1.0) -> QPixmap:
    """An icon as a picture, `size` pixels square on a screen of that device pixel ratio."""
    from PySide6.QtSvg import QSvgRenderer  # 10 ms: not before the first picture is needed

    colour = colour or theme.current().text
    fill = colour if name in _FILLED else "none"
    dots = 2.4 if name in ("more", "dice") else 1.7
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="{fill}" stroke="{colour}" '
        f'stroke-width="{dots}" stroke-linecap="round" stroke-linejoin="round"><path d="{_STROKES[name]}"/></svg>'
    )
    picture = QPixmap(round(size * ratio), round(size * ratio))
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    QSvgRenderer(QByteArray(svg.encode())).render(painter, QRectF(0, 0, size * ratio, size * ratio))
    painter.end()
    picture.setDevicePixelRatio(ratio)
    return picture


def icon(name: str, colour: str = "") -> QIcon:
    """An icon in the theme's text colour (or `colour`); ask again when the theme changes."""
    made = QIcon()
    for ratio in (1.0, 2.0, 3.0):
        made.addPixmap(pixmap(name, 18, colour, ratio))
    off = theme.current().muted
    made.addPixmap(pixmap(name, 18, off, 2.0), QIcon.Mode.Disabled)
    return made
