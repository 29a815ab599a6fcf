"""n_hat with trained numbers is SymL2O's, and the same features come out of `Features`."""

import dataclasses

import torch

from l2o_core.features import POWERS, Features
from l2o_core.models.extra import ExtraFeatures

GRADIENTS = torch.randn(12, 7, generator=torch.Generator().manual_seed(0))


def run(features, gradients: torch.Tensor) -> torch.Tensor:
    state, out = features.init(gradients[0]), []
    for g in gradients:
        values, state = features.step(g, state)
        out.append(values)
    return torch.stack(out)


def by_hand(extra: ExtraFeatures, gradients: torch.Tensor) -> torch.Tensor:
    """n_hat written out (SymL2O 4.3)."""
    n_m, n_v, out = torch.zeros_like(gradients[0]), torch.zeros_like(gradients[0]), []
    for t, g in enumerate(gradients, start=1):
        t = torch.tensor(float(t))
        size = g.abs().clamp_min(1e-20)
        up1, up2 = (extra.alpha[0] * size.log()).exp(), (extra.alpha[1] * size.log()).exp()
        n_m = torch.lerp(g * (extra.k[0] * up1 + extra.k[1] / up1), n_m, extra.beta1)
        n_v = torch.lerp(size * size * (extra.l[0] * up2 + extra.l[1] / up2), n_v, extra.beta2)
        unbiased = n_v / (1 - extra.beta2**t)
        out.append(n_m / (1 - extra.beta1**t) / unbiased.abs().clamp_min(1e-24).sqrt())
    return torch.stack(out)


def test_n_hat_and_its_derivatives_are_those_by_hand():
    one, two = ExtraFeatures(0.9, 0.8), ExtraFeatures(0.9, 0.8)
    found, expected = run(one, GRADIENTS)[..., 2], by_hand(two, GRADIENTS)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    found.square().sum().backward()
    expected.square().sum().backward()
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-4, atol=1e-5)


def test_all_three_are_those_of_features_with_the_same_numbers():
    extra = ExtraFeatures(0.9, 0.8)
    with torch.no_grad():
        for part in extra.parameters():
            part += 0.1
    numbers = extra.hyperparameters()
    powers = tuple(numbers.pop(name) for name in POWERS)
    plain = Features(extra.names, powers=powers, **numbers)
    assert (numbers["beta1"], numbers["beta2"], numbers["eps"]) == (0.9, 0.8, 1e-12)
    torch.testing.assert_close(run(plain, GRADIENTS), run(extra, GRADIENTS).detach())
    assert plain.hyperparameters() == extra.hyperparameters()
    assert dataclasses.replace(plain, names=("m_hat",)).hyperparameters() == numbers
