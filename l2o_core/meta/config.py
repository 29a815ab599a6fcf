"""All that the result of a meta-training depends on, beside the optimizer and its task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from ..arguments import check_types, whole
from ..errors import ConfigError
from .estimators import ESTIMATORS

LARGEST_SEED = 2**42  # each epoch has a seed of its own, and PyTorch's have 64 bits


@dataclass(frozen=True)
class TrainingConfig:
    """The options of `meta_train`: the content of a recipe, and what a checkpoint is recognised by.

    Args:
        seed: Of the instances, the coordinates and the epochs that imitate.
        epochs: Rollouts from fresh instances.
        steps: Optimizee steps of an epoch. Several numbers make a curriculum (Chen et al. 2020a): validation
            looks one horizon ahead, and once it no longer improves, training goes on from the stage's best
            weights at the next horizon.
        unroll: Optimizee steps between two changes of the optimizer; divides `steps`.
        instances: Instances of the task, optimized at once.
        lr: Learning rate of the Adam that trains the optimizer.
        decay: Let that learning rate fall to zero along half a cosine over the epochs.
        clip: Largest norm of the meta-gradient.
        fraction: Of the coordinates, drawn anew in each unroll, that carries the meta-gradient; in (0, 1].
        scaling: Random scaling of the coordinates by exp(U(-scaling, scaling)) (Lv et al. 2017).
        state_dtype: Precision of the optimizer's state between steps, such as `torch.float16`; None: that of
            the parameters. For optimizers of very many coordinates.
        imitation: Fraction of the epochs that follow Adam instead (Chen et al. 2020a); in [0, 1].
        estimator: "tbptt", or "pes" for evolution strategies.
        validate_every: Epochs between two validations.
        validation_instances: Held-out instances whose mean loss decides which weights are best.

    Raises:
        ConfigError: For values that make no sense.
    """

    seed: int = 0
    epochs: int = 100
    steps: int | Sequence[int] = 100
    unroll: int = 20
    instances: int = 1
    lr: float = 1e-3
    decay: bool = False
    clip: float = 1.0
    fraction: float = 1.0
    scaling: float = 0.0
    state_dtype: torch.dtype | None = None
    imitation: float = 0.0
    estimator: str = "tbptt"
    validate_every: int = 5
    validation_instances: int = 64

    def __post_init__(self) -> None:
        for name, value in check_types(type(self), vars(self)).items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "steps", _horizons(self.steps))
        if self.state_dtype is not None and not isinstance(self.state_dtype, torch.dtype):
            raise ConfigError(
                f"state_dtype must be a type such as torch.float16, not {self.state_dtype!r:.60}"
            )
        whole("seed", self.seed, 0, LARGEST_SEED)
        for name in ("epochs", "unroll", "instances", "validate_every", "validation_instances"):
            whole(name, getattr(self, name), 1)
        for name in ("lr", "clip"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} must be a positive number, not {getattr(self, name)}")
        if not self.horizons or any(horizon < 1 or horizon % self.unroll for horizon in self.horizons):
            raise ConfigError(f"steps ({self.steps}) must be a multiple of unroll ({self.unroll})")
        if not 0 < self.fraction <= 1 or not 0 <= self.imitation <= 1 or self.scaling < 0:
            raise ConfigError(
                f"fraction must lie in (0, 1], imitation in [0, 1] and scaling be at least 0, "
                f"not {self.fraction}, {self.imitation}, {self.scaling}"
            )
        if self.estimator not in ESTIMATORS:
            known = ", ".join(ESTIMATORS)
            raise ConfigError(f"unknown estimator {self.estimator!r}; known estimators: {known}")

    @property
    def horizons(self) -> tuple[int, ...]:
        """The steps of each stage of the curriculum; one stage where there is no curriculum."""
        return (self.steps,) if isinstance(self.steps, int) else tuple(self.steps)

    def plain(self) -> dict[str, Any]:
        """The options as JSON values."""
        dtype = self.state_dtype and str(self.state_dtype).removeprefix("torch.")
        steps = self.steps if isinstance(self.steps, int) else list(self.steps)
        return asdict(self) | {"steps": steps, "state_dtype": dtype}

    @classmethod
    def from_plain(cls, options: Mapping[str, Any]) -> TrainingConfig:
        """The config that `plain` describes; options that are missing have their defaults."""
        dtype = options.get("state_dtype")
        return cls(**dict(options) | {"state_dtype": getattr(torch, dtype) if dtype else None})

    @property
    def identity(self) -> dict[str, Any]:
        """The options that every epoch depends on, all but the number of epochs, unless it sets the decay."""
        return self.plain() | {"epochs": self.epochs if self.decay else None}


def _horizons(steps: Any) -> int | tuple[int, ...]:
    """The steps as integers, whatever integers and sequences they are."""
    try:
        several = None if isinstance(steps, str | bytes | Mapping) else tuple(steps)
    except TypeError:
        several = None
    return whole("steps", steps) if several is None else tuple(whole("steps", step) for step in several)
