"""What a view shows, taken out of the window: a picture, vectors, or the numbers themselves."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QPoint, QRect, QSize
from PySide6.QtGui import QColor, QGuiApplication, QImage, QImageWriter, QPainter
from PySide6.QtSvg import QSvgGenerator
from PySide6.QtWidgets import QLabel, QPlainTextEdit, QTextEdit, QWidget

from engine.files import writing
from gui import theme
from gui.views.base import ViewWidget


def picture(widget: QWidget, scale: float = 2.0) -> QImage:
    """The widget as it is, on the panel's colour, `scale` times as sharp as on a plain screen."""
    image = QImage(widget.size() * scale, QImage.Format.Format_ARGB32_Premultiplied)
    image.setDevicePixelRatio(scale)
    image.fill(QColor(theme.current().panel))
    widget.render(image, QPoint())
    return image


def copy_selection(widget: QWidget | None) -> bool:
    """Put the text that is selected in a widget on the clipboard; whether there is any."""
    if isinstance(widget, QLabel) and widget.hasSelectedText():
        QGuiApplication.clipboard().setText(widget.selectedText())
    elif isinstance(widget, QTextEdit | QPlainTextEdit) and widget.textCursor().hasSelection():
        widget.copy()
    else:
        return False
    return True


def copy_picture(widget: QWidget) -> None:
    """Put the picture on the clipboard."""
    QGuiApplication.clipboard().setImage(picture(widget))


def png_bytes(image: QImage) -> bytes:
    """The picture as a PNG file. Raises OSError where Qt cannot make one."""
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    if not QImageWriter(buffer, QByteArray(b"PNG")).write(image):
        raise OSError("the picture cannot be written as a PNG")
    return bytes(buffer.data().data())


def save_png(widget: QWidget, path: Path) -> None:
    """Write a PNG. Raises OSError where that fails."""
    with writing(path) as file:
        file.write(png_bytes(picture(widget)))


def save_svg(view: ViewWidget, path: Path) -> None:
    """Write an SVG of a view that draws vectors. Raises OSError where that fails."""
    buffer = QBuffer()  # QSvgGenerator reports no failure to write a file
    generator = QSvgGenerator()
    generator.setOutputDevice(buffer)
    generator.setSize(QSize(view.width(), view.height()))
    generator.setViewBox(QRect(0, 0, view.width(), view.height()))
    generator.setTitle(view.description.title)
    painter = QPainter(generator)
    painter.fillRect(view.rect(), QColor(theme.current().panel))
    view.render(painter, QPoint(), renderFlags=QWidget.RenderFlag.DrawChildren)
    painter.end()
    with writing(path) as file:
        file.write(buffer.data().data())


def save_csv(view: ViewWidget, path: Path) -> None:
    """Write the numbers. Raises OSError where that fails."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows(view.csv_rows())
    with writing(path) as file:
        file.write(text.getvalue().encode())
