"""Least squares on the inputs: the honest baseline that a distilled equation must beat."""

from __future__ import annotations

import numpy as np

from ...expressions import Expression, const
from .base import Search


def linear(search: Search) -> list[Expression]:
    """Linear rules of 0, 1, 2, ... and all inputs, chosen one by one (orthogonal matching pursuit)."""
    raw = [i for i, term in enumerate(search.terms) if term.complexity == 1]
    Z, y = search.columns[:, raw], search.targets
    terms = [search.terms[i] for i in raw]
    found, chosen, residual = [const(float(y.mean()))], [], y - y.mean()
    while len(chosen) < len(raw):
        correlation = np.abs((Z - Z.mean(0)).T @ residual)
        correlation[chosen] = -1.0
        chosen.append(int(correlation.argmax()))
        design = np.column_stack([Z[:, chosen], np.ones(len(y))])
        weights = np.linalg.lstsq(design, y, rcond=None)[0]
        residual = y - design @ weights
        found.append(_weighted_sum(weights, [terms[i] for i in chosen]))
    return found


def _weighted_sum(weights: np.ndarray, terms: list[Expression]) -> Expression:
    """w_1 x_1 + w_2 x_2 + ... + w_0, without an intercept that does nothing."""
    *slopes, intercept = weights.tolist()
    total = slopes[0] * terms[0]
    for slope, term in zip(slopes[1:], terms[1:], strict=True):
        total = total + slope * term
    return total + intercept if abs(intercept) > 1e-9 * max(map(abs, slopes)) else total
