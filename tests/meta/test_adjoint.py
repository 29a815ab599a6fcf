"""The adjoint meta-gradient equals truncated BPTT written the naive way."""

import pytest
import torch
from torch.utils._pytree import tree_map

from l2o_core import models, tasks
from l2o_core.meta import adjoint
from l2o_core.meta.rollout import Rollout
from l2o_core.meta.sampling import Sample, stratified


def naive_meta_gradient(optimizer, task, *, seed, instances, steps, weights):
    """Keep the whole unroll in one graph, gradients detached (SymL2O Eq. 1); [flat parameters of phi]."""
    generator = torch.Generator().manual_seed(seed)
    params = task.init(generator, instances)
    batches = task.batches(generator, instances)
    state, objective = optimizer.init_state(params.reshape(-1)), 0.0
    batch = next(batches)
    for weight in weights[:steps]:
        leaf = params.detach().requires_grad_()
        (g,) = torch.autograd.grad(task.loss(leaf, batch).sum(), leaf)
        update, state = optimizer(g.reshape(-1), state)
        params = params + update.view_as(params)
        batch = next(batches)
        objective = objective + weight * task.loss(params, batch).sum()
    return torch.autograd.grad(objective, list(optimizer.parameters()))


def adjoint_meta_gradient(optimizer, task, *, seed, instances, steps, weights, sample=None):
    optimizer.zero_grad()
    rollout = Rollout.start(optimizer, task, seed, instances)
    if sample is None:
        sample = stratified(task, instances, 1.0, torch.Generator(), rollout.gradient)
    adjoint.backward(optimizer, adjoint.unroll(optimizer, rollout, steps, sample), weights)
    return [p.grad.clone() for p in optimizer.parameters()]


class InDouble(type(tasks.load("p1"))):
    """P1 in double precision."""

    def init(self, generator, instances):
        return super().init(generator, instances).double()

    def batches(self, generator, instances):
        for batch in super().batches(generator, instances):
            yield tree_map(lambda part: part.double(), batch)


class Boxed(type(tasks.load("p1"))):
    """P1 within a box that its starting points fill."""

    def project(self, params, batch):
        return params.clamp(-0.5, 0.5)


def optimizers():
    torch.manual_seed(0)
    return {
        "dm": models.DM(scale=0.1),
        "rp": models.RPSmall(scale=0.1),
        "extra": models.RPSmallExtra(scale=0.1),
        "equation": models.Equation("-0.02 * m_hat[0] - 0.01 * tanh(0.3 * g[2]) + 0.001 * g_hat"),
        "own updates": models.Equation(
            "0.8 * u[1] - 0.1 * u[2] - 0.01 * tanh(0.3 * m_hat) - 0.001 * g_hat[1]"
        ),
        "system": models.Equation(
            "p = 0.8 * p[1] + 0.2 * tanh(0.1 * g); q = 0.9 * q[1] + 0.1 * g[1]^2 + 0.01 * p[2]; "
            "0.5 * u[1] - c * p / sqrt(q + 0.1)",
            {"c": 0.02},
        ),
        "theta": models.Equation(
            "w = theta; 0.7 * (theta - w[1]) - 0.01 * tanh(g) - 0.02 * theta - 0.01 * u[1]"
        ),
    }


@pytest.mark.parametrize("name", ["dm", "rp", "extra", "equation", "own updates", "system", "theta"])
@pytest.mark.parametrize("block", [None, 7])
def test_equals_naive_backpropagation_through_time(name, block, monkeypatch):
    if block:
        monkeypatch.setattr(adjoint, "BLOCK", block)
    optimizer, task = optimizers()[name], tasks.load("p1")
    setting = {"seed": 3, "instances": 4, "steps": 8, "weights": torch.linspace(0.5, 1.5, 8)}
    naive = naive_meta_gradient(optimizer, task, **setting)
    ours = adjoint_meta_gradient(optimizer, task, **setting)
    scale = max(g.abs().max() for g in naive)
    for a, b in zip(ours, naive, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5 * scale.item())


@pytest.mark.parametrize("name", ["dm", "rp", "extra", "equation", "own updates", "system", "theta"])
@pytest.mark.parametrize("block", [None, 7])
def test_a_forward_pass_that_is_kept_gives_what_a_second_one_gives(name, block, monkeypatch):
    """Twice, so that the state is handed over too, with its coordinates scaled."""
    if block:
        monkeypatch.setattr(adjoint, "BLOCK", block)
    optimizer, task, weights = optimizers()[name], tasks.load("p1"), torch.linspace(0.5, 1.5, 6)
    twice, once = (Rollout.start(optimizer, task, 5, 3, scaling=0.5) for _ in range(2))
    everything = stratified(task, 3, 1.0, torch.Generator(), twice.gradient)
    for _ in range(2):
        optimizer.zero_grad()
        unrolled = adjoint.unroll(optimizer, twice, 6, everything)
        adjoint.backward(optimizer, unrolled, weights)
        wanted = [p.grad.clone() for p in optimizer.parameters()]
        optimizer.zero_grad()
        losses = adjoint.exact(optimizer, once, 6, weights)
        torch.testing.assert_close(losses, unrolled.losses)
        torch.testing.assert_close(once.params, twice.params)
        scale = max(gradient.abs().max() for gradient in wanted).item()
        for parameter, gradient in zip(optimizer.parameters(), wanted, strict=True):
            torch.testing.assert_close(parameter.grad, gradient, rtol=1e-4, atol=1e-5 * scale)
    assert not any(part.requires_grad for part in once.state)


def test_a_kept_forward_pass_forgets_what_a_projection_moved():
    """Constraints cut the sums as `unroll` does."""
    optimizer, task, weights = optimizers()["rp"], Boxed(), torch.ones(6)
    twice, once = (Rollout.start(optimizer, task, 5, 3) for _ in range(2))
    everything = stratified(task, 3, 1.0, torch.Generator(), twice.gradient)
    unrolled = adjoint.unroll(optimizer, twice, 6, everything)
    assert not unrolled.free.all()
    adjoint.backward(optimizer, unrolled, weights)
    wanted = [p.grad.clone() for p in optimizer.parameters()]
    optimizer.zero_grad()
    adjoint.exact(optimizer, once, 6, weights)
    for parameter, gradient in zip(optimizer.parameters(), wanted, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["own updates", "system", "theta"])
def test_equals_naive_backpropagation_through_a_memory_in_double_precision(name):
    optimizer, task = optimizers()[name].double(), InDouble()
    setting = {"seed": 3, "instances": 2, "steps": 12, "weights": torch.linspace(0.5, 1.5, 12).double()}
    naive = naive_meta_gradient(optimizer, task, **setting)
    ours = adjoint_meta_gradient(optimizer, task, **setting)
    assert all(g.abs().min() > 0 for g in naive)
    for a, b in zip(ours, naive, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-12)


def test_the_last_update_gets_a_gradient():
    """With weight on the final loss alone and one step, only the update before it can matter."""
    optimizer, task = optimizers()["dm"], tasks.load("p1")
    gradient = adjoint_meta_gradient(optimizer, task, seed=0, instances=2, steps=1, weights=torch.ones(1))
    assert all(g.abs().max() > 0 for g in gradient[-2:])


def test_sampled_gradients_average_to_the_exact_one():
    """A partition of the coordinates, each part scaled up, averages to the whole: no bias."""
    optimizer, task = optimizers()["dm"], tasks.load("p1")
    setting = {"seed": 1, "instances": 4, "steps": 5, "weights": torch.ones(5)}
    exact = adjoint_meta_gradient(optimizer, task, **setting)
    parts = torch.randperm(40, generator=torch.Generator().manual_seed(0)).chunk(4)
    samples = [Sample(part, torch.full((10,), 4.0)) for part in parts]
    sampled = [adjoint_meta_gradient(optimizer, task, **setting, sample=sample) for sample in samples]
    for i, want in enumerate(exact):
        mean = torch.stack([s[i] for s in sampled]).mean(0)
        torch.testing.assert_close(mean, want, rtol=1e-4, atol=1e-4 * want.abs().max().item() + 1e-7)


def test_unrolling_in_pieces_is_unrolling_at_once():
    """State and gradient are carried over the truncation."""
    optimizer, task = optimizers()["rp"], tasks.load("p1")
    rollouts = [Rollout.start(optimizer, task, 5, 3) for _ in range(2)]
    everything = stratified(task, 3, 1.0, torch.Generator(), rollouts[0].gradient)
    whole = adjoint.unroll(optimizer, rollouts[0], 12, everything)
    first, second = (adjoint.unroll(optimizer, rollouts[1], 6, everything) for _ in range(2))
    assert torch.equal(torch.cat([first.losses, second.losses[1:]]), whole.losses)
    assert torch.equal(torch.cat([first.gradients, second.gradients[1:]]), whole.gradients)


def test_random_scaling_is_the_same_problem_in_other_units():
    """Plain gradient descent on y = x / c moves x by c^2 times its gradient."""
    optimizer, task = models.Equation("-0.001 * g"), tasks.load("p1")
    rollout, plain = Rollout.start(optimizer, task, 0, 2, scaling=1.0), Rollout.start(optimizer, task, 0, 2)
    c, start = rollout.scale.clone(), rollout.params.clone()
    assert torch.equal(start, plain.params)
    assert c.log().abs().max() <= 1.0
    rollout.step(optimizer)
    plain.step(optimizer)
    torch.testing.assert_close(rollout.params - start, c**2 * (plain.params - start), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("scaling", [0.0, 1.0])
def test_a_rule_of_theta_sees_the_parameters(scaling):
    optimizer, task = models.Equation("-0.001 * g - 0.01 * theta"), tasks.load("p1")
    rollout = Rollout.start(optimizer, task, 0, 2, scaling=scaling)
    scale = 1.0 if rollout.scale is None else rollout.scale
    for _ in range(5):
        before, gradient = rollout.params.clone(), rollout.gradient.view_as(rollout.params)
        rollout.step(optimizer)
        want = scale * (-0.001 * gradient - 0.01 * before / scale)
        torch.testing.assert_close(rollout.params - before, want, rtol=1e-3, atol=1e-6)


def test_suffix_sums_are_the_definition():
    gradients = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    w = torch.tensor([1.0, 2.0, 3.0, 4.0])
    want = torch.stack([sum(w[t - 1] * gradients[t] for t in range(s + 1, 5)) for s in range(4)])
    torch.testing.assert_close(adjoint.suffix_sums(gradients, w), want)
