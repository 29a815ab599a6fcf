"""From trajectories to equations: record an optimizer at work, and find the rule behind its updates.

`collect` records, `distill` searches, and the `ParetoFront` it returns offers equations from short to
accurate.
"""

from .dataset import Dataset, collect, sample_windows
from .engines.hall_of_fame import read_hall_of_fame
from .eq6 import Eq6Fit, fit_eq6
from .front import Entry, ParetoFront, skeleton
from .problem import Problem, prepare
from .search import distill, import_pysr

__all__ = [
    "Dataset",
    "Entry",
    "Eq6Fit",
    "ParetoFront",
    "Problem",
    "collect",
    "distill",
    "fit_eq6",
    "import_pysr",
    "prepare",
    "read_hall_of_fame",
    "sample_windows",
    "skeleton",
]
