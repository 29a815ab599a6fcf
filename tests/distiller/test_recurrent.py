"""Rules with a memory of their own are found, judged in closed loop, and kept."""

import math

import numpy as np
import pytest
import torch

from l2o_core import models, tasks
from l2o_core.distiller import Memory, ParetoFront, Trajectories, distill_recurrent, record, recurrent
from l2o_core.errors import ConfigError, DataError
from l2o_core.expressions import System, parse, parse_rule
from l2o_core.storage import Cache

PLAIN = Memory(updates=1, lags=1, averages=(), cells=0)
QUICK = {"engine": "linear", "time_limit": 300.0}  # never reached: what is found must not depend on load


def trajectories(rule: str, **options) -> Trajectories:
    settings = {"steps": 20, "instances": 8, "per_layer": 5} | options
    return record(models.Equation(rule), tasks.load("p1"), **settings)


@pytest.fixture(scope="module")
def momentum() -> Trajectories:
    return trajectories("0.8 * u[1] - 0.01 * g")


def test_momentum_is_found_from_its_updates(momentum):
    best = distill_recurrent(momentum, PLAIN, **QUICK).best
    assert str(best.equation.rounded(3)) == "-0.01 * g + 0.8 * u[1]"
    assert best.closed_loop > 0.9999
    assert best.r2 > 0.9999
    assert best.r2_select > 0.9999


def test_one_step_ahead_and_closed_loop_are_two_things(momentum):
    """The update again says much of the next one, and alone it never moves."""
    front = distill_recurrent(momentum, PLAIN, start=["u[1]"], **QUICK)
    lazy = next(entry for entry in front if str(entry.equation) == "u[1]")
    assert lazy.r2 > 0.3
    assert lazy.closed_loop < 0.01


def test_a_running_average_is_found_as_a_state():
    way = trajectories("p = 0.85 * p[1] + 0.15 * g; -0.02 * p")
    memory = Memory(updates=1, lags=1, averages=(0.9,), cells=0)
    front = distill_recurrent(way, memory, max_complexity=20, **QUICK)
    assert front.best.closed_loop > 0.9999


def test_cells_saturate_where_sums_do_not(monkeypatch):
    monkeypatch.setattr(recurrent, "STAGES", ((10, 6, 30), (20, 3, 60)))
    way = trajectories("p = tanh(0.6 * p[1] + 0.03 * g); -0.02 * p")
    options = {"max_complexity": 20, "seed": 1} | QUICK
    with_cells = distill_recurrent(way, Memory(lags=1, averages=(), cells=1), **options)
    without = distill_recurrent(way, Memory(lags=1, averages=(), cells=0), **options)
    assert with_cells.best.closed_loop > 0.99 > without.best.closed_loop
    assert isinstance(with_cells.best.equation, System)
    assert all(entry.complexity <= 20 for entry in with_cells)


def test_a_front_is_kept_and_written(momentum, tmp_path):
    cache = Cache(tmp_path / "cache")
    first = distill_recurrent(momentum, PLAIN, cache=cache, **QUICK)
    again = distill_recurrent(momentum, PLAIN, cache=cache, **QUICK)
    assert [*again] == [*first]
    assert again.seconds == first.seconds
    first.save(tmp_path / "front.json")
    assert [*ParetoFront.load(tmp_path / "front.json")] == [*first]


def test_two_rounds_learn_where_the_rule_itself_leads(momentum):
    """The second round's rows are the teacher's answers along the first rule's rollouts."""
    teacher = models.Equation("0.8 * u[1] - 0.01 * g")
    rule = distill_recurrent(momentum, PLAIN, **QUICK).best.equation
    second = record(
        teacher, tasks.load("p1"), driver=models.Equation(rule), steps=20, instances=8, per_layer=5
    )
    both = Trajectories.concatenate([momentum, second])
    front = distill_recurrent(both, PLAIN, start=[rule], **QUICK)
    assert front.best.closed_loop > 0.9999


def test_rules_that_grow_are_left_out_with_a_note():
    """On rising updates a growing rule fits best, and goes wrong when it runs on."""
    steps = torch.arange(1, 13, dtype=torch.float64)
    updates = 1.5 ** steps[:, None] * torch.linspace(0.5, 1.5, 10)
    way = Trajectories({"g": torch.ones(12, 10)}, updates, np.arange(10))
    rule = parse_rule("1.5 * u[1] + 0.75 * g")
    assert recurrent.grows(rule, way)
    assert not recurrent.grows(parse_rule("0.9 * u[1] + 0.75 * g"), way)
    front = distill_recurrent(way, PLAIN, start=[rule, "0.9 * u[1] + g", "2 * g"], **QUICK)
    assert any("grow without bound" in note for note in front.notes)
    assert not any(recurrent.grows(entry.equation, way) for entry in front)


class Interrupted:
    """An engine that finds one equation, and then is stopped by hand."""

    name, asked = "interrupted", 0

    def search(self, problem, **limits):
        self.asked += 1
        yield [parse("g[0]")]
        raise KeyboardInterrupt


class Failing(Interrupted):
    """One that then fails."""

    name = "failing"

    def search(self, problem, **limits):
        yield [parse("g[0]")]
        raise ZeroDivisionError("odd")


def test_stopped_while_its_engine_searches_it_ends_and_keeps_nothing_for_later(momentum, tmp_path):
    engine = Interrupted()
    options = {"engine": engine, "time_limit": 1e5, "max_complexity": 10, "cache": Cache(tmp_path)}
    front = distill_recurrent(momentum, Memory(cells=2), **options)
    assert front.stopped
    assert engine.asked == 1
    assert "stopped by hand" in front.notes[-1]
    assert not [*tmp_path.rglob("*.json")]
    front.save(tmp_path / "front.json")
    assert ParetoFront.load(tmp_path / "front.json").stopped


def test_a_front_whose_engine_failed_is_not_kept_for_later(momentum, tmp_path):
    options = QUICK | {"engine": Failing(), "cache": Cache(tmp_path)}
    front = distill_recurrent(momentum, PLAIN, **options)
    assert front.failed
    assert not front.stopped
    assert not [*tmp_path.rglob("*.json")]


def test_a_search_stopped_by_hand_returns_what_it_has(momentum, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(recurrent, "_one_step_ahead", stop)
    front = distill_recurrent(momentum, PLAIN, start=["-0.01 * g + 0.5 * u[1]"], **QUICK)
    assert "stopped by hand" in front.notes[-1]
    assert front.best.closed_loop > 0.9999
    least_squares = distill_recurrent(momentum, PLAIN, **QUICK).best  # there was nothing else yet
    assert least_squares.closed_loop > 0.9999
    assert least_squares.equation.memory == {"u": 1}


def test_where_all_that_was_found_grows_least_squares_without_memory_is_left(momentum, monkeypatch):
    monkeypatch.setattr(recurrent, "grows", lambda rule, way: bool(rule.memory))
    front = distill_recurrent(momentum, PLAIN, start=["-0.01 * g + 0.5 * u[1]"], **QUICK)
    g, u = momentum.features["g"].flatten(), momentum.updates.flatten()
    assert str(front.best.equation).endswith(" * g")
    assert not any(entry.equation.memory for entry in front)
    assert front.best.equation.constants[0] == pytest.approx((g @ u / (g @ g)).item(), rel=0.3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"updates": 0}, "updates and lags of at least 1"),
        ({"cells": 4}, "0 to 3 cells"),
        ({"averages": (1.0,)}, "between 0 and 1"),
        ({"averages": (math.nan,)}, "between 0 and 1"),
        ({"lags": 1.5}, "lags"),
    ],
)
def test_a_memory_that_makes_no_sense_is_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        Memory(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": "p = "}, "start must be rules"),
        ({"start": 3}, "start must be rules"),
        ({"start": ["m_hat"]}, "reads m_hat"),
        ({"max_complexity": 0}, "max_complexity"),
        ({"time_limit": -1}, "time_limit"),
    ],
)
def test_options_that_make_no_sense_are_refused(momentum, options, message):
    with pytest.raises((ConfigError, DataError), match=message):
        distill_recurrent(momentum, PLAIN, **QUICK | options)


def test_too_few_rollouts_cannot_be_held_out():
    with pytest.raises(DataError, match=r"trajectories are of 2 rollouts.* takes 3 or more: record more"):
        distill_recurrent(trajectories("-0.01 * g", instances=2), PLAIN, **QUICK)


def test_three_rollouts_are_enough():
    way = trajectories("0.8 * u[1] - 0.01 * g", instances=3)
    assert distill_recurrent(way, PLAIN, **QUICK).best.closed_loop > 0.9999
