"""The meaning of a rule, spelled out: the whole history is stored, the equation evaluated at every step."""

import torch

from l2o_core.expressions import parse, var
from l2o_core.features import NAMES, POWERS, Features

OPTIONS = tuple(Features.__dataclass_fields__)


def updates(rule: str, gradients: torch.Tensor, **values) -> torch.Tensor:
    """The updates [T, N] of a rule at gradients [T, N], with lr = 1; before the first step, features are 0.

    `values`: options of `Features`, and the numbers that names in the rule stand for.
    """
    if {*POWERS} <= values.keys():
        values["powers"] = tuple(values.pop(name) for name in POWERS)
    equation = parse(str(rule)).substitute({k: v for k, v in values.items() if isinstance(v, float)})
    equation = equation.substitute({name: var(name, 0) for name in NAMES})
    names = tuple(dict.fromkeys(variable.name for variable in equation.variables))
    features = Features(names, **{name: values[name] for name in OPTIONS if name in values})
    state, history, out = features.init(gradients[0]), [], []
    for g in gradients:
        now, state = features.step_dict(g, state)
        history.insert(0, now)
        columns = {
            str(v): history[v.lag][v.name].expand_as(g) if v.lag < len(history) else torch.zeros_like(g)
            for v in equation.variables
        }
        out.append(equation.evaluate(columns or {"g": g}).expand_as(g))
    return torch.stack(out)
