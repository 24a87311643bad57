"""Views larger than a screen are averaged where they are packed, on the worker."""

from __future__ import annotations

import numpy as np
import pytest

from engine.payloads import FieldData, HeatmapData, ImageGroup, ImagesData
from engine.views import SIDE, Field, Heatmap, Images


def test_a_large_heatmap_is_averaged_and_knows_its_size() -> None:
    length, width = 3 * SIDE - 1, SIDE + 3
    values = np.arange(length, dtype=np.float32)[:, None] + np.zeros((length, width), np.float32)
    rows = tuple(f"r{i}" for i in range(length))
    packed = Heatmap("Large", help="").pack(HeatmapData(values, rows=rows))
    assert packed.values.shape == (1, SIDE, -(-width // 2))
    assert packed.size == (length, width)
    np.testing.assert_allclose(packed.values[0, :3, 0], [1, 4, 7])
    assert packed.values[0, -1, 0] == pytest.approx(length - 1.5)  # the last block has two rows only
    assert packed.values.mean() == pytest.approx(values.mean(), rel=1e-3)
    assert len(packed.rows) == SIDE
    assert packed.rows[:2] == ("r0 – r2", "r3 – r5")


def test_large_pictures_are_averaged_in_every_channel() -> None:
    picture = np.zeros((2, SIDE + 1, 40, 3), np.float32)
    picture[1, :, :, 2] = 1
    packed = Images("Large", help="", colour="rgb").pack(ImagesData((ImageGroup("", picture),)))
    group = packed.groups[0]
    assert group.pixels.shape == (2, SIDE // 2 + 1, 40, 3)
    assert group.size == (SIDE + 1, 40)
    assert group.pixels[1, :, :, 2].min() == 1
    assert group.pixels[0].max() == 0


def test_a_large_field_keeps_its_extent() -> None:
    packed = Field("Large", help="").pack(FieldData(np.ones((2 * SIDE, 50)), (-1, 1, -2, 2)))
    assert packed.values.shape == (SIDE, 50)
    assert packed.extent == (-1, 1, -2, 2)


def test_what_fits_a_screen_stays_as_it_is() -> None:
    values = np.random.default_rng(0).random((2, 30, SIDE)).astype(np.float32)
    packed = Heatmap("Small", help="").pack(values)
    np.testing.assert_array_equal(packed.values, values)
    assert packed.size == ()
