"""An optimizer run once more through the windows that were recorded of it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ..errors import DataError
from ..expressions import Variable, parse
from ..features import State
from ..models.base import LearnedOptimizer, select
from .dataset import Dataset


def replay(
    optimizer: LearnedOptimizer, data: Dataset, inputs: Tensor | None = None, *, memory: bool = True
) -> Tensor:
    """The updates of an optimizer that is run through each window, oldest step first.

    A window that reaches back before the first step of its run begins at that step: its zeros are no steps.

    Args:
        optimizer: It reads the features of the data; one that reads others is given raw gradients.
        data: Windows.
        inputs: Values `[n, columns]` in place of those of the data, for derivatives by them.
        memory: Begin with the recurrent state of the recorded run, where the data has it; else with none.

    Returns:
        The updates, `[n]`.

    Raises:
        DataError: If no column has a lag, or the data holds neither the optimizer's features nor gradients.
    """
    columns = lagged_columns(data)
    dtype = next(optimizer.parameters(), torch.empty(0)).dtype
    inputs = torch.tensor(data.inputs) if inputs is None else inputs
    order = [[lags[lag] for lags in columns.values()] for lag in range(len(next(iter(columns.values()))))]
    windows = inputs.to(dtype)[:, order]  # [n, lags, F], newest step first
    empty = windows[:, 0, 0].detach()
    if tuple(columns) == tuple(optimizer.features.names):
        step: Callable[[Tensor, State], tuple[Tensor, State]] = optimizer.update
        state = data.memory if memory and data.memory else optimizer.init_memory(empty)
    elif tuple(columns) == ("g",):
        step, state, windows = optimizer, optimizer.init_state(empty), windows[..., 0]
    else:
        raise DataError(
            f"the optimizer reads {', '.join(optimizer.features.names)}, the data has {', '.join(columns)}: "
            "use rows that were collected from it"
        )
    length = np.minimum(data.origin.get("step", len(order)), len(order)) * np.ones(len(data), dtype=int)
    updates = windows.new_zeros(len(data))
    with torch.set_grad_enabled(inputs.requires_grad):
        for steps in np.unique(length):
            rows = torch.from_numpy(np.flatnonzero(length == steps))
            part, now, update = windows[rows], select(state, rows, dtype), updates[rows]
            for lag in reversed(range(steps)):
                update, now = step(part[:, lag], now)
            updates = updates.index_put((rows,), update)
    return updates


def lagged_columns(data: Dataset) -> dict[str, dict[int, int]]:
    """Column number by feature and lag, of the columns that have a lag.

    Raises:
        DataError: If there is none.
    """
    columns: dict[str, dict[int, int]] = {}
    for i, name in enumerate(data.names):
        variable = parse(name).root
        if isinstance(variable, Variable) and variable.lag is not None:
            columns.setdefault(variable.name, {})[variable.lag] = i
    if not columns:
        raise DataError(f"no column has a lag: {', '.join(data.names)}")
    return columns
