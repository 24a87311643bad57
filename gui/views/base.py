"""What every view widget has in common."""

from __future__ import annotations

import functools
import time
import traceback
from typing import Any

from PySide6.QtCore import QEvent, QPoint, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QToolTip, QWidget

from engine.payloads import Gesture, Payload
from engine.views import Description
from gui import theme
from gui.plain import plain
from gui.views.shared import POINTING, Scales

P = "P"


class ViewWidget(QWidget):
    """Shows the payloads of one view; the panel around it (title, hint, buttons) belongs to the view grid.

    A subclass stores what it is given in `take`, repaints, and emits `gesture` for what the viewer does.

    Where runs are compared, the same view of each stands side by side. They have one scale, that of all (`scales`,
    `share_scales`), and what the viewer points at in one is shown in all (`place`, `pointed`, `point`).
    """

    gesture = Signal(object, bool)  # an engine.payloads.Gesture; whether it is to change the experiment
    hint = Signal(str)  # replaces the muted hint in the panel's title ("" restores it)
    pointed = Signal(object)  # the viewer did something here, after which `place` is this
    rescaled = Signal()  # the viewer chose something that has other `scales`

    aspect = 1.0  # width by height of a small one that can be read best

    spent = 0.0  # seconds spent on taking payloads and painting, since the panel last asked
    painted = 0  # how often it was painted since then

    def __init_subclass__(cls, **keywords: Any) -> None:
        """Time every paintEvent: drawing takes the interpreter from the worker, so the budget of watching counts it
        (in seconds of this thread: waiting for the interpreter takes nothing from anybody)."""
        super().__init_subclass__(**keywords)
        paint = vars(cls).get("paintEvent")
        if paint is not None:

            @functools.wraps(paint)
            def timed(self: ViewWidget, event: QPaintEvent) -> None:
                begin = time.thread_time()
                try:
                    paint(self, event)
                except BaseException as error:  # its traceback would keep the painter open, and Qt dies of that
                    traceback.clear_frames(error.__traceback__)
                    raise
                self.spent += time.thread_time() - begin
                self.painted += 1

            cls.paintEvent = timed  # type: ignore[method-assign, assignment]

    def __init__(self, description: Any, *, probes: bool = False, edits: bool = False) -> None:
        super().__init__()
        self.description: Any = description
        assert isinstance(description, Description)
        self.probes, self.edits = probes, edits
        self.payload: Any = None
        self.step = 0
        self.joint: Scales = {}  # the ranges of all runs that are compared
        self.following = False  # what is pointed at is pointed at in the view of another run
        self._place: Any = None  # as it was told last
        self.awaited = False  # its run has begun, and other views of it may show something already
        self._led = False  # it is being made to follow at this moment
        self.said = ""  # what stands in the hint's place now
        self._hinted = ""  # what the last payload put there
        self.setAccessibleName(description.title)
        self.setAccessibleDescription(description.help)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        theme.holder.changed.connect(self.restyle)

    def show_payload(self, payload: Payload, step: int) -> None:
        """Show a new payload of this view's kind."""
        begin = time.thread_time()
        self.payload, self.step = payload, step
        self.take(payload)
        if self.said:
            self.read_again()
        self.spent += time.thread_time() - begin
        self.tell_hint()

    def tell_hint(self) -> None:
        """Emit `hint` where `payload_hint` is another than before, and nothing pointed at has its place."""
        if (hint := self.payload_hint()) != self._hinted and not self.said:
            self._hinted = hint  # one that is gone gives its place back
            self.hint.emit(hint)

    def payload_hint(self) -> str:
        """What the payload wants to stand in the hint's place, "" for nothing."""
        hint: str = getattr(self.payload, "hint", "")
        return hint

    def say(self, text: str) -> None:
        """Put what is under the pointer in the hint's place; "" restores the payload's hint or the description's."""
        if text != self.said:
            self.said = text
            self._hinted = self.payload_hint()
            self.hint.emit(text or self._hinted)

    def read_again(self) -> None:
        """The numbers changed while something is pointed at: what `say` told of it is told anew."""

    def send(self, gesture: Gesture, *, edit: bool = False) -> None:
        """Emit a gesture where the lab handles it: as a probe, or as an edit where it is one or there is no probe."""
        if self.edits and (edit or not self.probes):
            self.gesture.emit(gesture, True)
        elif self.probes:
            self.gesture.emit(gesture, False)

    def take(self, payload: Any) -> None:
        """React to a new payload; the default repaints."""
        self.update()

    def clear(self) -> None:
        """Forget the payload and show the empty state: a run begins."""
        self.payload = None
        self.update()

    def restyle(self) -> None:
        """The theme changed."""
        self.update()

    # ------------------------------------------------------------------ together with the views of other runs

    def scales(self) -> Scales:
        """The ranges that what is shown has by itself: of colours, axes, bars. Those that are fixed need not be told,
        and a view that has none says {}."""
        return {}

    def share_scales(self, scales: Scales) -> None:
        """Show it in these ranges; {} returns to its own."""
        self.joint = scales
        self.update()

    def place(self) -> Any:
        """What the viewer points at and has chosen to see, as a value that `point` takes; None where that is nothing
        which another run could show."""
        return None

    def point(self, place: Any) -> None:
        """Show the same as another view of this kind, whose run may have fewer of what is pointed at."""

    def follow(self, place: Any) -> None:
        """Point at what is pointed at in the view of another run; it has the same words in the hint's place."""
        if place is not None:
            self.following, self._place, self._led = True, place, True
            self.point(place)
            self._led = False

    def tell_place(self) -> None:
        """Emit `pointed` where `place` is another than before: the viewer did something here."""
        if not self._led and (place := self.place()) != self._place:
            self._place = place
            self.pointed.emit(place)

    def event(self, event: QEvent) -> bool:
        if event.type() not in POINTING:
            return super().event(event)
        self.following = False
        done = super().event(event)
        self.tell_place()
        return done

    # ------------------------------------------------------------------ what all can

    def reset_view(self) -> None:
        """Undo zoom, pan and selection."""

    def csv_rows(self) -> list[list[str]]:
        """The numbers shown, as rows of text with a header; [] where there is nothing yet."""
        return []

    def vector(self) -> bool:
        """Whether the view paints itself with QPainter calls worth keeping as SVG."""
        return False

    def sizeHint(self) -> QSize:
        return QSize(320, 240)

    def minimumSizeHint(self) -> QSize:
        return QSize(120, 80)

    def empty_text(self) -> str:
        """What the empty state says."""
        return "Its first picture is on its way" if self.awaited else "Press Space to start training"

    def paint_empty(self, painter: QPainter) -> None:
        """Draw the empty state: what to do, muted, in the middle."""
        painter.setPen(theme.current().muted)
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self.empty_text())

    def tell(self, at: QPoint, text: str) -> None:
        """Show what is under the pointer: value, index, unit. `at` is in widget coordinates; "" hides it."""
        if text:
            QToolTip.showText(self.mapToGlobal(at) + QPoint(12, 12), plain(text), self)
        else:
            QToolTip.hideText()
