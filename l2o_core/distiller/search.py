"""From rows of inputs and targets to a Pareto front of equations."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import overload

import numpy as np

from ..errors import ConfigError, ExpressionError, optional_import
from ..expressions import Expression
from ..expressions.canonical import canonical
from ..storage import NO_CACHE, Cache, Format
from . import engines
from .dataset import Dataset
from .engines.hall_of_fame import read_hall_of_fame
from .engines.linear import Linear
from .front import Entry, ParetoFront, skeleton
from .problem import Problem, prepare
from .refine import refine
from .rows import Rows, loss, r2

FRONT = Format(".json", ParetoFront.save, ParetoFront.load)
WARM_FRACTION = 0.2  # of the time, at most, to refit the equations of a warm start


@overload
def distill(
    data: Dataset,
    /,
    *,
    engine: str | engines.Engine = "operon",
    max_complexity: int = 100,
    time_limit: float = 60.0,
    seed: int = 0,
    split_seed: int | None = None,
    huber: float | None = None,
    start: Iterable[Expression | Entry] = (),
    cache: Cache = NO_CACHE,
    progress: bool = False,
) -> ParetoFront: ...


@overload
def distill(
    X: np.ndarray,
    y: np.ndarray,
    names: Sequence[str] | None = None,
    *,
    groups: np.ndarray | None = None,
    engine: str | engines.Engine = "operon",
    max_complexity: int = 100,
    time_limit: float = 60.0,
    seed: int = 0,
    split_seed: int | None = None,
    huber: float | None = None,
    start: Iterable[Expression | Entry] = (),
    cache: Cache = NO_CACHE,
    progress: bool = False,
) -> ParetoFront: ...


def distill(
    X: np.ndarray | Dataset,
    y: np.ndarray | None = None,
    names: Sequence[str] | None = None,
    *,
    groups: np.ndarray | None = None,
    engine: str | engines.Engine = "operon",
    max_complexity: int = 100,
    time_limit: float = 60.0,
    seed: int = 0,
    split_seed: int | None = None,
    huber: float | None = None,
    start: Iterable[Expression | Entry] = (),
    cache: Cache = NO_CACHE,
    progress: bool = False,
) -> ParetoFront:
    """Find equations y = f(X) by symbolic regression, in the units of the data (SymL2O 3.3).

    Linear rules by least squares compete on every front, so no entry is worse than a linear one of its size.
    A search stopped by hand (Ctrl-C, the stop button of a notebook) returns what it has found.

    Args:
        X: Inputs `[n, d]`, or a `Dataset`, which brings its own targets, names and groups.
        y: Targets `[n]`.
        names: Names of the columns, as they stand in equations ("g[3]"); default x0, x1, ...
        groups: The trajectory `[n]` that each row is from; whole trajectories are then held out.
        engine: "operon", "pysr" (needs Julia), "linear", or an engine with options of its own.
        max_complexity: Nodes of the largest equation.
        time_limit: Seconds, fitting and pruning included. It decides where a search ends, so the same seed
            can give another front on a faster or busier machine.
        seed: Seed of the search.
        split_seed: Seed of the choice of held-out rows; default `seed`. Fronts of the same data with the same
            `split_seed` can be merged.
        huber: Errors beyond so many standard deviations of `y` count linearly instead of squared, for heavy
            tails.
        start: Equations, or a front, to begin with: refitted to this data, they compete with what is found.
        cache: Where fronts are stored. One of the same data and settings that is there already is returned
            without a search; the front of a search that was stopped by hand is not stored.
        progress: Show a progress bar.

    Returns:
        The front; `r2` of its entries is measured on the held-out rows.

    Raises:
        DataError: For data that cannot be used: too few rows, constant targets, wrong shapes.
        ConfigError: For options that make no sense, or arrays beside a `Dataset`.
        EngineError: For an unknown engine, or one that is not installed or finds nothing.

    Example:
        >>> X = np.random.default_rng(0).normal(size=(200, 2))
        >>> front = distill(X, 2 * X[:, 0] - X[:, 1], ["g[0]", "g[1]"], engine="linear")
        >>> str(front.best.equation), round(front.best.r2, 6)
        ('2 * g[0] - g[1]', 1.0)
    """
    begun = time.monotonic()
    chosen = engines.get(engine)
    if not (isinstance(time_limit, int | float) and math.isfinite(time_limit) and time_limit > 0):
        raise ConfigError(f"time_limit must be a positive number of seconds, not {time_limit!r}")
    if not (isinstance(max_complexity, int) and max_complexity >= 1):
        raise ConfigError(f"max_complexity must be 1 node or more, not {max_complexity!r}")
    split_seed = seed if split_seed is None else split_seed
    for name, value in (("seed", seed), ("split_seed", split_seed)):
        if not (isinstance(value, int | np.integer) and value >= 0):
            raise ConfigError(f"{name} must be a whole number, 0 or more, not {value!r}")
    problem = prepare(X, y, names, groups, split_seed, huber)
    known = [entry.equation if isinstance(entry, Entry) else entry for entry in start]
    settings = {
        "engine": repr(chosen),
        "max_complexity": max_complexity,
        "time_limit": float(time_limit),
        "seed": seed,
        "start": [*map(str, known)],
    }
    slot = cache.slot("fronts", {"data": problem.fingerprint, "settings": settings}, FRONT)
    if cached := slot.load():
        return cached
    warm = _warm(known, problem, max_complexity, begun + WARM_FRACTION * time_limit)

    def search() -> Iterator[list[Expression]]:
        """The known equations and the linear ones first; the engine has the time that is left."""
        yield from warm
        if chosen.name != "linear":
            yield from Linear().search(problem, max_complexity=max_complexity, time_limit=1.0, seed=seed)
        left = max(time_limit - (time.monotonic() - begun), 0.1)
        yield from chosen.search(problem, max_complexity=max_complexity, time_limit=left, seed=seed)

    found, stopped = _gather(search(), chosen.name, time_limit, progress)
    entries = measure(found, problem, max_complexity)
    notes = (*problem.notes, stopped) if stopped else problem.notes
    seconds = time.monotonic() - begun
    front = ParetoFront.of(entries, chosen.name, seconds, notes, problem.fingerprint, settings)
    if not stopped:
        slot.save(front)
    return front


def import_pysr(
    path: str | Path,
    X: np.ndarray | Dataset,
    y: np.ndarray | None = None,
    names: Sequence[str] | None = None,
    *,
    groups: np.ndarray | None = None,
    max_complexity: int = 200,
    split_seed: int = 0,
) -> ParetoFront:
    """A hall of fame of PySR as a front, measured on rows of your own.

    Args:
        path: The CSV file that PySR wrote.
        X: Inputs `[n, d]`, or a `Dataset`, which brings its own targets, names and groups.
        y: Targets `[n]`.
        names: Names of the columns that PySR calls x0, x1, ...
        groups: The trajectory `[n]` that each row is from.
        max_complexity: Nodes of the largest equation, as we count them.
        split_seed: Seed of the choice of held-out rows.

    Raises:
        DataError: For a file or data that cannot be used, see `read_hall_of_fame` and `distill`.
    """
    problem = prepare(X, y, names, groups, split_seed)
    equations = read_hall_of_fame(path, X.names if isinstance(X, Dataset) else names)
    scaled = [problem.in_scaled_units(equation) for equation in equations]
    entries = measure(scaled, problem, max_complexity)
    return ParetoFront.of(entries, "pysr", 0.0, problem.notes, problem.fingerprint)


def _warm(
    known: list[Expression], problem: Problem, max_complexity: int, deadline: float
) -> Iterator[list[Expression]]:
    """The equations to start with, scaled, fitted and pruned."""
    missing = {str(variable) for equation in known for variable in equation.variables} - {*problem.names}
    if missing:
        raise ConfigError(f"an equation to start with uses {', '.join(sorted(missing))}: no such column")
    scaled = [problem.in_scaled_units(equation) for equation in known]
    return chain([scaled], refine(scaled, problem, max_complexity, deadline)) if scaled else iter(())


def _gather(
    batches: Iterator[list[Expression]], engine: str, time_limit: float, progress: bool
) -> tuple[list[Expression], str | None]:
    """All equations that the search yields, and a note if it was stopped by hand."""
    found: list[Expression] = []
    begun, stopped = time.monotonic(), None
    with optional_import("distillation", extra="distill"):
        from tqdm.auto import tqdm

    form = "{desc}: {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} s{postfix}"
    with tqdm(total=time_limit, desc=engine, bar_format=form, disable=not progress) as bar:
        try:
            for batch in batches:
                found += batch
                bar.set_postfix_str(f"{len(found)} equations", refresh=False)
                bar.update(min(time.monotonic() - begun, time_limit) - bar.n)
        except KeyboardInterrupt:
            if not found:
                raise
            stopped = f"stopped by hand after {time.monotonic() - begun:.0f} s of {time_limit:.0f}"
    return found, stopped


def measure(found: Iterable[Expression], problem: Problem, max_complexity: int) -> list[Entry]:
    """The best candidates in the units of the data, simplified, with their loss and held-out R2."""
    select, test = problem.unscaled("select"), problem.unscaled("test")
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
        equation = round_constants(entry.equation, select, tolerance)
        error = max(loss(equation, select), 1e-6 * tolerance)  # below it is only rounding
        entries.append(Entry(equation, error, r2(test.y, equation.evaluate(test.inputs))))
    return entries


def round_constants(equation: Expression, rows: Rows, tolerance: float) -> Expression:
    """The equation with the fewest digits that raise its loss on `rows` by at most 0.1 % and `tolerance`."""
    allowed = 1.001 * loss(equation, rows) + tolerance
    for digits in range(1, 12):
        shorter = with_digits(equation, digits)
        if loss(shorter, rows) <= allowed:
            return shorter
    return equation


def with_digits(equation: Expression, digits: int) -> Expression:
    """The equation in canonical form, its constants rounded to significant digits."""
    return canonical(equation.rounded(digits))
