"""The map from inputs to updates that an optimizer realises, run on recorded windows (SymL2O Figure 3)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from l2o_core.distiller import Dataset, replay
from l2o_core.expressions import Expression
from l2o_core.models import LearnedOptimizer

POINTS = 41


@dataclass(frozen=True)
class Response:
    """The updates [n] of a teacher and of its equation to values `x` [n] of one input."""

    x: np.ndarray
    teacher: np.ndarray
    equation: np.ndarray

    @property
    def error(self) -> float:
        """Root mean square of their difference, relative to that of the teacher's updates."""
        difference = np.square(self.teacher - self.equation).mean()
        return float(np.sqrt(difference / np.square(self.teacher).mean()))


def equation_updates(equation: Expression, data: Dataset) -> np.ndarray:
    """The updates [n] of an equation on the windows of `data`."""
    columns = dict(zip(data.names, torch.from_numpy(data.inputs.T.copy()), strict=True))
    return equation.evaluate(columns).expand(len(data)).numpy()


def response(
    optimizer: LearnedOptimizer, equation: Expression, data: Dataset, feature: str, lag: int = 0
) -> Response:
    """Both answers to one input, `lag` steps ago, while all else is as it was at one moment of a run.

    The moment is the window whose inputs have the median absolute sum; the input ranges over twice the 0.9
    quantile of the feature's magnitude, to either side. The teacher begins with the memory it had.
    """
    column = data.names.index(f"{feature}[{lag}]")
    width = 2 * np.quantile(np.abs(data.inputs[:, data.names.index(f"{feature}[0]")]), 0.9)
    moment = int(np.argsort(np.abs(data.inputs).sum(1))[len(data) // 2])
    inputs = data.inputs[[moment]].repeat(POINTS, axis=0)
    inputs[:, column] = x = np.linspace(-width, width, POINTS)
    memory = tuple(part[[moment]].expand(POINTS, *part.shape[1:]) for part in data.memory)
    varied = replace(
        data,
        inputs=inputs,
        targets=data.targets[[moment]].repeat(POINTS),
        groups=data.groups[[moment]].repeat(POINTS),
        memory=memory,
        origin={key: values[[moment]].repeat(POINTS) for key, values in data.origin.items()},
    )
    answers = replay(optimizer, varied).double().numpy()
    return Response(x, answers, equation_updates(equation, varied))
