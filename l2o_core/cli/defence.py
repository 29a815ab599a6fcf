"""`l2o train-defence`: train small classifiers adversarially, to be attacked."""

from __future__ import annotations

import argparse


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to `l2o`."""
    train = commands.add_parser(
        "train-defence",
        help="train small classifiers adversarially (narrow, wide, plain)",
        description="Fast adversarial training; one that was stopped continues after its last whole epoch.",
    )
    train.add_argument("shapes", nargs="+", metavar="SHAPE", help="narrow, wide or plain")
    train.add_argument("--dataset", default="cifar10", help="cifar10, cifar100, mnist or digits (cifar10)")
    train.add_argument("--epochs", type=int, default=8, metavar="N", help="passes over the images (8)")
    train.add_argument(
        "--epsilon", type=float, default=8.0, metavar="E", help="radius of the ball, in 1/255 (8)"
    )
    train.add_argument("--seed", type=int, default=0, metavar="N")
    train.add_argument(
        "--folder", default="checkpoints/defences", metavar="DIR", help="of checkpoints and weights"
    )
    train.add_argument(
        "--publish", action="store_true", help="put weights and cards among those of the library"
    )
    train.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Train each shape, and print its accuracies."""
    from pathlib import Path

    from ..tasks.attack import harden, load, publish
    from ..tasks.attack.networks import check_shape

    for shape in options.shapes:
        check_shape(shape)  # before the first is trained
    for shape in options.shapes:
        defence = harden(
            shape,
            options.dataset,
            epochs=options.epochs,
            epsilon=options.epsilon / 255,
            seed=options.seed,
            checkpoint=Path(options.folder) / f"{shape}.pt",
            tell=print,
        )
        path = publish(defence, None if options.publish else options.folder)
        found = load(path).training
        print(f"{shape}: clean {found['clean']:.1f} %, robust {found['robust']:.1f} %, in {path}")
    return 0
