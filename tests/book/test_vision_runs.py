"""Trainings of image networks by equations: as PyTorch's, cached, scored, and without a loss the worst."""

import math
from functools import partial

import pytest
import torch
from l2o_book import baselines, training, vision_runs
from l2o_book.contestants import Contestant
from l2o_book.training import Fit
from l2o_book.vision_runs import ImageTraining

from l2o_core import tasks
from l2o_core.models import Equation
from l2o_core.storage import Cache
from l2o_core.tasks import vision

SGD = Contestant(baselines.rule("sgd", 0.1))
DIVERGING = Contestant(Equation("g * 1e30 * exp(g^2)"))


@pytest.fixture(scope="module")
def problem():
    build = partial(vision.convnet, pixels=8, channels=1)
    options = {"epochs": 2, "batch": 32, "augment": False}
    return ImageTraining(build, vision_runs.splits("digits", 96, 64), options)


def test_the_splits_are_the_first_images_of_their_parts(problem):
    seen, chosen_on, reported_on = problem.splits
    assert (len(seen), len(chosen_on), len(reported_on)) == (96, 24, 64)
    assert len({split.images.numpy().tobytes() for split in problem.splits}) == 3
    assert problem.steps == 6
    assert problem.shorter(32).steps == 2
    assert [len(split) for split in problem.shorter(32).splits] == [32, 24, 1]


def test_an_equation_trains_as_the_optimizer_of_the_same_rule(problem):
    ours = problem.run(SGD, 3)
    theirs = training.fit(
        problem.build, lambda of: torch.optim.SGD(of, lr=0.1), *problem.splits, seed=3, **problem.options
    )
    assert ours.losses == pytest.approx(theirs.losses, rel=1e-4)


def test_scores_are_of_the_images_for_choices_and_a_run_that_diverged_has_none(problem):
    good, bad = problem.scores([SGD, DIVERGING], 3)
    assert good == problem.run(SGD, 3).validation[-1]
    assert bad == 0


def test_a_finished_run_is_read_from_the_cache(problem, tmp_path, monkeypatch):
    cached = ImageTraining(problem.build, problem.splits, problem.options, Cache(tmp_path))
    first = cached.run(SGD, 0)
    monkeypatch.setattr(training._Loop, "epoch", None)
    assert cached.run(SGD, 0).test == first.test


def test_the_entry_is_in_percent_and_says_which_run_diverged():
    runs = [Fit([2.0, 1.0], [0.5, 0.6], [0.4, 0.7], 3.0), Fit([2.0], [0.5], [0.4], 1.0, diverged=True)]
    found = vision_runs.entry(runs, Contestant(Equation("-g"), constants={"lr": 0.1}), epochs=2, classes=5)
    assert found["last"] == [70, 20]
    assert math.isnan(found["loss"][1])
    assert found["constants"] == {"lr": 0.1}
    assert found["diverged"] == 1


def test_epochs_are_counted_until_an_accuracy_is_reached_first():
    runs = {"test": [[0.4, 0.7, 0.6], [0.6, 0.7, 0.8], [0.1, 0.2, 0.3]]}
    assert vision_runs.reached(runs, [60, 70, 60]) == [2, 2, None]
    assert vision_runs.written([2, 1, None]) == "1.50 ± 0.71, 1 never"
    assert vision_runs.written([None] * 3) == "3 never"
    assert vision_runs.written([1, 1, 1]) == "1 ± 0"


def test_a_rate_is_the_best_of_its_own_and_others_and_a_known_score_is_not_computed_again(
    problem, monkeypatch
):
    equation, asked = Equation("-0.1*g"), []

    def scores(self, contestants, seed):
        asked.extend(one.rate for one in contestants)
        return [1.0 if one.rate == 10 else 0.5 for one in contestants]

    monkeypatch.setattr(ImageTraining, "scores", scores)
    assert problem.rated(equation, 2, 0, 10) == (10.0, [(1.0, 0.5), (0.1, 0.5), (10.0, 1.0)])
    assert asked == [1.0, 0.1, 10.0]
    asked.clear()
    assert problem.rated(equation, 2, 0, 10, own=2.0)[0] == 1.0
    assert asked == [0.1, 10.0]


def test_tasks_see_the_network_as_it_is_trained(problem):
    task = tasks.Network("convnet", "digits", lambda: training.Doubled(problem.build()), batch=8)
    images, labels = next(task.batches(torch.Generator().manual_seed(0)))
    params = task.init(torch.Generator().manual_seed(0))
    named = {name.removeprefix("network."): part[0] for name, part in task.unflatten(params).items()}
    bytes_ = ((images[0] + 0.5) * 255).round().to(torch.uint8)
    network = problem.build().train()
    network.load_state_dict(named, strict=False)
    scores = network(bytes_.float().div(127.5).sub(1))
    theirs = torch.nn.functional.cross_entropy(scores, labels[0])
    assert task.loss(params, (images, labels)).item() == pytest.approx(theirs.item(), rel=1e-4)
