"""Tuning without gradients: the few constants of a rule, by many simplexes at once (Nelder and Mead 1965).

Every point that is tried costs whole runs of a task, and runs cost least when there are many at a time. So
points around the given one are tried together first; from the best of them simplexes set out side by side,
and in each round the worse half of the simplexes is given up (successive halving).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from queue import SimpleQueue

import numpy as np
import torch
from numpy.typing import NDArray

from ..arguments import whole
from ..errors import ConfigError, optional_import
from ..expressions import Expression, System
from ..models.equation import Equation
from ..tasks.base import Task
from .given import own_equation, several_tasks
from .history import History
from .population import evaluate_rules
from .reference import DIVERGED, Reference

Array = NDArray[np.float64]
Objective = Callable[[list[Array]], Sequence[float]]
WALKS = 4
"""Simplexes that set out; half of them go on after each round."""
SCATTERED = 0.4
"""The fraction of the trials that is spent around the given constants."""
SPREAD = 1.0
"""Standard deviation of the first points, as a logarithm: a factor of e."""
EDGE = 0.25
"""Edge of a simplex when it sets out, as a logarithm."""
RANGE = 25.0
"""Largest logarithm of a constant that is tried, and minus the smallest one."""
LEAST_FADING = math.log(1e-6)
"""Smallest logarithm of 1 - c that is tried for a decay rate c."""
MEMORY = 0.5
"""Constants from here to 1 are taken as decay rates: what varies by a factor is 1 - c."""


def tune_without_gradients(
    rule: str | Expression | System | Equation,
    task: Task | Sequence[Task],
    *,
    seed: int = 0,
    trials: int = 100,
    steps: int = 200,
    instances: int = 2,
    only: Sequence[str] | None = None,
    spread: float = SPREAD,
) -> tuple[Equation, History]:
    """Tune the constants of a rule on the losses of whole runs; the given rule is not changed.

    For up to about ten constants, and where meta-gradients mislead, as along long or chaotic runs; `tune`
    follows the meta-gradient, which serves rules with many. A constant varies by factors and keeps its sign;
    of those in [0.5, 1), taken as decay rates, 1 - c varies by factors. Zeros stay zero, and what features
    are computed with stays as it is.

    Args:
        rule: The equation, as text, as an expression or system, or as a model with coefficients by name.
        task: The optimizee, or several: their losses count as fractions of those of the rule as it is given.
        seed: Of instances, and of the first points.
        trials: Points that are tried, the given one included.
        steps: Optimizee steps of a run.
        instances: Instances of each task that a point is tried on, the same for all points.
        only: Names of coefficients that are tuned while all else stays; None: all numbers are tuned.
        spread: Standard deviation of the first points, as a logarithm.

    Returns:
        The tuned rule as a model, and its history: `losses` has the meta-loss of each trial, mean and end
        loss as a fraction of those of the given rule, nan where a run diverged; `validation` has what was the
        lowest so far, by the number of trials.

    Raises:
        ConfigError: For fewer than one trial, step or instance, a negative seed, a coefficient that the model
            does not have, no task, or what is no task or no rule.

    Example:
        >>> from l2o_core import tasks
        >>> tuned, history = tune_without_gradients("-0.0001 * g", tasks.load("p1"), trials=20, steps=20)
        >>> history.losses[0], history.best[1] < 0.9
        (1.0, True)
    """
    trials, steps = whole("trials", trials, 1), whole("steps", steps, 1)
    instances, seed = whole("instances", instances, 1), whole("seed", seed, 0)
    began = time.monotonic()
    tuned = own_equation(rule)
    free = _Free(tuned, only)
    tasks = several_tasks(task, "to tune the rule on")
    options = tuned.features.hyperparameters()
    references: list[Reference] = []

    def objective(points: list[Array]) -> list[float]:
        rules = [free.rule(point) for point in points]
        losses = [
            evaluate_rules(
                rules,
                each,
                steps=steps,
                instances=instances,
                seed=seed,
                **options,
            )
            for each in tasks
        ]
        if not references:
            references.extend(Reference.of(own[0]) for own in losses)
        worth = [own.compare(found) for own, found in zip(references, losses, strict=True)]
        return torch.stack(worth).mean(0).tolist()

    tried = minimise(objective, free.start, trials=trials, spread=spread, seed=seed)
    history = History(seconds=time.monotonic() - began)
    best, lowest = free.start, math.inf
    for count, (point, worth) in enumerate(tried, start=1):
        history.losses.append(math.exp(worth) if worth < DIVERGED / 2 else math.nan)
        if worth < lowest:
            best, lowest = point, worth
            history.validation.append((count, math.exp(worth)))
    history.stages.append((0, steps))
    free.set(best)
    return tuned, history


def minimise(
    objective: Objective, start: Array, *, trials: int, spread: float = SPREAD, seed: int = 0
) -> list[tuple[Array, float]]:
    """Try points around a start, then walk with simplexes from the best of them.

    Args:
        objective: The values of a list of points, numbers all of them; it is given many points at a time.
        start: The first point `[d]`.
        trials: The largest number of points.
        spread: Standard deviation of the first points.
        seed: Of the first points.

    Returns:
        All points and their values in the order in which they were tried, `start` first.
    """
    rng = np.random.default_rng(seed)
    dim = len(start)
    first = min(trials, max(1 + WALKS, round(SCATTERED * trials))) if dim else 1
    # half of the points vary one scale in all numbers at once less than each alone: near ones and far ones
    scales = spread * np.where(np.arange(first - 1) % 2, 0.3, 1.0)[:, None]
    points = [start, *(start + scales * rng.normal(size=(first - 1, dim)))]
    tried = list(zip(points, objective(points), strict=True))
    left = trials - first
    best = sorted(range(first), key=lambda i: tried[i][1])[:WALKS]
    simplexes = [np.vstack([points[i], points[i] + EDGE * _signs(rng, dim)]) for i in best]
    rounds = int(math.log2(WALKS)) + 1
    for remaining in range(rounds, 0, -1):
        budget = left // (remaining * max(1, len(simplexes)))
        if not dim or budget < 1:
            break
        walked = _walk_together(objective, simplexes, budget)
        found = list(chain.from_iterable(tries for _, tries in walked))
        tried += found
        left -= len(found)
        walked = [walk for walk in walked if walk[1]]
        ends = sorted(range(len(walked)), key=lambda i: min(value for _, value in walked[i][1]))
        simplexes = [walked[i][0] for i in ends[: max(1, len(simplexes) // 2)]]
    return tried


def _signs(rng: np.random.Generator, dim: int) -> Array:
    return np.diag(rng.choice([-1.0, 1.0], size=dim))


def _walk_together(
    objective: Objective, simplexes: Sequence[Array], budget: int
) -> list[tuple[Array, list[tuple[Array, float]]]]:
    """SciPy's Nelder-Mead from each simplex `[d + 1, d]`, in a thread each: what all of them ask is one call.

    Returns each walk's last simplex, and the points that it tried with their values, at most `budget`.
    """
    with optional_import("tuning without gradients", extra="distill"):
        from scipy.optimize import minimize

    asked: SimpleQueue[tuple[int, Array | None]] = SimpleQueue()
    answers: list[SimpleQueue[float | None]] = [SimpleQueue() for _ in simplexes]
    tried: list[list[tuple[Array, float]]] = [[] for _ in simplexes]

    def walk(i: int) -> Array:
        def ask(point: Array) -> float:
            if len(tried[i]) >= budget:
                raise _SpentError
            asked.put((i, point.copy()))
            value = answers[i].get()
            if value is None:
                raise _SpentError
            tried[i].append((point.copy(), value))
            return value

        try:
            options = {"initial_simplex": simplexes[i], "xatol": 1e-3, "fatol": 1e-4, "adaptive": True}
            return minimize(ask, simplexes[i][0], method="Nelder-Mead", options=options).final_simplex[0]
        except _SpentError:
            return _around_best(simplexes[i], tried[i])
        finally:
            asked.put((i, None))

    with ThreadPoolExecutor(len(simplexes)) as threads:
        walks = [threads.submit(walk, i) for i in range(len(simplexes))]
        at_work = set(range(len(simplexes)))
        try:
            for points in _questions(asked, at_work):
                for i, value in zip(points, objective(list(points.values())), strict=True):
                    answers[i].put(value)
        finally:
            for answer in answers:
                answer.put(None)  # whoever still waits
        return [(walk.result(), own) for walk, own in zip(walks, tried, strict=True)]


def _questions(asked: SimpleQueue[tuple[int, Array | None]], at_work: set[int]) -> Iterator[dict[int, Array]]:
    """The points that all walks still `at_work` ask about, by walk, once each of them has asked or ended."""
    while at_work:
        points: dict[int, Array] = {}
        while len(points) < len(at_work):
            i, point = asked.get()
            if point is None:
                at_work.discard(i)
            else:
                points[i] = point
        if points:
            yield {i: points[i] for i in sorted(points)}


def _around_best(simplex: Array, tried: Sequence[tuple[Array, float]]) -> Array:
    """The best `d + 1` points of a walk as its next simplex, or a smaller one where these are too few."""
    points = [point for point, _ in sorted(tried, key=lambda pair: pair[1])]
    corners = np.array(points[: len(simplex)]) if points else simplex
    if len(corners) == len(simplex) and np.linalg.matrix_rank(corners[1:] - corners[0]) == len(simplex) - 1:
        return corners
    return corners[0] + 0.5 * (simplex - simplex[0])


class _SpentError(Exception):
    """A walk has used its budget."""


class _Free:
    """The numbers of a model as a point: logarithms of what may vary by factors."""

    def __init__(self, model: Equation, only: Sequence[str] | None):
        given = list(model.options.get("coefficients", {}))
        if unknown := [name for name in only or () if name not in given]:
            raise ConfigError(
                f"the rule has no coefficient {unknown[0]!r}; it has {', '.join(given) or 'none'}"
            )
        own = model.coefficients.tolist() if model.coefficients is not None else []
        self._model, self._names = model, given
        self._values = [*model.rule.with_constants(model.constants.tolist()).constants, *own]
        count = len(self._values) - len(given)
        chosen = range(len(self._values)) if only is None else [count + given.index(name) for name in only]
        self._free = [i for i in chosen if self._values[i]]
        self.start = np.array([to_logarithm(self._values[i]) for i in self._free])

    def _numbers(self, point: Array) -> tuple[list[float], list[float]]:
        """Constants and coefficients at a point."""
        values = list(self._values)
        for i, logarithm in zip(self._free, point, strict=True):
            values[i] = from_logarithm(float(logarithm), like=values[i])
        count = len(values) - len(self._names)
        return values[:count], values[count:]

    def rule(self, point: Array) -> Expression | System:
        """The rule at a point, with numbers only."""
        constants, coefficients = self._numbers(point)
        rule = self._model.rule.with_constants(constants)
        return rule.substitute(dict(zip(self._names, coefficients, strict=True)))

    def set(self, point: Array) -> None:
        """Give the model the numbers of a point."""
        constants, coefficients = self._numbers(point)
        with torch.no_grad():
            self._model.constants.copy_(torch.tensor(constants))
            if self._model.coefficients is not None:
                self._model.coefficients.copy_(torch.tensor(coefficients))


def to_logarithm(value: float) -> float:
    """The logarithm of what may vary by factors: of |c|, and of 1 - c for a decay rate.

    Example:
        >>> round(to_logarithm(0.99), 3), round(to_logarithm(-0.01), 3)
        (-4.605, -4.605)
    """
    return math.log(1 - value) if MEMORY <= value < 1 else math.log(abs(value))


def from_logarithm(logarithm: float, like: float) -> float:
    """The constant with that logarithm: a decay rate lies from -1 to 1, any other keeps the sign of `like`.

    It stays within a range that runs survive, or up to `like` where that lies outside, which is itself to the
    last digit.
    """
    own = to_logarithm(like)
    if logarithm == own:
        return like
    if MEMORY <= like < 1:
        return 1 - math.exp(min(max(logarithm, min(LEAST_FADING, own)), math.log(2)))
    return math.copysign(math.exp(min(max(logarithm, min(-RANGE, own)), max(RANGE, own))), like)
