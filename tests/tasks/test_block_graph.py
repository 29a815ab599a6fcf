"""The synthetic graph: the same for a seed, its edges mostly within classes, and learnable."""

import pytest
import torch

from l2o_core import tasks
from l2o_core.errors import ConfigError


def test_a_seed_gives_one_graph_and_another_seed_another():
    first, again, other = (tasks.block_graph(nodes=200, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.edges, again.edges)
    assert torch.equal(first.features.dense(), again.features.dense())
    assert not torch.equal(first.features.dense(), other.features.dense())
    assert first.name.endswith("(split drawn with seed 1)")


def test_edges_and_words_follow_the_classes():
    graph = tasks.block_graph()
    same = graph.labels[graph.edges[0]] == graph.labels[graph.edges[1]]
    assert same.float().mean() > 0.8
    words = graph.features.dense()
    topical = torch.arange(100) % 4 == graph.labels[:, None]
    assert words[topical].mean() > 1.5 * words[~topical].mean()


def test_the_split_is_disjoint_and_has_every_class():
    graph = tasks.block_graph()
    assert {part: len(nodes) for part, nodes in graph.nodes.items()} == {
        "train": 40,
        "choose": 60,
        "report": 200,
    }
    assert graph.labels[graph.nodes["train"]].bincount().tolist() == [10] * 4


@pytest.mark.parametrize("name", ["gat_blocks", "jknet_blocks"])
def test_networks_learn_it(name):
    task = tasks.load(name, part="report")
    found = tasks.train_on_graph(task, lambda weights: torch.optim.Adam(weights, lr=0.01), epochs=60)
    assert found.last > 0.6


@pytest.mark.parametrize(
    "options", [{"nodes": 0}, {"classes": 0}, {"words": 2}, {"degree": 0.0}, {"within": 2.0}]
)
def test_numbers_that_make_no_graph_are_refused(options):
    with pytest.raises(ConfigError, match=r"nodes|classes|block graph"):
        tasks.block_graph(**options)


def test_a_graph_too_small_for_its_split_is_refused():
    with pytest.raises(ConfigError, match="training nodes of each class"):
        tasks.block_graph(nodes=30)
