"""Pictures of the real window, for the README, the gallery's cards and for looking at what one has made.

python -m gui shot lenet --seconds 20 --size 1440x900 --theme dark --out lenet.png
python -m gui shot gallery --theme light --out gallery.png
python -m gui shot lenet --view layer1 --size 480x300 --out assets/thumbnails/lenet-dark.png
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from PySide6.QtGui import QPixmap
    from PySide6.QtWidgets import QApplication, QWidget

    from gui.main_window import MainWindow

LONGEST_BUILD = 120.0  # seconds until a lab must be open
PAD = 12  # pixels around a view that stands alone
SETTLE = 0.4  # seconds until what was asked for is drawn


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdigit() and height.isdigit() and int(width) and int(height)):
        raise argparse.ArgumentTypeError(f"write WIDTHxHEIGHT, as 1440x900, not {text!r}")
    return int(width), int(height)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value <= 3600:
        raise argparse.ArgumentTypeError(f"write a number of seconds up to 3600, not {text!r}")
    return value


def parser() -> argparse.ArgumentParser:
    """The options of a shot."""
    made = argparse.ArgumentParser(
        prog="deepscope shot", description="Renders the window to a picture, without a screen."
    )
    made.add_argument("lab", metavar="LAB", help="a lab, or `gallery`")
    made.add_argument("--seconds", type=_seconds, default=5.0, metavar="S", help="train so long first (5)")
    made.add_argument("--size", type=_size, default=(1440, 900), metavar="WxH", help="of the window (1440x900)")
    made.add_argument("--theme", choices=("dark", "light"), default="dark")
    made.add_argument("--out", type=Path, required=True, metavar="FILE", help="a .png")
    made.add_argument("--data", default="", metavar="NAME", help="data set; the lab's first by default")
    made.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a hyperparameter")
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--view", default="", metavar="NAME", help="only this view, a quarter larger than the size")
    made.add_argument("--recent", default="", metavar="LABS", help="gallery: labs opened last, with commas")
    made.add_argument("--search", default="", metavar="TEXT", help="gallery: what is searched for")
    made.add_argument("--on-screen", action="store_true", help="use the display instead of rendering off screen")
    return made


def main(argv: list[str]) -> int:
    """Take one picture; returns the exit code."""
    options = parser().parse_args(argv)
    from gui.__main__ import Refused, check_lab

    raised: list[type[BaseException]] = []

    def note(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        raised.append(kind)
        sys.__excepthook__(kind, error, trace)

    sys.excepthook = note  # a slot that raises does not end Qt's loop, but such a picture is not to be trusted
    try:
        if options.lab != "gallery":
            options.lab = check_lab(options.lab)
        if not options.out.resolve().parent.is_dir():
            raise Refused(f"there is no folder {options.out.resolve().parent}")
        if not options.on_screen:
            os.environ["QT_QPA_PLATFORM"] = "offscreen"  # before Qt starts
        with tempfile.TemporaryDirectory() as folder:  # the user's settings must not show in a picture
            picture = _take(options, Path(folder))
        _write(picture, options.out)
    except Refused as refusal:
        print(f"deepscope shot: {refusal}", file=sys.stderr)
        return 2
    finally:
        sys.excepthook = sys.__excepthook__
    return 1 if raised else 0


def _write(picture: QPixmap, path: Path) -> None:
    from engine.files import writing
    from gui.__main__ import Refused
    from gui.export import png_bytes

    try:
        with writing(path) as file:
            file.write(png_bytes(picture.toImage()))
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror or error}") from error


def _take(options: argparse.Namespace, folder: Path) -> QPixmap:
    from PySide6.QtCore import QSettings

    from gui import app as application
    from gui.main_window import MainWindow
    from gui.settings import Settings

    application.preload_runtime()
    app = application.make_application(sys.argv[:1])
    settings = Settings(QSettings(str(folder / "shot.ini"), QSettings.Format.IniFormat))
    settings.theme = options.theme
    for name in reversed([name for name in options.recent.split(",") if name]):
        settings.remember_lab(name)
    application.follow_theme(app, settings)
    window = MainWindow(settings, warm_up=False)
    size = (1440, 900) if options.view else options.size
    window.resize(*size)
    application.finish()
    window.show()
    window.resize(*size)
    try:
        if options.lab == "gallery":
            window.header.search.setText(options.search)
            _wait(app, SETTLE)
            return window.grab()
        return _take_lab(app, window, options)
    finally:
        window.close()


def _take_lab(app: QApplication, window: MainWindow, options: argparse.Namespace) -> QPixmap:
    """Open, set, train, look."""
    from gui.__main__ import Refused

    asked = dict(text.partition("=")[::2] for text in options.set)
    window.open_lab(options.lab, values={}, dataset=options.data, seed=options.seed)
    bench = window.workbench
    assert bench is not None

    def settled() -> bool:
        return bench.ready or not bench.banner.isHidden()

    _wait(app, LONGEST_BUILD, settled)
    if bench.run is None or bench.info is None or not bench.banner.isHidden():
        raise Refused(bench.banner.text.text() or f"{options.lab} was not ready after {LONGEST_BUILD:.0f} s")
    if options.view and options.view not in bench.info.views:
        raise Refused(f"there is no view {options.view!r}; there are: {', '.join(bench.info.views)}")
    bench.apply_settings(asked)  # and train
    if bench.banner.subject == "link":
        raise Refused(bench.banner.text.text())
    _wait(app, LONGEST_BUILD, settled)
    _wait(app, options.seconds)
    if options.view:
        return _picture_of(bench.grid.panels[options.view].view, options.size)
    return window.grab()


def _picture_of(view: QWidget, size: tuple[int, int]) -> QPixmap:
    """A view alone on its panel's ground, a quarter larger than asked for: small cards show it on fine screens."""
    from PySide6.QtCore import QPoint
    from PySide6.QtGui import QPixmap, QRegion
    from PySide6.QtWidgets import QWidget

    from gui import theme

    ratio = 1.25
    view.resize(size[0] - 2 * PAD, size[1] - 2 * PAD)
    picture = QPixmap(round(size[0] * ratio), round(size[1] * ratio))
    picture.setDevicePixelRatio(ratio)
    picture.fill(theme.current().panel)
    view.render(picture, QPoint(PAD, PAD), QRegion(), QWidget.RenderFlag.DrawChildren)
    picture.setDevicePixelRatio(1)
    return picture


def _wait(app: QApplication, seconds: float, done: Callable[[], bool] = lambda: False) -> None:
    """Let the window live for so long, or until `done`."""
    from PySide6.QtCore import QEventLoop, QTimer

    loop, poll = QEventLoop(app), QTimer(app)
    poll.timeout.connect(lambda: loop.quit() if done() else None)
    poll.start(20)
    QTimer.singleShot(round(seconds * 1000), loop.quit)
    loop.exec()
    poll.stop()
