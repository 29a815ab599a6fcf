"""The distiller's front end: from rows of inputs and targets to a Pareto front of equations."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence

import numpy as np

from ..errors import ConfigError, ExpressionError
from ..expressions import Expression
from ..metrics import r2
from . import engines
from .canonical import canonical
from .front import Entry, ParetoFront
from .polish import Rows, loss
from .problem import Problem, prepare
from .refine import skeleton


def distill(
    X: np.ndarray,
    y: np.ndarray,
    names: Sequence[str] | None = None,
    *,
    engine: str | engines.Engine = "operon",
    max_complexity: int = 100,
    time_limit: float = 60.0,
    seed: int = 0,
    groups: np.ndarray | None = None,
) -> ParetoFront:
    """Find equations y = f(X), in the units of the data, from short to accurate (SymL2O 3.3).

    Inputs `X` [n, d], targets `y` [n], names of the columns as in equations ("g[3]"; default x0, x1, ...).
    `groups` [n] tells which trajectory a row is from: whole trajectories are then held out. `time_limit` is
    in seconds, fitting and pruning included. Raises `DataError` for data that cannot be used, `ConfigError`
    for options that make no sense, `EngineError` for an unknown engine or one that finds nothing.
    """
    start = time.monotonic()
    chosen = engines.get(engine)
    if not (isinstance(time_limit, int | float) and math.isfinite(time_limit) and time_limit > 0):
        raise ConfigError(f"time_limit must be a positive number of seconds, not {time_limit!r}")
    if not (isinstance(max_complexity, int) and max_complexity >= 1):
        raise ConfigError(f"max_complexity must be 1 node or more, not {max_complexity!r}")
    problem = prepare(X, y, names, groups, seed)
    found = chosen.search(problem, max_complexity=max_complexity, time_limit=time_limit, seed=seed)
    entries = measured(found, problem, max_complexity)
    return ParetoFront.of(entries, chosen.name, time.monotonic() - start, problem.notes)


def measured(found: Iterable[Expression], problem: Problem, max_complexity: int) -> list[Entry]:
    """Candidates in original units, as simple as they get, with loss and held-out R2."""
    select, test = _unscaled(problem, "select"), _unscaled(problem, "test")
    candidates: dict[Expression, Entry] = {}
    for equation in found:
        try:
            equation = with_digits(canonical(problem.in_original_units(equation)), 12)
        except ExpressionError:  # too large, or a constant overflowed
            continue
        entry = Entry(equation, loss(equation, select), math.nan)
        known = candidates.get(skeleton(equation))
        usable = equation.complexity <= max_complexity and math.isfinite(entry.loss)
        if usable and (known is None or entry.loss < known.loss):
            candidates[skeleton(equation)] = entry
    tolerance = 1e-12 * problem.y_scale**2
    entries = []
    for entry in ParetoFront.of(candidates.values(), "the engine", 0.0):
        equation = rounded(entry.equation, select, tolerance)
        error = max(loss(equation, select), 1e-6 * tolerance)  # below it is only rounding
        entries.append(Entry(equation, error, r2(test[1], equation.evaluate(test[0]))))
    return entries


def rounded(equation: Expression, rows: Rows, tolerance: float) -> Expression:
    """The equation with the fewest digits that raise its loss on `rows` by at most 0.1 % and `tolerance`."""
    allowed = 1.001 * loss(equation, rows) + tolerance
    for digits in range(1, 12):
        shorter = with_digits(equation, digits)
        if loss(shorter, rows) <= allowed:
            return shorter
    return equation


def with_digits(equation: Expression, digits: int) -> Expression:
    """The equation in canonical form, its constants rounded to significant digits."""
    return canonical(equation.with_constants(float(f"{value:.{digits}g}") for value in equation.constants))


def _unscaled(problem: Problem, part: str) -> Rows:
    inputs, y = problem.rows(part)
    return {name: problem.scales[name] * x for name, x in inputs.items()}, problem.y_scale * y
