"""GPT: a decoder-only transformer that learns to write, one character at a time."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.data import load_text
from engine.hyperparameters import choice, flag, integer, real
from engine.lab import Lab, LabError, Metrics, Proof, Step, view
from engine.nn.sampling import filtered
from engine.nn.transformer import Block, Past
from engine.payloads import BarsData, Gesture, HeatmapData, Pick, PointsData, TextData, Typed
from engine.views import Bars, Curves, Heatmap, Points, Text

WARM_UP, DECAYED = 100, 2000  # steps: the learning rate rises until the one and falls until the other
EVERY, WINDOWS, SLICE = 50, 16, 4  # steps between validations, the windows they read, and how many at a time
PART = 1024  # characters sent through at once, so that no phase takes long
LETTERS = 120  # written to show how far it is
KINDS = ("vowels", "consonants", "capitals", "all else")
VISIBLE = {" ": "␣", "\n": "↵", "\t": "⇥"}


@dataclass(frozen=True)
class GPTParams:
    learning_rate: float = real(3e-3, 1e-5, 1e-1, log=True, live=True, typed_high=1e6, help="AdamW's highest step size")
    schedule: bool = flag(True, live=True, help="Warm up for 100 steps, then fall to a tenth by step 2,000 (cosine)")
    batch_size: int = integer(12, 1, 32, live=True, unit="windows", help="Pieces of text averaged over in one step")
    dropout: float = real(0, 0, 0.9, live=True, help="Share of the values silenced at random while it learns")
    weight_decay: float = real(0.1, 0, 1, live=True, help="How strongly weights are pulled towards zero")
    temperature: float = real(1, 0.05, 3, view=True, help="Below 1 it writes what is likely, above 1 it takes risks")
    top_k: int = integer(0, 0, 50, view=True, label="Top-k", help="Choose among the k likeliest only; 0 is all")
    top_p: float = real(1, 0.05, 1, view=True, label="Top-p", help="Choose among the likeliest that make up this much")
    layers: int = integer(4, 1, 8, help="Blocks of attention and dense layers, one after the other")
    heads: str = choice("4", ("1", "2", "4", "8"), help="Attention patterns side by side in each layer")
    width: str = choice("128", ("32", "64", "128", "256"), help="Numbers that stand for one character, at each layer")
    context: int = integer(64, 8, 256, unit="characters", help="How far back it can look")


class Transformer(nn.Module):
    """GPT-2's architecture (Radford et al., 2019), without biases, and with nanoGPT's initialisation."""

    def __init__(self, hp: GPTParams, vocabulary: int) -> None:
        super().__init__()
        width = int(hp.width)
        self.letters = nn.Embedding(vocabulary, width)  # serves twice: on the way in, and to score the next character
        self.positions = nn.Embedding(hp.context, width)
        self.blocks = nn.ModuleList(Block(width, int(hp.heads), hp.dropout) for _ in range(hp.layers))
        self.norm = nn.LayerNorm(width, bias=False)
        for name, p in self.named_parameters():
            if p.ndim == 2:  # what is added to the stream starts smaller, the more there is of it
                nn.init.normal_(p, std=0.02 / (math.sqrt(2 * hp.layers) if "out" in name or "down" in name else 1))

    def forward(self, tokens: Tensor, pasts: list[Past] | None = None) -> Tensor:
        """Logits of the next character at each place: (B, T) to (B, T, V)."""
        read = pasts[0][0].shape[2] if pasts and pasts[0] else 0
        x = self.letters(tokens) + self.positions.weight[read : read + tokens.shape[1]]  # (B, T, D)
        for i, block in enumerate(self.blocks):
            x = block(x, pasts[i] if pasts else None)
        return F.linear(self.norm(x), self.letters.weight)

    def attention(self, tokens: Tensor) -> Tensor:
        """Every head of every layer, for one text: (1, T) to (L · H, T, T)."""
        x, weights = self.letters(tokens) + self.positions.weight[: tokens.shape[1]], []
        for block in self.blocks:
            assert isinstance(block, Block)
            weights.append(block.weights(x)[0])
            x = block(x)
        return torch.cat(weights)


class GPT(Lab):
    """A network that guesses the next character, and so learns to write (Radford et al., 2018).

    It starts with noise, finds out about letters, then spaces, then words. Attention shows where it looks while it
    guesses; temperature, top-k and top-p decide how a guess becomes a letter.
    """

    title, chapter, summary = "GPT, letter by letter", "Language", "A transformer learns to write; see each head attend"
    order = 70
    Params = GPTParams
    datasets = ("bundled", "tinyshakespeare")
    accepts = ("text",)
    many_threads = True
    state = ("net", "optimizer", "prompt")
    layout = """
        loss     attention attention chances
        letters  attention attention chances
        writing  writing   writing   writing
    """
    proof = Proof("validation loss on tiny Shakespeare", 1.88, higher=False, dataset="tinyshakespeare", steps=2000)

    def build(self) -> None:
        text, context = load_text(self.dataset), self.hp.context
        codes, numbers = torch.frombuffer(bytearray(text, "utf-32-le"), dtype=torch.int32).unique(return_inverse=True)
        self.alphabet = "".join(chr(code) for code in codes.tolist())  # sorted
        self.shown = tuple(VISIBLE.get(letter, letter) for letter in self.alphabet)
        data = numbers.to(self.device)  # (characters,)
        self.text, self.held_out = data[: len(data) * 9 // 10], data[len(data) * 9 // 10 :]
        if len(self.held_out) <= context:
            raise LabError(
                f"The text has {len(data):,} characters; to look back {context}, take {10 * context + 10:,}."
            )
        self.reach = torch.arange(context + 1, device=self.device)  # a window of text and the character after it
        starts = torch.linspace(0, len(self.held_out) - context - 1, WINDOWS, device=self.device).long()
        self.windows = self.held_out[starts[:, None] + self.reach]  # (WINDOWS, T + 1)
        self.net = Transformer(self.hp, len(self.alphabet)).to(self.device)
        matrices, gains = ([p for p in self.net.parameters() if p.ndim == n] for n in (2, 1))
        self.optimizer = torch.optim.AdamW(matrices, betas=(0.9, 0.99), fused=True)
        self.optimizer.add_param_group({"params": gains, "weight_decay": 0.0})
        self.prompt = self.written = text[:24].rsplit(" ", 1)[0]  # whole words
        self.known: tuple[tuple[int, str], Tensor] | None = None  # the prompt's last logits, and when they held
        self.changed("batch_size")

    def changed(self, name: str) -> None:
        self.steps_per_epoch = len(self.text) / (self.hp.batch_size * self.hp.context)
        for block in self.net.blocks:
            block.drop = self.hp.dropout

    def rate(self) -> float:
        """The learning rate at this step: nanoGPT's warm-up and cosine."""
        if not self.hp.schedule:
            return float(self.hp.learning_rate)
        risen = min(1.0, (self.step_count + 1) / (WARM_UP + 1))
        done = min(1.0, max(0.0, (self.step_count - WARM_UP) / (DECAYED - WARM_UP)))
        return float(self.hp.learning_rate) * risen * (0.1 + 0.9 * (1 + math.cos(math.pi * done)) / 2)

    def step(self) -> Step:
        size, context = self.hp.batch_size, self.hp.context
        starts = torch.randint(len(self.text) - context, (size, 1), device=self.device)
        batch = self.text[starts + self.reach]  # (B, T + 1)
        self.optimizer.zero_grad()
        total = torch.zeros((), device=self.device)
        for part in batch.split(max(1, PART // context)):
            loss = self.loss_of(part) * len(part) / size
            yield "forward"
            loss.backward()
            yield "backward"
            total += loss.detach()
        nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate()
        self.optimizer.param_groups[0]["weight_decay"] = self.hp.weight_decay
        self.optimizer.step()
        self.known = None
        metrics: Metrics = {"train loss": total}
        if self.step_count % EVERY == 0:
            losses = []
            for part in self.windows.split(SLICE):
                self.net.eval()
                with torch.no_grad():
                    losses.append(self.loss_of(part))
                self.net.train()
                yield "validation"
            metrics["validation loss"] = torch.stack(losses).mean()
        return metrics

    def loss_of(self, windows: Tensor) -> Tensor:
        """Cross-entropy of each next character, (B, T + 1) to a mean: -log p(x_t | x_<t)."""
        return F.cross_entropy(self.net(windows[:, :-1]).flatten(0, 1), windows[:, 1:].flatten())

    def ranges(self, state: Mapping[str, Any]) -> Mapping[str, tuple[float, float]]:
        if not state["prompt"] or not set(state["prompt"]) <= set(self.alphabet):
            raise LabError("“prompt” is empty, or has characters that the text does not have")
        return {}

    def measure(self) -> float:
        windows = self.held_out.unfold(0, self.hp.context + 1, self.hp.context)  # all of the held-out text, once
        return float(sum(self.loss_of(part) * len(part) for part in windows.split(16))) / len(windows)

    def facts(self) -> dict[str, str]:
        guess = f"a loss of {math.log(len(self.alphabet)):.2f}"
        return super().facts() | {"alphabet": f"{len(self.alphabet)} characters", "guessing": guess}

    loss = Curves(
        "Loss",
        metrics=("train loss", "validation loss"),
        unit="nats",
        hint="train · validation",
        help="Mean of -log p of the right next character. Guessing among V characters costs ln V: 4.17 for 65.",
    )

    def tokens(self, text: str) -> Tensor:
        return torch.tensor([[self.alphabet.index(c) for c in text[-self.hp.context :]]], device=self.device)  # (1, T)

    def chances_of(self, logits: Tensor) -> Tensor:
        return filtered(logits, self.hp.temperature, self.hp.top_k, self.hp.top_p)  # (V,) to (V,)

    def next_logits(self) -> Tensor:
        """Logits (V,) after the text given, computed once for each state of the weights; step() or loading ends it."""
        key = (self.net.letters.weight._version, self.prompt)  # loading raises the version, a fused optimiser does not
        if self.known is None or self.known[0] != key:
            self.known = key, self.net(self.tokens(self.prompt))[0, -1]
        return self.known[1]

    @view(
        Heatmap(
            "Attention",
            row_axis="at this character",
            column_axis="it looks at",
            low=0,
            hint="choose a head",
            help="For the text you gave: how much each character (row) attends to those before it (columns), by head.",
        )
    )
    def attention(self) -> HeatmapData:
        tokens = self.tokens(self.prompt)
        shown = tuple(self.shown[i] for i in tokens[0].tolist())
        names = [f"layer {i + 1} head {j + 1}" for i in range(self.hp.layers) for j in range(int(self.hp.heads))]
        return HeatmapData(self.net.attention(tokens), shown, shown, tuple(names))  # (L · H, T, T)

    @view(
        Bars(
            "Next character",
            high=1,
            hint="after your text",
            help="The most likely next characters, after temperature, top-k and top-p: what it samples from.",
        )
    )
    def chances(self) -> BarsData:
        chances, order = self.chances_of(self.next_logits()).topk(min(12, len(self.alphabet)))
        return BarsData(tuple(self.shown[i] for i in order.tolist()), chances, chosen=0)

    @view(
        Text(
            "Writing",
            hint="click a letter to branch · type a beginning",
            help="What it writes after the text you gave. Colour is probability; hover for what else it weighed.",
        )
    )
    def writing(self) -> Generator[TextData, None, TextData]:
        text, given, chances, others = self.prompt, len(self.prompt), [], []
        pasts: list[Past] = []

        def so_far() -> TextData:
            return TextData(tuple(text), [math.nan] * given + chances, ((),) * given + tuple(others), given - 1)

        for i in range(LETTERS):
            if not pasts or pasts[0][0].shape[2] == self.hp.context:  # full: go on from the later half
                new, pasts = text[-self.hp.context // (2 if pasts else 1) :], [[] for _ in self.net.blocks]
            p = self.chances_of(self.net(self.tokens(new), pasts)[0, -1])
            best = p.topk(min(5, len(p)))
            letters = [self.alphabet[j] for j in best.indices.tolist()]
            others.append(tuple(zip(letters, best.values.tolist(), strict=True)))
            chosen = int(p.multinomial(1))
            new = self.alphabet[chosen]
            text, chances = text + new, [*chances, float(p[chosen])]
            if i % 5 == 4:
                yield so_far()
        self.written = text  # what a click on the n-th letter means
        return so_far()

    @writing.probe
    def writing(self, gesture: Gesture) -> None:
        prompt = self.prompt
        if isinstance(gesture, Typed):
            prompt = gesture.text or self.alphabet[0]
        elif isinstance(gesture, Pick) and gesture.index < len(self.written):  # with another letter, or as it is
            prompt = self.written[: gesture.index] + (gesture.text or self.written[gesture.index])
        if unknown := sorted(set(prompt) - set(self.alphabet)):
            raise LabError(f"The text it learns from has no {' '.join(unknown)}: write without.")
        self.prompt = prompt

    @view(
        Points(
            "Characters",
            hint="two main axes",
            help="Each character's embedding, on the first two principal components: kin come to lie together.",
        )
    )
    def letters(self) -> PointsData:
        x = self.net.letters.weight - self.net.letters.weight.mean(0)  # (V, D)
        axes = torch.linalg.svd(x, full_matrices=False).Vh[:2]  # (2, D)
        axes = axes * axes.gather(1, axes.abs().argmax(1, keepdim=True)).sign()  # so that the picture does not flip
        kinds = [0 if c in "aeiou" else 1 if c.islower() else 2 if c.isupper() else 3 for c in self.alphabet]
        return PointsData(x @ axes.T, torch.tensor(kinds), KINDS, names=self.shown)
