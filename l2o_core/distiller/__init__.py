"""From trajectories to equations: collect rows, search, and choose from a Pareto front."""

from .dataset import Dataset, collect
from .distill import distill
from .front import Entry, ParetoFront

__all__ = ["Dataset", "Entry", "ParetoFront", "collect", "distill"]
