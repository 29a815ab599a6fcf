"""Where a meta-gradient comes from: back-propagation through time, a teacher to imitate, or evolution.

An estimator begins with fresh instances. Each call of `unroll(steps)` optimizes them on, adds a gradient to
the `.grad` of the optimizer's parameters, and returns the loss that was met on the way.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torch.nn.utils import parameters_to_vector

from ..models.base import LearnedOptimizer
from ..models.equation import Equation
from ..tasks.base import Task
from .adjoint import Unroll, backward, play, replay
from .rollout import Run
from .sampling import nothing, stratified


class Estimator(ABC):
    """Fresh instances of a task, and a way to learn from optimizing them.

    `fraction`: share of the coordinates that carries the gradient; `scaling`, `compact`: see `Run.start`.
    """

    def __init__(
        self,
        optimizer: LearnedOptimizer,
        task: Task,
        seed: int,
        instances: int = 1,
        fraction: float = 1.0,
        scaling: float = 0.0,
        compact: bool = False,
    ):
        self.optimizer, self.task, self.seed, self.instances = optimizer, task, seed, instances
        self.fraction, self.scaling, self.compact = fraction, scaling, compact
        self.generator = torch.Generator().manual_seed(seed)
        self.begin()

    @abstractmethod
    def begin(self) -> None:
        """Start the runs."""

    @abstractmethod
    def unroll(self, steps: int) -> float:
        """Optimize on for some steps; leave a gradient; return the mean loss of these steps."""

    def start(self, optimizer: LearnedOptimizer) -> Run:
        """The instances of this estimator, about to be optimized."""
        return Run.start(optimizer, self.task, self.seed, self.instances, self.scaling, self.compact)


class TBPTT(Estimator):
    """Truncated back-propagation through time on the mean loss, w_t = 1 / T in SymL2O Eq. 1."""

    def begin(self) -> None:
        """One run, carried from unroll to unroll."""
        self.run = self.start(self.optimizer)

    def unroll(self, steps: int) -> float:
        """Play, then back-propagate through a fresh sample of the coordinates."""
        sample = stratified(self.task, self.instances, self.fraction, self.generator, self.run.gradient)
        played = play(self.optimizer, self.run, steps, sample)
        weights = played.gradients.new_full((steps,), 1 / (steps * self.instances))
        backward(self.optimizer, played, weights)
        return mean_loss(played)


class Imitation(Estimator):
    """Follow a teacher and be pulled towards its updates (imitation learning, Chen et al. 2020a).

    The cost is half the mean squared difference of the updates, in units of the teacher's own mean square.
    """

    def begin(self) -> None:
        """The teacher runs; the learner's memory is kept for one sample of the coordinates."""
        self.teacher = adam(0.01).to(next(self.optimizer.parameters()))
        self.run = self.start(self.teacher)
        like = self.run.gradient
        self.sample = stratified(self.task, self.instances, self.fraction, self.generator, like)
        self.state = self.optimizer.init_state(like[self.sample.coordinates])

    def unroll(self, steps: int) -> float:
        """Play the teacher, then replay the learner on the same gradients."""
        played = play(self.teacher, self.run, steps, self.sample)
        share = self.sample.weights / (2 * steps * self.sample.weights.sum())
        unit = (played.updates.square() * share).sum() * 2

        def cost(step: int, block: slice, update: Tensor) -> Tensor:
            return (share[block] * (update - played.updates[step, block]).square()).sum() / unit

        self.state = replay(self.optimizer, played, self.state, cost)
        return mean_loss(played)


class PES(Estimator):
    """Persistent evolution strategies (Vicol et al. 2021): no back-propagation, no bias from truncation.

    `pairs` of antithetic runs, weights moved by +-sigma N(0, 1), anew in each unroll; each pair's loss
    difference is credited to the sum of all its moves so far.
    """

    pairs = 4
    sigma = 0.01

    def begin(self) -> None:
        """Two runs a pair, on the same instances and batches."""
        self.runs = [(self.start(self.optimizer), self.start(self.optimizer)) for _ in range(self.pairs)]
        self.moved = [torch.zeros_like(parameters_to_vector(self.optimizer.parameters()))] * self.pairs

    @torch.no_grad()
    def unroll(self, steps: int) -> float:
        """Play every pair with its own weights."""
        parameters = list(self.optimizer.parameters())
        center = parameters_to_vector(parameters)
        gradient, total = torch.zeros_like(center), 0.0
        for index, pair in enumerate(self.runs):
            move = self.sigma * torch.randn(center.shape, generator=self.generator).to(center)
            self.moved[index] = self.moved[index] + move
            losses = []
            for run, sign in zip(pair, (1, -1), strict=True):
                _place(center + sign * move, parameters)
                losses.append(mean_loss(play(self.optimizer, run, steps, nothing(center))))
            gradient += self.moved[index] * (losses[0] - losses[1]) / (2 * self.sigma**2 * self.pairs)
            total += sum(losses) / (2 * self.pairs)
        _place(center, parameters)
        for parameter in parameters:
            parameter.grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        gradient += parameters_to_vector([parameter.grad for parameter in parameters])
        _place(gradient, [parameter.grad for parameter in parameters])
        return total


def _place(vector: Tensor, tensors: list[Tensor]) -> None:
    """Write one long vector into the tensors, in order."""
    for tensor, part in zip(tensors, vector.split([t.numel() for t in tensors]), strict=True):
        tensor.copy_(part.view_as(tensor))


ESTIMATORS: dict[str, type[Estimator]] = {"tbptt": TBPTT, "pes": PES}


def mean_loss(played: Unroll) -> float:
    """Mean over instances and the points reached by the updates."""
    return played.losses[1:].mean().item()


def adam(lr: float) -> Equation:
    """Adam as an equation: the teacher of imitation learning."""
    return Equation(f"-{lr} * m_hat", beta1=0.9, beta2=0.999, eps=1e-8)
