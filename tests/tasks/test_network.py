"""A module as an optimizee is that module."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from l2o_core import meta
from l2o_core.errors import ConfigError
from l2o_core.models import Equation
from l2o_core.tasks import Network


def build():
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(108, 10))


task = Network("tiny", "digits", build, batch=16)


def test_loss_and_gradient_are_the_modules():
    generator = torch.Generator().manual_seed(0)
    params, (images, labels) = task.init(generator, 2), next(task.batches(generator, 2))
    loss, gradient = task.loss_and_gradient(params, (images, labels))
    for i in range(2):
        module = build()
        nn.utils.vector_to_parameters(params[i], module.parameters())
        want = cross_entropy(module(images[i]), labels[i])
        want.backward()
        torch.testing.assert_close(loss[i], want.detach())
        torch.testing.assert_close(
            gradient[i], nn.utils.parameters_to_vector(p.grad for p in module.parameters())
        )


def test_starting_points_are_the_modules_own_and_follow_the_seed():
    draw = partial(task.init, instances=2)
    first, again = (draw(torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first[0], first[1])
    normalisation = task.unflatten(first)["1.weight"]
    assert torch.equal(normalisation, torch.ones(2, 3))


def test_drawing_a_starting_point_leaves_the_global_generator_alone():
    torch.manual_seed(0)
    want = torch.rand(3)
    torch.manual_seed(0)
    task.init(torch.Generator())
    assert torch.equal(torch.rand(3), want)


def with_dropout():
    return nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, 10))


@pytest.fixture
def random_task():
    return Network("drop", "digits", with_dropout, batch=8)


def test_dropout_follows_the_seed_and_leaves_the_global_generator_alone(random_task):
    rule, options = Equation("-0.1 * g"), {"steps": 3, "instances": 2}
    torch.manual_seed(0)
    want = torch.rand(3)
    torch.manual_seed(0)
    first = meta.evaluate(rule, random_task, **options, seed=0)
    torch.testing.assert_close(torch.rand(3), want)
    assert torch.equal(meta.evaluate(rule, random_task, **options, seed=0), first)
    torch.testing.assert_close(meta.evaluate_rules(["-0.1 * g"], random_task, **options)[0], first)
    assert not torch.equal(meta.evaluate(rule, random_task, **options, seed=1), first)


def test_dropout_is_on_and_other_in_every_step_and_instance(random_task):
    generator = torch.Generator().manual_seed(0)
    params, batches = random_task.init(generator, 2), random_task.batches(generator, 2)
    images, labels, seeds = next(batches)
    assert len({*seeds.tolist(), *next(batches)[2].tolist()}) == 4
    loss, again = (random_task.loss(params, (images, labels, each)) for each in (seeds, seeds + 1))
    assert not torch.isclose(loss, again).any()
    module = with_dropout()
    nn.utils.vector_to_parameters(params[1], module.parameters())
    torch.manual_seed(int(seeds[1]))
    torch.testing.assert_close(loss[1], cross_entropy(module(images[1]), labels[1]))


def test_meta_training_with_dropout_resumes(random_task, tmp_path):
    options = {"steps": 4, "unroll": 2, "validation_instances": 2, "progress": False}
    whole = meta.meta_train(Equation("-0.1 * g"), random_task, epochs=3, **options)
    options["checkpoint"] = tmp_path / "run.pt"
    meta.meta_train(Equation("-0.1 * g"), random_task, epochs=1, **options)
    torch.rand(5)  # another process has other global numbers
    resumed = meta.meta_train(Equation("-0.1 * g"), random_task, epochs=3, **options)
    assert resumed.losses == whole.losses


def test_a_module_that_draws_nothing_needs_no_seeds():
    assert not task.draws


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 9)), r"gives \[2, 9\] where scores \[2, 10\]"),
        (lambda: nn.Conv2d(1, 10, 1), r"gives \[2, 10, 8, 8\]"),
        (lambda: nn.Sequential(nn.Flatten(), nn.LSTM(64, 10)), "gives a tuple"),
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(784, 10)), "fails on its data"),
        (lambda: nn.Bilinear(8, 8, 10), "fails on its data"),
    ],
)
def test_a_module_that_does_not_score_each_class_is_refused(module, said):
    with pytest.raises(ConfigError, match=said):
        Network("odd", "digits", module)
