"""Engines: what proposes equations for a `Problem`. All take the same data, and all give expressions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from ...errors import EngineError, did_you_mean
from ...expressions import Expression
from ..problem import Problem
from .linear import Linear
from .operon import Operon
from .pysr import PySR


class Engine(Protocol):
    """Proposes equations of the problem's scaled columns, in any order and of any quality."""

    name: str

    def search(
        self, problem: Problem, *, max_complexity: int, time_limit: float, seed: int
    ) -> Iterator[list[Expression]]:
        """Equations as they are found, for about `time_limit` seconds and at most `max_complexity` nodes."""


_ENGINES = {"operon": Operon, "pysr": PySR, "linear": Linear}


def names() -> tuple[str, ...]:
    """Names that `get` knows."""
    return tuple(_ENGINES)


def get(engine: str | Engine) -> Engine:
    """The engine of that name with its defaults; an engine is returned as it is. Raises EngineError."""
    if not isinstance(engine, str):
        return engine
    if engine not in _ENGINES:
        raise EngineError(f"unknown engine {engine!r}; {did_you_mean(engine, names())}")
    return _ENGINES[engine]()
