"""Put the best of several trained teachers among the pretrained models (`l2o publish`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .. import models
from ..models.store import PRETRAINED
from . import recipes


def publish(name: str, seeds: Sequence[int], folder: str | Path, target: str | Path = PRETRAINED) -> Path:
    """Copy the best seed to `target`, with a model card; the path of its weights.

    Best is what came farthest in the curriculum, then the lowest validation loss. Validation instances are
    drawn from the training problem, so the choice uses nothing that results are reported on. Raises
    ConfigError where a seed has not been trained, CheckpointError where its file is damaged.
    """
    recipe = recipes.load(name)
    paths = {seed: recipe.path(folder, seed) for seed in seeds}
    trained = {seed: models.describe(path)["training"] for seed, path in paths.items()}
    losses = {seed: training["history"]["best"][1] for seed, training in trained.items()}
    stages = {seed: len(training["history"]["stages"]) for seed, training in trained.items()}
    best = min(losses, key=lambda seed: (-stages[seed], losses[seed]))
    chosen = trained[best] | {"candidates": losses}
    path = models.write(Path(target) / f"{name}.safetensors", models.load(paths[best]), chosen)
    path.with_suffix(".md").write_text(models.card(path))
    return path
