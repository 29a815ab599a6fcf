"""A trained defence with its accuracies and a card: what comes with the library."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from ... import data
from ...storage import replacing
from .attacks import pgd
from .defences import PRETRAINED, Defence
from .target import Target

CARD = """\
# {name}

A classifier of {dataset} with {weights:,} weights, of shape `{shape}`, kept in half precision. Load it with
`tasks.attack.load("{name}")`; pixels lie in [0, 1].

## Training

Fast adversarial training (Wong et al. 2020): one signed gradient step of 1.25 epsilon from a random start,
epsilon {epsilon:.4f}, {epochs} epochs over the whole training split, seed {seed}, {cpu seconds} seconds of
one CPU core. The command `l2o train-defence {shape}` repeats it.

| on {images} test images | accuracy, % |
| :--- | ---: |
| clean | {clean:.1f} |
| after 10 steps of PGD, 2/8 epsilon each | {robust:.1f} |

## Use

Made to be attacked, as a small stand-in for RobustBench's models, which are far more robust. It has the
library's licence and contains no data.
"""


def accuracies(defence: Defence, epsilon: float = 8 / 255, images: int = 1000) -> dict[str, Any]:
    """Accuracy in % on the first test images: "clean", and "robust" after 10 steps of PGD from the image.

    Args:
        defence: The classifier.
        epsilon: Radius of the ball, in units of the pixels.
        images: How many.
    """
    test = data.load(defence.dataset, "test")
    pixels, labels = test.images[:images].float() / 255, test.labels[:images]
    right = defence.right(pixels, labels)
    fooled = 0
    for target in Target(defence, pixels[right], labels[right], epsilon).split(250) if right.any() else ():
        fooled += int(pgd(target, steps=10).success.sum())
    count, correct = len(labels), int(right.sum())
    return {"images": count, "clean": 100 * correct / count, "robust": 100 * (correct - fooled) / count}


def publish(defence: Defence, folder: str | Path | None = None) -> Path:
    """Write a defence with its accuracies in its header, and its card beside it.

    Args:
        defence: As `harden` returns it.
        folder: Where to; None: among the defences that come with the library.

    Returns:
        The file with the weights.
    """
    measured = accuracies(defence, defence.training["epsilon"])
    whole = replace(defence, training=defence.training | measured)
    path = whole.save(Path(folder or PRETRAINED) / f"{defence.name}.safetensors")
    weights = sum(parameter.numel() for parameter in defence.module.parameters())
    with replacing(path.with_suffix(".md")) as draft:
        draft.write_text(CARD.format(name=defence.name, weights=weights, **whole.training), encoding="utf-8")
    return path
