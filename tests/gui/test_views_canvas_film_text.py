"""Canvas, filmstrip and text: what they emit for real mouse and keys."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import hostile_data
import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QGuiApplication, QImage, QPainter
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit
from view_examples import CANVAS, FILM, KEY, LEFT, NAN, TEXT, as_point, click, drag, film_data, hover, shower, text_data

from engine.payloads import (
    CanvasData,
    Drawing,
    Pick,
    TextData,
    Typed,
)

# ------------------------------------------------------------------------------------------------------ canvas


@pytest.fixture
def show(qtbot):
    return shower(qtbot)


def test_drawing_reaches_the_lab(show):
    view = show(CANVAS, np.zeros((28, 28)))
    square = view.square()
    drag(view, square.center() - QPointF(60, 0), square.center(), square.center() + QPointF(60, 0))
    gesture, edit = view.sent[-1]
    assert isinstance(gesture, Drawing)
    assert edit is False
    assert gesture.pixels.dtype == np.float32
    assert gesture.pixels.shape == (28, 28)
    assert gesture.pixels[14].sum() > 8
    assert gesture.pixels[:10].sum() == 0
    assert 0 <= gesture.pixels.min() <= gesture.pixels.max() == 1
    np.testing.assert_array_equal(gesture.pixels, view.pixels)


def test_right_button_erases_and_undo_brings_back(show):
    view = show(CANVAS, np.ones((28, 28)))
    click(view, view.square().center(), Qt.MouseButton.RightButton)
    assert view.pixels[14, 14] == 0
    QTest.keyClick(view, KEY.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert view.pixels.min() == 1
    QTest.keyClick(view, KEY.Key_E)
    click(view, view.square().center())
    assert view.pixels[14, 14] == 0
    QTest.keyClick(view, KEY.Key_C)
    assert not view.pixels.any()


def test_arrow_keys_shift_the_drawing(show):
    pixels = np.zeros((28, 28))
    pixels[5, 6] = 1
    view = show(CANVAS, pixels)
    for key in (KEY.Key_Right, KEY.Key_Right, KEY.Key_Down):
        QTest.keyClick(view, key)
    assert np.argwhere(view.pixels).tolist() == [[6, 8]]
    QTest.keyClick(view, KEY.Key_Up)
    QTest.keyClick(view, KEY.Key_Left)
    assert np.argwhere(view.pixels).tolist() == [[5, 7]]


def test_payloads_wait_until_the_stroke_is_done(show, qtbot):
    view = show(CANVAS, np.zeros((28, 28)))
    centre = as_point(view.square().center())
    QTest.mousePress(view, LEFT, Qt.KeyboardModifier.NoModifier, centre)
    view.show_payload(CANVAS.pack(np.full((28, 28), 0.5)), 2)
    assert view.pixels[0, 0] == 0
    QTest.mouseRelease(view, LEFT, Qt.KeyboardModifier.NoModifier, centre)
    assert view.pixels[14, 14] > 0.9
    qtbot.waitUntil(lambda: view.pixels[0, 0] == 0.5)


def picture_of_a_bar(path: Path | None = None) -> QImage:
    image = QImage(200, 100, QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.white)
    painter = QPainter(image)
    painter.fillRect(150, 20, 10, 60, Qt.GlobalColor.black)
    painter.end()
    if path is not None:
        assert image.save(str(path))
    return image


def test_a_picture_is_centred_and_turned_light_on_dark(show, tmp_path, qtbot):
    picture_of_a_bar(tmp_path / "bar.png")
    view = show(CANVAS, np.zeros((28, 28)))
    view.open_file(tmp_path / "bar.png")
    qtbot.waitUntil(lambda: bool(view.pixels.any()))
    ink = np.argwhere(view.pixels > 0.5)
    assert ink[:, 0].min() >= 3
    assert ink[:, 0].max() <= 24
    assert ink.mean(axis=0) == pytest.approx([13.5, 13.5], abs=1)
    assert view.pixels[0].sum() == 0
    assert isinstance(view.sent[-1][0], Drawing)


def test_paste_takes_the_clipboard(show):
    view = show(CANVAS, np.zeros((28, 28)))
    QGuiApplication.clipboard().setImage(picture_of_a_bar())
    QTest.keyClick(view, KEY.Key_V, Qt.KeyboardModifier.ControlModifier)
    assert view.pixels.sum() > 10
    mime = QMimeData()
    mime.setText("no picture")
    QGuiApplication.clipboard().setMimeData(mime)
    QTest.keyClick(view, KEY.Key_V, Qt.KeyboardModifier.ControlModifier)
    assert "no picture" in view.message
    QGuiApplication.clipboard().clear()  # it would outlive the interpreter, which it needs


def make_text(folder):
    (folder / "notes.png").write_text("nothing of the kind")
    return folder / "notes.png"


def make_broken(folder):
    (folder / "broken.png").write_bytes(hostile_data.png(20, 20)[:40])
    return folder / "broken.png"


def make_bomb(folder):
    (folder / "bomb.png").write_bytes(hostile_data.png(6000, 6000))
    return folder / "bomb.png"


def make_vector(folder):
    (folder / "x.png").write_text('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"></svg>')
    return folder / "x.png"


@pytest.mark.skipif(os.name != "posix", reason="devices and pipes are files on Unix")
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (make_text, "notes.png cannot be read as a picture: it is none of PNG, "),
        (make_broken, "broken.png cannot be read as a picture"),
        (make_bomb, "bomb.png is too large: 6,000 × 6,000 pixels."),
        (make_vector, "x.png cannot be read as a picture: it is none of PNG, "),
        (lambda folder: folder / "gone.png", "gone.png cannot be read: No such file"),
        (lambda folder: hostile_data.pipe(folder, ".png"), "pipe.png is a named pipe; only regular files"),
        (lambda folder: hostile_data.device(folder, ".png"), "device.png is a device; only regular files"),
        (lambda folder: folder, " is a folder; a file is needed"),
    ],
)
def test_a_file_that_is_no_picture_is_named_in_the_view(show, tmp_path, qtbot, make, said):
    path = make(tmp_path)
    view = show(CANVAS, np.zeros((28, 28)))
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    view._accept(mime, "")
    qtbot.waitUntil(lambda: said in view.message)
    assert view.sent == []
    view.repaint()
    click(view, view.square().center())
    assert view.message == ""


# --------------------------------------------------------------------------------------------------- filmstrip


def test_the_strip_scrubs(show):
    view = show(FILM, film_data())
    assert view.frame == 19
    y = view.strip().center().y()
    drag(view, (view.x_of(19), y), (view.x_of(10), y), (view.x_of(5), y))
    assert view.frame == 5
    assert view.sent[-1] == (Pick(5), False)
    for key, frame in ((KEY.Key_Right, 6), (KEY.Key_End, 19), (KEY.Key_Home, 0), (KEY.Key_Left, 0)):
        QTest.keyClick(view, key)
        assert view.frame == frame


def test_the_frame_stays_while_payloads_arrive(show):
    view = show(FILM, film_data())
    view.choose(7)
    geometry = view.cells()
    view.show_payload(FILM.pack(film_data()), 2)
    assert view.frame == 7
    assert view.cells() == geometry
    view.show_payload(FILM.pack(film_data(frames=5)), 3)
    assert view.frame == 4


def test_a_pinned_frame_stands_beside_the_chosen(show):
    view = show(FILM, film_data())
    view.choose(3)
    click(view, view.cells()[0][2].center())
    view.choose(9)
    assert [frame for _, frame, _ in view.cells()] == [3, 9, 3, 9]
    QTest.keyClick(view, KEY.Key_P)
    assert [frame for _, frame, _ in view.cells()] == [9, 9]


def test_playing_loops_and_stops_when_hidden(show, qtbot):
    view = show(FILM, film_data(frames=60))
    click(view, view.button().center())
    qtbot.waitUntil(lambda: view.frame not in (59, 0))
    assert view.frame < 59
    view.hide()
    assert not view._playing.isActive()


# -------------------------------------------------------------------------------------------------------- text


def token_place(view, token):
    return view.box(next(piece for piece in view.pieces if piece.token == token)).center()


@pytest.mark.parametrize("width", [140, 300, 600])
def test_every_token_is_within_the_view_and_in_order(show, width):
    text = "The quick brown fox\njumps over the lazy dog. " * 20 + "x" * 200
    view = show(TEXT, text_data(text), size=(width, 400))
    joined = "".join(piece.text for piece in view.pieces).replace("↵", "\n")
    assert joined == text
    places = [(piece.line, piece.x) for piece in view.pieces]
    assert places == sorted(places)
    assert len(set(places)) == len(places)
    assert max(piece.x + piece.width for piece in view.pieces if piece.text != "↵") <= view.area().width() + 0.01


def test_words_are_kept_whole(show):
    view = show(TEXT, text_data("alpha beta gamma delta epsilon zeta eta theta iota " * 4), size=(260, 300))
    lines: dict[int, str] = {}
    for piece in view.pieces:
        lines[piece.line] = lines.get(piece.line, "") + piece.text
    assert len(lines) > 3
    ends = [(lines[number][-1], lines[number + 1][0]) for number in range(len(lines) - 1)]
    assert all(" " in pair for pair in ends), ends


def test_a_long_given_token_wraps(show):
    prompt = "a prompt that is one single token and much too long for a line of this view"
    view = show(TEXT, TextData((prompt, "!"), np.array([NAN, 0.5])), size=(260, 200))
    assert view.lines > 2
    assert "".join(piece.text for piece in view.pieces) == prompt + "!"


def test_hover_and_click_branch(show):
    view = show(TEXT, text_data())
    hover(view, token_place(view, 5))
    view.repaint()
    assert view.token == 5
    row, number = view._alternatives[1]
    hover(view, row.center())
    assert (view.token, view.alternative) == (5, number)
    click(view, row.center())
    assert view.sent == [(Pick(5, text="q"), False)]


def test_a_click_picks_the_token_and_keys_branch(show):
    view = show(TEXT, text_data())
    click(view, token_place(view, 8))
    assert view.sent == [(Pick(8), False)]
    QTest.keyClick(view, KEY.Key_Right)
    QTest.keyClick(view, KEY.Key_Down)
    QTest.keyClick(view, KEY.Key_Down)
    QTest.keyClick(view, KEY.Key_Return)
    assert view.sent[-1] == (Pick(9, text="q"), False)


def test_typing_a_prompt(show):
    view = show(TEXT, text_data())
    line = view.findChild(QLineEdit)
    QTest.keyClicks(line, "To be")
    QTest.keyClick(line, KEY.Key_Return)
    assert view.sent == [(Typed("To be"), False)]
    assert show(TEXT, text_data(), probes=False).findChild(QLineEdit) is None


def test_the_beginning_is_shown_first_and_the_end_is_followed_once_there(show):
    view = show(TEXT, text_data("word " * 200), size=(300, 200))
    assert view.scroller.maximum() > 0
    assert view.scroller.value() == 0
    view.show_payload(TEXT.pack(text_data("word " * 300)), 2)
    assert view.scroller.value() == 0
    QTest.keyClick(view, KEY.Key_End)
    view.show_payload(TEXT.pack(text_data("word " * 400)), 3)
    assert view.scroller.value() == view.scroller.maximum() > 0


def test_no_line_is_cut(show):
    view = show(TEXT, text_data("word " * 200), size=(300, 203))
    for value in (0, 7, 33, view.scroller.maximum()):
        view.scroller.setValue(value)
        assert view.area().height() % view.line_height() == 0
        assert view.offset() % view.line_height() == 0
    assert view.box(view.pieces[-1]).bottom() == view.area().bottom()


@pytest.mark.parametrize(("width", "height"), [(120, 130), (150, 200), (200, 300), (320, 320), (420, 200)])
def test_the_tools_of_the_canvas_are_seen_whole(show, width, height):
    view = show(CANVAS, CanvasData(np.zeros((28, 28))), probes=True)
    view.resize(width, height)
    boxes = [chip.geometry() for chip in view.chips]
    assert len(boxes) == 4
    for box in boxes:
        assert view.rect().contains(box)
        assert not view.square().toRect().adjusted(1, 1, -1, -1).intersects(box)
    assert not any(a.intersects(b) for a, b in itertools.combinations(boxes, 2))
