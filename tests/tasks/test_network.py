"""A module as an optimizee is that module."""

from functools import partial

import torch
from torch import nn
from torch.nn.functional import cross_entropy

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
