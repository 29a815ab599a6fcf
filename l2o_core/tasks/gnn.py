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
        signal = elu(self.first(_drop_entries(graph.features, self.dropout, generator), graph))
        scores: Tensor = self.second(_drop(signal, self.dropout, generator), graph)
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

    def forward(self, signal: Tensor | SparseMatrix, graph: Graph) -> Tensor:
        sources, targets = graph.with_loops
        heads, outputs = self.source.shape
        mapped = (signal @ self.weight).view(-1, heads, outputs).transpose(0, 1)  # [heads, N, outputs]
        from_source, at_target = mapped @ self.source[..., None], mapped @ self.target[..., None]
        score = from_source[..., 0].index_select(1, sources) + at_target[..., 0].index_select(1, targets)
        weight = _softmax(leaky_relu(score, 0.2), targets, len(graph))  # [heads, E]
        attended = graph.blocks(heads).with_values(weight.flatten()) @ mapped.reshape(-1, outputs)
        return attended.view(heads, -1, outputs).transpose(0, 1).flatten(1) + self.bias


def _softmax(score: Tensor, targets: Tensor, count: int) -> Tensor:
    """Softmax of the scores `[heads, E]` of edges over all that lead to the same of `count` nodes."""
    where, empty = targets.expand_as(score), score.new_zeros(len(score), count)
    with torch.no_grad():  # for the range of numbers only: the softmax stays the same
        highest = empty.scatter_reduce(1, where, score, "amax", include_self=False)
    weight = (score - highest.index_select(1, targets)).exp()
    return weight / empty.index_add(1, targets, weight).index_select(1, targets)


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
    kept = torch.rand(signal.shape, generator=generator) >= share
    return signal * kept.to(signal.device) / (1 - share)


def _drop_entries(features: SparseMatrix, share: float, generator: torch.Generator | None) -> SparseMatrix:
    """Dropout of a sparse matrix: what is 0 stays 0."""
    return features.with_values(_drop(features.values, share, generator))
