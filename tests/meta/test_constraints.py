"""Tasks with constraints: parameters are put back after every step, and rules of theta see them there."""

from itertools import repeat

import pytest
import torch

from l2o_core import distiller, meta, models, tasks
from l2o_core.errors import ConfigError
from l2o_core.features import Features
from l2o_core.meta.rollout import Rollout


class Line(tasks.Task):
    """f(x) = x on a box, from outside of it."""

    name, dataset = "line", "synthetic"
    layers = {"x": 1}  # noqa: RUF012 (read only)

    def __init__(self, start: float, low: float, high: float):
        self.start, self.low, self.high = start, low, high

    def init(self, generator, instances=1):
        return torch.full((instances, 1), self.start)

    def batches(self, generator, instances=1):
        return repeat((torch.ones(instances, 1),))

    def loss(self, params, batch):
        return (params * batch[0]).sum(-1)

    def project(self, params, batch):
        return params.clamp(self.low, self.high)


def walk(rule, start, low, high, steps):
    """The way of x by `rule(x, t)`, as plain numbers."""
    way = [min(max(start, low), high)]
    for t in range(1, steps + 1):
        way.append(min(max(way[-1] + rule(way[-1], t), low), high))
    return way


@pytest.mark.parametrize("start", [0.0, 5.0])
def test_a_rule_of_theta_reads_where_the_constraints_put_it(start):
    text, task = "-0.5 * theta + 2 * relu(2 - t)", Line(start, -1, 1)
    want = walk(lambda x, t: -0.5 * x + 2 * max(0, 2 - t), start, -1, 1, steps=3)
    assert start or want == [0, 1, 0.5, 0.25]
    found = meta.evaluate(models.Equation(text), task, steps=3, instances=2)
    together = meta.evaluate_rules([text], task, steps=3, instances=2)[0]
    torch.testing.assert_close(found, torch.tensor([want, want]))
    torch.testing.assert_close(together, torch.tensor([want, want]))


def test_so_it_does_under_random_scaling():
    rule = models.Equation("-0.5 * theta + 2 * relu(2 - t)")
    rollout = Rollout.start(rule, Line(0.0, -1, 1), seed=0, instances=3, scaling=1.0)
    for _ in range(3):
        rollout.step(rule)
        torch.testing.assert_close(rollout.state[-1], rollout.position)
        assert rollout.params.abs().max() <= 1


def test_many_rules_obey_the_constraints_as_one_does():
    rules, task = ["-0.3 * g", "-0.05 * m - 0.2 * u[1]"], Line(0.2, 0, 1)
    together = meta.evaluate_rules(rules, task, steps=6, instances=2)
    for rule, losses in zip(rules, together, strict=True):
        torch.testing.assert_close(losses, meta.evaluate(models.Equation(rule), task, steps=6, instances=2))
    assert together[0, 0, -1] == 0


def test_tuning_without_gradients_obeys_them_too():
    """The bottom of the box is as low as it gets, whatever the step: nothing to gain but time."""
    _, history = meta.tune_without_gradients("-10 * g", Line(0.2, 0, 1), trials=8, steps=4)
    assert history.best[1] == pytest.approx(1)


def test_batches_of_another_kind_are_refused_by_name():
    class Odd(Line):
        def batches(self, generator, instances=1):
            return repeat({"x": torch.ones(instances, 1)})

    with pytest.raises(ConfigError, match=r"line are not tuples of tensors.*method `share`"):
        meta.evaluate_rules(["-g"], Odd(0.2, 0, 1), steps=1)


def test_theta_of_a_watched_rule_is_where_its_driver_went():
    watched, driver = models.Equation("-0.5 * theta"), models.Equation("0.1 * sign(g)")
    way = distiller.record(
        watched, Line(0.5, 0, 1), steps=7, instances=2, per_layer=1, features=Features(("g",)), driver=driver
    )
    want = walk(lambda x, t: 0.1, 0.5, 0, 1, steps=6)
    torch.testing.assert_close(way.updates[:, 0], -0.5 * torch.tensor(want, dtype=torch.double))
