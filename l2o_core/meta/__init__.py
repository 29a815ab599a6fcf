"""Training optimizers: unrolls, their meta-gradient, and the loop around them."""

from . import recipes
from .evaluation import evaluate
from .history import History
from .many import train_teachers
from .training import meta_train
from .tuning import tune

__all__ = ["History", "evaluate", "meta_train", "recipes", "train_teachers", "tune"]
