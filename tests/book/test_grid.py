"""The grid of Table 4: equal freedom, the choice, and records of both shapes."""

from types import SimpleNamespace

import pytest
import torch
from l2o_book import evidence, grid, records, scaling_tables, verdicts

from l2o_core import models

RATES, MOMENTA = [0.1, 0.01, 0.001], [0.5, 0.9]


def runs(validation, *test):
    return {"validation": [validation], "test": list(test) or [[0.1, validation]], "diverged": 0}


def rules():
    ours = grid.scheduled("Eq. 6 of P1", lambda params, lr: None, [0.5, 1.0, 2.0], "p1")
    ours += grid.scheduled("Eq. 6 of P2", lambda params, lr: None, [0.5, 1.0, 2.0], "p2")
    return grid.handmade(RATES, MOMENTA, [0.01, 0.003, 0.001], [[0.9, 0.999], [0.5, 0.999]]) + ours


def test_every_kind_has_the_same_number_of_settings():
    names = [rule.name for rule in rules()]
    assert len(set(names)) == len(names)
    assert grid.counts(dict.fromkeys(names)) == {"SGD": 12, "Nesterov": 12, "Adam": 12, "Eq. 6": 12}


def test_names_say_what_the_optimizers_are():
    by_name = {rule.name: rule for rule in rules()}
    parameters = [torch.nn.Parameter(torch.zeros(1))]
    nesterov = by_name["Nesterov momentum=0.5 lr=0.01 cosine"]
    (group,) = nesterov.make(parameters).param_groups
    assert (group["momentum"], group["lr"], group["nesterov"]) == (0.5, 0.01, True)
    assert nesterov.schedule == "cosine"
    (group,) = by_name["Adam betas=0.5,0.999 lr=0.003"].make(parameters).param_groups
    assert (group["betas"], group["lr"]) == ((0.5, 0.999), 0.003)
    (group,) = by_name["SGD momentum=0.9 lr=0.1"].make(parameters).param_groups
    assert not group["nesterov"]
    assert by_name["Eq. 6 of P2 lr=2.0"].problem == "p2"


def test_the_best_of_each_kind_goes_to_the_finals_and_the_best_of_these_is_the_grids():
    trials = {
        "SGD momentum=0.9 lr=0.1": runs(0.3),
        "SGD momentum=0.9 lr=0.1 cosine": runs(0.4),
        "Adam betas=0.9,0.999 lr=0.01": runs(0.5),
        "Eq. 6 of P1 lr=1.0": runs(0.2),
        "Eq. 6 of P2 lr=1.0": runs(0.1),
    }
    chosen = grid.best_of_each_kind(trials)
    assert chosen == [name for name in trials if name.split()[-1] in ("cosine", "lr=0.01") or "P1" in name]
    finals = dict(zip(chosen, [runs(0.6), runs(0.5), runs(0.9)], strict=True))
    assert grid.finalists(finals) == ("SGD momentum=0.9 lr=0.1 cosine", "Eq. 6 of P1 lr=1.0")


def test_the_table_has_the_papers_settings_and_the_finals():
    names = ["SGD momentum=0.9 lr=0.1", "SGD momentum=0.5 lr=0.01 cosine", "SGD momentum=0.99 lr=0.1"]
    names += ["Adam betas=0.9,0.999 lr=0.01", "Adam betas=0.9,0.999 lr=0.001", "Eq. 6 of P1 lr=1.0"]
    trials = {name: runs(0.2) for name in names}
    finals = {names[0]: runs(0.3, [0.1, 0.2], [0.1, 0.4]), names[3]: runs(0.2), names[5]: runs(0.4)}
    frame = scaling_tables.beside_the_papers({"trials": trials, "finals": finals}, 2).set_index("optimizer")
    assert [*frame.index] == [names[0], names[1], names[3], names[5]]
    assert frame["published"].tolist()[:2] == ["95.31", "94.37"]
    assert frame.loc[names[5], "published"] == "95.40"
    assert frame["networks"].tolist() == [2, 1, 1, 1]
    assert frame.loc[names[0], "test accuracy, %"] == "30 ± 14"
    assert frame["chosen"].dropna().to_dict() == {names[0]: "best of the grid", names[5]: "ours"}


def test_a_line_of_the_trials_has_all_rates():
    trials = {"SGD momentum=0.9 lr=0.1 cosine": runs(0.25), "SGD momentum=0.9 lr=0.01 cosine": runs(0.5)}
    trials["SGD momentum=0.9 lr=9 cosine"] = runs(0.0, [0.1]) | {"diverged": 1}
    frame = scaling_tables.tried(trials)
    told = "0.1: 25.0, 0.01: 50.0, 9: diverged"
    assert frame.to_numpy().tolist() == [["SGD momentum=0.9 cosine", told]]


def test_fronts_that_hold_nothing_larger_are_not_two_sizes():
    few, many = {"nodes": [90, 33, 82]}, {"nodes": [90, 33, 193], "test": ["a", "b", "c"]}
    assert grid.distinct(few, many) == [2]
    assert grid.only(many, [2])["test"] == ["c"]


def record(nodes, repeats=1, **sizes):
    """A record of two seeds."""
    equations = {
        f"{label}, p1": {"r2": [0.9, 0.8], "before": runs(0, [0.1], [0.2]), "after": runs(0, [0.3], [0.4])}
        for label in ("DM", "RPSmallExtra")
    }
    best = {"SGD momentum=0.9 lr=0.1": runs(0.5, *[[0.5], [0.7]] * repeats)}
    ours = {"Eq. 6 of P1 lr=1.0": runs(0.5, *[[0.6], [0.8]] * repeats)}
    many = {size: runs(0, [0.3], [0.5]) | {"nodes": found} for size, found in nodes.items()}
    values = {"epochs": 1, "trials": best | ours, "finals": best | ours, "equations": equations}
    values |= {"sizes": many, "memory": {"its Eq. 6": 1, "the teacher, an LSTM": 2}}
    return SimpleNamespace(values=values, seeds=[0, 1])


def test_networks_of_one_seed_are_one_value():
    """Two seeds with two networks each have differences of 10 points: as many as seeds, not as networks."""
    found = evidence.scaling(record({}, repeats=2))["Table 4"]["tuned Eq. 6 ends above the grid"]
    assert found.difference == pytest.approx(10)
    assert found.sides == (pytest.approx(70), pytest.approx(60))


@pytest.mark.parametrize(
    ("nodes", "verdict"),
    [
        ({"100": [41, 33], "200": [41, 33]}, verdicts.NOT_RUN),
        ({"100": [41, 33], "200": [41, 150]}, verdicts.UNDECIDED),
    ],
)
def test_equal_equations_are_not_compared(nodes, verdict):
    found = evidence.scaling(record(nodes))["Table 8"]["100 nodes are better than 200"]
    assert found.verdict == verdict


def test_ways_of_tuning_are_compared_with_none_and_with_back_propagation():
    told = record({})
    curves = {"untuned": 0.2, "TBPTT": 0.4, "PES": 0.5, "without gradients": 0.3}
    settings = {"untuned": "untuned lr=1.0", "PES": "PES lr=0.5 cosine"}
    told.values["ways"] = {
        way: runs(0.5, [level], [level + 0.1])
        | {"setting": settings.get(way, f"{way} lr=1.0"), "tuning": [None if way == "untuned" else 60.0] * 2}
        | {"seconds": [8.0, 10.0], "bytes": [16.0, 16.0]}
        for way, level in curves.items()
    }
    found = evidence.scaling(told)["ways"]
    assert found["PES above untuned"].difference == pytest.approx(30)
    assert found["without gradients above TBPTT"].difference == pytest.approx(-10)
    assert len(found) == 5
    parameters = {"tune_epochs": 2, "tune_steps": 5, "way_trials": 3}
    frame = scaling_tables.ways(told.values["ways"], parameters, 1).set_index("tuned by")
    assert frame.loc["untuned", ["tuning", "steps", "bytes a parameter"]].tolist() == ["–", "–", "16"]
    assert frame.loc["PES", "steps"] == 80
    assert frame.loc["PES", "setting"] == "lr=0.5 cosine"
    assert evidence.scaling(record({}))["ways"] == {}


def test_a_high_momentum_goes_to_the_finals_and_is_a_rival_of_its_own():
    trials = {
        "SGD momentum=0.9 lr=0.1": runs(0.5, [0.5], [0.7]),
        "SGD momentum=0.99 lr=0.1": runs(0.3, [0.3], [0.4]),
        "SGD momentum=0.99 lr=0.01": runs(0.4, [0.4], [0.6]),
        "Eq. 6 of P1 lr=1.0": runs(0.5, [0.6], [0.8]),
    }
    names = grid.for_finals(trials)
    assert names == ["SGD momentum=0.9 lr=0.1", "Eq. 6 of P1 lr=1.0", "SGD momentum=0.99 lr=0.01"]
    told = record({})
    told.values["finals"] = {name: trials[name] for name in names}
    found = evidence.scaling(told)["Table 4"]
    assert found["tuned Eq. 6 ends above a momentum of 0.99"].difference == pytest.approx(20)
    assert found["tuned Eq. 6 ends above SGD"].difference == pytest.approx(10)
    without = evidence.scaling(record({}))["Table 4"]
    assert without["tuned Eq. 6 ends above a momentum of 0.99"].verdict == verdicts.NOT_RUN


def test_a_rival_of_two_claims_is_one_comparison():
    """Where SGD is the best of the grid, two claims have one p-value, and the correction is for two tests."""
    told = record({})
    told.values["finals"]["Eq. 6 of P1 lr=1.0"]["test"] = [[0.6], [0.81]]
    found = evidence.scaling(told)["Table 4"]
    of_grid, of_sgd = (found[f"tuned Eq. 6 ends above {words}"] for words in ("the grid", "SGD"))
    single = verdicts.higher([60.0, 81.0], [50.0, 70.0], paired=True)
    assert of_grid.p == of_sgd.p == pytest.approx(2 * single.p)


def test_a_network_that_diverged_has_the_accuracy_of_guesses():
    told = record({})
    told.values["finals"]["Eq. 6 of P1 lr=1.0"]["test"] = [[0.6], []]
    found = evidence.scaling(told)["Table 4"]["tuned Eq. 6 ends above the grid"]
    assert found.sides == (pytest.approx(35), pytest.approx(60))


def test_what_tuning_returned_as_it_was_is_said():
    found = {"PES": {"kept": [True, False, True]}, "TBPTT": {"kept": [False] * 3}, "older": {}}
    assert scaling_tables.kept(found) == ["PES (2 seeds)"]


def test_a_rule_is_written_with_its_numbers_as_they_are_now():
    model = models.Equation("c * m_hat[0] + 0.5 * n_hat[0]", {"c": 1.0})
    with torch.no_grad():
        model.coefficients.fill_(3.0)
        model.features.alpha.fill_(0.3)
    assert scaling_tables.written(model) == (
        "3 * m_hat[0] + 0.5 * n_hat[0], "
        "where k1 = 0.5, k2 = 0.5, l1 = 0.5, l2 = 0.5, alpha1 = 0.3, alpha2 = 0.3"
    )
    assert scaling_tables.written(models.Equation("-0.1 * g")) == "-0.1 * g"


def test_no_size_and_a_single_one_decide_nothing():
    assert evidence.scaling(record({}))["Table 8"] == {}
    assert evidence.scaling(record({"100": [41, 33]}))["Table 8"] == {}


def test_the_committed_record_is_read_whatever_its_shape():
    committed = records.load("scaling", "standard")
    trials, finals = grid.table4(committed.values)
    best, mine = grid.finalists(finals)
    assert grid.kind(best) != grid.OURS == grid.kind(mine)
    assert set(finals) <= set(trials)
    tables = evidence.scaling(committed)
    assert set(evidence.GRID) <= set(tables)
    assert len(scaling_tables.beside_the_papers(committed.values, committed.values["epochs"])) >= 13


def test_tuning_that_returned_its_start_is_said():
    equations = {
        "DM, p1": {"before": runs(0, [0.1], [0.2]), "after": runs(0, [0.1], [0.3]), "r2": [0.5, 0.7]},
        "RPSmallExtra, digits": {
            "before": runs(0, [0.1], [0.2]),
            "after": runs(0, [0.2], [0.3]),
            "r2": [1, 1],
        },
    }
    assert scaling_tables.unchanged(equations) == ["DM, P1 (1 seed)"]
    told = {name: of | {"loss": [None, [2.0, 2.0], [2.0, 1.9]]} for name, of in equations.items()}
    assert scaling_tables.unchanged(told) == ["DM, P1 (2 seeds)", "RPSmallExtra, P2 (2 seeds)"]
    frame = scaling_tables.tuning(equations, 1).set_index("equation of")
    assert frame.loc["DM, P1", ["before", "after", "before, other rows"]].tolist() == [
        *("15.0 ± 7.1", "20 ± 14", "not recorded")
    ]


def test_sizes_say_how_many_equations_are_new():
    found = {"100": runs(0, [0.1], [0.3]) | {"nodes": [41, 33]}, "200": runs(0, [0.1]) | {"nodes": [41, 150]}}
    frame = scaling_tables.sizes(found, 1)
    assert frame["new equations"].tolist() == ["2 of 2", "1 of 2"]
    assert scaling_tables.sizes({}, 1).empty
