"""Whole trajectories of an optimizer: every step of some coordinates, one after the other.

Windows (`Dataset`) are enough for rules of lags. A rule with a memory of its own is judged by what it does
when it feeds itself, which takes the whole way from the first step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .. import arguments
from ..errors import DataError
from ..features import NAMES, Features
from ..meta.given import one_task
from ..meta.rollout import Rollout, fresh
from ..models.base import LearnedOptimizer, placed
from ..tasks import Task
from .dataset import Dataset, choose_coordinates, joined_groups, of_finite_runs, sample_windows


@dataclass(frozen=True)
class Trajectories:
    """What an optimizer saw and did over T steps, for N coordinates.

    Args:
        features: By name, `[T, N]` each; the first step is the first of the rollout.
        updates: What the optimizer added to the coordinates, `[T, N]`.
        groups: The rollout that each coordinate is from, `[N]`; `distill` holds out whole rollouts.
        layers: The layer that each coordinate is from, `[N]`.
        options: Those of `Features` that the features were computed with, and a rule of them needs.
        bound: The largest update that the optimizer can make, where there is one.

    Raises:
        DataError: For shapes that differ, values that are not finite, or names that no feature has.

    Example:
        >>> g = torch.ones(5, 3)
        >>> way = Trajectories({"g": g}, -g, np.arange(3), np.array(["w"] * 3))
        >>> way.steps, way.coordinates
        (5, 3)
    """

    features: Mapping[str, Tensor]
    updates: Tensor
    groups: np.ndarray
    layers: np.ndarray
    options: Mapping[str, float]
    bound: float | None = None

    def __init__(
        self,
        features: Mapping[str, Tensor],
        updates: Tensor,
        groups: np.ndarray,
        layers: np.ndarray | None = None,
        options: Mapping[str, float] | None = None,
        bound: float | None = None,
    ):
        layers = np.full(len(groups), "") if layers is None else layers
        parts: dict[str, Any] = {
            "features": {name: torch.as_tensor(x).double() for name, x in features.items()},
            "updates": torch.as_tensor(updates).double(),
            "groups": np.asarray(groups),
            "layers": np.asarray(layers),
        }
        for name, value in (parts | {"options": dict(options or {}), "bound": bound}).items():
            object.__setattr__(self, name, value)
        self._check()

    def _check(self) -> None:
        if self.updates.dim() != 2 or not self.updates.numel() or not self.features:
            raise DataError("trajectories are features by name and updates, [steps, coordinates] each")
        if unknown := [*{*self.features} - {*NAMES}]:
            raise DataError(f"{unknown[0]!r} is no feature; there are {', '.join(NAMES)}")
        for name, values in (*self.features.items(), ("updates", self.updates)):
            if values.shape != self.updates.shape:
                raise DataError(f"{name} is {list(values.shape)}, the updates are {list(self.updates.shape)}")
            if not values.isfinite().all():
                raise DataError(f"{name} is not finite everywhere; leave out the rollouts that diverged")
        for name, labels in (("groups", self.groups), ("layers", self.layers)):
            if labels.shape != (self.coordinates,):
                raise DataError(f"{name} must hold a label for each of {self.coordinates} coordinates")

    @property
    def steps(self) -> int:
        """The number T of steps."""
        return len(self.updates)

    @property
    def coordinates(self) -> int:
        """The number N of coordinates."""
        return self.updates.shape[1]

    def select(self, chosen: np.ndarray, steps: int | None = None) -> Trajectories:
        """Some of the coordinates, by number or by a mask `[N]`, and the first of the steps."""
        at = torch.as_tensor(chosen)
        features = {name: x[:steps, at] for name, x in self.features.items()}
        rest = self.groups[chosen], self.layers[chosen], self.options, self.bound
        return Trajectories(features, self.updates[:steps, at], *rest)

    def windows(self, lags: int = 20, samples: int = 5000, seed: int = 0) -> Dataset:
        """Windows drawn from the trajectories, as `collect` gives them; see `sample_windows`."""
        labels, groups = np.unique(self.groups, return_inverse=True)
        data = sample_windows(
            self.features, self.updates, torch.from_numpy(groups), lags=lags, samples=samples, seed=seed
        )
        return Dataset(data.inputs, data.targets, data.names, labels[data.groups], origin=data.origin)

    @classmethod
    def concatenate(cls, parts: Sequence[Trajectories]) -> Trajectories:
        """Trajectories of several recordings, equally long; rollouts of different parts stay different.

        Raises:
            DataError: If features, their options or the numbers of steps differ, or there is no part.
        """
        if not parts:
            raise DataError("there are no trajectories to join")
        first = parts[0]
        for part in parts:
            same = part.features.keys() == first.features.keys() and part.options == first.options
            if not same or part.steps != first.steps or part.bound != first.bound:
                raise DataError("only trajectories with the same features and steps can be joined")
        return cls(
            {name: torch.cat([part.features[name] for part in parts], dim=1) for name in first.features},
            torch.cat([part.updates for part in parts], dim=1),
            joined_groups([part.groups for part in parts]),
            np.concatenate([part.layers for part in parts]),
            first.options,
            first.bound,
        )


@torch.no_grad()
def record(
    optimizer: LearnedOptimizer,
    task: Task,
    *,
    seed: int = 0,
    steps: int = 100,
    instances: int = 16,
    per_layer: int = 10,
    features: Features | None = None,
    driver: LearnedOptimizer | None = None,
) -> Trajectories:
    """Run an optimizer on fresh instances of a task, and keep every step of some coordinates.

    With a `driver`, that one moves the optimizees, and the optimizer only says what it would do there, with a
    memory of its own: so a rule learns from its teacher where the rule itself leads (Ross et al. 2011).

    Args:
        optimizer: The optimizer whose updates are kept.
        task: The optimizee; its device is where the work is done.
        seed: Seed of instances, batches and coordinates.
        steps: Steps of the rollout.
        instances: Number of instances that are optimized.
        per_layer: Coordinates of each layer of each instance, other ones in every instance.
        features: Features to keep; by default the optimizer's own.
        driver: What moves the optimizees; by default the optimizer itself.

    Returns:
        The trajectories; rollouts that diverge are left out.

    Raises:
        ConfigError: For fewer than one step, instance or coordinate of a layer.
        DataError: If every rollout diverges.

    Example:
        >>> from l2o_core import models, tasks
        >>> way = record(models.Equation("-0.01 * g"), tasks.load("p1"), steps=10, instances=4, per_layer=5)
        >>> way.updates.shape, bool(torch.allclose(way.updates, -0.01 * way.features["g"]))
        (torch.Size([10, 20]), True)
    """
    arguments.whole("steps", steps, 1), arguments.whole("instances", instances, 1)
    seed = arguments.seed("seed", seed)
    optimizer, generator = placed(optimizer, one_task(task).device), task.generator(seed)
    moving = optimizer if driver is None else placed(driver, task.device)
    params = fresh(task, generator, instances)
    recorded, layers = choose_coordinates(task, instances, per_layer, generator)
    rollout = Rollout.start_at(params, moving, task, task.batches(generator, instances))
    shown = features or optimizer.features
    seen = shown.init(params.view(-1)[recorded])
    own = optimizer.init_state(params.view(-1)[recorded])
    inputs, updates = [], []
    for _ in range(steps):
        gradient = rollout.gradient[recorded]
        values, seen = shown.step(gradient, seen)
        update, own = optimizer(gradient, own)
        rollout.step(moving)
        own = optimizer.place(own, rollout.position[recorded])
        inputs.append(values)
        updates.append(update)
    history, changes = torch.stack(inputs).cpu(), torch.stack(updates).cpu()  # [T, K, F], [T, K]
    groups = (recorded // task.n).cpu()
    finite = of_finite_runs(history, changes, groups, task)
    return Trajectories(
        dict(zip(shown.names, history[:, finite].unbind(-1), strict=True)),
        changes[:, finite],
        groups[finite].numpy(),
        layers[finite.numpy()],
        shown.hyperparameters(),
        optimizer.bound,
    )
