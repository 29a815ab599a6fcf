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
        optimizer: It reads features of the data; one that reads others is given raw gradients.
        data: Windows.
        inputs: Values `[n, columns]` in place of those of the data, for derivatives by them.
        memory: Begin with the recurrent state of the recorded run, where the data has it; else with none, as
            it must be for another optimizer than the recorded one.

    Returns:
        The updates, `[n]`.

    Raises:
        DataError: If no column has a lag, the data holds neither the optimizer's features nor gradients, or
            lags are missing among them, or its memory is that of another optimizer.
    """
    columns, names = lagged_columns(data), tuple(optimizer.features.names)
    dtype = next(optimizer.parameters(), torch.empty(0)).dtype
    inputs = torch.tensor(data.inputs) if inputs is None else inputs
    empty = inputs.new_zeros(len(inputs), dtype=dtype)
    if {*names} <= {*columns}:
        step: Callable[[Tensor, State], tuple[Tensor, State]] = optimizer.update
        state = _recorded_memory(optimizer, data) if memory and data.memory else optimizer.init_memory(empty)
        windows = inputs.to(dtype)[:, _window(columns, names)]  # [n, lags, F], newest step first
    elif tuple(columns) == ("g",):
        step, state = optimizer, optimizer.init_state(empty)
        windows = inputs.to(dtype)[:, _window(columns, ("g",))][..., 0]
    else:
        raise DataError(
            f"the optimizer reads {', '.join(names)}, the data has {', '.join(columns)}: "
            "use rows that were collected from it"
        )
    lags = windows.shape[1]
    length = np.minimum(data.origin.get("step", lags), lags) * np.ones(len(data), dtype=int)
    updates = windows.new_zeros(len(data))
    with torch.set_grad_enabled(inputs.requires_grad):
        for steps in np.unique(length):
            rows = torch.from_numpy(np.flatnonzero(length == steps))
            part, now, update = windows[rows], select(state, rows, dtype), updates[rows]
            for lag in reversed(range(steps)):
                update, now = step(part[:, lag], now)
            updates = updates.index_put((rows,), update)
    return updates


def remembers(data: Dataset, optimizer: LearnedOptimizer) -> bool:
    """Whether the memory in the data can be the optimizer's: it has the number and shapes of its own."""
    own = optimizer.init_memory(torch.zeros(1))
    shapes = [(len(data), *part.shape[1:]) for part in own]  # scalars are recorded once for each row
    return [tuple(part.shape) for part in data.memory] == shapes


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


def _recorded_memory(optimizer: LearnedOptimizer, data: Dataset) -> State:
    """The memory in the data. Raises DataError where it is that of another optimizer."""
    if not remembers(data, optimizer):
        found = ", ".join(str(list(part.shape[1:])) for part in data.memory)
        raise DataError(
            f"the memory in the data, {len(data.memory)} parts of {found} for each row, is not that of this "
            f"{type(optimizer).__name__}: the rows are another optimizer's; memory=False begins with none"
        )
    return data.memory


def _window(columns: dict[str, dict[int, int]], names: tuple[str, ...]) -> list[list[int]]:
    """Column numbers [lags, F] of some features, newest step first. DataError where lags are missing."""
    steps = max(map(len, columns.values()))
    for name in names:
        if missing := {*range(steps)} - {*columns[name]}:
            raise DataError(
                f"an optimizer runs through whole windows: the data lacks {name}[{min(missing)}]; "
                "collect rows with all lags of every feature"
            )
    return [[columns[name][lag] for name in names] for lag in range(steps)]
