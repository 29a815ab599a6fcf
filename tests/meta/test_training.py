"""Meta-training learns, survives interruption, and refuses what is not its own."""

import math

import pytest
import torch

from l2o_core import meta, models, tasks
from l2o_core.errors import CheckpointError, ConfigError, DivergenceError
from l2o_core.meta import training

SETTING = {"steps": 20, "unroll": 10, "instances": 8, "lr": 1e-2, "validate_every": 2, "progress": False}


def fresh() -> models.DM:
    torch.manual_seed(0)
    return models.DM(hidden=6, layers=1, scale=0.1)


def train(model, epochs, **options):
    return meta.meta_train(model, tasks.load("p1"), epochs=epochs, **(SETTING | options))


def same(a, b) -> bool:
    return all(
        torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    )


def test_it_learns_and_keeps_the_best_weights():
    model = fresh()
    history = train(model, 12)
    assert history.validation[-1][1] < 0.9 * history.validation[0][1]
    task = tasks.load("p1")
    again = meta.evaluate(model, task, steps=20, instances=64, seed=~0).mean().item()
    assert again == pytest.approx(history.best[1], rel=1e-6)


class Killed(tasks.Rastrigin):
    """P1 whose training is killed in the middle of the given epoch."""

    def __init__(self, epoch):
        super().__init__()
        self.starts, self.epoch = 0, epoch

    def loss_and_gradient(self, params, batch):
        self.starts += len(params) == SETTING["instances"]
        if self.starts > self.epoch * (SETTING["steps"] + 1) + SETTING["unroll"] + 2:
            raise KeyboardInterrupt
        return super().loss_and_gradient(params, batch)


def test_a_killed_run_resumes_to_the_same_bits(tmp_path):
    whole, resumed = fresh(), fresh()
    expected = train(whole, 6)
    with pytest.raises(KeyboardInterrupt):
        meta.meta_train(fresh(), Killed(epoch=3), epochs=6, checkpoint=tmp_path / "dm.pt", **SETTING)
    history = train(resumed, 6, checkpoint=tmp_path / "dm.pt")
    assert same(resumed, whole)
    assert (history.losses, history.validation) == (expected.losses, expected.validation)


def test_the_decay_of_the_learning_rate_survives_a_kill_too(tmp_path):
    whole, resumed, path = fresh(), fresh(), tmp_path / "dm.pt"
    train(whole, 6, decay=True)
    with pytest.raises(KeyboardInterrupt):
        meta.meta_train(fresh(), Killed(epoch=3), epochs=6, checkpoint=path, decay=True, **SETTING)
    train(resumed, 6, checkpoint=path, decay=True)
    assert same(resumed, whole)
    with pytest.raises(CheckpointError, match="epochs: 6 there, 8 here"):
        train(fresh(), 8, checkpoint=path, decay=True)


def test_the_learning_rate_falls_along_half_a_cosine(monkeypatch):
    rates, epoch = [], training._epoch

    def recorded(estimator, meta_optimizer, *rest):
        rates.append(meta_optimizer.param_groups[0]["lr"])
        return epoch(estimator, meta_optimizer, *rest)

    monkeypatch.setattr(training, "_epoch", recorded)
    train(fresh(), 4, decay=True, lr=0.1)
    assert rates == pytest.approx([0.1, 0.0853553, 0.05, 0.0146447], rel=1e-5)


class Exploding(tasks.Rastrigin):
    """P1 whose loss is infinite in the given epochs."""

    def __init__(self, bad):
        super().__init__()
        self.bad, self.epoch = bad, -1

    def batches(self, generator, instances=1):
        if instances == SETTING["instances"]:
            self.epoch += 1
        for batch in super().batches(generator, instances):
            broken = self.epoch in self.bad and instances == SETTING["instances"]
            yield (batch[0] * math.inf, *batch[1:]) if broken else batch


def test_a_diverging_epoch_is_rolled_back_and_recorded():
    model = fresh()
    history = meta.meta_train(model, Exploding({1}), epochs=3, **SETTING)
    assert history.diverged == [1]
    assert math.isnan(history.losses[1])
    assert all(torch.isfinite(p).all() for p in model.parameters())


def test_endless_divergence_is_an_error():
    with pytest.raises(DivergenceError, match="5 epochs in a row"):
        meta.meta_train(fresh(), Exploding(set(range(9))), epochs=9, **SETTING)


def test_a_checkpoint_cut_short_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "dm.pt"
    train(fresh(), 2, checkpoint=path)
    path.write_bytes(path.read_bytes()[:500])
    before = path.read_bytes()
    with pytest.raises(CheckpointError, match="cut short"):
        train(fresh(), 4, checkpoint=path)
    assert path.read_bytes() == before


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    path = tmp_path / "dm.pt"
    train(fresh(), 2, checkpoint=path)
    with pytest.raises(CheckpointError, match="options"):
        train(models.DM(hidden=5, layers=1), 4, checkpoint=path)
    with pytest.raises(CheckpointError, match=r"seed: 0 there, 1 here"):
        train(fresh(), 4, checkpoint=path, seed=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 25}, "multiple of unroll"),
        ({"fraction": 0.0}, "fraction"),
        ({"instances": 0}, "instances must be a whole number, 1 or more, not 0"),
        ({"validation_instances": 0}, "validation_instances must be a whole number, 1 or more"),
        ({"validation_instances": -1}, "validation_instances must be a whole number, 1 or more"),
        ({"lr": 0.0}, "lr must be a positive number"),
        ({"lr": -1.0}, "lr must be a positive number"),
        ({"clip": 0.0}, "clip must be a positive number"),
        ({"clip": -1.0}, "clip must be a positive number"),
        ({"steps": (20, 25)}, "multiple of unroll"),
        ({"imitation": 2.0}, "imitation"),
        ({"estimator": "magic"}, "known estimators: tbptt, pes"),
    ],
)
def test_settings_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        train(fresh(), 1, **options)


def test_training_on_a_sample_of_coordinates_learns_too():
    history = train(fresh(), 12, fraction=0.25)
    assert history.best[1] < 0.9 * history.validation[0][1]


def test_a_curriculum_goes_on_to_longer_horizons_and_resumes(tmp_path):
    options = {"steps": (10, 20, 30), "validate_every": 1, "imitation": 0.3, "lr": 0.3}
    whole, parts = fresh(), fresh()
    expected = train(whole, 16, **options)
    assert len(expected.stages) > 1
    assert [horizon for _, horizon in expected.stages] == [10, 20, 30][: len(expected.stages)]
    assert expected.imitated
    train(parts, 8, checkpoint=tmp_path / "dm.pt", **options)
    resumed = fresh()
    history = train(resumed, 16, checkpoint=tmp_path / "dm.pt", **options)
    assert same(resumed, whole)
    assert history.stages == expected.stages


@pytest.mark.parametrize(
    ("losses", "first", "enough"),
    [
        ([5, 4, 3], True, False),  # too few
        ([5, 4, 3, 2], True, False),  # still improving
        ([5, 4, 3, 3.5], True, True),  # improved, and no longer does
        ([5, 6, 7, 8], True, False),  # nothing learned yet
        ([5, 6, 7, 8], False, True),  # what the stage before learned is as good as it gets here
    ],
)
def test_a_stage_ends_when_progress_was_made_and_stops(losses, first, enough):
    assert training._learned_enough(list(enumerate(losses)), first) is enough


@pytest.mark.parametrize("options", [{"estimator": "pes"}, {"scaling": 1.0}])
def test_other_ways_to_train_learn_too(options):
    history = train(fresh(), 12, **options)
    assert history.best[1] < history.validation[0][1]


@pytest.mark.parametrize("estimator", ["tbptt", "pes"])
def test_a_rule_without_a_number_has_nothing_to_train(estimator):
    with pytest.raises(ConfigError, match="nothing to train"):
        train(models.Equation("-g"), 1, estimator=estimator)
    frozen = models.Equation("-0.1 * g").requires_grad_(False)
    with pytest.raises(ConfigError, match="nothing to train"):
        train(frozen, 1, estimator=estimator)
