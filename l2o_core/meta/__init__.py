"""Training optimizers: unrolls, their meta-gradient, and the loop around them."""

from . import recipes
from .batch import train_teachers
from .evaluate import evaluate
from .history import History
from .train import meta_train
from .tune import tune

__all__ = ["History", "evaluate", "meta_train", "recipes", "train_teachers", "tune"]
