"""The data sets Deepscope knows by name, and where their files are looked for.

Imports neither torch nor numpy: the window reads the catalogue before they are loaded.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from engine.data.errors import DataError, DataMissing


@dataclass(frozen=True)
class RemoteFile:
    """One file of a set, as its publisher serves it."""

    name: str
    url: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class DataSet:
    """What is known of a set without opening it."""

    name: str
    title: str
    kind: Literal["images", "text", "table"]
    bundled: bool  # comes with Deepscope or with what it depends on: no network needed
    bytes: int  # to be downloaded, or as it lies on the disk where bundled
    licence: str
    source: str
    files: tuple[RemoteFile, ...] = ()
    folder: str = ""  # the subfolder its files are kept in
    about: str = ""  # what is in it, in one line


def _idx_files(base: str, *files: tuple[str, int, str]) -> tuple[RemoteFile, ...]:
    return tuple(RemoteFile(name, base + name, sha256, size) for name, size, sha256 in files)


_MNIST = _idx_files(
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    ("train-images-idx3-ubyte.gz", 9912422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
    ("train-labels-idx1-ubyte.gz", 28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
    ("t10k-images-idx3-ubyte.gz", 1648877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
    ("t10k-labels-idx1-ubyte.gz", 4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
)

_FASHION = _idx_files(
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/"
    "b2617bb6d3ffa2e429640350f613e3291e10b141/data/fashion/",
    ("train-images-idx3-ubyte.gz", 26421880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
    ("train-labels-idx1-ubyte.gz", 29515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
    ("t10k-images-idx3-ubyte.gz", 4422102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
    ("t10k-labels-idx1-ubyte.gz", 5148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
)

_SHAKESPEARE = (
    RemoteFile(
        "input.txt",
        "https://raw.githubusercontent.com/karpathy/char-rnn/"
        "6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e/data/tinyshakespeare/input.txt",
        "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        1115394,
    ),
)

CATALOGUE: dict[str, DataSet] = {
    item.name: item
    for item in (
        DataSet(
            name="digits",
            title="Handwritten digits, small",
            kind="images",
            bundled=True,
            bytes=57523,
            licence="CC BY 4.0",
            source="UCI Optical Recognition of Handwritten Digits (Alpaydin and Kaynak, 1998), with scikit-learn",
            about="1,797 digits of 8×8 pixels: 1,437 to train, 360 to test; 10 classes",
        ),
        DataSet(
            name="mnist",
            title="MNIST",
            kind="images",
            bundled=False,
            bytes=sum(file.bytes for file in _MNIST),
            licence="CC BY-SA 3.0",
            source="LeCun, Cortes and Burges, 1998",
            files=_MNIST,
            folder="mnist",
            about="70,000 handwritten digits of 28×28 pixels: 60,000 to train, 10,000 to test; 10 classes",
        ),
        DataSet(
            name="fashion-mnist",
            title="Fashion-MNIST",
            kind="images",
            bundled=False,
            bytes=sum(file.bytes for file in _FASHION),
            licence="MIT",
            source="Zalando SE (Xiao, Rasul and Vollgraf, 2017)",
            files=_FASHION,
            folder="fashion-mnist",
            about="70,000 articles of clothing, 28×28 pixels: 60,000 to train, 10,000 to test; 10 classes",
        ),
        DataSet(
            name="bundled",
            title="Tiny stories of animals and weather",
            kind="text",
            bundled=True,
            bytes=200_000,
            licence="MIT, as Deepscope",
            source="written for Deepscope by a small grammar (engine/data/stories.py)",
            about="about 200,000 characters of plain English sentences",
        ),
        DataSet(
            name="tinyshakespeare",
            title="Tiny Shakespeare",
            kind="text",
            bundled=False,
            bytes=_SHAKESPEARE[0].bytes,
            licence="public domain",
            source="William Shakespeare; chosen by Karpathy, 2015",
            files=_SHAKESPEARE,
            folder="tinyshakespeare",
            about="1,115,394 characters of plays, 65 distinct ones",
        ),
    )
}

GENERATED = ("circle", "spiral", "xor", "gaussians", "three-clouds", "moons", "plane", "multi-gaussian", "drawn")

_chosen_folder: Path | None = None


def set_data_folder(path: str | os.PathLike[str] | None) -> None:
    """Look for data in this folder first (the one in Settings); None goes back to DEEPSCOPE_DATA."""
    global _chosen_folder
    _chosen_folder = Path(os.path.expanduser(path)) if path else None


def data_folder() -> Path | None:
    """The user's own folder of data sets: the one that was set, else DEEPSCOPE_DATA, else none."""
    if _chosen_folder is not None:
        return _chosen_folder
    named = os.environ.get("DEEPSCOPE_DATA")
    return Path(named) if named else None


def cache_folder() -> Path:
    """Where downloads are kept."""
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("deepscope", appauthor=False)) / "data"


def is_known(name: str) -> bool:
    """Whether a data set's name is one of Deepscope's, rather than a path to files of somebody's own."""
    return name in ("", *CATALOGUE, *GENERATED)


def lookup(name: str) -> DataSet:
    """The catalogued set of that name; DataError lists those there are."""
    if name not in CATALOGUE:
        raise DataError(f"there is no data set {name!r}; there are: {', '.join(CATALOGUE)}")
    return CATALOGUE[name]


def find_files(dataset: str | DataSet) -> dict[str, Path]:
    """The set's files by name, all from one folder: the user's own first, then the downloads.

    They may lie in FOLDER/<set>/ or in FOLDER itself. Raises DataMissing where they are in neither.
    """
    wanted = lookup(dataset) if isinstance(dataset, str) else dataset
    for found in _candidates(wanted):
        if len(found) == len(wanted.files):
            return found
    raise DataMissing(
        wanted.name,
        f"{wanted.title} is not on this machine. It can be downloaded ({megabytes(wanted.bytes)}, {wanted.licence}), "
        f"or put its {len(wanted.files)} files into a folder named {wanted.folder} in the data folder of the settings.",
    )


def is_available(dataset: str | DataSet) -> bool:
    """Whether the set can be loaded without a download."""
    try:
        find_files(dataset)
    except DataMissing:
        return False
    return True


def _candidates(dataset: DataSet) -> Iterator[dict[str, Path]]:
    for folder in (data_folder(), cache_folder()):
        if folder is None:
            continue
        inside = folder / dataset.folder
        yield {f.name: inside / f.name for f in dataset.files if os.path.isfile(inside / f.name)}
        # MNIST and its kin use the same file names: in a folder shared by all, the size tells them apart
        yield {f.name: folder / f.name for f in dataset.files if _size(folder / f.name) == f.bytes}


def _size(path: Path) -> int:
    try:
        return os.path.getsize(path) if os.path.isfile(path) else -1
    except OSError:  # it has gone since
        return -1


def megabytes(count: int) -> str:
    """A size as a person would write it: 11.6 MB."""
    if count < 1_000_000:
        return f"{max(1, round(count / 1000))} kB"
    return f"{count / 1e6:.1f} MB" if count < 1_000_000_000 else f"{count / 1e9:.1f} GB"
