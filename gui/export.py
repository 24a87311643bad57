"""What a view shows, taken out of the window: a picture, vectors, or the numbers themselves."""

from __future__ import annotations

import csv
from pathlib import Path

from PySide6.QtCore import QByteArray, QPoint, QRect, QSize
from PySide6.QtGui import QColor, QGuiApplication, QImage, QImageWriter, QPainter
from PySide6.QtSvg import QSvgGenerator
from PySide6.QtWidgets import QWidget

from gui import theme
from gui.views.base import ViewWidget


def picture(widget: QWidget, scale: float = 2.0) -> QImage:
    """The widget as it is, on the panel's colour, `scale` times as sharp as on a plain screen."""
    image = QImage(widget.size() * scale, QImage.Format.Format_ARGB32_Premultiplied)
    image.setDevicePixelRatio(scale)
    image.fill(QColor(theme.current().panel))
    widget.render(image, QPoint())
    return image


def copy_picture(widget: QWidget) -> None:
    """Put the picture on the clipboard."""
    QGuiApplication.clipboard().setImage(picture(widget))


def save_png(widget: QWidget, path: Path) -> None:
    """Write a PNG. Raises OSError where that fails."""
    if not QImageWriter(str(path), QByteArray(b"PNG")).write(picture(widget)):
        raise OSError(f"{path.name} could not be written: is the folder there, and may you write to it?")


def save_svg(view: ViewWidget, path: Path) -> None:
    """Write an SVG of a view that draws vectors. Raises OSError where that fails."""
    path.open("wb").close()  # QSvgGenerator keeps its failures to itself
    generator = QSvgGenerator()
    generator.setFileName(str(path))
    generator.setSize(QSize(view.width(), view.height()))
    generator.setViewBox(QRect(0, 0, view.width(), view.height()))
    generator.setTitle(view.description.title)
    painter = QPainter(generator)
    painter.fillRect(view.rect(), QColor(theme.current().panel))
    view.render(painter, QPoint(), renderFlags=QWidget.RenderFlag.DrawChildren)
    painter.end()


def save_csv(view: ViewWidget, path: Path) -> None:
    """Write the numbers. Raises OSError where that fails."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(view.csv_rows())
