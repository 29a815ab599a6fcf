"""The teachers by name and how to train them again: `recipes.yml`, read and followed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from inspect import signature
from pathlib import Path
from typing import Any

import torch

from .. import models, plain_yaml, tasks
from ..arguments import known_only
from ..errors import CheckpointError, ConfigError, did_you_mean
from ..models.base import LearnedOptimizer
from ..storage import differences, digest
from .config import TrainingConfig
from .history import History
from .training import train

__all__ = [
    "Recipe",
    "build",
    "load",
    "names",
    "numbered",
    "source",
    "teacher",
]

FILE = Path(__file__).with_suffix(".yml")


@dataclass(frozen=True)
class Recipe:
    """All that it takes to train a teacher, but the seed.

    Args:
        name: Such as "rp/p2": architecture and problem.
        model: The architecture and its options.
        task: The name of the optimizee and its options.
        training: The options of `meta_train`.
        start: The recipe whose optimizer, of the same seed, training begins with; None: random weights.
    """

    name: str
    model: Mapping[str, Any]
    task: Mapping[str, Any]
    training: TrainingConfig
    start: str | None = None

    def train(
        self,
        seed: int = 0,
        folder: str | Path | None = None,
        progress: bool = True,
        device: str = "cpu",
        **changes: Any,
    ) -> tuple[LearnedOptimizer, History]:
        """Meta-train, from random weights or from those of the recipe `start`.

        Args:
            seed: Of the initial weights and the training.
            folder: For the weights (`<name>-<seed>.safetensors`) and a checkpoint from which a
                killed training continues (`<name>-<seed>.pt`); None writes no file.
            progress: Show a progress bar.
            device: Where the work is done, such as "cuda"; the optimizer itself is on the CPU.
            changes: Other values for options of `training`.

        Returns:
            The trained optimizer and the course of its training.

        Raises:
            ConfigError: For a change of what is no option, or that makes no sense.
            DataError: Without the data set.
            L2OError: As `meta_train` does.
        """
        known = [field.name for field in fields(TrainingConfig) if field.name != "seed"]
        known_only("a training", changes, known)
        chosen = replace(self, training=replace(self.training, seed=seed, **changes))
        torch.manual_seed(seed)
        optimizer = build(**self.model)
        if self.start:
            beginning = load(self.start)._obtain(seed, folder, progress, device)
            optimizer.load_state_dict(beginning.state_dict())
        began = digest(optimizer.state_dict())
        task = tasks.load(**self.task, device=device)
        path = self.path(folder, seed) if folder else None
        checkpoint = path and path.with_suffix(".pt")
        history = train(optimizer, task, chosen.training, checkpoint=checkpoint, progress=progress)
        if path:
            facts = {"dataset": task.dataset, "device": device, "history": history.summary()}
            facts |= {"initial_weights": began}
            models.save(path, optimizer, chosen.record(seed) | facts)
        return optimizer, history

    def _obtain(self, seed: int, folder: str | Path | None, progress: bool, device: str) -> LearnedOptimizer:
        """The optimizer of a seed: one at hand, or trained now."""
        if found := self.source(seed, folder):
            return self.read(found, seed)
        return self.train(seed, folder, progress, device)[0]

    def source(self, seed: int, folder: str | Path | None = None) -> Path | str | None:
        """Where the optimizer of a seed is at hand: every part of the project looks here.

        Args:
            seed: Training seed.
            folder: Where `train` left its weights.

        Returns:
            The file in the folder, else the name of the pretrained model of this very recipe, else None.

        Example:
            >>> load("rp/p2").source(1)
            'rp/p2-1'
        """
        if folder and (path := self.path(folder, seed)).is_file():
            return path
        return self.pretrained(seed)

    def read(self, source: Path | str, seed: int) -> LearnedOptimizer:
        """The optimizer that `source` found.

        Raises:
            ConfigError: Where there is none.
            CheckpointError: For a damaged file, or one of another recipe, such as a shortened training; it
                names the options that differ.
        """
        if different := self._differences(source, seed):
            raise CheckpointError(
                f"{source} was trained by another recipe ({different}); choose another folder, or move the "
                "file away to train it anew"
            )
        return models.load(source)

    def pretrained(self, seed: int) -> str | None:
        """The pretrained model that this very recipe gave with a seed, or None.

        Example:
            >>> load("rp/p2").pretrained(1)
            'rp/p2-1'
        """
        shipped = models.pretrained()
        names = [name for name in (self.name, numbered(self.name, seed)) if name in shipped]
        return next((name for name in names if not self._differences(name, seed)), None)

    def _differences(self, model: str | Path, seed: int) -> str:
        """How a model was trained otherwise than by this recipe with the seed; "" where it was not."""
        described, own = models.describe(model), build(**self.model)
        here = {"architecture": type(own).__name__, "options": own.options} | self.record(seed)
        there = TrainingConfig().plain() | described["training"] | described
        return differences({key: there.get(key) for key in here}, here)

    def record(self, seed: int) -> dict[str, Any]:
        """What the file of a model says of its training, as far as the recipe decides it."""
        decided = {"recipe": self.name, "task": dict(self.task), "start": self.start}
        return decided | replace(self.training, seed=seed).plain()

    def path(self, folder: str | Path, seed: int) -> Path:
        """The file in which `train` leaves the weights."""
        return Path(folder) / f"{numbered(self.name, seed)}.safetensors"


def build(architecture: str, **options: Any) -> LearnedOptimizer:
    """An untrained model.

    Args:
        architecture: A name in `models.ARCHITECTURES`.
        **options: Arguments of that class.

    Raises:
        ConfigError: For an unknown architecture, or an option that it does not have.

    Example:
        >>> build("RP", hidden=10).hidden
        10
    """
    if not isinstance(architecture, str) or architecture not in models.ARCHITECTURES:
        hint = did_you_mean(str(architecture), models.ARCHITECTURES)
        raise ConfigError(f"no architecture {architecture!r}; {hint}")
    made = models.ARCHITECTURES[architecture]
    known_only(architecture, options, signature(made).parameters)
    return made(**options)


@cache
def names() -> tuple[str, ...]:
    """The teachers that can be trained by name.

    Example:
        >>> "rp/p2" in names()
        True
    """
    return tuple(name for name in _read() if name != "defaults")


def load(name: str) -> Recipe:
    """The recipe of that name.

    Args:
        name: One of `names()`.

    Raises:
        ConfigError: Where there is none.

    Example:
        >>> load("rp/p2").training.epochs
        80
    """
    if name not in names():
        raise ConfigError(f"unknown teacher {name!r}; {did_you_mean(str(name), names())}")
    recipe = _read()[name]
    training = TrainingConfig.from_plain(_read()["defaults"]["training"] | recipe["training"])
    return Recipe(name, recipe["model"], recipe["task"], training, recipe.get("start"))


def numbered(name: str, seed: int) -> str:
    """The name of one seed of a recipe.

    Args:
        name: Of the recipe.
        seed: Training seed.

    Example:
        >>> numbered("rp/p2", 1)
        'rp/p2-1'
    """
    return f"{name}-{seed}"


def teacher(name: str, seed: int | None = None, folder: str | Path | None = None) -> LearnedOptimizer:
    """A trained teacher; never one of another seed.

    Args:
        name: The name of its recipe, one of `names()`.
        seed: Training seed; None: the best of the pretrained models, whose card tells its seed.
        folder: Where `Recipe.train` left its weights; looked into before the pretrained models are.

    Raises:
        ConfigError: Where there is no teacher of that seed; it names the command that trains it.
        CheckpointError: For a file that is damaged, or of another recipe.

    Example:
        >>> type(teacher("rp/p1")).__name__
        'RP'
    """
    found = source(name, seed, folder)
    if found is not None:
        return models.load(found) if seed is None else load(name).read(found, seed)
    wanted = "no pretrained model" if seed is None else f"no teacher of seed {seed}"
    command = f"l2o train {name} --seeds {seed or 0} --folder {folder or 'checkpoints'}"
    raise ConfigError(f"{name}: {wanted}; train it with: {command}")


def source(name: str, seed: int | None = None, folder: str | Path | None = None) -> Path | str | None:
    """What `teacher` loads: a file, the name of a pretrained model, or None where there is none.

    Args:
        name: As for `teacher`, and so are the others.
        seed: Training seed.
        folder: Where `Recipe.train` left its weights.

    Raises:
        ConfigError: Where there is no recipe of that name.

    Example:
        >>> source("rp/p2")
        'rp/p2'
    """
    recipe = load(name)
    if seed is None:
        return name if name in models.pretrained() else None
    return recipe.source(seed, folder)


@cache
def _read() -> dict[str, dict[str, Any]]:
    return plain_yaml.read(FILE)
