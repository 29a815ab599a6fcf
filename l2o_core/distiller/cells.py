"""Small recurrent cells whose equations can be written down, fitted from many random starts at once.

Seen from outside, an LSTM forgets, mixes and saturates. A cell of the simplest kind does that too,

    plain:  h = tanh(a h[1] + b k[1] + c m_hat + d g_hat + e)
    gated:  h = h[1] + z (tanh(...) - h[1]),    z = 1/2 + 1/2 tanh(...)

where k are the other cells. A rule of one to three cells, read out linearly, is a system of 20 to 170 nodes;
pruned, of a half. The gated kind is the minimal gated unit (Zhou et al. 2016).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
import torch
from torch import Tensor

from ..expressions import Expression, System, call, const, var
from .trajectories import Trajectories

NAMES = ("p", "q", "r")
"""Names of the cells; a rule with more of them is no longer read."""
RATE = 0.02
"""First learning rate of Adam, which goes to 0 along a cosine."""


@dataclass
class Cells:
    """A batch of S rules of H cells for F features.

    Args:
        features: Names of the features.
        units: Their standard deviations, `[F]`; weights are for inputs of unit variance.
        unit: Standard deviation of the updates.
        bound: The largest update: then the read-out is `bound * tanh(...)`.
        weights: `state [S, 1 + H + F, H]`, `gate` the same for gated cells, and `out [S, 1 + H + F, 1]`;
            rows are a constant, the cells, and the features.
    """

    features: Sequence[str]
    units: Tensor
    unit: float
    bound: float | None
    weights: dict[str, Tensor]

    @classmethod
    def random(
        cls, way: Trajectories, kind: str, cells: int, starts: int, generator: torch.Generator
    ) -> Cells:
        """Cells with random weights, for the features of some trajectories."""
        units = torch.stack([x.std() for x in way.features.values()]).clamp_min(1e-30).float()
        rows = 1 + cells + len(units)

        def normal(columns: int, size: float) -> Tensor:
            weights = size * torch.randn(starts, rows, columns, generator=generator)
            weights[:, 0] = 0
            return weights

        weights = {"state": normal(cells, 0.3), "out": normal(1, 0.5)}
        if kind == "gated":
            weights["gate"] = normal(cells, 0.3)
            weights["gate"][:, 0] = -1.0  # keeps more than it takes
        else:
            own = torch.rand(starts, cells, generator=generator)
            weights["state"][:, 1 : 1 + cells] += torch.diag_embed(0.5 + 0.5 * own)
        return cls(tuple(way.features), units, way.updates.std().item(), way.bound, weights)

    @property
    def starts(self) -> int:
        """The number S of rules."""
        return len(self.weights["out"])

    def keep(self, chosen: Tensor) -> Cells:
        """Some of the rules, by number."""
        weights = {name: x.detach()[chosen] for name, x in self.weights.items()}
        return Cells(self.features, self.units, self.unit, self.bound, weights)

    def follow(self, way: Trajectories) -> Tensor:
        """Updates in closed loop, in units of their standard deviation, `[T, S, N]`."""
        inputs = torch.stack(
            [x.float() / u for x, u in zip(way.features.values(), self.units, strict=True)], -1
        )
        cells = self.weights["state"].shape[-1]
        ones = torch.ones(self.starts, way.coordinates, 1)
        h, updates = torch.zeros(self.starts, way.coordinates, cells), []
        for now in inputs:
            x = now.expand(self.starts, -1, -1)
            z = torch.cat([ones, h, x], -1)
            new = torch.tanh(z @ self.weights["state"])
            h = h + (0.5 + 0.5 * torch.tanh(z @ self.weights["gate"])) * (new - h) if self.gated else new
            updates.append((torch.cat([ones, h, x], -1) @ self.weights["out"])[..., 0])
        update = torch.stack(updates)
        limit = math.inf if self.bound is None else self.bound / self.unit
        return update if math.isinf(limit) else limit * torch.tanh(update / limit)

    @property
    def gated(self) -> bool:
        """Whether the cells are of the gated kind."""
        return "gate" in self.weights

    def losses(self, way: Trajectories) -> Tensor:
        """Mean squared errors `[S]`, in units of the updates' variance; infinite for no number."""
        error = (self.follow(way) - (way.updates / self.unit).float()[:, None]).square().mean((0, 2))
        return error.nan_to_num(nan=math.inf)

    def rule(self, start: int) -> System:
        """One of the rules as a system of equations."""
        weights = {name: x[start].double() for name, x in self.weights.items()}
        names = NAMES[: weights["state"].shape[-1]]
        units = torch.cat([torch.ones(1 + len(names)), self.units]).double()

        def linear(column: Tensor, lag: int | None) -> Expression:
            parts = [*(var(name, lag) for name in names), *map(var, self.features)]
            products = (const(w) * x for w, x in zip((column / units).tolist()[1:], parts, strict=True))
            return reduce(add, products, const(column[0].item()))

        states = []
        for k, name in enumerate(names):
            new, past = call("tanh", linear(weights["state"][:, k], 1)), var(name, 1)
            if self.gated:
                gate = const(0.5) + const(0.5) * call("tanh", linear(weights["gate"][:, k], 1))
                new = past + gate * (new - past)
            states.append((name, new))
        if self.bound is None:
            return System(tuple(states), linear(self.unit * weights["out"][:, 0], None))
        inner = linear(self.unit / self.bound * weights["out"][:, 0], None)
        return System(tuple(states), const(self.bound) * call("tanh", inner))


def fit_cells(
    way: Trajectories,
    kind: str,
    cells: int,
    *,
    stages: Sequence[tuple[int, int, int]],
    seed: int = 0,
    proceed: Callable[[], bool] = lambda: True,
) -> list[System]:
    """Rules of cells fitted in closed loop by Adam, best first.

    Args:
        way: The trajectories.
        kind: Of the cells, "plain" or "gated".
        cells: Their number, 1 to 3.
        stages: Of each stage the steps of the trajectories that count, the rules that enter it, and the
            updates of Adam; only the best rules of a stage enter the next (successive halving).
        seed: Seed of the starts.
        proceed: Asked before each update; once it says no, the fit ends with what it has.
    """
    batch = Cells.random(way, kind, cells, stages[0][1], torch.Generator().manual_seed(seed))
    everywhere = np.arange(way.coordinates)
    done, total = 0, sum(updates for _, _, updates in stages)
    for steps, starts, updates in stages:
        part = way.select(everywhere, steps)
        with torch.no_grad():
            batch = batch.keep(batch.losses(part).argsort()[:starts])
        weights = [x.requires_grad_() for x in batch.weights.values()]
        adam = torch.optim.Adam(weights, lr=RATE)
        for _ in range(updates):
            if not proceed():
                break
            adam.param_groups[0]["lr"] = RATE * 0.5 * (1 + math.cos(math.pi * done / total))
            adam.zero_grad()
            with torch.enable_grad():
                batch.losses(part).sum().backward()  # each rule's own: the batch shares no weight
            adam.step()
            done += 1
    with torch.no_grad():
        return [batch.rule(int(k)) for k in batch.losses(way).argsort()]


def complexity(way: Trajectories, kind: str, cells: int) -> int:
    """Nodes of a rule of so many cells of a kind, before it is pruned."""
    generator = torch.Generator().manual_seed(0)
    return Cells.random(way, kind, cells, 1, generator).rule(0).complexity
