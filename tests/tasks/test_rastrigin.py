"""P1 against SymL2O Eq. 4, instance by instance."""

import numpy as np
import pytest
import torch

from l2o_core import tasks
from l2o_core.errors import ConfigError


@pytest.fixture
def played():
    task, generator = tasks.load("p1"), torch.Generator().manual_seed(0)
    params = task.init(generator, 3).double()
    batch = tuple(part.double() for part in next(task.batches(generator, 3)))
    return task, params, batch


def test_loss_is_equation_4(played):
    task, params, (A, b, c) = played
    for i, value in enumerate(task.loss(params, (A, b, c))):
        x = params[i].numpy()
        want = np.sum((A[i].numpy() @ x + b[i].numpy()) ** 2) + 0.5 * c[i].numpy() @ np.cos(x)
        assert value.item() == pytest.approx(want, rel=1e-12)


def test_closed_form_gradient_is_autograd(played):
    task, params, batch = played
    loss, gradient = task.loss_and_gradient(params, batch)
    want_loss, want = super(tasks.Rastrigin, task).loss_and_gradient(params, batch)
    torch.testing.assert_close(loss, want_loss)
    torch.testing.assert_close(gradient, want)


def test_an_instance_stays_the_same_along_its_trajectory():
    batches = tasks.load("p1").batches(torch.Generator().manual_seed(0), 2)
    assert all(torch.equal(a, b) for a, b in zip(next(batches), next(batches), strict=True))


def test_unknown_task_is_named():
    with pytest.raises(ConfigError, match="unknown task 'p9'; known: p1"):
        tasks.load("p9")


@pytest.mark.parametrize(
    ("name", "option", "message"),
    [("p1", {"dim": 0}, "dim must be a whole number, 1 or more, not 0"),
     ("p1", {"dim": -2}, "dim must be a whole number, 1 or more, not -2"),
     ("p1", {"batch": 3}, "p1 has no option 'batch'; known: dim, device, part"),
     ("digits", {"dim": 3}, "digits has no option 'dim'"),
     ("digits", {"batch": 0}, "batch must be a whole number, 1 or more, not 0"),
     ("digits", {"batch": -1}, "batch must be a whole number, 1 or more, not -1"),
     ("digits", {"low": float("nan")}, "low must be a finite number"),
     ("digits", {"bacth": 8}, "did you mean 'batch'")],
)  # fmt: skip
def test_options_of_tasks_that_make_no_sense_are_refused(name, option, message):
    with pytest.raises(ConfigError, match=message):
        tasks.load(name, **option)


@pytest.mark.parametrize("name", [None, 3, ["p1"]])
def test_what_is_no_name_is_an_unknown_task(name):
    with pytest.raises(ConfigError, match="unknown task"):
        tasks.load(name)
