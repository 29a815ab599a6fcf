"""What every optimizer that can be meta-trained has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from ..features import Features, State


class CoordinateOptimizer(nn.Module, ABC):
    """An update rule shared by all coordinates: gradients [N] in, updates [N] out.

    `x_{t+1} = x_t + update_t`: the update is what is added, sign and step size included. A step first
    observes (gradient to features, which distillation sees too), then decides (features to update). The
    state is a tuple of tensors, each [N, ...] or a scalar: the observer's first, then the rule's memory.
    """

    def __init__(self, features: Features):
        super().__init__()
        self.features = features

    @property
    def observed(self) -> tuple[str, ...]:
        """Names of the F features that the rule sees."""
        return self.features.names

    def init_state(self, like: Tensor) -> State:
        """The state before the first gradient, for coordinates shaped like `like` [N]."""
        return self.init_observer(like) + self.init_memory(like)

    def forward(self, g: Tensor, state: State) -> tuple[Tensor, State]:
        """One step: gradient [N] and state in, update [N] and next state out."""
        inputs, observer = self.observe(g, state)
        update, memory = self.update(inputs, state[len(observer) :])
        return update, observer + memory

    def init_observer(self, like: Tensor) -> State:
        """What the features need to remember, before the first step."""
        return self.features.init(like)

    def observe(self, g: Tensor, state: State) -> tuple[Tensor, State]:
        """Gradient [N] and state in, features [N, F] and the observer's next state out."""
        return self.features.step(g, state[: len(self.features.buffers)])

    @abstractmethod
    def init_memory(self, like: Tensor) -> State:
        """What the rule itself remembers, before the first step."""

    @abstractmethod
    def update(self, inputs: Tensor, memory: State) -> tuple[Tensor, State]:
        """The rule: features [N, F] and memory in, update [N] and next memory out."""


def select(state: State, coordinates: Tensor) -> State:
    """The state of some coordinates only; scalars are shared by all."""
    return tuple(part if part.dim() == 0 else part[coordinates] for part in state)


def detach(state: State) -> State:
    """The same state without its graph."""
    return tuple(part.detach() for part in state)


def parameters_match(model: nn.Module, tensors: dict[str, Tensor]) -> bool:
    """Whether the tensors have the names and shapes of the model's own."""
    own = model.state_dict()
    return own.keys() == tensors.keys() and all(own[k].shape == torch.Size(tensors[k].shape) for k in own)
