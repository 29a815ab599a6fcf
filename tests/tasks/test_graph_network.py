"""The sparse networks equal dense ones and torch_geometric's; as optimizees they are those networks."""

from functools import partial

import pytest
import torch
from tasks.graph_samples import small_graph
from torch import nn
from torch.nn.functional import cross_entropy, elu, leaky_relu

from l2o_core import meta, optim, tasks
from l2o_core.errors import ConfigError
from l2o_core.models import RP, Equation

NETWORKS = {"gat": partial(tasks.GAT, hidden=4, heads=3), "jknet": partial(tasks.JKNet, hidden=4, layers=3)}


def task(name, **options):
    return tasks.GraphNetwork(name, small_graph(), NETWORKS[name], **options)


def module(name):
    torch.manual_seed(0)
    network = NETWORKS[name](5, 3)
    for parameter in network.parameters():
        nn.init.normal_(parameter)
    return network


def dense_adjacency(graph):
    dense = torch.eye(len(graph))
    dense[graph.edges[1], graph.edges[0]] = 1
    return dense


def dense_attention(layer, signal, adjacency):
    """Velickovic et al. 2018, Eq. 3, head by head on the whole matrix of pairs."""
    heads, outputs = layer.source.shape
    joined = []
    for head in range(heads):
        mapped = signal @ layer.weight[:, head * outputs : (head + 1) * outputs]
        score = leaky_relu((mapped @ layer.target[head])[:, None] + mapped @ layer.source[head], 0.2)
        joined.append(score.masked_fill(adjacency == 0, -torch.inf).softmax(1) @ mapped)
    return torch.cat(joined, 1) + layer.bias


def dense_gat(network, graph):
    adjacency = dense_adjacency(graph)
    hidden = elu(dense_attention(network.first, graph.features.dense(), adjacency))
    return dense_attention(network.second, hidden, adjacency)


def dense_jknet(network, graph):
    adjacency = dense_adjacency(graph)
    degree = adjacency.sum(1)
    adjacency, signal, seen = adjacency / (degree[:, None] * degree).sqrt(), graph.features.dense(), []
    for layer in network.layers:
        signal = torch.relu(adjacency @ signal @ layer.weight + layer.bias)
        seen.append(signal)
    return network.last(torch.stack(seen).max(0).values)


DENSE = {"gat": dense_gat, "jknet": dense_jknet}


@pytest.mark.parametrize("name", NETWORKS)
def test_scores_and_gradients_are_those_of_dense_matrices(name):
    network, graph = module(name), small_graph()
    found, want = network(graph), DENSE[name](network, graph)
    torch.testing.assert_close(found, want, rtol=1e-5, atol=1e-5)
    parameters, weight = [*network.parameters()], torch.randn_like(want)
    for got, expected in zip(
        torch.autograd.grad((found * weight).sum(), parameters),
        torch.autograd.grad((want * weight).sum(), parameters),
        strict=True,
    ):
        torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)


def test_attention_is_that_of_torch_geometric():
    from torch_geometric import nn as layers  # some seconds, which other tests need not wait for

    network, graph = module("gat"), small_graph()
    for layer, signal in ((network.first, torch.randn(12, 5)), (network.second, torch.randn(12, 12))):
        heads, outputs = layer.source.shape
        theirs = layers.GATConv(len(layer.weight), outputs, heads)
        with torch.no_grad():
            theirs.lin.weight.copy_(layer.weight.T)
            theirs.att_src.copy_(layer.source[None])
            theirs.att_dst.copy_(layer.target[None])
            theirs.bias.copy_(layer.bias)
            torch.testing.assert_close(layer(signal, graph), theirs(signal, graph.edges))


def test_convolution_is_that_of_torch_geometric():
    from torch_geometric import nn as layers  # some seconds, which other tests need not wait for

    layer, graph, signal = module("jknet").layers[0], small_graph(), torch.randn(12, 5)
    theirs = layers.GCNConv(5, 4)
    with torch.no_grad():
        theirs.lin.weight.copy_(layer.weight.T)
        theirs.bias.copy_(layer.bias)
        torch.testing.assert_close(layer(signal, graph.adjacency), theirs(signal, graph.edges))


@pytest.mark.parametrize("name", NETWORKS)
def test_loss_and_gradient_are_the_modules(name):
    problem, generator = task(name), torch.Generator().manual_seed(0)
    params, (seeds,) = problem.init(generator, 2), next(problem.batches(generator, 2))
    losses, gradient = problem.loss_and_gradient(params, (seeds,))
    for i in range(2):
        network = NETWORKS[name](5, 3)
        nn.utils.vector_to_parameters(params[i], network.parameters())
        scores = network(problem.graph, torch.Generator().manual_seed(int(seeds[i])))
        want = cross_entropy(scores[:3], torch.tensor([0, 1, 2]))
        want.backward()
        torch.testing.assert_close(losses[i], want.detach())
        own = nn.utils.parameters_to_vector(p.grad for p in network.parameters())
        torch.testing.assert_close(gradient[i], own)


def test_published_sizes_and_starting_points():
    gat, jknet = tasks.GAT(1433, 7), tasks.JKNet(1433, 7)
    assert sum(p.numel() for p in gat.parameters()) == 1433 * 64 + 2 * 64 + 64 + 64 * 7 + 2 * 7 + 7
    assert sum(p.numel() for p in jknet.parameters()) == 1433 * 16 + 5 * 16**2 + 6 * 16 + 16 * 7 + 7
    assert gat.first.weight.abs().max() <= (6 / (1433 + 64)) ** 0.5  # Glorot's
    assert gat.first.source.abs().max() <= (6 / 16) ** 0.5
    assert not gat.first.bias.any()
    assert (gat.dropout, jknet.dropout) == (0.6, 0.5)


@pytest.mark.parametrize("share", [0.5, 0.6])
def test_dropout_keeps_the_mean_and_drops_the_share(share):
    from l2o_core.tasks.gnn import _drop

    dropped = _drop(torch.ones(400, 100), share, torch.Generator().manual_seed(0))
    assert (dropped == 0).float().mean() == pytest.approx(share, abs=0.01)
    assert dropped.mean() == pytest.approx(1, abs=0.02)
    torch.testing.assert_close(dropped.max(), torch.tensor(1 / (1 - share)))


@pytest.mark.parametrize("name", NETWORKS)
def test_dropout_follows_the_batch(name):
    problem, generator = task(name), torch.Generator().manual_seed(0)
    params, batches = problem.init(generator, 1), problem.batches(generator, 1)
    first, second = next(batches), next(batches)
    assert problem.loss(params, first) == problem.loss(params, first) != problem.loss(params, second)
    assert torch.equal(problem.scores(params), problem.scores(params))


def test_the_part_says_which_nodes_judge_and_not_which_train():
    params = task("gat").init(torch.Generator().manual_seed(0), 4)
    by_part = task("gat").accuracies(params)
    right = task("gat").scores(params).argmax(-1) == torch.arange(12) % 3
    for part, nodes in {"train": slice(0, 3), "choose": slice(3, 7), "report": slice(7, 12)}.items():
        problem = task("gat", part=part)
        want = right[:, nodes].float().mean(-1)
        torch.testing.assert_close(problem.accuracy(params), want)
        torch.testing.assert_close(task("gat").accuracy(params, part), want)
        torch.testing.assert_close(by_part[part], want)
        batch = (torch.arange(4),)
        assert torch.equal(problem.loss(params, batch), task("gat").loss(params, batch))
    assert torch.equal(task("gat").accuracy(params), by_part["train"])
    with pytest.raises(ConfigError, match="unknown part"):
        task("gat").accuracy(params, "test")


def test_labels_outside_the_training_nodes_do_not_reach_the_loss():
    changed = small_graph()
    changed.labels[3:] = 0
    params, batch = task("jknet").init(torch.Generator()), (torch.tensor([5]),)
    other = tasks.GraphNetwork("jknet", changed, NETWORKS["jknet"])
    assert torch.equal(other.loss(params, batch), task("jknet").loss(params, batch))
    assert other.identity != task("jknet").identity


def test_a_split_of_ones_own():
    problem = tasks.GraphNetwork("gat", small_graph().split(3, 2, 2, 2), tasks.GAT)
    assert problem.dataset == "small (split drawn with seed 3)"
    assert len(problem.graph.nodes["train"]) == 6


def test_learned_optimizers_are_evaluated_and_meta_trained_on_graphs():
    problem = task("gat")
    losses = meta.evaluate(Equation("-0.05 * m_hat"), problem, steps=30, instances=2)
    assert losses[:, -5:].mean() < losses[:, :5].mean()
    options = {"epochs": 1, "steps": 4, "unroll": 2, "validation_instances": 1, "progress": False}
    history = meta.meta_train(RP(), problem, **options)
    assert history.validation


@pytest.mark.parametrize("name", NETWORKS)
def test_a_rule_gives_the_same_losses_as_an_equation_and_as_a_pytorch_optimizer(name):
    problem = task(name, part="report")
    want = meta.evaluate(Equation("-0.1 * g"), problem, steps=7, instances=1, seed=4)[0, :-1]
    for optimizer in (
        partial(torch.optim.SGD, lr=0.1),
        lambda weights: optim.SymbolicOptimizer(weights, "-0.1 * g", lr=1.0),
    ):
        training = tasks.train_on_graph(problem, optimizer, epochs=7, seed=4)
        torch.testing.assert_close(training.losses, want)


def test_accuracy_at_the_last_and_the_best_validation_epoch():
    judged = {"choose": torch.tensor([0.1, 0.5, 0.5, 0.2]), "report": torch.tensor([0.1, 0.2, 0.3, 0.4])}
    training = tasks.NodeTraining(torch.zeros(4), judged)
    assert training.last == pytest.approx(0.4)
    assert training.best == pytest.approx(0.2)


def test_accuracies_are_those_after_each_step():
    problem = task("gat", part="report")
    training = tasks.train_on_graph(problem, partial(torch.optim.Adam, lr=0.05), epochs=60)
    assert {part: len(found) for part, found in training.accuracies.items()} == dict.fromkeys(
        ("train", "choose", "report"), 60
    )
    assert training.accuracies["train"][-1] == 1
    with pytest.raises(ConfigError, match="epochs"):
        tasks.train_on_graph(problem, torch.optim.SGD, epochs=0)


def test_a_module_that_does_not_score_each_class_is_refused():
    with pytest.raises(ConfigError, match=r"gives \[\d+, 2\] where scores \[\d+, 3\] are needed"):
        tasks.GraphNetwork("odd", small_graph(), lambda features, classes: NETWORKS["gat"](features, 2))
    with pytest.raises(ConfigError, match="fails on its data"):
        tasks.GraphNetwork("odd", small_graph(), nn.Linear)
