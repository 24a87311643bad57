"""A recorded stretch of pictures, in bounded memory, whatever its length."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]  # (H, W, 3)

RATE = 15  # pictures a second, at most
CAPACITY = 256 << 20  # bytes, compressed: minutes of a window that changes little
SAMPLES = 12


@dataclass(frozen=True)
class Picture:
    """A picture and how long it is shown."""

    pixels: Pixels
    seconds: float


class Recording:
    """Pictures of one size with the moments at which they were taken. When they outgrow the capacity, every second one
    goes, and from then on only half as many are taken: a long recording has fewer pictures, not a missing end.

    One thread may add while another looks at the length.
    """

    def __init__(self, capacity: int = CAPACITY, rate: float = RATE) -> None:
        self.capacity = capacity
        self.interval = 1 / rate  # seconds between two pictures
        self.bytes = 0
        self.shape: tuple[int, int, int] | None = None
        self._kept: list[tuple[float, bytes]] = []
        self._latest = b""
        self._until = 0.0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self._until - self._kept[0][0] if self._kept else 0.0

    def add(self, pixels: Pixels, at: float) -> None:
        """Take a picture at a moment (in seconds, rising). One like the one before prolongs that."""
        height, width, _ = self.shape = self.shape or (pixels.shape[0], pixels.shape[1], 3)
        if pixels.shape != self.shape:
            raise ValueError(f"a picture of {pixels.shape} does not fit a recording of {width} × {height}")
        raw = pixels.tobytes()
        with self._lock:
            self._until = at
            early = self._kept and at - self._kept[-1][0] < 0.9 * self.interval
        if early or raw == self._latest:
            return
        packed = zlib.compress(raw, 1)  # lets other threads run meanwhile
        with self._lock:
            self._latest = raw
            self._kept.append((at, packed))
            self.bytes += len(packed)
            while self.bytes > self.capacity and len(self._kept) > 2:
                self._kept = self._kept[::2]
                self.bytes = sum(len(data) for _, data in self._kept)
                self.interval *= 2

    def stop(self, at: float) -> None:
        """The last picture lasts until then."""
        self._until = max(self._until, at)

    def pictures(self) -> Iterator[Picture]:
        """All pictures in order, unpacked one at a time."""
        if not self._kept:
            return
        last = max(self._until, self._kept[-1][0] + self.interval)
        for (at, data), end in zip(self._kept, [*(at for at, _ in self._kept[1:]), last], strict=True):
            yield Picture(self._unpacked(data), end - at)

    def samples(self, count: int = SAMPLES) -> list[Pixels]:
        """A few pictures from all parts of it."""
        places = sorted({round(place) for place in np.linspace(0, len(self._kept) - 1, count)}) if self._kept else []
        return [self._unpacked(self._kept[place][1]) for place in places]

    def _unpacked(self, data: bytes) -> Pixels:
        assert self.shape is not None
        return np.frombuffer(zlib.decompress(data), np.uint8).reshape(self.shape)
