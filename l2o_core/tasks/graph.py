"""A graph whose nodes are to be classified."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from ..errors import ConfigError, DataError
from ..parts import PARTS
from .sparse import SparseMatrix


@dataclass(eq=False)
class Graph:
    """Nodes with features and labels, and undirected edges between them.

    Args:
        name: Of the data set; it says so where this is not all that is published, or the split is drawn.
        features: `[N, F]`.
        edges: Pairs of nodes, `[2, E]`, in any order and direction; kept are both directions of each edge,
            once, and no loops.
        labels: `[N]`, from 0; -1 where the label is not known.
        classes: Number of classes.
        nodes: The nodes of each part: "train" has the split's training nodes, "choose" those for
            validation, "report" the test nodes. Without entries the graph has no split.

    Raises:
        DataError: If edges, labels or the split name nodes or classes that are not there, a node is in two
            parts, or features are not finite.

    Example:
        >>> path = Graph("path", SparseMatrix.of_dense(torch.eye(3)), [[0, 1], [1, 2]], [0, 1, 1], 2)
        >>> path.edges.shape, len(path.isolated)
        (torch.Size([2, 4]), 0)
    """

    name: str
    features: SparseMatrix
    edges: Tensor
    labels: Tensor
    classes: int
    nodes: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.edges, self.labels = (
            torch.as_tensor(part, dtype=torch.int64) for part in (self.edges, self.labels)
        )
        count = len(self)
        if not self.features.values.isfinite().all():
            raise DataError(f"{self.name}: a feature is not finite; leave such nodes out, or set it to 0")
        if self.labels.shape != (count,):
            raise DataError(f"{self.name}: {count} rows of features and {len(self.labels)} labels do not fit")
        if len(self.labels) and not -1 <= self.labels.min() <= self.labels.max() < self.classes:
            raise DataError(f"{self.name}: labels must lie between 0 and {self.classes - 1}, or be -1")
        if self.edges.ndim != 2 or len(self.edges) != 2:
            raise DataError(f"{self.name}: edges are two rows of nodes, not {tuple(self.edges.shape)}")
        if self.edges.numel() and not 0 <= self.edges.min() <= self.edges.max() < count:
            raise DataError(f"{self.name}: an edge leads to a node that is not among the {count}")
        self.edges = _both_ways(self.edges, count)
        if self.nodes:
            self._check_split()

    def __len__(self) -> int:
        return self.features.shape[0]

    @property
    def isolated(self) -> Tensor:
        """The nodes that have no edge; a network sees their own features only."""
        return (torch.bincount(self.edges[0], minlength=len(self)) == 0).nonzero().flatten()

    @cached_property
    def with_loops(self) -> Tensor:
        """Edges `[2, E + N]`, with one from each node to itself, ordered by the node that they lead to."""
        own = torch.arange(len(self), device=self.edges.device)
        edges = torch.cat([self.edges, own.expand(2, -1)], dim=1)
        return edges[:, edges[1].argsort(stable=True)]

    @cached_property
    def adjacency(self) -> SparseMatrix:
        r"""The matrix :math:`D^{-1/2} (A + I) D^{-1/2}` `[N, N]` (Kipf and Welling 2017, Eq. 2)."""
        sources, targets = self.with_loops.cpu()
        scale = torch.bincount(targets, minlength=len(self)).rsqrt()
        values = scale[sources] * scale[targets]
        return SparseMatrix.of(targets, sources, values, (len(self), len(self))).to(self.edges.device)

    def blocks(self, count: int) -> SparseMatrix:
        """`count` matrices A + I `[N, N]` along a diagonal; entries are as in `with_loops`, block by block.

        Args:
            count: Number of blocks.
        """
        if count not in self._blocks:
            sources, targets = self.with_loops.cpu()
            offset = len(self) * torch.arange(count)[:, None]
            rows, columns = (targets + offset).flatten(), (sources + offset).flatten()
            shape = (count * len(self), count * len(self))
            self._blocks[count] = SparseMatrix.of(rows, columns, torch.ones(len(rows)), shape).to(
                self.edges.device
            )
        return self._blocks[count]

    @cached_property
    def _blocks(self) -> dict[int, SparseMatrix]:
        return {}

    def to(self, device: torch.device) -> Graph:
        """The same graph on a device."""
        nodes = {part: chosen.to(device) for part, chosen in self.nodes.items()}
        edges, labels = self.edges.to(device), self.labels.to(device)
        return replace(self, features=self.features.to(device), edges=edges, labels=labels, nodes=nodes)

    def split(self, seed: int, per_class: int = 20, choose: int = 500, report: int = 1000) -> Graph:
        """The graph with a split drawn at random, by default in the shape of Planetoid's public one.

        Args:
            seed: Of the draw.
            per_class: Training nodes of each class.
            choose: Validation nodes, of all classes.
            report: Test nodes, of all classes.

        Raises:
            ConfigError: If the graph has too few nodes with a label, or a class too few.
        """
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))
        labels = self.labels.cpu()[order]
        of_class = [order[labels == number] for number in range(self.classes)]
        fewest = min(map(len, of_class))
        train = torch.cat([nodes[:per_class] for nodes in of_class])
        others = order[(labels >= 0) & ~torch.isin(order, train)]
        if fewest < per_class or len(others) < choose + report:
            raise ConfigError(
                f"{self.name}: {per_class} training nodes of each class, {choose} and {report} others are "
                f"more than there are; the smallest class has {fewest} of {int((labels >= 0).sum())} nodes"
            )
        nodes = {"train": train, "choose": others[:choose], "report": others[choose : choose + report]}
        nodes = {part: chosen.sort().values.to(self.labels.device) for part, chosen in nodes.items()}
        return replace(self, name=f"{self.name} (split drawn with seed {seed})", nodes=nodes)

    def _check_split(self) -> None:
        if {*self.nodes} != {*PARTS}:
            raise DataError(
                f"{self.name}: a split has the parts {', '.join(PARTS)}, not {', '.join(self.nodes)}"
            )
        together = torch.cat([*self.nodes.values()])
        if not all(map(len, self.nodes.values())):
            raise DataError(f"{self.name}: a part of the split has no nodes")
        if not 0 <= together.min() <= together.max() < len(self):
            raise DataError(f"{self.name}: the split names a node that is not among the {len(self)}")
        if len(together.unique()) < len(together):
            raise DataError(f"{self.name}: a node is twice in the split")
        if (self.labels[together] < 0).any():
            raise DataError(f"{self.name}: the split names a node whose label is not known")


def _both_ways(edges: Tensor, count: int) -> Tensor:
    both = torch.cat([edges, edges.flip(0)], dim=1)
    both = both[:, both[0] != both[1]]
    once = (both[1] * count + both[0]).unique()  # ascending by the node that an edge leads to
    return torch.stack([once % count, once // count]) if count else both
