"""Discovery: small rules with a memory, searched directly on the losses of the runs that they lead."""

from .comparison import Difference, difference, evaluate_fresh, tuned_adam
from .grammar import Grammar
from .search import discover

__all__ = ["Difference", "Grammar", "difference", "discover", "evaluate_fresh", "tuned_adam"]
