"""The home page: every lab as a card, by chapter, with search and the labs opened last."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from PySide6.QtCore import QRect, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from engine.discovery import Card
from gui.cards import BigCard, CardButton, RecentCard
from gui.plain import plain

if TYPE_CHECKING:
    from PySide6.QtCore import QPropertyAnimation
    from PySide6.QtGui import QResizeEvent, QWheelEvent

    from gui.opening import Session

MARGIN, GAP = 32, 16
LINKS, LINK_WIDTH = 5, 140  # sessions shown, and pixels that the name of one may take
KEPT_WIDTH = 200  # the same for one that was kept: its name is the lab's title and the step
NARROWEST, MOST_COLUMNS, WIDEST_PAGE = 240, 6, 1960
Cell = Callable[[int, int, int], QRect]  # column, top, height -> where
C = TypeVar("C", bound=CardButton)
NO_MATCH = "Nothing found for “{}”."


def matches(card: Card, query: str) -> bool:
    """Whether every word of the query occurs in the card's title, summary, description or chapter."""
    text = f"{card.title} {card.summary} {card.about} {card.chapter} {card.id.replace('_', ' ')}".casefold()
    return all(word in text for word in query.casefold().split())


def columns_for(width: int) -> int:
    """How many cards stand side by side in a page of that width (margins included)."""
    return max(1, min(MOST_COLUMNS, (width - 2 * MARGIN + GAP) // (NARROWEST + GAP)))


class Gallery(QWidget):
    """Emits `chosen` with the id of the lab to open."""

    chosen = Signal(str)
    session_chosen = Signal(object)  # the path of a saved session
    search_cleared = Signal()  # the button of the empty state: the search field is in the header
    typed = Signal(str)  # a letter, typed at the cards: it is meant for the search field

    def __init__(self, cards: Sequence[Card], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Gallery of labs")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)  # so that the first focus rings nothing
        self._scroll = _SmoothScrollArea(self)
        self._page = _Page(cards, self._scroll)
        self._page.chosen.connect(self.chosen)
        self._page.session_chosen.connect(self.session_chosen)
        self._page.focused.connect(lambda card: self._scroll.ensureWidgetVisible(card, 0, 48))
        self._page.clear.clicked.connect(self.search_cleared)
        self._scroll.setWidget(self._page)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._scroll)

    def set_cards(self, cards: Sequence[Card]) -> None:
        """Show other labs: files of the viewer's own came, changed or went."""
        self._page.set_cards(cards)

    def set_recent(self, lab_ids: Sequence[str]) -> None:
        """The labs opened last, the latest first; ids that no longer exist are left out."""
        self._page.set_recent(lab_ids)

    def set_sessions(self, sessions: Sequence[Session]) -> None:
        """The sessions saved or opened last, the latest first."""
        self._page.set_sessions(sessions)

    def set_open(self, labels: Mapping[str, str]) -> None:
        """What the cards of open labs say, by the lab's id."""
        self._page.set_open(labels)

    def search(self, query: str) -> None:
        """Show only what matches; "" shows everything."""
        self._page.search(query.strip())
        self._scroll.verticalScrollBar().setValue(0)

    def shown(self) -> list[str]:
        """The ids of the labs shown now, in order."""
        return [card.card.id for card in self._page.visible_cards() if isinstance(card, BigCard)]

    def open_first(self) -> None:
        """Open the first lab shown: Enter in the search field."""
        if shown := self.shown():
            self.chosen.emit(shown[0])

    def keyPressEvent(self, event: QKeyEvent) -> None:
        text, none = event.text(), Qt.KeyboardModifier.NoModifier
        if event.key() in (Qt.Key.Key_Down, Qt.Key.Key_Right):
            self.focus_first()
        elif text.isprintable() and text.strip() and event.modifiers() in (none, Qt.KeyboardModifier.ShiftModifier):
            self.typed.emit(text)
        else:
            super().keyPressEvent(event)

    def focus_lab(self, lab_id: str) -> None:
        """Put the keyboard on a lab's card: coming back from it."""
        for card in self._page.visible_cards():
            if isinstance(card, BigCard) and card.card.id == lab_id:
                card.setFocus(Qt.FocusReason.OtherFocusReason)

    def focus_first(self) -> None:
        """Put the keyboard on the first card: Down in the search field."""
        if cards := self._page.visible_cards():
            cards[0].setFocus(Qt.FocusReason.TabFocusReason)


class _SmoothScrollArea(QScrollArea):
    """Glides for the notches of a mouse wheel; touch pads glide by themselves."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._glide: QPropertyAnimation | None = None

    def wheelEvent(self, event: QWheelEvent) -> None:
        if not event.pixelDelta().isNull() or not event.angleDelta().y():
            super().wheelEvent(event)
            return
        from PySide6.QtCore import QPropertyAnimation

        bar = self.verticalScrollBar()
        if self._glide is None:
            self._glide = QPropertyAnimation(bar, b"value", self)
            self._glide.setDuration(160)
        running = self._glide.state() == QPropertyAnimation.State.Running
        start = self._glide.endValue() if running else bar.value()
        target = start - event.angleDelta().y()  # a notch is 120
        self._glide.stop()
        self._glide.setStartValue(bar.value())
        self._glide.setEndValue(max(bar.minimum(), min(bar.maximum(), target)))
        self._glide.start()
        event.accept()


class _Page(QWidget):
    """Heading, recent labs, chapters. Places its children itself: chapters that fit share a row."""

    chosen = Signal(str)
    session_chosen = Signal(object)
    focused = Signal(QWidget)

    def __init__(self, cards: Sequence[Card], area: QScrollArea) -> None:
        super().__init__()
        self._area = area
        self.setProperty("role", "page")
        self._query = ""
        self._placed_for = QSize()
        self._labs: dict[str, Card] = {}
        self._open: dict[str, str] = {}
        self._heading = self._label("What would you like to see learn?", "heading")
        self._line = self._label("Every lab trains a real network, live, on this machine.", "muted")
        self._recent_title = self._label("Recent", "chapter")
        self._recent: list[RecentCard] = []
        self._sessions_title = self._label("Recent sessions", "muted")
        self._sessions: list[QPushButton] = []
        self._chapters: list[tuple[QLabel, list[BigCard]]] = []
        self._make_chapters(cards)
        self._nothing = self._label("", "muted")
        self.clear = QPushButton("Clear search", self)
        self.clear.hide()
        self._nothing.hide()

    def _label(self, text: str, role: str) -> QLabel:
        label = QLabel(text, self)
        label.setProperty("role", role)
        return label

    def _add(self, card: C) -> C:
        card.clicked.connect(lambda: self.chosen.emit(card.card.id))
        card.focused.connect(lambda: self.focused.emit(card))
        card.steer = self._move
        return card

    def _make_chapters(self, cards: Sequence[Card]) -> None:
        self._labs = {card.id: card for card in cards}
        for chapter in dict.fromkeys(card.chapter for card in cards):
            title = self._label(chapter, "chapter")
            self._chapters.append((title, [self._add(BigCard(c, self)) for c in cards if c.chapter == chapter]))

    def set_cards(self, cards: Sequence[Card]) -> None:
        recent = [card.card.id for card in self._recent]
        for title, old in self._chapters:
            for widget in (title, *old):
                widget.hide()
                widget.deleteLater()
        self._chapters = []
        self._make_chapters(cards)
        self.set_recent(recent)

    def set_recent(self, lab_ids: Sequence[str]) -> None:
        for old in self._recent:
            old.hide()
            old.deleteLater()
        self._recent = [self._add(RecentCard(self._labs[name], self)) for name in lab_ids if name in self._labs]
        self._show_open()
        self._place()

    def set_open(self, labels: Mapping[str, str]) -> None:
        self._open = dict(labels)
        self._show_open()

    def _show_open(self) -> None:
        for card in (*self._recent, *(card for _, cards in self._chapters for card in cards)):
            card.set_open(self._open.get(card.card.id, ""))

    def set_sessions(self, sessions: Sequence[Session]) -> None:
        for old in self._sessions:
            old.hide()
            old.deleteLater()
        self._sessions = [self._link(session) for session in sessions]
        self._place()

    def _link(self, session: Session) -> QPushButton:
        room = LINK_WIDTH if session.kept is None else KEPT_WIDTH
        name = self.fontMetrics().elidedText(session.name, Qt.TextElideMode.ElideMiddle, room)
        link = QPushButton(name.replace("&", "&&"), self)
        link.setProperty("kind", "small")
        link.setToolTip(plain(f"{session.about}\n{session.path}"))
        link.setAccessibleName(f"Open session {session.name}, {session.title}")
        link.clicked.connect(lambda: self.session_chosen.emit(session.path))
        return link

    def search(self, query: str) -> None:
        self._query = query
        self._place()

    def visible_cards(self) -> list[CardButton]:
        """The cards shown, from top to bottom."""
        chapters = [card for _, cards in self._chapters for card in cards]
        return [card for card in [*self._recent, *chapters] if not card.isHidden()]

    # ------------------------------------------------------------------ layout

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self._room() != self._placed_for:
            self._place()

    def _room(self) -> QSize:
        """The scroll area's size: the width does not change when the scroll bar comes and goes, so nothing jumps."""
        return self._area.size()

    def _place(self) -> None:
        """Put every child in its place for the present size and search."""
        room = self._placed_for = self._room()
        width = min(room.width(), WIDEST_PAGE)
        left = (room.width() - width) // 2 + MARGIN
        columns = min(columns_for(width), max(4, len(self._labs)))
        pitch = (width - 2 * MARGIN + GAP) / columns

        def cell(column: int, top: int, height: int) -> QRect:
            x = left + round(column * pitch)
            return QRect(x, top, left + round((column + 1) * pitch) - GAP - x, height)

        self._heading.setGeometry(left, 24, width - 2 * MARGIN, 32)
        self._line.setGeometry(left, 57, self._line.sizeHint().width(), 20)
        self._place_sessions(self._line.geometry().right() + 40, left + width - 2 * MARGIN, 67)
        top = self._place_recent(columns, cell, left, 96)
        found = [(title, [c for c in cards if matches(c.card, self._query)]) for title, cards in self._chapters]
        chosen = {card for _, cards in found for card in cards}
        for (title, all_cards), (_, cards) in zip(self._chapters, found, strict=True):
            title.setVisible(bool(cards))
            for card in all_cards:
                card.setVisible(card in chosen)
        bottom = self._place_chapters(found, columns, cell, top, roomy=True)
        if bottom + MARGIN > room.height():  # tall cards that say more are for when all of them can be seen
            bottom = self._place_chapters(found, columns, cell, top, roomy=False)
        self._place_nothing(not chosen, left, top)
        self.setMinimumHeight(bottom + MARGIN if chosen else top + 96)

    def _place_chapters(
        self, found: list[tuple[QLabel, list[BigCard]]], columns: int, cell: Cell, y: int, *, roomy: bool
    ) -> int:
        """Place the cards found; chapters of one row share it where they fit. Returns where the last row ends."""
        height = BigCard.height_for(cell(0, 0, 0).width(), roomy)
        column, rows = 0, 1
        for title, cards in found:
            if column and cards and (rows > 1 or column + len(cards) > columns):
                column, y = 0, y + 28 + height + 24
            rows = 1
            title.setGeometry(cell(column, y, 22))
            for index, card in enumerate(cards):
                if index and column == columns:
                    column, y, rows = 0, y + height + GAP, rows + 1
                card.set_roomy(roomy)
                card.setGeometry(cell(column, y + 28, height))
                column += 1
        return y + 28 + height

    def _place_recent(self, columns: int, cell: Cell, left: int, y: int) -> int:
        show = bool(self._recent) and not self._query
        self._recent_title.setVisible(show)
        for index, card in enumerate(self._recent):
            card.setVisible(show and index < columns)
            card.setGeometry(cell(index, y + 28, RecentCard.HEIGHT))
        self._recent_title.setGeometry(left, y, 200, 22)
        return y + 28 + RecentCard.HEIGHT + 24 if show else y

    def _place_sessions(self, left: int, right: int, middle: int) -> None:
        """Those that fit, a handful at most: the menu has all of them."""
        title = self._sessions_title.sizeHint()
        sizes = [link.sizeHint() for link in self._sessions]
        fitting = min(len(sizes), LINKS) if not self._query else 0
        room = right - left - title.width()
        while fitting and sum(size.width() + 8 for size in sizes[:fitting]) > room:
            fitting -= 1
        x = right - title.width() - sum(size.width() + 8 for size in sizes[:fitting])
        self._sessions_title.setVisible(fitting > 0)
        self._sessions_title.setGeometry(x, middle - title.height() // 2, title.width(), title.height())
        x += title.width() + 8
        for index, (link, size) in enumerate(zip(self._sessions, sizes, strict=True)):
            link.setVisible(index < fitting)
            link.setGeometry(x, middle - size.height() // 2, size.width(), size.height())
            x += size.width() + 8

    def _place_nothing(self, show: bool, left: int, y: int) -> None:
        for widget in (self._nothing, self.clear):
            widget.setVisible(show)
        self._nothing.setText(NO_MATCH.format(self._query) + " Try a word such as “image”, “text” or “attention”.")
        self._nothing.setGeometry(left, y, self.width() - 2 * left, 22)
        self.clear.adjustSize()
        self.clear.move(left, y + 34)

    def sizeHint(self) -> QSize:
        return QSize(5 * NARROWEST, self.minimumHeight())

    # ------------------------------------------------------------------ keyboard

    def _move(self, card: CardButton, key: int) -> bool:
        """Go to the nearest card in the direction of an arrow key, or open this one with Enter."""
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            card.click()
            return True
        cards = self.visible_cards()
        if key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            cards[0 if key == Qt.Key.Key_Home else -1].setFocus(Qt.FocusReason.TabFocusReason)
            return True
        if key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            place = cards.index(card) + (1 if key == Qt.Key.Key_Right else -1)
            if 0 <= place < len(cards):
                cards[place].setFocus(Qt.FocusReason.TabFocusReason)
            return True
        if key not in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            return False
        here = card.geometry().center()
        sign = 1 if key == Qt.Key.Key_Down else -1
        beyond = [c for c in cards if sign * (c.geometry().center().y() - here.y()) > 8]
        if beyond:
            nearest = min(abs(c.geometry().center().y() - here.y()) for c in beyond)
            row = [c for c in beyond if abs(c.geometry().center().y() - here.y()) <= nearest + 8]
            target = min(row, key=lambda c: abs(c.geometry().center().x() - here.x()))
            target.setFocus(Qt.FocusReason.TabFocusReason)
        return True
