"""What to tell the viewer when something raises: a sentence, and whether that sentence is enough."""

from __future__ import annotations

import errno

import torch

from engine.checkpoint import CheckpointError
from engine.data import DataError
from engine.discovery import UnknownLab
from engine.error_text import told
from engine.hyperparameters import HyperparameterError
from engine.lab import Lab, LabError, modules_of
from engine.own_labs import BrokenLab


def explain(error: BaseException, lab: Lab | None) -> tuple[str, bool]:
    """A summary of one or two sentences, and whether the viewer can act on it without a traceback."""
    if isinstance(error, torch.OutOfMemoryError):
        return _out_of_memory(lab), True
    if isinstance(error, MemoryError):  # of the system: where it came from is worth knowing
        return _out_of_memory(None), False
    if isinstance(error, LabError | DataError | HyperparameterError | UnknownLab | BrokenLab | CheckpointError):
        return str(error), True
    if isinstance(error, OSError):
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return "The disk is full: nothing was saved, and the former file is untouched. Choose another place.", True
        text = f"{error.strerror or error}: {error.filename or ''}".rstrip(": ")
        return text[:1].upper() + text[1:], True
    if lab is not None and isinstance(error, Exception) and _ruined(lab):  # whatever fails because of that: an SVD say
        return "The network's weights are no longer numbers. Go back, or restart.", True
    return told(error), False


def _ruined(lab: Lab) -> bool:
    try:
        return not all(bool(p.isfinite().all()) for module in modules_of(lab) for p in module.parameters())
    except Exception:  # parameters of a kind that cannot be asked
        return False


def _out_of_memory(lab: Lab | None) -> str:
    if lab is not None and lab.device.type == "cuda":
        torch.cuda.empty_cache()
        free, total = torch.cuda.mem_get_info(lab.device)
        left = f" {free / 1e9:.1f} of {total / 1e9:.1f} GB are free."
    else:
        left = ""
    return f"Out of memory.{left} Choose a smaller batch or network, or compute on the CPU."
