"""An optimizer is run through recorded windows, and compared with its equation one input at a time."""

import numpy as np
import pytest
import torch
from l2o_book import fits, mapping
from l2o_book.mapping import equation_updates, response

from l2o_core import distiller, models, tasks
from l2o_core.expressions import const
from l2o_core.features import Features

LAGS = 4
RULE = models.Equation("-0.01 * b", beta1=0.5)


@pytest.fixture(scope="module")
def problem():
    return tasks.load("p1")


@pytest.fixture(scope="module")
def network(problem):
    torch.manual_seed(0)
    optimizer = models.RPSmall()
    options = {"lags": LAGS, "samples": 200, "steps": 20, "instances": 8}
    return optimizer, distiller.collect(optimizer, problem, **options)


@pytest.fixture(scope="module")
def momentum(problem):
    options = {"lags": LAGS, "samples": 200, "steps": 20, "instances": 8, "features": Features(("g",))}
    return distiller.collect(RULE, problem, **options)


def test_a_restarted_network_knows_less(network):
    assert fits.restarted(*network) < 1


def test_the_moment_of_a_response_keeps_how_far_its_run_had_come(network, monkeypatch):
    optimizer, data = network
    moments = []
    monkeypatch.setattr(mapping, "replay", lambda _, rows: moments.append(rows) or torch.zeros(len(rows)))
    response(optimizer, const(0.0), data, "m_hat")
    (step,) = set(moments[0].origin["step"])
    assert step in data.origin["step"][(data.inputs[:, 1] == moments[0].inputs[0, 1])]


def test_an_equation_equal_to_its_teacher_has_the_same_response(momentum, problem):
    text = " + ".join(f"{-0.01 * 0.5**lag!r} * g[{lag}]" for lag in range(LAGS))
    equation = distiller.distill(momentum.inputs, momentum.targets, momentum.names, engine="linear").best
    found = response(models.Equation(text), equation.equation, momentum, "g", lag=1)
    assert np.ptp(found.teacher) > 0
    assert found.x[0] == -found.x[-1]
    width = 2 * np.quantile(np.abs(momentum.inputs[:, 0]), 0.9)
    assert found.x[-1] == pytest.approx(width)
    assert np.ptp(found.teacher) == pytest.approx(2 * width * 0.005, rel=1e-3)


def test_the_error_of_a_response_is_relative(momentum):
    rule = models.Equation("-0.01 * g[0]")
    found = response(rule, (2 * rule.equation).simplify(), momentum, "g")
    assert found.error == pytest.approx(1, rel=1e-4)


def test_a_constant_equation_answers_every_window(momentum):
    assert equation_updates(const(2.0), momentum).tolist() == [2.0] * len(momentum)


def test_held_out_rows_are_those_of_the_front(momentum):
    rows = fits.held_out(momentum)
    front = distiller.distill(
        momentum.inputs, momentum.targets, momentum.names, groups=momentum.groups, engine="linear"
    )
    best = front.best
    spread = rows.targets.var()
    again = 1 - np.square(equation_updates(best.equation, rows) - rows.targets).mean() / spread
    assert again == pytest.approx(best.r2, abs=1e-6)
    assert set(rows.groups).isdisjoint(set(momentum.groups) - set(rows.groups))
    assert len(rows.origin["step"]) == len(rows)
