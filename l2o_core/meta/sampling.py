"""Choice of the coordinates that carry the meta-gradient."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..tasks.base import Task


@dataclass(frozen=True)
class Sample:
    """Coordinates [K] out of N, and the number that each stands for [K]: sums so weighted are unbiased."""

    coordinates: Tensor
    weights: Tensor


def no_coordinates(like: Tensor) -> Sample:
    """An empty sample, for rollouts of which only losses are wanted."""
    return Sample(torch.empty(0, dtype=torch.long, device=like.device), like.new_empty(0))


def stratified(
    task: Task, instances: int, fraction: float, generator: torch.Generator, like: Tensor
) -> Sample:
    """A `fraction` of every layer's coordinates, at least one, on the device of `like`; 1 takes each once.

    A layer is cut into equal stretches and one point is drawn in each, so every coordinate is as likely as
    any other of its layer, near ones are rarely drawn together, and nothing of length N is shuffled.
    """
    coordinates, weights, first = [], [], 0
    for size in task.layers.values():
        total = instances * size
        count = max(1, round(fraction * total))
        cuts = torch.arange(count) + torch.rand(count, generator=generator, dtype=torch.float64)
        drawn = (cuts * (total / count)).long().clamp_max(total - 1)
        coordinates.append(drawn // size * task.n + first + drawn % size)
        weights.append(like.new_full((count,), total / count))
        first += size
    return Sample(torch.cat(coordinates).to(like.device), torch.cat(weights))
