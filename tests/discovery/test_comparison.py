"""The comparison on fresh starts: what is tuned is Adam, and differences are paired."""

import math
import sys

import numpy as np
import pytest
import torch
from scipy import stats

from l2o_core import discovery, meta, tasks
from l2o_core.errors import ConfigError

P1 = tasks.load("p1")


def test_adam_tuned_is_adam_and_better():
    options = {"steps": 30, "instances": 4}
    rule, constants = discovery.tuned_adam(P1, trials=40, **options)
    features = f"-{constants['lr']} * m_hat"
    betas = {name: constants[name] for name in ("beta1", "beta2")}
    ours = meta.evaluate_rules([rule], P1, **options)
    adam = meta.evaluate_rules([features], P1, **options, **betas)
    assert ours.numpy() == pytest.approx(adam.numpy(), rel=1e-3, abs=1e-3)
    usual = meta.evaluate_rules(["-0.01 * m_hat"], P1, **options, beta1=0.9, beta2=0.99)
    assert ours.mean() < usual.mean()


def test_means_and_ends_with_a_run_that_diverges():
    rules = {"good": "-0.001 * g", "bad": "-1e8 * g"}
    found = discovery.evaluate_fresh(rules, P1, steps=30, starts=4)
    losses = meta.evaluate_rules(["-0.001 * g"], P1, steps=30, instances=4)[0]
    torch.testing.assert_close(found["good"][0], losses[:, 1:].mean(-1))
    torch.testing.assert_close(found["good"][1], losses[:, -3:].mean(-1))
    assert all(part.isfinite().all() for part in found["bad"])
    assert (found["bad"][1] >= found["good"][1]).all()


def test_the_interval_is_students_on_pairs():
    ours, theirs = np.random.default_rng(0).normal(size=(2, 8)).astype(np.float32)
    found = discovery.difference(torch.tensor(ours), torch.tensor(theirs))
    low, high = stats.ttest_rel(ours, theirs).confidence_interval()
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-4)
    assert math.isclose(found.mean, float((ours - theirs).mean()), rel_tol=1e-4)


@pytest.mark.parametrize(("shift", "verdict"), [(-1.0, "lower"), (1.0, "higher"), (0.0, "undecided")])
def test_verdicts(shift, verdict):
    base = torch.arange(6.0)
    wobble = torch.tensor([0.1, -0.1, 0.1, -0.1, 0.1, -0.1])
    assert discovery.difference(base + shift + wobble, base).verdict == verdict


def test_one_start_says_nothing():
    with pytest.raises(ConfigError, match="two starts or more"):
        discovery.difference(torch.ones(1), torch.ones(1))


def test_sides_must_have_as_many_starts():
    with pytest.raises(ConfigError, match=r"as many starts, not \[3\] and \[2\]"):
        discovery.difference(torch.ones(3), torch.ones(2))
    with pytest.raises(ConfigError, match="two starts or more, not 1"):
        discovery.difference(torch.tensor(1.0), torch.tensor(2.0))


def test_without_scipy_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(ConfigError, match=r"the interval of a difference needs scipy: pip install"):
        discovery.difference(torch.ones(2), torch.ones(2))


def test_rules_without_labels_are_refused():
    with pytest.raises(ConfigError, match="rules must be given by label"):
        discovery.evaluate_fresh(["-0.1 * g"], tasks.load("p1"))
