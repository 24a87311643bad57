"""Everything here needs CUDA, and says so where there is none. It needs neither Qt nor pytest-qt."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(needs_cuda)
