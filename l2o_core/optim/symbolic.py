"""Any update rule as a PyTorch optimizer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from .. import features
from ..errors import CheckpointError, ConfigError
from ..expressions import Expression, parse
from ..models import Equation
from ..models.extra import ExtraFeatures
from . import zoo
from ._compile.buckets import Bucket, step_together
from ._compile.plan import FEATURE_OPTIONS, POWERS, plan
from ._compile.running_sums import Compacted

DEFAULTS: Mapping[str, float | bool | str | None] = {
    "lr": 1e-3,
    "beta1": 0.9,
    "beta2": 0.999,
    "eps": 1e-8,
    "weight_decay": 0.0,
    "bias_correction": True,
    "total_steps": None,
    "compile": False,
    "compact": None,
    "history_dtype": None,
}
HISTORY_TYPES = ("bfloat16", "float16", "float32", "float64")


class SymbolicOptimizer(torch.optim.Optimizer):
    """theta <- theta + lr * rule, the rule being an equation over features of the gradients.

    `rule`: a name from the zoo ("adam"), text ("-g / (1 + abs(g[3]))") or an `Expression`. It may name
    features (see `l2o_core.features`; without a lag they are of now, before the first step they read 0) and
    hyper-parameters. `hyperparameters` go before the zoo's values for the rule, and those before `DEFAULTS`;
    further ones give values to other names: `SymbolicOptimizer(params, "-c * sign(g)", c=0.1)`. Parameter
    groups can have their own. `weight_decay` is decoupled: first theta <- (1 - lr * weight_decay) theta.

    - `compile`: one fused kernel for each type and device, made at the first step (on a CPU by a C++
      compiler, in half a second); a new `lr` needs no other. Rules with many lags have one for each of a few
      kinds of steps (see `phases`).
    - `compact`: lags become a few running sums wherever that costs at most so much, as a share of the largest
      possible update of the lags replaced (0.01 is 1 %); `compaction` tells what became of it.
    - `history_dtype`: the type that past values are kept in, such as torch.bfloat16; default the parameters'.

    Hyper-parameters can be changed at any time. What is kept of the past was computed with those of then:
    tanh(g[3] / c) when its gradient came, sums over many lags up to some steps ago.

    Raises ConfigError where a name in the rule has no value, or a hyper-parameter no use.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        rule: str | Expression,
        lr: float | None = None,
        **hyperparameters: float | bool | torch.dtype | None,
    ):
        known = dict(DEFAULTS)
        if isinstance(rule, str) and rule in zoo.names():
            entry = zoo.get(rule)
            rule, known = entry.equation, known | dict(entry.defaults)
        rule = rule if isinstance(rule, Expression) else parse(rule)
        given = hyperparameters if lr is None else {"lr": lr, **hyperparameters}
        if isinstance(given.get("history_dtype"), torch.dtype):
            given["history_dtype"] = str(given["history_dtype"]).removeprefix("torch.")
        named = {variable.name for variable in rule.variables}
        if "n_hat" in named:
            known |= dict(zip(POWERS, features.Features(()).powers, strict=True)) | known
        allowed = known.keys() | named - set(features.NAMES)
        for name in sorted(given.keys() - allowed):
            raise ConfigError(f"{name} has no use in this rule, which takes {', '.join(sorted(allowed))}")
        self._buckets: dict[int, tuple[Any, list[list[Bucket]]]] = {}
        super().__init__(params, {"rule": str(rule), **known, **given})

    @classmethod
    def of(
        cls,
        model: Equation,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 1.0,
        **options: Any,
    ) -> SymbolicOptimizer:
        """A trained equation at work: its rule and features as they are now; lr = 1 is its own step."""
        seen = model.features
        plain = seen.plain if isinstance(seen, ExtraFeatures) else seen
        known = {name: getattr(plain, name) for name in FEATURE_OPTIONS}
        if isinstance(seen, ExtraFeatures):
            numbers = torch.cat([seen.k, seen.l, seen.alpha]).tolist()
            known |= dict(zip(POWERS, numbers, strict=True))
        return cls(params, model.equation, lr, **(known | options))

    @property
    def rule(self) -> Expression:
        """The equation that is followed."""
        return parse(self.defaults["rule"])

    @property
    def compaction(self) -> tuple[Compacted, ...]:
        """The sums over lags that `compact` has replaced, each with its bound on the error."""
        return tuple(part for group in self.param_groups for part in plan(group).compacted)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters, with hyper-parameters of their own if given."""
        group = self.defaults | param_group
        for name in ("lr", "weight_decay"):
            if not 0 <= group[name] < float("inf"):
                raise ConfigError(f"{name} must be 0 or larger and finite, not {group[name]}")
        if group["history_dtype"] not in (None, *HISTORY_TYPES):
            raise ConfigError(f"history_dtype must be one of {', '.join(HISTORY_TYPES)}")
        if group["compact"] is not None and not 0 < group["compact"] < 1:
            raise ConfigError(f"compact must be a share between 0 and 1, not {group['compact']}")
        plan(group)
        super().add_param_group(param_group)

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        """Take one step along the rule; parameters without a gradient rest, and so do their features."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for index, group in enumerate(self.param_groups):
            for buckets in self._bucketed(index, group):
                step_together(buckets, self.state, group["lr"], group["weight_decay"], group["compile"])
        return loss

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Resume exactly; CheckpointError where the state belongs to another rule or other parameters.

        Whether steps are compiled is not part of a state: that stays as it is.
        """
        compiled = [group["compile"] for group in self.param_groups]
        try:
            for mine, saved in zip(self.param_groups, state_dict["param_groups"], strict=True):
                if saved.get("rule") != mine["rule"]:
                    raise CheckpointError(f"this state belongs to {saved.get('rule')}, not to {mine['rule']}")
            super().load_state_dict(state_dict)
        except (KeyError, ValueError) as error:
            raise CheckpointError(f"this is no state of an optimizer of these parameters: {error}") from error
        for group, mine in zip(self.param_groups, compiled, strict=True):
            group["compile"] = mine
            for p in group["params"]:
                self._check(p, group)

    def _check(self, p: Tensor, group: Mapping[str, Any]) -> None:
        found = {name: value.shape for name, value in self.state[p].items() if name != "step"}
        if found and found != dict.fromkeys(plan(group).before, p.shape):
            shapes = {name: tuple(shape) for name, shape in found.items()}
            raise CheckpointError(f"the state of a parameter of shape {tuple(p.shape)} holds {shapes}")

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._buckets = {}

    def _bucketed(self, index: int, group: Mapping[str, Any]) -> list[list[Bucket]]:
        """The parameters with gradients, in buckets, by type, device and age.

        Buckets last: as long as the same parameters have gradients, nothing is gathered anew.
        """
        active = [p for p in group["params"] if p.grad is not None]
        followed = plan(group)
        identity = followed, [(id(p), p.data_ptr()) for p in active]
        known, buckets = self._buckets.get(index, (None, []))
        if identity != known:
            history = group["history_dtype"] and getattr(torch, group["history_dtype"])
            alike: dict[tuple, dict[int | None, list[Tensor]]] = defaultdict(lambda: defaultdict(list))
            for p in active:
                apart = id(p) if Bucket.alone(p) else None
                alike[p.dtype, p.device, self.state[p].get("step", 0)][apart].append(p)
            buckets = [
                [Bucket(members, self.state, followed, history) for members in parts.values()]
                for parts in alike.values()
            ]
            self._buckets[index] = identity, buckets
        return buckets
