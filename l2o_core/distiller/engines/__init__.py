"""Engines, which propose equations for a `Problem`: all take the same data and return expressions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from ...errors import EngineError, did_you_mean
from ...expressions import Expression
from ..problem import Problem
from .linear import Linear
from .operator_network import OperatorNetwork
from .operon import Operon
from .pysr import PySR


class Engine(Protocol):
    """An engine proposes equations of a problem's scaled columns, in any order and of any quality.

    `distill` refits nothing that an engine yields, but simplifies it, measures it, and chooses the front.
    """

    @property
    def name(self) -> str:
        """Name of the engine on fronts."""

    def search(
        self, problem: Problem, *, max_complexity: int, time_limit: float, seed: int
    ) -> Iterator[list[Expression]]:
        """Yield equations as they are found.

        Args:
            problem: The rows to fit.
            max_complexity: Nodes beyond which equations are not used.
            time_limit: Seconds, about.
            seed: Seed of everything random.
        """


__all__ = ["Engine", "Linear", "OperatorNetwork", "Operon", "PySR", "get", "names"]

_ENGINES: dict[str, Callable[[], Engine]] = {
    "operon": Operon,
    "pysr": PySR,
    "sol": OperatorNetwork,
    "linear": Linear,
}


def names() -> tuple[str, ...]:
    """Names of the engines."""
    return tuple(_ENGINES)


def get(engine: str | Engine) -> Engine:
    """The engine of that name with its default options; an engine is returned as it is.

    Args:
        engine: A name in `names()`, or an engine.

    Raises:
        EngineError: For an unknown name.

    Example:
        >>> get("linear")
        Linear(name='linear')
    """
    if hasattr(engine, "search") and hasattr(engine, "name"):
        return engine
    if not isinstance(engine, str):
        raise EngineError(
            f"an engine is a name ({', '.join(names())}) or has `search` and `name`, not {engine!r}"
        )
    if engine not in _ENGINES:
        raise EngineError(f"unknown engine {engine!r}; {did_you_mean(engine, names())}")
    return _ENGINES[engine]()
