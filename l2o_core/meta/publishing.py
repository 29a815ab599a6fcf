"""Publishing: the best of several trained teachers becomes a pretrained model (`l2o publish`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .. import models
from ..models.store import PRETRAINED
from . import recipes


def publish(name: str, seeds: Sequence[int], folder: str | Path, target: str | Path = PRETRAINED) -> Path:
    """Copy the best seed of a recipe to the pretrained models, with a model card.

    Best is what came farthest in the curriculum, then what had the lowest validation loss. Validation
    instances are drawn from the training problem, so the choice uses nothing that results are reported on.

    Args:
        name: Of the recipe.
        seeds: Those that were trained.
        folder: The folder in which they were trained.
        target: The folder of the pretrained models.

    Returns:
        The file with the weights; the card lies beside it.

    Raises:
        ConfigError: Where a seed has not been trained.
        CheckpointError: Where its file is damaged, or of another recipe.
    """
    recipe = recipes.load(name)
    optimizers = {seed: recipe.read(folder, seed) for seed in seeds}
    trained = {seed: models.describe(recipe.path(folder, seed))["training"] for seed in seeds}
    losses = {seed: training["history"]["best"][1] for seed, training in trained.items()}
    stages = {seed: len(training["history"]["stages"]) for seed, training in trained.items()}
    best = min(losses, key=lambda seed: (-stages[seed], losses[seed]))
    chosen = trained[best] | {"candidates": losses}
    path = models.save(Path(target) / f"{name}.safetensors", optimizers[best], chosen)
    path.with_suffix(".md").write_text(models.card(path), encoding="utf-8")
    return path
