"""The weights of many lags as a sum of few exponentials.

`sum_k w[k] x[t - k]` over K lags needs K past values of every coordinate. Where `w[k]` is close to
`sum_j a_j rho_j^k`, it follows from n running sums `z_j <- rho_j z_j + x`, of which there are far fewer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ...errors import ConfigError, optional_import

STARTS = np.array([-0.5, 0.2, 0.5, 0.8, 0.9, 0.97])
"""Decays that a fit starts from: every combination of as many as it has terms."""
DIGITS = 6
"""Decimals of a decay: streams whose decays round to the same number share a running sum."""
HORIZON = 6
"""Weights are fitted over this many times their number, with zeros at the end, where exponentials go on."""


@dataclass(frozen=True)
class ExponentialSum:
    """`sum_j amplitudes[j] * decays[j]^k` for k = 0, 1, ..., in place of given weights.

    `error` bounds the difference: for any inputs within [-1, 1] the two weighted sums differ by at most
    `error` times the sum of the absolute weights, the tail after the last given weight included.
    """

    amplitudes: tuple[float, ...]
    decays: tuple[float, ...]
    error: float

    def weights(self, count: int) -> np.ndarray:
        """The first `count` weights."""
        return np.array(self.decays) ** np.arange(count)[:, None] @ np.array(self.amplitudes)


def exponential_sum(weights: Sequence[float], tolerance: float, terms: int = 4) -> ExponentialSum | None:
    """The shortest sum of up to `terms` exponentials within `tolerance` of `weights` [K], else None.

    Raises ConfigError for weights that are not finite or all zero, and a tolerance outside (0, 1).
    """
    target = np.asarray(weights, dtype=np.float64)
    if target.ndim != 1 or not np.isfinite(target).all() or not target.any():
        raise ConfigError("weights must be finite numbers, not all of them zero")
    if not 0 < tolerance < 1:
        raise ConfigError(f"tolerance must lie between 0 and 1, not {tolerance}")
    for count in range(1, min(terms, (len(target) + 1) // 2) + 1):
        fits = (_fitted(target, start) for start in combinations(STARTS, count))
        best = min(fits, key=lambda fit: fit.error)
        if best.error <= tolerance:
            return best
    return None


def _fitted(weights: np.ndarray, start: Sequence[float]) -> ExponentialSum:
    """Least squares by variable projection: decays are searched for, amplitudes solved for."""
    with optional_import("lag_tolerance", extra="distill"):
        from scipy.optimize import least_squares

    target = np.concatenate([weights, np.zeros((HORIZON - 1) * len(weights))])
    steps = np.arange(len(target))[:, None]

    def solved(decays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        powers = decays**steps
        amplitudes = np.linalg.lstsq(powers, target, rcond=None)[0]
        return amplitudes, powers @ amplitudes - target

    angles = least_squares(lambda a: solved(np.tanh(a))[1], np.arctanh(start), max_nfev=60).x
    decays = np.round(np.tanh(angles), DIGITS)
    amplitudes, residual = solved(decays)
    rest = np.abs(amplitudes) * np.abs(decays) ** len(target) / np.maximum(1 - np.abs(decays), 1e-12)
    error = (np.abs(residual).sum() + rest.sum()) / np.abs(weights).sum()
    return ExponentialSum(tuple(amplitudes.tolist()), tuple(decays.tolist()), float(error))
