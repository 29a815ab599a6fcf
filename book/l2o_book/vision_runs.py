"""Trainings of image networks by equations: one run, scores for choices, and the entry of a record.

A run whose loss is not finite has the accuracy of guesses, and counts as 0 wherever choices are made.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from torch import nn

from l2o_core import data
from l2o_core.data import ImageData
from l2o_core.models import Equation
from l2o_core.optim import SymbolicOptimizer
from l2o_core.storage import NO_CACHE, Cache

from . import baselines, training
from .contestants import Contestant, best_rate
from .tables import mean_std
from .training import Fit


@dataclass(frozen=True, eq=False)
class ImageTraining:
    """A network's training: its images in three splits, and all but the optimizer and the seed.

    `splits` are images to learn from, those for choices, and those of the report; `options` are options of
    `training.fit`.
    """

    build: Callable[[], nn.Module]
    splits: tuple[ImageData, ImageData, ImageData]
    options: Mapping[str, Any]
    cache: Cache = NO_CACHE

    @property
    def steps(self) -> int:
        """How many steps a run has."""
        return self.options["epochs"] * (len(self.splits[0]) // self.options["batch"])

    def shorter(self, images: int) -> ImageTraining:
        """The same on the first images only, as trials are, and without the report but for one image."""
        seen, chosen_on, reported_on = self.splits
        return replace(self, splits=(first(seen, images), chosen_on, first(reported_on, 1)))

    def run(self, contestant: Contestant, seed: int) -> Fit:
        """A network, trained by a contestant; a run that is in the cache is read."""
        make = partial(SymbolicOptimizer.of, contestant.equation, lr=contestant.rate, compile="auto")
        return training.fit(self.build, make, *self.splits, seed=seed, cache=self.cache, **self.options)

    def scores(self, contestants: Iterable[Contestant], seed: int) -> list[float]:
        """The accuracy of each contestant on the images for choices, after the last epoch."""
        return [training.summary([self.run(one, seed)])["validation"][0] for one in contestants]

    def rated(
        self, equation: Equation, others: int, seed: int, times: float, own: float | None = None
    ) -> tuple[float, list[tuple[float, float]]]:
        """The best factor of an equation's step, and every one that was tried, with its score.

        Tried are 1, whose score `own` may be known, and so many others, from 1 / `times` to `times`.
        """
        if own is None:
            (own,) = self.scores([Contestant(equation)], seed)
        rates = [1.0, *baselines.factors(times, others)]
        scores = [own, *self.scores([Contestant(equation, rate) for rate in rates[1:]], seed)]
        return best_rate(scores, rates), list(zip(rates, scores, strict=True))


def splits(dataset: str, images: int, tested: int) -> tuple[ImageData, ImageData, ImageData]:
    """The first images of the parts "report" and "choose" and of the test split; 0: all.

    There are a quarter as many images for choices as there are to learn from.
    """
    return (
        first(data.load(dataset, part="report"), images),
        first(data.load(dataset, part="choose"), images // 4),
        first(data.load(dataset, "test"), tested),
    )


def first(part: ImageData, count: int) -> ImageData:
    """The first images of a part; 0: all."""
    rows = slice(count or None)
    return replace(part, images=part.images[rows], labels=part.labels[rows])


def unscaled(contestant: Contestant) -> Contestant:
    """The same with its own steps."""
    return replace(contestant, rate=1.0, constants={"lr": 1.0})


def entry(runs: Sequence[Fit], contestant: Contestant, epochs: int, classes: int = 10) -> dict[str, Any]:
    """The runs of one contestant, a seed each: test accuracy at the end in percent, curves, and seconds.

    At the end, a run that diverged has the accuracy of guesses among so many classes.
    """
    found = training.summary(runs)
    return found | {
        "last": training.final(found, epochs, lost=100 / classes),
        "loss": [fit.losses[-1] if len(fit.losses) == epochs else math.nan for fit in runs],
        "constants": contestant.constants or None,
    }


def reached(runs: Mapping[str, Any], ends: Sequence[float]) -> list[int | None]:
    """Epochs until each run first has a test accuracy in percent, one for each; None where it never has."""
    firsts = [
        np.flatnonzero(100 * np.asarray(curve) >= accuracy)
        for curve, accuracy in zip(runs["test"], ends, strict=True)
    ]
    return [int(first[0]) + 1 if len(first) else None for first in firsts]


def written(epochs: Sequence[int | None]) -> str:
    """Epochs that `reached` has found, for a table: "2.50 ± 0.71, 1 never"."""
    found = [one for one in epochs if one is not None]
    never = f"{len(epochs) - len(found)} never" if len(found) < len(epochs) else ""
    return ", ".join(part for part in (mean_std(found) if found else "", never) if part)
