"""Three parts of every problem: to train and tune on, to choose on, and to report on.

Images of the parts are disjoint, and so are the seeds of starting points, batches and synthetic problems.
"""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

from .arguments import whole
from .errors import ConfigError, did_you_mean

PARTS = {"train": (0.0, 0.5), "choose": (0.5, 0.6), "report": (0.6, 1.0)}
"""Each part's first and last image, as shares of the training split.

Optimizers are meta-trained, and equations tuned, on "train"; what is chosen, such as a learning rate or an
equation of a front, is chosen on "choose"; what is printed was measured on "report" or on the test split.
"""
WINDOW = 2**30  # seeds of a part; PyTorch's generator on a CPU looks at 32 bits


def check(part: str | None) -> None:
    """ConfigError unless this is the name of a part, or None for the whole."""
    if part is not None and part not in PARTS:
        raise ConfigError(f"unknown part {part!r}; {did_you_mean(str(part), PARTS)}")


def rows(images: Tensor, part: str | None) -> Tensor:
    """Indices `[n]` of the images `[N, ...]` of a part; None: of all.

    An image that an earlier part has too, as CIFAR-100 has a few, is left out of the later one.
    """
    check(part)
    if part is None:
        return torch.arange(len(images))
    first, last = (round(share * len(images)) for share in PARTS[part])
    content = images.numpy()
    earlier = {_digest(image) for image in content[:first]}
    return torch.tensor([i for i in range(first, last) if not earlier or _digest(content[i]) not in earlier])


def generator(part: str | None, seed: int) -> torch.Generator:
    """Random numbers of a seed that no seed of another part gives; those of "train" are PyTorch's own.

    ConfigError for an unknown part, or a seed that is no whole number.
    """
    check(part)
    number = 0 if part is None else tuple(PARTS).index(part)
    within = (whole("seed", seed) + WINDOW // 2) % WINDOW - WINDOW // 2
    return torch.Generator().manual_seed(within + number * WINDOW)


def _digest(image: object) -> bytes:
    return hashlib.blake2b(image.tobytes(), digest_size=16).digest()  # type: ignore[attr-defined]
