"""Hand-made optimizers of the zoo as contestants, each at the learning rate that is best on tuning data."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from l2o_core.expressions import Expression, System, const, parse, var
from l2o_core.models import Equation
from l2o_core.optim import zoo

FEATURE_OPTIONS = ("beta1", "beta2", "eps", "bias_correction", "total_steps")


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


def rates(low: float, high: float, per_decade: int) -> list[float]:
    """Learning rates from 10^low to 10^high, evenly spread on a log scale, to three digits."""
    return [float(f"{10**x:.3g}") for x in np.arange(low, high + 0.01, 1 / per_decade)]


def tuned(
    name: str,
    losses: Callable[[Sequence[Equation]], Iterable[float]],
    learning_rates: Sequence[float],
    times: str = "1",
    **hyperparameters: float | bool | None,
) -> tuple[Equation, float]:
    """A rule at the learning rate with the lowest loss, and that rate.

    `losses` gives one number per equation, on data that is not reported on; a number that is not finite
    (a run that diverged) loses against any other.
    """
    candidates = [rule(name, lr, times, **hyperparameters) for lr in learning_rates]
    found = [loss if math.isfinite(loss) else math.inf for loss in losses(candidates)]
    best = int(np.argmin(found))
    return candidates[best], learning_rates[best]


def tuned_each(
    rules: Mapping[str, tuple],
    losses: Callable[[Sequence[Equation]], Iterable[float]],
    per_decade: int,
    **hyperparameters: float | bool | None,
) -> dict[str, tuple[Equation, str]]:
    """`tuned` for several rules by label, with each learning rate as text.

    A rule is its name in the zoo, the range of learning rates as two powers of ten, and perhaps `times`:
    ("adam", -3, -1, "ld").
    """
    found = {}
    for label, (name, low, high, *times) in rules.items():
        factor = times[0] if times else "1"
        best, rate = tuned(name, losses, rates(low, high, per_decade), factor, **hyperparameters)
        found[label] = best, f"{rate:.2g}"
    return found
