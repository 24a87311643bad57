"""The look: one set of colours for dark, one for light, and the style sheet made from them."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal


@dataclass(frozen=True)
class Theme:
    """Colours by their use. Data has the strongest ones; there is one accent."""

    name: str
    window: str  # behind everything
    bar: str  # header, transport, side panel
    panel: str  # cards and view panels
    raised: str  # buttons, inputs, bar tracks
    hover: str
    border: str
    text: str
    muted: str
    faint: str  # grid lines
    accent: str
    on_accent: str
    link: str  # the accent where it is text
    good: str
    warning: str
    bad: str
    # Okabe-Ito, reordered so that the first two differ most and read on this background
    classes: tuple[str, ...]


DARK = Theme(
    "dark",
    window="#15171b",
    bar="#1b1e26",
    panel="#1b1e24",
    raised="#262a33",
    hover="#303540",
    border="#2b303a",
    text="#e4e7ed",
    muted="#949ba8",
    faint="#2a2e37",
    accent="#3d6ee8",
    on_accent="#ffffff",
    link="#7aa4ff",
    good="#3fb68b",
    warning="#e5b567",
    bad="#ee6a6a",
    classes=(
        "#6c9bff",
        "#e8a33d",
        "#3fb68b",
        "#d884b8",
        "#56c4e9",
        "#ee7b51",
        "#f0e442",
        "#b39ddb",
        "#9aa3b2",
        "#8bd17c",
    ),
)

LIGHT = Theme(
    "light",
    window="#f3f4f7",
    bar="#ffffff",
    panel="#ffffff",
    raised="#eceef3",
    hover="#e1e4eb",
    border="#d9dde5",
    text="#1a1d24",
    muted="#646b79",
    faint="#e8eaef",
    accent="#2f62e0",
    on_accent="#ffffff",
    link="#2757cc",
    good="#087a54",
    warning="#936000",
    bad="#be2f2f",
    classes=(
        "#2f62e0",
        "#d17a00",
        "#0b8a5f",
        "#b8528f",
        "#1b87b8",
        "#d4521f",
        "#a39000",
        "#7656b5",
        "#6a7282",
        "#4d9e3f",
    ),
)


class ThemeHolder(QObject):
    """The theme in force; widgets that paint themselves connect to `changed`."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.theme = DARK

    def set(self, theme: Theme) -> None:
        if theme is not self.theme:
            self.theme = theme
            self.changed.emit()


holder = ThemeHolder()


def current() -> Theme:
    """The theme in force."""
    return holder.theme
