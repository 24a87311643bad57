"""The look of Qt's own widgets: palette, fonts and style sheet, all made from a theme's colours.

A widget asks for a variant by a property, set before it is shown (`gui.style.mark` sets one later):

    QPushButton      kind="primary" | "quiet" | "danger"        QToolButton      kind="quiet" (the default)
    QLabel           role="heading" | "title" | "chapter" | "section" | "muted" | "hint" | "mono" | "link"
                          | "bad" | "good" | "warning"
    QFrame, QWidget  role="panel" (a card) | "bar" (header, transport, side panel) | "rule" (a line)
"""

from __future__ import annotations

import re
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFont, QFontDatabase, QPalette
from PySide6.QtWidgets import QApplication, QWidget

from gui import theme
from gui.theme import DARK, LIGHT, Theme

FAMILY, MONO = "Inter", "JetBrains Mono"
SIZE = 13  # pixels, which Qt 6 scales with the screen

ASSETS = Path(__file__).parent.parent / "assets"


def load_fonts() -> None:
    """Register the fonts that ship with the project: the window looks alike on every platform."""
    for name in ("Inter-Regular.otf", "Inter-SemiBold.otf"):
        QFontDatabase.addApplicationFont(str(ASSETS / "fonts" / name))


def load_mono() -> None:
    """Register the font of code, which the first page does without."""
    QFontDatabase.addApplicationFont(str(ASSETS / "fonts" / "JetBrainsMono-Regular.ttf"))


def font(pixels: int = SIZE, weight: QFont.Weight = QFont.Weight.Normal, *, mono: bool = False) -> QFont:
    """The text font, its digits all of one width so that changing numbers do not jump."""
    made = QFont(MONO if mono else FAMILY)
    made.setPixelSize(pixels)
    made.setWeight(weight)
    if not mono:
        made.setFeature(QFont.Tag("tnum"), 1)
    return made


def choose(setting: str, scheme: Qt.ColorScheme) -> Theme:
    """The theme for a setting ("system", "light", "dark"); a system that does not say is taken as dark."""
    if setting == "system":
        setting = "light" if scheme == Qt.ColorScheme.Light else "dark"
    return LIGHT if setting == "light" else DARK


def apply(app: QApplication, setting: str) -> None:
    """Give the whole application the theme that `setting` asks for, and tell the widgets that paint themselves."""
    hints = app.styleHints()
    if setting == "system":
        hints.unsetColorScheme()
    else:  # also colours the window's title bar, where the platform can
        hints.setColorScheme(Qt.ColorScheme.Light if setting == "light" else Qt.ColorScheme.Dark)
    chosen = choose(setting, hints.colorScheme())
    if chosen is theme.current() and app.styleSheet():
        return
    app.setPalette(palette(chosen))
    sheet = style_sheet(chosen)
    windows = [each for each in app.topLevelWidgets() if each.parentWidget() is None]
    for window in windows:
        if window.isVisible() or window.styleSheet():
            window.setStyleSheet(sheet)
    if not any(window.isVisible() for window in windows):
        app.setStyleSheet(sheet)  # with a window on the screen Qt would take five times as long as for that window
    theme.holder.set(chosen)


def dress(window: QWidget) -> None:
    """Give a window without a parent the theme in force: that of the application may be one that was left."""
    window.setStyleSheet(style_sheet(theme.current()))


def palette(t: Theme) -> QPalette:
    """Every role of the palette: some platforms never learn that the scheme is dark."""
    p, role = QPalette(), QPalette.ColorRole
    for each, colour in {
        role.Window: t.window,
        role.WindowText: t.text,
        role.Base: t.raised,
        role.AlternateBase: t.panel,
        role.Text: t.text,
        role.Button: t.raised,
        role.ButtonText: t.text,
        role.BrightText: t.on_accent,
        role.ToolTipBase: t.raised,
        role.ToolTipText: t.text,
        role.PlaceholderText: t.muted,
        role.Highlight: t.accent,
        role.HighlightedText: t.on_accent,
        role.Accent: t.accent,
        role.Link: t.link,
        role.LinkVisited: t.link,
        role.Light: t.hover,
        role.Midlight: t.hover,
        role.Mid: t.border,
        role.Dark: t.border,
        role.Shadow: t.window,
    }.items():
        p.setColor(each, QColor(colour))
    for each in (role.WindowText, role.Text, role.ButtonText, role.HighlightedText):
        p.setColor(QPalette.ColorGroup.Disabled, each, mix(t.muted, t.window, 0.45))
    p.setColor(QPalette.ColorGroup.Disabled, role.Highlight, QColor(t.border))
    return p


def mix(colour: str, other: str, share: float) -> QColor:
    """`colour` with `share` of `other` in it."""
    a, b = QColor(colour), QColor(other)
    keep = 1 - share
    return QColor.fromRgbF(
        a.redF() * keep + b.redF() * share, a.greenF() * keep + b.greenF() * share, a.blueF() * keep + b.blueF() * share
    )


def mark(widget: QWidget, name: str, value: str) -> None:
    """Set a property that the style sheet looks at, on a widget that is already shown."""
    widget.setProperty(name, value)
    widget.style().unpolish(widget)
    widget.style().polish(widget)


def style_sheet(t: Theme) -> str:
    """The style sheet for a theme."""
    colours = vars(t) | {
        "icons": (ASSETS / "icons" / "controls").as_posix(),
        "mono": MONO,
        "accent_hover": mix(t.accent, "#ffffff" if t is DARK else "#000000", 0.10).name(),
        "accent_down": mix(t.accent, "#000000", 0.16).name(),
        "knob": "#ffffff",
        "knob_edge": mix(t.border, "#000000", 0.12).name() if t is LIGHT else "#ffffff",
        "off": mix(t.muted, t.window, 0.45).name(),
        "track": mix(t.raised, t.muted, 0.14).name(),
        "edge": mix(t.border, t.muted, 0.25).name(),
        "tint": mix(t.panel, t.accent, 0.16).name(),
        "warn_tint": mix(t.panel, t.bad, 0.14).name(),
    }
    sheet = (Path(__file__).parent / "style.qss").read_text(encoding="utf-8")
    return re.sub(r"\$(\w+)", lambda found: str(colours[found[1]]), sheet)
