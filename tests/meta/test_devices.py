"""The work is done on the device of the task: here on PyTorch's "meta", which has shapes but no numbers."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from l2o_core import distiller, meta, models, tasks
from l2o_core.arguments import find_device
from l2o_core.errors import ConfigError
from l2o_core.meta import adjoint
from l2o_core.meta.estimators import TBPTT, Imitation
from l2o_core.models import Equation

META = torch.device("meta")
MOVE = {torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default}
INDEX = {torch.ops.aten.index.Tensor, torch.ops.aten._index_put_impl_.default}  # by indices from the CPU
TASKS = {
    "p1": tasks.Rastrigin,
    "mlp": partial(tasks.MLP, "mlp", "digits", (5,), augment=False),
    "network": partial(
        tasks.Network, "linear", "digits", lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    ),
    "augmented": partial(tasks.MLP, "mlp", "digits", (5,), augment=True),
}
EQ6 = "-gamma * (w * tanh(n_hat[0] / gamma) + 0.1 * tanh(m_hat[2] / gamma))"
OPTIMIZERS = {
    **{model.__name__: model for model in (models.DM, models.RP, models.RPSmallExtra, models.SOL)},
    "Equation": lambda: Equation(EQ6, {"gamma": 0.5, "w": 0.1}),
}


class OneDevice(TorchDispatchMode):
    """Every operation works on tensors of one device; numbers from elsewhere may join, as on a GPU."""

    def __torch_dispatch__(self, operation, types, arguments=(), options=None):
        tensors = [part for part in tree_leaves((arguments, options)) if isinstance(part, torch.Tensor)]
        devices = {part.device.type for part in tensors if part.dim()}
        assert len(devices) < 2 or operation in MOVE | INDEX, f"{operation} of tensors on {devices}"
        return operation(*arguments, **(options or {}))


@pytest.fixture(autouse=True)
def one_device():
    with OneDevice():
        yield


@pytest.mark.parametrize("name", TASKS)
def test_everything_of_a_task_is_on_its_device(name):
    task = TASKS[name](device="meta")
    generator = task.generator(0)
    params, batches = task.init(generator, 2), task.batches(generator, 2)
    loss, gradient = task.loss_and_gradient(params, next(batches))
    for tensor in (params, *next(batches), task.loss(params, next(batches)), loss, gradient):
        assert tensor.device == task.device == META


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_are_trained_there(name):
    optimizer = OPTIMIZERS[name]()
    there = optimizer.on(META)
    estimator = TBPTT(there, tasks.load("p1", device="meta"), 0, 3, fraction=0.5, scaling=1.0)
    there.sample_gates(estimator.generator)
    unrolled = adjoint.unroll(there, estimator.rollout, 4, estimator.sample(estimator.rollout))
    adjoint.backward(there, unrolled, unrolled.gradients.new_full((4,), 0.1))
    assert {part.grad.device for part in there.parameters()} == {META}
    assert {part.device.type for part in optimizer.parameters()} == {"cpu"}


def test_a_copy_is_made_only_where_it_must():
    rule = Equation("-0.1 * g")
    assert rule.on(torch.device("cpu")) is rule


def test_imitation_follows_there():
    student = models.DM().on(META)
    imitation = Imitation(student, tasks.load("p1", device="meta"), 0, 3, fraction=0.5)
    unrolled = adjoint.unroll(imitation.teacher, imitation.rollout, 4, imitation.chosen)
    assert unrolled.updates.device == imitation.state[0].device == META


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_results_are_copied_to_the_cpu_in_the_end(name):
    """From "meta" there is nothing to copy, so that is as far as it comes."""
    optimizer, task = OPTIMIZERS[name](), tasks.load("p1", device="meta")
    with pytest.raises(NotImplementedError, match="Cannot copy out of meta tensor"):
        meta.evaluate(optimizer, task, steps=3, instances=2)
    with pytest.raises(NotImplementedError, match="Cannot copy out of meta tensor"):
        distiller.collect(optimizer, task, lags=2, steps=3, samples=5)


def test_training_leaves_the_optimizer_where_it_was(monkeypatch):
    """The trained copy stands for one on another device."""
    trained, plain = (models.RPSmall(scale=0.1) for _ in range(2))
    plain.load_state_dict(trained.state_dict())
    options = {"epochs": 2, "steps": 10, "unroll": 5, "validation_instances": 2, "progress": False}
    meta.meta_train(plain, tasks.load("p1"), **options)
    monkeypatch.setattr(models.RPSmall, "on", lambda self, device: copied(self))
    meta.meta_train(trained, tasks.load("p1"), **options)
    for mine, theirs in zip(trained.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=0)


def copied(optimizer):
    other = models.RPSmall(scale=0.1)
    other.load_state_dict(optimizer.state_dict())
    return other


def test_results_of_two_devices_have_two_keys():
    here, there = tasks.load("p1"), tasks.load("p1", device="meta")
    assert there.identity == here.identity | {"device": "meta"}
    assert "device" not in here.identity


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has one")
def test_a_device_that_is_not_there():
    with pytest.raises(ConfigError, match="no CUDA device here; set device to cpu"):
        tasks.load("p1", device="cuda")
    with pytest.raises(ConfigError, match="no GPU device here; set device to cpu"):
        tasks.load("digits", device="gpu")
    assert find_device("cpu") == torch.device("cpu")
