"""The teachers, by name, and how to train them again: `recipes.yml` read and followed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
import yaml

from .. import models, tasks
from ..errors import ConfigError
from ..models.base import LearnedOptimizer
from .history import History
from .training import meta_train

FILE = Path(__file__).with_suffix(".yml")


@dataclass(frozen=True)
class Recipe:
    """A teacher to be: `model` and `task` with their options, `training` for `meta_train`."""

    name: str
    model: dict[str, Any]
    task: dict[str, Any]
    training: dict[str, Any]

    def train(
        self, seed: int = 0, folder: str | Path | None = None, progress: bool = True, **changes: Any
    ) -> tuple[LearnedOptimizer, History]:
        """Meta-train from scratch; `changes` replace options of `meta_train`.

        With a folder, a killed run continues (`<name>-<seed>.pt`), and the trained weights are left in
        `<name>-<seed>.safetensors`. Raises what `meta_train` raises, and DataError without the data set.
        """
        torch.manual_seed(seed)
        model = build(**self.model)
        task = tasks.load(**self.task)
        options = self.training | changes
        path = self.path(folder, seed) if folder else None
        checkpoint = path and path.with_suffix(".pt")
        history = meta_train(model, task, seed=seed, checkpoint=checkpoint, progress=progress, **options)
        if path:
            training = {"recipe": self.name, "seed": seed, "task": self.task, "dataset": task.dataset}
            training |= options | {"history": history.summary()}
            models.write(path, model, training)
        return model, history

    def path(self, folder: str | Path, seed: int) -> Path:
        """Where `train` leaves the weights."""
        return Path(folder) / f"{self.name}-{seed}.safetensors"


def build(architecture: str, **options: Any) -> LearnedOptimizer:
    """An untrained model of the named architecture."""
    return models.ARCHITECTURES[architecture](**options)


@cache
def names() -> tuple[str, ...]:
    """The teachers that can be trained by name."""
    return tuple(name for name in _read() if name != "defaults")


def load(name: str) -> Recipe:
    """The recipe of that name. Raises ConfigError where there is none."""
    if name not in names():
        raise ConfigError(f"unknown teacher {name!r}; known teachers: {', '.join(names())}")
    recipe = _read()[name]
    training = _read()["defaults"]["training"] | recipe["training"]
    return Recipe(name, recipe["model"], recipe["task"], training)


def teacher(name: str, seed: int = 0, folder: str | Path | None = None) -> LearnedOptimizer:
    """A trained teacher by its recipe's name: of this seed where `folder` has it, else the pretrained one."""
    path = load(name).path(folder, seed) if folder else None
    return models.load(path if path and path.exists() else name)


@cache
def _read() -> dict[str, dict[str, Any]]:
    return yaml.safe_load(FILE.read_text())
