"""Loss curves, small enough for a record and a picture."""

from __future__ import annotations

import itertools

import numpy as np
import torch
from torch import Tensor


def thinned(curves: Tensor, points: int = 51) -> tuple[list[int], list[list[float]]]:
    """Steps [points] and values [R, points] of curves [R, T + 1] at evenly spread steps, to four digits."""
    steps = np.linspace(0, curves.shape[1] - 1, points).round().astype(int)
    return steps.tolist(), _rounded(curves[:, steps])


def averaged(curves: Tensor, points: int = 25) -> tuple[list[float], list[list[float]]]:
    """Middle steps [points] and means [R, points] over equal stretches of steps 1 to T of curves [R, T + 1].

    Smoother than `thinned` where every step has a minibatch of its own. Stretches differ by one step at most;
    fewer than `points` steps are all kept.
    """
    steps = curves.shape[1] - 1
    edges = np.linspace(0, steps, min(points, steps) + 1).round().astype(int).tolist()
    stretches = list(itertools.pairwise(edges))
    means = torch.stack([curves[:, first + 1 : last + 1].mean(1) for first, last in stretches], dim=1)
    return [(first + 1 + last) / 2 for first, last in stretches], _rounded(means)


def ends(curves: Tensor, steps: int = 10) -> Tensor:
    """Mean over the last steps of each curve: [R] from [R, T + 1]. Single minibatches vary too much."""
    return curves[:, -steps:].mean(1)


def _rounded(values: Tensor) -> list[list[float]]:
    return [[float(f"{x:.4g}") for x in run] for run in values]
