"""The search: what it finds is good, valid, and the same for the same seed."""

import math

import numpy as np
import pytest

from l2o_core import discovery, meta, tasks
from l2o_core.discovery import search
from l2o_core.discovery.arena import Arena
from l2o_core.discovery.grammar import Grammar
from l2o_core.discovery.starts import directions, scaled
from l2o_core.errors import ConfigError, DataError
from l2o_core.expressions import parse_rule

P1 = tasks.load("p1", dim=5)
SMALL = {"steps": 20, "max_complexity": 14, "instances": 4, "candidates": 300}


@pytest.fixture(scope="module", autouse=True)
def few_trials():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "TRIALS", 25)
        patch.setattr(search, "FEW", 2)
        yield


@pytest.fixture(scope="module")
def front():
    return discovery.discover(P1, seed=2, **SMALL)


def arena(**options) -> Arena:
    shared = {"steps": 20, "instances": 4, "seed": 2}
    return Arena([P1], parse_rule(search.REFERENCE), **shared | options)


def test_better_than_gradient_descent_at_its_best_rate(front):
    final = arena(instances=6, seed=3)  # the instances of the choice
    descent = final.worth([parse_rule(f"-{rate} * g") for rate in np.geomspace(1e-4, 0.3, 50)])
    assert math.log(front.best.loss) < min(descent)
    found = final.worth([entry.equation for entry in front])
    assert np.exp(found) == pytest.approx([entry.loss for entry in front], rel=1e-4)


def test_a_front_of_valid_rules(front):
    sizes, losses = zip(*((entry.complexity, entry.loss) for entry in front), strict=True)
    assert sorted(sizes) == [*sizes]
    assert sorted(losses, reverse=True) == [*losses]
    assert max(sizes) <= 14
    assert all(parse_rule(str(entry.equation)) == entry.equation for entry in front)
    assert front.engine == "discovery"
    assert front.settings["tasks"] == ["p1"]


def test_the_same_seed_finds_the_same(front, tmp_path):
    again = discovery.discover(P1, seed=np.int64(2), **SMALL)
    assert [str(entry.equation) for entry in again] == [str(entry.equation) for entry in front]
    saved = type(front).load(front.save(tmp_path / "front.json"))
    assert [entry.equation for entry in saved] == [entry.equation for entry in front]


def test_several_tasks_and_a_given_rule():
    several = [P1, tasks.load("digits", batch=4)]
    given = "p = 0.9 * p[1] + 0.1 * g; -0.005 * sign(p)"
    options = {"steps": 3, "instances": 1, "candidates": 1, "choice_instances": 1, "max_complexity": 12}
    front = discovery.discover(several, start=[given, "0.1 * t"], **options)
    assert front.settings["tasks"] == ["p1", "digits"]
    assert front.notes == ("1 of the given rules do not fit the grammar and were left out",)


def test_stopped_by_hand_it_returns_what_it_has(monkeypatch):
    def stopped(*_: object):
        raise KeyboardInterrupt

    monkeypatch.setattr(search._Search, "breed", stopped)
    front = discovery.discover(P1, **SMALL)
    assert len(front) >= 1
    assert "stopped by hand" in front.notes[-1]
    monkeypatch.setattr(search._Search, "begin", stopped)
    with pytest.raises(KeyboardInterrupt):
        discovery.discover(P1, **SMALL)


def test_rules_that_diverge_elsewhere_are_shown_with_a_note():
    options = SMALL | {"instances": 1, "candidates": 1, "max_complexity": 3, "choice_instances": 12}
    front = discovery.discover(tasks.load("p1"), start=["-0.02 * g"], seed=4, **options | {"steps": 40})
    assert len(front) >= 1
    assert (front.best.loss > 1000) == any("diverges" in note for note in front.notes)


def test_a_race_is_won_by_the_best_of_all_runs():
    rules = [parse_rule(f"-{rate} * g") for rate in np.geomspace(1e-5, 10, 30)]
    ended = arena().race(rules)
    best = min(zip(arena().worth(rules), rules, strict=True), key=lambda pair: pair[0])
    assert 0 < len(ended) < 12
    assert ended[0][0] == best[1]
    assert ended[0][1] == pytest.approx(best[0], abs=1e-4)


def test_the_reference_is_worth_nothing_more_than_itself():
    assert arena().worth([parse_rule(search.REFERENCE)]) == pytest.approx([0], abs=1e-5)


def test_the_reference_is_adam():
    adam = meta.evaluate_rules(["-0.01 * m_hat"], P1, steps=20, beta1=0.9, beta2=0.999)
    ours = meta.evaluate_rules([search.REFERENCE], P1, steps=20)
    assert ours.numpy() == pytest.approx(adam.numpy(), rel=1e-3)


def test_directions_at_a_rate():
    for rule in directions(Grammar()):
        losses = meta.evaluate_rules([scaled(rule, 0.001), rule], P1, steps=1)
        moved = losses[:, 0, 1] - losses[:, 0, 0]
        assert losses.isfinite().all()
        assert abs(moved[0]) < abs(moved[1]) or moved[1] == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps must be"),
        ({"time_limit": 0}, "time_limit must"),
        ({"tasks": []}, "no task"),
        ({"seed": -1}, "seed must be a whole number, 0 or more"),
        ({"steps": 2.0}, "steps must be a whole number"),
        ({"candidates": 0}, "candidates must be a whole number, 1 or more"),
        ({"start": 3}, "start must be rules, or a front"),
        ({"start": ["-0.01 *"]}, "start must be rules, or a front"),
        ({"max_complexity": 1}, "no rule of 1 nodes to begin with"),
    ],
)
def test_what_cannot_be_searched(options, message):
    with pytest.raises(ConfigError, match=message):
        discovery.discover(**{"tasks": P1} | options)


QUICK = {"steps": 3, "instances": 1, "candidates": 1, "choice_instances": 1, "max_complexity": 12}


def test_a_front_and_a_text_to_begin_with(front, monkeypatch):
    begun = []
    begin = search._Search.begin
    monkeypatch.setattr(search._Search, "begin", lambda self, *of: (begun.append(of[0]), begin(self, *of)))
    for start in (front, [*front], "-0.01 * g", parse_rule("-0.01 * g"), front.best, [front.best.equation]):
        discovery.discover(P1, start=start, **QUICK | {"max_complexity": 14})
    assert [len(given) for given in begun] == [len(front), len(front), 1, 1, 1, 1]
    assert [str(rule) for rule in begun[0]] == [str(entry.equation) for entry in front]
    assert str(begun[2][0]) == "-0.01 * g"


def test_fronts_are_told_apart_by_what_they_were_judged_on(front):
    def judged(task, **options):
        return discovery.discover(task, **QUICK | options)

    base = judged(P1)
    assert base.data
    assert base.data == judged(P1, instances=2, max_complexity=10).data != front.data
    others = [judged(tasks.load("p1", dim=4)), judged(P1, choice=tasks.load("p1", dim=5, part="choose"))]
    others += [judged(P1, **change) for change in ({"seed": 1}, {"steps": 4}, {"choice_instances": 2})]
    assert len({base.data, *(other.data for other in others)}) == 6
    assert type(front).merge([base, judged(P1, max_complexity=10)]).data == base.data
    with pytest.raises(DataError, match="cannot be merged"):
        type(front).merge([base, others[0]])


def test_numbers_of_numpy():
    found = discovery.discover(
        P1, **{name: np.int64(value) for name, value in QUICK.items()}, seed=np.int64(0)
    )
    assert found.settings == discovery.discover(P1, **QUICK).settings
