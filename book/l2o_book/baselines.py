"""Hand-made optimizers of the zoo as contestants, all tuned over their constants with the same number of trials."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from l2o_core.expressions import const, parse
from l2o_core.models import Equation
from l2o_core.optim import zoo

FEATURE_OPTIONS = ("beta1", "beta2", "eps", "bias_correction", "total_steps")
MOMENTS = {"beta1": {"m", "b"}, "beta2": {"v"}}
"""The states that each decay rate belongs to."""
FORGETTING = -3.0, -0.3
"""The range of log10(1 - beta) in trials: betas from 0.5 to 0.999."""
SYMBOLS = {"lr": "rate", "beta1": r"$\beta_1$", "beta2": r"$\beta_2$"}


@dataclass(frozen=True)
class HandMade:
    """A rule of the zoo and what is tuned: its learning rate, from 10^low to 10^high, and its betas.

    `times` is a factor, such as "ld" for a learning rate that falls linearly over `total_steps`. With
    `rate_only`, betas keep their usual values.
    """

    name: str
    low: float
    high: float
    times: str = "1"
    rate_only: bool = False

    @property
    def usual(self) -> dict[str, float]:
        """The constants that are tuned, with the zoo's values of them."""
        defaults = {"beta1": 0.9, "beta2": 0.999, **zoo.get(self.name).defaults}
        states = set(rule(self.name, 1.0, total_steps=1).features.state_names)
        betas = [] if self.rate_only else [beta for beta, of in MOMENTS.items() if of & states]
        return {name: float(defaults[name]) for name in ("lr", *betas)}


class Tuned(NamedTuple):
    """A rule with the best constants that were tried, and these."""

    equation: Equation
    constants: dict[str, float]


def rule(name: str, lr: float, times: str = "1", **hyperparameters: float | bool | None) -> Equation:
    """A rule of the zoo at a learning rate, as an equation on flat coordinates.

    `times` is a factor, such as "ld" for a learning rate that falls linearly over `total_steps`.
    Hyper-parameters are the zoo's, then PyTorch's defaults (betas 0.9 and 0.999, eps 1e-8).
    """
    entry = zoo.get(name)
    values: dict[str, Any] = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, **entry.defaults, **hyperparameters}
    equation = entry.equation.substitute({key: float(values[key]) for key in ("beta1", "beta2", "eps")})
    options = {key: values[key] for key in FEATURE_OPTIONS if key in values}
    return Equation((const(lr) * parse(times) * equation).simplify(), **options)


def constants(hand_made: HandMade, trials: int) -> list[dict[str, float]]:
    """The constants of each trial: the usual ones, then a scrambled Sobol sequence, the same in every run.

    The sequence is even in the logarithms of the learning rate and of 1 - beta, to three digits.
    """
    from scipy.stats import qmc

    usual = hand_made.usual
    low, high = np.transpose([(hand_made.low, hand_made.high), *[FORGETTING] * (len(usual) - 1)])
    sequence = qmc.Sobol(len(usual), rng=0).random_base2(math.ceil(math.log2(max(trials, 2))))
    found = [usual]
    for point in 10 ** qmc.scale(sequence, low, high)[: trials - 1]:
        lr, *rest = (float(f"{x:.3g}") for x in point)
        found.append(dict(zip(usual, (lr, *(round(1 - x, 7) for x in rest)), strict=True)))
    return found


def tuned(
    rules: Mapping[str, HandMade],
    losses: Callable[[Sequence[Equation]], Iterable[float]],
    trials: int,
    **hyperparameters: float | bool | None,
) -> dict[str, Tuned]:
    """Each rule by label at the constants with the lowest loss, of as many trials for every rule.

    `losses` gives one number per equation, on data that is not reported on; a number that is not finite
    (a run that diverged) loses against any other. `hyperparameters` are not tuned.
    """
    found = {}
    for label, hand_made in rules.items():
        tried = constants(hand_made, trials)
        equations = [
            rule(hand_made.name, times=hand_made.times, **{**hyperparameters, **one}) for one in tried
        ]
        measured = [loss if math.isfinite(loss) else math.inf for loss in losses(equations)]
        best = int(np.argmin(measured))
        found[label] = Tuned(equations[best], tried[best])
    return found


def text(chosen: Mapping[str, float]) -> str:
    r"""Constants for a table: "rate 0.012, $\beta_1$ 0.93"."""
    return ", ".join(f"{SYMBOLS[name]} {value:.4g}" for name, value in chosen.items())
