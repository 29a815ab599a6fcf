"""PySR, the papers' engine, in a process of its own: PyTorch and Julia do not share one.

All of SymL2O's operators exist in PySR. Those that the paper extends to the whole real line, and the
quotient, are handed to Julia as `JULIA`; the rest are Julia's own.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError, EngineError
from ...expressions import Expression
from ..polish import polish
from ..problem import Problem
from .hall_of_fame import read

CHILD = Path(__file__).with_name("pysr_process.py")
STARTUP = 900.0  # seconds that Julia may take beyond the search: it installs and compiles the first time
NO_PYSR, NO_JULIA = 3, 4  # exit codes of the child

JULIA = {
    "signed_sqrt": "signed_sqrt(x) = sign(x) * sqrt(abs(x))",
    "signed_pow": "signed_pow(x, y) = sign(x) * abs(x)^y",
    "safe_div": "safe_div(x, y) = abs(y) < oftype(y, 2.0^-63) ? zero(x) : x / y",
}
BINARY = ("+", "-", "*", "safe_div", "signed_pow")
UNARY = ("square", "signed_sqrt", "exp", "tanh", "asinh", "sinh", "relu", "erfc")


SEARCH: Mapping[str, Any] = {
    "batching": False,  # every equation sees all rows
    "annealing": False,
    "crossover_probability": 0.0259,
    "use_frequency": True,
    "use_frequency_in_tournament": True,
    "adaptive_parsimony_scaling": 1040.0,
    "parsimony": 0.0,
    "weight_add_node": 2.47,
    "weight_insert_node": 0.0112,
    "weight_delete_node": 0.870,
    "weight_do_nothing": 0.273,
    "weight_mutate_constant": 0.0346,
    "weight_mutate_operator": 0.293,
    "weight_mutate_feature": 0.0,
    "weight_swap_operands": 0.198,
    "weight_rotate_tree": 4.26,
    "weight_randomize": 0.000502,
    "weight_simplify": 0.00209,
    "weight_optimize": 0.0,
}
"""What the paper does not state: the defaults of PySR 1, some of which PySR 2 has changed."""


@dataclass(frozen=True)
class PySR:
    """PySR with the settings of SymL2O App. C, in a process of its own; needs Julia.

    The paper's "population number" of 200 is read as the number of populations, which PySR calls so too.
    Everything that the paper leaves open is set to the defaults of PySR 1, whatever version is installed.

    Args:
        iterations: Iterations of PySR.
        populations: Number of its populations.
        population_size: Equations in each of them.
        maxsize: Nodes, as PySR counts them, of the largest equation that it tries; what is then larger than
            the search's `max_complexity` is not used.
        rows: Rows that it sees.
        binary: Operators of two arguments.
        unary: Operators of one argument.
        deterministic: Whether to run on one thread, and return the same front again.
        evaluations: Limit on the number of equations tried.
        options: Further arguments of PySRRegressor; they win over those set here.
        name: Name of the engine on fronts.
    """

    iterations: int = 300
    populations: int = 200
    population_size: int = 27
    maxsize: int = 200
    rows: int = 5000
    binary: tuple[str, ...] = BINARY
    unary: tuple[str, ...] = UNARY
    deterministic: bool = False
    evaluations: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    name: str = "pysr"

    def settings(self, max_complexity: int, time_limit: float, seed: int) -> dict[str, Any]:
        """Arguments of PySRRegressor, as plain values."""
        settings = {
            **SEARCH,
            "niterations": self.iterations,
            "populations": self.populations,
            "population_size": self.population_size,
            "binary_operators": [JULIA.get(name, name) for name in self.binary],
            "unary_operators": [JULIA.get(name, name) for name in self.unary],
            "maxsize": max(self.maxsize, max_complexity, 7),  # 7 is the least that PySR takes
            "timeout_in_seconds": time_limit,
            "max_evals": self.evaluations,
            "random_state": seed,
            "progress": False,
            "verbosity": 0,
        }
        if self.deterministic:
            settings |= {"deterministic": True, "parallelism": "serial"}
        return settings | dict(self.options)

    def search(
        self, problem: Problem, *, max_complexity: int, time_limit: float, seed: int
    ) -> Iterator[list[Expression]]:
        """Yield the hall of fame each time that PySR writes it; Julia's start does not count as search.

        Raises:
            EngineError: If PySR or Julia is missing, or the process fails or never ends.
        """
        with tempfile.TemporaryDirectory(prefix="pysr-") as name:
            folder = Path(name)
            rows = np.random.default_rng(seed).permutation(problem.parts["fit"])[: self.rows]
            np.savez(folder / "rows.npz", X=problem.X[rows], y=problem.y[rows])
            settings = self.settings(max_complexity, time_limit, seed)
            settings |= {"output_directory": str(folder), "run_id": "run"}
            (folder / "settings.json").write_text(
                json.dumps(settings, default=lambda number: number.tolist()), encoding="utf-8"
            )
            latest: list[Expression] = []
            for latest in _run_child(folder, problem.names, time.monotonic() + STARTUP + time_limit):
                yield latest
            fit = problem.rows("fit")
            yield [polish(equation, fit) for equation in latest]


def _run_child(folder: Path, names: tuple[str, ...], deadline: float) -> Iterator[list[Expression]]:
    """Run the child and yield each hall of fame that it writes; it never outlives this generator."""
    seen = None
    with (folder / "errors.txt").open("wb") as errors:
        # -P: else this folder comes first, and this module would be taken for PySR itself
        command = [sys.executable, "-P", str(CHILD), str(folder)]
        nothing = subprocess.DEVNULL
        child = subprocess.Popen(
            command, stdin=nothing, stdout=nothing, stderr=errors, start_new_session=True
        )
    try:
        while True:
            ended = child.poll() is not None
            latest = _read(folder, names)
            if latest and latest != seen:
                yield latest
                seen = latest
            if ended:
                break
            if time.monotonic() > deadline:
                if seen:
                    return
                raise EngineError(f"PySR wrote no equation within {STARTUP:.0f} s of its start")
            time.sleep(0.2)
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    if child.returncode and not seen:
        raise _failure(child.returncode, (folder / "errors.txt").read_text(errors="replace"))


def _read(folder: Path, names: tuple[str, ...]) -> list[Expression]:
    """The latest hall of fame; empty while there is none, or it is just being written."""
    for file in ("hall_of_fame.csv.bak", "hall_of_fame.csv"):
        try:
            return read(folder / "run" / file, names, "positions").equations
        except DataError:
            continue
    return []


def _failure(code: int, errors: str) -> EngineError:
    last = " ".join(errors.strip().splitlines()[-1:])
    if code == NO_PYSR:
        return EngineError("engine 'pysr' needs PySR: pip install pysr, or use engine='operon'")
    if code == NO_JULIA:
        return EngineError(
            "engine 'pysr' needs Julia, which PySR fetches by itself where there is a network: run "
            f"python -c 'import pysr' once, or use engine='operon' ({last})"
        )
    return EngineError(f"PySR failed: {last or f'exit code {code}'}")
