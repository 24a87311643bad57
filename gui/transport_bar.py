"""Play, step and start again; where the training stands; what watching costs."""

from __future__ import annotations

import math

from PySide6.QtCore import QSize, Qt, Signal, SignalInstance
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton

from engine.messages import Status
from gui import format, icons, theme
from gui.knobs import CalmCombo
from gui.view_panel import ElidedLabel

SPEEDS: tuple[float | None, ...] = (None, 1000.0, 300.0, 100.0, 30.0, 10.0, 5.0, 2.0, 1.0)
HEIGHT = 52


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
        self.playing = self.wanted = False  # what is, and what the viewer asked for last
        self.play = self._button("Play", "Play or pause (Space)", self.play_pressed)
        self.play.setProperty("kind", "primary")
        self.step = self._button("Step", "One training step, then stop (S or →)", self.step_pressed)
        self.phase = self._button("Phase", "On to the next phase of the step (P)", self.phase_pressed)
        self.restart = self._button("Restart", "From the beginning, with the same seed (R)", self.restart_pressed)
        self.seed = self._button("New seed", "From the beginning, with other random numbers (N)", self.seed_pressed)
        self.speed = CalmCombo()
        self.speed.setAccessibleName("Speed")
        self.speed.setToolTip("At most so many steps a second")
        for speed in SPEEDS:
            text = "Full speed" if speed is None else f"{format.number(speed)} step{'s' if speed != 1 else ''}/s"
            self.speed.addItem(text, speed)
        self.speed.activated.connect(lambda index: self.speed_chosen.emit(SPEEDS[index]))
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
        return SPEEDS[self.speed.currentIndex()]

    def show_speed(self, speed: float | None) -> None:
        """The speed in force: the one of the list that comes nearest."""
        nearest = speed and min((each for each in SPEEDS if each), key=lambda each: abs(math.log(each / speed)))
        self.speed.setCurrentIndex(SPEEDS.index(nearest))

    def show_where(self, status: Status) -> None:
        """Step, epoch and speed; within a step, the phase that was reached."""
        parts = [f"step {status.step:,}"]
        if status.epoch is not None:
            parts.append(f"epoch {status.epoch:,.1f}")
        if status.playing:
            parts.append(f"{format.number(_calm(status.steps_per_second))} steps/s")
        elif status.phase:
            parts.append(f"after {status.phase}")
        self.say(" · ".join(parts))

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
