"""Attacks by rules and by APGD: equal runs, choices, what a record keeps, and what is refused."""

import numpy as np
import pytest
import torch
from l2o_book import attack_runs, baselines

from l2o_core.errors import ConfigError
from l2o_core.models import Equation
from l2o_core.storage import Cache
from l2o_core.tasks import attack

PGD = attack_runs.rule(baselines.rule("signsgd", 0.25))


@pytest.fixture(scope="module")
def defence():
    return attack_runs.defence("plain", "digits")


@pytest.fixture(scope="module")
def target(defence):
    return attack_runs.targets(defence, "report", 60, 0.12)[0]


def test_a_rule_at_a_rate_attacks_as_its_multiple(target):
    once = attack_runs.fooled(attack_runs.rule(Equation("-0.05 * sign(g)"), 5.0), target, 8)
    assert torch.equal(once, attack.pgd(target, steps=8, stop=True).fooled)
    assert torch.equal(once, attack_runs.fooled(PGD, target, 8))


def test_the_first_apgd_is_the_published_one_and_others_differ(target):
    first, *others = attack_runs.apgds(4)
    assert torch.equal(attack_runs.fooled(first, target, 10), attack.apgd(target, steps=10, stop=True).fooled)
    assert len({tuple(one.constants.values()) for one in (first, *others)}) == 4


def test_restarts_only_add_and_a_finished_attack_is_read(target, tmp_path, monkeypatch):
    cache = Cache(tmp_path)
    once, thrice = (attack_runs.fooled(PGD, target, 3, restarts, cache) for restarts in (1, 3))
    assert (thrice >= 0).sum() >= (once >= 0).sum()
    cost = attack_runs.held(PGD, target, 3, cache)
    monkeypatch.setattr(attack, "follow", None)
    assert torch.equal(attack_runs.fooled(PGD, target, 3, 3, cache), thrice)
    assert attack_runs.held(PGD, target, 3, cache) == cost


def test_a_choice_is_by_images_that_hold_and_then_by_their_losses(target):
    still, slow = (attack_runs.rule(Equation(f"-{step} * sign(g)")) for step in ("0.0", "0.001"))
    costs = [attack_runs.held(one, target, 4) for one in (still, slow, PGD)]
    assert attack_runs.fooled(slow, target, 4).max() == -1
    assert costs[0] > costs[1] > costs[2]
    assert costs[2] == pytest.approx((attack_runs.fooled(PGD, target, 4) < 0).float().mean().item(), abs=1e-3)


def test_the_entry_keeps_images_and_a_curve():
    runs = [torch.tensor([3, -1, 0, 1]), torch.tensor([-1, -1, 2, 4])]
    entry = attack_runs.entry(runs, 4, {"lr": 0.1})
    assert entry["success"] == ["1011", "0011"]
    assert entry["steps"] == [0, 1, 2, 3, 4]
    assert entry["curves"] == [[25, 50, 50, 75, 75], [0, 0, 25, 25, 50]]
    np.testing.assert_array_equal(attack_runs.success(entry).mean(1), [75, 50])
    assert attack_runs.errors(entry, clean=80.0) == [80.0, 60.0]


def test_all_contestants_attack_the_same_images(target):
    field = {"PGD": [PGD], "SOL": [PGD, attack_runs.apgd()]}
    found = attack_runs.entries(field, target, 5, 1)
    assert [len(found[label]["success"]) for label in field] == [1, 2]
    assert found["PGD"]["success"][0] == found["SOL"]["success"][0]
    assert attack_runs.success(found["SOL"]).shape == (2, len(target))


def test_targets_are_those_that_are_classified_rightly(defence, target):
    assert bool(defence.right(target.images, target.labels).all())
    _, clean = attack_runs.targets(defence, "report", 60, 0.12)
    assert clean == pytest.approx(100 * len(target) / 60)
    chosen, _ = attack_runs.targets(defence, "choose", 60, 0.12, "dlr")
    assert chosen.loss == "dlr"
    assert not torch.equal(chosen.images[0], target.images[0])


def test_what_makes_no_sense_is_refused(defence, monkeypatch):
    with pytest.raises(ConfigError, match="nothing to attack at 0"):
        attack_runs.targets(defence, "report", 20, 0)
    monkeypatch.setattr(attack, "load", lambda name: defence)
    with pytest.raises(ConfigError, match="plain classifies digits, not cifar100"):
        attack_runs.defence("plain", "cifar100")
    monkeypatch.setitem(__import__("sys").modules, "robustbench.utils", None)
    with pytest.raises(ConfigError, match="whose package cannot be imported here"):
        attack_runs.defence("Carmon2019Unlabeled", "cifar10")
    monkeypatch.setattr(type(defence), "right", lambda self, images, labels: labels < 0)
    with pytest.raises(ConfigError, match="none of the 20 images rightly"):
        attack_runs.targets(defence, "report", 20, 0.12)
