"""Many lags of a stream replaced by a few running sums, within a stated error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ...errors import ExpressionError
from ...expressions import Expression, var
from .exponential_sums import ExponentialSum, exponential_sum
from .history import History
from .numbers import Numbers
from .weighted_sums import Weights, add_up, find_sums, weighted, weighted_sum


class ReplacedLags(NamedTuple):
    """A weighted sum over lags of a stream that is now computed from a few running sums.

    `error` bounds the difference of the two sums, relative to the sum of the absolute weights times the
    largest absolute value of the stream (see `ExponentialSum`).
    """

    stream: str
    lags: int
    decays: tuple[float, ...]
    error: float


class RunningSums(NamedTuple):
    """A rule over current features, streams and running sums.

    `sums`: by name, the stream z and the decay rho of `sum <- rho sum + z`. `replaced`: the weighted sums
    that they stand for.
    """

    history: History
    sums: Mapping[str, tuple[str, float]]
    replaced: Sequence[ReplacedLags]


def use_running_sums(
    history: History, numbers: Numbers, tolerance: float, given: Mapping[str, float]
) -> RunningSums:
    """Put running sums wherever the rule adds up lags of a stream, if they are fewer and within `tolerance`.

    `given`: the values of names, on which the weights depend. Raises ConfigError for a tolerance outside
    (0, 1).
    """
    sums: dict[str, tuple[str, float]] = {}
    replaced: list[ReplacedLags] = []

    def running(stream: str, fit: ExponentialSum, lags: int) -> Expression:
        replaced.append(ReplacedLags(stream, lags, fit.decays, fit.error))
        terms = []
        for amplitude, decay in zip(fit.amplitudes, fit.decays, strict=True):
            known = {key: name for name, key in sums.items()}
            name = known.get((stream, decay), f"sum{len(sums)}")
            sums[name] = stream, decay
            terms.append(weighted(var(name), numbers.constant(amplitude), numbers))
        return add_up(terms, numbers)

    def write(weights: Weights) -> Expression:
        """A sum with running sums where that is shorter."""
        values = dict(zip(weights, numbers.values(weights.values(), given), strict=True))
        terms = []
        for stream in dict.fromkeys(value.stream for value in weights):
            by_lag = {v.lag: value for v, value in values.items() if v.stream == stream}
            longest = max((lag for lag, value in by_lag.items() if value), default=0)
            row = [by_lag.get(lag, 0.0) for lag in range(longest + 1)]
            fit = exponential_sum(row, tolerance) if longest > 1 else None
            if fit and 2 * len(fit.decays) < longest + 1:  # a sum is read and written, a past value only read
                terms.append(running(stream, fit, longest + 1))
            else:
                own = {v: weight for v, weight in weights.items() if v.stream == stream}
                terms.append(weighted_sum(own, numbers))
        return add_up(terms, numbers)

    try:
        rule = find_sums(history.rule, history.streams, numbers).written(write)
    except ExpressionError:  # written out in full, a sum would have more nodes than an expression may have
        return RunningSums(history, {}, ())
    return RunningSums(History(rule, history.streams) if replaced else history, sums, tuple(replaced))
