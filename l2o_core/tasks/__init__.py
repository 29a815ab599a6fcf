"""Optimizees: the problems that optimizers are trained and compared on."""

from __future__ import annotations

from typing import Any

from ..errors import ConfigError
from .base import Task
from .rastrigin import Rastrigin

_TASKS: dict[str, type[Task]] = {"p1": Rastrigin}

__all__ = ["Rastrigin", "Task", "load", "names"]


def names() -> tuple[str, ...]:
    """Names that `load` knows."""
    return tuple(_TASKS)


def load(name: str, **options: Any) -> Task:
    """The task of that name; options go to its constructor. Raises ConfigError for an unknown name."""
    if name not in _TASKS:
        raise ConfigError(f"unknown task {name!r}; known tasks: {', '.join(names())}")
    return _TASKS[name](**options)
