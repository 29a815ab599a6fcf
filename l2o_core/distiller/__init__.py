"""From trajectories to equations: record an optimizer at work, and find the rule behind its updates.

`collect` records rows, `distill` searches, and the `ParetoFront` it returns offers equations from short to
accurate. For rules with a memory of their own, `record` keeps whole trajectories, and `distill_recurrent`
searches for rules that follow them in closed loop.
"""

from .closed_loop import ClosedLoop
from .dataset import Dataset, collect, sample_windows
from .engines.hall_of_fame import read_hall_of_fame
from .eq6 import Eq6Fit, fit_eq6
from .front import Entry, ParetoFront, skeleton
from .problem import Problem, prepare
from .recurrent import Memory, distill_recurrent
from .replay import replay
from .search import distill, import_pysr
from .trajectories import Trajectories, record
from .watching import Recording, watch

__all__ = [
    "ClosedLoop",
    "Dataset",
    "Entry",
    "Eq6Fit",
    "Memory",
    "ParetoFront",
    "Problem",
    "Recording",
    "Trajectories",
    "collect",
    "distill",
    "distill_recurrent",
    "fit_eq6",
    "import_pysr",
    "prepare",
    "read_hall_of_fame",
    "record",
    "replay",
    "sample_windows",
    "skeleton",
    "watch",
]
