"""Learned optimizers that are equations: train, distil, understand and reuse them.

Parts of the library are loaded when they are first used, so `import l2o_core` takes no time, and
`SymbolicOptimizer` needs no package beyond PyTorch, NumPy, PyYAML and safetensors.

Example:
    >>> import l2o_core
    >>> rule = l2o_core.parse("-m_hat / (1 + abs(g_hat[3]))")
    >>> rule.complexity
    7
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import (
        certificates,
        discovery,
        distiller,
        expressions,
        features,
        meta,
        metrics,
        models,
        optim,
        tasks,
    )
    from .discovery import discover
    from .distiller import collect, distill
    from .errors import L2OError
    from .expressions import Expression, parse
    from .meta import evaluate, meta_train, tune
    from .optim import SymbolicOptimizer

__all__ = [
    "Expression",
    "L2OError",
    "SymbolicOptimizer",
    "certificates",
    "collect",
    "discover",
    "discovery",
    "distill",
    "distiller",
    "evaluate",
    "expressions",
    "features",
    "meta",
    "meta_train",
    "metrics",
    "models",
    "optim",
    "parse",
    "tasks",
    "tune",
]

_HOMES = {
    "Expression": "expressions",
    "L2OError": "errors",
    "SymbolicOptimizer": "optim",
    "collect": "distiller",
    "discover": "discovery",
    "distill": "distiller",
    "evaluate": "meta",
    "meta_train": "meta",
    "parse": "expressions",
    "tune": "meta",
}


def __getattr__(name: str) -> Any:
    """Load a part of the library at its first use (PEP 562)."""
    value: Any
    if name == "__version__":
        from importlib.metadata import version

        value = version(__name__)
    elif name in _HOMES:
        value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    elif name in __all__:
        value = import_module(f".{name}", __name__)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
