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

from ..expressions import Expression, Variable, var
from .streams import Remembered
from .taps import Taps, added, rewritten, weighted


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
    """The kinds of steps of a rule, which take turns: one that reads all, or T with fewer values moved."""
    sums, depth = _separate(found), found.depths
    best: Sequence[Phase] = [Phase(found.rule, {})]
    for period in range(2, 1 + min((depth[name] for names in sums for name in names), default=0)):
        longer = _phased(found, sums, period)
        if _moved(longer) >= _moved(best):
            break
        best = longer
    return best


def _separate(found: Remembered) -> list[list[str]]:
    """The streams, sum by sum, of which past values are read by that sum alone."""
    sums: list[dict[str, None]] = []

    def write(taps: Taps) -> Expression:
        sums.append(dict.fromkeys(variable.name for variable in taps if variable.lag))
        return weighted(taps)

    rewritten(found.rule, found.streams, write)
    readers = [name for names in sums for name in names]
    alone = ([name for name in names if readers.count(name) == 1] for names in sums)
    return [names for names in alone if names]


def _phased(found: Remembered, sums: Sequence[Sequence[str]], period: int) -> Sequence[Phase]:
    depth = found.depths
    place = {name: names[0] for names in sums for name in names}  # the stream in whose places sums are kept
    prepared: dict[str, Expression] = {}

    def prepare(taps: Taps) -> Expression:
        own = {v: weight for v, weight in taps.items() if v.lag and v.name in place}
        for later in range(1, period) if own else ():
            known = {Variable(v.name, v.lag - later): weight for v, weight in own.items() if v.lag > later}
            stream = place[next(iter(own)).name]
            prepared[str(var(stream, depth[stream] - later))] = weighted(known)
        return weighted(taps)

    def resume(taps: Taps, phase: int) -> Expression:
        own = [v for v in taps if v.lag and v.name in place]
        if not own:
            return weighted(taps)
        recent = {v: weight for v, weight in taps.items() if v not in own or v.lag <= phase}
        stream = place[own[0].name]
        return added(var(stream, depth[stream]), weighted(recent))

    def rule(write: Callable[[Taps], Expression]) -> Expression:
        return rewritten(found.rule, found.streams, write).simplify()

    whole = Phase(rule(prepare), prepared)
    return [whole, *(Phase(rule(partial(resume, phase=phase)), {}) for phase in range(1, period))]


def _moved(found: Sequence[Phase]) -> float:
    """How many past values a step reads or writes on average, those that every step writes aside."""
    return sum(len(phase.past) + len(phase.prepared) for phase in found) / len(found)
