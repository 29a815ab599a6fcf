"""Rows of tokens: which are trained on at each step, and their loss."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from ...errors import DataError
from .instructions import Instructions
from .models import IGNORED, LanguageModel

Row = tuple[list[int], list[int]]
"""Tokens, and labels: -100 wherever it is not the answer."""


def encoded(model: LanguageModel, data: Instructions, length: int) -> list[Row]:
    """All rows that have room for some of their answer; DataError if none has."""
    rows = [model.encode(row, min(length, model.context)) for row in data.rows]
    kept = [row for row in rows if any(label != IGNORED for label in row[1])]
    if not kept:
        raise DataError(f"no row of {data.name} has an answer within {length} tokens; give a greater length")
    return kept


def chosen(rows: int, batch: int, step: int, seed: int) -> list[int]:
    """The rows of a step, from 0: all rows, shuffled anew each time they have been through."""
    first = step * batch
    places = range(first, first + batch)
    orders = {epoch: _order(rows, epoch, seed) for epoch in {place // rows for place in places}}
    return [orders[place // rows][place % rows] for place in places]


def padded(rows: Sequence[Row], end: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Tokens and labels `[B, T]` of rows of different lengths."""
    longest = max(len(tokens) for tokens, _ in rows)
    filled = [
        (tokens + [end] * (longest - len(tokens)), labels + [IGNORED] * (longest - len(tokens)))
        for tokens, labels in rows
    ]
    tokens, labels = torch.tensor(filled).unbind(1)
    return tokens.to(device), labels.to(device)


def summed_loss(network: nn.Module, tokens: Tensor, labels: Tensor, bfloat16: bool) -> tuple[Tensor, int]:
    """The cross-entropy of the answers' tokens, summed over them, and their number."""
    with torch.autocast(tokens.device.type, torch.bfloat16, enabled=bfloat16):
        scores = network(tokens)[:, :-1]
    following = labels[:, 1:]
    counted = following != IGNORED
    loss = nn.functional.cross_entropy(scores[counted].float(), following[counted], reduction="sum")
    return loss, int(counted.sum())


def mean_loss(
    network: nn.Module, rows: Sequence[Row], batch: int, end: int, device: torch.device, bfloat16: bool
) -> float:
    """The cross-entropy of a token of the answers, over all rows."""
    training, total, count = network.training, 0.0, 0
    network.eval()
    with torch.inference_mode():
        for some in _alike(rows, batch):
            loss, tokens = summed_loss(network, *padded(some, end, device), bfloat16)
            total, count = total + loss.item(), count + tokens
    network.train(training)
    return total / count


def _alike(rows: Sequence[Row], batch: int) -> Iterator[Sequence[Row]]:
    """Batches of rows of about the same length."""
    ordered = sorted(rows, key=lambda row: len(row[0]))
    for first in range(0, len(ordered), batch):
        yield ordered[first : first + batch]


def _order(rows: int, epoch: int, seed: int) -> list[int]:
    generator = torch.Generator().manual_seed(1_000_003 * seed + epoch)
    return torch.randperm(rows, generator=generator).tolist()
