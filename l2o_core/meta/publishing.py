"""Publishing: trained teachers become pretrained models, the best under the recipe's name (`l2o publish`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .. import models
from ..models.store import PRETRAINED
from . import recipes


def publish(name: str, seeds: Sequence[int], folder: str | Path, target: str | Path = PRETRAINED) -> Path:
    """Copy the seeds of a recipe to the pretrained models, each with a model card.

    The best takes the name of the recipe ("rp/p2"), the others that of recipe and seed ("rp/p2-1"); what was
    published under these names before goes. Best is what came farthest in the curriculum, then what had the
    lowest validation loss. Validation instances are drawn from the training problem, so the choice uses
    nothing that results are reported on.

    Args:
        name: Of the recipe.
        seeds: Those that were trained.
        folder: The folder in which they were trained.
        target: The folder of the pretrained models.

    Returns:
        The file with the weights of the best; the cards lie beside the files.

    Raises:
        ConfigError: Where a seed has not been trained.
        CheckpointError: Where its file is damaged, or of another recipe.
    """
    recipe = recipes.load(name)
    optimizers = {seed: recipe.read(recipe.path(folder, seed), seed) for seed in seeds}
    trained = {seed: models.describe(recipe.path(folder, seed))["training"] for seed in seeds}
    losses = {seed: training["history"]["best"][1] for seed, training in trained.items()}
    stages = {seed: len(training["history"]["stages"]) for seed, training in trained.items()}
    best = min(losses, key=lambda seed: (-stages[seed], losses[seed]))
    target, stems = Path(target), set()
    for seed in seeds:
        record = trained[seed] | ({"candidates": losses} if seed == best else {})
        path = target / f"{name if seed == best else recipes.numbered(name, seed)}.safetensors"
        models.save(path, optimizers[seed], record)
        path.with_suffix(".md").write_text(models.card(path), encoding="utf-8")
        stems.add(path.stem)
    for old in (target / name).parent.glob(f"{Path(name).name}-*"):
        if old.stem not in stems:  # of seeds that were published before
            old.unlink()
    return target / f"{name}.safetensors"
