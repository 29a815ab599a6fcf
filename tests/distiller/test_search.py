"""Known rules come back, in the units of the data; data that cannot be used is refused or reported."""

import json
import os
import signal
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from l2o_core import distiller, expressions
from l2o_core.distiller import refine, search
from l2o_core.distiller.engines import Linear, Operon
from l2o_core.distiller.problem import prepare
from l2o_core.errors import ConfigError, DataError, EngineError, StorageError
from l2o_core.processors import processors
from l2o_core.storage import Cache

# Bounded by generations, on one thread, with time to spare: the same front on every machine, also a busy one.
OPERON = {"engine": Operon(threads=1, generations=15, population=200), "time_limit": 1e5}
NAMES = [f"g[{lag}]" for lag in range(4)]


@pytest.fixture(name="X")
def inputs():
    return np.random.default_rng(0).normal(size=(600, 4))


def linear(X, y, **options):
    return distiller.distill(X, y, NAMES, engine="linear", **options)


@pytest.mark.parametrize(("x_scale", "y_scale"), [(1.0, 1.0), (1e-12, 1e6), (1e6, 1e-12)])
def test_a_linear_rule_comes_back_in_original_units(X, x_scale, y_scale):
    y = y_scale * (X @ [-0.5, 0.25, 0, 0])
    front = linear(x_scale * X, y)
    assert front.best.r2 == pytest.approx(1, abs=1e-9)
    assert [str(v) for v in front.best.equation.variables] == ["g[0]", "g[1]"]
    want = np.array([-0.5, 0.25]) * y_scale / x_scale
    np.testing.assert_allclose(front.best.equation.constants, want, rtol=1e-3)


def test_a_data_set_brings_its_own_targets_names_and_groups(X):
    data = distiller.Dataset(X, X @ [1, 0, -2, 0.5], NAMES, np.arange(600) // 20)
    arrays = distiller.distill(data.inputs, data.targets, data.names, groups=data.groups, engine="linear")
    front = distiller.distill(data, engine="linear")
    assert (front.entries, front.data) == (arrays.entries, arrays.data)
    for extra in ({"y": data.targets}, {"names": NAMES}, {"groups": data.groups}):
        with pytest.raises(ConfigError, match="a Dataset brings its own targets, names and groups"):
            distiller.distill(data, **extra)


def test_a_linear_path_takes_the_column_that_correlates_most_and_fits_all_anew(X):
    """The reference: one least-squares fit for each length; a column that is 0 on these rows stays out."""
    X = np.column_stack([X @ np.triu(np.ones((4, 4))), np.zeros(600)])
    y = X @ [0.3, -1, 0.2, 0.5, 0] + np.tanh(X[:, 0]) + 0.2
    X[0, 4] = 1e-9
    problem = prepare(X, y, [*NAMES, "g[4]"])
    problem.X[problem.parts["fit"], 4] = 0
    (found,) = Linear().search(problem, max_complexity=100, time_limit=1, seed=0)
    rows = problem.parts["fit"]
    A, y = np.column_stack([problem.X[rows, :4], np.ones(len(rows))]), problem.y[rows]
    chosen, residual = [], y
    assert len(found) == 6 + 4  # a constant, these, and those of centred columns
    found = found[:6]
    for equation in found[1:]:
        match = np.abs(A.T @ residual) / np.linalg.norm(A, axis=0)
        chosen.append(max(set(range(5)) - set(chosen), key=lambda i: match[i]))
        weights = np.linalg.lstsq(A[:, chosen], y)[0]
        residual = y - A[:, chosen] @ weights
        inputs = dict(zip(NAMES, torch.tensor(A[:, :4].T), strict=True))
        np.testing.assert_allclose(equation.evaluate(inputs), A[:, chosen] @ weights, atol=1e-9)


@pytest.mark.parametrize("scale", [1.0, 1e-6])
def test_operon_recovers_a_quotient(X, scale):
    m, v = scale * X[:, 0], scale**2 * (X[:, 1] ** 2 + 0.1)
    front = distiller.distill(
        np.column_stack([m, v]), -0.1 * m / np.sqrt(v), ["m", "v"], **OPERON, max_complexity=20
    )
    exact = next(entry for entry in front if entry.r2 > 0.999999)
    assert exact.complexity <= 8
    (value,) = exact.equation.evaluate({"m": _tensor(2.0), "v": _tensor(4.0)}).tolist()
    assert value == pytest.approx(-0.1, rel=1e-3)


def test_a_sum_over_lags_is_completed():
    """Twenty lags with geometric weights, inside a nonlinearity: more than a short search would assemble."""
    X = np.random.default_rng(1).normal(size=(800, 20))
    y = np.tanh(0.5 * X @ 0.8 ** np.arange(20))
    names = [f"g[{lag}]" for lag in range(20)]
    front = distiller.distill(X, y, names, **OPERON, max_complexity=100)
    straight = distiller.distill(X, y, names, engine="linear")
    assert front.best.r2 > 0.995 > straight.best.r2


def test_the_same_seed_gives_the_same_front(X):
    y = X[:, 0] * X[:, 1]
    fronts = [distiller.distill(X, y, NAMES, **OPERON, seed=3) for _ in range(2)]
    assert fronts[0].table.equals(fronts[1].table)


def test_a_front_falls_as_it_grows_and_stays_within_the_limit(X):
    y = np.tanh(X[:, 0]) + 0.3 * X[:, 1] ** 2
    front = distiller.distill(X, y, NAMES, **OPERON, max_complexity=15)
    table = front.table
    assert list(table.columns) == ["complexity", "loss", "equation", "r2"]
    assert table["complexity"].is_monotonic_increasing
    assert table["loss"].is_monotonic_decreasing
    assert table["complexity"].max() <= 15
    for entry in front:
        assert expressions.parse(str(entry.equation)).complexity == entry.complexity


def test_r2_is_measured_on_rows_the_search_has_not_seen():
    """Targets that have nothing to do with the inputs: whatever fits them fits noise."""
    generator = np.random.default_rng(0)
    front = linear(generator.normal(size=(200, 4)), generator.normal(size=200))
    assert front.best.r2 < 0.1


def test_r2_is_known_on_the_rows_for_choices_as_well(X):
    y = X[:, 0] + np.random.default_rng(1).normal(size=len(X))
    front = linear(X, y)
    rows = prepare(X, y, NAMES, seed=0).unscaled("select")
    for entry in front:
        want = 1 - entry.loss / rows.y.var(correction=0).item()
        assert entry.r2_select == pytest.approx(want)
        assert entry.r2_select != pytest.approx(entry.r2)


def test_groups_are_held_out_whole(X):
    """A column that merely names the group explains the targets of known groups, not those of others."""
    groups = np.repeat(np.arange(60), 10)
    offset = np.random.default_rng(5).normal(size=60)[groups]
    memorised = np.column_stack([X, *(groups == k for k in range(59))]).astype(float)
    names = [*NAMES, *(f"is{k}" for k in range(59))]
    options = {"engine": "linear", "max_complexity": 1000}
    apart = distiller.distill(memorised, offset, names, groups=groups, **options)
    mixed = distiller.distill(memorised, offset, names, **options)
    assert apart.best.r2 < 0.2 < 0.9 < mixed.best.r2


def test_bad_rows_and_columns_are_dropped_and_reported(X):
    y = X[:, 0].copy()
    X = np.column_stack([X, np.ones(600), X[:, 1]])
    X[3, 0], y[5] = np.nan, np.inf
    front = distiller.distill(X, y, [*NAMES, "one", "twin"], engine="linear")
    assert front.best.r2 == pytest.approx(1)
    notes = " ".join(front.notes)
    assert "2 of 600 rows" in notes
    assert "one: constant" in notes
    assert "twin: the same as g[1]" in notes


@pytest.mark.parametrize("options", [{"engine": "linear"}, OPERON], ids=["linear", "operon"])
def test_wide_data_of_wild_scales_does_not_break_an_engine(options):
    generator = np.random.default_rng(2)
    scales = 10.0 ** generator.integers(-12, 7, 60)
    X = generator.standard_t(2, size=(500, 60)) * scales
    y = X[:, 0] / scales[0] - X[:, 1] / scales[1]
    front = distiller.distill(X, y, [f"x{i}" for i in range(60)], **options)
    assert front.best.r2 > 0.99


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"engine": "magic"}, EngineError, "unknown engine 'magic'; known: operon, pysr, sol, linear"),
        ({"engine": "operan"}, EngineError, "unknown engine 'operan'; did you mean 'operon'"),
        ({"time_limit": 0}, ConfigError, "time_limit"),
        ({"time_limit": float("nan")}, ConfigError, "time_limit"),
        ({"max_complexity": 0}, ConfigError, "max_complexity"),
        ({"seed": -1}, ConfigError, "seed must be a whole number, 0 or more, not -1"),
        ({"split_seed": 0.5}, ConfigError, "split_seed must be a whole number"),
        ({"y": None}, DataError, "need targets y"),
        ({"y": np.ones(600)}, DataError, "nothing to explain"),
        ({"y": np.full(600, np.nan)}, DataError, "0 usable rows"),
        ({"X": np.ones((600, 4))}, DataError, "every input column is constant"),
        ({"X": np.ones((10, 4)), "y": np.arange(10.0)}, DataError, "10 usable rows"),
        ({"X": np.ones(600)}, DataError, r"inputs must be \[n, d\]"),
        ({"y": ["a"] * 600}, DataError, "array of numbers"),
        ({"names": NAMES[:3]}, ConfigError, "3 names for 4 columns"),
        ({"names": ["a", "a", "b", "c"]}, ConfigError, "share the name a"),
        ({"groups": np.zeros(3)}, DataError, "groups must be"),
        (
            {"groups": np.array(["a", None, "b"] * 200, object)},
            DataError,
            "200 of 600 labels are missing.* row 1",
        ),
        ({"groups": np.array(["a", 1, "b"] * 200, object)}, DataError, "labels of one kind"),
        ({"engine": None}, EngineError, "an engine is a name"),
        ({"names": 3}, ConfigError, "names must be a list"),
        ({"start": 3}, ConfigError, "start must be equations"),
        ({"start": ["x0 +"]}, ConfigError, "start must be equations"),
        ({"max_complexity": True}, ConfigError, "max_complexity must be a whole number"),
        ({"max_complexity": 20.5}, ConfigError, "max_complexity must be a whole number"),
        ({"time_limit": "long"}, ConfigError, "time_limit must be a positive number"),
        ({"huber": "much"}, ConfigError, "huber must be a positive number"),
        ({"seed": "one"}, ConfigError, "seed must be a whole number"),
        ({"y": np.full(600, 1e308) * np.linspace(-1, 1, 600)}, DataError, "end of the floats' range"),
    ],
)
def test_what_cannot_be_used_is_refused(X, change, error, message):
    arguments = {"X": X, "y": X[:, 0], "names": NAMES, "engine": "linear"} | change
    with pytest.raises(error, match=message):
        distiller.distill(arguments.pop("X"), arguments.pop("y"), arguments.pop("names"), **arguments)


def _tensor(value):
    return torch.tensor([value], dtype=torch.float64)


class Stopped:
    """An engine that is interrupted after it has yielded `batches`."""

    name = "stopped"

    def __init__(self, *batches):
        self.batches = batches

    def search(self, problem, **limits):
        yield from self.batches
        raise KeyboardInterrupt


def test_a_search_stopped_by_hand_keeps_what_it_found(X):
    engine = Stopped([expressions.parse("g[0]")], [expressions.parse("g[0] + g[1]")])
    front = distiller.distill(X, X[:, 0] + X[:, 1], NAMES, engine=engine, time_limit=1e5)
    assert front.best.r2 > 0.999
    assert "stopped by hand" in front.notes[-1]


def test_stopped_at_once_it_has_what_least_squares_finds(X):
    front = distiller.distill(X, X[:, 0] - X[:, 2], NAMES, engine=Stopped())
    assert front.best.r2 > 0.999


def test_a_warm_start_is_refitted_to_the_new_data(X):
    y = 3 * np.tanh(X[:, 0]) - 0.2 * X[:, 1]
    known = expressions.parse("tanh(2 * g[0]) + 5 * g[1]")
    front = distiller.distill(
        X, y, NAMES, engine=Stopped([expressions.parse("g[0]")]), start=[known], time_limit=1e5
    )
    assert sorted(front.best.equation.constants) == pytest.approx([-0.2, 3], rel=1e-3)
    assert linear(X, y, start="tanh(2 * g[0]) + 5 * g[1]").best.loss <= 1.01 * front.best.loss
    again = distiller.distill(
        X, y, NAMES, engine=Stopped([expressions.parse("g[0]")]), start=front, time_limit=1e5
    )
    assert again.best.loss <= 1.01 * front.best.loss
    with pytest.raises(ConfigError, match="uses z: no such column"):
        distiller.distill(X, y, NAMES, start=[expressions.parse("z")])


def test_searches_with_one_split_merge(X):
    y = X[:, 0] * X[:, 1]
    options = {"split_seed": 7, "time_limit": 3}
    fronts = [distiller.distill(X, y, NAMES, engine="linear", seed=seed, **options) for seed in (0, 1)]
    assert distiller.ParetoFront.merge(fronts).data == fronts[0].data
    assert distiller.distill(X, y, NAMES, engine="linear", split_seed=8).data != fronts[0].data


class Counted:
    """An engine that counts its searches."""

    name = "counted"
    searches = 0

    def __repr__(self):
        return "Counted()"

    def search(self, problem, **limits):
        self.searches += 1
        yield [expressions.parse("g[0]")]


@pytest.mark.parametrize("mean", [0.0, 1e4, 1e8])
def test_least_squares_does_not_mind_means_that_are_large_against_the_spread(X, mean):
    best = distiller.distill(mean + X, 3 * X[:, 0] - X[:, 1], NAMES, engine="linear").best
    assert best.r2 > 0.9999
    assert best.equation.complexity <= 9


def test_a_front_of_the_same_data_in_other_units_is_another_one(X, tmp_path):
    y, cache = 3 * X[:, 0] - X[:, 1], Cache(tmp_path)
    plain = distiller.distill(X, y, NAMES, engine="linear", cache=cache)
    scaled = distiller.distill(1024 * X, y, NAMES, engine="linear", cache=cache)
    columns = dict(zip(NAMES, torch.tensor(1024 * X).unbind(1), strict=True))
    torch.testing.assert_close(scaled.best.equation.evaluate(columns), torch.tensor(y), rtol=1e-3, atol=1e-3)
    with pytest.raises(DataError, match="different data"):
        distiller.ParetoFront.merge([plain, scaled])


def test_a_cached_front_is_used_again_for_the_same_data_and_settings_only(X, tmp_path):
    cache, engine = Cache(tmp_path), Counted()

    def found(y, **options):
        return distiller.distill(X, y, NAMES, engine=engine, cache=cache, **options)

    first = found(X[:, 0])
    assert (found(X[:, 0]), engine.searches) == (first, 1)
    assert len([*tmp_path.glob("fronts/*.json")]) == 1
    for y, options in [(X[:, 1], {}), (X[:, 1], {"max_complexity": 50}), (X[:, 1], {"seed": 5})]:
        found(y, **options)
    assert engine.searches == 4
    assert len([*tmp_path.glob("fronts/*.json")]) == 4
    distiller.distill(X, X[:, 0], NAMES, engine=Stopped(), cache=Cache(tmp_path / "stopped"))
    assert not (tmp_path / "stopped").exists()


def test_a_front_that_cannot_be_stored_is_said_before_the_search(X, tmp_path):
    (tmp_path / "file").write_text("")
    engine = Counted()
    with pytest.raises(StorageError, match=r"cannot write .*fronts"):
        distiller.distill(X, X[:, 0], NAMES, engine=engine, cache=Cache(tmp_path / "file"))
    assert engine.searches == 0


class Failing(Stopped):
    """An engine that fails after it has yielded `batches`."""

    name = "failing"

    def search(self, problem, **limits):
        yield from self.batches
        raise ZeroDivisionError("odd")


def test_an_engine_that_fails_halfway_loses_nothing(X, tmp_path):
    engine = Failing([expressions.parse("g[0] * g[1]")])
    front = distiller.distill(X, X[:, 0] * X[:, 1], NAMES, engine=engine, cache=Cache(tmp_path))
    assert front.best.r2 > 0.99
    assert "engine failing failed, what it had found is kept (ZeroDivisionError: odd)" in front.notes[-1]
    assert not [*tmp_path.iterdir()]
    with pytest.raises(EngineError, match="failing failed: ZeroDivisionError: odd"):
        distiller.distill(X, X[:, 0], NAMES, engine=Failing())


@pytest.mark.parametrize("name", ["loss", "canonical", "round_constants"])
def test_stopped_while_equations_are_measured_it_keeps_those_that_are(X, monkeypatch, name):
    original, calls = getattr(search, name), []

    def interrupted(*arguments):
        calls.append(name)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(search, name, interrupted)
    front = linear(X, X @ [1, 2, 3, 4])
    assert "stopped by hand before every" in front.notes[-1]
    assert np.isfinite(front.best.r2)


def test_stopped_while_candidates_are_fitted_it_yields_them_all(X, monkeypatch):
    candidates = [expressions.parse(text) for text in ("2 * g[0]", "tanh(g[1])", "g[2]^2")]
    monkeypatch.setattr(refine, "polish", Mock(side_effect=KeyboardInterrupt))
    batches = refine.refine(candidates, prepare(X, X[:, 0], NAMES), 100, np.inf)
    assert next(batches) == candidates
    with pytest.raises(KeyboardInterrupt):
        next(batches)


def test_operon_goes_on_after_an_interrupt_and_gives_its_front(X, monkeypatch):
    def evolve(self, *arguments):
        signal.raise_signal(signal.SIGINT)
        return [expressions.parse("g[0] * g[1]")]

    monkeypatch.setattr(Operon, "_evolve", evolve)
    before = signal.getsignal(signal.SIGINT)
    front = distiller.distill(X, X[:, 0] * X[:, 1], NAMES, **OPERON)
    assert front.best.r2 > 0.99
    assert "stopped by hand" in front.notes[-1]
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("size", [1e-250, 1e-200, 1e160, 1e250])
def test_targets_whose_squares_are_no_floats(X, size):
    y = X @ [1.5, 0.7, 0, 0.01]
    front, plain = linear(X, size * y), linear(X, y)
    assert front.best.r2 == pytest.approx(1)
    assert [entry.r2 for entry in front] == pytest.approx([entry.r2 for entry in plain], abs=1e-6)
    assert "losses are in units of it" in front.notes[-1]
    assert linear(1e200 * X, X[:, 0]).best.r2 == pytest.approx(1)


@pytest.mark.parametrize("groups", [None, np.arange(600) // 30])
def test_an_undefined_r2_is_nan_with_a_note(X, groups, tmp_path):
    y = np.zeros(600)
    y[prepare(X, X[:, 0], groups=groups).parts["fit"][:3]] = 1
    front = linear(X, y, groups=groups)
    assert np.isnan(front.best.r2)
    assert "R2 is undefined (NaN)" in front.notes[-1]
    assert np.isnan(distiller.ParetoFront.load(front.save(tmp_path / "front.json")).best.r2)
    assert "null" in (tmp_path / "front.json").read_text()
    front.plot(Figure().add_subplot())


def test_constants_that_underflow_do_no_harm(X):
    start = [expressions.parse("g[0] + 1 / (1e-300 * g[1])^2"), expressions.parse("10^10^10 * g[0]")]
    assert linear(X, X[:, 0], start=start).best.r2 == pytest.approx(1)


def test_equations_to_start_with_may_use_a_column_that_is_dropped(X):
    X[:, 3] = X[:, 0]
    front = linear(X, np.tanh(X[:, 0]), start=[expressions.parse("tanh(g[3])")])
    assert str(front.best.equation) == "tanh(g[0])"


def test_numbers_of_numpy_are_options(X):
    options = {"max_complexity": np.int64(20), "seed": np.uint8(3), "time_limit": np.float32(5)}
    front = linear(X, X[:, 0], **options)
    assert json.loads(front.to_json())["settings"]["seed"] == 3
    drawn = [
        linear(X, X[:, 0], seed=kind(5)).settings["seed"]
        for kind in (np.random.default_rng, np.random.RandomState)
    ]
    assert drawn == [
        int(np.random.default_rng(5).integers(2**31 - 1)),
        np.random.RandomState(5).randint(2**31 - 1),
    ]
    assert linear(X, X[:, 0], seed=None).settings["seed"] != linear(X, X[:, 0], seed=None).settings["seed"]


def test_where_the_system_knows_no_affinity_all_processors_are_used(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    monkeypatch.setattr("l2o_core.processors.QUOTA", Path("nowhere"))
    assert processors() == 7


@pytest.mark.parametrize(("text", "count"), [("max 100000", 7), ("250000 100000", 3), ("50000 100000", 1)])
def test_a_quota_of_processor_time_counts(monkeypatch, tmp_path, text, count):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(7)), raising=False)
    (tmp_path / "cpu.max").write_text(text + "\n")
    monkeypatch.setattr("l2o_core.processors.QUOTA", tmp_path / "cpu.max")
    assert processors() == count


def test_progress_is_shown_where_wanted(X, capsys):
    distiller.distill(X, X[:, 0], NAMES, engine="linear", progress=True)
    assert "linear: " in capsys.readouterr().err


def test_a_robust_search_ignores_wild_rows(X):
    y = 2 * X[:, 0]
    y[::300] += 1e3
    columns = dict(zip(NAMES, torch.from_numpy(X.T), strict=True))

    def error(**options):
        equation = linear(X, y, **options).best.equation
        return (equation.evaluate(columns) - 2 * columns["g[0]"]).abs().median()

    assert error(huber=0.1) < 0.02 < error()
