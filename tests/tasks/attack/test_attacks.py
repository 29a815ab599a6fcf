"""PGD, APGD and rules inside the projection; the first two against torchattacks, where it is installed."""

from functools import partial

import pytest
import torch

from l2o_core import models
from l2o_core.errors import ConfigError
from l2o_core.tasks.attack import Target, apgd, follow, pgd, restarted


def test_pgd_is_the_sign_of_the_gradient_inside_the_projection(target):
    ours, rule = pgd(target, steps=8), follow(models.Equation("-0.25 * sign(g)"), target, steps=8)
    assert torch.equal(ours.last, rule.last)
    assert torch.equal(ours.fooled, rule.fooled)


@pytest.mark.parametrize("loss", ["cross_entropy", "dlr"])
@pytest.mark.parametrize("attack", [pgd, apgd])
def test_what_an_attack_reports_is_true(target, attack, loss):
    target = Target(target.defence, target.images, target.labels, target.epsilon, loss)
    found = attack(target, steps=20)
    assert 0 < found.success.float().mean() < 1
    assert torch.equal(target.project(found.z), found.z)
    right = target.defence.right(target.perturbed(found.z), target.labels)
    assert torch.equal(~right, found.success)
    held = ~found.success
    torch.testing.assert_close(target.losses(found.z)[held], found.losses.amin(0)[held])
    assert found.losses.shape == (21, len(target))
    assert torch.equal(found.within(20), found.success)
    assert found.within(0).sum() == 0


@pytest.mark.parametrize("attack", [pgd, apgd, partial(follow, models.Equation("-0.3 * m / sqrt(v)"))])
def test_an_attack_that_stops_fools_the_same_images_in_as_many_steps(target, attack):
    full, stopped = attack(target, steps=20), attack(target, steps=20, stop=True)
    assert (full.fooled != stopped.fooled).sum() <= 1  # fewer images at once may round another way
    right = target.defence.right(target.perturbed(stopped.last), target.labels)
    assert torch.equal(~right, stopped.success)  # where it stopped
    assert torch.equal(stopped.z[stopped.success], stopped.last[stopped.success])
    assert bool((full.losses[:, ~full.success].isclose(stopped.losses[:, ~full.success], atol=1e-3)).all())


def test_an_attack_that_stops_evaluates_what_is_left(target, monkeypatch):
    seen, evaluate = [], Target.evaluate
    monkeypatch.setattr(Target, "evaluate", lambda part, z: (seen.append(len(z)), evaluate(part, z))[1])
    found = pgd(target, steps=4, stop=True)
    left = [len(target), *(int((~found.within(step)).sum()) for step in range(4))]
    assert seen == [count for count in left if count]


def test_apgd_leaves_no_more_robust_than_pgd(target):
    assert apgd(target, steps=40).success.sum() >= pgd(target, steps=40).success.sum()


def test_restarts_only_add(target):
    once = restarted(lambda target, start: pgd(target, steps=3, start=start), target)
    thrice = restarted(lambda target, start: pgd(target, steps=3, start=start), target, restarts=3)
    assert torch.equal(once, pgd(target, steps=3).fooled)
    assert bool((thrice[once >= 0] <= once[once >= 0]).all())
    assert (thrice >= 0).sum() >= (once >= 0).sum()
    assert bool((thrice >= -1).all())


def test_a_rule_that_is_not_finite_stays_in_the_ball(target):
    found = follow(models.Equation("log(g - g) * 1e38 * 1e38"), target, steps=3)
    assert found.last.isfinite().all()


def test_steps_and_sizes_are_checked(target):
    with pytest.raises(ConfigError, match="steps must be a whole number"):
        pgd(target, steps=0)
    with pytest.raises(ConfigError, match="step_size must be a positive number"):
        pgd(target, step_size=0.0)


def test_pgd_and_apgd_do_what_torchattacks_does(target):
    torchattacks = pytest.importorskip("torchattacks", exc_type=ImportError)
    module, images, labels = target.defence.module, target.images, target.labels
    theirs = torchattacks.PGD(module, eps=target.epsilon, alpha=target.epsilon / 4, steps=20)
    theirs.random_start = False
    torch.testing.assert_close(
        target.perturbed(pgd(target, steps=20).last), theirs(images, labels), rtol=0, atol=1e-5
    )
    theirs = torchattacks.APGD(module, eps=target.epsilon, steps=50, loss="ce", seed=0)
    robust = target.defence.right(theirs(images, labels), labels)
    torch.manual_seed(0)  # its start: uniform, then stretched to the surface of the ball
    start = (2 * torch.rand(images.shape) - 1).flatten(1)
    start /= start.abs().amax(1, keepdim=True)
    ours = ~apgd(target, steps=50, start=start).success
    assert (robust != ours).sum() <= 1  # rounding may part two ways
