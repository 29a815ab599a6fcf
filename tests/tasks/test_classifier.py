"""Networks written on flat parameters equal the same networks built from torch.nn modules."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from l2o_core import data, tasks
from l2o_core.errors import ConfigError


@pytest.fixture(autouse=True)
def small_mnist(monkeypatch):
    """Random images of MNIST's shape: the laws below do not depend on what they show."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (60, 1, 28, 28), generator=generator, dtype=torch.uint8)
    labels = torch.arange(60) % 10
    fake = data.ImageData("random", images, labels, 10)
    real = data.load
    monkeypatch.setattr(data, "load", lambda name, *a, **k: real(name) if name == "digits" else fake)


def mlp(weights, hidden, i):
    layers = []
    for k in range(1, len(hidden) + 2):
        linear = nn.Linear(*weights[f"w{k}"].shape[1:])
        linear.weight.data, linear.bias.data = weights[f"w{k}"][i].T, weights[f"b{k}"][i, 0]
        layers += [linear, nn.ReLU()]
    return nn.Sequential(nn.Flatten(), *layers[:-1])


def lenet(weights, i):
    conv1, conv2 = nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5)
    for k, conv in enumerate((conv1, conv2), start=1):
        conv.weight.data, conv.bias.data = weights[f"conv{k}"][i], weights[f"bias{k}"][i]
    linears = [nn.Linear(256, 120), nn.Linear(120, 84), nn.Linear(84, 10)]
    for k, linear in enumerate(linears, start=3):
        linear.weight.data, linear.bias.data = weights[f"w{k}"][i].T, weights[f"b{k}"][i, 0]
    body = [conv1, nn.ReLU(), nn.MaxPool2d(2), conv2, nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()]
    return nn.Sequential(*body, linears[0], nn.ReLU(), linears[1], nn.ReLU(), linears[2])


@pytest.mark.parametrize("name", ["p2", "p3", "lenet"])
def test_losses_of_many_instances_are_those_of_each_network(name):
    task, generator = tasks.load(name, batch=7, init_std=0.2), torch.Generator().manual_seed(1)
    params, (images, labels) = task.init(generator, 3), next(task.batches(generator, 3))
    losses, weights = task.loss(params, (images, labels)), task.unflatten(params)
    hidden = {"p2": (50, 20), "p3": (50, 20, 20, 12)}.get(name)
    for i in range(3):
        network = mlp(weights, hidden, i) if hidden else lenet(weights, i)
        torch.testing.assert_close(
            losses[i], cross_entropy(network(images[i]), labels[i]), rtol=1e-4, atol=1e-5
        )


def test_sizes_are_the_papers():
    assert tasks.load("p2").n == 784 * 50 + 50 + 50 * 20 + 20 + 20 * 10 + 10 == 40_480
    assert tasks.load("mnistnet").layers == {"w1": 15680, "b1": 20, "w2": 200, "b2": 10}


def test_the_sampler_is_seeded_and_stays_in_range():
    task = tasks.load("p2", batch=50)
    draws = [next(task.batches(torch.Generator().manual_seed(4), 2)) for _ in range(2)]
    assert torch.equal(draws[0][0], draws[1][0])
    assert draws[0][0].shape == (2, 50, 1, 28, 28)
    assert draws[0][0].min() >= -0.5
    assert draws[0][0].max() <= 0.5
    assert not torch.equal(draws[0][0][0], draws[0][0][1])


def test_digits_stand_in_is_named_as_such():
    assert "stand-in" in tasks.load("digits").dataset


def test_an_unknown_activation_is_refused():
    with pytest.raises(ConfigError, match="selu"):
        tasks.MLP(activation="selu")


def test_there_is_an_output_for_every_class(monkeypatch):
    images = torch.zeros(200, 3, 32, 32, dtype=torch.uint8)
    fake = data.ImageData("random", images, torch.arange(200) % 100, 100)
    monkeypatch.setattr(data, "load", lambda *a, **k: fake)
    task, generator = tasks.MLP("m", "cifar100", (8,), batch=64), torch.Generator()
    assert task.layers["b2"] == 100
    loss = task.loss(0 * task.init(generator, 2), next(task.batches(generator, 2)))
    torch.testing.assert_close(loss, torch.full((2,), 100.0).log())


def test_a_layer_has_a_unit():
    with pytest.raises(ConfigError, match="hidden must be a whole number, 1 or more, not 0"):
        tasks.MLP("m", "digits", (8, 0))
