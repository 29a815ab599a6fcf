"""Features against the papers' equations, written out one step at a time in NumPy."""

import math

import numpy as np
import pytest
import torch

from l2o_core import features
from l2o_core.errors import ConfigError
from l2o_core.features import Features


@pytest.fixture
def gradients() -> torch.Tensor:
    return torch.randn(12, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def run(spec: Features, gradients: torch.Tensor) -> list[dict[str, np.ndarray]]:
    state, out = spec.init(gradients[0]), []
    for g in gradients:
        values, state = spec.step_dict(g, state)
        out.append({name: value.numpy() for name, value in values.items()})
    return out


def test_moments_and_ratios_follow_equation_5(gradients):
    spec = Features(("m", "v", "m_hat", "g_hat"), beta1=0.9, beta2=0.99, eps=0.0)
    m = v = np.zeros(5)
    for t, (g, got) in enumerate(zip(gradients.numpy(), run(spec, gradients), strict=True), start=1):
        m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g**2
        m_t, v_t = m / (1 - 0.9**t), v / (1 - 0.99**t)
        np.testing.assert_allclose(got["m"], m_t, rtol=1e-12)
        np.testing.assert_allclose(got["v"], v_t, rtol=1e-12)
        np.testing.assert_allclose(got["m_hat"], m_t / np.sqrt(v_t), rtol=1e-12)
        np.testing.assert_allclose(got["g_hat"], g / np.sqrt(v_t), rtol=1e-12)


def test_first_step_is_the_sign_of_the_gradient(gradients):
    first = run(Features(("m_hat", "g_hat"), eps=0.0), gradients[:1])[0]
    np.testing.assert_allclose(first["m_hat"], np.sign(gradients[0].numpy()), rtol=1e-12)
    np.testing.assert_allclose(first["g_hat"], np.sign(gradients[0].numpy()), rtol=1e-12)


def test_buffers_sums_and_powers(gradients):
    spec = Features(("b", "s", "g2", "g3", "sg", "sm", "t"), beta1=0.8)
    b = s = m = np.zeros(5)
    for t, (g, got) in enumerate(zip(gradients.numpy(), run(spec, gradients), strict=True), start=1):
        b, s, m = 0.8 * b + g, s + g**2, 0.8 * m + 0.2 * g
        for name, want in {
            "b": b,
            "s": s,
            "g2": g**2,
            "g3": g**3,
            "sg": np.sign(g),
            "sm": np.sign(m),
        }.items():
            np.testing.assert_allclose(got[name], want, rtol=1e-12)
        assert got["t"] == t


def test_decays_run_from_one_to_zero(gradients):
    out = run(Features(("ld", "cd"), total_steps=len(gradients)), gradients)
    assert out[-1]["ld"] == pytest.approx(0)
    assert out[-1]["cd"] == pytest.approx(0)
    assert out[5]["ld"] == pytest.approx(0.5)
    assert out[5]["cd"] == pytest.approx(0.5)


def test_step_stacks_in_the_order_of_the_names(gradients):
    spec = Features(("g_hat", "t", "g"))
    stacked, _ = spec.step(gradients[0], spec.init(gradients[0]))
    assert stacked.shape == (5, 3)
    assert torch.equal(stacked[:, 2], gradients[0])
    assert torch.equal(stacked[:, 1], torch.ones(5, dtype=torch.float64))


def test_ratios_are_finite_and_zero_where_no_gradient_ever_came():
    spec = Features(("m_hat", "g_hat"))
    values, _ = spec.step(torch.zeros(3), spec.init(torch.zeros(3)))
    assert torch.equal(values, torch.zeros(3, 2))


@pytest.mark.parametrize("k", [5.0, 10.0])
def test_log_and_sign_is_continuous_in_direction_and_bounded_below(k):
    edge = math.exp(-k)
    g = torch.tensor([0.0, edge / 2, edge, -edge, 1.0, -math.e], dtype=torch.float64)
    want = torch.tensor([[-1, 0], [-1, 0.5], [-1, 1], [-1, -1], [0, 1], [1 / k, -1]], dtype=torch.float64)
    torch.testing.assert_close(features.log_and_sign(g, k), want, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"names": ("g", "oops")}, "unknown feature 'oops'"),
        ({"names": ("m",), "beta1": 1.0}, "beta1 must lie"),
        ({"names": ("m",), "beta1": "0.9"}, "beta1 must be a finite number, not '0.9'"),
        ({"names": ("v",), "beta2": math.nan}, "beta2 must be a finite number, not nan"),
        ({"names": ("g_hat",), "eps": -1.0}, "eps must be 0 or larger, not -1.0"),
        ({"names": ("g_hat",), "eps": math.inf}, "eps must be a finite number, not inf"),
        ({"names": ("ld",)}, "total_steps"),
        ({"names": ("ld",), "total_steps": -5}, "total_steps must be 1 or more, not -5"),
        ({"names": ("g",), "total_steps": 0}, "total_steps must be 1 or more, not 0"),
        ({"names": ("cd",), "total_steps": "2"}, "total_steps must be a finite number, not '2'"),
        ({"names": ("n_hat",), "powers": 0.5}, "powers are .*: six numbers, not 0.5"),
        ({"names": ("n_hat",), "powers": (0.5, math.nan, 0.5, 0.5, 0.2, 0.2)}, "k2 must be a finite number"),
    ],
)
def test_bad_choices_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        Features(**options)


def test_numbers_may_be_tensors_without_dimensions(gradients):
    one = {"beta1": 0.9, "beta2": 0.5, "eps": 0.1, "total_steps": 20}
    two = {name: torch.tensor(value, dtype=torch.float64) for name, value in one.items()}
    two["total_steps"] = np.int64(20)
    for got, want in zip(*(run(Features(("m_hat", "ld"), **o), gradients) for o in (two, one)), strict=True):
        np.testing.assert_allclose([*got["m_hat"], got["ld"]], [*want["m_hat"], want["ld"]], rtol=1e-12)


@pytest.mark.parametrize("beta", [0.99999, 0.9999999])
def test_the_first_step_is_the_sign_in_single_precision_too(beta):
    spec = Features(("m_hat", "g_hat"), beta1=beta, beta2=beta, eps=0.0)
    values, _ = spec.step(torch.tensor([3.0, -0.2]), spec.init(torch.zeros(2)))
    signs = torch.tensor([1.0, -1.0])[:, None].expand(2, 2)
    torch.testing.assert_close(values, signs, rtol=1e-6, atol=0)


def test_without_memory_a_moment_is_its_gradient(gradients):
    for got, g in zip(run(Features(("m", "v"), beta1=0.0, beta2=0.0), gradients), gradients, strict=True):
        np.testing.assert_array_equal(got["m"], g)
        np.testing.assert_allclose(got["v"], g**2, rtol=1e-15)


def test_a_square_that_overflows_is_no_moment_that_does():
    """0.001 g^2 is a number where g^2 is none."""
    names = ("m", "v", "n_hat")
    spec = Features(names, beta2=0.999, powers=(0.5, 0.5, 0.5, 0.5, 0.0, 0.0), bias_correction=False)
    values, state = spec.step_dict(torch.tensor([1e20]), spec.init(torch.zeros(1)))
    assert values["v"].item() == pytest.approx(1e37, rel=1e-5)
    assert dict(zip(spec.state_names, state, strict=True))["n_v"].item() == pytest.approx(1e37, rel=1e-5)
    for _ in range(5):
        values, state = spec.step_dict(torch.ones(1), state)
    assert all(value.isfinite().all() for value in values.values())


def test_decays_stay_at_zero(gradients):
    out = run(Features(("ld", "cd"), total_steps=4), gradients)
    assert [value["ld"].item() for value in out[3:]] == [0] * 9
    np.testing.assert_allclose([value["cd"] for value in out[3:]], 0, atol=1e-15)
    spec = Features(("ld", "cd"), total_steps=4)
    assert spec.step_scalars(9.0)["ld"] == 0
    assert spec.step_scalars(9.0)["cd"] == pytest.approx(0)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 2.0, 4.0])
def test_no_gradient_adds_nothing_to_sums_of_powers(alpha):
    exponents = torch.full((2,), alpha, requires_grad=True)
    first, second = features.power_sums(torch.tensor([0.0, 0.5]), (0.5, 0.5), (0.5, 0.5), exponents)
    (first + second).sum().backward()
    assert [first[0].item(), second[0].item()] == [0, 0]
    assert first[1].item() == pytest.approx(0.5 * (0.5 ** (1 + alpha) + 0.5 ** (1 - alpha)))
    assert second[1].item() == pytest.approx(0.5 * (0.5 ** (2 + alpha) + 0.5 ** (2 - alpha)))
    assert exponents.grad.isfinite().all()
