"""Update rules at work: any equation as a `torch.optim.Optimizer`, and a zoo of known ones."""

from . import zoo
from .symbolic import SymbolicOptimizer

__all__ = ["SymbolicOptimizer", "zoo"]
