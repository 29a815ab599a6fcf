"""The official metrics against their definitions."""

import math

import pytest

from l2o_core.errors import DataError
from l2o_core.tasks import text

TRUTH, GUESS = [1, 1, 1, 1, 0, 0, 0, 1, 0, 1], [1, 1, 0, 1, 1, 0, 0, 0, 0, 1]
TP, TN, FP, FN = 4, 3, 1, 2


def test_metrics_are_those_of_their_definitions():
    matthews = (TP * TN - FP * FN) / math.sqrt((TP + FP) * (TP + FN) * (TN + FP) * (TN + FN))
    assert text.official_scores("cola", GUESS, TRUTH) == pytest.approx({"matthews": 100 * matthews})
    f1 = 2 * TP / (2 * TP + FP + FN)
    wanted = {"accuracy": 70.0, "f1": 100 * f1}
    assert text.official_scores("mrpc", GUESS, TRUTH) == pytest.approx(wanted)
    assert text.official_scores("qqp", GUESS, TRUTH) == pytest.approx(wanted)
    for task in ("sst2", "rte", "wnli", "qnli", "mnli"):
        assert text.official_scores(task, GUESS, TRUTH) == pytest.approx({"accuracy": 70.0})


def test_a_constant_answer_has_the_scores_of_one():
    assert text.official_scores("cola", [1] * 10, TRUTH) == {"matthews": 0.0}
    assert text.official_scores("mrpc", [0] * 10, TRUTH) == {"accuracy": 40.0, "f1": 0.0}
    dev = [1] * 279 + [0] * 129  # MRPC's: what a constant answer gets there
    assert text.official_scores("mrpc", [1] * 408, dev)["f1"] == pytest.approx(81.2, abs=0.05)


def test_lengths_must_agree():
    with pytest.raises(DataError, match="1 predictions and 2 labels"):
        text.official_scores("cola", [1], [1, 0])
    with pytest.raises(DataError, match="0 predictions"):
        text.official_scores("cola", [], [])
