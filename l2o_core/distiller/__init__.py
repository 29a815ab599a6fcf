"""From trajectories to equations: record what an optimizer sees and does, and find the rule behind it."""

from .dataset import Dataset, collect, windows
from .distill import distill
from .front import Entry, ParetoFront, short, skeleton
from .hall_of_fame import read_hall_of_fame
from .imported import import_pysr
from .thresholded import Thresholded, thresholded

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
