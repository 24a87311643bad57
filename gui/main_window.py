"""The window: the header over either the gallery or one open lab."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
    from PySide6.QtWidgets import QMenu

    from engine.messages import RunSpec
    from gui.export_menu import ExportMenu
    from gui.keys import KeysSheet
    from gui.left_behind import Offer
    from gui.session_bridge import SessionBridge
    from gui.workbench import Workbench

WARM_UP_MS = 200  # after the first paint: importing torch takes the interpreter from the window for a moment


def _key(standard: QKeySequence.StandardKey, fallback: str) -> QKeySequence:
    """The platform's key, or ours where the platform has none (Preferences, Quit and FullScreen on some)."""
    from PySide6.QtGui import QKeySequence

    keys = QKeySequence.keyBindings(standard)
    return keys[0] if keys else QKeySequence(fallback)


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
        self.workbench: Workbench | None = None
        self._warm_up = warm_up
        self._painted = False
        self._title = ("", "")
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
        column = QVBoxLayout(self._centre)
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
        self._action("Open session…", _key(standard.Open, "Ctrl+O"), self._opening.choose)
        self._recent.fill(self._menu.addMenu("Open recent"))
        self._saving = (
            self._action("Save session", _key(standard.Save, "Ctrl+S"), self._save),
            self._action("Save session as…", _key(standard.SaveAs, "Ctrl+Shift+S"), self._save_as),
        )
        self._exporting = ExportMenu(self, self.settings)
        self._menu.addMenu(self._exporting)
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
        kept = self.workbench
        asked = resume is not None or values is not None or dataset or seed is not None
        if kept is None or kept.lab_id != card.id or asked:
            earlier = kept.earlier.handed_on() if kept is not None and kept.lab_id == card.id else []
            self._close_lab()
            kept = Workbench(
                self.engine(), card.id, self.settings, resume=resume, values=values, dataset=dataset, seed=seed
            )
            kept.earlier.take_over(earlier)
            self._title = card.title, card.chapter
            kept.title_changed.connect(self._set_title)
            kept.file.copied.connect(self.open_lab)
            self.header.explain_toggled.connect(kept.explain_action.setChecked)
            self.header.code_toggled.connect(kept.code_action.setChecked)
            self.header.compare_toggled.connect(kept.twins.action.setChecked)
            kept.twins.action.toggled.connect(self.header.compare.setChecked)
            kept.explain_action.toggled.connect(self.header.explain.setChecked)
            kept.code_action.toggled.connect(self.header.code.setChecked)
            self.pages.addWidget(kept)
            self.workbench = kept
        self.header.show_lab()
        self._set_title(*self._title)
        self.pages.setCurrentWidget(kept)
        kept.setFocus(Qt.FocusReason.OtherFocusReason)
        self.settings.remember_lab(card.id)

    @property
    def in_lab(self) -> bool:
        """Whether a lab is on screen."""
        return self.workbench is not None and self.pages.currentWidget() is self.workbench

    def show_gallery(self) -> None:
        """Go home. The lab is paused and kept until another is opened: nothing learned is lost by looking around."""
        if self.workbench is None or not self.in_lab:
            return
        if self.bridge is not None and self.workbench.run is not None:
            from engine.messages import Pause

            self.bridge.send(Pause(self.workbench.run))
        self.setWindowTitle("Deepscope")
        self.look_for_labs()
        self._recent.look()
        self.pages.setCurrentWidget(self.gallery)
        self.header.show_home()
        self.gallery.focus_lab(self.workbench.lab_id)

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
        if self._exporting is not None:
            self._exporting.show_lab(self.workbench, shown=self.in_lab)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if dropped_session(event.mimeData()) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        if (path := dropped_session(event.mimeData())) is not None:
            event.acceptProposedAction()
            self.open_session(path)

    def _set_title(self, title: str, subtitle: str) -> None:
        self._title = title, subtitle
        self.header.set_title(title, subtitle)
        if self.in_lab:
            self.setWindowTitle(f"{title} – Deepscope")

    def _close_lab(self) -> None:
        if self.workbench is None:
            return
        bench, self.workbench = self.workbench, None
        if self._exporting is not None:
            self._exporting.end()
        bench.close_run()
        self.header.uncheck()
        self.pages.removeWidget(bench)
        bench.close()
        bench.deleteLater()

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
            QTimer.singleShot(WARM_UP_MS, self, self.engine)
        QTimer.singleShot(2 * WARM_UP_MS, self, self._offer_what_was_left)

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
        if self.workbench is not None:
            self.workbench.autosave.close()
        if self.bridge is not None:  # first the polls, then the worker, then the widgets
            self.bridge.shutdown()
        self._close_lab()
        event.accept()
