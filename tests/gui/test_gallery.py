"""The gallery finds, places and opens labs, with the mouse and without."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations

import pytest
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from engine.discovery import CHAPTERS, Card, catalogue
from gui import cards, style
from gui.gallery import Gallery, columns_for, matches

Make = Callable[[int], list[Card]]


@pytest.fixture
def show(qtbot: QtBot) -> Callable[..., Gallery]:
    """``show(cards, 1440, 900)`` puts a gallery on screen."""

    def make(shown: list[Card], width: int = 1440, height: int = 852) -> Gallery:
        gallery = Gallery(shown)
        qtbot.addWidget(gallery)
        gallery.resize(width, height)
        gallery.show()
        qtbot.waitExposed(gallery)
        return gallery

    return make


@pytest.mark.parametrize(("width", "columns"), [(1440, 5), (1280, 4), (960, 3), (300, 1), (3840, 6)])
def test_columns(width: int, columns: int) -> None:
    assert columns_for(width) == columns


@pytest.mark.parametrize("count", [1, 5, 50])
@pytest.mark.parametrize("width", [960, 1280, 1440, 1920, 3840])
def test_no_card_overlaps_or_leaves_the_page(
    show: Callable[..., Gallery], make_cards: Make, count: int, width: int
) -> None:
    gallery = show(make_cards(count), width)
    gallery.set_recent(["lab_0"])
    page, placed = gallery._page, gallery._page.visible_cards()
    assert len(placed) == count + 1
    titles = [title for title, _ in page._chapters if not title.isHidden()]
    areas = [widget.geometry() for widget in (*placed, *titles, page._heading, page._line, page._recent_title)]
    assert not any(a.intersects(b) for a, b in combinations(areas, 2))
    assert all(page.rect().contains(area) for area in areas)


@pytest.mark.parametrize("first", [5, 6, 7, 13])
def test_a_chapter_of_several_rows_shares_none(show: Callable[..., Gallery], make_cards: Make, first: int) -> None:
    labs = [replace(card, chapter=CHAPTERS[min(1, n // first)]) for n, card in enumerate(make_cards(first + 2))]
    page = show(labs, 1280)._page
    (_, above), (title, below) = page._chapters
    assert title.y() >= max(card.geometry().bottom() for card in above)
    assert all(card.y() > title.geometry().bottom() for card in below)


def test_five_labs_share_rows_and_tell_more(show: Callable[..., Gallery], make_cards: Make) -> None:
    few, many = show(make_cards(5)), show(make_cards(50))
    assert len({card.y() for card in few._page.visible_cards()}) == 1
    assert few._page.visible_cards()[0].height() > many._page.visible_cards()[0].height()


def test_nothing_jumps_sideways_when_the_scroll_bar_goes(show: Callable[..., Gallery], make_cards: Make) -> None:
    gallery = show(make_cards(50))
    before = gallery._page.visible_cards()[0].geometry().left(), gallery._page.visible_cards()[0].width()
    gallery.search("lab 1")
    QApplication.processEvents()
    after = gallery._page.visible_cards()[0].geometry().left(), gallery._page.visible_cards()[0].width()
    assert before == after


def test_search_looks_at_title_summary_description_and_chapter(make_cards: Make) -> None:
    shown = make_cards(6)
    assert [card.id for card in shown if matches(card, "ATTENDS")] == ["lab_1"]
    assert [card.id for card in shown if matches(card, "vision")] == ["lab_2", "lab_3"]
    assert [card.id for card in shown if matches(card, "number 4")] == ["lab_4"]
    assert [card.id for card in shown if matches(card, "language 4")] == ["lab_4"]
    assert not any(matches(card, "quantum") for card in shown)
    assert all(matches(card, "") for card in shown)


def test_search_hides_the_rest_and_empty_chapters(show: Callable[..., Gallery], make_cards: Make) -> None:
    gallery = show(make_cards(6))
    gallery.set_recent(["lab_5"])
    gallery.search("vision")
    assert gallery.shown() == ["lab_2", "lab_3"]
    assert [title.text() for title, _ in gallery._page._chapters if not title.isHidden()] == ["Vision"]
    assert all(card.isHidden() for card in gallery._page._recent)
    gallery.search("")
    assert len(gallery.shown()) == 6


def test_nothing_found_says_so_and_offers_to_clear(
    show: Callable[..., Gallery], make_cards: Make, qtbot: QtBot
) -> None:
    gallery = show(make_cards(6))
    gallery.search("quantum")
    assert gallery.shown() == []
    assert gallery._page._nothing.isVisible()
    assert "quantum" in gallery._page._nothing.text()
    with qtbot.waitSignal(gallery.search_cleared):
        qtbot.mouseClick(gallery._page.clear, Qt.MouseButton.LeftButton)
    gallery.search("lab")
    assert gallery._page._nothing.isHidden()


def test_recent_labs_stand_on_top_without_those_that_are_gone(show: Callable[..., Gallery], make_cards: Make) -> None:
    gallery = show(make_cards(6))
    assert gallery._page._recent_title.isHidden()
    gallery.set_recent(["lab_3", "forgotten", "lab_0"])
    assert [card.card.id for card in gallery._page.visible_cards()[:2]] == ["lab_3", "lab_0"]
    assert gallery._page._recent_title.isVisible()


def test_a_click_opens(show: Callable[..., Gallery], make_cards: Make, qtbot: QtBot) -> None:
    gallery = show(make_cards(6))
    with qtbot.waitSignal(gallery.chosen) as caught:
        qtbot.mouseClick(gallery._page.visible_cards()[2], Qt.MouseButton.LeftButton)
    assert caught.args == ["lab_2"]


def test_arrows_go_from_card_to_card_and_enter_opens(
    show: Callable[..., Gallery], make_cards: Make, qtbot: QtBot
) -> None:
    gallery = show(make_cards(50), 1280, 700)
    gallery.activateWindow()
    gallery.focus_first()

    def press(key: Qt.Key) -> str:
        qtbot.keyClick(gallery.focusWidget(), key)
        return gallery.focusWidget().card.id

    assert press(Qt.Key.Key_Right) == "lab_1"
    assert press(Qt.Key.Key_Down) == "lab_5"  # four stand side by side
    assert press(Qt.Key.Key_Left) == "lab_4"
    assert press(Qt.Key.Key_Up) == "lab_0"
    assert press(Qt.Key.Key_Left) == "lab_0"
    assert press(Qt.Key.Key_End) == "lab_49"
    bar = gallery._scroll.verticalScrollBar()
    qtbot.waitUntil(lambda: bar.value() > bar.maximum() - 60)  # the page follows the keyboard
    with qtbot.waitSignal(gallery.chosen) as caught:
        qtbot.keyClick(gallery.focusWidget(), Qt.Key.Key_Return)
    assert caught.args == ["lab_49"]


def test_the_keyboard_is_seen_on_a_card(show: Callable[..., Gallery], make_cards: Make, qtbot: QtBot) -> None:
    gallery = show(make_cards(5))
    card = gallery._page.visible_cards()[0]
    without = card.grab().toImage()
    gallery.activateWindow()
    card.setFocus()
    qtbot.waitUntil(card.hasFocus)
    assert card.grab().toImage() != without


@pytest.mark.parametrize("setting", ["dark", "light"])
@pytest.mark.parametrize("card", catalogue(), ids=lambda card: card.id)
def test_every_lab_has_a_picture_in_both_themes(application: QApplication, card: Card, setting: str) -> None:
    style.apply(application, setting)
    picture = cards.thumbnail(card, QSize(264, 148), 2.0)
    assert picture.size() == QSize(528, 296)
    image = picture.toImage()
    colours = {QColor(image.pixel(x, y)).name() for x in range(0, 528, 16) for y in range(0, 296, 16)}
    assert len(colours) > 8


def test_the_chapters_have_colours_of_their_own() -> None:
    assert len({cards.chapter_colour(chapter).name() for chapter in CHAPTERS}) == len(CHAPTERS)
    assert cards.chapter_colour("A chapter to come").isValid()


def test_a_real_picture_takes_the_place_of_the_drawing(
    make_cards: Make, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "thumbnails").mkdir()
    from PySide6.QtGui import QPixmap

    red = QPixmap(300, 300)
    red.fill(QColor("#ff0000"))
    assert red.save(str(tmp_path / "thumbnails" / "lab_1-dark.png"))
    monkeypatch.setattr(style, "ASSETS", tmp_path)
    picture = cards.thumbnail(make_cards(2)[1], QSize(200, 88), 1.0)
    assert picture.toImage().pixelColor(100, 44) == QColor("#ff0000")
    assert cards.thumbnail_path("lab_0") is None
