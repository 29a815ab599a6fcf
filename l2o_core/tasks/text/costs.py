"""What an optimizer costs: seconds, and bytes of its state."""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import Tensor


def state_bytes(optimizer: torch.optim.Optimizer) -> int:
    """The size of all tensors in the state of an optimizer, each memory counted once.

    Args:
        optimizer: After its first step.

    Example:
        >>> parameter = torch.nn.Parameter(torch.ones(1000))
        >>> adam = torch.optim.Adam([parameter])
        >>> parameter.sum().backward()
        >>> _ = adam.step()
        >>> state_bytes(adam)  # two moments, and the number of steps
        8004
    """
    held: dict[int, int] = {}

    def count(value: Any) -> None:
        if isinstance(value, Tensor):
            memory = value.untyped_storage()
            held[memory.data_ptr()] = memory.nbytes()
        elif isinstance(value, dict):
            for part in value.values():
                count(part)
        elif isinstance(value, list | tuple):
            for part in value:
                count(part)

    count(dict(optimizer.state))
    return sum(held.values())


class Clock:
    """Seconds of training, and of the optimizer's steps in it; continued after a kill."""

    def __init__(self, optimizer: torch.optim.Optimizer, before: dict[str, float]):
        self.seconds, self.steps = before.get("seconds", 0.0), before.get("optimizer_seconds", 0.0)
        self._since = self._step = 0.0
        optimizer.register_step_pre_hook(lambda *_: self._begin())
        optimizer.register_step_post_hook(lambda *_: self._end())

    def start(self) -> None:
        """Begin, or go on after a break."""
        self._since = time.perf_counter()

    def lap(self) -> None:
        """Add what has passed since the last time."""
        now = time.perf_counter()
        self.seconds, self._since = self.seconds + now - self._since, now

    def _begin(self) -> None:
        self._step = time.perf_counter()

    def _end(self) -> None:
        self.steps += time.perf_counter() - self._step
