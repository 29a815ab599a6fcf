"""A network of operators fitted to rows by gradient descent: SOL (Sec. 3.3) as an engine of distillation.

SOL trains its network on the losses of optimizees. The same network can be fitted to the rows of a teacher:
gates lose the weights that explain little, what is left is written out as an equation, and its constants are
fitted and pruned as those of every engine are (see `refine`).
"""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...errors import ConfigError, ExpressionError
from ...expressions import Expression, linear
from ...expressions.linear import LinearForm
from ...models.gates import GatedLinear
from ...models.operators import SOL_OPERATORS, UNITS, Units, mapped
from ..problem import Problem
from ..refine import EXACT, refine
from ..rows import loss

OPERATORS = (*SOL_OPERATORS, "tanh")
"""SOL's, and the function that bounds the updates of the teachers here."""
SPARSITIES = (0.03, 0.003, 0.1, 0.01)
"""Penalties for open gates, in units of the targets' variance; one network for each, in turn."""
FRACTIONS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
"""Weights that carry less than so much of the largest of their row are left out; see `GatedLinear.prune`."""
FITTING = 0.5
"""Of a network's time, for gradient descent; the rest is for the equations that it becomes."""


@dataclass(frozen=True)
class OperatorNetwork:
    """Gated networks of operators, fitted by Adam.

    Args:
        operators: Operators of the units, names in `models.operators.UNITS`.
        copies: Units of each operator.
        steps: Updates of each network. A search that comes to their end before its time gives the same
            equations again.
        lr: Learning rate of Adam, which falls to 0.
        rows: Rows that an update sees, drawn anew.
        name: Name of the engine on fronts.

    Raises:
        ConfigError: For unknown operators, and numbers that are not positive.
    """

    operators: tuple[str, ...] = OPERATORS
    copies: int = 2
    steps: int = 2000
    lr: float = 0.01
    rows: int = 512
    name: str = "sol"

    def __post_init__(self) -> None:
        unknown = [name for name in self.operators if name not in UNITS]
        if unknown or not self.operators:
            raise ConfigError(f"operators must be of {', '.join(UNITS)}, not {unknown or 'none'}")
        for name in ("copies", "steps", "lr", "rows"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} must be positive, not {getattr(self, name)}")

    def search(
        self, problem: Problem, *, max_complexity: int, time_limit: float, seed: int
    ) -> Iterator[list[Expression]]:
        """Yield the equations of one network after the other, until one is exact."""
        begun, select = time.monotonic(), problem.rows("select")
        for turn, sparsity in enumerate(SPARSITIES):
            now = time.monotonic()
            end = now + (begun + time_limit - now) / (len(SPARSITIES) - turn)
            network = _Network(len(problem.variables), self, seed + turn)
            network.fit(problem, sparsity, now + FITTING * (end - now))
            candidates = network.equations(problem)
            yield candidates
            for equations in refine(candidates, problem, max_complexity, end):
                yield equations
                if any(loss(equation, select) < EXACT for equation in equations):
                    return


class _Network(nn.Module):
    """One layer of operators between scaled columns and scaled targets."""

    def __init__(self, inputs: int, options: OperatorNetwork, seed: int):
        super().__init__()
        self.options, self.units = options, Units(options.operators, options.copies)
        self.generator = torch.Generator().manual_seed(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.layer = GatedLinear(inputs, self.units.components, (1.0,), std=inputs**-0.5)
            self.readout = GatedLinear(self.units.count, 1, (1.0,), std=0.1 * self.units.count**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Columns `[D, N]` to `[N]`."""
        return self.readout(self.units.values(self.layer(x)))[0]

    def sample_gates(self, generator: torch.Generator | None) -> None:
        for part in (self.layer, self.readout):
            part.sample_gates(generator)

    def fit(self, problem: Problem, sparsity: float, deadline: float) -> None:
        """Adam on the squared errors, with random gates and a penalty for those that may be open.

        A gradient that leaves the range of floats, as of an exponential, counts as 0.
        """
        rows, generator = torch.as_tensor(problem.parts["fit"]), self.generator
        x, y = (torch.as_tensor(part, dtype=torch.float32) for part in (problem.X.T, problem.y))
        adam, total = torch.optim.Adam(self.parameters(), lr=self.options.lr), self.options.steps
        decay = torch.optim.lr_scheduler.CosineAnnealingLR(adam, total)
        for _ in range(total):
            if time.monotonic() > deadline:
                break
            chosen = torch.randint(len(rows), (min(self.options.rows, len(rows)),), generator=generator)
            few = rows[chosen]
            self.sample_gates(generator)
            error = nn.functional.huber_loss(self(x[:, few]), y[few], delta=min(problem.huber, 1e6))
            opened = torch.cat([part.open_probability.flatten() for part in (self.layer, self.readout)])
            adam.zero_grad()
            (2 * error + sparsity * opened.mean()).backward()
            for part in self.parameters():
                assert part.grad is not None
                part.grad.nan_to_num_(0.0, 0.0, 0.0)
            nn.utils.clip_grad_norm_(self.parameters(), 1.0)
            adam.step()
            decay.step()
        self.sample_gates(None)

    @torch.no_grad()
    def equations(self, problem: Problem) -> list[Expression]:
        """What the network computes, written out with ever fewer of its weights."""
        x = torch.as_tensor(problem.X[problem.parts["fit"]].T, dtype=torch.float32)
        signals: list[LinearForm] = [{Expression((v,)): 1.0} for v in problem.variables]
        found = []
        for fraction in FRACTIONS:
            layer, readout = copy.deepcopy(self.layer), copy.deepcopy(self.readout)
            layer.prune(x, fraction)
            readout.prune(self.units.values(layer(x)).nan_to_num(0.0, 1e6, -1e6), fraction)
            with contextlib.suppress(ExpressionError):  # too long while so many of its weights are left
                (y,) = mapped(readout, self.units.written(mapped(layer, signals)))
                found.append(linear.expression(linear.nonzero(y)))
        return found
