"""Pictures as an animation: GIF, WebP, APNG or MP4, written one picture at a time.

Where the pictures come from is another's affair. Whatever takes long lets other threads run (Pillow and zlib do), so
this belongs on a thread of its own.
"""

from __future__ import annotations

import importlib.util
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from engine.export.recording import Picture, Pixels
from engine.files import writing

FORMATS = {".gif": "GIF", ".webp": "WebP", ".png": "Animated PNG", ".mp4": "MP4"}
VIDEO_RATE = 30
ADD_VIDEO = 'python -m pip install "imageio[pyav]"'  # the extra `video`
Note = Callable[[int, int], None]  # pictures done, pictures in all


class Stopped(Exception):
    """The viewer no longer wants it; nothing is left on the disk."""


class AnimationError(ValueError):
    """It cannot be written; the message says why."""


def video_is_there() -> bool:
    """Whether the packages that write MP4 are installed."""
    return all(importlib.util.find_spec(name) is not None for name in ("imageio", "av"))


def encode(
    path: Path,
    pictures: Iterable[Picture],
    count: int,
    *,
    samples: Iterable[Pixels] = (),
    note: Note = lambda _done, _all: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> None:
    """Write `count` pictures of one size; the ending of `path` is one of FORMATS.

    A GIF has 256 colours, chosen from `samples` (else from the first picture). Raises Stopped, AnimationError, OSError.
    """
    write = _WRITERS.get(path.suffix.lower())
    if write is None:
        raise AnimationError(f"{path.name} must end in {', '.join(FORMATS)}")
    if count < 1:
        raise AnimationError("nothing was recorded")

    def watched() -> Iterator[Picture]:
        for done, picture in enumerate(pictures):
            if cancelled():
                raise Stopped
            note(done, count)
            yield picture

    with writing(path) as file:
        write(file, watched(), count, list(samples))
        if cancelled():
            raise Stopped
    note(count, count)


def _changed(old: Pixels | None, new: Pixels) -> tuple[int, int, int, int]:
    """The rectangle (left, top, right, bottom) in which two pictures differ; at least one pixel of it."""
    if old is None:
        return 0, 0, new.shape[1], new.shape[0]
    differs = (old != new).any(2)
    rows, columns = np.flatnonzero(differs.any(1)), np.flatnonzero(differs.any(0))
    if not len(rows):
        return 0, 0, 1, 1
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


# ----------------------------------------------------------------------------------------------------- GIF


def _write_gif(file: IO[bytes], pictures: Iterator[Picture], _count: int, samples: list[Pixels]) -> None:
    """GIF89a: one palette for all, and of each picture the rectangle that changed."""
    from PIL import GifImagePlugin, Image

    old, late = None, 0.0
    palette: Any = None
    for picture in pictures:
        pixels = picture.pixels
        if palette is None:
            chosen = np.concatenate([sample[::3, ::3] for sample in samples or [pixels]])
            palette = Image.fromarray(chosen).quantize(256, method=Image.Quantize.MEDIANCUT)
            colours = bytes(palette.getpalette() or [])[:768].ljust(768, b"\0")
            height, width, _ = pixels.shape
            file.write(b"GIF89a" + struct.pack("<HHBBB", width, height, 0xF7, 0, 0) + colours)
            file.write(b"!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0")  # again and again
        left, top, right, bottom = _changed(old, pixels)
        part = Image.fromarray(np.ascontiguousarray(pixels[top:bottom, left:right]))
        part = part.quantize(palette=palette, dither=Image.Dither.NONE)
        # hundredths of a second; less than two are not honoured, and what is rounded off comes with the next
        due = picture.seconds + late
        shown = max(2, round(100 * due))
        late = due - shown / 100
        for piece in GifImagePlugin.getdata(part, (left, top), duration=10 * shown, disposal=1):
            file.write(piece)
        old = pixels
    file.write(b";")


# ---------------------------------------------------------------------------------------------------- APNG


def _write_apng(file: IO[bytes], pictures: Iterator[Picture], count: int, _samples: list[Pixels]) -> None:
    """PNG's animation chunks (its third edition, section 11.3.5): lossless, of each picture what changed."""

    def chunk(kind: bytes, data: bytes) -> None:
        file.write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))

    old, number = None, 0
    for place, picture in enumerate(pictures):
        pixels = picture.pixels
        if old is None:
            height, width, _ = pixels.shape
            file.write(b"\x89PNG\r\n\x1a\n")
            chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
            chunk(b"acTL", struct.pack(">II", count, 0))
        left, top, right, bottom = _changed(old, pixels)
        shown = min(65_535, max(1, round(1000 * picture.seconds)))
        area = struct.pack(">IIII", right - left, bottom - top, left, top)
        chunk(b"fcTL", struct.pack(">I", number) + area + struct.pack(">HHBB", shown, 1000, 0, 0))
        data = zlib.compress(_filtered(pixels[top:bottom, left:right]), 6)
        if place == 0:
            chunk(b"IDAT", data)
        else:
            chunk(b"fdAT", struct.pack(">I", number + 1) + data)
        number += 1 if place == 0 else 2
        old = pixels
    chunk(b"IEND", b"")


def _filtered(pixels: Pixels) -> bytes:
    """Rows as PNG compresses them best where much is flat: each as its difference from the row above (filter 2)."""
    rows = pixels.reshape(len(pixels), -1)
    out = np.full((len(rows), 1 + rows.shape[1]), 2, np.uint8)
    out[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=out[1:, 1:])
    return out.tobytes()


# ---------------------------------------------------------------------------------------------------- WebP


def _write_webp(file: IO[bytes], pictures: Iterator[Picture], count: int, _samples: list[Pixels]) -> None:
    from PIL import Image

    first = next(pictures)
    durations = [1000 * first.seconds]

    class Rest(Image.Image):
        """The pictures after the first, each fetched when Pillow turns to it: it would keep a list in memory."""

        n_frames = count - 1

        def seek(self, frame: int) -> None:
            picture = next(pictures)
            durations.append(1000 * picture.seconds)
            shown = Image.fromarray(picture.pixels)
            self.im, self._mode, self._size = shown.im, shown.mode, shown.size

    rest = [Rest()] if count > 1 else []
    start = Image.fromarray(first.pixels)
    start.save(file, "WEBP", save_all=True, append_images=rest, duration=durations, loop=0, quality=90, method=3)


# ----------------------------------------------------------------------------------------------------- MP4


def _write_mp4(file: IO[bytes], pictures: Iterator[Picture], _count: int, _samples: list[Pixels]) -> None:
    """H.264 at an even rate: a picture that lasts longer comes several times, which costs next to nothing."""
    if not video_is_there():
        raise AnimationError(f"MP4 needs one more package: {ADD_VIDEO}")
    import imageio.v3 as iio

    with iio.imopen(file, "w", plugin="pyav", extension=".mp4", container="mp4") as video:
        video.init_video_stream("libx264", fps=float(VIDEO_RATE))
        shown, due = 0, 0.0
        for picture in pictures:
            due += picture.seconds
            height, width, _ = picture.pixels.shape
            even = picture.pixels[: height // 2 * 2, : width // 2 * 2]  # the format halves the colours' resolution
            while shown < max(1, round(due * VIDEO_RATE)):
                video.write_frame(even)
                shown += 1


_WRITERS = {".gif": _write_gif, ".webp": _write_webp, ".png": _write_apng, ".apng": _write_apng, ".mp4": _write_mp4}
