"""FIR compaction: running sums in the place of lags, within the bound that is stated."""

import copy

import pytest
import torch

from l2o_core.errors import ConfigError
from l2o_core.optim import SymbolicOptimizer
from tests.optim._compile.test_history import updates_of

GRADIENTS = torch.randn(60, 8, generator=torch.Generator().manual_seed(4), dtype=torch.float64)


def weighted(decay: float, count: int, term: str, scale: float = 1.0) -> str:
    return " + ".join(f"{scale * decay**lag!r} * {term.replace('@', str(lag))}" for lag in range(count))


def stored(optimizer: SymbolicOptimizer) -> list[str]:
    p = optimizer.param_groups[0]["params"][0]
    p.grad = torch.ones_like(p)
    optimizer.step()
    return [name for name in optimizer.state[p] if name != "step"]


def parameter() -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.zeros(8, dtype=torch.float64))


@pytest.mark.parametrize("tolerance", [0.01, 0.1])
@pytest.mark.parametrize(
    "rule",
    [
        f"-({weighted(0.6, 20, 'tanh(g[@] / 0.2)')}) / 3",
        f"-({weighted(0.7, 30, 'tanh(g[@])')}) - (0.5 * ({weighted(0.5, 20, 'sign(m_hat[@])')}))",
        f"-({weighted(0.8, 60, 'sin(g[@])')} - 2 * ({weighted(0.5, 60, 'sin(g[@])')}))",
    ],
)
def test_the_error_stays_within_the_bound(rule, tolerance):
    optimizer = SymbolicOptimizer([parameter()], rule, lag_tolerance=tolerance)
    assert optimizer.replaced_lags
    assert all(part.error <= tolerance for part in optimizer.replaced_lags)
    assert len(stored(optimizer)) < len(stored(SymbolicOptimizer([parameter()], rule))) / 3
    exact, near = updates_of(rule, GRADIENTS), updates_of(rule, GRADIENTS, lag_tolerance=tolerance)
    largest = 1 / (1 - 0.8) + 2 / (1 - 0.5)  # of all absolute weights' sums, and streams are within [-1, 1]
    assert 0 < (exact - near).abs().max() <= tolerance * largest


def test_sums_inside_a_function_are_compacted_too():
    rule = f"g[0] * tanh({weighted(0.5, 15, 'g[@]')})"
    assert stored(SymbolicOptimizer([parameter()], rule, lag_tolerance=0.01)) == ["sum0"]
    torch.testing.assert_close(
        updates_of(rule, GRADIENTS, lag_tolerance=1e-3), updates_of(rule, GRADIENTS), atol=1e-2, rtol=0
    )


def test_equal_decays_share_a_sum():
    rule = f"tanh({weighted(0.5, 15, 'g[@]')}) + sinh({weighted(0.5, 15, 'g[@]', 0.1)})"
    assert stored(SymbolicOptimizer([parameter()], rule, lag_tolerance=0.01)) == ["sum0"]


def test_a_stream_that_does_not_start_at_0():
    """cos(0) = 1: the sums begin as if it had always been so."""
    rule = weighted(0.5, 20, "cos(g[@])")
    near, exact = updates_of(rule, GRADIENTS, lag_tolerance=0.001), updates_of(rule, GRADIENTS)
    assert (near - exact).abs().max() <= 0.001 * 2


def test_what_does_not_fit_stays_as_it_is():
    rule = "g[1] - g[3] + g[5] - 0.5 * g[9]"
    optimizer = SymbolicOptimizer([parameter()], rule, lag_tolerance=0.01)
    assert optimizer.replaced_lags == ()
    assert torch.equal(updates_of(rule, GRADIENTS, lag_tolerance=0.01), updates_of(rule, GRADIENTS))


def test_short_sums_stay_as_they_are():
    assert SymbolicOptimizer([parameter()], "g[0] + 0.5 * g[1]", lag_tolerance=0.01).replaced_lags == ()


@pytest.mark.parametrize("tolerance", [0.0, 1.0, -0.1])
def test_a_tolerance_is_a_fraction(tolerance):
    with pytest.raises(ConfigError, match="lag_tolerance must lie between 0 and 1"):
        SymbolicOptimizer([parameter()], "g[0] + 0.5 * g[1]", lag_tolerance=tolerance)


def test_a_compacted_rule_resumes_and_copies():
    rule = weighted(0.6, 20, "tanh(g[@])")
    p = parameter()
    optimizer = SymbolicOptimizer([p], rule, lag_tolerance=0.01)
    for g in GRADIENTS[:5]:
        p.grad = g.clone()
        optimizer.step()
    again = torch.nn.Parameter(p.detach().clone())
    resumed = SymbolicOptimizer([again], rule, lag_tolerance=0.01)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for g in GRADIENTS[5:10]:
        p.grad, again.grad = g.clone(), g.clone()
        optimizer.step()
        resumed.step()
    assert torch.equal(p, again)


@pytest.mark.parametrize("own", ["u[1]", "theta"])
def test_rules_with_a_memory_of_their_own_keep_their_lags(own):
    rule = "-" + " - ".join(f"{0.8**k:.6g} * g[{k}]" for k in range(12))
    p = torch.nn.Parameter(torch.zeros(2))
    optimizer = SymbolicOptimizer([p], f"{rule} - 0.1 * {own}", lag_tolerance=0.3)
    assert bool(optimizer.replaced_lags) == (own == "theta")
