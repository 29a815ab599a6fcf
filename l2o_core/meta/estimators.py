"""Sources of a meta-gradient: back-propagation through time, a teacher to imitate, or evolution.

An estimator begins with fresh instances. Each call of `unroll(steps)` optimizes them on, adds a gradient to
the `.grad` of the optimizer's parameters, and returns the mean loss of these steps.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils import parameters_to_vector

from ..errors import ConfigError
from ..models.base import LearnedOptimizer
from ..models.equation import Equation
from ..storage import digest
from ..tasks.base import Task
from . import adjoint
from .rollout import Rollout
from .sampling import Sample, no_coordinates, stratified


@dataclass(eq=False)
class Estimator(ABC):
    """Fresh instances of a task, and a way to learn from optimizing them.

    `fraction` of the coordinates carries the gradient; `scaling` and `state_dtype` as in `Rollout.start`.
    """

    optimizer: LearnedOptimizer
    task: Task
    seed: int
    instances: int = 1
    fraction: float = 1.0
    scaling: float = 0.0
    state_dtype: torch.dtype | None = None

    def __post_init__(self) -> None:
        self.generator = torch.Generator().manual_seed(self.seed)

    @abstractmethod
    def unroll(self, steps: int) -> float:
        """Optimize on for some steps; leave a gradient; return the mean loss of these steps."""

    def start(self, optimizer: LearnedOptimizer) -> Rollout:
        """A rollout of `optimizer` on this estimator's instances."""
        return Rollout.start(optimizer, self.task, self.seed, self.instances, self.scaling, self.state_dtype)

    def sample(self, rollout: Rollout) -> Sample:
        """A fresh sample of the coordinates."""
        return stratified(self.task, self.instances, self.fraction, self.generator, rollout.gradient)


class TBPTT(Estimator):
    """Truncated back-propagation through time on the mean loss, w_t = 1 / T in SymL2O Eq. 1."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.rollout = self.start(self.optimizer)
        if reads_parameter(self.optimizer) and self.rollout.free is not None:
            raise ConfigError(
                f"a rule of theta has no meta-gradient through the constraints of {self.task.name}: take "
                'estimator="pes" or tune_without_gradients, which need none, or a rule without theta'
            )

    def unroll(self, steps: int) -> float:
        """Unroll, then back-propagate through a fresh sample of the coordinates."""
        weights = self.rollout.gradient.new_full((steps,), 1 / (steps * self.instances))
        few = len(self.rollout.gradient) * steps <= adjoint.KEPT
        if few and self.fraction == 1 and self.state_dtype is None:
            return mean_loss(adjoint.exact(self.optimizer, self.rollout, steps, weights))
        unrolled = adjoint.unroll(self.optimizer, self.rollout, steps, self.sample(self.rollout))
        adjoint.backward(self.optimizer, unrolled, weights)
        return mean_loss(unrolled.losses)


class Imitation(Estimator):
    """Follow a teacher and be pulled towards its updates (imitation learning, Chen et al. 2020a).

    The cost is half the mean squared difference of the updates, divided by the teacher's mean square.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if reads_parameter(self.optimizer):
            raise ConfigError(
                "a rule of theta cannot imitate: the parameters are its teacher's; imitation=0 can"
            )
        self.teacher = adam(0.01).to(next(self.optimizer.parameters()))
        self.rollout = self.start(self.teacher)
        self.chosen = self.sample(self.rollout)  # one for all unrolls: the student's state is of it
        self.state = self.optimizer.init_state(self.rollout.gradient[self.chosen.coordinates])

    def unroll(self, steps: int) -> float:
        """Let the teacher take the steps, then back-propagate the student's error on the same gradients."""
        unrolled = adjoint.unroll(self.teacher, self.rollout, steps, self.chosen)
        weights = self.chosen.weights / (2 * steps * self.chosen.weights.sum())
        target_power = (unrolled.updates.square() * weights).sum() * 2

        def cost(step: int, block: slice, update: Tensor) -> Tensor:
            error = update - unrolled.updates[step, block]
            return (weights[block] * error.square()).sum() / target_power

        self.state = adjoint.backprop_through_optimizer(self.optimizer, unrolled.gradients, self.state, cost)
        return mean_loss(unrolled.losses)


class PES(Estimator):
    """Persistent evolution strategies (Vicol et al. 2021): no back-propagation, no bias from truncation.

    `pairs` of antithetic rollouts, weights perturbed by +-sigma N(0, 1), anew in each unroll; each pair's
    loss difference is credited to the sum of all its perturbations so far.
    """

    pairs = 4
    sigma = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        # A stream of its own: that of `generator` begins with the numbers of the starting points, and noise
        # that is the same as these biases the estimate. The others keep theirs, whatever they draw from it:
        # trainings that are on record stay repeatable.
        own = int(digest({"noise of": "pes", "seed": self.seed})[:8], 16)
        self.noise_generator = torch.Generator().manual_seed(own)
        # both rollouts of a pair have the same instances and batches
        self.rollouts = [(self.start(self.optimizer), self.start(self.optimizer)) for _ in range(self.pairs)]
        self.accumulators = [torch.zeros_like(parameters_to_vector(self.optimizer.parameters()))] * self.pairs

    @torch.no_grad()
    def unroll(self, steps: int) -> float:
        """Unroll every pair with its own weights."""
        parameters = list(self.optimizer.parameters())
        center = parameters_to_vector(parameters)
        gradient, total = torch.zeros_like(center), 0.0
        for index, pair in enumerate(self.rollouts):
            noise = self.sigma * torch.randn(center.shape, generator=self.noise_generator).to(center)
            self.accumulators[index] = self.accumulators[index] + noise
            losses = []
            for rollout, sign in zip(pair, (1, -1), strict=True):
                _write(center + sign * noise, parameters)
                unrolled = adjoint.unroll(self.optimizer, rollout, steps, no_coordinates(center))
                losses.append(mean_loss(unrolled.losses))
            difference = losses[0] - losses[1]
            gradient += self.accumulators[index] * difference / (2 * self.sigma**2 * self.pairs)
            total += sum(losses) / (2 * self.pairs)
        _write(center, parameters)
        gradients = []
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            gradients.append(parameter.grad)
        _write(gradient + parameters_to_vector(gradients), gradients)
        return total


def _write(vector: Tensor, tensors: Sequence[Tensor]) -> None:
    """Write one long vector into the tensors, in order."""
    for tensor, part in zip(tensors, vector.split([t.numel() for t in tensors]), strict=True):
        tensor.copy_(part.view_as(tensor))


ESTIMATORS: dict[str, type[Estimator]] = {"tbptt": TBPTT, "pes": PES}


def mean_loss(losses: Tensor) -> float:
    """Mean of losses `[T + 1, I]` over instances and the points reached by the updates."""
    return losses[1:].mean().item()


def reads_parameter(optimizer: LearnedOptimizer) -> bool:
    """Whether this is a rule of `theta`."""
    return isinstance(optimizer, Equation) and optimizer.reads_parameter


def adam(lr: float) -> Equation:
    """Adam as an equation: the teacher of imitation learning."""
    return Equation(f"-{lr} * m_hat", beta1=0.9, beta2=0.999, eps=1e-8)
