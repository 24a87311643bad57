"""Everything here needs CUDA, and says so where there is none. It needs neither Qt nor pytest-qt."""

from __future__ import annotations

import pytest
import torch


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not torch.cuda.is_available():
        for item in items:
            if "gpu" in str(item.path):
                item.add_marker(pytest.mark.skip(reason="no CUDA device on this machine"))
