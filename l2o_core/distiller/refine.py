"""From the candidates of a search to equations of a front: complete, fit, prune."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from ..errors import ExpressionError
from ..expressions import Expression, Variable, call
from ..expressions.canonical import assemble, canonical
from ..expressions.linear import ONE, LinearForm, combine
from .front import skeleton
from .polish import polish, prune, without_abs
from .problem import Problem
from .rows import loss

EXACT = 1e-18
"""A loss, in units of the targets' variance, below which an equation is exact up to rounding."""


def refine(
    candidates: Iterable[Expression], problem: Problem, max_complexity: int, deadline: float
) -> Iterator[list[Expression]]:
    """Fit every candidate; then complete the lag sums of the best ones and prune them to nothing.

    Candidates of at most `max_complexity` nodes come first, by accuracy, then larger ones by complexity;
    those of more than twice as many nodes are left out. Ends at `deadline` (`time.monotonic()`), or as soon
    as an equation is exact.

    Yields:
        The fitted candidates; then, for each that is completed, the equations from complete to empty.
    """
    fit, select = problem.rows("fit"), problem.rows("select")
    fitted: dict[Expression, tuple[float, Expression]] = {}
    candidates = list(candidates)
    try:
        for candidate in candidates:
            try:
                equation = canonical(candidate)
            except ExpressionError:  # too large once substituted
                continue
            small = equation.complexity <= 2 * max_complexity
            if small and skeleton(equation) not in fitted:
                if time.monotonic() < deadline:  # after it, equations stay as the search has left them
                    equation = polish(without_abs(equation, fit), fit)
                fitted[skeleton(equation)] = loss(equation, select), equation
    except KeyboardInterrupt:
        yield [*candidates, *(equation for _, equation in fitted.values())]
        raise
    yield [equation for _, equation in fitted.values()]

    def promise(pair: tuple[float, Expression]) -> tuple[int, float]:
        excess = max(0, pair[1].complexity - max_complexity)
        return excess, pair[0]

    seen = set()
    for _, equation in sorted(fitted.values(), key=promise):
        try:
            whole = completed(equation, problem.variables)
        except ExpressionError:  # too large with all its lags
            continue
        if skeleton(whole) in seen or time.monotonic() > deadline:
            continue
        seen.add(skeleton(whole))
        whole = polish(whole, fit)
        path = [whole, *prune(whole, fit, deadline)]
        yield path
        if any(loss(equation, select) < EXACT for equation in path):
            break


def completed(equation: Expression, variables: Iterable[Variable]) -> Expression:
    """Where a sum has the same term at two or more lags of a feature, add it at all its lags.

    `phi(f[0]) + 2 phi(f[3])` becomes a sum of phi over every lag of f among `variables`; what is added has
    a coefficient of a thousandth of the largest. A search seldom finds the twentieth lag; a fit does.
    """
    lags: dict[str, list[Variable]] = {}
    for variable in variables:
        if variable.lag is not None:
            lags.setdefault(variable.name, []).append(variable)

    def complete(form: LinearForm) -> LinearForm:
        families: dict[Expression, list[Expression]] = {}
        for part in form:
            if len(part.variables) == 1 and part.variables[0].name in lags:
                families.setdefault(_at(part, lags[part.variables[0].name][0]), []).append(part)
        added: LinearForm = {}
        for family, members in families.items():
            if len(members) > 1:
                small = 1e-3 * max(abs(form[part]) for part in members)
                added |= {_at(family, lag): small for lag in lags[family.variables[0].name]}
        return added | form

    def finish(form: LinearForm) -> Expression:
        return assemble(complete(form))

    def operator(name: str, *forms: LinearForm) -> LinearForm:
        combined = combine(name, *forms)
        return {call(name, *map(finish, forms)): 1.0} if combined is None else combined

    return finish(equation.fold(lambda v: {Expression((v,)): 1.0}, lambda value: {ONE: value}, operator))


def _at(part: Expression, lag: Variable) -> Expression:
    return part.substitute({str(part.variables[0]): Expression((lag,))})
