"""How well a rule is matched, how far back it looks, and how complex it must be (SymL2O 3.5)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .distiller import Dataset, ParetoFront
from .distiller.rows import r2
from .errors import ConfigError, DataError
from .expressions import Expression, Variable, parse
from .models import LearnedOptimizer

__all__ = [
    "mapping_complexity",
    "r2",
    "sensitivities",
    "temporal_perception_field",
    "temporal_perception_interval",
]


def temporal_perception_field(
    rule: Expression | LearnedOptimizer, data: Dataset
) -> float | tuple[float, ...]:
    """How many steps back a rule looks on average (SymL2O Eq. 3); a tuple if the data has several features.

    The weight of each lag is its sensitivity. A feature that the rule does not use has 0.
    """
    fields = tuple(_mean_lag(weights) for weights in sensitivities(rule, data).values())
    return fields[0] if len(fields) == 1 else fields


def temporal_perception_interval(
    rule: Expression | LearnedOptimizer,
    data: Dataset,
    *,
    level: float = 0.95,
    draws: int = 1000,
    seed: int = 0,
) -> tuple[float, float] | tuple[tuple[float, float], ...]:
    """Bounds of the temporal perception field at a confidence `level`; a tuple of them for several features.

    By the bootstrap over trajectories: rows of one are alike, so whole trajectories are drawn. Raises
    ConfigError for a level outside (0, 1), DataError where the data has no lags.
    """
    if not 0 < level < 1:
        raise ConfigError(f"level must lie between 0 and 1, not {level}")
    labels, inverse, counts = np.unique(data.groups, return_inverse=True, return_counts=True)
    chances = np.full(len(labels), 1 / len(labels))
    drawn = np.random.default_rng(seed).multinomial(len(labels), chances, size=draws)  # [draws, G]
    rows = drawn @ counts
    bounds = []
    for slopes in _slopes(rule, data).values():
        sums = np.zeros((len(labels), len(slopes)))
        np.add.at(sums, inverse, np.column_stack([*slopes.values()]) ** 2)
        weights = np.sqrt(drawn @ sums / rows[:, None])
        fields = [_mean_lag(dict(zip(slopes, draw, strict=True))) for draw in weights]
        low, high = np.quantile(fields, [(1 - level) / 2, (1 + level) / 2])
        bounds.append((float(low), float(high)))
    return bounds[0] if len(bounds) == 1 else tuple(bounds)


def sensitivities(rule: Expression | LearnedOptimizer, data: Dataset) -> dict[str, dict[int, float]]:
    """The influence of each lag, by feature: `sqrt(E[(d rule / d z[i])^2])` over the data.

    Of a linear rule that is exactly `|c_i|`. It is in units of the rule per unit of the feature; to compare
    features, multiply by their standard deviations. A model is differentiated through its whole window, by
    its own features, from what it remembered before. Raises `DataError` where the data has no lags.
    """
    return {
        name: {lag: float(np.sqrt(np.square(slope).mean())) for lag, slope in slopes.items()}
        for name, slopes in _slopes(rule, data).items()
    }


def mapping_complexity(front: ParetoFront, tolerance: float = 0.05) -> int:
    """Nodes of the shortest equation whose held-out R2 is within `tolerance` of the best (SymL2O 3.5)."""
    if not tolerance >= 0:
        raise ConfigError(f"tolerance must be a difference in R2, at least 0, not {tolerance}")
    best = max(entry.r2 for entry in front)
    return min(entry.complexity for entry in front if entry.r2 >= best - tolerance)


def _mean_lag(weights: dict[int, float]) -> float:
    total = sum(weights.values())
    return sum(lag * weight for lag, weight in weights.items()) / total if total else 0.0


def _columns(data: Dataset) -> dict[str, dict[int, int]]:
    """Column number by feature and lag, of the columns that have a lag."""
    columns: dict[str, dict[int, int]] = {}
    for i, name in enumerate(data.names):
        variable = parse(name).root
        if isinstance(variable, Variable) and variable.lag is not None:
            columns.setdefault(variable.name, {})[variable.lag] = i
    if not columns:
        raise DataError(f"no column has a lag: {', '.join(data.names)}")
    return columns


def _slopes(rule: Expression | LearnedOptimizer, data: Dataset) -> dict[str, dict[int, np.ndarray]]:
    """The derivative [n] by each lag of each feature, row by row."""
    return _of_equation(rule, data) if isinstance(rule, Expression) else _of_model(rule, data)


def _of_equation(rule: Expression, data: Dataset) -> dict[str, dict[int, np.ndarray]]:
    columns, inputs = _columns(data), torch.tensor(data.inputs, requires_grad=True)
    values = dict(zip(data.names, inputs.unbind(1), strict=True))
    values = {name: inputs[:, lags[0]] for name, lags in columns.items() if 0 in lags} | values
    output = rule.evaluate(values)
    slopes = (_gradient(output, inputs) if rule.variables else torch.zeros_like(inputs)).numpy()
    return {name: {lag: slopes[:, i] for lag, i in lags.items()} for name, lags in columns.items()}


def _of_model(model: LearnedOptimizer, data: Dataset) -> dict[str, dict[int, np.ndarray]]:
    """Through the unrolled window: from the oldest lag, and what was remembered before it, to now."""
    columns = _columns(data)
    if tuple(columns) != tuple(model.features.names):
        raise DataError(
            f"the model reads {', '.join(model.features.names)}, the data has {', '.join(columns)}: "
            "use rows that were collected from this model"
        )
    dtype = next(model.parameters()).dtype
    order = [[lags[lag] for lags in columns.values()] for lag in range(len(next(iter(columns.values()))))]
    window = torch.tensor(data.inputs[:, order], dtype=dtype).requires_grad_()  # [n, lags, F]
    memory = data.memory or model.init_memory(window[:, 0, 0].detach())
    for lag in reversed(range(len(order))):
        update, memory = model.update(window[:, lag], memory)
    slopes = _gradient(update, window).double().numpy()
    return {name: {lag: slopes[:, lag, f] for lag in range(len(order))} for f, name in enumerate(columns)}


def _gradient(output: Tensor, inputs: Tensor) -> Tensor:
    return torch.autograd.grad(output.sum(), inputs)[0]
