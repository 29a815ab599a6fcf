"""Trainings of graph networks by equations: equal runs, choices, and what a run that diverges counts."""

import math

import pytest
import torch
from l2o_book import baselines, graph_runs
from l2o_book.contestants import Contestant

from l2o_core import tasks
from l2o_core.models import Equation
from l2o_core.storage import Cache

DIVERGING = Contestant(Equation("g * 1e30 * exp(g^2)"))


@pytest.fixture(scope="module")
def task():
    graph = tasks.block_graph(nodes=100, classes=2, words=10)
    return tasks.GraphNetwork("jknet", graph, tasks.JKNet, part="report")


def test_an_equation_trains_as_the_optimizer_of_the_same_rule(task):
    adam = Contestant(baselines.rule("adam", 0.01))
    found = graph_runs.trained(task, adam, 5, seed=3)
    want = tasks.train_on_graph(task, lambda of: torch.optim.Adam(of, lr=0.01), epochs=5, seed=3)
    torch.testing.assert_close(found.losses, want.losses)
    assert found.last == want.last


def test_a_finished_run_is_read_from_the_cache(task, tmp_path, monkeypatch):
    cache, sgd = Cache(tmp_path), Contestant(baselines.rule("sgd", 0.1))
    first = graph_runs.trained(task, sgd, 3, 0, cache)
    monkeypatch.setattr(graph_runs, "train_on_graph", None)
    again = graph_runs.trained(task, sgd, 3, 0, cache)
    assert torch.equal(first.losses, again.losses)
    assert first.best == again.best


def test_the_entry_has_percents_a_curve_and_the_constants(task):
    runs = [graph_runs.trained(task, Contestant(baselines.rule("sgd", 0.1)), 4, seed) for seed in (0, 1)]
    entry = graph_runs.entry(runs, {"lr": 0.1})
    assert entry["last"] == [100 * run.last for run in runs]
    assert entry["best"] == [100 * run.best for run in runs]
    assert entry["curves"] == [pytest.approx(run.losses.tolist(), rel=1e-3) for run in runs]
    assert entry["loss"] == pytest.approx([run.losses.mean().item() for run in runs])
    assert entry["constants"] == {"lr": 0.1}


def test_a_run_that_diverges_has_no_accuracy_and_is_never_chosen(task):
    run = graph_runs.trained(task, DIVERGING, 4, 0)
    assert math.isnan(graph_runs.entry([run])["last"][0])
    rivals = [DIVERGING, Contestant(baselines.rule("sgd", 0.01))]
    diverged, other = graph_runs.validation(task, rivals, 4, [0])
    assert diverged == -math.inf
    assert 0 <= other <= 100
