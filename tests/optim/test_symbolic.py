"""SymbolicOptimizer: the meaning of a rule, its state, and what it refuses."""

import inspect
import pickle

import pytest
import torch
from torch import nn

from l2o_core.errors import CheckpointError, ConfigError, ExpressionError
from l2o_core.expressions import parse, parse_rule, var
from l2o_core.optim import SymbolicOptimizer

GRADIENTS = torch.randn(12, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def parameter(*shape: int, dtype=torch.float64) -> nn.Parameter:
    return nn.Parameter(torch.zeros(shape, dtype=dtype))


def follow(rule, gradients=GRADIENTS, **options) -> list[torch.Tensor]:
    """The updates of a parameter that meets the given gradients."""
    p = parameter(*gradients.shape[1:])
    optimizer = SymbolicOptimizer([p], rule, lr=1.0, **options)
    updates = []
    for g in gradients:
        before = p.detach().clone()
        p.grad = g.clone()
        optimizer.step()
        updates.append(p.detach() - before)
    return updates


@pytest.mark.parametrize(
    "rule",
    ["-0.5 * g", "-0.5 * g[0]", parse("-0.5 * g"), -0.5 * var("g"), parse_rule("p = 0.5 * g; -p")],
)
def test_text_and_expressions_are_rules(rule):
    torch.testing.assert_close(torch.stack(follow(rule)), -0.5 * GRADIENTS)


@pytest.mark.parametrize("lag", [1, 2, 5, 11])
def test_a_lag_looks_back_and_reads_0_before_the_first_step(lag):
    updates = torch.stack(follow(f"g[{lag}]"))
    torch.testing.assert_close(updates[lag:], GRADIENTS[:-lag])
    assert not updates[:lag].any()


def test_lags_of_several_features_mix():
    updates = follow("g[3] + 2 * b[1] + t * g[0]", beta1=0.5)
    b = torch.zeros(6, dtype=torch.float64)
    for t, (g, update) in enumerate(zip(GRADIENTS, updates, strict=True)):
        past = GRADIENTS[t - 3] if t >= 3 else 0
        torch.testing.assert_close(update, past + 2 * b + (t + 1) * g)
        b = 0.5 * b + g


def test_a_rule_may_look_at_time_alone():
    updates = follow("-1 / t + t[2]")
    assert [update.tolist() for update in updates[:4]] == [
        [-1] * 6,
        [-0.5] * 6,
        [1 - 1 / 3] * 6,
        [2 - 0.25] * 6,
    ]
    assert follow("0.25")[0].tolist() == [0.25] * 6


def test_hyperparameters_and_coefficients_are_bound():
    updates = follow("-c * m / (sqrt(v) + eps) - beta1", c=2.0, eps=0.5, beta1=0.0, beta2=0.0)
    expected = -2 * GRADIENTS / (GRADIENTS.abs() + 0.5)
    torch.testing.assert_close(torch.stack(updates), expected)


def test_betas_are_beta1_and_beta2():
    rule = "-m / (sqrt(v) + eps)"
    both, each = follow(rule, betas=(0.8, 0.9)), follow(rule, beta1=0.8, beta2=0.9)
    assert torch.equal(torch.stack(both), torch.stack(each))
    adam, ours = (parameter(6) for _ in range(2))
    theirs = torch.optim.Adam([adam], lr=0.1, betas=(0.8, 0.9))
    optimizer = SymbolicOptimizer([ours], "adam", lr=0.1, betas=(0.8, 0.9))
    for g in GRADIENTS:
        adam.grad, ours.grad = g.clone(), g.clone()
        theirs.step()
        optimizer.step()
    torch.testing.assert_close(ours, adam, rtol=1e-12, atol=1e-12)


def test_options_that_are_none_have_the_value_of_the_zoo():
    given, left = (SymbolicOptimizer([parameter(1)], "rmsprop", **o) for o in ({"beta2": 0.5}, {}))
    assert (left.defaults["beta2"], given.defaults["beta2"]) == (0.99, 0.5)
    assert (left.defaults["bias_correction"], left.defaults["beta1"], left.defaults["eps"]) == (
        False,
        0.9,
        1e-8,
    )


def test_every_option_is_in_the_signature():
    names = {*inspect.signature(SymbolicOptimizer).parameters}
    groups = {*SymbolicOptimizer([parameter(1)], "-g").param_groups[0]}
    assert groups <= names


def test_a_group_can_have_a_rule_of_its_own():
    p, q = parameter(2), parameter(2)
    optimizer = SymbolicOptimizer([{"params": [p]}, {"params": [q], "rule": "-2 * g"}], "-g", lr=1.0)
    again = pickle.loads(pickle.dumps(optimizer))
    for one in (optimizer, again):
        (p,), (q,) = (group["params"] for group in one.param_groups)
        p.grad = q.grad = torch.ones(2, dtype=torch.float64)
        one.step()
        assert (p.tolist(), q.tolist()) == ([-1, -1], [-2, -2])


def test_groups_can_have_their_own_hyperparameters():
    p, q = parameter(2), parameter(2)
    optimizer = SymbolicOptimizer(
        [{"params": [p]}, {"params": [q], "c": 3.0, "lr": 0.1}], "-c * g", lr=1.0, c=1.0
    )
    p.grad = q.grad = torch.ones(2, dtype=torch.float64)
    optimizer.step()
    assert p.tolist() == [-1, -1]
    assert q.tolist() == pytest.approx([-0.3, -0.3])


def test_a_changed_hyperparameter_takes_effect():
    p = parameter(1)
    optimizer = SymbolicOptimizer([p], "-c * g", lr=1.0, c=1.0)
    for c in (1.0, 10.0):
        optimizer.param_groups[0]["c"] = c
        p.grad = torch.ones(1, dtype=torch.float64)
        optimizer.step()
    assert p.item() == -11


def test_weight_decay_is_decoupled():
    p = nn.Parameter(torch.tensor([2.0]))
    optimizer = SymbolicOptimizer([p], "-g", lr=0.5, weight_decay=0.1)
    p.grad = torch.tensor([1.0])
    optimizer.step()
    assert p.item() == pytest.approx(2.0 * (1 - 0.05) - 0.5)


def test_only_the_lags_in_use_are_stored():
    p = parameter(3, 2)
    optimizer = SymbolicOptimizer([p], "g[4] + m + m_hat[1]")
    p.grad = torch.ones(3, 2, dtype=torch.float64)
    optimizer.step()
    stored = [name for name in optimizer.state[p] if name != "step"]
    assert stored == ["m", "v", *(f"stream0.{slot}" for slot in range(4)), "stream1.0"]
    assert all(optimizer.state[p][name].shape == p.shape for name in stored)


def test_shapes_and_layouts_do_not_matter():
    flat, shaped = parameter(2 * 3 * 4 * 5 + 1), [parameter(2, 3, 4, 5), parameter()]
    shaped[0].data = shaped[0].data.to(memory_format=torch.channels_last)
    rule = "-m / (sqrt(v) + eps) - 0.1 * tanh(g[2])"
    one, many = SymbolicOptimizer([flat], rule), SymbolicOptimizer(shaped, rule)
    for seed in range(5):
        g = torch.randn(121, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        flat.grad = g
        shaped[0].grad = g[:120].view(2, 3, 4, 5).contiguous(memory_format=torch.channels_last)
        shaped[1].grad = g[120].clone()
        one.step()
        many.step()
    assert torch.equal(flat[:120], shaped[0].flatten())
    assert torch.equal(flat[120], shaped[1])


def test_types_can_mix():
    params = [parameter(2, dtype=torch.float32), parameter(2), parameter(2, dtype=torch.float32)]
    optimizer = SymbolicOptimizer(params, "-g[1]", lr=1.0)
    for _ in range(2):
        for p in params:
            p.grad = torch.ones_like(p)
        optimizer.step()
    assert [p.tolist() for p in params] == [[-1, -1]] * 3


def test_parameters_without_gradient_rest_as_in_torch():
    """Each parameter has the history of its own gradients only."""
    ours, theirs = [parameter(2) for _ in range(3)], [parameter(2) for _ in range(3)]
    a = SymbolicOptimizer(ours, "adamw", lr=0.1)
    b = torch.optim.AdamW(theirs, lr=0.1)
    for t, g in enumerate(GRADIENTS[:, :2]):
        for i, (p, q) in enumerate(zip(ours, theirs, strict=True)):
            present = i == 0 or (i == 1 and t % 3) or (i == 2 and t > 5)
            p.grad, q.grad = (g.clone(), g.clone()) if present else (None, None)
        a.step()
        b.step()
    for p, q in zip(ours, theirs, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-12)


def test_parameters_can_be_added_later():
    p, q = parameter(2), parameter(2)
    optimizer = SymbolicOptimizer([p], "-m[0]", lr=1.0)
    p.grad = q.grad = torch.ones(2, dtype=torch.float64)
    optimizer.step()
    optimizer.add_param_group({"params": [q], "lr": 2.0})
    optimizer.step()
    torch.testing.assert_close(p, torch.full_like(p, -2.0))
    torch.testing.assert_close(q, torch.full_like(q, -2.0))
    assert optimizer.rule == parse("-m[0]")


@pytest.mark.parametrize(
    ("rule", "options", "message"),
    [
        ("adamm", {}, r"names adamm, which has no value; did you mean 'adam'\?.*`l2o zoo` lists the rules"),
        ("-c * g", {}, r"c=\.\.\."),
        ("-eps[1]", {}, "unknown feature 'eps'"),
        ("-lr * g", {}, "names lr"),
        ("-g", {"beta": 0.9}, r"beta has no use in this rule; did you mean 'beta[12]'\?"),
        ("-g", {"horizon": 0.9}, "horizon has no use in this rule; it takes beta1, beta2"),
        ("-g", {"betas": 0.9}, r"betas must be two numbers, \(beta1, beta2\), not 0.9"),
        ("-g", {"betas": (0.9, 0.99), "beta2": 0.9}, "not both"),
        ("-g[1]", {"compact": 0.01}, "compact is now named lag_tolerance"),
        ("-g", {"g": 0.9}, "g has no use"),
        ("-g", {"lr": -1.0}, "lr must be 0 or larger"),
        ("-g", {"lr": float("nan")}, "lr must be 0 or larger"),
        ("-g", {"weight_decay": -1.0}, "weight_decay must be 0 or larger"),
        ("-m", {"beta1": 1.0}, "beta1 must lie"),
        ("-m_hat", {"eps": -1.0}, "eps must be 0 or larger, not -1.0"),
        ("-m_hat", {"eps": torch.tensor([1.0, 2.0])}, "eps must be a number"),
        ("-ld * g", {"total_steps": -5}, "total_steps must be 1 or more, not -5"),
        ("-ld * g", {}, "total_steps"),
        ("-g / total_steps", {}, "names total_steps"),
        ("p = c * p[1] + g; -p", {}, r"names c, which has no value.*c=\.\.\."),
        ("p = 0.9 * p[1] + g; -p", {"p": 0.9}, "p has no use"),
        ("-theta", {"theta": 0.9}, "theta has no use"),
        ("-g - r[1]", {}, "unknown feature 'r'"),
        ("stream0 = g[2]; -stream0", {}, "a state cannot be named stream0 here"),
    ],
)
def test_bad_choices_are_refused(rule, options, message):
    with pytest.raises(ConfigError, match=message):
        SymbolicOptimizer([parameter(1)], rule, **options)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("-g +", "position 4"),
        ("p = g; p +", "position 10"),
        ("m = 0.9 * m[1] + g; -m", "m is a feature.*position 0"),
        (-var("u", 0), "about to compute"),
        (var("theta", 1), "theta is the parameter now"),
    ],
)
def test_bad_text_is_pointed_at(rule, message):
    with pytest.raises(ExpressionError, match=message):
        SymbolicOptimizer([parameter(1)], rule)


def test_weight_decay_is_left_to_a_rule_that_names_it():
    ends = []
    for rule in ("-g", "-g - weight_decay * theta"):
        p = nn.Parameter(torch.tensor([2.0]))
        optimizer = SymbolicOptimizer([p], rule, lr=0.5, weight_decay=0.1)
        p.grad = torch.tensor([1.0])
        optimizer.step()
        ends.append(p.item())
    assert ends == [pytest.approx(2.0 * (1 - 0.05) - 0.5)] * 2


def test_states_are_stored_under_their_names_and_only_what_is_read():
    p = parameter(3, 2)
    optimizer = SymbolicOptimizer([p], "a = g; q = a + q[2]; r = q; m - q * r[1] - u[1]")
    p.grad = torch.ones(3, 2, dtype=torch.float64)
    optimizer.step()
    stored = [name for name in optimizer.state[p] if name != "step"]
    assert stored == ["m", "q.0", "q.1", "r.0", "u.0"]
    assert all(optimizer.state[p][name].shape == p.shape for name in stored)


def test_sparse_gradients_are_refused():
    embedding = nn.Embedding(4, 2, sparse=True)
    optimizer = SymbolicOptimizer(embedding.parameters(), "sgd")
    embedding(torch.tensor([1])).sum().backward()
    with pytest.raises(ConfigError, match="dense"):
        optimizer.step()


def stepped(rule: str, *shape: int, **options) -> SymbolicOptimizer:
    p = parameter(*shape)
    optimizer = SymbolicOptimizer([p], rule, **options)
    p.grad = torch.ones_like(p)
    optimizer.step()
    return optimizer


def cut_short(state: dict) -> dict:
    del state["state"][0]["v"]
    return state


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (stepped("momentum", 2).state_dict(), r"belongs to -b\[0\]"),
        (torch.optim.Adam([parameter(2)]).state_dict(), "another optimizer"),
        (stepped("adam", 3).state_dict(), "holds"),
        (cut_short(stepped("adam", 2).state_dict()), "holds"),
        ({"state": {}}, "no state"),
        ({"state": {}, "param_groups": []}, "0 parameter groups, not 1"),
    ],
)
def test_states_of_others_are_refused(state, message):
    with pytest.raises(CheckpointError, match=message):
        stepped("adam", 2).load_state_dict(state)


def test_a_state_can_be_loaded_before_any_step_was_taken():
    fresh = SymbolicOptimizer([parameter(2)], "adam")
    stepped("adam", 2).load_state_dict(fresh.state_dict())


def test_a_state_from_before_lag_tolerance_was_named_so_resumes():
    state = stepped("adam", 2).state_dict()
    for group in state["param_groups"]:
        group["compact"] = group.pop("lag_tolerance")
    optimizer = stepped("adam", 2)
    optimizer.load_state_dict(state)
    optimizer.step()
    assert "compact" not in optimizer.param_groups[0]
