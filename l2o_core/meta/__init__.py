"""Training optimizers: unrolls, their meta-gradient, and the loop around them."""

from .evaluate import evaluate
from .train import History, meta_train

__all__ = ["History", "evaluate", "meta_train"]
