"""From trajectories to equations: record what an optimizer sees and does, and find the rule behind it."""

from .dataset import Dataset, collect, windows
from .engines.hall_of_fame import read_hall_of_fame
from .eq6 import Thresholded, thresholded
from .front import Entry, ParetoFront, short, skeleton
from .search import distill, import_pysr

__all__ = [
    "Dataset",
    "Entry",
    "ParetoFront",
    "Thresholded",
    "collect",
    "distill",
    "import_pysr",
    "read_hall_of_fame",
    "short",
    "skeleton",
    "thresholded",
    "windows",
]
