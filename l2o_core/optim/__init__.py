"""Update rules at work: any equation as a `torch.optim.Optimizer`, and a zoo of known rules.

The zoo is read without PyTorch, which is imported with the first use of `SymbolicOptimizer`.
"""

from typing import TYPE_CHECKING, Any

from . import zoo

if TYPE_CHECKING:
    from .symbolic import SymbolicOptimizer

__all__ = ["SymbolicOptimizer", "zoo"]


def __getattr__(name: str) -> Any:
    if name == "SymbolicOptimizer":
        from .symbolic import SymbolicOptimizer

        return SymbolicOptimizer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
