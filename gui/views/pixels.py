"""Many small pictures composed into one QImage: crisp pixels when enlarged, averaged when reduced."""

from __future__ import annotations

import numpy as np
from PySide6.QtGui import QImage

from engine.payloads import Array
from gui import colour
from gui.views.parts import pack_rgb

MISSING = 0xFF808080  # the colour of NaN


def reduced(values: Array, height: int, width: int) -> Array:
    """(N, h, w, ...) averaged down to at most (N, height, width, ...); a picture that is smaller stays as it is."""
    if values.shape[1] > height:
        values = _averaged(values, height, axis=1)
    if values.shape[2] > width:
        values = _averaged(values, width, axis=2)
    return values


def _averaged(values: Array, count: int, axis: int) -> Array:
    """`count` means along an axis, each over evenly spaced places: exact for whole factors, and quick for all."""
    length = values.shape[axis]
    taps = -(-length // count)
    places = (np.arange(count * taps) + 0.5) * (length / (count * taps))
    columns = places.astype(np.intp).reshape(count, taps)
    total = values.take(columns[:, 0], axis=axis)
    for tap in range(1, taps):
        total += values.take(columns[:, tap], axis=axis)
    return total / np.asarray(taps, values.dtype)


def coloured(values: Array, name: str, low: Array | float, high: Array | float) -> Array:
    """(...) values in [low, high] to 32-bit words; (..., 3) colours in 0..1 where `name` is "rgb"."""
    if name == "rgb":
        return pack_rgb((np.nan_to_num(values, nan=0.5).clip(0, 1) * 255).astype(np.uint8))
    table = pack_rgb(colour.lookup_table(name))
    scale = 255.0 / np.maximum(np.asarray(high, np.float32) - np.asarray(low, np.float32), 1e-30)
    index = np.nan_to_num((values - low) * scale, nan=0.0, posinf=255.0, neginf=0.0).clip(0, 255).astype(np.uint8)
    words = table[index]
    missing = np.isnan(values)
    if missing.any():
        words[missing] = MISSING
    return words


def enlarged(words: Array, height: int, width: int) -> Array:
    """(N, h, w) words to (N, height, width), each pixel a block."""
    rows = (np.arange(height) * words.shape[1]) // height
    columns = (np.arange(width) * words.shape[2]) // width
    return words.take(columns, axis=2).take(rows, axis=1)


def tiled(words: Array, columns: int, pitch: tuple[int, int], *, rounded: bool = True) -> QImage:
    """(N, h, w) words in a grid of `columns`, `pitch` (down, across) pixels apart, transparent between them."""
    count, height, width = words.shape
    rows = -(-count // columns)
    down, across = max(pitch[0], height), max(pitch[1], width)
    full = np.zeros((rows * columns, height, width), np.uint32)
    full[:count] = words
    if rounded and min(height, width) >= 24:
        full[:, [0, 0, -1, -1], [0, -1, 0, -1]] = 0
    grid = np.zeros((rows, down, columns, across), np.uint32)
    grid[:, :height, :, :width] = full.reshape(rows, columns, height, width).transpose(0, 2, 1, 3)
    return to_image(grid.reshape(rows * down, columns * across))


def to_image(words: Array) -> QImage:
    """(H, W) words as a picture of its own memory."""
    words = np.ascontiguousarray(words, np.uint32)
    height, width = words.shape
    return QImage(words.data, width, height, 4 * width, QImage.Format.Format_ARGB32_Premultiplied).copy()
