"""Tool tips that show their text as it is written: names of labs, files and classes may look like markup.

Labels need nothing of the kind: the style sheet makes all of them plain. A tool tip is wrapped by Qt only where it is
markup, so that plain text is turned into it here.
"""

from __future__ import annotations

import html

from PySide6.QtGui import Qt


def wrapped(text: str) -> str:
    """A tool tip in lines of a readable length."""
    return f'<p style="white-space: pre-wrap">{html.escape(text, quote=False)}</p>' if text else ""


def plain(text: str) -> str:
    """A tool tip in the lines that the text has."""
    return wrapped(text) if Qt.mightBeRichText(text) else text
