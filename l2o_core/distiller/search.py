"""From rows of inputs and targets to a Pareto front of equations."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from .. import arguments
from ..errors import ConfigError, EngineError, ExpressionError, L2OError, optional_import
from ..expressions import Expression, System, parse
from ..expressions.canonical import canonical
from ..storage import NO_CACHE, Cache, Format
from . import engines
from .dataset import Dataset
from .engines import hall_of_fame
from .engines.hall_of_fame import Reading
from .engines.linear import Linear
from .front import Entry, ParetoFront, skeleton, starting_rules
from .problem import Problem, prepare
from .refine import refine
from .rows import Rows, loss, r2

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike

    Seed = int | np.integer | np.random.Generator | np.random.RandomState | None

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
    seed: Seed = 0,
    split_seed: Seed = None,
    huber: float | None = None,
    start: Iterable[Expression | Entry | str] = (),
    cache: Cache = NO_CACHE,
    progress: bool = False,
) -> ParetoFront: ...


@overload
def distill(
    X: ArrayLike | pd.DataFrame,
    y: ArrayLike,
    names: Sequence[str] | None = None,
    *,
    groups: ArrayLike | None = None,
    engine: str | engines.Engine = "operon",
    max_complexity: int = 100,
    time_limit: float = 60.0,
    seed: Seed = 0,
    split_seed: Seed = None,
    huber: float | None = None,
    start: Iterable[Expression | Entry | str] = (),
    cache: Cache = NO_CACHE,
    progress: bool = False,
) -> ParetoFront: ...


def distill(
    X: ArrayLike | pd.DataFrame | Dataset,
    y: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    *,
    groups: ArrayLike | None = None,
    engine: str | engines.Engine = "operon",
    max_complexity: int = 100,
    time_limit: float = 60.0,
    seed: Seed = 0,
    split_seed: Seed = None,
    huber: float | None = None,
    start: Iterable[Expression | Entry | str] = (),
    cache: Cache = NO_CACHE,
    progress: bool = False,
) -> ParetoFront:
    """Find equations y = f(X) by symbolic regression, in the units of the data (SymL2O 3.3).

    Linear rules by least squares compete on every front, so no entry is worse than a linear one of its size.
    A search stopped by hand (Ctrl-C, the stop button of a notebook) returns what it has found; so does one
    whose engine fails halfway. A note on the front says so.

    Args:
        X: Inputs `[n, d]`, an array, list or table (of pandas or polars), or a `Dataset`, which brings its
            own targets, names and groups. Rows with a missing value are dropped, with a note.
        y: Targets `[n]` or `[n, 1]`.
        names: Names of the columns, as they stand in equations ("g[3]"); default a table's own, else x0, x1
            ... One that is no variable, such as "bmi (kg/m2)", is written as one, bmi_kg_m2, with a note.
        groups: The trajectory `[n]` that each row is from; whole trajectories are then held out.
        engine: "operon", "sol", "pysr" (needs Julia), "linear", or an engine with options of its own.
        max_complexity: Nodes of the largest equation.
        time_limit: Seconds, fitting and pruning included. It decides where a search ends, so the same seed
            can give another front on a faster or busier machine.
        seed: Seed of the search: a whole number, or None or a generator of NumPy, which draw one.
        split_seed: Seed of the choice of held-out rows; default `seed`. Fronts of the same data with the same
            `split_seed` can be merged.
        huber: Errors beyond so many standard deviations of `y` count linearly instead of squared, for heavy
            tails.
        start: Equations, or their texts, or a front, to begin with: refitted to this data, they compete with
            what is found.
        cache: Where fronts are stored. One of the same data and settings that is there already is returned
            without a search; the front of a search that was stopped or failed is not stored.
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
    time_limit = arguments.positive("time_limit", time_limit, "seconds")
    max_complexity = arguments.whole("max_complexity", max_complexity, 1)
    seed = arguments.seed("seed", seed)
    split_seed = seed if split_seed is None else arguments.seed("split_seed", split_seed)
    problem = prepare(X, y, names, groups, split_seed, huber)
    known = _equations(start)
    settings = {
        "engine": repr(chosen),
        "max_complexity": max_complexity,
        "time_limit": time_limit,
        "seed": seed,
        "start": [*map(str, known)],
    }
    if problem.labels:
        settings["labels"] = dict(problem.labels)
    slot = cache.slot("fronts", {"data": problem.fingerprint, "settings": settings}, FRONT)
    if cached := slot.load():
        return cached
    slot.check()
    failures: list[str] = []
    warm = _warm(known, problem, max_complexity, begun + WARM_FRACTION * time_limit, failures)

    def search() -> Iterator[list[Expression]]:
        """The known equations and the linear ones first; the engine has the time that is left."""
        yield from _until_failure(warm, "fitting the equations to start with", failures)
        if chosen.name != "linear":
            linear = Linear().search(problem, max_complexity=max_complexity, time_limit=1.0, seed=seed)
            yield from _until_failure(linear, "least squares", failures)
        left = max(time_limit - (time.monotonic() - begun), 0.1)
        batches = chosen.search(problem, max_complexity=max_complexity, time_limit=left, seed=seed)
        yield from _until_failure(batches, f"the engine {chosen.name}", failures, needed=True)

    found, stopped = _gather(search(), chosen.name, time_limit, progress)
    entries, hurried = measure(found, problem, max_complexity)
    stopped = stopped or hurried
    notes = [*problem.notes, *failures, *_undefined(entries), *([stopped] if stopped else [])]
    seconds = time.monotonic() - begun
    ended = {"stopped": bool(stopped), "failed": bool(failures)}
    front = ParetoFront(entries, chosen.name, seconds, tuple(notes), problem.fingerprint, settings, **ended)
    if not (front.stopped or front.failed):
        slot.save(front)
    return front


def import_pysr(
    path: str | Path,
    X: ArrayLike | pd.DataFrame | Dataset,
    y: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    *,
    groups: ArrayLike | None = None,
    max_complexity: int = 200,
    split_seed: int = 0,
    variables: Reading = "guess",
) -> ParetoFront:
    """A hall of fame of PySR as a front, measured on rows of your own.

    Lines that cannot be read are left out, with a note. What the file says of a column that is dropped here,
    being constant or like another, is said of what that column equals.

    Args:
        path: The CSV file that PySR wrote.
        X: Inputs `[n, d]`, an array or a table, or a `Dataset`, which brings its own targets, names and
            groups.
        y: Targets `[n]` or `[n, 1]`.
        names: Names of the columns; default a table's own, else x0, x1, ...
        groups: The trajectory `[n]` that each row is from.
        max_complexity: Nodes of the largest equation, as we count them.
        split_seed: Seed of the choice of held-out rows.
        variables: What the file calls the columns: by their "names", by "positions", which PySR writes x0,
            x1, ..., or "guess", which tells them apart, and refuses a file that can be read either way.

    Raises:
        DataError: For a file or data that cannot be used, see `read_hall_of_fame` and `distill`.
    """
    problem = prepare(X, y, names, groups, arguments.seed("split_seed", split_seed))
    hall = hall_of_fame.read(path, problem.columns, variables)
    scaled, large = _in_scaled_units(hall.equations, problem)
    entries, stopped = measure(scaled, problem, arguments.whole("max_complexity", max_complexity, 1))
    notes = [*problem.notes, *hall.notes, *large, *_undefined(entries), *([stopped] if stopped else [])]
    labels = {"labels": dict(problem.labels)} if problem.labels else {}
    return ParetoFront(entries, "pysr", 0.0, tuple(notes), problem.fingerprint, labels)


def _equations(start: Any) -> list[Expression]:
    """The equations to start with, from any of the forms they may have."""
    known = starting_rules(start, "equations", parse)
    systems = [str(rule) for rule in known if isinstance(rule, System)]
    if systems:
        raise ConfigError(f"a search of rows begins with equations without states, not {systems[0]:.60}")
    return [rule for rule in known if isinstance(rule, Expression)]


def _warm(
    known: list[Expression], problem: Problem, max_complexity: int, deadline: float, notes: list[str]
) -> Iterator[list[Expression]]:
    """The equations to start with, scaled, fitted and pruned."""
    used = {str(variable) for equation in known for variable in equation.variables}
    if missing := used - {*problem.columns}:
        raise ConfigError(f"an equation to start with uses {', '.join(sorted(missing))}: no such column")
    scaled, large = _in_scaled_units(known, problem)
    notes += large
    return chain([scaled], refine(scaled, problem, max_complexity, deadline)) if scaled else iter(())


def _in_scaled_units(equations: Iterable[Expression], problem: Problem) -> tuple[list[Expression], list[str]]:
    """The equations for scaled columns, and a note on each that is too large for it."""
    scaled, notes = [], []
    for equation in equations:
        try:
            scaled.append(problem.in_scaled_units(equation))
        except ExpressionError as error:
            notes.append(f"an equation of {equation.complexity} nodes is left out: {error}")
    return scaled, notes


def _until_failure(
    batches: Iterator[list[Expression]], what: str, failures: list[str], needed: bool = False
) -> Iterator[list[Expression]]:
    """The batches; where making them fails, a note in their place.

    Raises an error only where they are `needed` and there is none.
    """
    count = 0
    try:
        for batch in batches:
            count += len(batch)
            yield batch
    except Exception as error:  # an engine may be anybody's
        if needed and not count:
            if isinstance(error, L2OError):
                raise
            raise EngineError(f"{what} failed: {type(error).__name__}: {error}") from error
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        failures.append(f"{what} failed, what it had found is kept ({reason})")


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


def measure(
    found: Iterable[Expression], problem: Problem, max_complexity: int
) -> tuple[tuple[Entry, ...], str | None]:
    """The front of some candidates, and a note if it was stopped by hand.

    Its entries are in the units of the data, simplified, with their loss, and R2 on two parts of the rows.
    """
    select, test = problem.unscaled("select"), problem.unscaled("test")
    candidates: dict[Expression | System, Entry] = {}
    stopped = None
    try:
        for equation in found:
            entry = _measured(equation, problem, select)
            if entry is None or entry.complexity > max_complexity:
                continue
            known = candidates.get(skeleton(entry.equation))
            if known is None or entry.loss < known.loss:
                candidates[skeleton(entry.equation)] = entry
    except KeyboardInterrupt:
        if not candidates:
            raise
        stopped = "stopped by hand before every equation was measured"
    tolerance = 1e-12 * (problem.y_scale / problem.unit) ** 2
    entries = []
    for entry in ParetoFront.of(candidates.values(), "the engine", 0.0):
        whole = entry.equation
        assert isinstance(whole, Expression)  # systems are no candidates of a search of rows
        try:
            equation = whole if stopped else round_constants(whole, select, tolerance)
        except KeyboardInterrupt:
            equation, stopped = whole, "stopped by hand before every constant was rounded"
        error = max(loss(equation, select), 1e-6 * tolerance)  # below it is only rounding
        fits = (r2(rows.y / rows.unit, equation.evaluate(rows.inputs) / rows.unit) for rows in (test, select))
        entries.append(Entry(equation, error, *fits))
    return ParetoFront.of(entries, "the engine", 0.0).entries, stopped


def _measured(equation: Expression, problem: Problem, rows: Rows) -> Entry | None:
    """An equation in the units of the data, and its loss on `rows`; None without a finite one."""
    try:
        equation = with_digits(canonical(problem.in_original_units(equation)), 12)
        entry = Entry(equation, loss(equation, rows), math.nan)
    except (ExpressionError, RuntimeError):  # too large, or not enough memory to evaluate it
        return None
    return entry if math.isfinite(entry.loss) else None


def _undefined(entries: Iterable[Entry]) -> list[str]:
    """A note if R2 is undefined."""
    if any(math.isnan(entry.r2) for entry in entries):
        return ["R2 is undefined (NaN): the targets of the held-out rows do not vary"]
    return []


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
