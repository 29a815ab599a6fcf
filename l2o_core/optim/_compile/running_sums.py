"""FIR compaction: many lags of a stream replaced by a few running sums, within a stated error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ...expressions import Expression, const, var
from .exponential_sums import ExponentialSum, exponential_sum
from .history import Remembered
from .weighted_sums import Taps, added, rewritten, weighted


class Compacted(NamedTuple):
    """A weighted sum of a stream's lags that now costs a few running sums.

    `error` bounds the difference of the two sums, relative to the sum of the weights' sizes times the largest
    size of the stream (see `ExponentialSum`).
    """

    stream: str
    lags: int
    decays: tuple[float, ...]
    error: float


class Compaction(NamedTuple):
    """A rule over features of now, streams and running sums.

    `sums`: by name, the stream z and the decay rho of `sum <- rho sum + z`. `replaced`: what they stand for.
    """

    remembered: Remembered
    sums: Mapping[str, tuple[str, float]]
    replaced: Sequence[Compacted]


def compact(found: Remembered, tolerance: float) -> Compaction:
    """Running sums wherever the rule adds up lags of a stream, if fewer and within `tolerance`.

    Raises ConfigError for a tolerance outside (0, 1).
    """
    sums: dict[str, tuple[str, float]] = {}
    replaced: list[Compacted] = []

    def running(stream: str, fit: ExponentialSum, lags: int) -> Expression:
        replaced.append(Compacted(stream, lags, fit.decays, fit.error))
        total = None
        for amplitude, decay in zip(fit.amplitudes, fit.decays, strict=True):
            known = {key: name for name, key in sums.items()}
            name = known.get((stream, decay), f"sum{len(sums)}")
            sums[name] = stream, decay
            total = added(total, amplitude * var(name))
        return total

    def written(taps: Taps) -> Expression:
        """A sum with running sums where that is shorter."""
        total = None
        for stream in dict.fromkeys(variable.name for variable in taps):
            own = {v: weight for v, weight in taps.items() if v.name == stream and weight}
            weights = {v.lag: weight for v, weight in own.items()}
            depth = max(weights, default=0)
            row = [weights.get(lag, 0.0) for lag in range(depth + 1)]
            fit = exponential_sum(row, tolerance) if depth > 1 else None
            if fit and 2 * len(fit.decays) < depth + 1:  # a sum is read and written, a past value only read
                total = added(total, running(stream, fit, depth + 1))
            elif own:
                total = added(total, weighted(own))
        return const(0.0) if total is None else total

    rule = rewritten(found.rule, found.streams, written).simplify()
    return Compaction(Remembered(rule, found.streams) if replaced else found, sums, tuple(replaced))
