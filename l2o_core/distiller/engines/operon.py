"""Operon: multi-objective genetic programming with least-squares coefficients (Burlacu et al. 2020).

What Operon lacks is offered to it in other forms, so that no operator of SymL2O's list is silently absent:

============================  ==================================================================
SymL2O's operator             here
============================  ==================================================================
``+ - * / square exp tanh``   as they are
``sqrt``                      of positive arguments as it is, ``sqrt(abs(x))`` of any; as signed root a
                              transform of the inputs
``pow``                       as ``pow(abs(x), y)``, with ``symbols=(..., "powabs")``
``relu``                      as ``min`` or ``max`` of an argument and a constant
``sinh``                      as it is, with ``symbols=(..., "sinh")``
``asinh``, ``erfc``           transforms of the inputs: ``asinh`` by default, any by ``transforms``
============================  ==================================================================

Operon's quotient has no value where the denominator is 0, which for gradients happens (a dead unit). So it
also gets the analytic quotient ``x / sqrt(1 + y^2)`` (Ni et al. 2013), and no input is exactly 0.
"""

from __future__ import annotations

import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...errors import EngineError, optional_import
from ...expressions import Expression, call, const
from ...processors import processors
from .. import columns
from ..problem import Problem
from ..refine import EXACT, refine
from ..rows import loss

if TYPE_CHECKING:
    import pyoperon

SYMBOLS = ("add", "sub", "mul", "div", "aq", "square", "sqrt", "sqrtabs", "exp", "tanh", "abs", "fmin")
ROUNDS = ((60, 6), (30, 4), (6, 2), (0, 1))  # from so many seconds on, so many rounds
SEARCH_FRACTION = 0.55  # of a round's time; the rest is for fitting and pruning
TINY = 1e-9  # stands in for an input of 0; inputs have unit variance


@dataclass(frozen=True)
class Operon:
    """Genetic programming with Operon: NSGA-II on R2 and length, constants by Levenberg-Marquardt.

    The equations of each round are then completed over the lags, fitted on all rows, and pruned. Rounds
    alternate between the raw columns with transforms of them and the raw columns with weighted sums over
    lags.

    Args:
        symbols: Operon's names of the operators to use.
        transforms: Functions of single inputs that are offered as further columns.
        population: Candidates in a generation.
        rows: Rows that a round sees, drawn anew for each; enough to rank shapes.
        max_length: Operon's limit on the length of candidates, in its own count.
        generations: Limit on the generations of a round.
        evaluations: Limit on the evaluations of a candidate in a round. A search that this limit or
            `generations` ends before its time returns the same front again on one thread.
        threads: Threads; None takes all cores of this process.
        name: Name of the engine on fronts.
    """

    symbols: tuple[str, ...] = SYMBOLS
    transforms: tuple[str, ...] = ("asinh", "sqrt")
    population: int = 500
    rows: int = 1000
    max_length: int = 30
    generations: int = 100_000
    evaluations: int = 2**62
    threads: int | None = None
    name: str = "operon"

    def search(
        self, problem: Problem, *, max_complexity: int, time_limit: float, seed: int
    ) -> Iterator[list[Expression]]:
        """Yield all equations, round by round until one is exact; a single round offers all columns."""
        start, select = time.monotonic(), problem.rows("select")
        plain, sums = columns.raw(problem), columns.lag_sums(problem)
        compressed = columns.transforms(problem, self.transforms)
        rounds = next(rounds for seconds, rounds in ROUNDS if time_limit >= seconds)
        offers = [plain + compressed, plain + sums] if rounds > 1 else [plain + sums + compressed]
        for turn in range(rounds):
            now = time.monotonic()
            seconds = (start + time_limit - now) / (rounds - turn)
            offer = offers[turn % len(offers)]
            # Small rules are found sooner where nothing is large, so every other pair of rounds is short.
            length = min(self.max_length // (1 if turn % 4 > 1 else 2), max_complexity)
            with _interrupts_waiting() as interrupts:
                candidates = self._evolve(
                    offer, problem, length, SEARCH_FRACTION * seconds, seed + 1000 * turn
                )
            if interrupts:
                yield candidates
                raise KeyboardInterrupt
            exact = False
            for equations in refine(candidates, problem, max_complexity, now + seconds):
                yield equations
                exact = exact or any(loss(equation, select) < EXACT for equation in equations)
            if exact:
                break

    def _evolve(
        self, offer: Sequence[columns.Column], problem: Problem, length: int, seconds: float, seed: int
    ) -> list[Expression]:
        """One run of Operon on some columns: its Pareto front, the columns' equations substituted."""
        with optional_import("the engine operon", extra="distill"):
            from pyoperon.sklearn import SymbolicRegressor

        rows = problem.parts["fit"]
        rows = np.random.default_rng(seed).permutation(rows)[: self.rows]
        regressor = SymbolicRegressor(
            allowed_symbols=",".join((*self.symbols, "constant", "variable")),
            objectives=["r2", "length"],
            population_size=self.population,
            generations=self.generations,
            max_evaluations=self.evaluations,
            max_length=max(length, 3),
            optimizer_iterations=3,
            epsilon=1e-6,
            max_time=max(1, round(seconds)),
            n_threads=self.threads or processors(),
            random_state=seed,
        )
        X = np.column_stack([column.values[rows] for column in offer])
        X[X == 0] = TINY
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy's, on equations without a value somewhere
            regressor.fit(X, problem.y[rows])
        equations = {key: offer[i].equation for i, key in enumerate(regressor.variables_)}
        models = sorted(regressor.pareto_front_, key=lambda model: model["length"])
        return [expression(model["tree"], equations) for model in models]


@contextmanager
def _interrupts_waiting() -> Iterator[list[int]]:
    """A block in which Ctrl-C is only noted, in the list: Operon goes on after it, and loses its front."""
    caught: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield caught  # signals come to the main thread alone
        return
    before = signal.signal(signal.SIGINT, lambda number, frame: caught.append(number))
    try:
        yield caught
    finally:
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)


def expression(tree: pyoperon.Tree, variables: dict[int, Expression]) -> Expression:
    """Operon's tree as an expression; `variables` by Operon's hash. Raises EngineError for other operators.

    Nodes come in postfix order with a node's first argument last. Types are told by name: in 0.6.2 the
    enumeration, like the symbols, has minimum and maximum the wrong way round.
    """
    stack: list[Expression] = []
    for node in tree.Nodes:
        if node.IsVariable:
            stack.append(const(node.Value) * variables[node.HashValue])
        elif node.IsConstant:
            stack.append(const(node.Value))
        elif node.Name in _OPERATORS:
            arguments = [stack.pop() for _ in range(node.Arity)]
            stack.append(_OPERATORS[node.Name](*arguments))
        else:
            raise EngineError(f"Operon's operator {node.Name!r} has no counterpart here")
    return stack.pop()


_OPERATORS: dict[str, Callable[..., Expression]] = {
    **{name: lambda *args, op=name: _folded(op, args) for name in "+-*/"},
    "aq": lambda x, y: x / call("sqrt", 1 + call("square", y)),
    "fmin": lambda *args: _folded("min", args),
    "fmax": lambda *args: _folded("max", args),
    "sqrtabs": lambda x: call("sqrt", abs(x)),
    "logabs": lambda x: call("log", x),
    "log": lambda x: call("log", x),
    "powabs": lambda x, y: call("pow", abs(x), y),
    **{
        name: lambda x, op=name: call(op, x)
        for name in ("square", "sqrt", "exp", "tanh", "sinh", "abs", "sin", "cos")
    },
}


def _folded(operator: str, arguments: tuple[Expression, ...]) -> Expression:
    first, *rest = arguments
    for argument in rest:
        first = call(operator, first, argument)
    return first
