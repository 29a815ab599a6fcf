"""Weighted sums over the past, without reading all of it at every step.

`w1 z[t-1] + ... + wK z[t-K]` reads K past values. But most of what the next T - 1 steps will add up is known
now. So every T steps, in phase 0, all K values are read, and the parts of the next sums that they make up are
written down; in phase j, one such number is read and the j values that came since. That is the same sum, in
another order, for about K / T + T / 2 values a step in place of K. It takes no memory: of the K values, the
last T are not needed any more when they have been read, and the sums to come are kept in their places.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from ...expressions import Expression, Variable, var
from .history import Remembered
from .weighted_sums import Taps, added, rewritten, weighted


class Phase(NamedTuple):
    """What one of T kinds of steps computes.

    `rule`: the update, over features of now, streams and running sums, where `stream0[K]`, the last value
    kept of a stream, may stand for a sum prepared in phase 0. `prepared`: the place that a sum is kept in, as
    the value that was there until now ("stream0[17]"), and this sum.
    """

    rule: Expression
    prepared: Mapping[str, Expression]

    @property
    def past(self) -> tuple[str, ...]:
        """The past values that are read."""
        read = (variable for rule in (self.rule, *self.prepared.values()) for variable in rule.variables)
        return tuple(dict.fromkeys(str(variable) for variable in read if variable.lag))


def phases(found: Remembered) -> Sequence[Phase]:
    """The kinds of steps of a rule, which take turns: one that reads all, or T with fewer values moved.

    T depends on which past values are summed, not on their weights, which may change on the way.
    """
    sums = _separate(found)
    period, most = 1, min((found.depths[v.name] for values in sums for v in values), default=1)
    while period < most and _moved(sums, period + 1) < _moved(sums, period):
        period += 1
    return _phased(found, sums, period) if period > 1 else [Phase(found.rule, {})]


def _separate(found: Remembered) -> list[list[Variable]]:
    """The past values, sum by sum, of streams of which that sum alone reads any."""
    sums: list[list[Variable]] = []

    def write(taps: Taps) -> Expression:
        sums.append([variable for variable in taps if variable.lag])
        return weighted(taps)

    rewritten(found.rule, found.streams, write)
    readers = [name for values in sums for name in {v.name for v in values}]
    alone = ([v for v in values if readers.count(v.name) == 1] for values in sums)
    return [values for values in alone if values]


def _moved(sums: Sequence[Sequence[Variable]], period: int) -> float:
    """How many past values a step reads or writes for the sums, on average."""
    moved = 0
    for values in sums:
        ahead = {(v.name, v.lag - later) for v in values for later in range(period) if v.lag > later}
        moved += len(ahead) + period - 1  # phase 0: what this sum and the next ones read, and these
        moved += sum(1 + sum(v.lag <= phase for v in values) for phase in range(1, period))
    return moved / period


def _phased(found: Remembered, sums: Sequence[Sequence[Variable]], period: int) -> Sequence[Phase]:
    depth = found.depths
    place = {v: values[0].name for values in sums for v in values}  # the stream in whose places sums are kept
    prepared: dict[str, Expression] = {}

    def prepare(taps: Taps) -> Expression:
        own = {v: weight for v, weight in taps.items() if v in place}
        for later in range(1, period) if own else ():
            known = {Variable(v.name, v.lag - later): weight for v, weight in own.items() if v.lag > later}
            stream = place[next(iter(own))]
            prepared[str(var(stream, depth[stream] - later))] = weighted(known).simplify()
        return weighted(taps)

    def resume(taps: Taps, phase: int) -> Expression:
        own = [v for v in taps if v in place]
        if not own:
            return weighted(taps)
        recent = {v: weight for v, weight in taps.items() if v not in place or v.lag <= phase}
        stream = place[own[0]]
        return added(var(stream, depth[stream]), weighted(recent))

    def rule(write: Callable[[Taps], Expression]) -> Expression:
        return rewritten(found.rule, found.streams, write).simplify()

    whole = Phase(rule(prepare), prepared)
    return [whole, *(Phase(rule(partial(resume, phase=phase)), {}) for phase in range(1, period))]
