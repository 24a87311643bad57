"""What is remembered between two starts: one typed property per setting, kept with QSettings.

QSettings gives back text where it was given a flag, a number or a list of one, so every read here names its type and
falls back to the default where what is stored makes no sense.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from PySide6.QtCore import QByteArray, QObject, QSettings, QStandardPaths, Signal

if TYPE_CHECKING:
    from engine.hyperparameters import Value

ORGANISATION = APPLICATION = "Deepscope"
THEMES = ("system", "light", "dark")
DEVICE_NAMES = {"auto": "Automatic", "cpu": "Processor (CPU)", "cuda": "NVIDIA GPU (CUDA)", "mps": "Apple GPU (Metal)"}
DEVICES = tuple(DEVICE_NAMES)
RECENT = 10
BUDGET = 0.05  # of the worker's time; with what the window itself takes, nine tenths are left for training
MEMORIES = (64, 128, 256, 512, 1024, 2048, 4096, 8192)
MEMORY = 512
MOST_THREADS = 1024
KEPT_LIMITS = (256, 512, 1024, 2048, 4096, 8192, 16_384)
KEPT_LIMIT = 2048

T = TypeVar("T", str, int, float)


class _Memory:
    """Stands in for QSettings where there is no file to write to: nothing is remembered beyond the window."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}

    def value(self, name: str, default: Any = None, _type: object = None) -> Any:
        return self._values.get(name, default)

    def setValue(self, name: str, value: Any) -> None:
        self._values[name] = value

    def contains(self, name: str) -> bool:
        return name in self._values

    def clear(self) -> None:
        self._values.clear()

    def sync(self) -> None:
        pass

    def fileName(self) -> str:
        return ""

    def format(self) -> QSettings.Format:
        return QSettings.Format.NativeFormat


def _irregular(path: str) -> bool:
    """Whether something is there that is no file: QSettings would replace a device, and wait for a pipe's writer."""
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def _usual_path() -> str:
    """The file that QSettings opens by itself; "" where it is none, or the platform decides."""
    if not sys.platform.startswith("linux"):
        return ""
    folder = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.GenericConfigLocation)
    return os.path.join(folder, ORGANISATION, f"{APPLICATION}.conf")


class Settings(QObject):
    """The settings in force. `changed` carries the name of the property that took a new value."""

    changed = Signal(str)

    def __init__(self, store: QSettings | None = None) -> None:
        super().__init__()
        path = store.fileName() if store is not None else _usual_path()
        self.problem = ""  # a sentence for the viewer
        self._store: QSettings | _Memory
        if _irregular(path):
            self.problem = f"{path} is not a regular file: settings are forgotten when the window is closed."
            self._store = _Memory()
        else:
            self._store = store or QSettings()

    # ------------------------------------------------------------------ what the viewer chooses

    @property
    def theme(self) -> str:
        """One of THEMES."""
        return self._one_of("theme", THEMES)

    @theme.setter
    def theme(self, value: str) -> None:
        self._write("theme", value)

    @property
    def data_folder(self) -> str:
        """Where to look for data sets first; "" is nowhere."""
        return self._read("data_folder", "")

    @data_folder.setter
    def data_folder(self, value: str) -> None:
        self._write("data_folder", value)

    @property
    def labs_folder(self) -> str:
        """Where the viewer's own labs lie; "" is the usual place."""
        return self._read("labs_folder", "")

    @labs_folder.setter
    def labs_folder(self, value: str) -> None:
        self._write("labs_folder", value)

    @property
    def device(self) -> str:
        """One of DEVICES."""
        return self._one_of("device", DEVICES)

    @device.setter
    def device(self, value: str) -> None:
        self._write("device", value)

    @property
    def budget(self) -> float:
        """The share of the worker's time that watching may take, 0.01..0.9."""
        return min(max(self._read("budget", BUDGET), 0.01), 0.9)

    @budget.setter
    def budget(self, value: float) -> None:
        self._write("budget", value)

    @property
    def threads(self) -> int:
        """torch's threads; 0 leaves the choice to the lab."""
        return min(max(self._read("threads", 0), 0), MOST_THREADS)

    @threads.setter
    def threads(self, value: int) -> None:
        self._write("threads", value)

    @property
    def memory(self) -> int:
        """Megabytes that a run may keep for rewinding, one of MEMORIES."""
        stored = self._read("memory", MEMORY)
        return max((size for size in MEMORIES if size <= stored), default=MEMORIES[0])

    @memory.setter
    def memory(self, value: int) -> None:
        self._write("memory", value)

    @property
    def kept_limit(self) -> int:
        """Megabytes that networks kept when a lab is closed may take before the viewer is asked, one of KEPT_LIMITS."""
        stored = self._read("kept_limit", KEPT_LIMIT)
        return max((size for size in KEPT_LIMITS if size <= stored), default=KEPT_LIMITS[0])

    @kept_limit.setter
    def kept_limit(self, value: int) -> None:
        self._write("kept_limit", value)

    @property
    def train_in_background(self) -> bool:
        """Whether a lab goes on training when the viewer leaves it for another one; else it is paused."""
        return self._read("train_in_background", 0) == 1

    @train_in_background.setter
    def train_in_background(self, value: bool) -> None:
        self._write("train_in_background", int(value))

    # ------------------------------------------------------------------ what the window remembers

    @property
    def recent_labs(self) -> tuple[str, ...]:
        """The labs opened last, the latest first."""
        names = self._json("recent_labs")
        return tuple(name for name in names if isinstance(name, str))[:RECENT] if isinstance(names, list) else ()

    def remember_lab(self, lab_id: str) -> None:
        """Put a lab at the head of the recent ones."""
        import json

        names = [lab_id, *(name for name in self.recent_labs if name != lab_id)]
        self._write("recent_labs", json.dumps(names[:RECENT]))

    @property
    def recent_sessions(self) -> tuple[tuple[str, str], ...]:
        """The files of the sessions saved or opened last and the ids of their labs, the latest first."""
        found = self._json("recent_sessions")
        pairs = [tuple(pair) for pair in found if isinstance(pair, list)] if isinstance(found, list) else []
        return tuple(pair for pair in pairs if len(pair) == 2 and all(isinstance(part, str) for part in pair))[:RECENT]

    def remember_session(self, path: Path, lab_id: str) -> None:
        """Put a session at the head of the recent ones."""
        import json

        pairs = [(str(path), lab_id), *(pair for pair in self.recent_sessions if pair[0] != str(path))]
        self._write("recent_sessions", json.dumps(pairs[:RECENT]))

    def hyperparameters(self, lab_id: str) -> dict[str, Value]:
        """What was last set in a lab; {} where nothing was. The lab may have changed since: check each value."""
        values = self._json(f"labs/{lab_id}")
        if not isinstance(values, dict):
            return {}
        return {name: value for name, value in values.items() if isinstance(value, float | int | str | bool)}

    def remember_hyperparameters(self, lab_id: str, values: Mapping[str, Value]) -> None:
        """Keep a lab's hyperparameters for the next time it is opened."""
        import json

        self._write(f"labs/{lab_id}", json.dumps(dict(values)))

    @property
    def export_folder(self) -> str:
        """Where the last export went; "" where there was none."""
        return self._read("export_folder", "")

    @export_folder.setter
    def export_folder(self, value: str) -> None:
        self._write("export_folder", value)

    @property
    def autosave_folder(self) -> Path:
        """Where runs are kept in case of a crash."""
        return self._data_folder() / "autosave"

    @property
    def kept_folder(self) -> Path:
        """Where networks are kept whose lab was closed without saving them (see gui/kept.py)."""
        return self._data_folder() / "kept"

    def _data_folder(self) -> Path:
        """Beside the settings, where these lie in a file of their own; else where the platform has such folders."""
        if self._store.format() == QSettings.Format.IniFormat:
            return Path(self._store.fileName()).parent
        import platformdirs

        return Path(platformdirs.user_data_dir("deepscope", appauthor=False))

    @property
    def geometry(self) -> QByteArray:
        """Place and size of the window; empty where it was never closed."""
        value = self._store.value("geometry", QByteArray())
        return value if isinstance(value, QByteArray) else QByteArray()

    @geometry.setter
    def geometry(self, value: QByteArray) -> None:
        self._store.setValue("geometry", value)

    # ------------------------------------------------------------------ everything

    def reset(self) -> None:
        """Forget everything, what was remembered of the labs included."""
        self._store.clear()
        self._store.sync()
        chosen = ("theme", "data_folder", "labs_folder", "device", "budget", "threads", "memory", "kept_limit")
        for name in (*chosen, "train_in_background", "recent_labs", "recent_sessions"):
            self.changed.emit(name)

    def sync(self) -> None:
        """Write to disk now."""
        self._store.sync()

    def _read(self, name: str, default: T) -> T:
        stored: Any = self._store.value(name, default)
        try:
            value = type(default)(stored)  # Qt would make 0 of what is not a number
        except (TypeError, ValueError, OverflowError):
            return default
        return value if value == value else default  # NaN is a number too

    def _one_of(self, name: str, allowed: tuple[str, ...]) -> str:
        value = self._read(name, allowed[0])
        return value if value in allowed else allowed[0]

    def _json(self, name: str) -> object:
        text = self._read(name, "")
        if not text:
            return None
        import json  # not at the first start, which has nothing to read

        try:
            return json.loads(text)
        except (ValueError, RecursionError):  # ValueError: a number of too many digits, too
            return None

    def _write(self, name: str, value: str | int | float) -> None:
        if not self._store.contains(name) or self._store.value(name, value, type(value)) != value:
            self._store.setValue(name, value)
            self.changed.emit(name)
