"""Training of a graph network by a PyTorch optimizer, judged after every epoch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..arguments import whole
from ..parts import PARTS
from .graph_network import GraphNetwork


@dataclass(frozen=True, eq=False)
class NodeTraining:
    """A training of one network, epoch by epoch.

    Args:
        losses: On the training nodes, with dropout, before each step, `[E]`.
        accuracies: Shares of nodes classified rightly after each step, `[E]`, by part: "train",
            "choose", "report".
    """

    losses: Tensor
    accuracies: dict[str, Tensor]

    @property
    def last(self) -> float:
        """Test accuracy after the last epoch."""
        return self.accuracies["report"][-1].item()

    @property
    def best(self) -> float:
        """Test accuracy after the epoch with the highest validation accuracy, the first of several."""
        return self.accuracies["report"][self.accuracies["choose"].argmax()].item()


def train_on_graph(
    task: GraphNetwork,
    optimizer: Callable[[list[nn.Parameter]], torch.optim.Optimizer],
    *,
    epochs: int = 500,
    seed: int = 0,
) -> NodeTraining:
    """Train one network, each epoch a step on the whole graph.

    Starting point and dropout are those that `meta.evaluate` gives to one instance of the same seed.

    Args:
        task: The network on its graph.
        optimizer: Makes the optimizer of these parameters.
        epochs: Steps.
        seed: Of starting point and dropout; the same one gives every optimizer the same.

    Raises:
        ConfigError: If `epochs` is no positive whole number.

    Example:
        >>> from l2o_core.tasks import Graph, JKNet, SparseMatrix
        >>> parts = {part: torch.tensor([i]) for i, part in enumerate(("train", "choose", "report"))}
        >>> path = Graph("path", SparseMatrix.of_dense(torch.eye(3)), [[0, 1], [1, 2]], [0, 1, 1], 2, parts)
        >>> adam = lambda weights: torch.optim.Adam(weights, lr=5e-4)
        >>> train_on_graph(GraphNetwork("jknet", path, JKNet), adam, epochs=3).losses.shape
        torch.Size([3])
    """
    whole("epochs", epochs, 1)
    generator = task.generator(seed)
    start, batches = task.init(generator), task.batches(generator)
    weights = [nn.Parameter(value[0].clone()) for value in task.unflatten(start).values()]
    at_work = optimizer(weights)
    losses, found = [], []
    for _ in range(epochs):
        at_work.zero_grad()
        loss = task.loss(nn.utils.parameters_to_vector(weights)[None], next(batches)).squeeze()
        loss.backward()
        at_work.step()
        losses.append(loss.detach())
        found.append(task.accuracies(nn.utils.parameters_to_vector(weights).detach()[None]))
    accuracies = {part: torch.cat([epoch[part] for epoch in found]).cpu() for part in PARTS}
    return NodeTraining(torch.stack(losses).cpu(), accuracies)
