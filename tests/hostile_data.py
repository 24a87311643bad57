"""Files and folders that no reader may hang on or fill the memory with. Each is small on the disk."""

from __future__ import annotations

import os
import socket
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np


def png(width: int, height: int) -> bytes:
    """A picture whose header announces a size that its few bytes do not fill."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(4000))) + chunk(b"IEND", b"")
    )


def pipe(folder: Path, suffix: str) -> Path:
    path = folder / f"pipe{suffix}"
    os.mkfifo(path)
    return path


def device(folder: Path, suffix: str) -> Path:
    path = folder / f"device{suffix}"
    path.symlink_to("/dev/zero")
    return path


def listening(folder: Path, suffix: str) -> Path:
    path = folder / f"socket{suffix}"
    here = os.getcwd()
    os.chdir(folder)  # a socket's whole path may not be long
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)
    return path


def loop(folder: Path, suffix: str) -> Path:
    path = folder / f"loop{suffix}"
    path.symlink_to(path)
    return path


def bombs(folder: Path) -> Path:
    for name in ("a", "b"):
        (folder / "bombs" / name).mkdir(parents=True)
        for i in range(20):
            (folder / "bombs" / name / f"{i}.png").write_bytes(png(30_000, 30_000))
    return folder / "bombs"


def packed_bomb(folder: Path) -> Path:
    """An archive that unpacks to a thousand times its size: 0.2 MB to 160 MB."""
    path = folder / "bomb.npz"
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (20, 2800, 2800), }".ljust(117) + b"\n"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("x.npy", "w") as member:
            member.write(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
            for _ in range(20):
                member.write(bytes(2800 * 2800))
        with archive.open("y.npy", "w") as member:
            np.save(member, np.arange(20) % 2)
    return path


def alphabet(folder: Path) -> Path:
    path = folder / "signs.txt"
    path.write_text("".join(chr(0x10000 + i) for i in range(100_000)), encoding="utf-8")
    return path


def many_classes(folder: Path) -> Path:
    path = folder / "classes.npz"
    np.savez_compressed(path, x=np.zeros((10_000, 4, 4), np.uint8), y=np.arange(10_000))
    return path


def endless_row(folder: Path) -> Path:
    """A table whose second line is 200 MB long; a hole in the file takes no room on the disk but for its ends."""
    path = folder / "row.csv"
    with path.open("wb") as file:
        file.write(b"a,b,c\n")
        for _ in range(3):
            file.write(b"1," * 500_000)
        file.truncate(200_000_000)
    return path
