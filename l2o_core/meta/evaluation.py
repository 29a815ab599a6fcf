"""Evaluation of an optimizer on instances it has never seen."""

from __future__ import annotations

from torch import Tensor

from ..arguments import whole
from ..errors import CheckpointError
from ..models.base import LearnedOptimizer, placed
from ..storage import NO_CACHE, Cache
from ..tasks.base import Task
from .adjoint import unroll
from .given import one_task
from .rollout import Rollout
from .sampling import no_coordinates


def evaluate(
    optimizer: LearnedOptimizer,
    task: Task,
    *,
    steps: int,
    instances: int = 64,
    seed: int = 0,
    cache: Cache = NO_CACHE,
) -> Tensor:
    """Optimize fresh instances of a task and return the losses along the way.

    Args:
        optimizer: The learned optimizer, or equation.
        task: The optimizee; its device is where the work is done.
        steps: Optimizee steps.
        instances: Instances of the task, optimized at once.
        seed: Of starting points and batches; the same seed gives every optimizer the same instances.
        cache: Stores the losses, by optimizer, instances and options.

    Returns:
        Losses `[instances, steps + 1]`, the first before any step; each on the batch of its step; on the
        CPU.

    Raises:
        ConfigError: For fewer than one step or instance, a seed that is no whole number, or what is no
            optimizer or no task.
        CheckpointError: For a damaged file in the cache.

    Example:
        >>> from l2o_core import models, tasks
        >>> losses = evaluate(models.Equation("-0.01 * m_hat"), tasks.load("p1"), steps=50, instances=8)
        >>> losses.shape, bool(losses[:, -1].mean() < losses[:, 0].mean())
        (torch.Size([8, 51]), True)
    """
    steps, instances = whole("steps", steps, 1), whole("instances", instances, 1)
    seed, optimizer = whole("seed", seed), placed(optimizer, one_task(task).device)
    rollout = Rollout.start(optimizer, task, seed, instances)
    key = {
        "optimizer": optimizer.identity,
        "task": task.identity,
        "instances": [rollout.params, rollout.loss, rollout.gradient],
        "seed": seed,
        "steps": steps,
    }

    def losses() -> Tensor:
        return unroll(optimizer, rollout, steps, no_coordinates(rollout.gradient)).losses.T.cpu()

    found = cache.call("losses", key, losses)
    if not isinstance(found, Tensor) or found.shape != (instances, steps + 1):
        file = cache.slot("losses", key).path
        raise CheckpointError(f"{file} does not hold the losses of {instances} instances; delete it")
    return found
