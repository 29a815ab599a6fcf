"""Ordinary training: what it learns, what it depends on, and how it goes on after it was killed."""

import math
from dataclasses import replace
from functools import partial

import pytest
import torch
from l2o_book import training
from l2o_book.training import Fit, fit
from torch import nn

from l2o_core import data
from l2o_core.errors import ConfigError
from l2o_core.optim import SymbolicOptimizer
from l2o_core.storage import Cache

SGD = partial(torch.optim.SGD, lr=0.1, momentum=0.9)


def build() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))


@pytest.fixture(scope="module")
def splits():
    everything = data.load("digits")
    rows = (slice(0, 512), slice(512, 700), slice(700, 900))
    return [replace(everything, images=everything.images[at], labels=everything.labels[at]) for at in rows]


def run(splits, optimizer=SGD, **options):
    return fit(build, optimizer, *splits, **{"epochs": 3, "batch": 64, "augment": False} | options)


class KilledError(Exception):
    """What a test stops a training with."""


def test_it_learns(splits):
    result = run(splits, epochs=5)
    assert result.test[-1] > 0.85
    assert abs(result.test[-1] - result.validation[-1]) < 0.1
    assert result.losses == sorted(result.losses, reverse=True)
    assert len(result.losses) == len(result.test) == len(result.validation) == 5
    assert not result.diverged


def test_a_seed_decides_everything_but_the_optimizer(splits):
    one, again, other = run(splits), run(splits), run(splits, seed=1)
    assert one.losses == again.losses
    assert one.losses != other.losses
    torch.rand(1)  # the program's own random numbers play no part, and are left alone
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    assert run(splits).losses == one.losses
    assert torch.equal(torch.rand(1), expected)


def test_accuracy_is_measured_without_training(splits):
    """Normalisation uses what it has learned, and measuring changes nothing."""
    small = [
        splits[0],
        splits[1],
        replace(splits[2], images=splits[2].images[:1], labels=splits[2].labels[:1]),
    ]
    assert run(splits).losses == run(small).losses
    assert run(small).test[-1] in (0.0, 1.0)


def test_the_cosine_ends_at_0(splits):
    made = []

    def optimizer(params):
        made.append(SGD(params))
        return made[-1]

    run(splits, optimizer, schedule="cosine")
    run(splits, optimizer)
    assert made[0].param_groups[0]["lr"] == pytest.approx(0, abs=1e-12)
    assert made[1].param_groups[0]["lr"] == 0.1


@pytest.mark.parametrize("schedule", training.SCHEDULES)
def test_a_killed_training_goes_on_to_the_same_result(splits, tmp_path, monkeypatch, schedule):
    optimizer = partial(SymbolicOptimizer, rule="-m_hat[0] - 0.1 * tanh(g[2])", lr=0.01)
    options = {"schedule": schedule, "augment": True}
    expected = run(splits, optimizer, **options)
    epoch, calls = training._Loop.epoch, []

    def killed(self, *arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise KilledError
        return epoch(self, *arguments)

    monkeypatch.setattr(training._Loop, "epoch", killed)
    with pytest.raises(KilledError):
        run(splits, optimizer, cache=Cache(tmp_path), **options)
    result = run(splits, optimizer, cache=Cache(tmp_path), **options)
    assert len(calls) == 4
    assert (result.losses, result.test) == (expected.losses, expected.test)


def test_a_finished_training_is_read_back_and_small(splits, tmp_path, monkeypatch):
    first = run(splits, cache=Cache(tmp_path))
    (file,) = tmp_path.glob("fits/*.pt")
    assert file.stat().st_size < 10_000
    monkeypatch.setattr(training._Loop, "epoch", lambda *_: pytest.fail("trained again"))
    assert run(splits, cache=Cache(tmp_path)) == first


@pytest.mark.parametrize(
    "changes",
    [
        *({"seed": 1}, {"epochs": 2}, {"schedule": "cosine"}, {"augment": True}, {"batch": 32}),
        *({"optimizer": torch.optim.Adam}, {"autocast": True}),
    ],
)
def test_another_training_is_another_file(splits, tmp_path, changes):
    run(splits, cache=Cache(tmp_path))
    run(splits, cache=Cache(tmp_path), **changes)
    assert len([*tmp_path.glob("fits/*.pt")]) == 2


def test_divergence_ends_a_training_and_is_kept(splits, tmp_path):
    steep = partial(torch.optim.SGD, lr=1e38)
    result = run(splits, steep, cache=Cache(tmp_path))
    assert result.diverged
    assert len(result.losses) < 3
    assert run(splits, steep, cache=Cache(tmp_path)) == result


def test_bfloat16_and_channels_last_are_at_hand(splits):
    assert run(splits, autocast=True, epochs=5).test[-1] > 0.8


def test_a_summary_has_one_value_for_each_seed():
    fits = [Fit([1.0, 0.5], [0.6, 0.7], [0.5, 0.8], 3.0), Fit(diverged=True, seconds=1.0)]
    assert training.summary(fits) == {
        "test": [[0.5, 0.8], []],
        "validation": [0.7, 0.0],
        "diverged": 1,
        "seconds": [3.0, 1.0],
    }


def test_a_training_that_diverged_is_not_chosen_for_what_it_was_before():
    early = Fit([1.0], [0.9], [0.9], diverged=True)
    assert training.summary([early])["validation"] == [0.0]


def test_accuracies_of_a_summary_are_in_per_cent_and_a_divergence_has_no_last_one():
    runs = {"test": [[0.5, 0.8], [0.4]]}
    last, missing = training.final(runs, 2)
    assert last == 80
    assert math.isnan(missing)
    assert training.average(runs, 2) == [65, 20]


@pytest.mark.parametrize(
    ("optimizer", "tensors"),
    [
        (partial(torch.optim.SGD, lr=0.1), 0),
        (SGD, 1),
        (torch.optim.Adam, 2),
        (partial(SymbolicOptimizer, rule="-g - g[3]"), 3),
    ],
)
def test_the_state_of_an_optimizer_is_counted_for_each_parameter(optimizer, tensors):
    assert training.state_bytes(optimizer) == 4 * tensors


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"schedule": "linear"}, "unknown schedule 'linear'; known schedules: constant, cosine"),
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"batch": 513}, "1 to 512 images"),
    ],
)
def test_options_that_make_no_sense_are_refused(splits, options, message):
    with pytest.raises(ConfigError, match=message):
        run(splits, **options)


class Acting(nn.Module):
    """A function that the text of a module does not show."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, images):
        return self.function(images)


def acting(function) -> nn.Module:
    return nn.Sequential(nn.Flatten(), Acting(function), nn.Linear(64, 10))


def shifted(splits):
    return [replace(part, images=part.images.roll(1, -1)) for part in splits]


def moved(splits):
    """The same rows, but for one that has gone from the validation images to those of the test."""
    train, *others = splits
    images, labels = (torch.cat([getattr(part, name) for part in others]) for name in ("images", "labels"))
    at = (slice(0, 187), slice(187, None))
    return [train, *(replace(train, images=images[part], labels=labels[part]) for part in at)]


def in_groups(parameters):
    return torch.optim.SGD([{"params": [*parameters], "lr": 0.001}], lr=0.1, momentum=0.9)


@pytest.mark.parametrize(
    ("network", "change", "optimizer"),
    [
        *((partial(acting, torch.sigmoid), list, SGD), (partial(acting, torch.relu), shifted, SGD)),
        *((partial(acting, torch.relu), moved, SGD), (partial(acting, torch.relu), list, in_groups)),
    ],
    ids=["network", "images", "split", "groups"],
)
def test_all_that_a_training_depends_on_is_part_of_its_name(splits, tmp_path, network, change, optimizer):
    options = {"epochs": 1, "batch": 64, "augment": False, "cache": Cache(tmp_path)}
    fit(partial(acting, torch.relu), SGD, *splits, **options)
    fit(network, optimizer, *change(splits), **options)
    assert len([*tmp_path.glob("fits/*.pt")]) == 2
