"""Picture files that are dropped on a view: read on a thread of their own, within bounds."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QBuffer, QIODevice, Qt
from PySide6.QtGui import QImage, QImageReader

from engine.data.errors import DataError
from engine.data.files import open_file, size_of

FORMATS = ("png", "jpeg", "bmp", "gif", "webp", "tiff", "pbm", "pgm", "ppm")  # by their contents, not their names
LARGEST_FILE = 100_000_000  # bytes
LARGEST_PICTURE = 40_000_000  # pixels
LARGE_PICTURE = 4_000_000  # pixels; larger ones may not unpack without limit
MAX_PIXELS_PER_BYTE = 200
SIDE = 1024  # pixels; a view needs no more


def read_picture(path: Path) -> QImage:
    """The picture in a file, at most SIDE pixels wide and high. DataError says why there is none."""
    try:
        with open_file(path) as file:
            size = size_of(file)
            if size > LARGEST_FILE:
                raise DataError(f"{path.name} is too large: {size / 1e6:,.0f} MB.")
            content = file.read()
    except OSError as error:
        raise DataError(f"{path.name} cannot be read: {error.strerror}.") from error
    buffer = QBuffer()
    buffer.setData(content)
    buffer.open(QIODevice.OpenModeFlag.ReadOnly)
    reader = QImageReader(buffer)
    if bytes(reader.format().data()).decode() not in FORMATS:
        raise DataError(f"{path.name} cannot be read as a picture: it is none of {', '.join(FORMATS).upper()}.")
    reader.setAutoTransform(True)
    extent = reader.size()
    pixels = extent.width() * extent.height()
    if not extent.isValid():
        raise DataError(f"{path.name} cannot be read as a picture: {reader.errorString()}.")
    if pixels > min(LARGEST_PICTURE, max(LARGE_PICTURE, len(content) * MAX_PIXELS_PER_BYTE)):
        raise DataError(f"{path.name} is too large: {extent.width():,} × {extent.height():,} pixels.")
    if max(extent.width(), extent.height()) > SIDE:
        reader.setScaledSize(extent.scaled(SIDE, SIDE, Qt.AspectRatioMode.KeepAspectRatio))
    picture = reader.read()
    if picture.isNull():
        raise DataError(f"{path.name} cannot be read as a picture: {reader.errorString()}.")
    return picture
