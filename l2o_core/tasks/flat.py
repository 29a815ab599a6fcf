"""Parameters of a network as one vector, and back."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import torch
from torch import Tensor, nn


def unflatten(params: Tensor, shapes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Parameters `[I, n]` as tensors `[I, *shape]` by name, in the order of `shapes`."""
    pieces = params.split([prod(shape) for shape in shapes.values()], dim=-1)
    named = zip(shapes.items(), pieces, strict=True)
    return {name: piece.view(-1, *shape) for (name, shape), piece in named}


def initial(build: Callable[[], nn.Module], generator: torch.Generator, instances: int) -> Tensor:
    """Parameters `[I, n]` of modules as they initialise themselves, on the CPU."""
    seeds = torch.randint(2**31, (instances,), generator=generator).tolist()
    return torch.stack([_initial(build, seed) for seed in seeds])


def _initial(build: Callable[[], nn.Module], seed: int) -> Tensor:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.utils.parameters_to_vector(build().parameters()).detach()
