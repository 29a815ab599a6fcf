"""How well an optimizer does on instances it has never seen."""

from __future__ import annotations

from torch import Tensor

from ..models.base import CoordinateOptimizer
from ..tasks.base import Task
from .adjoint import play
from .run import Run
from .sampling import nothing


def evaluate(
    optimizer: CoordinateOptimizer, task: Task, *, steps: int, instances: int = 64, seed: int = 0
) -> Tensor:
    """Losses [I, steps + 1] along the way; the same seed gives every optimizer the same instances."""
    run = Run.start(optimizer, task, seed, instances)
    return play(optimizer, run, steps, nothing(run.gradient)).losses.T
