"""A text problem and a tiny network that come with the installation: stand-ins for GLUE and BERT.

The sentences are those of the manuals that NumPy and PyTorch carry in their docstrings; a label says which of
the two a sentence is from. The network knows words by their hash alone and is trained from scratch, in a
second.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Callable, Iterator
from functools import cache

import torch
from torch import Tensor, nn

from l2o_core.arguments import whole
from l2o_core.tasks.schedule import linear
from l2o_core.tasks.text import FineTuned, TextData, official_scores, state_bytes
from l2o_core.tasks.text.costs import Clock

from . import manuals

NAME = "sentences"
BUCKETS, WIDTH = 1024, 16
_TENTHS = {"train": range(6), "choose": range(6, 8), "report": range(8, 10)}


@cache
def load(part: str | None = None) -> TextData:
    """The sentences of "train", "choose" or "report"; None: of "train" and "choose".

    Parts are cut by the text, so that a sentence has its part whatever the others are.
    """
    tenths = {*_TENTHS[part]} if part else {*_TENTHS["train"], *_TENTHS["choose"]}
    chosen = [(text, label) for text, label in _all() if zlib.crc32(text.encode()) // 7 % 10 in tenths]
    texts, labels = zip(*chosen, strict=True)
    name = "sentences of two manuals (stand-in for GLUE)"
    return TextData("sst2", name, (texts,), labels, 2)  # scored as SST-2 is, by accuracy


def vectors(data: TextData) -> Tensor:
    """The mean of fixed random word vectors of each row, `[n, 16]`: the frozen encoder."""
    words = torch.randn(BUCKETS, WIDTH, generator=torch.Generator().manual_seed(0))
    return torch.stack([math.sqrt(len(row)) * words[row].mean(0) for row in _hashed(data)])


def fine_tune(
    train: TextData,
    held_out: TextData,
    optimizer: Callable[[list[nn.Parameter]], torch.optim.Optimizer],
    *,
    epochs: int = 3,
    batch: int = 32,
    warmup: float = 0.1,
    clip: float = 1.0,
    seed: int = 0,
) -> FineTuned:
    """Train the tiny network from scratch, by the same protocol as `l2o_core.tasks.text.fine_tune`."""
    whole("epochs", epochs, 1), whole("batch", batch, 1)
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _Network(train.classes)
        rule = optimizer(list(model.parameters()))
        total = epochs * math.ceil(len(train) / batch)
        schedule = linear_schedule(rule, total, warmup)
        clock, losses = Clock(rule, {}), []
        clock.start()
        rows, labels = _hashed(train), torch.tensor(train.labels)
        for chosen in _batches(len(train), batch, epochs, generator):
            rule.zero_grad()
            logits = model([rows[i] for i in chosen.tolist()])
            loss = nn.functional.cross_entropy(logits, labels[chosen])
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), clip)
            rule.step()
            schedule.step()
            losses.append(loss.item())
            if not math.isfinite(losses[-1]):
                break
        clock.lap()
        with torch.no_grad():
            logits = model.eval()(_hashed(held_out))
    finite = math.isfinite(losses[-1]) and bool(logits.isfinite().all())
    return FineTuned(
        title=f"tiny network trained from scratch, {train.name}",
        scores=official_scores(train.task, logits.argmax(-1).tolist(), held_out.labels),
        held_out_loss=nn.functional.cross_entropy(logits, torch.tensor(held_out.labels)).item(),
        losses=tuple(losses),
        seconds=clock.seconds,
        optimizer_seconds=clock.steps,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        state_bytes=state_bytes(rule),
        diverged=not finite,
    )


def linear_schedule(
    optimizer: torch.optim.Optimizer, steps: int, warmup: float = 0.1
) -> torch.optim.lr_scheduler.LambdaLR:
    """A learning rate that rises from 0 over a share of the steps, at least one, and then falls to 0."""
    return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: linear(step, steps, warmup))


class _Network(nn.Module):
    """The mean of word vectors, a layer with dropout, and a head."""

    def __init__(self, classes: int):
        super().__init__()
        self.words = nn.EmbeddingBag(BUCKETS, WIDTH)
        self.layers = nn.Sequential(
            nn.Linear(WIDTH, WIDTH), nn.Tanh(), nn.Dropout(0.1), nn.Linear(WIDTH, classes)
        )

    def forward(self, rows: list[Tensor]) -> Tensor:
        """Class scores `[B, classes]` of rows of word numbers."""
        starts = torch.tensor([0, *map(len, rows[:-1])]).cumsum(0)
        return self.layers(self.words(torch.cat(rows), starts))


def _batches(rows: int, batch: int, epochs: int, generator: torch.Generator) -> Iterator[Tensor]:
    for _ in range(epochs):
        yield from torch.randperm(rows, generator=generator).split(batch)


def _hashed(data: TextData) -> list[Tensor]:
    """The words of each row as numbers; those of a pair's second sentence are other numbers."""
    return [
        torch.tensor(
            [
                zlib.crc32(f"{column} {word}".encode()) % BUCKETS
                for column, text in enumerate(row)
                for word in re.findall(r"\w+|[^\w\s]", text.lower())
            ]
            or [0]
        )
        for row in data.rows
    ]


@cache
def _all() -> tuple[tuple[str, int], ...]:
    """Every sentence of 6 to 30 words with its label, 0 for NumPy and 1 for PyTorch; none is in both."""
    found = [
        {
            text
            for places in manual.values()
            for docstring in places.values()
            for text in _sentences(docstring)
        }
        for manual in manuals.read().values()
    ]
    both = found[0] & found[1]
    size = min(len(texts - both) for texts in found)
    return tuple(
        (text, label)
        for label, texts in enumerate(found)
        for text in sorted(texts - both, key=lambda text: zlib.crc32(text.encode()))[: min(size, 1500)]
    )


def _sentences(docstring: str) -> list[str]:
    whole_text = re.sub(r"\s+", " ", docstring)
    # without names that tell the two at once
    plain = re.sub(r"(?i)\b(numpy|np|torch|pytorch|tensors?|ndarrays?|arrays?)\b", "it", whole_text)
    found = re.split(r"(?<=[.:])\s+", plain)
    return [s for s in found if 6 <= len(s.split()) <= 30 and re.fullmatch(r"[A-Z][^>=_\n]+[.:]", s)]
