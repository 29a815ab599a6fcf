"""Trajectories as data: what an optimizer saw over the last steps, and what it did."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import ConfigError, DataError
from ..meta.run import Run
from ..models.base import CoordinateOptimizer
from ..tasks.base import Task


@dataclass(frozen=True)
class Dataset:
    """Rows for distillation (SymL2O 3.3).

    `inputs` [n, d]: features and their past; `targets` [n]: updates; `names`: one per column, like "g[3]";
    `groups` [n]: the trajectory that a row comes from.
    """

    inputs: NDArray[np.float64]
    targets: NDArray[np.float64]
    names: list[str]
    groups: NDArray[np.int64]


def collect(
    optimizer: CoordinateOptimizer,
    task: Task,
    *,
    lags: int = 20,
    samples: int = 5000,
    steps: int = 100,
    instances: int = 32,
    seed: int = 0,
) -> Dataset:
    """Let the optimizer run on fresh instances and sample what it saw and did (SymL2O 3.4, T = `lags`).

    A row is one coordinate at one step that has `lags` steps behind it; features with lag 0 (now) to
    `lags` - 1, feature by feature. Coordinates and steps are drawn uniformly; a trajectory that ends in
    NaN or infinity is left out. Raises ConfigError if `steps` are fewer than `lags`, DataError if nothing
    finite is left.
    """
    if not 1 <= lags <= steps:
        raise ConfigError(f"lags must lie between 1 and the number of steps ({steps}), not {lags}")
    run = Run.start(optimizer, task, seed, instances)
    features, seen, done = optimizer.features, [], []
    with torch.no_grad():
        for _ in range(steps):
            seen.append(features.step(run.gradient, run.state[: len(features.buffers)])[0])
            done.append(run.move(optimizer))
    history, updates = torch.stack(seen), torch.stack(done)  # [T, N, F], [T, N]
    instance = torch.arange(instances).repeat_interleave(task.n)
    finite = (torch.isfinite(history).all(-1) & torch.isfinite(updates)).all(0).view(instances, -1).all(-1)
    candidates = torch.nonzero(finite[instance]).squeeze(-1)
    if not len(candidates):
        raise DataError(f"every one of {instances} trajectories on {task.name} diverged; nothing to distil")
    generator = torch.Generator().manual_seed(seed)
    coordinate = candidates[torch.randint(len(candidates), (samples,), generator=generator)]
    step = torch.randint(lags - 1, steps, (samples,), generator=generator)
    windows = torch.stack([history[step - lag, coordinate] for lag in range(lags)], dim=-1)  # [n, F, lags]
    return Dataset(
        inputs=windows.flatten(1).double().numpy(),
        targets=updates[step, coordinate].double().numpy(),
        names=[f"{name}[{lag}]" for name in features.names for lag in range(lags)],
        groups=instance[coordinate].numpy(),
    )
