"""Put the best of several trained teachers among the pretrained models: `python -m l2o_core.meta.publish`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from .. import models
from ..errors import L2OError
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


def main() -> int:
    """Publish the named teachers."""
    parser = argparse.ArgumentParser(prog="python -m l2o_core.meta.publish", description=__doc__)
    parser.add_argument("names", nargs="+", choices=recipes.names(), metavar="NAME")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--folder", default="checkpoints", help="where the teachers were trained")
    options = parser.parse_args()
    try:
        for name in options.names:
            path = publish(name, options.seeds, options.folder)
            print(f"{name}: seed {models.describe(path)['training']['seed']}, in {path}")
    except L2OError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
