"""Sparse products are those of dense matrices; a graph refuses what does not fit."""

import pytest
import torch
from tasks.graph_samples import small_graph

from l2o_core.errors import ConfigError, DataError
from l2o_core.tasks import Graph, SparseMatrix


@pytest.mark.parametrize("repeated", [False, True])
def test_products_and_gradients_are_those_of_the_dense_matrix(repeated):
    rows, columns = torch.tensor([4, 0, 2, 2, 0]), torch.tensor([1, 3, 0, 3, 3 if repeated else 0])
    matrix = SparseMatrix.of(rows, columns, torch.randn(5), (6, 4))
    values, right = matrix.values.clone().requires_grad_(), torch.randn(4, 3, requires_grad=True)
    weight = torch.randn(6, 3)
    dense = torch.zeros(6, 4).index_put((matrix.rows, matrix.columns), values, accumulate=True)
    want = dense @ right
    found = matrix.with_values(values) @ right
    torch.testing.assert_close(found, want)
    torch.testing.assert_close(matrix.dense(), dense.detach())
    for got, expected in zip(
        torch.autograd.grad((found * weight).sum(), (values, right)),
        torch.autograd.grad((want * weight).sum(), (values, right)),
        strict=True,
    ):
        torch.testing.assert_close(got, expected)


def test_edges_are_the_same_however_they_are_given():
    graph = small_graph()
    again = Graph("again", graph.features, graph.edges[:, graph.edges[0] < graph.edges[1]], graph.labels, 3)
    assert torch.equal(again.edges, graph.edges)
    assert not (graph.edges[0] == graph.edges[1]).any()
    assert graph.isolated.tolist() == [11]


def test_the_adjacency_is_kipfs_and_wellings():
    graph = small_graph()
    dense = torch.zeros(12, 12)
    dense[graph.edges[0], graph.edges[1]] = 1
    dense += torch.eye(12)
    degree = dense.sum(1)
    torch.testing.assert_close(graph.adjacency.dense(), dense / (degree[:, None] * degree).sqrt())
    torch.testing.assert_close(graph.blocks(2).dense(), torch.block_diag(dense, dense))


def test_a_split_is_of_the_size_asked_for_and_follows_its_seed():
    graph = small_graph()
    first, again, other = (graph.split(seed, 2, 3, 3).nodes for seed in (1, 1, 2))
    assert all(torch.equal(first[part], again[part]) for part in first)
    assert any(not torch.equal(first[part], other[part]) for part in first)
    assert torch.bincount(graph.labels[first["train"]]).tolist() == [2, 2, 2]
    assert len(torch.cat([*first.values()]).unique()) == 6 + 3 + 3
    assert graph.split(1, 2, 3, 3).name == "small (split drawn with seed 1)"


def test_nodes_without_a_label_are_in_no_part():
    graph = small_graph()
    graph.labels[:3] = -1
    drawn = graph.split(0, 1, 3, 3).nodes
    assert torch.cat([*drawn.values()]).min() >= 3


def test_a_graph_too_small_for_a_split_says_so():
    with pytest.raises(ConfigError, match="the smallest class has 4 of 12 nodes"):
        small_graph().split(0)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"labels": [0, 1]}, "12 rows of features and 2 labels"),
        ({"labels": [3] * 12}, "between 0 and 2"),
        ({"edges": [[0], [12]]}, "not among the 12"),
        ({"edges": [[0, 1]]}, "two rows"),
        ({"nodes": {"train": torch.arange(3)}}, "a split has the parts train, choose, report"),
        ({"report": torch.tensor([12])}, "names a node that is not among"),
        ({"report": torch.tensor([0])}, "twice"),
        ({"report": torch.tensor([], dtype=torch.int64)}, "no nodes"),
        ({"labels": [-1] * 12}, "label is not known"),
        ({"features": SparseMatrix.of_dense(torch.full((12, 2), torch.inf))}, "not finite"),
    ],
)
def test_what_does_not_fit_is_refused(changed, message):
    graph = small_graph()
    given = {key: getattr(graph, key) for key in ("features", "edges", "labels", "nodes")} | changed
    if "report" in given:
        given["nodes"] = given["nodes"] | {"report": given.pop("report")}
    with pytest.raises(DataError, match=message):
        Graph("small", classes=3, **given)
