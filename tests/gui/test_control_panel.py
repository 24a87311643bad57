"""The form: what a slider can stand at, what may be typed, what is shown when, and what is told to whom."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QMimeData, QPoint, QPointF, QRect, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from engine.hyperparameters import Hyperparameter, Value
from engine.messages import ActionInfo, LabInfo
from gui.control_panel import ControlPanel, Section, dataset_title, readable
from gui.knobs import CalmCombo, ChoiceKnob, FlagKnob, NumberKnob, places, titled

RATE = Hyperparameter("real", 0.01, 1e-5, 1.0, log=True, live=True, label="Learning rate", help="Step", name="rate")
WIDTH = Hyperparameter("integer", 8, 1, 64, unit="units", label="Width", help="Units", name="width")
SHAPE = Hyperparameter("choice", "ring", choices=("ring", "XOR"), label="Shape", help="Data", name="shape")
DEEP = Hyperparameter("flag", False, label="Deep", help="More layers", name="deep")
DEPTH = Hyperparameter("integer", 2, 1, 9, label="Depth", help="Layers", when=("deep", (True,)), name="depth")
NAMES = Hyperparameter("flag", True, view=True, label="Show the names", help="Written beside", name="names")
ALL = (RATE, WIDTH, SHAPE, DEEP, DEPTH, NAMES)


def lab(accepts: tuple[str, ...] = ("images",)) -> LabInfo:
    return LabInfo(
        id="some",
        title="Some",
        chapter="Vision",
        summary="",
        about="",
        layout=(),
        views={},
        probes=frozenset(),
        edits=frozenset(),
        hyperparameters={each.name: each for each in ALL},
        actions=(ActionInfo("next", "Next", "Another one", True),),
        datasets=("digits", "mnist"),
        accepts=accepts,
        source=Path("some.py"),
    )


@pytest.fixture
def panel(qtbot: QtBot) -> ControlPanel:
    made = ControlPanel()
    qtbot.addWidget(made)
    made.build(lab())
    made.resize(made.sizeHint())
    made.show()
    return made


numbers = st.floats(1e-6, 1e6)


@given(numbers, numbers, st.floats(0, 1), st.booleans(), st.booleans())
def test_a_slider_reaches_limits_and_default_and_nothing_beyond(
    a: float, b: float, share: float, log: bool, whole: bool
) -> None:
    low, high = sorted((float(round(a)), float(round(b))) if whole else (a, b))
    default = low + share * (high - low)
    default = float(round(default)) if whole else min(max(default, low), high)
    declared = Hyperparameter("integer" if whole else "real", default, low, high, log=log)
    found = places(declared)
    assert list(found) == sorted(set(found))
    assert found[0] == low
    assert found[-1] == high
    assert default in found
    assert len(found) <= 420
    for value in found:
        declared.check(value)


def test_logarithmic_places_are_numbers_a_person_would_choose() -> None:
    assert {0.001, 0.002, 0.005, 0.01, 0.1} <= set(places(RATE))
    whole = places(Hyperparameter("integer", 10, 1, 500, log=True))
    assert {1, 2, 4, 8, 10, 16, 32, 64, 128, 256, 500} <= set(whole)


def test_sliding_is_told_with_the_right_type(panel: ControlPanel, qtbot: QtBot) -> None:
    knob = panel.knobs["width"]
    assert isinstance(knob, NumberKnob)
    with qtbot.waitSignal(panel.chosen) as told:
        knob.slider.setValue(knob.slider.value() + 1)
    assert told.args == ["width", 9]
    assert isinstance(told.args[1], int)
    assert knob.field.text() == "9 units"


def test_a_value_can_be_typed_and_stands_between_the_places(panel: ControlPanel, qtbot: QtBot) -> None:
    knob = panel.knobs["rate"]
    assert isinstance(knob, NumberKnob)
    knob.field.setText("0.0123")
    with qtbot.waitSignal(panel.chosen) as told:
        qtbot.keyClick(knob.field, Qt.Key.Key_Return)
    assert told.args == ["rate", 0.0123]
    assert knob.value == 0.0123


@pytest.mark.parametrize("text", ["abc", "0", "65", "1.5", "", "nan"])
def test_wrong_text_says_what_is_allowed_and_keeps_the_value(panel: ControlPanel, qtbot: QtBot, text: str) -> None:
    knob = panel.knobs["width"]
    assert isinstance(knob, NumberKnob)
    knob.field.setText(text)
    with qtbot.assertNotEmitted(panel.chosen):
        qtbot.keyClick(knob.field, Qt.Key.Key_Return)
    assert knob.error.isVisible()
    assert "a whole number from 1 to 64 units" in knob.error.text()
    assert (knob.value, knob.field.text()) == (8, "8 units")
    knob.field.setText("12 units")
    qtbot.keyClick(knob.field, Qt.Key.Key_Return)
    assert not knob.error.isVisible()
    assert knob.value == 12


def test_leaving_the_field_without_enter_restores_it(panel: ControlPanel, qtbot: QtBot) -> None:
    knob = panel.knobs["width"]
    assert isinstance(knob, NumberKnob)
    knob.field.setFocus()
    knob.field.setText("30")
    qtbot.keyClick(knob.field, Qt.Key.Key_Escape)
    assert (knob.value, knob.field.text()) == (8, "8 units")


def test_a_double_click_resets(panel: ControlPanel, qtbot: QtBot) -> None:
    knob = panel.knobs["width"]
    knob.show_value(40)
    with qtbot.waitSignal(panel.chosen) as told:
        qtbot.mouseDClick(knob.label, Qt.MouseButton.LeftButton)
    assert told.args == ["width", 8]


def test_choices_that_are_words_begin_with_a_capital() -> None:
    choices = ("none", "skip connection", "ReLU", "float32", "5", "lower_left")
    assert [*map(titled, choices)] == ["None", "Skip connection", "ReLU", "float32", "5", "lower_left"]


def test_choices_and_flags_are_told(panel: ControlPanel, qtbot: QtBot) -> None:
    told: list[tuple[str, Value]] = []
    panel.chosen.connect(lambda name, value: told.append((name, value)))
    shape, deep = panel.knobs["shape"], panel.knobs["deep"]
    assert isinstance(shape, ChoiceKnob)
    assert isinstance(deep, FlagKnob)
    shape.combo.setFocus()
    qtbot.keyClick(shape.combo, Qt.Key.Key_Down)
    qtbot.mouseClick(deep.switch, Qt.MouseButton.LeftButton)
    assert told == [("shape", "XOR"), ("deep", True)]


def test_showing_values_tells_nobody(panel: ControlPanel, qtbot: QtBot) -> None:
    values: dict[str, Value] = {"rate": 0.5, "width": 3, "shape": "XOR", "deep": True, "depth": 4, "names": False}
    with qtbot.assertNotEmitted(panel.chosen), qtbot.assertNotEmitted(panel.dataset_chosen):
        panel.show_values(values, "mnist")
    assert {name: knob.value for name, knob in panel.knobs.items()} == values
    assert panel.data is not None
    assert panel.data.combo.currentText() == "MNIST"


def test_a_knob_without_effect_is_hidden(panel: ControlPanel) -> None:
    panel.show_value("deep", False)
    assert panel.knobs["depth"].isHidden()
    panel.show_value("deep", True)
    assert not panel.knobs["depth"].isHidden()


def test_sections_say_what_restarts(panel: ControlPanel) -> None:
    found = [
        [label.text() for label in section.findChildren(QLabel) if label.property("role") in ("section", "hint")]
        for section in panel.sections
    ]
    assert found == [[], ["SHOWN", ""], ["ARCHITECTURE", "restarts"]]
    assert [[knob.declared.name for knob in section.knobs] for section in panel.sections] == [
        ["rate"],
        ["names"],
        ["width", "shape", "deep", "depth"],
    ]


def test_every_control_has_a_name_and_help(panel: ControlPanel) -> None:
    for knob in panel.knobs.values():
        field = knob.focusProxy()
        assert field.accessibleName() == knob.declared.label
        assert field.accessibleDescription() == knob.declared.help
        assert knob.declared.help in knob.toolTip()


def test_actions_are_buttons(panel: ControlPanel, qtbot: QtBot) -> None:
    with qtbot.waitSignal(panel.action_pressed) as told:
        qtbot.mouseClick(panel.actions_by_name["next"], Qt.MouseButton.LeftButton)
    assert told.args == ["next"]


def test_a_file_can_be_dropped_where_the_lab_accepts_one(panel: ControlPanel, qtbot: QtBot, tmp_path: Path) -> None:
    file = tmp_path / "mine.npz"
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(file))])
    everything = (Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    enter = QDragEnterEvent(QPoint(5, 5), *everything)
    panel.dragEnterEvent(enter)
    assert enter.isAccepted()
    with qtbot.waitSignal(panel.data_offered) as told:
        panel.dropEvent(QDropEvent(QPointF(5, 5), *everything))
    assert told.args == [str(file)]
    panel.build(lab(accepts=()))
    refused = QDragEnterEvent(QPoint(5, 5), *everything)
    refused.ignore()
    panel.dragEnterEvent(refused)
    assert not refused.isAccepted()


def test_facts_replace_each_other(panel: ControlPanel, qtbot: QtBot) -> None:
    def shown() -> list[str]:
        return [label.text() for label in panel.findChildren(QLabel) if label.isVisible()]

    panel.show_facts({"parameters": "1,234", "work": "1 MFLOP"})
    qtbot.waitUntil(lambda: "1,234" in shown())
    panel.show_facts({"parameters": "99"})
    qtbot.waitUntil(lambda: "99" in shown())
    assert "Parameters" in shown()
    assert "1,234" not in shown()


def test_nothing_is_wider_than_the_panel(panel: ControlPanel) -> None:
    page = panel._scroll.widget()
    assert page is not None
    assert page.minimumSizeHint().width() <= panel.width()


def test_words_for_data_and_values() -> None:
    assert dataset_title("mnist") == "MNIST"
    assert dataset_title("/somewhere/mine.csv") == "mine.csv"
    assert dataset_title("two_moons") == "Two moons"
    assert readable(WIDTH, 12) == "Width: 12 units"
    assert readable(DEEP, True) == "Deep: on"
    assert readable(SHAPE, "XOR") == "Shape: XOR"


def test_a_long_name_ends_in_dots_rather_than_within_a_letter(qtbot: QtBot) -> None:
    combo = CalmCombo()
    qtbot.addWidget(combo)
    combo.addItems(["Tiny stories of animals and of the sea", "Ring"])
    combo.resize(160, 28)
    combo.show()
    long = combo.grab().toImage()
    combo.resize(400, 28)
    whole = combo.grab().toImage()
    end = QRect(112, 4, 20, 20)  # between the text's end and the arrow
    assert long.copy(end) != whole.copy(end)
    combo.setItemText(0, "Tiny stories of")  # what is left of it, but for the dots
    combo.resize(160, 28)
    beginning = QRect(0, 4, 80, 20)
    assert combo.grab().toImage().copy(beginning) == long.copy(beginning)


def test_a_flag_alone_has_its_switch_below_the_other_values(qtbot: QtBot) -> None:
    def switches(count: int) -> tuple[Section, list[FlagKnob]]:
        section = Section("Inputs")
        qtbot.addWidget(section)
        knobs = [FlagKnob(Hyperparameter("flag", False, label=f"x{i}", help="x", name=f"x{i}")) for i in range(count)]
        for knob in knobs:
            section.add(knob)
        section.resize(200, 100)
        section.show()
        return section, knobs

    one, (alone,) = switches(1)
    two, pair = switches(2)
    assert alone.width() == 200
    assert pair[0].y() == pair[1].y()
    assert pair[0].width() == pair[1].width() < 100
    one.close()
    two.close()
