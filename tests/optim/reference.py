"""The meaning of a rule, spelled out: the whole history is stored, the equation evaluated at every step.

And optimizers that PyTorch does not ship, one parameter after the other, as their papers write them.
"""

import torch

from l2o_core.expressions import parse_rule, var
from l2o_core.features import NAMES, POWERS, Features

OPTIONS = tuple(Features.__dataclass_fields__)


def updates(rule: str, gradients: torch.Tensor, **values) -> torch.Tensor:
    """The updates [T, N] of a rule at gradients [T, N], with lr = 1 and parameters that begin at 0.

    Before the first step features, states and updates are 0. `values`: options of `Features`, and the numbers
    that names in the rule stand for.
    """
    if {*POWERS} <= values.keys():
        values["powers"] = tuple(values.pop(name) for name in POWERS)
    rule = parse_rule(str(rule)).substitute({k: v for k, v in values.items() if isinstance(v, float)})
    own = ("theta", *(name for name, _ in rule.equations))
    now = {name: var(name, 0) for name in (*NAMES, *own)}
    equations = [(name, value.substitute(now)) for name, value in rule.equations]
    read = dict.fromkeys(v for _, value in equations for v in value.variables)
    names = tuple(dict.fromkeys(variable.name for variable in read if variable.name not in own))
    features = Features(names, **{name: values[name] for name in OPTIONS if name in values})
    state, history, theta = features.init(gradients[0]), [], torch.zeros_like(gradients[0])
    for g in gradients:
        now, state = features.step_dict(g, state)
        now["theta"] = theta
        history.insert(0, now)
        for name, value in equations:
            columns = {
                str(v): history[v.lag][v.name].expand_as(g) if v.lag < len(history) else torch.zeros_like(g)
                for v in value.variables
            }
            now[name] = value.evaluate(columns or {"g": g}).expand_as(g)
        theta = theta + now["u"]
    return torch.stack([values["u"] for values in reversed(history)])


RECURRENT = [
    "0.9 * u[1] - 0.2 * u[3] - 0.1 * m_hat[1]",
    "p = beta1 * p[1] + (1 - beta1) * g; q = max(q[1], g^2); -p / (sqrt(q) + eps) - 0.1 * theta",
    "p = q[1]; q = p[1] + tanh(g[2]); r = p + q[2] - u[1]; -0.1 * tanh(r) - 0.1 * r[2]",
    "p_1 = q[1]; a = p_1[1]; q = a + g[1]; 0.5 * a[1]",
    "w = theta; 0.5 * (theta - w[1]) - 0.1 * g / (1 + t)",
    "p = t; q = 0.1 + q[1]; -p * q * tanh(g[3])",
]
"""Rules with a memory of their own."""


class Published(torch.optim.Optimizer):
    """`step_of(p, g, s, t)` moves a parameter; `s` holds its tensors, which are 0 at first."""

    def __init__(self, params, lr):
        super().__init__(params, {"lr": lr})
        self.lr, self.t = lr, 0

    @torch.no_grad()
    def step(self):
        self.t += 1
        for p in self.param_groups[0]["params"]:
            s = self.state[p]
            if not s:
                s |= {name: torch.zeros_like(p) for name in ("m", "m2", "v")}
                s |= {name: p.clone() for name in ("x", "z")}
            self.step_of(p, p.grad, s, self.t)


class Lion(Published):
    """Chen et al. 2023, Program 1; no weight decay."""

    def __init__(self, params, lr, betas=(0.9, 0.99)):
        super().__init__(params, lr)
        self.betas = betas

    def step_of(self, p, g, s, t):
        beta1, beta2 = self.betas
        p -= self.lr * (beta1 * s["m"] + (1 - beta1) * g).sign()
        s["m"] = beta2 * s["m"] + (1 - beta2) * g


class Signum(Published):
    """Bernstein et al. 2018, Algorithm 2."""

    def __init__(self, params, lr, beta=0.9):
        super().__init__(params, lr)
        self.beta = beta

    def step_of(self, p, g, s, t):
        s["m"] = self.beta * s["m"] + (1 - self.beta) * g
        p -= self.lr * s["m"].sign()


class AdEMAMix(Published):
    """Pagliardini et al. 2024, Algorithm 1, at alpha = 5 and beta3 = 0.9999."""

    def step_of(self, p, g, s, t):
        s["m"] = 0.9 * s["m"] + 0.1 * g
        s["m2"] = 0.9999 * s["m2"] + (1 - 0.9999) * g
        s["v"] = 0.999 * s["v"] + 0.001 * g * g
        m_hat, v_hat = s["m"] / (1 - 0.9**t), s["v"] / (1 - 0.999**t)
        p -= self.lr * ((m_hat + 5 * s["m2"]) / (v_hat.sqrt() + 1e-8) + 0.01 * p)


class CautiousAdamW(Published):
    """Liang et al. 2024, Algorithm 1 on AdamW, without the mask's normalisation."""

    def step_of(self, p, g, s, t):
        p -= self.lr * 0.01 * p
        s["m"] = 0.9 * s["m"] + 0.1 * g
        s["v"] = 0.999 * s["v"] + 0.001 * g * g
        u = s["m"] / (1 - 0.9**t) / ((s["v"] / (1 - 0.999**t)).sqrt() + 1e-8)
        p -= self.lr * u * (u * g > 0)


class ScheduleFree(Published):
    """Defazio et al. 2024, Eq. 3 to 5, gradients at y."""

    def __init__(self, params, lr, beta=0.9):
        super().__init__(params, lr)
        self.beta = beta

    def step_of(self, p, g, s, t):
        s["z"] = s["z"] - self.lr * g
        s["x"] = (1 - 1 / t) * s["x"] + s["z"] / t
        p.copy_((1 - self.beta) * s["z"] + self.beta * s["x"])
