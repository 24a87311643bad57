"""The window: the header and the strip of open labs over either the gallery or one of these labs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtWidgets import QMainWindow, QStackedWidget, QVBoxLayout, QWidget

from engine.discovery import Card, built_in, catalogue, find_card
from engine.own_labs import set_labs_folder
from gui import crash_log, theme
from gui.background import Work
from gui.drops import dropped_session
from gui.gallery import Gallery
from gui.header import Header
from gui.notice import Notice, Relay
from gui.open_labs import OpenLabs
from gui.opening import Opening, RecentSessions, question
from gui.settings import Settings

if TYPE_CHECKING:
    from PySide6.QtGui import (
        QAction,
        QCloseEvent,
        QDragEnterEvent,
        QDropEvent,
        QKeyEvent,
        QKeySequence,
        QPaintEvent,
    )
    from PySide6.QtWidgets import QMenu, QPushButton

    from engine.messages import RunSpec
    from gui.export_menu import ExportMenu
    from gui.kept import Kept
    from gui.keys import KeysSheet
    from gui.lab_strip import LabStrip
    from gui.left_behind import Offer
    from gui.session_bridge import SessionBridge
    from gui.toast import Toast
    from gui.workbench import Workbench

WARM_UP_MS = 200  # after the first paint: importing torch takes the interpreter from the window for a moment


def _key(standard: QKeySequence.StandardKey, fallback: str) -> QKeySequence:
    """The platform's key, or ours where the platform has none (Preferences, Quit and FullScreen on some)."""
    from PySide6.QtGui import QKeySequence

    keys = QKeySequence.keyBindings(standard)
    return keys[0] if keys else QKeySequence(fallback)


def _open_label(states: list[str]) -> str:
    """What a card says of its lab: "open · step 1,030, training", or how many are open."""
    return f"open · {states[0]}" if len(states) == 1 else f"{len(states)} open"


def _close_what_lies_over() -> None:
    """Menus and dialogs run loops of their own, which must end before the widgets that began them are gone."""
    from PySide6.QtWidgets import QApplication

    for topmost in (QApplication.activePopupWidget, QApplication.activeModalWidget):
        while (widget := topmost()) is not None and widget.close():
            pass


class MainWindow(QMainWindow):
    """One per application. `warm_up` loads the engine in the background once the window is painted."""

    painted = Signal()  # the first time

    def __init__(self, settings: Settings, *, warm_up: bool = True) -> None:
        super().__init__()
        self.settings = settings
        self.bridge: SessionBridge | None = None
        self.labs = OpenLabs(settings, self)
        self.labs.gone.connect(self._lab_closed)
        self.labs.changed.connect(self._labs_changed)
        self._strip: LabStrip | None = None  # made with the first lab
        self._toast: Toast | None = None  # of the gallery; a lab has one of its own
        self._warm_up = warm_up
        self._painted = False
        self._closed = False
        self._keys: KeysSheet | None = None
        self._left: Offer | None = None
        self.setWindowTitle("Deepscope")
        self.setMinimumSize(960, 600)
        self._looking: Work | None = None
        self._cards = built_in()  # at first; what else there is, is looked for once the window is painted
        self.gallery = Gallery(self._cards)
        self.gallery.chosen.connect(self.open_lab)
        self.notice = Notice()
        self.stuck_notice = Notice()
        self._saving: tuple[QAction, ...] = ()
        self._closing: QAction | None = None
        self._made_menu: QMenu | None = None
        self._exporting: ExportMenu | None = None
        self._opening = Opening(settings, self)
        self._opening.ready.connect(self._session_read)
        self._opening.asks.connect(self._ask_for_data)
        self._opening.refused.connect(self.notice.show_text)
        self._recent = RecentSessions(settings, self)
        self._recent.changed.connect(self.gallery.set_sessions)
        self._recent.chosen.connect(self.open_session)
        self.gallery.session_chosen.connect(self.open_session)
        self.header = Header()
        self.header.back.connect(self.show_gallery)
        self.header.searched.connect(self.gallery.search)
        self.header.search_entered.connect(self.gallery.open_first)
        self.header.search_left.connect(self.gallery.focus_first)
        self.header.theme_toggled.connect(self._toggle_theme)
        self.header.explain_toggled.connect(lambda on: self._panel_asked("explain", on))
        self.header.code_toggled.connect(lambda on: self._panel_asked("code", on))
        self.header.compare_toggled.connect(lambda on: self._panel_asked("compare", on))
        self.gallery.search_cleared.connect(self.header.search.clear)
        self.gallery.typed.connect(self._type_to_search)
        self._relay = Relay(self)
        self._relay.raised.connect(self.notice.show_error)
        crash_log.on_exception(self._relay.tell)
        self.pages = QStackedWidget()
        self.pages.addWidget(self.gallery)
        self.pages.currentChanged.connect(self._page_changed)
        self.setAcceptDrops(True)
        self._centre = QWidget()
        self._column = column = QVBoxLayout(self._centre)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for widget in (self.header, self.notice, self.stuck_notice, self.pages):
            column.addWidget(widget)
        self.setCentralWidget(self._centre)
        if not self.restoreGeometry(settings.geometry):
            self.resize(1280, 800)
        self.gallery.set_recent(settings.recent_labs)
        self.gallery.setFocus(Qt.FocusReason.OtherFocusReason)
        settings.changed.connect(self._apply)
        theme.holder.changed.connect(self.header.load_icons)

    # ------------------------------------------------------------------ actions and keys

    @property
    def _menu(self) -> QMenu:
        """The menu, with the keys; made right after the first paint, as PySide's list of standard keys is long."""
        if self._made_menu is None:
            from PySide6.QtWidgets import QMenu

            self._made_menu = QMenu(self)
            self._make_actions()
        return self._made_menu

    def _make_actions(self) -> None:
        from PySide6.QtGui import QKeySequence

        from gui.export_menu import ExportMenu

        standard = QKeySequence.StandardKey
        self._action("Find a lab", _key(standard.Find, "Ctrl+F"), self._find, in_menu=False)
        home = self._action("All labs", QKeySequence("Ctrl+G"), self.show_gallery, in_menu=False)
        home.setShortcuts([QKeySequence("Ctrl+G"), QKeySequence("Alt+Home")])
        self._action("Next lab", QKeySequence("Ctrl+Tab"), lambda: self._go_beside(1), in_menu=False)
        self._action("Previous lab", QKeySequence("Ctrl+Shift+Tab"), lambda: self._go_beside(-1), in_menu=False)
        for place in range(9):
            key = QKeySequence(f"Ctrl+{place + 1}")
            self._action(f"Open lab {place + 1}", key, partial(self._go_to, place), in_menu=False)
        self._action("Open session…", _key(standard.Open, "Ctrl+O"), self._opening.choose)
        self._recent.fill(self._menu.addMenu("Open recent"))
        self._saving = (
            self._action("Save session", _key(standard.Save, "Ctrl+S"), self._save),
            self._action("Save session as…", _key(standard.SaveAs, "Ctrl+Shift+S"), self._save_as),
        )
        self._exporting = ExportMenu(self, self.settings)
        self._menu.addMenu(self._exporting)
        self._closing = self._action("Close lab", QKeySequence("Ctrl+W"), self.close_lab)
        self._menu.addSeparator()
        self._action("Settings…", _key(standard.Preferences, "Ctrl+,"), self.show_settings)
        self._action("Full screen", _key(standard.FullScreen, "F11"), self._toggle_full_screen)
        self._action("Keys", QKeySequence("F1"), self.show_keys)
        self._action("About Deepscope", QKeySequence(), self.show_about)
        self._menu.addSeparator()
        self._action("Quit", _key(standard.Quit, "Ctrl+Q"), self.close)
        self._page_changed()

    def _action(self, text: str, key: QKeySequence, slot: Callable[[], object], *, in_menu: bool = True) -> QAction:
        from PySide6.QtGui import QAction

        action = QAction(text, self)
        action.setShortcut(key)
        action.triggered.connect(lambda: slot())
        self.addAction(action)
        if in_menu:
            self._menu.addAction(action)
        return action

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self.isFullScreen():  # nothing above it took the key
            self.showNormal()
        else:
            super().keyPressEvent(event)

    def _find(self) -> None:
        if not self.in_lab:
            self.header.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
            self.header.search.selectAll()

    def _type_to_search(self, text: str) -> None:
        self._find()
        self.header.search.setText(text)

    def _toggle_full_screen(self) -> None:
        if self.isFullScreen():
            self.showNormal()
        else:
            self.showFullScreen()

    def _toggle_theme(self) -> None:
        self.settings.theme = "light" if theme.current() is theme.DARK else "dark"

    # ------------------------------------------------------------------ labs

    def open_lab(
        self,
        lab_id: str,
        *,
        resume: Path | None = None,
        values: Mapping[str, float | int | str | bool] | None = None,
        dataset: str = "",
        seed: int | None = None,
    ) -> None:
        """Show a lab; what is given is set in place of what was last used. Raises UnknownLab."""
        from gui.workbench import Workbench  # with numpy and the views: time that the gallery does without

        card = find_card(lab_id)
        asked = resume is not None or values is not None or dataset or seed is not None
        bench = None if asked else self.labs.of(card.id)
        if bench is None:
            bench = Workbench(
                self.engine(), card.id, self.settings, resume=resume, values=values, dataset=dataset, seed=seed
            )
            self._add(bench)
        self.show_bench(bench)
        self.settings.remember_lab(card.id)

    def _add(self, bench: Workbench) -> None:
        """A lab is opened: what it says reaches the header while it is the one that is shown."""
        if self._strip is None:
            from gui.lab_strip import LabStrip

            self._strip = LabStrip(self.labs)
            self._strip.chosen.connect(self.show_bench)
            self._strip.close_asked.connect(self.labs.close)
            self._strip.settings_asked.connect(self.show_settings)
            self.engine().polled.connect(self._strip.polled)
            self.engine().polled.connect(self._show_open_cards)
            self._column.insertWidget(1, self._strip)
        bench.title_changed.connect(lambda *_: self._show_title() if bench is self.workbench else None)
        bench.file.copied.connect(self.open_lab)
        for button, action in self._panels(bench):
            action.toggled.connect(lambda on, button=button: button.setChecked(on) if bench is self.workbench else None)
        self.pages.addWidget(bench)
        self.labs.add(bench)

    def _panels(self, bench: Workbench) -> tuple[tuple[QPushButton, QAction], ...]:
        """The buttons of the header and what they switch in a lab."""
        header, actions = self.header, (bench.explain_action, bench.code_action, bench.twins.action)
        return tuple(zip((header.explain, header.code, header.compare), actions, strict=True))

    def _panel_asked(self, name: str, on: bool) -> None:
        if (bench := self.workbench) is not None:
            actions = {"explain": bench.explain_action, "code": bench.code_action, "compare": bench.twins.action}
            actions[name].setChecked(on)

    @property
    def workbench(self) -> Workbench | None:
        """The lab that is on screen, or was before the gallery."""
        return self.labs.shown

    def show_bench(self, bench: Workbench) -> None:
        """Bring an open lab to the screen; the one that is there stays open."""
        self.labs.show(bench)
        for button, action in self._panels(bench):
            blocked = button.blockSignals(True)
            button.setChecked(action.isChecked())
            button.blockSignals(blocked)
        self.header.show_lab()
        self.pages.setCurrentWidget(bench)
        self._labs_changed()
        self._page_changed()
        self._show_title()
        bench.setFocus(Qt.FocusReason.OtherFocusReason)

    def _go_beside(self, steps: int) -> None:
        """To the next open lab; from the gallery back to the one that was shown last."""
        bench = self.labs.beside(steps if self.in_lab else 0)
        if bench is not None and not (self.in_lab and bench is self.workbench):
            self.show_bench(bench)

    def _go_to(self, place: int) -> None:
        if place < len(self.labs.benches):
            self.show_bench(self.labs.benches[place])

    def close_lab(self) -> None:
        """Close the lab that is on screen. What it has learned is kept, if it lies in no file."""
        if self.in_lab and self.workbench is not None:
            self.labs.close(self.workbench)

    def _lab_closed(self, bench: Workbench, path: Path | None) -> None:
        """A lab is closed: show its neighbour, or the gallery, and say where its network is."""
        on_screen = self.pages.currentWidget() is bench
        if self._exporting is not None:
            self._exporting.end(bench)
        if on_screen and self.workbench is not None:
            self.show_bench(self.workbench)
        elif on_screen:
            self._go_home()
        self.pages.removeWidget(bench)
        if path is not None:
            self.settings.remember_session(path, bench.lab_id)
            told = f"Kept {bench.title} at step {bench.step:,}: it is under Recent"
            self._say(told, "Reopen", lambda: self.open_session(path))
            self._ask_for_room()

    def _ask_for_room(self) -> None:
        """More is kept than the limit in Settings: offer to remove the oldest. Nothing goes unasked."""
        from gui import format, kept

        files = kept.listing(self.settings.kept_folder)
        if over := kept.beyond(files, self.settings.kept_limit << 20):
            total, room = sum(file.size for file in files), sum(file.size for file in over)
            told = f"The kept networks of closed labs take {format.size(total)}, more than the limit in Settings."
            button = f"Remove the oldest {len(over)} ({format.size(room)})"
            self.notice.offer(told, button, lambda: self._remove_kept(over), lambda: None)

    def _remove_kept(self, files: tuple[Kept, ...]) -> None:
        from gui import kept

        kept.remove(files)
        self._recent.look()

    def _say(self, text: str, button: str, act: Callable[[], None]) -> None:
        """A few words over the page that is shown."""
        if self.in_lab and self.workbench is not None:
            self.workbench.toast.say(text, button, act)
            return
        if self._toast is None:
            from gui.toast import Toast

            self._toast = Toast(self.gallery)
        self._toast.say(text, button, act)

    def _labs_changed(self) -> None:
        """The strip is there for whoever has something to switch to: one lab alone has the window for itself."""
        if self._strip is not None:
            self._strip.show_at_home(not self.in_lab)
            self._strip.setVisible(len(self.labs.benches) > (1 if self.in_lab else 0))
        self._show_open_cards()

    def _show_open_cards(self) -> None:
        """Say on the cards of the gallery which labs are open."""
        if not self.in_lab:
            from gui.lab_strip import state_of

            found: dict[str, list[str]] = {}
            for bench in self.labs.benches:
                found.setdefault(bench.lab_id, []).append(state_of(bench))
            labels = {name: _open_label(states) for name, states in found.items()}
            self.gallery.set_open(labels)

    @property
    def in_lab(self) -> bool:
        """Whether a lab is on screen."""
        return self.workbench is not None and self.pages.currentWidget() is self.workbench

    def show_gallery(self) -> None:
        """Go home. The lab stays open, paused unless it is to train on."""
        if self.workbench is None or not self.in_lab:
            return
        self.workbench.leave()
        self._go_home()
        self.gallery.focus_lab(self.workbench.lab_id)

    def _go_home(self) -> None:
        self.setWindowTitle("Deepscope")
        self.look_for_labs()
        self._recent.look()
        self.pages.setCurrentWidget(self.gallery)
        self.header.show_home()
        self._labs_changed()

    def look_for_labs(self) -> None:
        """Show the labs that there are now, the viewer's own and those of installed packages included."""
        self._show_labs(catalogue())

    def _show_labs(self, cards: tuple[Card, ...]) -> None:
        if cards != self._cards:
            self._cards = cards
            self.gallery.set_cards(cards)
            self.gallery.set_recent(self.settings.recent_labs)

    def _looked(self) -> None:
        self._looking = None

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() != QEvent.Type.ActivationChange or not self.isActiveWindow():
            return
        if self._made_menu is not None and self._looking is None:  # not at the start
            self.look_for_labs()  # the viewer comes back, from an editor maybe

    # ------------------------------------------------------------------ saved sessions

    def open_session(self, path: Path) -> None:
        """Go on with a saved session. A file that cannot be read is named in the notice, and what is open stays."""
        self._opening.open(path)

    def _session_read(self, path: Path, spec: RunSpec) -> None:
        self.notice.hide()
        given = spec.hyperparameters
        self.open_lab(spec.lab, resume=path, values=given, dataset=spec.dataset, seed=spec.seed)

    def _ask_for_data(self, path: Path, spec: RunSpec) -> None:
        """A session may name any files: they are read only once the viewer agrees."""
        text, tip = question(path, spec.dataset)
        self.notice.offer(text, "Read them", lambda: self._session_read(path, spec), lambda: None, tip=tip)

    def _save(self) -> None:
        if self.workbench is not None:
            self.workbench.saving.save()

    def _save_as(self) -> None:
        if self.workbench is not None:
            self.workbench.saving.save_as()

    def _page_changed(self) -> None:
        for action in self._saving:
            action.setEnabled(self.in_lab)
        if self._closing is not None:
            self._closing.setEnabled(self.in_lab)
        if self._exporting is not None:
            self._exporting.show_lab(self.workbench, shown=self.in_lab)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if dropped_session(event.mimeData()) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        if (path := dropped_session(event.mimeData())) is not None:
            event.acceptProposedAction()
            self.open_session(path)

    def _show_title(self) -> None:
        if (bench := self.workbench) is not None:
            self.header.set_title(bench.title, bench.subtitle)
            if self.in_lab:
                self.setWindowTitle(f"{bench.title} – Deepscope")

    # ------------------------------------------------------------------ engine

    def engine(self) -> SessionBridge:
        """The bridge to the session, made when it is first needed."""
        if self.bridge is None:
            from gui.session_bridge import SessionBridge
            from gui.stuck import StuckEngine

            self.bridge = SessionBridge(self, threads=self.settings.threads, memory=self.settings.memory << 20)
            self.bridge.set_budget(self.settings.budget)
            self.bridge.loaded.connect(self._engine_loaded)
            StuckEngine(self.bridge, self.stuck_notice, self)
            self.bridge.warm_up()
        return self.bridge

    def _engine_loaded(self) -> None:
        self.header.set_device(self.device_name())

    def device_name(self) -> str:
        """The device that labs are opened on, as a person calls it; "" until the engine is loaded."""
        devices = self.bridge.devices if self.bridge is not None else {}
        return devices.get(self.settings.device) or next(iter(devices.values()), "")

    def _apply(self, name: str) -> None:
        """A setting changed (the theme is the application's affair)."""
        if name == "recent_labs":
            self.gallery.set_recent(self.settings.recent_labs)
        elif name == "data_folder":
            from engine.data import set_data_folder

            set_data_folder(self.settings.data_folder or None)
        elif name == "labs_folder":
            set_labs_folder(self.settings.labs_folder or None)
            self.look_for_labs()
        elif name == "budget" and self.bridge is not None:
            self.bridge.set_budget(self.settings.budget)
        elif name == "memory" and self.bridge is not None:
            self.bridge.set_memory(self.settings.memory << 20)
        elif name == "device":
            self.header.set_device(self.device_name())

    # ------------------------------------------------------------------ dialogs

    def show_settings(self) -> None:
        """Open the settings."""
        from gui.settings_dialog import SettingsDialog

        dialog = SettingsDialog(self.settings, self.bridge, self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def show_about(self) -> None:
        """Open the About dialog."""
        from gui.about import AboutDialog

        dialog = AboutDialog(self, self.device_name())
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def show_keys(self) -> None:
        """Show the keys over the window; once more hides them."""
        from gui.keys import KeysSheet

        if self._keys is not None:
            self._keys.dismiss()
            return
        self._keys = KeysSheet(self._centre)
        self._keys.closed.connect(self._keys_closed)

    def _keys_closed(self) -> None:
        self._keys = None

    # ------------------------------------------------------------------ first and last

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._painted:
            self._painted = True
            QTimer.singleShot(0, self, self._after_first_paint)

    def _after_first_paint(self) -> None:
        self.painted.emit()
        # on another thread: what packages offer takes 30 ms to find for the first time
        self._looking = Work(lambda _: catalogue(), self)
        self._looking.finished.connect(self._show_labs)
        self._looking.over.connect(self._looked)
        self._looking.start()
        self._recent.look()
        self.header.set_menu(self._menu)
        self.header.load_icons()
        if self._warm_up:
            QTimer.singleShot(WARM_UP_MS, self, lambda: None if self._closed else self.engine())
        QTimer.singleShot(2 * WARM_UP_MS, self, lambda: None if self._closed else self._offer_what_was_left())

    def _offer_what_was_left(self) -> None:
        """Runs that an earlier start kept, as it ended without saving them."""
        if not self.isVisible():
            return  # closed meanwhile
        from gui.left_behind import Offer

        self._left = Offer(self.settings, self.notice, self.open_session, self)
        self._opening.ready.connect(self._left.go_on)
        self._opening.refused.connect(self._left.go_on)
        self._left.look()

    def closeEvent(self, event: QCloseEvent) -> None:
        self._closed = True  # timers of the start may still be running: they must not start an engine now
        self.settings.geometry = self.saveGeometry()
        self.settings.sync()
        self.hide()  # at once: the worker may be in the middle of a long step
        _close_what_lies_over()
        crash_log.on_exception(None)
        if self._looking is not None:
            self._looking.end()
        self._opening.end()
        self._recent.end()
        if self._left is not None:
            self._left.end()
        for bench in self.labs.benches:
            bench.autosave.close()
            bench.runs.parking.keep_all(room=0)  # without a timeline, so that closing takes no time
        if self.bridge is not None:  # first the polls, then the worker, then the widgets
            self.bridge.shutdown()
        for bench in self.labs.take_all():
            if self._exporting is not None:
                self._exporting.end(bench)
            bench.close_run()
            self.pages.removeWidget(bench)
            bench.close()
            bench.deleteLater()
        event.accept()
