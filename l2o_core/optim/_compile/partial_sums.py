"""Weighted sums over the past without reading all of it at every step: parts of them are computed ahead.

`w1 z[t-1] + ... + wK z[t-K]` reads K past values. But most terms of the sums at the next T - 1 steps are
known now. So steps take turns in T phases. Phase 0 reads all K values; besides its own sum it computes the
known parts of the next T - 1 sums. Phase j reads the partial sum prepared for it and the j values that came
since. These are the same sums, added in another order, for about K / T + T / 2 values a step in place of K.
They take no further memory: partial sums overwrite the oldest past values, which no later step needs.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import count
from typing import NamedTuple

from ...errors import ExpressionError
from ...expressions import Expression, var
from .history import History
from .numbers import Numbers
from .weighted_sums import Sums, Value, Weights, add_up, find_sums, weighted_sum


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


def split_into_phases(history: History, numbers: Numbers) -> Sequence[Phase]:
    """The kinds of steps that take turns: one that reads all of the past, or T with less memory traffic.

    T depends on which past values are summed, not on their weights, which may change during a run.
    """
    found, lengths = find_sums(history.rule, history.streams, numbers), history.lengths
    sums = _exclusive_sums(found)
    period, most = 1, min((lengths[v.stream] for values in sums for v in values), default=1)
    traffic = _traffic(sums)
    best = next(traffic)
    while period < most and (longer := next(traffic)) < best:
        period, best = period + 1, longer
    try:
        return _phases(found, lengths, numbers, sums, period) if period > 1 else [Phase(history.rule, {})]
    except ExpressionError:  # written out in full, a sum would have more nodes than an expression may have
        return [Phase(history.rule, {})]


def _exclusive_sums(found: Sums) -> list[list[Value]]:
    """The past values in each sum, of those streams that no other sum reads."""
    sums = [[value for value in weights if value.lag] for weights in found.weights]
    readers = Counter(stream for values in sums for stream in {v.stream for v in values})
    exclusive = ([v for v in values if readers[v.stream] == 1] for values in sums)
    return [values for values in exclusive if values]


def _traffic(sums: Sequence[Sequence[Value]]) -> Iterator[float]:
    """Past values that a step reads or writes for the sums, on average, with one phase, two, three ..."""
    lags: list[int] = []  # of the values of each stream in a sum, as the bits of an integer
    for values in sums:
        bits: dict[str, int] = defaultdict(int)
        for v in values:
            bits[v.stream] |= 1 << v.lag
        lags += bits.values()
    ahead, resumed = [0] * len(lags), 0
    for period in count(1):
        ahead = [known | (own >> period - 1) & ~1 for known, own in zip(ahead, lags, strict=True)]
        if period > 1:
            resumed += len(sums) + sum((own & (1 << period) - 1).bit_count() for own in lags)
        moved = sum(known.bit_count() for known in ahead) + len(sums) * (period - 1)
        yield (moved + resumed) / period


def _phases(
    found: Sums,
    lengths: Mapping[str, int],
    numbers: Numbers,
    sums: Sequence[Sequence[Value]],
    period: int,
) -> Sequence[Phase]:
    host = {
        v: values[0].stream for values in sums for v in values
    }  # the stream whose slots hold partial sums
    prepared: dict[str, Expression] = {}

    def prepare(weights: Weights) -> Expression:
        own = {v: weight for v, weight in weights.items() if v in host}
        for later in range(1, period) if own else ():
            known = {Value(v.stream, v.lag - later): weight for v, weight in own.items() if v.lag > later}
            stream = host[next(iter(own))]
            prepared[str(var(stream, lengths[stream] - later))] = weighted_sum(known, numbers)
        return weighted_sum(weights, numbers)

    def resume(weights: Weights, phase: int) -> Expression:
        own = [v for v in weights if v in host]
        if not own:
            return weighted_sum(weights, numbers)
        recent = {v: weight for v, weight in weights.items() if v not in host or v.lag <= phase}
        stream = host[own[0]]
        return add_up(
            [var(stream, lengths[stream]), weighted_sum(recent, numbers)][: 1 + bool(recent)], numbers
        )

    whole = Phase(found.written(prepare), prepared)
    return [whole, *(Phase(found.written(partial(resume, phase=phase)), {}) for phase in range(1, period))]
