"""Weighted sums over the past without reading all of it at every step: parts of them are computed ahead.

`w1 z[t-1] + ... + wK z[t-K]` reads K past values. But most terms of the sums at the next T - 1 steps are
known now. So steps take turns in T phases. Phase 0 reads all K values; besides its own sum it computes the
known parts of the next T - 1 sums. Phase j reads the partial sum prepared for it and the j values that came
since. These are the same sums, added in another order, for about K / T + T / 2 values a step in place of K.
They take no further memory: partial sums overwrite the oldest past values, which no later step needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from ...expressions import Expression, var
from .history import History
from .weighted_sums import Value, Weights, rewrite_sums, weighted_sum


class Phase(NamedTuple):
    """Arithmetic of one of the T kinds of steps.

    `rule`: the update, over current features, streams and running sums; here `stream0[K]`, the oldest past
    value of a stream, may stand for a partial sum. `prepared`: partial sums computed in phase 0, keyed by the
    past value that each overwrites ("stream0[17]").
    """

    rule: Expression
    prepared: Mapping[str, Expression]

    @property
    def reads(self) -> tuple[str, ...]:
        """The past values that are read."""
        read = (variable for rule in (self.rule, *self.prepared.values()) for variable in rule.variables)
        return tuple(dict.fromkeys(str(variable) for variable in read if variable.lag))


def split_into_phases(history: History) -> Sequence[Phase]:
    """The kinds of steps that take turns: one that reads all of the past, or T with less memory traffic.

    T depends on which past values are summed, not on their weights, which may change during a run.
    """
    sums = _exclusive_sums(history)
    period, most = 1, min((history.lengths[v.stream] for values in sums for v in values), default=1)
    while period < most and _traffic(sums, period + 1) < _traffic(sums, period):
        period += 1
    return _phases(history, sums, period) if period > 1 else [Phase(history.rule, {})]


def _exclusive_sums(history: History) -> list[list[Value]]:
    """The past values in each sum, of those streams that no other sum reads."""
    sums: list[list[Value]] = []

    def write(weights: Weights) -> Expression:
        sums.append([value for value in weights if value.lag])
        return weighted_sum(weights)

    rewrite_sums(history.rule, history.streams, write)
    readers = [stream for values in sums for stream in {v.stream for v in values}]
    exclusive = ([v for v in values if readers.count(v.stream) == 1] for values in sums)
    return [values for values in exclusive if values]


def _traffic(sums: Sequence[Sequence[Value]], period: int) -> float:
    """Past values that a step reads or writes for the sums, on average."""
    moved = 0
    for values in sums:
        ahead = {(v.stream, v.lag - later) for v in values for later in range(period) if v.lag > later}
        moved += len(ahead) + period - 1  # phase 0: what this sum and the next ones read, and these
        moved += sum(1 + sum(v.lag <= phase for v in values) for phase in range(1, period))
    return moved / period


def _phases(history: History, sums: Sequence[Sequence[Value]], period: int) -> Sequence[Phase]:
    lengths = history.lengths
    host = {
        v: values[0].stream for values in sums for v in values
    }  # the stream whose slots hold partial sums
    prepared: dict[str, Expression] = {}

    def prepare(weights: Weights) -> Expression:
        own = {v: weight for v, weight in weights.items() if v in host}
        for later in range(1, period) if own else ():
            known = {Value(v.stream, v.lag - later): weight for v, weight in own.items() if v.lag > later}
            stream = host[next(iter(own))]
            prepared[str(var(stream, lengths[stream] - later))] = weighted_sum(known).simplify()
        return weighted_sum(weights)

    def resume(weights: Weights, phase: int) -> Expression:
        own = [v for v in weights if v in host]
        if not own:
            return weighted_sum(weights)
        recent = {v: weight for v, weight in weights.items() if v not in host or v.lag <= phase}
        stream = host[own[0]]
        return var(stream, lengths[stream]) + weighted_sum(recent)

    def rule(write: Callable[[Weights], Expression]) -> Expression:
        return rewrite_sums(history.rule, history.streams, write).simplify()

    whole = Phase(rule(prepare), prepared)
    return [whole, *(Phase(rule(partial(resume, phase=phase)), {}) for phase in range(1, period))]
