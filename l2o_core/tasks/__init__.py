"""Optimizees: the problems that optimizers are trained and compared on."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import signature
from typing import Any

from ..arguments import known_only
from ..errors import ConfigError, did_you_mean
from . import attack
from .base import Task
from .block_graph import block_graph
from .classifier import Classifier
from .gnn import GAT, JKNet
from .gnn import NETWORKS as GRAPH_NETWORKS
from .graph import Graph
from .graph_files import GRAPHS, load_graph
from .graph_network import GraphNetwork
from .graph_training import NodeTraining, train_on_graph
from .lenet import LeNet
from .mlp import MLP
from .network import Network
from .rastrigin import Rastrigin
from .sparse import SparseMatrix
from .text import GLUE, Head
from .vision import NETWORKS, convnet, convnet_wide

_TASKS: dict[str, Callable[..., Task]] = {
    "p1": Rastrigin,
    "p2": partial(MLP, "p2", "mnist", (50, 20)),
    "p3": partial(MLP, "p3", "mnist", (50, 20, 20, 12)),
    "p4": partial(MLP, "p4", "cifar10", (50, 20)),
    "lenet": LeNet,
    "mnistnet": partial(MLP, "mnistnet", "mnist", (20,), "sigmoid"),
    "digits": partial(MLP, "digits", "digits", (50, 20)),
    "convnet": partial(Network, "convnet", "cifar10", convnet),
    "convnet_wide": partial(Network, "convnet_wide", "cifar10", convnet_wide),
    **{name: partial(Network, name, "cifar10", build) for name, build in NETWORKS.items()},
    **{
        f"{name}_{graph}": partial(
            GraphNetwork, f"{name}_{graph}", graph, build, split=0 if graph == "dblp" else None
        )  # DBLP has no public split
        for name, build in GRAPH_NETWORKS.items()
        for graph in GRAPHS
    },
    **{f"{name}_head": partial(Head, name) for name in GLUE},
}

__all__ = [
    "GAT",
    "MLP",
    "Classifier",
    "Graph",
    "GraphNetwork",
    "JKNet",
    "LeNet",
    "Network",
    "NodeTraining",
    "Rastrigin",
    "SparseMatrix",
    "Task",
    "attack",
    "block_graph",
    "load",
    "load_graph",
    "names",
    "train_on_graph",
]


def names() -> tuple[str, ...]:
    """The names that `load` knows.

    Example:
        >>> names()[:4]
        ('p1', 'p2', 'p3', 'p4')
    """
    return tuple(_TASKS)


def load(name: str, **options: Any) -> Task:
    """The optimizee of that name.

    `p1` to `p4` are SymL2O's problems (Eq. 4 and Sec. 4.2), `lenet` is that of its Sec. 3.4, `mnistnet`,
    `convnet` and `convnet_wide` are SOL's, and so are `gat_cora`, `jknet_citeseer` and others on graphs,
    `mrpc_head` and others on tasks of GLUE (see `tasks.text`). `digits`, `gat_blocks` and `jknet_blocks` need
    no download.

    Args:
        name: One of `names()`.
        options: Arguments of its class other than those that the name stands for: `dim` and `part` of
            `Rastrigin`; `batch`, `part`, `augment` and others of `MLP`, `LeNet` and `Network`;
            `part` and `split` of `GraphNetwork`; `encoder`, `part` and others of `text.Head`.

    Raises:
        ConfigError: For an unknown name, or options that make no sense.
        DataError: Where the data set is not found.

    Example:
        >>> load("p1", dim=3).n
        3
    """
    if not isinstance(name, str) or name not in _TASKS:
        raise ConfigError(f"unknown task {name!r:.60}; {did_you_mean(str(name), names())}")
    known_only(name, options, signature(_TASKS[name]).parameters)
    return _TASKS[name](**options)
