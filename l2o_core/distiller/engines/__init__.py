"""Symbolic-regression engines: each turns scaled columns and targets into candidate equations."""

from __future__ import annotations

from ...errors import EngineError
from .base import Engine, Search
from .linear import linear
from .operon import operon

ENGINES: dict[str, Engine] = {"linear": linear, "operon": operon}

__all__ = ["ENGINES", "Engine", "Search", "get"]


def get(name: str) -> Engine:
    """The engine of that name; EngineError for an unknown one."""
    if name not in ENGINES:
        raise EngineError(f"unknown engine {name!r}; known engines: {', '.join(ENGINES)}")
    return ENGINES[name]
