"""A program for test_monkey: the whole application in a process of its own, operated at random.

python monkey.py FOLDER LAB SECONDS SEED

It presses, drags, scrolls and types on whatever is visible: the window, popups, menus and dialogs. Events enter as the
window system sends them, so popups, grabs, focus and shortcuts act as they do for a person. The last line that it
prints is a report as JSON. Nothing is written outside FOLDER, and no other program is started.
"""

from __future__ import annotations

import faulthandler
import functools
import gc
import json
import os
import random
import re
import sys
import tempfile
import threading
import time
import traceback
import weakref
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil
import PySide6.QtWidgets
from PySide6.QtCore import QObject, QPoint, QSettings, Qt, QTimer, QtMsgType, QUrl, Slot, qInstallMessageHandler
from PySide6.QtGui import QCloseEvent, QDesktopServices, QGuiApplication, QWindow
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QApplication,
    QComboBox,
    QFileDialog,
    QLineEdit,
    QMenu,
    QMessageBox,
    QTextEdit,
    QWidget,
)
from shiboken6 import isValid

BEAT_MS = 10
STALL = 0.5  # seconds for which the window may not answer
LOG = 30  # actions that are shown with a problem
DEEPEST = 5  # loops within loops, as of a menu over a dialog
HARMLESS = "This plugin does not support"  # the offscreen platform, of sizes and of raising windows
MEMORY = 128  # megabytes, the setting
MOST_PROBLEMS = 20

CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
NONE = Qt.KeyboardModifier.NoModifier
LEFT, RIGHT, MIDDLE = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton, Qt.MouseButton.MiddleButton
TEXTS = (
    "0",
    "1",
    "7",
    "-1",
    "0.05",
    "1e9",
    "-1e-9",
    "nan",
    "inf",
    "abc",
    "",
    "Zoë",
    "the ",
    "x" * 300,
    "1,000",
    "%s",
    "<b>",
)
KEYS = [
    *((getattr(Qt.Key, f"Key_{letter}"), NONE) for letter in "SPRNFTHECLXOMABDGKVZ0123456789"),
    *((getattr(Qt.Key, f"Key_{letter}"), CONTROL) for letter in "LBZYCSOFVXA"),
    *((getattr(Qt.Key, f"Key_{letter}"), CONTROL | SHIFT) for letter in "PRSZ"),
    *(
        (getattr(Qt.Key, f"Key_{name}"), NONE)
        for name in (
            "Space",
            "Space",
            "Escape",
            "Return",
            "Tab",
            "Backspace",
            "Delete",
            "Home",
            "End",
            "PageUp",
            "PageDown",
            "Plus",
            "Minus",
            "Left",
            "Right",
            "Up",
            "Down",
            "F1",
            "F11",
            "BracketLeft",
            "BracketRight",
        )
    ),
    *((getattr(Qt.Key, f"Key_{name}"), SHIFT) for name in ("Tab", "Left", "Right", "Up", "Down", "F10")),
    (Qt.Key.Key_Comma, CONTROL),
]
LIVELY = (QAbstractButton, QComboBox, QLineEdit, QAbstractSlider, QAbstractItemView, QTextEdit)


FILE_DIALOGS: weakref.WeakSet[QFileDialog] = weakref.WeakSet()


# ---------------------------------------------------------------------- what it must not do


def keep_within(folder: Path, note: Callable[[str], None]) -> None:
    """Refuse, and note, whatever Python code writes outside of the folder, and every program that it starts."""
    allowed = (str(folder.resolve()), os.devnull)
    changes = {"os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.symlink", "os.link", "os.chmod", "os.truncate"}
    starts = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "socket.connect"}
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        paths: list[Any] = []
        if event == "open" and (set(str(arguments[1] or "")) & set("wax+") or arguments[2] & writing):
            paths = [arguments[0]]
        elif event in changes:
            paths = [argument for argument in arguments[:2] if isinstance(argument, str | os.PathLike)]
        elif event in starts and "uname" not in str(arguments[0]):  # Python's platform module asks it
            note(f"{event} {arguments[:2]}")
            raise PermissionError("no other programs, and no network")
        for path in paths:
            if (
                isinstance(path, str | os.PathLike)
                and not os.path.realpath(path).startswith(allowed)
                and "__pycache__" not in str(path)
            ):
                note(f"{event} {path}")
                raise PermissionError(f"outside of the folder: {path}")

    sys.addaudithook(hook)


def tame_file_dialogs(folder: Path) -> None:
    """File dialogs are Qt's own, delete and rename nothing, and take no file outside of the folder."""

    class Tame(QFileDialog):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            FILE_DIALOGS.add(self)
            self.setOption(QFileDialog.Option.DontUseNativeDialog)
            self.setOption(QFileDialog.Option.ReadOnly)
            self.setDirectory(str(folder))

        def accept(self) -> None:
            if all(Path(name).resolve().is_relative_to(folder.resolve()) for name in self.selectedFiles()):
                super().accept()
            else:
                self.reject()

        def ask(self, mode: QFileDialog.FileMode, accept: QFileDialog.AcceptMode) -> tuple[str, str]:
            self.setFileMode(mode)
            self.setAcceptMode(accept)
            chosen = self.selectedFiles() if self.exec() else []
            self.deleteLater()
            return (chosen[0] if chosen else ""), self.selectedNameFilter()

        @staticmethod
        def getSaveFileName(parent: Any = None, caption: str = "", where: str = "", names: str = "") -> tuple[str, str]:  # type: ignore[override]
            dialog = Tame(parent, caption, "", names)
            dialog.selectFile(Path(where).name)
            return dialog.ask(QFileDialog.FileMode.AnyFile, QFileDialog.AcceptMode.AcceptSave)

        @staticmethod
        def getOpenFileName(parent: Any = None, caption: str = "", _: str = "", names: str = "") -> tuple[str, str]:  # type: ignore[override]
            return Tame(parent, caption, "", names).ask(
                QFileDialog.FileMode.ExistingFile, QFileDialog.AcceptMode.AcceptOpen
            )

        @staticmethod
        def getExistingDirectory(parent: Any = None, caption: str = "", _: str = "") -> str:  # type: ignore[override]
            return Tame(parent, caption).ask(QFileDialog.FileMode.Directory, QFileDialog.AcceptMode.AcceptOpen)[0]

    PySide6.QtWidgets.QFileDialog = Tame  # type: ignore[misc]  # before the window's code imports it


def some_files(folder: Path) -> None:
    """Data to open: good, odd and broken."""
    from PIL import Image

    lines = [f"{n / 7:.3f},{n * n % 13},{'ab'[n % 2]}" for n in range(60)]
    (folder / "table.csv").write_text("\n".join(["length_mm,mass_g,kind", *lines]), encoding="utf-8")
    (folder / "broken.csv").write_bytes(b"a,b\n1,\xff\n" + b'"x,,,\n' * 3)
    (folder / "text.txt").write_text("To be, or not to be: that is the question.\n" * 60, encoding="utf-8")
    (folder / "empty.txt").touch()
    for kind in ("left", "right"):
        (folder / "pictures" / kind).mkdir(parents=True)
        for n in range(6):
            Image.new("L", (12, 12), 30 * n).save(folder / "pictures" / kind / f"{n}.png")


class NoBrowser(QObject):
    """Takes the links that Qt would hand to the desktop."""

    @Slot(QUrl)
    def take(self, url: QUrl) -> None:
        """Nothing opens."""


# ---------------------------------------------------------------------- what it watches


def waited(*threads: int | None) -> float:
    """For how many seconds these threads could have run, but other processes had the cores. 0 where it is not told."""
    total = 0
    for thread in threads:
        try:
            total += int(Path(f"/proc/self/task/{thread}/schedstat").read_text().split()[1])
        except (OSError, IndexError):
            continue
    return total / 1e9


class Watch:
    """Collects exceptions, Qt's messages, stalls and memory. `log` is what was done last."""

    def __init__(self) -> None:
        self.log: deque[str] = deque(maxlen=LOG)
        self.problems: list[dict[str, Any]] = []
        self.stalls: list[dict[str, Any]] = []
        self.worst = 0.0
        self.memory: list[int] = []  # megabytes, each second since the first lab stood
        self._counted: Counter[str] = Counter()
        self._beat = time.perf_counter()
        self._waited = 0.0
        self._main = threading.main_thread()
        self._caught = ""
        self._over = threading.Event()
        self._process = psutil.Process()
        self._thread = threading.Thread(target=self._look, name="monkey-watch", daemon=True)

    def start(self) -> None:
        sys.excepthook = self._raised
        threading.excepthook = lambda args: self._raised(args.exc_type, args.exc_value, args.exc_traceback)  # type: ignore[arg-type]
        sys.unraisablehook = lambda args: self._raised(args.exc_type, args.exc_value, args.exc_traceback)  # type: ignore[arg-type]
        qInstallMessageHandler(self._qt)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def note(self, kind: str, text: str) -> None:
        """A problem. The same one again is only counted."""
        key = re.sub(r"\d+", "0", f"{kind} {text.strip().splitlines()[-1] if text.strip() else ''}"[:200])
        self._counted[key] += 1
        if self._counted[key] == 1 and len(self.problems) < MOST_PROBLEMS:
            self.problems.append({"kind": kind, "text": text, "log": list(self.log)})

    def _raised(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        self.note("exception", "".join(traceback.format_exception(kind, error, trace)))

    def _qt(self, kind: QtMsgType, _context: object, text: str) -> None:
        if kind not in (QtMsgType.QtDebugMsg, QtMsgType.QtInfoMsg) and HARMLESS not in text:
            self.note("Qt", text + "\n" + "".join(traceback.format_stack(limit=6)) + text)

    # ------------------------------------------------------------------ stalls

    def _threads(self) -> list[int | None]:
        engine = [each.native_id for each in threading.enumerate() if each.name.startswith("deepscope")]
        return [self._main.native_id, *engine]

    def begin(self) -> None:
        """What came before is the start of the application, not a stall."""
        self._beat, self._waited, self.worst = time.perf_counter(), waited(*self._threads()), 0.0
        self.memory.clear()
        self.memory.append(self._process.memory_info().rss >> 20)

    def beat(self) -> None:
        """The loop goes round. What the machine gave to other processes meanwhile is no stall."""
        now, since = time.perf_counter(), self._waited
        gap, self._beat = now - self._beat, now
        self._waited = waited(*self._threads())
        own = gap - max(0.0, self._waited - since)
        self.worst = max(self.worst, own)
        if own > STALL:
            self.stalls.append(
                {"seconds": round(own, 2), "of": round(gap, 2), "stack": self._caught, "log": list(self.log)[-4:]}
            )
        self._caught = ""

    def _stacks(self) -> str:
        """Where all threads are. Not by sys._current_frames(): that keeps painters alive, in the wrong thread."""
        with tempfile.TemporaryFile("w+") as file:
            faulthandler.dump_traceback(file)
            file.seek(0)
            return file.read()

    def _look(self) -> None:
        """Beside the loop: where it is when it does not go round, and what memory is in use."""
        turn = 0
        while not self._over.wait(0.05):
            turn += 1
            if time.perf_counter() - self._beat > 0.6 * STALL and not self._caught:
                self._caught = self._stacks()
            if turn % 20 == 0:
                self.memory.append(self._process.memory_info().rss >> 20)


# ---------------------------------------------------------------------- what it does


def named(widget: QWidget) -> str:
    """A widget as a reader of the log finds it again. Only those of the application are asked for their parents: for a
    widget that Qt made, PySide ties the wrapper to that of its parent, and finds it again when both are gone."""
    path, above = [type(widget).__name__], widget
    while type(above).__module__.startswith("gui.") and len(path) < 3 and (above := above.parentWidget()) is not None:
        path.append(type(above).__name__)
    text = widget.accessibleName() or (widget.text() if isinstance(widget, QAbstractButton) else "")
    return f"{'/'.join(reversed(path))} {text[:40]!r}"


def inside(window: QWindow, at: QPoint) -> QPoint:
    """The place in the window that is nearest: the window may be smaller than its widget for a moment."""
    return QPoint(max(0, min(at.x(), window.width() - 1)), max(0, min(at.y(), window.height() - 1)))


class Monkey(QObject):
    """Acts every few milliseconds, also within the loops of menus and dialogs."""

    def __init__(self, window: Any, lab: str, seconds: float, seed: int, watch: Watch) -> None:
        super().__init__()
        self.window, self.lab, self.watch = window, lab, watch
        self.chance = random.Random(seed)
        self.until = time.monotonic() + seconds
        self.actions = self.depth = 0
        self.opened: Counter[str] = Counter()
        self.next_at = 0.0
        self.done = False
        self.heard: set[int] = set()
        watch.begin()
        self.timer = QTimer(self)
        self.timer.setTimerType(Qt.TimerType.PreciseTimer)
        self.timer.timeout.connect(self.beat)
        self.timer.start(BEAT_MS)
        self.menu: list[tuple[int, Callable[[], object]]] = [
            (46, self.point),
            (22, self.press_key),
            (7, self.type_text),
            (4, self.back_to_lab),
            (2, self.resize),
            (2, self.hop),
            (2, self.show_dialog),
            (2, self.toggle_theme),
            (3, self.play),
            (10, lambda: None),  # a look
        ]

    # ------------------------------------------------------------------ the loop

    def beat(self) -> None:
        """Also within loops that an action began and that has not ended yet."""
        self.watch.beat()
        if not self.done and time.monotonic() >= self.next_at:
            self.next_at = time.monotonic() + self.chance.choice((0.0, 0.0, 0.01, 0.01, 0.03, 0.15))
            if time.monotonic() > self.until:
                self.end()
            elif self.depth < DEEPEST or QApplication.activePopupWidget() or QApplication.activeModalWidget():
                QTimer.singleShot(0, self, self.act)

    def act(self) -> None:
        if self.done:
            return
        self.depth += 1
        self.actions += 1
        try:
            if self.refuse():
                pass
            elif self.depth >= DEEPEST:
                self.leave()
            else:
                weights, acts = zip(*self.menu, strict=True)
                self.chance.choices(acts, weights)[0]()
            self.listen()
        finally:
            self.depth -= 1

    def say(self, text: str) -> None:
        self.watch.log.append(f"{self.actions}{'>' * self.depth} {text}")

    def end(self) -> None:
        """Close what lies over the window, and the window."""
        self.done = True
        QTimer.singleShot(0, self, self._end)

    def _end(self) -> None:
        for topmost in (QApplication.activePopupWidget, QApplication.activeModalWidget):
            for _ in range(20):
                if (widget := topmost()) is not None:
                    widget.close()
        if self.depth:
            QTimer.singleShot(50, self, self._end)
            return
        self.timer.stop()
        self.window.may_close = True
        self.window.close()

    def refuse(self) -> bool:
        """Answer a message box that a file dialog made, by a key: its widgets are Qt's alone."""
        box, window = QApplication.activeModalWidget(), QGuiApplication.modalWindow()
        if window is None or not isinstance(box, QMessageBox) or not any(isValid(each) for each in FILE_DIALOGS):
            return False
        self.say("answer a message box")
        QTest.keyClick(window, self.chance.choice((Qt.Key.Key_Escape, Qt.Key.Key_Return)))
        return True

    def listen(self) -> None:
        """What the engine says went wrong is a problem too, unless it is an answer to what was asked."""
        bridge = self.window.bridge
        if bridge is not None and id(bridge) not in self.heard:
            self.heard.add(id(bridge))
            bridge.happened.connect(self.happened)

    def happened(self, event: Any) -> None:
        if type(event).__name__ == "Failed" and not event.expected:
            self.watch.note("engine", f"{event.what}: {event.summary}\n{event.traceback}\n{event.summary}")

    # ------------------------------------------------------------------ where

    def top(self) -> QWidget:
        """What lies on top: a popup, a dialog, else the window or what floats beside it."""
        popup, modal = QApplication.activePopupWidget(), QApplication.activeModalWidget()
        return popup or modal or self.window

    def target(self, kind: type[QWidget] | tuple[type[QWidget], ...] = QWidget) -> QWidget | None:
        top = self.top()
        # a message box that Qt made and deleted leaves invalid wrappers, which PySide finds again at its address
        shown = (w for w in top.findChildren(QWidget) if isValid(w) and isinstance(w, kind) and w.isVisible())
        found = [w for w in shown if not w.isWindow() and not w.visibleRegion().isEmpty()]
        return self.chance.choice(found) if found else None

    def aim(self) -> tuple[QWidget, QPoint]:
        """A place to point at: something that answers, most of the time."""
        from gui.views.base import ViewWidget

        top = self.top()
        if isinstance(top, QMenu) and top.actions():
            return top, top.actionGeometry(self.chance.choice(top.actions())).center()
        kinds = self.chance.choice((LIVELY, LIVELY, ViewWidget, ViewWidget, QWidget))
        widget = self.target(kinds) or self.target() or top
        seen = widget.visibleRegion().boundingRect()
        if isinstance(widget, QAbstractButton) or seen.isEmpty():
            return widget, seen.center()
        return widget, seen.topLeft() + QPoint(*map(self.chance.randrange, seen.size().toTuple()))

    # ------------------------------------------------------------------ what a person does

    def point(self) -> None:
        """The mouse: click, double click, right click, drag, wheel, or just move over it."""
        widget, place = self.aim()
        top = self.top()
        handle = top.windowHandle()
        if handle is None or handle.size().isEmpty():
            return
        at = inside(handle, widget.mapTo(top, place))
        how = self.chance.choices(
            ("click", "double", "right", "middle", "drag", "wheel", "move"), (40, 4, 8, 2, 16, 10, 20)
        )[0]
        modifiers = self.chance.choice((NONE, NONE, NONE, NONE, SHIFT, CONTROL))
        self.say(f"{how} {modifiers.name} {named(widget)} at {place.x()},{place.y()}")
        QTest.mouseMove(handle, at)
        if not isValid(handle):  # in a loop within, the dialog was closed
            return
        match how:
            case "click":
                QTest.mouseClick(handle, LEFT, modifiers, at)
            case "double":
                QTest.mouseDClick(handle, LEFT, modifiers, at)
            case "right" | "middle":
                QTest.mouseClick(handle, RIGHT if how == "right" else MIDDLE, modifiers, at)
            case "drag":
                self.drag(handle, at, modifiers)
            case "wheel":
                turn = QPoint(0, self.chance.choice((-360, -120, 120, 360)))
                QTest.wheelEvent(handle, at.toPointF(), turn, QPoint(), modifiers)
            case _:
                pass

    def drag(self, handle: Any, at: QPoint, modifiers: Qt.KeyboardModifier) -> None:
        """Press, move and let go; now and then a key comes between, or the button stays down for a while."""
        button = self.chance.choice((LEFT, LEFT, LEFT, MIDDLE, RIGHT))
        QTest.mousePress(handle, button, modifiers, at)
        for _ in range(self.chance.randrange(1, 8)):
            moved = at + QPoint(self.chance.randrange(-60, 61), self.chance.randrange(-40, 41))
            at = inside(handle, moved)
            QTest.mouseMove(handle, at)
            if self.chance.random() < 0.05:
                self.press_key()
            if not isValid(handle):  # a loop within was left meanwhile, and the dialog with it
                return
        if self.chance.random() < 0.9:
            QTest.mouseRelease(handle, button, modifiers, at)

    def press_key(self) -> None:
        key, modifiers = self.chance.choice(KEYS)
        self.send_key(key, modifiers)

    def send_key(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = NONE) -> None:
        handle = QGuiApplication.focusWindow() or self.window.windowHandle()
        self.say(f"key {modifiers.name} {key.name} in {named(QApplication.focusWidget() or self.window)}")
        QTest.keyClick(handle, key, modifiers)

    def type_text(self) -> None:
        top, field = self.top(), self.target(QLineEdit)
        handle = top.windowHandle()
        if field is None or handle is None or handle.size().isEmpty():
            return
        text = self.chance.choice(TEXTS)
        self.say(f"type {text[:20]!r} into {named(field)}")
        place = field.visibleRegion().boundingRect().center()
        QTest.mouseClick(handle, LEFT, NONE, inside(handle, field.mapTo(top, place)))
        if isValid(handle) and isValid(field) and QApplication.focusWidget() is field:
            QTest.keyClick(handle, Qt.Key.Key_A, CONTROL)
            keys = [letter for letter in text[:40] if letter.isascii()]
            for key in (*keys, self.chance.choice((Qt.Key.Key_Return, Qt.Key.Key_Tab, Qt.Key.Key_Escape))):
                if isValid(handle):
                    QTest.keyClick(handle, key)

    def leave(self) -> None:
        """Escape from what lies on top, or close it."""
        top = self.top()
        self.say(f"leave {named(top)}")
        if top is not self.window:
            self.chance.choice((top.close, functools.partial(QTest.keyClick, top.windowHandle(), Qt.Key.Key_Escape)))()

    def back_to_lab(self) -> None:
        """Most of the time is spent in one lab; menus and dialogs are left."""
        if self.top() is not self.window:
            self.leave()
        elif not self.window.in_lab:
            self.open(self.lab)

    def hop(self) -> None:
        if self.top() is self.window:
            if self.window.in_lab and self.chance.random() < 0.6:
                self.say("show the gallery")
                self.window.show_gallery()
            else:
                self.open(self.chance.choice([card.id for card in self.window._cards]))

    def open(self, lab: str) -> None:
        self.say(f"open {lab}")
        self.opened[lab] += 1
        self.window.open_lab(lab)

    def show_dialog(self) -> None:
        if self.top() is self.window:
            show = self.chance.choice((self.window.show_settings, self.window.show_about, self.window.show_keys))
            self.say(show.__name__)
            show()

    def resize(self) -> None:
        width, height = self.chance.choice(((960, 600), (1280, 720), (1440, 900), (1100, 1000), (1920, 700)))
        self.say(f"resize to {width} x {height}")
        self.window.resize(width, height)

    def toggle_theme(self) -> None:
        self.say("another theme")
        self.window.settings.theme = self.chance.choice(("dark", "light"))

    def play(self) -> None:
        """So that there is something to see."""
        bench = self.window.workbench
        if bench is not None and self.window.in_lab and not bench.transport.playing:
            self.say("play")
            bench.toggle_play()


# ---------------------------------------------------------------------- the program


def kinds_of_widgets() -> Counter[str]:
    return Counter(type(widget).__name__ for widget in QApplication.allWidgets())


def main() -> int:
    folder, lab, seconds, seed = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
    from gui import app, association, crash_log

    some_files(folder)
    tame_file_dialogs(folder)
    association.associate = association.dissociate = lambda: None
    from gui.main_window import MainWindow

    watch = Watch()
    keep_within(folder, lambda text: watch.note("outside", text))
    QSettings.setDefaultFormat(QSettings.Format.IniFormat)
    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(folder))
    crash_log.install = functools.partial(crash_log.install, folder)
    kept: list[Any] = []

    class Window(MainWindow):
        may_close = False

        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            self.settings.memory, self.settings.device, self.settings.threads = MEMORY, "cpu", 1
            self.painted.connect(self.begin)

        def begin(self) -> None:
            watch.start()
            self._wait = QTimer(self)
            self._wait.timeout.connect(self.look)
            self._wait.start(100)

        def look(self) -> None:
            if self.workbench is not None and (self.workbench.ready or self.workbench.trouble):
                self._wait.stop()
                faulthandler.enable()  # on stderr again, where the test reads it
                kept.append(kinds_of_widgets())
                kept.append(Monkey(self, lab, seconds, seed, watch))

        def closeEvent(self, event: QCloseEvent) -> None:
            if self.may_close:
                super().closeEvent(event)
            else:
                event.ignore()

    sys.modules["gui.main_window"].MainWindow = Window  # type: ignore[misc]
    browser = NoBrowser()
    for scheme in ("http", "https", "file", "mailto"):
        QDesktopServices.setUrlHandler(scheme, browser, "take")
    code = app.run(app.Start(lab=lab, offline=True))
    watch.stop()
    monkey: Monkey = kept[1]
    gc.collect()
    grown = kinds_of_widgets() - kept[0]
    report = {
        "lab": lab,
        "seed": seed,
        "actions": monkey.actions,
        "opened": dict(monkey.opened),
        "problems": watch.problems,
        "times": {key: count for key, count in watch._counted.items() if count > 1},
        "stalls": watch.stalls,
        "worst": round(watch.worst, 2),
        "memory": watch.memory,
        "widgets": dict(grown.most_common(12)),
        "threads": [each.name for each in threading.enumerate() if each.name.startswith("deepscope")],
    }
    print(json.dumps(report))
    return code


if __name__ == "__main__":
    sys.exit(main())
