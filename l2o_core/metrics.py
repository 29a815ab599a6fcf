"""Metrics of update rules: accuracy of a fit, temporal perception field, mapping complexity (SymL2O 3.5)."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from . import arguments
from .distiller import Dataset, ParetoFront, replay
from .distiller.replay import lagged_columns, remembers
from .distiller.rows import r2
from .errors import ConfigError, DataError
from .expressions import Expression
from .models import LearnedOptimizer

__all__ = [
    "mapping_complexity",
    "mapping_complexity_at",
    "r2",
    "r2_interval",
    "sensitivities",
    "temporal_perception_field",
    "temporal_perception_interval",
]


def temporal_perception_field(
    rule: Expression | LearnedOptimizer, data: Dataset
) -> float | tuple[float, ...]:
    r"""Temporal perception field, the number of steps that a rule looks back on average (SymL2O Eq. 3).

    .. math:: \mathrm{TPF} = \frac{\sum_i i\, c_i}{\sum_i c_i}

    with the sensitivity :math:`c_i` of the rule to lag i (see `sensitivities`).

    Args:
        rule: An equation, or a learned optimizer.
        data: Rows over which sensitivities are taken; those of a learned optimizer itself, if it is one.

    Returns:
        The field, in steps; a tuple with one number for each feature, in the order of the columns, if the
        data has several. A feature that the rule does not use has 0.

    Raises:
        DataError: If no column has a lag, or the features are not those that the optimizer reads.

    Example:
        >>> from l2o_core.expressions import parse
        >>> X = np.random.default_rng(0).normal(size=(100, 3))
        >>> data = Dataset(X, X[:, 0], ["g[0]", "g[1]", "g[2]"], groups=np.arange(100))
        >>> temporal_perception_field(parse("-0.1 * g[0] - 0.1 * g[2]"), data)
        1.0
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
    """Confidence interval of the temporal perception field, by the bootstrap over trajectories.

    Rows of one trajectory are alike, so whole trajectories are drawn.

    Args:
        rule: An equation, or a learned optimizer.
        data: Rows, with their trajectories as `groups`.
        level: Confidence level, in (0, 1).
        draws: Number of bootstrap samples.
        seed: Seed of the draws.

    Returns:
        Lower and upper bound, in steps, NaN where there are fewer than two trajectories; a tuple of such
        pairs if the data has several features.

    Raises:
        ConfigError: If the level is outside (0, 1), or for fewer than one draw or a negative seed.
        DataError: If no column has a lag, or the features are not those that the optimizer reads.
    """
    inverse, drawn = _resample(data.groups, level, draws, seed)
    bounds = []
    for slopes in _slopes(rule, data).values():
        reached = np.column_stack([_reached(data, lag) for lag in slopes])
        sums, rows = np.zeros((2, drawn.shape[1], len(slopes)))
        np.add.at(sums, inverse, np.where(reached, np.column_stack([*slopes.values()]), 0.0) ** 2)
        np.add.at(rows, inverse, reached)
        weights = np.sqrt(drawn @ sums / np.maximum(drawn @ rows, 1))
        fields = np.array([_mean_lag(dict(zip(slopes, draw, strict=True))) for draw in weights])
        bounds.append(_bounds(fields, level))
    return bounds[0] if len(bounds) == 1 else tuple(bounds)


def r2_interval(
    y: np.ndarray,
    prediction: np.ndarray,
    groups: np.ndarray,
    *,
    level: float = 0.95,
    draws: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """Confidence interval of R2, by the bootstrap over trajectories.

    Rows of one trajectory are alike, so whole trajectories are drawn. It tells how far R2 depends on the
    trajectories it was measured on, not how far teachers of other seeds differ.
    With a handful of trajectories it is too narrow.

    Args:
        y: Values, `[n]`.
        prediction: A prediction for each, `[n]`.
        groups: The trajectory `[n]` that each is from.
        level: Confidence level, in (0, 1).
        draws: Number of bootstrap samples.
        seed: Seed of the draws.

    Returns:
        Lower and upper bound; NaN where there are fewer than two trajectories or R2 is not finite.

    Raises:
        ConfigError: If the level is outside (0, 1), or for fewer than one draw or a negative seed.
        DataError: If the shapes differ.

    Example:
        >>> y = np.arange(12.0)
        >>> r2_interval(y, y, np.arange(12) // 3)
        (1.0, 1.0)
    """
    y, prediction = np.asarray(y, dtype=float), np.asarray(prediction, dtype=float)
    inverse, drawn = _resample(groups, level, draws, seed)
    if inverse.shape != np.shape(y):
        raise DataError(f"R2 needs a trajectory for each value, not {inverse.shape} for {np.shape(y)}")
    if not np.isfinite(r2(y, prediction)):
        return math.nan, math.nan
    centred = y - y.mean()
    parts = np.column_stack([np.ones(len(y)), centred, centred**2, (y - prediction) ** 2])
    sums = np.zeros((drawn.shape[1], 4))
    np.add.at(sums, inverse, parts)
    rows, total, squares, errors = (drawn @ sums).T
    spread = squares - total**2 / rows
    varied = spread > 1e-12 * squares  # a draw whose values are all the same has no R2
    return _bounds(1 - errors[varied] / spread[varied], level)


def sensitivities(rule: Expression | LearnedOptimizer, data: Dataset) -> dict[str, dict[int, float]]:
    r"""Sensitivity of a rule to each lag of each feature.

    .. math:: c_i = \sqrt{\mathrm{E}\left[(\partial \psi / \partial z_i)^2\right]}

    over the rows of the data whose windows reach back so far: before the first step of a run there is
    nothing to be sensitive to. For a linear rule that is exactly the absolute value of the coefficient. A
    learned optimizer is differentiated through its window, by its own features, starting from its recurrent
    state at the beginning of the window (see `distiller.replay`); on the rows of another optimizer, as an
    equation on those of its teacher, from none.

    Args:
        rule: An equation, or a learned optimizer.
        data: Rows over which the mean is taken.

    Returns:
        The sensitivities by feature and lag, in units of the rule per unit of the feature; to compare
        features, multiply by their standard deviations. 0 for a lag that no row reaches.

    Raises:
        DataError: If no column has a lag, or the features are not those that the optimizer reads.

    Example:
        >>> from l2o_core.expressions import parse
        >>> data = Dataset(np.ones((50, 2)), np.ones(50), ["g[0]", "g[1]"], groups=np.arange(50))
        >>> sensitivities(parse("-0.5 * g[0] + 2 * g[1]^2"), data)
        {'g': {0: 0.5, 1: 4.0}}
    """
    return {
        name: {lag: _root_mean_square(slope[_reached(data, lag)]) for lag, slope in slopes.items()}
        for name, slopes in _slopes(rule, data).items()
    }


def mapping_complexity(front: ParetoFront, tolerance: float = 0.05) -> int:
    """Mapping complexity, relative: nodes of the shortest equation that is nearly as accurate as the best.

    It is small where no equation explains a rule well; `mapping_complexity_at` is not.

    Args:
        front: Equations from short to accurate.
        tolerance: Largest difference in R2 from the best, on the rows that equations are chosen by.

    Raises:
        ConfigError: If the tolerance is negative.
        DataError: If the front has no R2 on these rows.

    Example:
        >>> from l2o_core.expressions import parse
        >>> from l2o_core.distiller import Entry
        >>> fits = {"g": 0.7, "2 * g": 0.9, "2 * g + tanh(g)": 0.92}
        >>> entries = [Entry(parse(text), 1 - fit, r2=0.6, r2_select=fit) for text, fit in fits.items()]
        >>> front = ParetoFront.of(entries, "operon", 1.0)
        >>> mapping_complexity(front)
        3
    """
    if not tolerance >= 0:
        raise ConfigError(f"tolerance must be a difference in R2, at least 0, not {tolerance}")
    fits = _fits(front)
    return min(complexity for complexity, fit in fits if fit >= max(fit for _, fit in fits) - tolerance)


def mapping_complexity_at(front: ParetoFront, r2: float) -> int | None:
    """Mapping complexity, absolute: nodes of the shortest equation that is close to a rule (SymL2O 3.5).

    The paper sets a threshold on the distance between a rule and its equation on validation rows, and does
    not say which. Here it is a threshold on R2, on the rows that equations are chosen by.

    Args:
        front: Equations from short to accurate.
        r2: The lowest R2 that is close enough, at most 1.

    Returns:
        The complexity; None where no equation of the front is close enough, so that it is above the largest
        one that was searched.

    Raises:
        ConfigError: If the threshold is above 1.
        DataError: If the front has no R2 on these rows.

    Example:
        >>> from l2o_core.expressions import parse
        >>> from l2o_core.distiller import Entry
        >>> fits = {"g": 0.7, "2 * g": 0.9, "2 * g + tanh(g)": 0.92}
        >>> entries = [Entry(parse(text), 1 - fit, r2=0.6, r2_select=fit) for text, fit in fits.items()]
        >>> front = ParetoFront.of(entries, "operon", 1.0)
        >>> mapping_complexity_at(front, 0.91), mapping_complexity_at(front, 0.95)
        (6, None)
    """
    if not r2 <= 1:
        raise ConfigError(f"r2 must be a threshold, at most 1, not {r2}")
    return min((complexity for complexity, fit in _fits(front) if fit >= r2), default=None)


def _fits(front: ParetoFront) -> list[tuple[int, float]]:
    """Complexity of each entry, and its R2 on the rows that equations are chosen by."""
    fits = [(entry.complexity, math.nan if entry.r2_select is None else entry.r2_select) for entry in front]
    if any(math.isnan(fit) for _, fit in fits):
        raise DataError("a front without R2 on the rows for choices: distil again, from targets that vary")
    return fits


def _resample(groups: np.ndarray, level: float, draws: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The number of each row's trajectory [n], and how often each draw has each trajectory, [draws, G].

    Of fewer than two trajectories there are no draws. Raises ConfigError for options that make no sense.
    """
    if not 0 < arguments.finite("level", level) < 1:
        raise ConfigError(f"level must lie between 0 and 1, not {level}")
    draws, seed = arguments.whole("draws", draws, 1), arguments.seed("seed", seed)
    labels, inverse = np.unique(groups, return_inverse=True)
    count = len(labels)
    if count < 2:
        return inverse, np.zeros((0, count), dtype=int)
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=draws)
    return inverse, drawn


def _bounds(values: np.ndarray, level: float) -> tuple[float, float]:
    """The middle of the values that holds so large a share of them; NaN of none."""
    if not len(values):
        return math.nan, math.nan
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _mean_lag(weights: dict[int, float]) -> float:
    total = sum(weights.values())
    return sum(lag * weight for lag, weight in weights.items()) / total if total else 0.0


def _root_mean_square(values: np.ndarray) -> float:
    return float(np.sqrt(np.square(values).mean())) if len(values) else 0.0


def _reached(data: Dataset, lag: int) -> np.ndarray:
    """Whether the run of each row had begun so many steps ago, `[n]`; it had, where the data do not say."""
    return np.broadcast_to(data.origin.get("step", np.inf) > lag, len(data))


def _slopes(rule: Expression | LearnedOptimizer, data: Dataset) -> dict[str, dict[int, np.ndarray]]:
    """The derivative [n] by each lag of each feature, row by row."""
    if not isinstance(rule, Expression | LearnedOptimizer):
        raise ConfigError(
            f"an Expression or a LearnedOptimizer is wanted, not a {type(rule).__name__}; a rule with a "
            "memory has a certificate, or run it as a models.Equation on rows that were collected from it"
        )
    return _of_equation(rule, data) if isinstance(rule, Expression) else _of_model(rule, data)


def _of_equation(rule: Expression, data: Dataset) -> dict[str, dict[int, np.ndarray]]:
    columns, inputs = lagged_columns(data), torch.tensor(data.inputs, requires_grad=True)
    values = dict(zip(data.names, inputs.unbind(1), strict=True))
    values = {name: inputs[:, lags[0]] for name, lags in columns.items() if 0 in lags} | values
    output = rule.evaluate(values)
    slopes = (_gradient(output, inputs) if rule.variables else torch.zeros_like(inputs)).numpy()
    return {name: {lag: slopes[:, i] for lag, i in lags.items()} for name, lags in columns.items()}


def _of_model(model: LearnedOptimizer, data: Dataset) -> dict[str, dict[int, np.ndarray]]:
    """Through the unrolled window, from the oldest step and the recurrent state before it to now.

    The state is the model's own, where the rows are; otherwise a hidden state of a teacher is none of its.
    """
    columns = lagged_columns(data)
    if not {*model.features.names} <= {*columns}:
        raise DataError(
            f"the model reads {', '.join(model.features.names)}, the data has {', '.join(columns)}: "
            "use rows that were collected from this model"
        )
    inputs = torch.tensor(data.inputs, requires_grad=True)
    updates = replay(model, data, inputs, memory=remembers(data, model))
    slopes = _gradient(updates, inputs).numpy()
    return {name: {lag: slopes[:, i] for lag, i in lags.items()} for name, lags in columns.items()}


def _gradient(output: Tensor, inputs: Tensor) -> Tensor:
    return torch.autograd.grad(output.sum(), inputs, materialize_grads=True)[0]
