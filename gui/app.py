"""Starting the application, in an order that shows the window before anything heavy is loaded.

The order, and why: the gallery needs neither torch (1 to 2 s) nor numpy (0.1 s), so the window is painted first; numpy
comes with the first lab, and torch on a thread of its own shortly after the first paint. On Windows torch
2.9 and later cannot be imported after Qt, whose package brings an older C++ runtime under the same name
(pytorch/pytorch#166628): there torch's smallest library, and the newer runtime with it, is loaded before Qt, which
takes milliseconds where importing torch takes seconds.

PySide puts a hook before `import`, which reads the source of every module that is imported from then on, in search of
`from __feature__ import`. It costs an eighth of the time that torch takes to import, and asks modules for attributes
while another thread is in the midst of importing them, upon which pydantic falls over now and then. We have no use for
the hook, and take it away.
"""

from __future__ import annotations

import builtins
import contextlib
import gc
import importlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from gui.settings import Settings


_import = importlib.__import__ if "PySide6" in sys.modules else builtins.__import__


@dataclass(frozen=True)
class Start:
    """What the command line asks for."""

    session: Path | None = None
    lab: str = ""
    data: Path | None = None
    offline: bool = False
    reset_settings: bool = False


def preload_runtime() -> None:
    """On Windows, make sure that torch's C++ runtime is the one in the process. See above."""
    if sys.platform == "win32":
        import ctypes
        from importlib.util import find_spec

        spec = find_spec("torch")
        if spec is not None and spec.origin:
            with contextlib.suppress(OSError):
                ctypes.CDLL(str(Path(spec.origin).parent / "lib" / "c10.dll"))


def go_offline() -> None:
    """No downloads, by us or by Hugging Face's libraries."""
    os.environ["DEEPSCOPE_OFFLINE"] = os.environ["HF_HUB_OFFLINE"] = "1"


def make_application(argv: list[str]) -> QApplication:
    """The QApplication, with name, fonts and icon; the theme is applied by `follow_theme`."""
    from PySide6.QtCore import QCoreApplication
    from PySide6.QtWidgets import QApplication

    builtins.__import__ = _import
    from engine import __version__
    from gui import style
    from gui.settings import APPLICATION, ORGANISATION

    QCoreApplication.setOrganizationName(ORGANISATION)  # before the first QSettings
    QCoreApplication.setApplicationName(APPLICATION)
    QCoreApplication.setApplicationVersion(__version__)
    # Fusion is the same on every platform; its colours come from our palette and style sheet. Asked for in this way,
    # because PySide answers setStyle() with all the enums of QStyle, which takes longer than everything else here
    app = QApplication([*argv, "-style", "fusion"])
    app.setDesktopFileName("deepscope")
    style.load_fonts()
    app.setFont(style.font())
    return app


def follow_theme(app: QApplication, settings: Settings) -> None:
    """Apply the theme of the settings now, and whenever they or the system change."""
    from gui import style

    def apply(name: str = "theme") -> None:
        if name == "theme":
            style.apply(app, settings.theme)

    apply()
    settings.changed.connect(apply)
    app.styleHints().colorSchemeChanged.connect(lambda: apply())


def finish() -> None:
    """What the first paint need not wait for."""
    from PySide6.QtGui import QIcon
    from PySide6.QtWidgets import QApplication

    from gui import crash_log, style

    style.load_mono()
    crash_log.open_file()
    QApplication.setWindowIcon(QIcon(str(style.ASSETS / "icons" / "deepscope.svg")))
    gc.enable()


def run(start: Start) -> int:
    """Show the window; returns when it is closed."""
    from gui import crash_log

    gc.disable()  # nothing is garbage yet: collecting would take a tenth of the time to the first paint
    crash_log.install()
    preload_runtime()
    if start.offline:
        go_offline()
    app = make_application(sys.argv[:1])
    crash_log.install_qt()
    from gui.main_window import MainWindow
    from gui.settings import Settings
    from gui.signals import Signals

    settings = Settings()
    if start.reset_settings:
        settings.reset()
    if folder := str(start.data or settings.data_folder):
        from engine.data import set_data_folder

        set_data_folder(folder)
    if settings.labs_folder:
        from engine.own_labs import set_labs_folder

        set_labs_folder(settings.labs_folder)
    follow_theme(app, settings)
    window = MainWindow(settings)
    signals = Signals(window.close)
    window.painted.connect(finish)
    if settings.problem:
        window.painted.connect(lambda: window.notice.show_text(settings.problem))
    if start.session is not None:
        session = start.session
        window.painted.connect(lambda: window.open_session(session))
    elif start.lab:
        window.painted.connect(lambda: window.open_lab(start.lab))
    window.show()
    status = app.exec()
    if window.isVisible():  # the loop has ended by itself: what was learned is saved all the same
        window.close()
    signals.remove()
    return signals.status or status
