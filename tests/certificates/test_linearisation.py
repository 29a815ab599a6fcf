"""Linear rules against their closed forms, and against simulation."""

import math

import numpy as np
import pytest
import torch

from l2o_core.certificates import descend, linearisation, linearise
from l2o_core.certificates.recurrence import recurrence
from l2o_core.errors import ConfigError
from l2o_core.expressions import parse
from l2o_core.optim import SymbolicOptimizer
from tests.optim import reference

BETA = 0.9


def test_sgd_is_a_number():
    sgd = linearise("sgd")
    assert sgd.exact
    assert sgd.poles.tolist() == []
    assert sgd.impulse_response(3).tolist() == [-1, 0, 0]
    assert sgd.temporal_perception_field() == 0
    assert sgd.frequency_response([0, 0.3]).tolist() == [-1, -1]
    assert sgd.stable_ranges() == ((0, pytest.approx(2)),)


@pytest.mark.parametrize("rule", ["momentum", "0.9 * u[1] - g", "p = 0.9 * p[1] + g; -p"])
def test_heavy_ball(rule):
    ball = linearise(rule)
    assert ball.exact
    assert ball.poles == pytest.approx([BETA])
    assert ball.impulse_response(50) == pytest.approx(-(BETA ** np.arange(50)))
    frequencies = np.linspace(0, 0.5, 7)
    expected = -1 / (1 - BETA * np.exp(-2j * np.pi * frequencies))
    assert ball.frequency_response(frequencies) == pytest.approx(expected)
    assert ball.temporal_perception_field() == pytest.approx(BETA / (1 - BETA))
    weights = BETA ** np.arange(20)
    assert ball.temporal_perception_field(20) == pytest.approx(np.arange(20) @ weights / weights.sum())
    assert ball.stable_ranges() == ((0, pytest.approx(2 * (1 + BETA))),)


def test_nesterov():
    rule = linearise("nesterov")
    assert rule.impulse_response(4) == pytest.approx([-1 - BETA, -(BETA**2), -(BETA**3), -(BETA**4)])
    assert rule.stable_ranges() == ((0, pytest.approx(2 * (1 + BETA) / (1 + 2 * BETA))),)


def test_a_running_average_has_a_gain_of_one():
    rule = linearise("-m", beta1=0.8)
    assert rule.exact
    assert rule.frequency_response([0.0, 0.5]) == pytest.approx([-1, -0.2 / 1.8])
    assert linearise("-m", beta1=0.8, bias_correction=False).poles == pytest.approx([0.8])


def test_complex_poles():
    rule = linearise("p = 2 * 0.9 * 0.5 * p[1] - 0.81 * p[2] + g; -p")  # 0.9 exp(± i pi / 3)
    assert sorted(rule.poles, key=np.imag) == pytest.approx(0.9 * np.exp([-1j * np.pi / 3, 1j * np.pi / 3]))
    angles = np.arange(1, 31) * np.pi / 3
    expected = -(0.9 ** np.arange(30)) * np.sin(angles) / np.sin(np.pi / 3)
    assert rule.impulse_response(30) == pytest.approx(expected, abs=1e-12)


def test_lags_are_the_impulse_response():
    rule = linearise("-g - 0.5 * g[2] + 0.25 * g[7]")
    assert rule.impulse_response(9) == pytest.approx([-1, 0, -0.5, 0, 0, 0, 0, 0.25, 0])
    assert rule.poles == pytest.approx(np.zeros(7))
    assert rule.temporal_perception_field() == pytest.approx((2 * 0.5 + 7 * 0.25) / 1.75)


def test_any_linear_system_responds_as_it_runs():
    states = "p = 0.7 * p[1] - 0.3 * q[2] + m[1]; q = 0.5 * q[1] + p - 0.2 * u[1] + g[3] / 2"
    text = f"{states}; -p + b / 10 - u[2] / 4"
    gradients = torch.zeros(60, 1, dtype=torch.float64)
    gradients[0] = 1
    values = {"beta1": 0.8, "bias_correction": False}
    expected = reference.updates(text, gradients, **values)[:, 0]
    assert linearise(text, **values).impulse_response(60) == pytest.approx(expected.numpy(), abs=1e-12)


def test_what_cancels_is_no_pole():
    assert len(linearise("p = 0.9 * p[1] + g; -p + 0.9 * p[1]").poles) == 0
    assert len(linearise("schedule_free").poles) == 0
    assert linearise("p = 0.5 * p[1] + g; q = 0.99 * q[1] + p; -p").poles == pytest.approx([0.5])


def test_a_response_that_never_fades_looks_back_for_ever():
    assert linearise("p = p[1] + g; -p").temporal_perception_field() == math.inf


def test_momentum_is_what_adam_does_to_small_changes():
    """2 (1 + beta1) / (1 - beta1), the sharpness at which full-batch Adam lives, per lr."""
    adam = linearise("adam", beta2=0.9999)
    assert not adam.exact
    assert adam.poles == pytest.approx([BETA])
    assert adam.impulse_response(30) == pytest.approx(-0.1 * BETA ** np.arange(30), rel=2e-3)
    assert adam.stable_ranges()[0][1] == pytest.approx(38, rel=1e-3)
    large = linearise("adam", beta2=0.9999, gradient=100.0)
    assert large.stable_ranges()[0][1] == pytest.approx(3800, rel=1e-3)


@pytest.mark.parametrize("relative", [0.95, 1.05])
@pytest.mark.parametrize("rule", ["sgd", "momentum", "nesterov", "-g - 0.5 * g[2] + 0.25 * u[1]"])
def test_edges_hold_for_the_optimizer_itself(rule, relative):
    (_, edge), *_ = linearise(rule).stable_ranges()
    curvature = 4.0
    x = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
    optimizer = SymbolicOptimizer([x], rule, lr=relative * edge / curvature, compile=False)
    for _ in range(200):
        x.grad = curvature * x.detach()
        optimizer.step()
    assert (abs(x.item()) < 0.1) == (relative < 1)


@pytest.mark.parametrize("relative", [0.98, 1.02])
def test_small_changes_of_adams_way_fade_below_the_edge(relative):
    """Two parameters with the same noise; one of them is displaced, and feels a curvature there."""
    values, lr = {"beta2": 1 - 1e-7}, 1e-3  # so close to 1 that no single gradient changes the denominator
    adam, whole = linearise("adam", **values), recurrence("adam", values)
    curvature = relative * adam.stable_ranges()[0][1] / lr
    past = linearisation._settled(whole, 1.0)[:, None].expand(-1, 2)
    theta, apart = torch.tensor([0.0, 1e-10], dtype=torch.float64), []
    noise = torch.randint(0, 2, (100,), generator=torch.Generator().manual_seed(0)).double() * 2 - 1
    for g in noise:
        away = theta - theta[0]
        apart.append(away[1].abs().item())
        now, past = whole.step(past, g + curvature * away, linearisation.LONG_AFTER)
        theta = theta + lr * now["u"]
    early, late = max(apart[30:50]), max(apart[80:100])
    assert (late < early) == (relative < 1)
    if relative > 1:  # a real eigenvalue, so that every step shows it
        growth = (apart[60] / apart[30]) ** (1 / 30)
        assert growth == pytest.approx(adam.spectral_radius(lr, curvature), rel=1e-3)


def test_a_rule_that_climbs_is_nowhere_stable():
    assert linearise("g").stable_ranges() == ()


def test_a_range_may_begin_above_zero():
    """Unstable on its own, u = 1.5 u[1] - g; the eigenvalues decide."""
    rule = linearise("1.2 * u[1] - g")
    for low, high in rule.stable_ranges():
        assert rule.spectral_radius(1.0, math.sqrt(low * high)) < 1
    assert rule.spectral_radius(1.0, 1e-6) > 1


@pytest.mark.parametrize("rule", ["p = p[1] + g; -p", "-(m - m[1])", "-(g - g[1])"])
def test_what_never_fades_is_stable_nowhere(rule):
    """An eigenvalue is 1 at every learning rate; rounding must not make it less."""
    linear = linearise(rule)
    assert linear.spectral_radius(1.0, 0.5) == pytest.approx(1, abs=1e-7)
    assert linear.stable_ranges() == ()


@pytest.mark.parametrize(("rule", "at"), [("p = p[1] + g; -p", 0.0), ("p = -p[1] + g; -p", 0.5)])
def test_there_is_no_gain_at_a_pole(rule, at):
    both = linearise(rule).frequency_response([at, 0.5 - at, 0.25])
    assert np.isnan(both).tolist() == [True, False, False]
    assert abs(both[1]) == pytest.approx(0.5)


def test_past_numbers_of_steps_are_those_of_long_after():
    with pytest.raises(linearisation.LinearisationError, match="no gradient moves it"):
        linearise("-g / (1 + 0.001 * t[1])")
    whole = recurrence("-g * (1 + 1 / t[2]) + u[1] / t[1]", {})
    assert linearisation._settled(whole, 1.0).tolist().count(linearisation.LONG_AFTER) == 2
    assert linearise("-tanh(g) * (1 + 1 / t[1])").D[0] == pytest.approx(linearise("-tanh(g)").D[0])
    assert linearise("-g * (1 + 1 / t[1])").impulse_response(2).tolist() == [-1, 0]


def test_weight_decay_counts_beside_the_curvature():
    rule = linearise("-g - 0.1 * theta")
    assert rule.reads_parameter
    assert rule.spectral_radius(2.0, 0.4) == pytest.approx(abs(1 - 2 * (0.4 + 0.1)))
    with pytest.raises(ConfigError, match="spectral_radius"):
        rule.stable_ranges()


def test_the_spectral_radius_is_the_rate_of_convergence():
    lr, curvature = 0.3, 2.0
    way = descend("momentum", lr, curvature, steps=400)
    envelope = np.abs(way[-100:]).max() / np.abs(way[-200:-100]).max()
    assert envelope ** (1 / 100) == pytest.approx(
        linearise("momentum").spectral_radius(lr, curvature), rel=2e-3
    )


def test_steps_that_are_not_correlated_have_no_part_in_the_mean_response():
    """The squares add up to 3, and of products of two steps only those of one with itself are left."""
    found = linearise("-(g + 0.4 * g[1] + 0.2 * g[2]) / sqrt(g^2 + g[1]^2 + g[2]^2)").impulse_response(4)
    exact = -np.array([1.0, 0.4, 0.2, 0.0]) * (1 - 1 / 3) / math.sqrt(3)
    np.testing.assert_allclose(found, exact, atol=1e-9)


def test_walks_of_signs_are_all_alike():
    signs = linearisation._signs()
    steps, walks = signs.shape
    assert torch.equal(signs @ signs.T, walks * torch.eye(steps, dtype=signs.dtype))
    sums = signs.sum(0)
    assert sums.square().mean() == steps
    assert sums.pow(4).mean().item() == pytest.approx(3 * steps**2, rel=0.15)  # of a binomial, nearly


def test_slopes_of_a_clipped_rule_shrink_with_the_gradient():
    small, large = (linearise("-tanh(g)", gradient=size).D[0] for size in (1e-4, 1.0))
    assert small == pytest.approx(-1)
    assert large == pytest.approx(-1 / math.cosh(1) ** 2)


@pytest.mark.parametrize(
    ("rule", "values", "message"),
    [
        ("signsgd", {}, "sign has jumps"),
        ("lion", {}, "sign has jumps"),
        ("adagrad", {}, "do not settle"),
        ("powsign_ld", {"total_steps": 10}, "ld changes"),
        ("exp(-t) * g", {}, "no gradient moves it"),
        ("-0.1", {}, "no gradient moves it"),
        ("p = 2 * p[1]^2 + 1 + g; -p", {}, "do not settle"),
        ("adam", {"gradient": 0.0}, "gradient must be a positive number"),
        ("adam", {"gradient": "1"}, "gradient must be a positive number"),
        ("-c * g", {}, "needs a number for c"),
    ],
)
def test_where_no_linear_rule_stands_for_it(rule, values, message):
    with pytest.raises(ConfigError, match=message):
        linearise(rule, **values)


@pytest.mark.parametrize("steps", [0, -1, 2.5, True])
def test_a_number_of_steps_is_whole_and_positive(steps):
    with pytest.raises(ConfigError, match="steps must be"):
        linearise("sgd").impulse_response(steps)
    with pytest.raises(ConfigError, match="steps must be"):
        descend("sgd", 0.1, 1.0, steps=steps)


def test_an_expression_is_as_good_as_its_text():
    rule = linearise(parse("-0.5 * g - 0.25 * g[1]"))
    assert rule.impulse_response(2).tolist() == [-0.5, -0.25]


def test_numbers_of_numpy():
    assert linearise("adam", gradient=np.float32(0.5)).D[0] == linearise("adam", gradient=0.5).D[0]
    assert linearise("sgd").impulse_response(np.int64(2)).tolist() == [-1, 0]
