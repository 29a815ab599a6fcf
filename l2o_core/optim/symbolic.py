"""Any update rule as a PyTorch optimizer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .. import features
from ..errors import CheckpointError, ConfigError
from ..expressions import Expression, Variable, parse, var
from ..features import Features
from . import zoo

DEFAULTS: Mapping[str, float | bool | None] = {
    "lr": 1e-3,
    "beta1": 0.9,
    "beta2": 0.999,
    "eps": 1e-8,
    "weight_decay": 0.0,
    "bias_correction": True,
    "total_steps": None,
}
_FEATURE_OPTIONS = ("beta1", "beta2", "eps", "bias_correction", "total_steps")
_HYPERPARAMETERS = ("beta1", "beta2", "eps", "weight_decay", "total_steps")


class SymbolicOptimizer(torch.optim.Optimizer):
    """theta <- theta + lr * rule, the rule being an equation over features of the gradients.

    `rule`: a name from the zoo ("adam"), text ("-g / (1 + abs(g[3]))") or an `Expression`. It may name
    features (see `l2o_core.features`; without a lag they are of now, before the first step they read 0) and
    hyper-parameters. `hyperparameters` go before the zoo's values for the rule, and those before `DEFAULTS`;
    further ones give values to other names: `SymbolicOptimizer(params, "-c * sign(g)", c=0.1)`. Parameter
    groups can have their own. `weight_decay` is decoupled: first theta <- (1 - lr * weight_decay) theta.

    Raises ConfigError where a name in the rule has no value, or a hyper-parameter no use.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        rule: str | Expression,
        lr: float | None = None,
        **hyperparameters: float | bool | None,
    ):
        known = dict(DEFAULTS)
        if isinstance(rule, str) and rule in zoo.names():
            entry = zoo.get(rule)
            rule, known = entry.equation, known | dict(entry.defaults)
        rule = rule if isinstance(rule, Expression) else parse(rule)
        given = hyperparameters if lr is None else {"lr": lr, **hyperparameters}
        allowed = DEFAULTS.keys() | {variable.name for variable in rule.variables} - set(features.NAMES)
        for name in sorted(given.keys() - allowed):
            raise ConfigError(f"{name} has no use in this rule, which takes {', '.join(sorted(allowed))}")
        self._buckets: dict[int, tuple[list[int], list[_Bucket]]] = {}
        super().__init__(params, {"rule": str(rule), **known, **given})

    @property
    def rule(self) -> Expression:
        """The equation that is followed."""
        return parse(self.defaults["rule"])

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters, with hyper-parameters of their own if given."""
        group = self.defaults | param_group
        _plan(group)
        for name in ("lr", "weight_decay"):
            if not 0 <= group[name] < float("inf"):
                raise ConfigError(f"{name} must be 0 or larger and finite, not {group[name]}")
        super().add_param_group(param_group)

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        """Take one step along the rule; parameters without a gradient rest, and so do their features."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for index, group in enumerate(self.param_groups):
            plan = _plan(group)
            for bucket in self._bucketed(index, group["params"], plan):
                self._advance(bucket, plan, group["lr"], group["weight_decay"])
        return loss

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Resume exactly; CheckpointError where the state belongs to another rule or other parameters."""
        try:
            for mine, saved in zip(self.param_groups, state_dict["param_groups"], strict=True):
                if saved.get("rule") != mine["rule"]:
                    raise CheckpointError(f"this state belongs to {saved.get('rule')}, not to {mine['rule']}")
            super().load_state_dict(state_dict)
        except (KeyError, ValueError) as error:
            raise CheckpointError(f"this is no state of an optimizer of these parameters: {error}") from error
        for group in self.param_groups:
            for p in group["params"]:
                found = {name: getattr(value, "shape", ()) for name, value in self.state[p].items()}
                if found and found != {"step": (), **_plan(group).shapes(p)}:
                    raise CheckpointError(f"the state of a parameter of shape {tuple(p.shape)} holds {found}")

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._buckets = {}

    def _bucketed(self, index: int, params: list[Tensor], plan: _Plan) -> list[_Bucket]:
        """The parameters with gradients, in buckets of one type, device and age.

        Buckets last: as long as the same parameters have gradients, nothing is gathered anew.
        """
        active = [p for p in params if p.grad is not None]
        identity = [id(p) for p in active]
        known, buckets = self._buckets.get(index, ([], []))
        if identity != known:
            alike: dict[tuple, list[Tensor]] = defaultdict(list)
            for p in active:
                alike[p.dtype, p.device, self.state[p].get("step", 0)].append(p)
            buckets = [self._flatten(members, plan) for members in alike.values()]
            self._buckets[index] = identity, buckets
        return buckets

    def _flatten(self, params: list[Tensor], plan: _Plan) -> _Bucket:
        """Lay the states of `params` out on one axis [N]; each parameter keeps a view of its part."""
        for p in params:
            if not self.state[p]:
                self.state[p] = {name: p.new_zeros(shape) for name, shape in plan.shapes(p).items()}
                self.state[p]["step"] = 0
        flat = {}
        for name, shape in plan.shapes(params[0]).items():
            rows = shape[: len(shape) - params[0].ndim]
            parts = [self.state[p][name].reshape(*rows, p.numel()) for p in params]
            flat[name] = torch.cat(parts, dim=-1)
            for p, part in zip(params, flat[name].split([p.numel() for p in params], dim=-1), strict=True):
                self.state[p][name] = part.view((*rows, *p.shape))
        return _Bucket(params, flat)

    def _advance(self, bucket: _Bucket, plan: _Plan, lr: float, weight_decay: float) -> None:
        params, flat = bucket
        step = self.state[params[0]]["step"] + 1
        g = torch.cat([_dense(p).reshape(-1) for p in params])
        # 1 - beta^t loses four digits in float32, and bfloat16 cannot count past 256
        precision = torch.float32 if g.device.type == "mps" else torch.float64
        t = torch.tensor(step - 1, dtype=precision, device=g.device)
        state = tuple(t if name == "t" else flat[name] for name in plan.features.buffers)
        now, state = plan.features.step_dict(g, state)

        inputs = {
            str(variable): flat[_history(variable.name)][(step - variable.lag) % plan.depths[variable.name]]
            if variable.lag
            else now[variable.name]
            for variable in plan.variables
        }
        update = (lr * plan.rule(inputs)).to(g.dtype).expand_as(g)
        if weight_decay:
            torch._foreach_mul_(params, 1 - lr * weight_decay)
        parts = update.split([p.numel() for p in params])
        torch._foreach_add_(params, [part.view(p.shape) for p, part in zip(params, parts, strict=True)])

        for name, value in zip(plan.features.buffers, state, strict=True):
            if name != "t":
                flat[name].copy_(value)
        for name, depth in plan.depths.items():
            flat[_history(name)][step % depth].copy_(now[name])
        for p in params:
            self.state[p]["step"] = step


class _Bucket(NamedTuple):
    """Parameters that step together, and their state on one flat axis.

    `flat`: the moments [N] by name, and rings of past values [depth, N], where step t is in row t % depth.
    """

    params: list[Tensor]
    flat: dict[str, Tensor]


class _Plan(NamedTuple):
    """What following a rule takes: the features, how far back (`depths`) each, and the compiled rule."""

    features: Features
    depths: dict[str, int]
    variables: tuple[Variable, ...]
    rule: Callable[[Mapping[str, Tensor]], Tensor]

    def shapes(self, p: Tensor) -> dict[str, tuple[int, ...]]:
        """The tensors that are kept for a parameter."""
        moments = {name: p.shape for name in self.features.buffers if name != "t"}
        return moments | {_history(name): (depth, *p.shape) for name, depth in self.depths.items()}


def _history(name: str) -> str:
    return f"{name}_history"


def _dense(p: Tensor) -> Tensor:
    if p.grad.is_sparse or p.is_complex():
        raise ConfigError("update rules work on dense, real gradients")
    return p.grad


def _plan(group: Mapping[str, Any]) -> _Plan:
    """The plan for a parameter group, kept as long as the hyper-parameters that it depends on stay."""
    rule = _parsed(group["rule"])
    values = {
        variable.name: float(group[variable.name])
        for variable in rule.variables
        if variable.name != "lr" and isinstance(group.get(variable.name), (int, float))
    }
    return _planned(rule, tuple(values.items()), tuple(group[name] for name in _FEATURE_OPTIONS))


_parsed = lru_cache(maxsize=64)(parse)


@lru_cache(maxsize=64)
def _planned(rule: Expression, values: tuple[tuple[str, float], ...], options: tuple) -> _Plan:
    now = {name: var(name, 0) for name in features.NAMES}
    rule = rule.substitute(dict(values)).substitute(now)
    for variable in rule.variables:
        if variable.lag is None:
            raise ConfigError(
                f"the rule names {variable}, which has no value. Features are {', '.join(features.NAMES)}; "
                f"hyper-parameters are {', '.join(_HYPERPARAMETERS)}; other names take theirs by keyword, "
                f"{variable}=...; the rules of the zoo have the names {', '.join(zoo.names())}"
            )
    names = tuple(dict.fromkeys(variable.name for variable in rule.variables))
    depths = {name: max(v.lag for v in rule.variables if v.name == name) for name in names}
    return _Plan(
        Features(names, **dict(zip(_FEATURE_OPTIONS, options, strict=True))),
        {name: depth for name, depth in depths.items() if depth},
        rule.variables,
        rule.compile(),
    )
