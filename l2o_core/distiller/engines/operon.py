"""Genetic programming by Operon: search over accuracy and length at once, constants by least squares."""

from __future__ import annotations

import numpy as np

from ...errors import EngineError, ExpressionError
from ...expressions import Expression, parse
from .base import Search
from .linear import linear

ALGEBRAIC = "add,sub,mul,div,constant,variable,square,sqrtabs"
EVERY = ALGEBRAIC + ",exp,logabs,tanh,sinh"
MAX_LENGTH, MAX_DEPTH = 50, 12


def operon(search: Search) -> list[Expression]:
    """Every equation on Operon's final fronts, in scaled units; and the linear ones, which cost nothing.

    A third of the time each goes to algebraic equations, to all operators, and to all operators on short
    terms only. Together, functions that merely approximate a root or a quotient crowd out the exact form, and
    sums over many lags crowd out small equations. Of SymL2O's operators (3.4), asinh comes in as a
    transform of the inputs; relu and erfc are left to tanh, since Operon lacks them.
    """
    names = [f"z{i}" for i in range(search.columns.shape[1])]
    terms = dict(zip(names, search.terms, strict=True))
    short = [i for i, term in enumerate(search.terms) if len(term.variables) == 1]
    islands = ((ALGEBRAIC, names), (EVERY, names), (EVERY, [names[i] for i in short]))
    found = [text for symbols, used in islands for text in _evolve(search, symbols, used)]
    equations = [_translated(text) for text in dict.fromkeys(found)]
    equations = [equation.substitute(terms) for equation in equations if equation is not None]
    if not equations:
        raise EngineError("Operon found no usable equation; give it more time or check the data")
    return equations + linear(search)


def _evolve(search: Search, symbols: str, names: list[str]) -> list[str]:
    """One run of Operon: its front, as infix text."""
    from pyoperon.sklearn import SymbolicRegressor

    regressor = SymbolicRegressor(
        allowed_symbols=symbols,
        objectives=["r2", "length"],
        max_length=min(search.max_complexity, MAX_LENGTH),
        max_depth=MAX_DEPTH,
        optimizer_iterations=5,
        population_size=1000,
        pool_size=1000,
        generations=1_000_000,
        max_evaluations=1_000_000_000,
        epsilon=1e-6,
        n_threads=2,
        max_time=max(1, round(search.time_limit / 3)),
        random_state=search.seed,
    )
    columns = search.columns[:, [int(name[1:]) for name in names]]
    regressor.fit(np.ascontiguousarray(columns), search.targets)
    return [regressor.get_model_string(s["tree"], 12, names) for s in regressor.pareto_front_]


def _translated(infix: str) -> Expression | None:
    """Operon's infix as an Expression; None for one that is not finite or too deep for us."""
    try:
        return parse(infix).simplify()
    except ExpressionError:
        return None
