"""Metrics against their closed forms."""

import numpy as np
import pytest
import torch

from l2o_core import distiller, expressions, metrics, models, tasks
from l2o_core.distiller import Dataset, Entry, ParetoFront
from l2o_core.errors import ConfigError, DataError, ExpressionError

LAGS = 20


@pytest.fixture
def data():
    """Independent inputs of very different scales: the field must not depend on them."""
    generator = np.random.default_rng(0)
    inputs = 7.0 * generator.normal(size=(500, LAGS))
    return Dataset(inputs, inputs[:, 0], [f"g[{lag}]" for lag in range(LAGS)], np.arange(500) // 50)


def linear_rule(weights):
    return expressions.parse(" + ".join(f"{w!r} * g[{lag}]" for lag, w in enumerate(weights.tolist())))


def test_sgd_looks_no_step_back(data):
    assert metrics.temporal_perception_field(expressions.parse("-0.01 * g"), data) == 0
    assert metrics.temporal_perception_field(expressions.parse("-0.01 * g[0]"), data) == 0


@pytest.mark.parametrize("beta", [0.5, 0.9])
def test_momentum_is_the_truncated_beta_over_one_minus_beta(data, beta):
    weights = beta ** np.arange(LAGS)
    field = metrics.temporal_perception_field(linear_rule(-weights), data)
    assert field == pytest.approx((weights * np.arange(LAGS)).sum() / weights.sum(), rel=1e-9)
    if beta == 0.5:  # twenty lags are nearly all of them
        assert field == pytest.approx(beta / (1 - beta), rel=1e-3)


def test_a_nonlinear_rule_is_weighted_by_its_sensitivity(data):
    """The derivative of x^2 is 2 x: its mean square over unit-variance inputs is 4."""
    rule = expressions.parse("3 * g[0] + 0.5 * (g[4] / 7) ^ 2 * 7")
    weights = metrics.sensitivities(rule, data)["g"]
    assert weights[4] / weights[0] == pytest.approx(1 / 3, rel=0.1)


def test_several_features_give_one_field_each(data):
    both = Dataset(
        data.inputs, data.targets, [f"{f}[{i}]" for f in ("m_hat", "g_hat") for i in range(10)], data.groups
    )
    field = metrics.temporal_perception_field(expressions.parse("m_hat[2] + g_hat + g_hat[1]"), both)
    assert field == (pytest.approx(2), pytest.approx(0.5))


def test_a_model_and_its_equation_have_the_same_field(data):
    rule = "-0.5 * g - 0.25 * g[1] - 0.1 * tanh(0.1 * g[5])"
    field = metrics.temporal_perception_field(models.Equation(rule), data)
    assert field == pytest.approx(metrics.temporal_perception_field(expressions.parse(rule), data), rel=1e-6)


def test_lags_before_the_first_step_of_a_run_do_not_count():
    """A momentum that carries its past has the field of its lags written out, however short its runs are."""
    rule, weights = models.Equation("0.9 * u[1] - 0.0005 * g"), -0.0005 * 0.9 ** np.arange(10)
    data = distiller.collect(rule, tasks.load("p1"), lags=10, steps=10, samples=200, instances=8)
    found = metrics.sensitivities(rule, data)["g"]
    assert [*found.values()] == pytest.approx(-weights, rel=1e-5)
    field = metrics.temporal_perception_field(linear_rule(weights), data)
    assert metrics.temporal_perception_interval(rule, data, draws=20) == pytest.approx(
        (field, field), rel=1e-5
    )


def test_what_is_neither_equation_nor_network_is_refused(data):
    rule = expressions.parse_rule("p = 0.9*p[1] + g; -p")
    with pytest.raises(ConfigError, match="not a System; a rule with a memory has a certificate"):
        metrics.temporal_perception_field(rule, data)


def test_a_network_is_measured_without_being_changed(data):
    torch.manual_seed(0)
    model = models.DM()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert 0 < metrics.temporal_perception_field(model, data) < LAGS
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_r2_of_the_mean_is_zero_and_of_the_truth_one():
    y = np.array([1.0, 2.0, 4.0])
    assert metrics.r2(y, y) == 1
    assert metrics.r2(y, np.full(3, y.mean())) == pytest.approx(0)
    assert metrics.r2(y, np.array([1.0, np.nan, 4.0])) == -np.inf
    assert np.isnan(metrics.r2(np.ones(3), np.ones(3)))
    assert np.isnan(metrics.r2(np.ones(1), np.ones(1)))
    with pytest.raises(DataError, match="a prediction for each value"):
        metrics.r2(y, np.ones(2))


def test_mapping_complexity_is_read_off_the_rows_for_choices():
    entries = [
        Entry(expressions.parse(text), loss, r2=0.99 - r2, r2_select=r2)
        for text, loss, r2 in (
            ("1", 1.0, 0.0),
            ("2 * x", 0.2, 0.90),
            ("2 * x + 1", 0.1, 0.95),
            ("2 * x + 1 + tanh(y)", 0.05, 0.96),
        )
    ]
    front = ParetoFront.of(entries, "operon", 0.0)
    assert metrics.mapping_complexity_at(front, 0.95) == 5
    assert metrics.mapping_complexity_at(front, -1.0) == 1
    assert metrics.mapping_complexity_at(front, 0.97) is None
    with pytest.raises(ConfigError, match="at most 1"):
        metrics.mapping_complexity_at(front, 1.5)
    assert metrics.mapping_complexity(front, tolerance=0.02) == 5
    assert metrics.mapping_complexity(front, tolerance=0.07) == 3
    with pytest.raises(ConfigError, match="tolerance"):
        metrics.mapping_complexity(front, tolerance=-1)
    unknown = ParetoFront.of([Entry(expressions.parse("g"), 0.1, 0.9)], "operon", 0.0)
    with pytest.raises(DataError, match="rows for choices"):
        metrics.mapping_complexity(unknown)


def test_names_that_are_no_features_are_refused(data):
    broken = Dataset(data.inputs[:, :1], data.targets, ["g now"], data.groups)
    with pytest.raises(ExpressionError, match="g now"):
        metrics.sensitivities(expressions.parse("g"), broken)


def test_the_interval_holds_the_field_and_narrows_with_data(data):
    rule = expressions.parse("tanh(g[0]) + g[1] * g[2]")
    field = metrics.temporal_perception_field(rule, data)
    low, high = metrics.temporal_perception_interval(rule, data)
    assert low < field < high < low + 0.5
    wide = metrics.temporal_perception_interval(rule, data, level=0.99)
    assert wide[0] < low < high < wide[1]


def test_of_a_linear_rule_the_interval_is_a_point(data):
    bounds = metrics.temporal_perception_interval(expressions.parse("g[0] + 0.5 * g[1]"), data)
    assert bounds == pytest.approx((1 / 3, 1 / 3))


def test_the_interval_wants_a_level(data):
    with pytest.raises(ConfigError, match="level must lie between 0 and 1"):
        metrics.temporal_perception_interval(expressions.parse("g[0]"), data, level=95)


def test_the_interval_of_r2_draws_whole_trajectories():
    generator = np.random.default_rng(0)
    y, groups = generator.normal(size=600), np.arange(600) // 100
    prediction = y + np.where(groups == 0, 2.0, 0.1) * generator.normal(size=600)
    low, high = metrics.r2_interval(y, prediction, groups)
    assert low < metrics.r2(y, prediction) < high
    single = metrics.r2_interval(y, prediction, np.arange(600))
    assert high - low > 2 * (single[1] - single[0])
    assert np.isnan(metrics.r2_interval(y, prediction, np.zeros(600))).all()
    with pytest.raises(ConfigError, match="level"):
        metrics.r2_interval(y, prediction, groups, level=1.0)
    with pytest.raises(ConfigError, match="draws must be a whole number, 1 or more"):
        metrics.r2_interval(y, prediction, groups, draws=0)
    with pytest.raises(ConfigError, match="seed must be a whole number, 0 or more"):
        metrics.r2_interval(y, prediction, groups, seed=-1)
    with pytest.raises(DataError, match="a trajectory for each value"):
        metrics.r2_interval(y, prediction, groups[:-1])


@pytest.mark.parametrize("options", [{"draws": 0}, {"draws": 2.5}, {"seed": -1}, {"level": "high"}])
def test_the_interval_of_the_field_wants_draws_and_a_seed(data, options):
    with pytest.raises(ConfigError, match=f"{next(iter(options))} must be"):
        metrics.temporal_perception_interval(expressions.parse("g[0]"), data, **options)


def test_one_trajectory_has_no_interval(data):
    names = [f"{f}[{i}]" for f in ("m_hat", "g_hat") for i in range(LAGS // 2)]
    alone = np.zeros(len(data))
    rows = Dataset(data.inputs, data.targets, data.names, alone)
    assert np.isnan(metrics.temporal_perception_interval(expressions.parse("g[0]^2 + g[1]"), rows)).all()
    both = Dataset(data.inputs, data.targets, names, alone)
    bounds = metrics.temporal_perception_interval(expressions.parse("m_hat[1] * g_hat"), both)
    assert np.shape(bounds) == (2, 2)
    assert np.isnan(bounds).all()


@pytest.mark.parametrize("teacher", [models.RP, models.RPSmall])
@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ("-0.01 * m_hat[0] - 0.02 * m_hat[4] + 0 * g_hat[0]", (8 / 3, 0)),
        ("-0.01 * m_hat - 0.01 * g_hat", (0, 0)),
        ("-0.01 * g_hat[1] - 0.03 * g_hat[5] - 0.02 * m_hat[2]", (2, 4)),
        ("-0.01 * g_hat - 0.01 * g_hat[3]", (0, 1.5)),
    ],
)
def test_a_distilled_equation_is_measured_on_the_rows_of_its_teacher(teacher, rule, field):
    torch.manual_seed(0)
    rows = distiller.collect(teacher(), tasks.load("p1"), lags=6, steps=12, samples=200, instances=8)
    assert metrics.temporal_perception_field(models.Equation(rule), rows) == pytest.approx(field, rel=1e-5)
    assert metrics.temporal_perception_field(expressions.parse(rule), rows) == pytest.approx(field, rel=1e-5)


def test_an_optimizer_of_features_that_the_rows_lack_is_refused(data):
    with pytest.raises(DataError, match="the model reads m_hat, g_hat, the data has g"):
        metrics.temporal_perception_field(models.RP(), data)
