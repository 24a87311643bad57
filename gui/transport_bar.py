"""Play, step and start again; where the training stands; what watching costs."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, QSize, Qt, Signal, SignalInstance
from PySide6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QLabel, QLineEdit, QPushButton

from engine.messages import Status
from gui import format, icons, theme
from gui.knobs import CalmCombo
from gui.view_panel import ElidedLabel

SPEEDS: tuple[float | None, ...] = (None, 1000.0, 300.0, 100.0, 30.0, 10.0, 5.0, 2.0, 1.0)
SLOWEST, FASTEST = 0.01, 1e6  # steps a second that may be typed
KEPT = 0.9  # of the chosen speed: below that the machine does not keep up
HEIGHT = 52


class SpeedBox(CalmCombo):
    """Steps a second: one of a list, or any number typed."""

    chosen = Signal(object)  # steps a second, None: as fast as it goes

    def __init__(self) -> None:
        super().__init__()
        self.value: float | None = None
        self.field = QLineEdit()
        self.setLineEdit(self.field)
        self.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.setCompleter(None)  # type: ignore[arg-type]  # it would turn 60 into what begins like it
        self.setMinimumContentsLength(13)  # 1,000,000 steps/s
        self.setAccessibleName("Speed")
        self.setToolTip("At most so many steps a second: choose or type ([ slower, ] faster)")
        for speed in SPEEDS:
            self.addItem(_words(speed), speed)
        self.field.setAccessibleName("Speed")
        self.field.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.activated.connect(lambda index: self._choose(SPEEDS[index]))
        self.field.editingFinished.connect(self._typed)
        self.show_value(None)

    def show_value(self, speed: float | None) -> None:
        """The speed in force."""
        self.value = speed
        with QSignalBlocker(self):
            self.setCurrentIndex(SPEEDS.index(speed) if speed in SPEEDS else -1)
        self.setEditText(_words(speed))
        self.field.setCursorPosition(0)

    def faster(self) -> None:
        """On to the next speed of the list."""
        if self.value is not None:
            self._choose(min((each for each in SPEEDS if each and each > self.value), default=None))

    def slower(self, real: float = 0.0) -> None:
        """Back to the next speed of the list that is slower, also than the `real` one where that is known."""
        limit = min(self.value or FASTEST, real or FASTEST)
        self._choose(max((each for each in SPEEDS if each and each < limit), default=self.value))

    def _choose(self, speed: float | None) -> None:
        changed = speed != self.value
        self.show_value(speed)
        if changed:
            self.chosen.emit(speed)

    def _typed(self) -> None:
        """What was typed is taken as it is; what is no speed is put back."""
        text = self.field.text()
        if text != _words(self.value):
            try:
                self._choose(_speed(text))
            except ValueError:
                self.show_value(self.value)
        self.clearFocus()  # so that Space means play again


def _words(speed: float | None) -> str:
    if speed is None:
        return "Full speed"
    return f"{speed:,.10g} {'step' if speed == 1 else 'steps'}/s"


def _speed(text: str) -> float | None:
    """What a person typed: 60, 1,000, 0.5 steps/s, full. Raises ValueError."""
    word = text.strip().lower().replace(",", "").removesuffix("/s").removesuffix("steps").removesuffix("step").strip()
    if word in ("full", "full speed", "max"):
        return None
    speed = float(word)
    if not SLOWEST <= speed <= FASTEST:
        raise ValueError(f"{text} is out of reach")
    return speed


class TransportBar(QFrame):
    """Emits what is pressed; `show_*` says how things stand."""

    play_pressed = Signal()  # play or pause, whichever is the other
    step_pressed = Signal()
    phase_pressed = Signal()
    restart_pressed = Signal()
    seed_pressed = Signal()
    speed_chosen = Signal(object)  # steps a second, None: as fast as it goes

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "bar")
        self.setProperty("edge", "top")
        self.setFixedHeight(HEIGHT)
        self._real = 0.0  # steps a second, as measured
        self.playing = self.wanted = False  # what is, and what the viewer asked for last
        self.play = self._button("Play", "Play or pause (Space)", self.play_pressed)
        self.play.setProperty("kind", "primary")
        self.step = self._button("Step", "One training step, then stop (S or →)", self.step_pressed)
        self.phase = self._button("Phase", "On to the next phase of the step (P)", self.phase_pressed)
        self.restart = self._button("Restart", "From the beginning, with the same seed (R)", self.restart_pressed)
        self.seed = self._button("New seed", "From the beginning, with other random numbers (N)", self.seed_pressed)
        self.speed = SpeedBox()
        self.speed.chosen.connect(self.speed_chosen)
        self.where = QLabel()
        self.where.setAccessibleName("Where the training stands")
        self.where.setMinimumWidth(1)
        self.hud = ElidedLabel()
        self.hud.setProperty("role", "hint")
        self.hud.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.hud.setToolTip(
            "<p>Pictures a second; the share of the engine's time that watching takes; memory in use.</p>"
        )
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 0, 16, 0)
        row.setSpacing(8)
        for button in (self.play, self.step, self.phase, self.restart, self.seed):
            row.addWidget(button)
        row.addWidget(self.speed)
        row.addSpacing(8)
        row.addWidget(self.where)
        row.addWidget(self.hud, 1)
        theme.holder.changed.connect(self._restyle)
        self.play.setFixedWidth(self._widest("Play", "Pause"))  # its size never jumps
        self.show_playing(False)
        self.show_enabled(False)

    def _button(self, text: str, tip: str, signal: SignalInstance) -> QPushButton:
        button = QPushButton(text)
        button.setToolTip(tip)
        button.setAccessibleName(text)
        button.setAccessibleDescription(tip)
        button.setIconSize(QSize(15, 15))
        # a click leaves the focus alone, so that Space goes on to mean play; Tab still gets here
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.clicked.connect(signal)
        return button

    def _widest(self, *texts: str) -> int:
        return max(self.play.fontMetrics().horizontalAdvance(text) for text in texts) + 56

    def _restyle(self) -> None:
        t = theme.current()
        self.play.setIcon(icons.icon("pause" if self.playing else "play", t.on_accent))
        for button, name in (
            (self.step, "step"),
            (self.phase, "phase"),
            (self.restart, "restart"),
            (self.seed, "dice"),
        ):
            button.setIcon(icons.icon(name, t.muted))

    def show_enabled(self, on: bool) -> None:
        """Whether there is a run to drive."""
        for button in (self.play, self.step, self.phase, self.restart, self.seed):
            button.setEnabled(on)

    def show_playing(self, playing: bool) -> None:
        """The run trains, or stands."""
        self.playing = self.wanted = playing
        self.play.setText("Pause" if playing else "Play")
        self.play.setAccessibleName("Pause" if playing else "Play")
        self._restyle()

    @property
    def chosen_speed(self) -> float | None:
        """Steps a second; None for as fast as it goes."""
        return self.speed.value

    def show_speed(self, speed: float | None) -> None:
        """The speed in force; one that is no speed changes nothing."""
        if speed is None or SLOWEST <= speed <= FASTEST:
            self.speed.show_value(speed)

    def faster(self) -> None:
        """The next speed of the list."""
        self.speed.faster()

    def slower(self) -> None:
        """The next slower speed of the list, which is slower than what the machine does now."""
        self.speed.slower(self._real)

    def show_where(self, status: Status) -> None:
        """Step, epoch and speed; within a step, the phase that was reached."""
        self._real = status.steps_per_second if status.playing else 0.0
        parts = [f"step {status.step:,}"]
        if status.epoch is not None:
            parts.append(f"epoch {status.epoch:,.1f}")
        if status.playing:
            parts.append(self._rate(status.steps_per_second))
        elif status.phase:
            parts.append(f"after {status.phase}")
        self.say(" · ".join(parts))

    def _rate(self, real: float) -> str:
        """The speed, and beside it the one that was asked for where the machine does not keep up."""
        asked = f" of {format.number(self.speed.value)}" if real and self.speed.value and not self.keeps_pace else ""
        return f"{format.number(_calm(real))}{asked} steps/s"

    @property
    def keeps_pace(self) -> bool:
        """Whether a pace is set, and the machine keeps up with it."""
        return self.speed.value is not None and self._real >= KEPT * self.speed.value

    def say(self, text: str) -> None:
        """Replace the line that says where the training stands."""
        if text != self.where.text():
            self.where.setText(text)

    def show_hud(self, status: Status, frames_per_second: float) -> None:
        """What watching costs, and what is in use."""
        parts = []
        if status.playing:
            parts = [f"{frames_per_second:.0f} frames/s", f"watching {round(100 * status.watching)} %"]
        self.hud.setText(" · ".join([*parts, status.device, format.size(status.memory)]))


def _calm(speed: float) -> float:
    """A speed that a reader can follow: three digits above a hundred would flicker."""
    return round(speed, -1) if speed >= 100 else round(speed) if speed >= 10 else round(speed, 1)
