"""FIR compaction: many lags of a stream replaced by a few running sums, within a stated error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..expressions import Expression, Variable, call, const, var
from ..expressions.operators import DENOMINATOR_CUT
from .exponentials import ExponentialSum, exponential_sum
from .streams import Remembered


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


class _Part(NamedTuple):
    """`rest + sum of taps[variable] * variable` over streams; a rest of None is 0."""

    taps: dict[Variable, float]
    rest: Expression | None


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
            total = _added(total, amplitude * var(name))
        return total

    def written(part: _Part) -> Expression:
        """A sum, no longer as taps: with running sums where that is shorter."""
        total = part.rest
        for stream in dict.fromkeys(variable.name for variable in part.taps):
            taps = {v.lag: weight for v, weight in part.taps.items() if v.name == stream and weight}
            depth = max(taps, default=0)
            weights = [taps.get(lag, 0.0) for lag in range(depth + 1)]
            fit = exponential_sum(weights, tolerance) if depth > 1 else None
            if fit and 2 * len(fit.decays) < depth + 1:  # a sum is read and written, a past value only read
                total = _added(total, running(stream, fit, depth + 1))
            else:
                for lag, weight in taps.items():
                    total = _added(total, weight * var(stream, lag))
        return const(0.0) if total is None else total

    def variable(leaf: Variable) -> _Part:
        if leaf.name in found.streams:
            return _Part({leaf: 1.0}, None)
        return _Part({}, var(leaf.name, leaf.lag))

    def operator(name: str, *parts: _Part) -> _Part:
        scale = _scale(name, parts)
        if scale:
            factor, part = scale
            return _Part(
                {v: factor * weight for v, weight in part.taps.items()},
                None if part.rest is None else call("*", factor, part.rest),
            )
        if name in ("+", "-") and any(part.taps for part in parts):
            sign = 1.0 if name == "+" else -1.0
            left, right = parts
            taps = dict(left.taps)
            for v, weight in right.taps.items():
                taps[v] = taps.get(v, 0.0) + sign * weight
            rest = left.rest if right.rest is None else _combined(name, left.rest, right.rest)
            return _Part(taps, rest)
        return _Part({}, call(name, *(written(part) for part in parts)))

    rule = written(found.rule.fold(variable, lambda value: _Part({}, const(value)), operator)).simplify()
    return Compaction(Remembered(rule, found.streams) if replaced else found, sums, tuple(replaced))


def _scale(name: str, parts: Sequence[_Part]) -> tuple[float, _Part] | None:
    """A weighted sum times a number, as this number and the sum."""
    if name == "neg" and parts[0].taps:
        return -1.0, parts[0]
    if name == "*":
        for number, part in (parts, parts[::-1]):
            if part.taps and (value := _number(number)) is not None:
                return value, part
    if name == "/" and parts[0].taps:
        value = _number(parts[1])
        if value is not None and abs(value) >= DENOMINATOR_CUT:
            return 1 / value, parts[0]
    return None


def _number(part: _Part) -> float | None:
    if part.taps or part.rest is None or part.rest.variables:
        return None
    rest = part.rest.simplify()
    return rest.root if isinstance(rest.root, float) else None


def _added(total: Expression | None, term: Expression) -> Expression:
    return term if total is None else total + term


def _combined(name: str, left: Expression | None, right: Expression) -> Expression:
    if left is None:
        return right if name == "+" else -right
    return call(name, left, right)
