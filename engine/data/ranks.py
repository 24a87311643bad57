"""Real data as tensors of every rank, from one number to a video. All of it comes along with scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

HEIGHT, WIDTH, FRAMES, WINDOW = 32, 48, 16, 24  # of photographs, of a video, and of the window that films them
LENGTHS = ("sepal length", "sepal width", "petal length", "petal width")
CHANNELS = ("red", "green", "blue")


class Kind(NamedTuple):
    """A tensor of some rank: what its axes are, in which unit its numbers are, and the tensor."""

    axes: tuple[str, ...]
    unit: str
    what: str
    make: Callable[[], Tensor]


def flowers() -> Tensor:
    """Four lengths of each of 150 iris flowers, in cm (Fisher, 1936): (150, 4)."""
    from sklearn.datasets import load_iris

    return torch.from_numpy(load_iris().data).float()


def photographs() -> Tensor:
    """scikit-learn's two photographs, a temple in China and a flower, made small: (2, 3, 32, 48), 0 to 255."""
    from sklearn.datasets import load_sample_images

    large = [torch.tensor(each).permute(2, 0, 1).float() for each in load_sample_images().images]  # (3, 427, 640)
    return torch.stack([F.adaptive_avg_pool2d(each, (HEIGHT, WIDTH)).round() for each in large])


def videos() -> Tensor:
    """A camera moves over each photograph: (2, 16, 3, 24, 24)."""
    whole = photographs()
    places = [round(frame * (WIDTH - WINDOW) / (FRAMES - 1)) for frame in range(FRAMES)]
    return torch.stack([whole[..., 4 : 4 + WINDOW, left : left + WINDOW] for left in places], 1)


def light() -> Tensor:
    """The mean red, green and blue that this camera sees, frame by frame: (2, 16, 3)."""
    return videos().mean((-1, -2))


KINDS = {
    "scalar": Kind((), "cm", "one length of one flower", lambda: flowers()[0, 0]),
    "vector": Kind(("length",), "cm", "the four lengths of one flower", lambda: flowers()[0]),
    "matrix": Kind(("flower", "length"), "cm", "four lengths of each of 150 flowers", flowers),
    "time series": Kind(("series", "time", "channel"), "brightness", "what a moving camera sees, on average", light),
    "images": Kind(("picture", "channel", "row", "column"), "brightness", "two photographs in colour", photographs),
    "video": Kind(("video", "time", "channel", "row", "column"), "brightness", "a camera moves over each", videos),
}
