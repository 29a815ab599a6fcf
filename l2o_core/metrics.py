"""Numbers that describe an update rule: accuracy, temporal perception field, mapping complexity."""

from __future__ import annotations

import copy
import math
import re
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from .errors import ConfigError, DataError
from .expressions import Expression
from .models.base import CoordinateOptimizer

if TYPE_CHECKING:
    from .distiller.dataset import Dataset
    from .distiller.front import ParetoFront


def r2(targets: ArrayLike, predictions: ArrayLike) -> float:
    """Fraction of variance explained: 1 is exact, 0 no better than the mean, minus infinity if not finite."""
    y, p = np.asarray(targets, float), np.asarray(predictions, float)
    if not np.isfinite(p).all():
        return -np.inf
    spread = np.square(y - y.mean()).sum()
    if spread == 0:
        raise DataError("R2 is not defined for constant targets")
    return float(1 - np.square(y - p).sum() / spread)


def temporal_perception_field(
    rule: Expression | CoordinateOptimizer, data: Dataset
) -> float | dict[str, float]:
    """How many steps back a rule looks, on average: the mean lag weighted by sensitivity (SymL2O Eq. 3).

    The weight of lag i is the root-mean-square derivative of the update by the feature at that lag, over the
    rows, features scaled to unit variance; for a linear rule that is |c_i|, and Eq. 3 as printed. A
    number for one feature, a dictionary by feature for several.
    """
    weights = sensitivities(rule, data)
    fields = {}
    for feature, by_lag in weights.items():
        total = sum(by_lag.values())
        fields[feature] = sum(lag * weight for lag, weight in by_lag.items()) / total if total else 0.0
    return next(iter(fields.values())) if len(fields) == 1 else fields


def sensitivities(rule: Expression | CoordinateOptimizer, data: Dataset) -> dict[str, dict[int, float]]:
    """Root-mean-square derivative by each lag of each feature, features scaled to unit variance.

    A feature has one scale for all its lags: they are the same series, shifted.
    """
    inputs = torch.tensor(data.inputs, requires_grad=True)
    output = _respond(rule, inputs, data.names)
    (gradient,) = torch.autograd.grad(output.sum(), inputs)
    slopes, variances = gradient.square().mean(0).sqrt().tolist(), inputs.detach().var(0).tolist()
    columns: dict[str, dict[int, int]] = {}
    for column, name in enumerate(data.names):
        feature, lag = split_lag(name)
        columns.setdefault(feature, {})[lag] = column
    weights = {}
    for feature, by_lag in columns.items():
        scale = math.sqrt(sum(variances[column] for column in by_lag.values()) / len(by_lag))
        weights[feature] = {lag: scale * slopes[column] for lag, column in by_lag.items()}
    return weights


def mapping_complexity(front: ParetoFront, tolerance: float = 0.02) -> int:
    """The smallest complexity whose held-out R2 is within `tolerance` of the front's best (SymL2O 3.5)."""
    if tolerance < 0:
        raise ConfigError(f"tolerance must not be negative, not {tolerance}")
    best = max(entry.r2 for entry in front)
    return next(entry.complexity for entry in front if entry.r2 >= best - tolerance)


def split_lag(name: str) -> tuple[str, int]:
    """Feature and lag of a column: "m_hat[3]" is m_hat, 3; a name without a lag means now."""
    match = re.fullmatch(r"(\w+)(?:\[(\d+)\])?", name)
    if not match:
        raise DataError(f"{name!r} does not name a feature and a lag, like g[3]")
    return match[1], int(match[2] or 0)


def _respond(rule: Expression | CoordinateOptimizer, inputs: Tensor, names: list[str]) -> Tensor:
    """The rule's update [n] for the windows `inputs` [n, d]."""
    columns = dict(zip(names, inputs.unbind(-1), strict=True))
    if isinstance(rule, Expression):
        known = columns | {
            feature: columns[f"{feature}[0]"] for feature, lag in map(split_lag, names) if not lag
        }
        return rule.evaluate(known).expand(len(inputs)) + 0 * inputs.sum(-1)
    lags = 1 + max(split_lag(name)[1] for name in names)
    rule = copy.deepcopy(rule).double()
    memory = rule.init_memory(inputs[:, 0])
    for lag in reversed(range(lags)):
        step = torch.stack([columns[f"{feature}[{lag}]"] for feature in rule.features.names], dim=-1)
        update, memory = rule.update(step, memory)
    return update
