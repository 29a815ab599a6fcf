"""Hand-made optimizers of the zoo as contestants, tuned over all constants with as many trials for each."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from l2o_core.expressions import Expression, System, const, parse, var
from l2o_core.models import Equation
from l2o_core.optim import zoo

FEATURE_OPTIONS = ("beta1", "beta2", "eps", "bias_correction", "total_steps")
MOMENTS = {"beta1": {"m", "b"}, "beta2": {"v"}}
"""The states that each decay rate belongs to."""
FORGETTING = {"beta1": (-2.0, -0.3), "beta2": (-3.0, -1.0)}
"""The ranges of log10(1 - beta) in trials: beta1 from 0.5 to 0.99, beta2 from 0.9 to 0.999."""
NEAR = 0.5
"""How far the rate is from the best one at the usual betas, in powers of ten, when all constants vary."""
SYMBOLS = {"lr": "rate", "beta1": r"$\beta_1$", "beta2": r"$\beta_2$", "momentum": "$m$", "rho": r"$\rho$"}


@dataclass(frozen=True)
class HandMade:
    """A rule of the zoo and what is tuned: its learning rate, from 10^low to 10^high, and its betas.

    `times` is a factor, such as "ld" for a learning rate that falls linearly over `total_steps`. With
    `rate_only`, betas keep their usual values. `lr` is the usual learning rate, where it is not the zoo's.
    """

    name: str
    low: float
    high: float
    times: str = "1"
    rate_only: bool = False
    lr: float | None = None

    @property
    def usual(self) -> dict[str, float]:
        """The constants that are tuned, with the zoo's values of them."""
        defaults = {"beta1": 0.9, "beta2": 0.999, **zoo.get(self.name).defaults}
        defaults |= {} if self.lr is None else {"lr": self.lr}
        named = {variable.name for variable in zoo.get(self.name).equation.variables}
        betas = [beta for beta, of in MOMENTS.items() if beta in named or of & self._states]
        return {name: float(defaults[name]) for name in ("lr", *([] if self.rate_only else betas))}

    @property
    def sums(self) -> bool:
        """Whether it sums gradients, as heavy-ball momentum does, and does not average them."""
        return "b" in self._states

    def at(self, constants: Mapping[str, float], **hyperparameters: float | bool | None) -> Equation:
        """The rule with these constants; other hyper-parameters are the zoo's, or given."""
        betas = {name: value for name, value in constants.items() if name != "lr"}
        return rule(self.name, constants["lr"], self.times, **(hyperparameters | betas))

    @property
    def _states(self) -> set[str]:
        return set(rule(self.name, 1.0, total_steps=1).features.state_names)


class Tuned(NamedTuple):
    """A rule with the best constants that were tried, these, and all that were tried, each with its loss."""

    equation: Equation
    constants: dict[str, float]
    tried: list[tuple[dict[str, float], float]]


def rule(name: str, lr: float, times: str = "1", **hyperparameters: float | bool | None) -> Equation:
    """A rule of the zoo at a learning rate, as an equation on flat coordinates.

    `times` is a factor, such as "ld" for a learning rate that falls linearly over `total_steps`.
    Hyper-parameters are the zoo's, then PyTorch's defaults (betas 0.9 and 0.999, eps 1e-8).
    """
    entry = zoo.get(name)
    values: dict[str, Any] = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, **entry.defaults, **hyperparameters}
    numbers = {key: value for key, value in values.items() if isinstance(value, float)}
    options = {key: values[key] for key in FEATURE_OPTIONS if key in values}
    return Equation(_multiplied(entry.equation.substitute(numbers), const(lr) * parse(times)), **options)


def _multiplied(equation: Expression | System, factor: Expression) -> Expression | System:
    """A rule times a factor; its memory is of what it computes without."""
    if isinstance(equation, Expression) and not equation.memory:
        return (factor * equation).simplify()
    past = {f"u[{lag}]": var("direction", lag) for lag in range(1, equation.memory.get("u", 0) + 1)}
    *states, (_, update) = ((name, value.substitute(past)) for name, value in equation.equations)
    return System((*states, ("direction", update)), factor * var("direction"))


def tuned(
    rules: Mapping[str, HandMade],
    losses: Callable[[Sequence[Equation]], Iterable[float]],
    trials: int,
    **hyperparameters: float | bool | None,
) -> dict[str, Tuned]:
    """Each rule by label with the best constants of as many trials for every rule.

    Half of the trials are the usual constants and other learning rates; the rest vary all constants, near
    the best learning rate of the first half. `losses` gives one number per equation, on data that is not
    reported on; a number that is not finite (a run that diverged) loses against any other.
    `hyperparameters` are not tuned.
    """
    found = {}
    for label, hand_made in rules.items():
        tried = first(hand_made, (trials + 1) // 2)
        measured = _finite(losses([hand_made.at(one, **hyperparameters) for one in tried]))
        nearby = second(hand_made, tried[int(np.argmin(measured))]["lr"], trials - len(tried))
        measured += _finite(losses([hand_made.at(one, **hyperparameters) for one in nearby]))
        tried += nearby
        best = tried[int(np.argmin(measured))]
        everything = list(zip(tried, measured, strict=True))
        found[label] = Tuned(hand_made.at(best, **hyperparameters), best, everything)
    return found


def first(hand_made: HandMade, trials: int) -> list[dict[str, float]]:
    """The usual constants, then the usual betas at other learning rates, even on a log scale."""
    points = even_points([(hand_made.low, hand_made.high)], trials - 1, seed=0)
    return [hand_made.usual, *(hand_made.usual | {"lr": _rounded(10**x)} for (x,) in points)]


def second(hand_made: HandMade, rate: float, trials: int) -> list[dict[str, float]]:
    """Other values of all constants, even in the logarithms of the learning rate and of 1 - beta.

    Where a rule sums gradients, its learning rate falls with 1 - beta1, so that steps are as long.
    """
    usual = hand_made.usual
    betas = [name for name in usual if name != "lr"]
    middle = math.log10(rate)
    ranges = [(middle - NEAR, middle + NEAR), *(FORGETTING[beta] for beta in betas)]
    found = []
    for point in even_points(ranges, trials, seed=1):
        lr, *forgotten = 10**point
        if hand_made.sums and betas:
            lr *= forgotten[0] / (1 - usual["beta1"])
        values = (round(1 - float(_rounded(x)), 7) for x in forgotten)
        found.append({"lr": _rounded(lr), **dict(zip(betas, values, strict=True))})
    return found


def even_rates(low: float, high: float, count: int) -> list[float]:
    """Rates to try, even on a log scale, with three digits."""
    return [_rounded(rate) for rate in np.geomspace(low, high, count)]


def factors(times: float, count: int) -> list[float]:
    """Factors of a rule's own step to try beside 1, even on a log scale from 1 / times to times."""
    return [rate for rate in even_rates(1 / times, times, count + 1) if rate != 1.0][:count]


def at_the_edge(chosen: float, rates: Sequence[float]) -> bool:
    """Whether a chosen rate is the lowest or the highest that was tried."""
    return len(rates) > 1 and chosen in (min(rates), max(rates))


def even_points(ranges: Sequence[tuple[float, float]], points: int, seed: int) -> np.ndarray:
    """The first `points` of a scrambled Sobol sequence [points, d] within ranges, the same in every run."""
    from scipy.stats import qmc

    if points < 1:
        return np.empty((0, len(ranges)))
    power = math.ceil(math.log2(points))  # the sequence is even over powers of two
    low, high = np.transpose(ranges)
    return qmc.scale(qmc.Sobol(len(ranges), rng=seed).random_base2(power), low, high)[:points]


def _finite(losses: Iterable[float]) -> list[float]:
    return [loss if math.isfinite(loss) else math.inf for loss in losses]


def _rounded(x: float) -> float:
    return float(f"{x:.3g}")


def text(chosen: Mapping[str, float]) -> str:
    r"""Constants for a table: "rate 0.012, $\beta_1$ 0.93"."""
    return ", ".join(f"{SYMBOLS[name]} {value:.4g}" for name, value in chosen.items())
