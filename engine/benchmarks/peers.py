"""Our labs against the loops that people write: a DataLoader over samples, nanoGPT's recipe."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from engine.benchmarks import Result, in_turns, rate
from engine.data import load_images, load_text
from engine.device import threads_for
from engine.discovery import load_lab
from engine.lab import advance, start

SECONDS, ROUNDS = 3.0, 3


class Pictures(Dataset[tuple[Tensor, Tensor]]):
    """Pictures kept as bytes and converted one at a time when asked for, as torchvision's MNIST does."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.images, self.labels = (images * 255).to(torch.uint8), labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.images[index].float() / 255, self.labels[index]


def lenet(device: torch.device) -> Iterator[Result]:
    """Training samples per second of the lab, validation included, over a plain loop that only trains: a shuffling
    DataLoader over samples, the same network, loss and accuracy read at each step."""
    lab_class = load_lab("lenet")
    torch.set_num_threads(threads_for(lab_class))
    lab: Any = start(lab_class, device=device)
    data = load_images(lab.dataset, 28)
    net = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
        nn.Linear(84, 10),
    ).to(device)
    optimizer = torch.optim.Adam(net.parameters())
    loader = DataLoader(Pictures(data.train, data.train_labels), batch_size=lab.hp.batch_size, shuffle=True)

    def endless() -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            yield from loader

    batches = endless()

    def plain_step() -> None:
        images, labels = (each.to(device) for each in next(batches))
        logits = net(images)
        loss = F.cross_entropy(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()
        (logits.argmax(1) == labels).float().mean().item()

    sides = {"lab": lambda: rate(lambda: advance(lab), SECONDS), "plain": lambda: rate(plain_step, SECONDS)}
    found = in_turns(sides, ROUNDS)
    batch = lab.hp.batch_size
    detail = f"{batch * found['lab']:,.0f} over {batch * found['plain']:,.0f} samples/s"
    yield Result("LeNet over a DataLoader loop", found["lab"] / found["plain"], 1.2, True, detail)


class PlainBlock(nn.Module):
    """A pre-norm transformer block as nanoGPT writes it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width, bias=False), nn.LayerNorm(width, bias=False)
        self.qkv, self.project = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.up, self.down = nn.Linear(width, 4 * width, bias=False), nn.Linear(4 * width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.project(mixed.transpose(1, 2).reshape(batch, length, width))
        out: Tensor = x + self.down(F.gelu(self.up(self.norm2(x))))
        return out


class PlainGPT(nn.Module):
    def __init__(self, vocabulary: int, width: int = 128, heads: int = 4, layers: int = 4, context: int = 64) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        self.blocks = nn.Sequential(*(PlainBlock(width, heads) for _ in range(layers)))
        self.norm = nn.LayerNorm(width, bias=False)
        self.head = nn.Linear(width, vocabulary, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, x: Tensor) -> Tensor:
        here = torch.arange(x.shape[1], device=x.device)
        logits: Tensor = self.head(self.norm(self.blocks(self.tokens(x) + self.places(here))))
        return logits


def gpt(device: torch.device) -> Iterator[Result]:
    """Iterations per second of the lab at nanoGPT's CPU recipe, over a plain loop of that recipe."""
    lab_class = load_lab("gpt")
    torch.set_num_threads(threads_for(lab_class))
    lab = start(lab_class, device=device)
    text = load_text(lab.dataset)
    letters = sorted(set(text))
    numbers = torch.tensor([letters.index(letter) for letter in text])
    net = PlainGPT(len(letters)).to(device)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, betas=(0.9, 0.99), fused=device.type != "mps")

    def plain_step() -> None:
        at = torch.randint(len(numbers) - 65, (12,))
        x = torch.stack([numbers[i : i + 64] for i in at.tolist()]).to(device)
        y = torch.stack([numbers[i + 1 : i + 65] for i in at.tolist()]).to(device)
        loss = F.cross_entropy(net(x).flatten(0, 1), y.flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()

    sides = {"lab": lambda: rate(lambda: advance(lab), SECONDS), "plain": lambda: rate(plain_step, SECONDS)}
    found = in_turns(sides, ROUNDS)
    detail = f"{1000 / found['lab']:.1f} against {1000 / found['plain']:.1f} ms an iteration"
    yield Result("GPT over nanoGPT's loop", found["lab"] / found["plain"], 0.97, True, detail)
