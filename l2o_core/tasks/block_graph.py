"""A small synthetic graph, for runs without a data set."""

from __future__ import annotations

import torch

from ..arguments import whole
from ..errors import ConfigError
from .graph import Graph
from .sparse import SparseMatrix


def block_graph(
    nodes: int = 600,
    classes: int = 4,
    *,
    words: int = 100,
    degree: float = 4.0,
    within: float = 0.8,
    topical: float = 0.3,
    seed: int = 0,
) -> Graph:
    """A stochastic block model whose nodes carry words, split as Planetoid's graphs in proportion.

    Each node has a class. An edge joins two nodes of one class with the chance `within`, and otherwise any
    two. A node has ten words, drawn from those of its class with the chance `topical`, else from all; its
    features are 1 for the words that it has. Ten nodes of each class are for training, a tenth of all for
    validation, and a third for testing.

    Args:
        nodes: Number of nodes.
        classes: Number of classes; nodes take turns.
        words: Number of features.
        degree: Mean number of edges of a node.
        within: Share of the edges whose ends are drawn from one class.
        topical: Share of a node's words that are drawn from the words of its class.
        seed: Of the graph and its split.

    Raises:
        ConfigError: For numbers that make no graph of that kind.

    Example:
        >>> graph = block_graph(nodes=200, classes=2)
        >>> len(graph), graph.features.shape, len(graph.nodes["train"])
        (200, (200, 100), 20)
    """
    for name, value in {"nodes": nodes, "classes": classes, "words": words}.items():
        whole(name, value, 1)
    if words < classes or not degree > 0 or not 0 <= within <= 1 or not 0 <= topical <= 1:
        raise ConfigError(
            "a block graph needs a word for each class, a positive degree, and shares between 0 and 1, not "
            f"words={words}, degree={degree}, within={within}, topical={topical}"
        )
    chance = torch.Generator().manual_seed(seed)
    labels = torch.arange(nodes) % classes
    count = round(nodes * degree / 2)
    sources, targets = torch.randint(nodes, (2, count), generator=chance)
    nearby = (targets - labels[targets] + labels[sources]) % nodes  # a node of the source's class
    targets = torch.where(torch.rand(count, generator=chance) < within, nearby, targets)
    own = torch.randint(words // classes, (nodes, 10), generator=chance) * classes + labels[:, None]
    drawn = torch.randint(words, (nodes, 10), generator=chance)
    drawn = torch.where(torch.rand(nodes, 10, generator=chance) < topical, own, drawn)
    features = torch.zeros(nodes, words).scatter_(1, drawn, 1.0)
    graph = Graph(
        "a synthetic graph",
        SparseMatrix.of_dense(features),
        torch.stack([sources, targets]),
        labels,
        classes,
    )
    return graph.split(seed, per_class=10, choose=nodes // 10, report=nodes // 3)
