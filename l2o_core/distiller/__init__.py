"""From trajectories to equations: record what an optimizer sees and does, and find the rule behind it."""

from .dataset import Dataset, collect, windows
from .distill import distill
from .front import Entry, ParetoFront, short, skeleton

__all__ = [
    "Dataset",
    "Entry",
    "ParetoFront",
    "collect",
    "distill",
    "short",
    "skeleton",
    "windows",
]
