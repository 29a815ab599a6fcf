"""Entries of compared optimizers: what a record holds, means by seed, rankings, and a figure."""

import math

import matplotlib.pyplot as plt
import pytest
import torch
from l2o_book import contest

from l2o_core import meta, models

RESULTS = {
    "SGD": {"mean": [2.0, 4.0], "end": [1.0, 3.0]},
    "SOL": {"mean": [1.0, 3.0, 5.0, 7.0], "end": [0.0, 1.0, 2.0, 3.0]},
    "Adam": {"mean": [math.nan, 1.0], "end": [math.nan, 1.0]},
}


def test_an_entry_holds_smoothed_curves_and_two_means_for_each_run():
    runs = torch.arange(101.0).repeat(3, 1)
    found = contest.result(runs, {"lr": 0.1})
    assert found["steps"][0] == 2.5
    assert len(found["curves"]) == 3
    assert found["curves"][0][0] == 2.5
    assert found["mean"] == [50.0] * 3
    assert found["end"] == [95.5] * 3
    assert found["constants"] == {"lr": 0.1}


def test_every_seed_has_starts_on_which_all_run():
    def losses(field, seed):
        return [float(one) + 10 * seed + torch.zeros(2, 3) for one in field]

    found = contest.evaluated({"RP": [1, 2], "Adam": [5]}, losses, seeds=[7, 8])
    assert found["RP"][:, 0].tolist() == [71, 71, 82, 82]
    assert found["Adam"][:, 0].tolist() == [75, 75, 85, 85]
    one = contest.evaluated({"RP": [1], "Adam": [5]}, losses, seeds=[7])
    assert {label: runs[:, 0].tolist() for label, runs in one.items()} == {"RP": [71, 71], "Adam": [75, 75]}


def test_constants_are_shown_as_far_as_a_record_has_them():
    assert contest.constants({"constants": {"lr": 0.1, "beta1": 0.75}}) == r"rate 0.1, $\beta_1$ 0.75"
    assert contest.constants({"lr": "0.015"}) == "rate 0.015"
    assert contest.constants({"lr": None}) is None
    assert contest.constants({"constants": None}) is None
    assert "32 trials each" in contest.tuning({"trials": 32})
    assert "learning rates only" in contest.tuning({})


def test_meta_training_is_recorded_with_one_value_for_each_seed():
    histories = [meta.History(seconds=2.0), meta.History(seconds=3.0)]
    for history in histories:
        history.losses, history.validation, history.diverged = [1.0, 0.5], [(0, 1.0), (2, 0.4)], [1]
    found = contest.training([(models.RPSmall(), history) for history in histories])
    assert found == {
        "seconds": [2.0, 3.0],
        "validation": [[(0, 1.0), (2, 0.4)]] * 2,
        "diverged": [1, 1],
        "weights": sum(part.numel() for part in models.RPSmall().parameters()),
        "epochs": 2,
    }


def test_the_unit_is_the_training_seed():
    assert contest.by_seed(RESULTS["SOL"], 2) == [0.5, 2.5]
    assert contest.by_seed(RESULTS["SOL"], 2, "mean") == [2.0, 6.0]
    assert contest.by_seed(RESULTS["SGD"], 2) == [2.0]
    entry = RESULTS["SOL"] | {"curves": [[0.0], [1.0], [2.0], [3.0]], "lr": None}
    second = contest.of_seed(entry, 1, 2)
    assert second == {"mean": [5.0, 7.0], "end": [2.0, 3.0], "curves": [[2.0], [3.0]], "lr": None}


def test_the_lowest_is_first_and_a_run_that_diverged_last():
    assert contest.ranking(RESULTS) == ["SOL", "SGD", "Adam"]
    assert contest.ranking(RESULTS, "mean") == ["SGD", "SOL", "Adam"]


@pytest.mark.parametrize(("scale", "ticks"), [(1.0, [1, 1.5, 2]), (0.01, [0.01, 0.1, 1])])
def test_the_axis_has_plain_numbers_down_to_the_lowest_loss(scale, ticks):
    results = {
        "SGD": contest.result(scale * torch.ones(2, 51)),
        "Adam": contest.result(2 * torch.ones(2, 51)),
    }
    fig, ax = plt.subplots()
    contest.draw(ax, results, results)
    assert [text.get_text() for text in ax.get_yticklabels()] == [f"{tick:g}" for tick in ticks]
    assert [line.get_label() for line in ax.lines] == ["SGD", "Adam"]
    plt.close(fig)
