"""`l2o train`: meta-train learned optimizers by recipe, and `l2o publish`: ship them."""

from __future__ import annotations

import argparse


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add both commands to `l2o`."""
    train = commands.add_parser(
        "train",
        help="meta-train learned optimizers by recipe (rp/p2)",
        description="Follow recipes; a training that was stopped continues, a finished one is not repeated. "
        "What a recipe begins with is trained first, unless its seed is at hand.",
    )
    _shared(train, "where checkpoints and weights go (checkpoints)")
    train.add_argument("--workers", type=int, default=2, metavar="N", help="trainings side by side (2)")
    train.add_argument("--device", default="cpu", help="where optimizees live: cpu, cuda (cpu)")
    train.set_defaults(run=run_train)
    publish = commands.add_parser(
        "publish",
        help="copy trained optimizers to the pretrained models",
        description="Each seed becomes a pretrained model with a card, the best one under the recipe's name.",
    )
    _shared(publish, "where the optimizers were trained (checkpoints)")
    publish.set_defaults(run=run_publish)


def run_train(options: argparse.Namespace) -> int:
    """Train, then print the best validation loss of each seed."""
    from ..meta import recipes, train_teachers

    wanted = [recipes.load(name) for name in options.names]
    trained = train_teachers(wanted, options.seeds, options.folder, options.workers, device=options.device)
    for name, runs in trained.items():
        for seed, (_, history) in zip(options.seeds, runs, strict=True):
            epoch, loss = history.best
            print(f"{name} seed {seed}: best {loss:.4f} after {epoch} epochs, {history.seconds:.0f} s")
    return 0


def run_publish(options: argparse.Namespace) -> int:
    """Publish each recipe and print which seed was chosen."""
    from .. import models
    from ..meta.publishing import publish

    for name in options.names:
        path = publish(name, options.seeds, options.folder)
        print(f"{name}: seed {models.describe(path)['training']['seed']}, in {path}")
    return 0


def _shared(parser: argparse.ArgumentParser, folder: str) -> None:
    parser.add_argument("names", nargs="+", metavar="RECIPE", help="such as rp/p2")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], metavar="N")
    parser.add_argument("--folder", default="checkpoints", metavar="DIR", help=folder)
