"""Sums over the past in phases: which there are, and that they are the same sums."""

import copy

import pytest
import torch
from torch import nn

from l2o_core.expressions import parse
from l2o_core.optim import SymbolicOptimizer
from l2o_core.optim._compile.history import find_history
from l2o_core.optim._compile.numbers import Numbers
from l2o_core.optim._compile.partial_sums import split_into_phases

LAGS = range(20)
FILTER = " + ".join(f"{0.9**k:.4f} * g[{k}]" for k in LAGS)
RULES = {
    "one filter": f"-({FILTER})",
    "with other terms": f"-({FILTER}) / (1 + abs(m[0])) - 0.1 * sign(g[0])",
    "inside a function": f"-tanh({FILTER}) - 0.2 * tanh(" + " - ".join(f"m[{k}]" for k in range(9)) + ")",
    "two streams in one sum": "-("
    + " + ".join(f"0.{k + 1} * tanh(g[{k}]) + m[{2 * k}]" for k in range(8))
    + ")",
    "one stream in two sums": f"-({FILTER}) * tanh(" + " + ".join(f"g[{k}]" for k in LAGS) + ")",
    "a filter in a filter": "-("
    + " + ".join(f"0.{k + 1} * g[{k}]" for k in range(9))
    + f" + 0.1 * sin({FILTER}))",
    "without the present": "-(" + " + ".join(f"{0.8**k:.4f} * g[{k}]" for k in range(3, 15)) + ")",
    "few lags": "-g[0] - 0.5 * g[1]",
    "no past": "-m_hat[0]",
}
PERIODS = {"one filter": 6, "with other terms": 6, "inside a function": 5, "two streams in one sum": 5}
PERIODS |= {"without the present": 5, "few lags": 1, "no past": 1}


def found(rule: str):
    numbers = Numbers()
    lifted = numbers.lift(parse(rule), lambda variable: variable.lag is not None)
    return split_into_phases(find_history(lifted), numbers)


@pytest.mark.parametrize("name", PERIODS)
def test_how_many(name):
    assert len(found(RULES[name])) == PERIODS[name]


def test_a_filter_of_19_lags_reads_less_than_half():
    moved = [len(phase.reads) + len(phase.prepared) for phase in found(RULES["one filter"])]
    assert moved == [19 + 5, 2, 3, 4, 5, 6]


def test_what_two_sums_or_another_function_read_is_read_every_time():
    assert len(found(RULES["one stream in two sums"])) == 1
    lonely = found(f"-({FILTER}) * (1 + tanh(g[7]))")
    assert len(lonely) == 1


def test_a_weight_of_0_is_summed_like_others():
    rule = RULES["one filter"].replace("0.5905", "0.0")
    assert len(found(rule)) == PERIODS["one filter"]


@pytest.mark.parametrize("stop", [3, 6, 8])
@pytest.mark.parametrize("history", [None, torch.bfloat16])
def test_a_resume_between_phases_is_exact(stop, history):
    generator = torch.Generator().manual_seed(0)
    gradients = torch.randn(20, 5, generator=generator)

    def stepped(p: nn.Parameter, optimizer: SymbolicOptimizer, steps: range) -> nn.Parameter:
        for step in steps:
            p.grad = gradients[step].clone()
            optimizer.step()
        return p

    def fresh(start: torch.Tensor) -> tuple[nn.Parameter, SymbolicOptimizer]:
        p = nn.Parameter(start.clone())
        return p, SymbolicOptimizer([p], RULES["inside a function"], lr=0.1, history_dtype=history)

    p, whole = fresh(torch.zeros(5))
    stepped(p, whole, range(stop))
    q, resumed = fresh(p.detach())
    resumed.load_state_dict(copy.deepcopy(whole.state_dict()))
    assert torch.equal(stepped(p, whole, range(stop, 20)), stepped(q, resumed, range(stop, 20)))


def values(lag: int, history: list[torch.Tensor]) -> torch.Tensor:
    return history[-1 - lag] if lag < len(history) else torch.zeros_like(history[0])


@pytest.mark.parametrize("name", RULES)
def test_the_steps_are_those_of_the_rule(name):
    """Against the rule itself, evaluated over all gradients so far."""
    generator = torch.Generator().manual_seed(1)
    rule = parse(RULES[name])
    p = nn.Parameter(torch.randn(5, generator=generator, dtype=torch.float64))
    theta, past = p.detach().clone(), {"g": [], "m": [], "m_hat": []}
    optimizer = SymbolicOptimizer([p], rule, lr=0.1, beta1=0.9, beta2=0.95, eps=1e-3)
    first = second = torch.zeros_like(theta)
    for step in range(1, 45):
        p.grad = torch.randn(5, generator=generator, dtype=torch.float64)
        first, second = 0.9 * first + 0.1 * p.grad, 0.95 * second + 0.05 * p.grad**2
        past["g"].append(p.grad)
        past["m"].append(first / (1 - 0.9**step))
        past["m_hat"].append(past["m"][-1] / ((second / (1 - 0.95**step)).sqrt() + 1e-3))
        inputs = {str(v): values(v.lag, past[v.name]) for v in rule.variables}
        theta = theta + 0.1 * rule.evaluate(inputs)
        optimizer.step()
        torch.testing.assert_close(p.detach(), theta, rtol=1e-11, atol=1e-12)
