"""From rows to a front of equations: prepare, search, polish, write in original units, measure."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike

from .. import metrics
from ..errors import ConfigError, EngineError
from ..expressions import Expression, var
from . import engines
from .front import Entry, ParetoFront
from .polish import polish
from .preparation import Problem, prepare
from .prune import prune
from .terms import derived


def distill(
    X: ArrayLike,
    y: ArrayLike,
    *,
    names: Sequence[str] | None = None,
    groups: ArrayLike | None = None,
    engine: str = "operon",
    max_complexity: int = 100,
    time_limit: float = 60.0,
    seed: int = 0,
) -> ParetoFront:
    """Equations y = f(X) of growing complexity (SymL2O 3.3), in the units of X [n, d] and y [n].

    `names`: one per column, with lags like "g[3]"; `groups` [n]: the trajectory of each row, so that whole
    trajectories are held out for R2. `engine`: operon or linear; `time_limit`: seconds of search, to
    which refitting and pruning adds up to a quarter. Raises DataError, ConfigError, EngineError.
    """
    search_engine = engines.get(engine)
    if not time_limit >= 1:
        raise ConfigError(f"time_limit must be at least 1 second, not {time_limit}")
    if max_complexity < 1:
        raise ConfigError(f"max_complexity must be at least 1 node, not {max_complexity}")
    problem = prepare(X, y, names, groups, seed)
    terms = [var(v.name, v.lag) for v in problem.variables]
    terms += derived(problem.variables) if engine != "linear" else []
    scaled = _scaled_columns(problem)
    columns = np.column_stack([term.evaluate(scaled).numpy() for term in terms])
    targets = problem.y / problem.scale
    deviations = columns[problem.train].std(0)
    search = engines.Search(
        columns=columns[problem.train] / deviations,
        targets=targets[problem.train],
        terms=[
            term if term.complexity == 1 else float(1 / d) * term
            for term, d in zip(terms, deviations, strict=True)
        ],
        max_complexity=max_complexity,
        time_limit=time_limit,
        seed=seed,
    )
    candidates = dict.fromkeys(equation.simplify() for equation in search_engine(search))
    entries = _measured(
        candidates, problem, scaled, max_complexity, deadline=time.monotonic() + 0.25 * time_limit
    )
    if not entries:
        raise EngineError(f"{engine} found no equation within {max_complexity} nodes; allow more")
    return ParetoFront(entries, problem.notes)


def _scaled_columns(problem: Problem) -> dict[str, torch.Tensor]:
    """The raw columns at unit variance, by variable."""
    Z = torch.from_numpy(problem.X / problem.scales)
    return dict(zip(map(str, problem.variables), Z.unbind(-1), strict=True))


def _measured(
    candidates: dict[Expression, None],
    problem: Problem,
    scaled: dict[str, torch.Tensor],
    max_complexity: int,
    deadline: float,
) -> list[Entry]:
    """Refit (until the deadline), write in original units, and measure on training and held-out rows."""
    train = torch.from_numpy(problem.train)
    inputs = {name: column[train] for name, column in scaled.items()}
    targets = torch.from_numpy(problem.y / problem.scale)[train]
    original = {
        str(v): (1 / scale) * var(v.name, v.lag)
        for v, scale in zip(problem.variables, problem.scales, strict=True)
    }
    raw = {str(v): torch.from_numpy(column) for v, column in zip(problem.variables, problem.X.T, strict=True)}
    entries = []
    for candidate in sorted(candidates, key=lambda equation: equation.complexity):
        equation = candidate
        if time.monotonic() < deadline:
            equation = prune(polish(equation, inputs, targets), inputs, targets)
            equation = polish(equation, inputs, targets)
        equation = (problem.scale * equation.substitute(original)).simplify()
        if equation.complexity > max_complexity:
            continue
        prediction = equation.evaluate(raw).expand(len(problem.y)).numpy()
        if not np.isfinite(prediction).all():
            continue
        loss = float(np.square(prediction - problem.y)[problem.train].mean())
        r2 = metrics.r2(problem.y[~problem.train], prediction[~problem.train])
        entries.append(Entry(equation, equation.complexity, loss, r2))
    return entries
