"""SOL's two graph networks: GAT and JK-Net (SOL 5.4).

They are written out because they are small: each of 500 epochs multiplies the sparse features as sparse ones,
and draws dropout for the entries alone that are not 0.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import elu, leaky_relu

from .graph import Graph
from .sparse import SparseMatrix


class GAT(nn.Module):
    """Graph attention network of two layers (Velickovic et al. 2018, 3.3).

    The first layer has 8 heads of 8 units, joined, with ELU; the second has one head, a unit for each class.
    Dropout acts on the input of each layer, and not on the attention.

    Args:
        inputs: Number of features of a node.
        classes: Number of classes.
        hidden: Units of a head.
        heads: Of the first layer.
        dropout: Share of the entries that are dropped.

    Example:
        >>> sum(parameter.numel() for parameter in GAT(1433, 7).parameters())
        92373
    """

    def __init__(self, inputs: int, classes: int, hidden: int = 8, heads: int = 8, dropout: float = 0.6):
        super().__init__()
        self.first = _Attention(inputs, hidden, heads)
        self.second = _Attention(heads * hidden, classes, 1)
        self.dropout = dropout

    def forward(self, graph: Graph, generator: torch.Generator | None = None) -> Tensor:
        """Class scores `[N, classes]`; without a generator, nothing is dropped."""
        signal = elu(self.first(_drop_entries(graph.features, self.dropout, generator), graph.with_loops))
        scores: Tensor = self.second(_drop(signal, self.dropout, generator), graph.with_loops)
        return scores


class JKNet(nn.Module):
    """Jumping knowledge network: GCN layers, then the maximum over all of them (Xu et al. 2018).

    Six layers of 16 units with ReLU and dropout, and a linear layer on the maximum.

    Args:
        inputs: Number of features of a node.
        classes: Number of classes.
        hidden: Units of a layer.
        layers: Number of GCN layers.
        dropout: Share of the outputs of each layer that are dropped.

    Example:
        >>> sum(parameter.numel() for parameter in JKNet(1433, 7).parameters())
        24423
    """

    def __init__(self, inputs: int, classes: int, hidden: int = 16, layers: int = 6, dropout: float = 0.5):
        super().__init__()
        widths = [inputs] + [hidden] * (layers - 1)
        self.layers = nn.ModuleList(_Convolution(width, hidden) for width in widths)
        self.last = nn.Linear(hidden, classes)
        self.dropout = dropout

    def forward(self, graph: Graph, generator: torch.Generator | None = None) -> Tensor:
        """Class scores `[N, classes]`; without a generator, nothing is dropped."""
        signal: Tensor | SparseMatrix = graph.features
        seen = []
        for layer in self.layers:
            signal = _drop(layer(signal, graph.adjacency).relu(), self.dropout, generator)
            seen.append(signal)
        scores: Tensor = self.last(torch.stack(seen).amax(0))
        return scores


NETWORKS = {"gat": GAT, "jknet": JKNet}


class _Attention(nn.Module):
    """Velickovic et al. 2018, Eq. 1 to 5; the heads are joined."""

    def __init__(self, inputs: int, outputs: int, heads: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(inputs, heads * outputs))
        self.source = nn.Parameter(torch.empty(heads, outputs))
        self.target = nn.Parameter(torch.empty(heads, outputs))
        self.bias = nn.Parameter(torch.zeros(heads * outputs))
        for weights in (self.weight, self.source, self.target):
            nn.init.xavier_uniform_(weights)

    def forward(self, signal: Tensor | SparseMatrix, edges: Tensor) -> Tensor:
        sources, targets = edges
        mapped = (signal @ self.weight).view(-1, *self.source.shape)  # [N, heads, outputs]
        from_source, at_target = (mapped * self.source).sum(-1), (mapped * self.target).sum(-1)  # [N, heads]
        score = leaky_relu(from_source[sources] + at_target[targets], 0.2)  # [E, heads]
        with torch.no_grad():  # a softmax is the same whatever is taken from its scores
            where = targets[:, None].expand_as(score)
            highest = torch.full_like(at_target, -torch.inf).scatter_reduce(0, where, score, "amax")
        weight = (score - highest[targets]).exp()
        summed = torch.zeros_like(mapped).index_add(0, targets, weight[..., None] * mapped[sources])
        total = torch.zeros_like(at_target).index_add(0, targets, weight)
        return (summed / total[..., None]).flatten(1) + self.bias


class _Convolution(nn.Module):
    """Kipf and Welling 2017, Eq. 2, before its nonlinearity."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(inputs, outputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, signal: Tensor | SparseMatrix, adjacency: SparseMatrix) -> Tensor:
        return adjacency @ (signal @ self.weight) + self.bias


def _drop(signal: Tensor, share: float, generator: torch.Generator | None) -> Tensor:
    """Dropout by random numbers of the CPU, so that a seed draws the same ones for every device."""
    if generator is None:
        return signal
    kept = torch.empty(signal.shape).bernoulli_(1 - share, generator=generator)
    return signal * kept.div_(1 - share).to(signal.device)


def _drop_entries(features: SparseMatrix, share: float, generator: torch.Generator | None) -> SparseMatrix:
    """Dropout of a sparse matrix: what is 0 stays 0."""
    return features.with_values(_drop(features.values, share, generator))
