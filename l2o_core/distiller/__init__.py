"""From trajectories to equations: record what an optimizer sees and does, and find the rule behind it."""

from .dataset import Dataset, collect, sample_windows
from .engines.hall_of_fame import read_hall_of_fame
from .eq6 import Eq6Fit, fit_eq6
from .front import Entry, ParetoFront, skeleton
from .search import distill, import_pysr

__all__ = [
    "Dataset",
    "Entry",
    "Eq6Fit",
    "ParetoFront",
    "collect",
    "distill",
    "fit_eq6",
    "import_pysr",
    "read_hall_of_fame",
    "sample_windows",
    "skeleton",
]
