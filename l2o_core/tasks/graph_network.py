"""Graph networks as optimizees."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from .. import parts
from ..arguments import find_device
from ..errors import DataError
from ..storage import digest
from .base import Task
from .cross_entropy import mean_cross_entropy
from .flat import initial, unflatten
from .graph import Graph
from .graph_files import load_graph
from .trial import check_scores

Batch = tuple[Tensor]


class GraphNetwork(Task):
    """Cross-entropy of a network on the training nodes of one graph; instances take turns (SOL 5.4).

    Every step sees the whole graph, with dropout of its own. The split gives the parts their nodes. A network
    is trained on the training nodes whatever the part of the task; the part says which starting points and
    dropout it gets, and on which nodes `accuracy` judges it: "train" on the training nodes, "choose" on those
    for validation, "report" on the test nodes.

    Args:
        name: Of the problem.
        dataset: Name of the graph, as `load_graph` knows it, or a graph.
        build: Makes the module from the numbers of features and classes, as `GAT` and `JKNet` do. The module
            takes a graph and the generator of its dropout, or None, and returns scores `[N, classes]`.
        part: Of the seeds and nodes: "train", "choose" or "report"; None: as "train".
        split: Seed of a random split in the shape of the public one; None: the public one.
        device: Device of graph and parameters.

    Raises:
        ConfigError: For an unknown part or graph, a device that this machine lacks, or a module that does not
            give a score for each class.
        DataError: Where the graph is not found, or has no split.

    Example:
        >>> from l2o_core.tasks.gnn import JKNet
        >>> from l2o_core.tasks.sparse import SparseMatrix
        >>> part = {"train": torch.tensor([0]), "choose": torch.tensor([1]), "report": torch.tensor([2])}
        >>> path = Graph("path", SparseMatrix.of_dense(torch.eye(3)), [[0, 1], [1, 2]], [0, 1, 1], 2, part)
        >>> task = GraphNetwork("jknet", path, JKNet)
        >>> task.n, task.accuracy(task.init(torch.Generator(), instances=4)).shape
        (1458, torch.Size([4]))
    """

    def __init__(
        self,
        name: str,
        dataset: str | Graph,
        build: Callable[[int, int], nn.Module],
        *,
        part: str | None = None,
        split: int | None = None,
        device: str = "cpu",
    ):
        parts.check(part)
        self.device = find_device(device)
        graph = load_graph(dataset) if isinstance(dataset, str) else dataset
        graph = graph if split is None else graph.split(split)
        if not graph.nodes:
            raise DataError(f"{graph.name} has no public split; draw one with split=0, or another seed")
        self.graph = graph.to(self.device)
        self.name, self.dataset, self.part = name, graph.name, part
        self.build = partial(build, graph.features.shape[1], graph.classes)
        self.module = self.build().to(self.device)
        check_scores(name, self.module, (self.graph, None), len(graph.labels), graph.classes)
        self.shapes = {key: tuple(weights.shape) for key, weights in self.module.named_parameters()}
        self.layers = {key: weights.numel() for key, weights in self.module.named_parameters()}

    @property
    def identity(self) -> dict[str, Any]:
        """The graph with its split, and the module."""
        shapes = {name: list(shape) for name, shape in self.shapes.items()}
        options = {"dropout": getattr(self.module, "dropout", None)}
        return (
            super().identity | {"module": repr(self.module), "shapes": shapes, "data": self._data} | options
        )

    @cached_property
    def _data(self) -> str:
        graph, features = self.graph, self.graph.features
        about = [features.rows, features.columns, features.values, graph.edges, graph.labels]
        return digest([*about, *(graph.nodes[part] for part in parts.PARTS)])

    def init(self, generator: torch.Generator, instances: int = 1) -> Tensor:
        """Starting points `[I, n]`, as the module initialises itself."""
        return initial(self.build, generator, instances).to(self.device)

    def batches(self, generator: torch.Generator, instances: int = 1) -> Iterator[Batch]:
        """A seed of the dropout of each instance, `[I]`."""
        while True:
            yield (torch.randint(2**31, (instances,), generator=generator),)

    def loss(self, params: Tensor, batch: Batch) -> Tensor:
        """Mean cross-entropy `[I]` of the training nodes, with dropout."""
        nodes = self.graph.nodes["train"]
        generators = [torch.Generator().manual_seed(seed) for seed in batch[0].tolist()]
        scores = self._scores(params, generators)[:, nodes]  # [I, T, classes]
        return mean_cross_entropy(scores, self.graph.labels[nodes].expand(len(scores), -1))

    @torch.no_grad()
    def scores(self, params: Tensor) -> Tensor:
        """Class scores `[I, N, classes]` of all nodes, without dropout."""
        return self._scores(params, [None] * len(params))

    def accuracy(self, params: Tensor, part: str | None = None) -> Tensor:
        """Share `[I]` of the nodes of a part that are classified rightly, without dropout.

        Args:
            params: Parameters `[I, n]`.
            part: "train", "choose" or "report"; None: that of the task.

        Raises:
            ConfigError: For an unknown part.
        """
        parts.check(part)
        return self._share_right(self.scores(params), part or self.part or "train")

    def accuracies(self, params: Tensor) -> dict[str, Tensor]:
        """The accuracies `[I]` on all three parts, from one evaluation.

        Args:
            params: Parameters `[I, n]`.
        """
        scores = self.scores(params)
        return {part: self._share_right(scores, part) for part in parts.PARTS}

    def unflatten(self, params: Tensor) -> dict[str, Tensor]:
        """Parameters `[I, n]` as tensors `[I, *shape]` by name."""
        return unflatten(params, self.shapes)

    def _share_right(self, scores: Tensor, part: str) -> Tensor:
        nodes = self.graph.nodes[part]
        return (scores[:, nodes].argmax(-1) == self.graph.labels[nodes]).float().mean(-1)

    def _scores(self, params: Tensor, generators: list[torch.Generator] | list[None]) -> Tensor:
        weights = self.unflatten(params)
        return torch.stack(
            [
                functional_call(
                    self.module, {key: value[i] for key, value in weights.items()}, (self.graph, seed)
                )
                for i, seed in enumerate(generators)
            ]
        )
