"""How well an optimizer does on instances it has never seen."""

from __future__ import annotations

from torch import Tensor

from ..models.base import LearnedOptimizer
from ..storage import NO_CACHE, Cache
from ..tasks.base import Task
from .adjoint import play
from .rollout import Run
from .sampling import nothing


def evaluate(
    optimizer: LearnedOptimizer,
    task: Task,
    *,
    steps: int,
    instances: int = 64,
    seed: int = 0,
    cache: Cache = NO_CACHE,
) -> Tensor:
    """Losses [I, steps + 1] along the way; the same seed gives every optimizer the same instances.

    With a `cache`, the losses are stored there under a key made from the optimizer, the instances and the
    options; what is there already is read back. Raises CheckpointError for a damaged file.
    """
    run = Run.start(optimizer, task, seed, instances)
    key = {
        "optimizer": optimizer.identity,
        "task": task.name,
        "instances": [run.params, run.loss, run.gradient],
        "seed": seed,
        "steps": steps,
    }
    return cache.call("losses", key, lambda: play(optimizer, run, steps, nothing(run.gradient)).losses.T)
