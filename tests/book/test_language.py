"""The stand-in for Alpaca, runs as plain values, and SOL's Figure 6 as comparisons."""

import dataclasses
import math
from pathlib import Path

import pytest
import torch
from l2o_book import baselines, evidence, instructions, language, records, step_sizes, verdicts

from l2o_core import models

ROOT = Path(__file__).parents[2]
TINY = language.Setting(language.TINY, length=64, batch=4)
ONCE = {"steps": 6, "evaluations": 2, "seed": 0}


@pytest.fixture(scope="module")
def few():
    return instructions.load(instructions.MANUALS, "train").cut(24)


@pytest.fixture(scope="module")
def adam():
    return step_sizes.Rated(step_sizes.adamw, "adamw")


def test_the_parts_of_the_stand_in_are_disjoint_and_named():
    parts = [instructions.load(instructions.MANUALS, part) for part in ("train", "choose", "report")]
    asked = [{row.question for row in part.rows} for part in parts]
    assert not asked[0] & asked[1]
    assert not (asked[0] | asked[1]) & asked[2]
    assert min(map(len, parts)) >= 40
    assert all("stand-in for Alpaca" in part.name for part in parts)
    answers = [row.answer for part in parts for row in part.rows]
    assert len(answers) == len(set(answers))


def test_a_run_is_plain_values_and_the_same_again(few, adam):
    found, again = (TINY.tuned(few, few.cut(4), adam, 0.01, question="why?", **ONCE) for _ in range(2))
    for one in (found, again):
        assert one["held out"]["steps"] == [0, 3, 6]
        assert one["end"] == one["held out"]["losses"][-1] < one["held out"]["losses"][0]
        assert len(one["curve"]) == len(one["seconds"]) == 6
        assert 0 < one["optimizer step seconds"] < one["step seconds"]
    same = ("curve", "end", "training", "answer")
    assert [found[key] for key in same] == [again[key] for key in same]
    assert isinstance(TINY.answer("why?"), str)


def test_a_run_that_diverges_has_no_end(few):
    far = step_sizes.Rated(lambda params, lr, steps: torch.optim.SGD(params, lr), "sgd")
    found = TINY.tuned(few, few, far, 1e38, **ONCE)
    assert math.isnan(found["end"])
    assert language.best_rate({1.0: found, 0.1: {"end": 5.0}}) == 0.1


def test_the_edge_of_the_rates_is_said():
    assert baselines.at_the_edge(1.0, [0.1, 1.0])
    assert not baselines.at_the_edge(0.3, [0.1, 0.3, 1.0])
    assert not baselines.at_the_edge(1.0, [1.0])


def test_rates_are_step_sizes_along_the_gradients_of_a_tuning(few):
    gradients = TINY.probe(few, steps=5)
    assert gradients.shape == (5, -(-133_056 // 2))
    half = step_sizes.rated(lambda _: models.Equation("-0.5 * m_hat"), gradients, compile=False)
    assert half.unit == pytest.approx(2, rel=0.05)  # m_hat is Adam's direction


def runs(ends: list[float], slower: float = 0.0) -> dict:
    start = {"losses": [3.0]}
    return {"runs": [{"end": end, "training": end + slower, "held out": start} for end in ends], "rate": 1e-3}


def test_figure_6_compares_sol_with_tuned_adamw_unless_the_model_is_a_stand_in():
    optimizers = {"AdamW": runs([2.0, 2.1, 2.2]), "SOL": runs([1.8, 1.91, 2.0], 0.21)}
    optimizers["Eq. 6"] = runs([math.nan, 2.4, 2.6])
    base = records.load("sol", "standard", ROOT / "results")
    record = dataclasses.replace(base, values={"tiny": False, "optimizers": optimizers})
    found = evidence.language_model(record)
    assert found["Figure 6"]["SOL's held-out loss at the end"].verdict == verdicts.REPRODUCED
    assert found["Figure 6"]["SOL's training loss, mean over all steps"].verdict != verdicts.REPRODUCED
    assert found["rules below tuned AdamW"]["SOL"].verdict == verdicts.REPRODUCED
    assert found["rules below tuned AdamW"]["Eq. 6"].verdict != verdicts.REPRODUCED
    assert found["held-out loss falls"]["SOL"].verdict == verdicts.REPRODUCED
    assert found["held-out loss falls"]["Eq. 6"].verdict == verdicts.UNDECIDED
    stand_in = evidence.language_model(dataclasses.replace(record, values=record.values | {"tiny": True}))
    assert {one.verdict for one in stand_in["Figure 6"].values()} == {verdicts.NOT_RUN}
    assert stand_in["rules below tuned AdamW"]["SOL"].verdict == verdicts.REPRODUCED
