"""Optimizers at any rate, the stand-in for GLUE, and the papers' tables as comparisons."""

import dataclasses
import math
from pathlib import Path

import pytest
import torch
from l2o_book import evidence, glue, records, sentences, step_sizes, verdicts

from l2o_core import models
from l2o_core.errors import ConfigError
from l2o_core.tasks.text import LinearHead

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def few():
    return glue.cut(sentences.load("train"), 64)


@pytest.fixture(scope="module")
def head(few):
    return glue.Model(glue.TINY).head(few, "train")


def test_the_parts_of_the_stand_in_are_disjoint_and_balanced():
    parts = [sentences.load(part) for part in ("train", "choose", "report")]
    texts = [{*part.rows} for part in parts]
    assert not texts[0] & texts[1]
    assert not (texts[0] | texts[1]) & texts[2]
    assert {*sentences.load().rows} == texts[0] | texts[1]
    for part in parts:
        assert len(part) > 50
        assert 0.3 < sum(part.labels) / len(part) < 0.7
        assert "stand-in" in part.name


def test_a_cut_is_named_and_the_same_each_time(few):
    assert len(few) == 64
    assert "64 of" in few.name
    assert glue.cut(sentences.load("train"), 64) == few
    assert glue.cut(few, 100) is few


def test_a_rate_is_that_of_adamw_whatever_the_scale_of_a_rule(head):
    gradients = step_sizes.probe(head, steps=10)
    adam = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
    one, other = (
        step_sizes.rated(lambda _, by=by: models.Equation(f"-{by} * m_hat", **adam), gradients)
        for by in (1, 40)
    )
    assert one.unit == pytest.approx(40 * other.unit, rel=1e-4)
    assert one.unit == pytest.approx(1, rel=0.01)  # m_hat is Adam's direction
    still = step_sizes.rated(lambda _: models.Equation("0 * g"), gradients)
    assert still.unit == 0


def test_a_head_learns_and_two_runs_are_equal(head, few):
    adam = step_sizes.Rated(step_sizes.adamw, "adamw")
    first, again = (glue.frozen(head, head, adam, 1e-2, epochs=40, seed=1) for _ in range(2))
    assert first == again
    assert first["scores"]["accuracy"] > glue.majority(few, few)["accuracy"]


def test_the_tiny_network_is_trained_by_any_optimizer(few):
    rule = step_sizes.Rated(lambda params, lr, steps: torch.optim.SGD(params, lr), "sgd")
    tiny = glue.Model(glue.TINY)
    run = tiny.fine_tuned(few, few, rule, 0.1, epochs=2, seed=0)
    assert run["steps"] == len(run["curve"]) == 4
    assert not run["diverged"]
    assert tiny.fine_tuned(few, few, rule, 0.1, epochs=2, seed=0)["curve"] == run["curve"]
    assert tiny.fine_tuned(few, few, rule, math.inf, epochs=2, seed=0)["diverged"]


def test_the_best_rate_is_that_of_the_lowest_held_out_loss():
    def run(score: float, loss: float, diverged: bool = False) -> dict:
        return {"scores": {"f1": score}, "held_out_loss": loss, "diverged": diverged}

    runs = {1e-5: run(90.0, 0.5), 1e-4: run(80.0, 0.4), 1e-3: run(80.0, 0.6), 1e-2: run(99.0, 0.1, True)}
    assert glue.best_rate(runs) == 1e-4
    assert glue.best_rate({1e-3: run(0.0, math.nan, True)}) == 1e-3
    assert math.isnan(glue.scores(list(runs.values()), "f1")[-1])


def test_tasks_without_files_are_none(monkeypatch, tmp_path):
    monkeypatch.setenv("L2O_DATA_ROOT", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert glue.part_of("mnli", "report") is None


def test_a_head_needs_a_vector_for_each_row(few):
    with pytest.raises(ConfigError, match="64 rows need as many vectors"):
        LinearHead(torch.zeros(3, 2), few, name="x", dataset="y")


def fine_tunings(scores: list[float]) -> list[dict]:
    return [{"scores": {"matthews": score}, "diverged": math.isnan(score)} for score in scores]


def recorded(**of_tasks: dict) -> records.Record:
    """A record of fine-tunings by task."""
    base = records.load("sol", "standard", ROOT / "results")
    return dataclasses.replace(base, values={"tiny": False, "tasks": of_tasks})


def test_tables_compare_the_papers_rules_with_tuned_adamw():
    runs = {"AdamW": fine_tunings([20.0, 21.0, 22.0]), "Eq. 6": fine_tunings([math.nan, 1.0, 2.0])}
    runs["SOL"] = fine_tunings([30.0, 31.1, 32.0])
    task = {
        "runs": runs,
        "frozen runs": {},
        "rates": dict.fromkeys(runs, 1e-4),
        "majority": {"matthews": 0.0},
    }
    record = recorded(cola=task)
    found = evidence.glue(record)
    assert found["Table 9"]["CoLA Matthews correlation"].verdict == verdicts.NOT_REPRODUCED
    assert found["Table 7"]["CoLA"].verdict == verdicts.REPRODUCED
    assert found["Table 7"]["RTE"].verdict == verdicts.NOT_RUN
    assert found["SOL above AdamW"]["cola"].verdict == verdicts.REPRODUCED
    assert evidence.glue_rules(record) == ["Eq. 6", "SOL"]
    stand_in = evidence.glue(dataclasses.replace(record, values=record.values | {"tiny": True}))
    assert {one.verdict for one in stand_in["Table 7"].values()} == {verdicts.NOT_RUN}


def test_at_the_papers_rates_and_with_the_encoder_frozen():
    """On MRPC, SOL's code trains a head alone; at SymL2O's rate, AdamW is that at its rate."""
    many, few = (
        [{"scores": {"f1": x, "accuracy": x}, "diverged": False} for x in s] for s in ([5, 6.1, 7], [1, 2, 3])
    )
    runs = {"AdamW": few, "Eq. 6": few, "SOL": few}
    runs |= {"AdamW, SymL2O's rate": few, "Eq. 6, SymL2O's rate": many}
    task = {
        "runs": runs,
        "rates": dict.fromkeys(("AdamW", "Eq. 6", "SOL"), 1e-4),
        "majority": {"f1": 0.0, "accuracy": 0.0},
    }
    task["frozen runs"] = {"AdamW": few, "SOL": many, "AdamW, SOL's rate": many, "SOL, SOL's rate": few}
    found = evidence.glue(recorded(mrpc=task))
    assert found["Table 7"]["MRPC"].verdict == verdicts.REPRODUCED
    assert found["Table 7, its rates"]["MRPC"].verdict == verdicts.NOT_REPRODUCED
    assert found["Table 9"]["MRPC F1"].verdict == verdicts.UNDECIDED
    assert found["Table 9, its rate"]["MRPC F1"].verdict == verdicts.REPRODUCED


def test_two_that_are_no_better_than_one_answer_for_all_decide_nothing():
    runs = {"AdamW": fine_tunings([20.0, 21.0, 22.0]), "SOL": fine_tunings([30.0, 31.1, 32.0])}
    task = {"runs": runs, "frozen runs": {}, "rates": dict.fromkeys(runs, 1e-4)}
    for floor, verdict in {31.0: verdicts.REPRODUCED, 31.1: verdicts.UNDECIDED}.items():
        found = evidence.glue(recorded(cola=task | {"majority": {"matthews": floor}}))["Table 7"]["CoLA"]
        assert found.verdict == verdict
        assert (evidence.FLOORED in str(found)) == (verdict == verdicts.UNDECIDED)


def test_a_race_runs_every_seed_at_the_best_rate_of_the_first():
    """The rate at which the first seed's optimizer does best is that of all seeds, and others are added."""
    fields = [
        {who: step_sizes.Rated(step_sizes.adamw, (who, seed)) for who in ("AdamW", "SOL")} for seed in (3, 4)
    ]

    def attempt(who: step_sizes.Rated, rate: float, seed: int) -> dict:
        assert (who.key[1], seed) == (3, 900)
        return {"held_out_loss": abs(rate - {"AdamW": 1.0, "SOL": 0.1}[who.key[0]]), "diverged": False}

    def run(who: step_sizes.Rated, rate: float, seed: int) -> dict:
        return {"who": who.key, "rate": rate, "seed": seed}

    found = glue.race(fields, [3, 4], [0.1, 1.0], attempt, run, {"SOL": {"SOL, fixed": 7.0}})
    assert found["rates"] == {"AdamW": 1.0, "SOL": 0.1}
    assert found["runs"]["SOL"] == [{"who": ("SOL", seed), "rate": 0.1, "seed": seed} for seed in (3, 4)]
    assert [one["rate"] for one in found["runs"]["SOL, fixed"]] == [7.0, 7.0]
    assert "AdamW, fixed" not in found["runs"]
    assert found["tried"]["SOL"] == [(0.1, 0.0), (1.0, 0.9)]
    assert len(found["units"]) == 2


def test_gradients_of_a_fine_tuning_are_seen_and_kept(few):
    tiny = glue.Model(glue.TINY)
    gradients = tiny.probe(few, steps=1)
    assert gradients.shape == (1, glue.sentences.BUCKETS * 16 + 16 * 16 + 16 + 16 * 2 + 2)
    assert (gradients == 0).float().mean() > 0.3  # words that are in no row of the batch
    assert torch.equal(gradients, tiny.probe(few, steps=1))


def test_what_compacting_changes_is_measured(head):
    equation = models.Equation("-m_hat - m_hat[1]", beta1=0.9, beta2=0.999, eps=1e-8)
    gradients = step_sizes.probe(head, steps=10)
    assert step_sizes.compacted(equation, gradients) == {"difference": 0.0, "replaced": []}
    rough = step_sizes.compacted(equation, gradients, history_dtype=torch.bfloat16)["difference"]
    assert 0 < rough < 0.01


def test_losses_of_rates_are_kept_but_of_runs_that_diverged():
    runs = {1e-3: {"held_out_loss": 0.5, "diverged": False}, 1e-2: {"held_out_loss": 9.0, "diverged": True}}
    assert glue.losses(runs) == [(1e-3, 0.5), (1e-2, None)]
