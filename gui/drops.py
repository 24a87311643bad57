"""Saved sessions among the things that are dropped on the window: panels that take files leave these to the window."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QMimeData

SUFFIX = ".deepscope"


def dropped_session(mime: QMimeData) -> Path | None:
    """The one saved session that is being dropped, if it is that."""
    urls = mime.urls() if mime.hasUrls() else []
    if len(urls) == 1 and urls[0].isLocalFile() and urls[0].toLocalFile().lower().endswith(SUFFIX):
        return Path(urls[0].toLocalFile())
    return None
