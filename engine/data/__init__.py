"""Data sets: bundled, downloaded, or the viewer's own.

    from engine.data import load_images, load_text

    digits = load_images("digits")          # also "mnist", "fashion-mnist", or a path
    digits.train                            # (1437, 1, 28, 28) float32 in 0..1
    text = load_text("bundled")             # also "tinyshakespeare", or a path
    table = load_table("penguins.csv")      # columns of numbers and of words

Raises DataMissing where a set must be downloaded first, DataError where the data cannot be used. What is loaded is
kept and shared by all who ask for it: its tensors must not be written to.

Names are imported when they are first used, so that the catalogue can be read before torch is loaded.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from engine.data.catalogue import CATALOGUE, DataSet, find_files, is_available, is_known, set_data_folder
from engine.data.errors import Cancelled, DataError, DataMissing

if TYPE_CHECKING:
    from engine.data.describe import describe_data, kind_of
    from engine.data.images import ImageSet, load_images
    from engine.data.tables import Table, load_table
    from engine.data.texts import load_text

__all__ = [
    "CATALOGUE",
    "Cancelled",
    "DataError",
    "DataMissing",
    "DataSet",
    "ImageSet",
    "Table",
    "describe_data",
    "find_files",
    "is_available",
    "is_known",
    "kind_of",
    "load_images",
    "load_table",
    "load_text",
    "set_data_folder",
]

_HOMES = {
    "ImageSet": "images",
    "Table": "tables",
    "describe_data": "describe",
    "kind_of": "describe",
    "load_images": "images",
    "load_table": "tables",
    "load_text": "texts",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
