"""Meta-training: unrolls, their meta-gradient, the training loop around them, and evaluation."""

from . import recipes
from .config import TrainingConfig
from .evaluation import evaluate
from .history import History
from .many import train_teachers
from .population import evaluate_rules
from .simplex import tune_without_gradients
from .training import meta_train
from .tuning import tune

__all__ = [
    "History",
    "TrainingConfig",
    "evaluate",
    "evaluate_rules",
    "meta_train",
    "recipes",
    "train_teachers",
    "tune",
    "tune_without_gradients",
]
