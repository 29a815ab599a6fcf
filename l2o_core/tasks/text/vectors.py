"""What a frozen encoder makes of each row: one vector, computed once."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ...arguments import find_device
from ...errors import CheckpointError
from ...storage import NO_CACHE, Cache
from .encoders import Encoder
from .glue import TextData


def sentence_vectors(
    encoder: Encoder, data: TextData, *, length: int = 128, device: str = "cpu", cache: Cache = NO_CACHE
) -> Tensor:
    """The last hidden state of the first token ([CLS]) of each row, without dropout, `[n, width]`.

    Args:
        encoder: The pretrained encoder.
        data: The rows.
        length: Most tokens of a row.
        device: Where to compute them.
        cache: Stores them, by weights, vocabulary, text and length.

    Raises:
        ConfigError: For a device that this machine lacks.
        DataError: Where the encoder's weights are missing or damaged.
        CheckpointError: For a damaged file in the cache.
    """
    where = find_device(device)
    key = {"encoder": encoder.identity, "data": data.identity, "length": length, "device": where.type}
    found = cache.call("sentence_vectors", key, lambda: _computed(encoder, data, length, where))
    if not isinstance(found, Tensor) or found.ndim != 2 or len(found) != len(data):
        file: Path | None = cache.slot("sentence_vectors", key).path
        raise CheckpointError(f"{file} does not hold the vectors of {len(data)} rows; delete it")
    return found


def _computed(encoder: Encoder, data: TextData, length: int, device: torch.device) -> Tensor:
    body, rows = encoder.body().to(device), encoder.encode(data, length)
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]["input_ids"]))  # little padding
    vectors: list[Tensor] = [torch.empty(0)] * len(rows)
    with torch.inference_mode():
        for first in range(0, len(order), 64):
            chosen = order[first : first + 64]
            plain = [{key: part for key, part in rows[i].items() if key != "labels"} for i in chosen]
            batch = encoder.tokenizer.pad(plain, return_tensors="pt").to(device)
            for i, vector in zip(chosen, body(**batch).last_hidden_state[:, 0].float().cpu(), strict=True):
                vectors[i] = vector
    return torch.stack(vectors).clone()
