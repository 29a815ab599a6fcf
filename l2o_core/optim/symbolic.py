"""Any update rule as a PyTorch optimizer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor

from .. import features
from ..errors import CheckpointError, ConfigError, did_you_mean
from ..expressions import Expression, parse
from . import zoo
from ._compile.buckets import Bucket, step_together
from ._compile.plan import Plan, make_plan
from ._compile.running_sums import ReplacedLags

DEFAULTS: Mapping[str, float | bool | None] = {
    "lr": 1e-3,
    "beta1": 0.9,
    "beta2": 0.999,
    "eps": 1e-8,
    "weight_decay": 0.0,
    "bias_correction": True,
    "total_steps": None,
}
"""Hyper-parameters where neither the user nor the zoo gives a value."""
HISTORY_TYPES = ("bfloat16", "float16", "float32", "float64")


class HasHyperparameters(Protocol):
    """Features that name their options and numbers: `features.Features` and the like."""

    def hyperparameters(self) -> dict[str, Any]: ...  # noqa: D102


class TrainedEquation(Protocol):
    """A learned optimizer that is an equation over features: `models.Equation`, `models.SOL`."""

    features: HasHyperparameters

    @property
    def equation(self) -> Expression: ...  # noqa: D102


class SymbolicOptimizer(torch.optim.Optimizer):
    r"""An update rule, given as an equation over features of the gradients, as a `torch.optim.Optimizer`.

    .. math::
        \theta \leftarrow (1 - \mathrm{lr} \cdot \mathrm{weight\_decay})\, \theta
        + \mathrm{lr} \cdot \mathrm{rule}(\mathrm{features})

    A rule may name features (see `l2o_core.features`; without a lag they are current, before the first step
    they read 0), the hyper-parameters beta1, beta2, eps, weight_decay and total_steps, and coefficients,
    which take their values by keyword. Options that are None have the zoo's value for the rule, else the
    default. Parameter groups can have hyper-parameters and coefficients of their own, and all can be changed
    at any time. Changing one does not rewrite stored history: tanh(g[3] / c) keeps the c of the step at which
    that gradient arrived, and pre-computed sums may be a few steps older.

    Use it to optimize with a fixed rule. To train the constants of a rule, use `models.Equation`.

    Args:
        params: Parameters, or groups of them as dicts, as for every PyTorch optimizer.
        rule: A name from the zoo ("adam"), text ("-g / (1 + abs(g[3]))") or an `Expression`.
        lr: Learning rate; default 0.001.
        betas: beta1 and beta2 together, as PyTorch's Adam takes them.
        beta1: Decay rate of the first moment; default 0.9.
        beta2: Decay rate of the second moment; default 0.999.
        eps: Added to sqrt(v), in units of the gradient; default 1e-8.
        weight_decay: Decoupled weight decay, as in AdamW; default 0.
        bias_correction: Whether moments are divided by `1 - beta^t`; default True.
        total_steps: Steps over which the features `ld` and `cd` decay; required by rules that name them.
        compile: Run one fused kernel for each type and device, compiled at the first step (on a CPU by a C++
            compiler, in half a second). A new `lr` needs no other kernel. Rules with many lags have a kernel
            for each of a few kinds of steps.
        lag_tolerance: Replace lags by a few running sums wherever that changes the weighted sum over them by
            at most this fraction of its largest possible value (0.01 is 1 %); `replaced_lags` lists where.
        history_dtype: Type that past values are stored in, such as `torch.bfloat16`; default that of the
            parameters.
        **coefficients: Values of other names in the rule; of a rule with `n_hat` also k1, k2, l1, l2, alpha1
            and alpha2.

    Raises:
        ConfigError: If a name in the rule has no value, a coefficient has no use, or a value makes no sense.
        ExpressionError: If text is not a valid equation.

    Example:
        >>> x = torch.nn.Parameter(torch.tensor([1.0]))
        >>> optimizer = SymbolicOptimizer([x], "-c * sign(g)", lr=0.5, c=0.5)
        >>> (x**2).sum().backward()
        >>> optimizer.step()
        >>> x.item()
        0.75
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        rule: str | Expression,
        lr: float | None = None,
        *,
        betas: tuple[float, float] | None = None,
        beta1: float | None = None,
        beta2: float | None = None,
        eps: float | None = None,
        weight_decay: float | None = None,
        bias_correction: bool | None = None,
        total_steps: int | None = None,
        compile: bool = False,
        lag_tolerance: float | None = None,
        history_dtype: torch.dtype | str | None = None,
        **coefficients: float,
    ):
        defaults = dict(DEFAULTS)
        if isinstance(rule, str) and rule in zoo.names():
            known = zoo.get(rule)
            rule, defaults = known.equation, defaults | dict(known.defaults)
        rule = rule if isinstance(rule, Expression) else parse(rule)
        if betas is not None:
            beta1, beta2 = _pair(betas, beta1, beta2)
        given = {"lr": lr, "beta1": beta1, "beta2": beta2, "eps": eps, "weight_decay": weight_decay}
        given |= {"bias_correction": bias_correction, "total_steps": total_steps}
        hyperparameters = defaults | {name: value for name, value in given.items() if value is not None}
        hyperparameters = _with_coefficients(rule, hyperparameters, coefficients)
        if isinstance(history_dtype, torch.dtype):
            history_dtype = str(history_dtype).removeprefix("torch.")
        options = {"compile": compile, "lag_tolerance": lag_tolerance, "history_dtype": history_dtype}
        text = str(rule)  # a group holds text: a state_dict is made of plain values
        self._rules = {text: rule}
        self._buckets: dict[int, tuple[Any, list[list[Bucket]]]] = {}
        super().__init__(params, {"rule": text, **hyperparameters, **options})

    @classmethod
    def of(
        cls,
        model: TrainedEquation,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 1.0,
        *,
        weight_decay: float = 0.0,
        compile: bool = False,
        lag_tolerance: float | None = None,
        history_dtype: torch.dtype | str | None = None,
    ) -> SymbolicOptimizer:
        """A trained equation as a PyTorch optimizer: its rule, constants and features as they are now.

        Args:
            model: A learned optimizer that is an equation, such as `models.Equation` or `models.SOL`.
            params: See `SymbolicOptimizer`, as for all that follow.
            lr: Factor of the model's own step; 1 takes the steps that it was trained to take.
            weight_decay: Decoupled weight decay.
            compile: Whether to run compiled kernels.
            lag_tolerance: Replace lags by running sums within this fraction.
            history_dtype: Type that past values are stored in.

        Returns:
            The optimizer. Later changes of the model do not change it.

        Example:
            >>> from l2o_core import models
            >>> x = torch.nn.Parameter(torch.zeros(2))
            >>> SymbolicOptimizer.of(models.Equation("-0.5 * g"), [x]).rule
            parse('-0.5 * g')
        """
        return cls(
            params,
            model.equation,
            lr,
            weight_decay=weight_decay,
            compile=compile,
            lag_tolerance=lag_tolerance,
            history_dtype=history_dtype,
            **model.features.hyperparameters(),
        )

    @property
    def rule(self) -> Expression:
        """The equation that is followed."""
        return self._parsed(self.defaults["rule"])

    @property
    def replaced_lags(self) -> tuple[ReplacedLags, ...]:
        """The weighted sums over lags that `lag_tolerance` has replaced, each with a bound on its error."""
        return tuple(part for group in self.param_groups for part in self._plan(group).replaced)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters.

        Args:
            param_group: The parameters under "params", and hyper-parameters of their own, if any.

        Raises:
            ConfigError: If a value makes no sense.
        """
        group = self.defaults | param_group
        for name in ("lr", "weight_decay"):
            if not 0 <= group[name] < float("inf"):
                raise ConfigError(f"{name} must be 0 or larger and finite, not {group[name]}")
        if group["history_dtype"] not in (None, *HISTORY_TYPES):
            raise ConfigError(f"history_dtype must be one of {', '.join(HISTORY_TYPES)}")
        if group["lag_tolerance"] is not None and not 0 < group["lag_tolerance"] < 1:
            raise ConfigError(f"lag_tolerance must lie between 0 and 1, not {group['lag_tolerance']}")
        self._plan(group)
        super().add_param_group(param_group)

    @torch.no_grad()
    def step(  # type: ignore[override]  # PyTorch types a closure as returning a float
        self, closure: Callable[[], Tensor] | None = None
    ) -> Tensor | None:
        """Take one step along the rule.

        Parameters without a gradient do not move, and neither do their features.

        Args:
            closure: Evaluates the loss anew and returns it, with gradients; optional.

        Returns:
            The loss that `closure` returned, if there is one.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for index, group in enumerate(self.param_groups):
            for buckets in self._bucketed(index, group):
                step_together(buckets, self.state, group["lr"], group["weight_decay"], group["compile"])
        return loss

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Resume exactly from a state.

        Whether steps are compiled is not part of a state: that stays as it is.

        Args:
            state_dict: The value of `state_dict()` of an optimizer with the same rule and parameters.

        Raises:
            CheckpointError: If the state belongs to another rule or to other parameters.
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
        if found and found != dict.fromkeys(self._plan(group).initial_state, p.shape):
            shapes = {name: tuple(shape) for name, shape in found.items()}
            raise CheckpointError(f"the state of a parameter of shape {tuple(p.shape)} holds {shapes}")

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:  # states from before this option was renamed
            group.setdefault("lag_tolerance", group.pop("compact", None))
        self._rules, self._buckets = {}, {}

    def _parsed(self, text: str) -> Expression:
        if text not in self._rules:  # as after unpickling
            self._rules[text] = parse(text)
        return self._rules[text]

    def _plan(self, group: Mapping[str, Any]) -> Plan:
        return make_plan(self._parsed(group["rule"]), group)

    def _bucketed(self, index: int, group: Mapping[str, Any]) -> list[list[Bucket]]:
        """The parameters with gradients, in buckets, by type, device and age.

        Buckets are cached: as long as the same parameters have gradients, nothing is gathered anew.
        """
        active = [p for p in group["params"] if p.grad is not None]
        plan = self._plan(group)
        identity = plan, [(id(p), p.data_ptr()) for p in active]
        known, buckets = self._buckets.get(index, (None, []))
        if identity != known:
            history_dtype = group["history_dtype"] and getattr(torch, group["history_dtype"])
            alike: dict[tuple, dict[int | None, list[Tensor]]] = defaultdict(lambda: defaultdict(list))
            for p in active:
                apart = id(p) if Bucket.is_large(p) else None
                alike[p.dtype, p.device, self.state[p].get("step", 0)][apart].append(p)
            buckets = [
                [Bucket(members, self.state, plan, history_dtype) for members in parts.values()]
                for parts in alike.values()
            ]
            self._buckets[index] = identity, buckets
        return buckets


def _pair(betas: tuple[float, float], beta1: float | None, beta2: float | None) -> tuple[float, float]:
    if beta1 is not None or beta2 is not None:
        raise ConfigError("give betas=(beta1, beta2), or beta1 and beta2, not both")
    try:
        first, second = betas
    except (TypeError, ValueError):
        raise ConfigError(f"betas must be two numbers, (beta1, beta2), not {betas}") from None
    return first, second


def _with_coefficients(
    rule: Expression, hyperparameters: Mapping[str, Any], coefficients: Mapping[str, float]
) -> dict[str, Any]:
    """The hyper-parameters, and the coefficients that `rule` takes; ConfigError for one that it does not."""
    named = {variable.name for variable in rule.variables}
    values = dict(hyperparameters)
    if "n_hat" in named:
        values = dict(zip(features.POWERS, features.Features(()).powers, strict=True)) | values
    if "compact" in coefficients.keys() - named:
        raise ConfigError("the option compact is now named lag_tolerance")
    allowed = sorted(values.keys() | named - set(features.NAMES))
    for name in sorted(coefficients.keys() - set(allowed)):
        hint = did_you_mean(name, allowed, f"it takes {', '.join(allowed)}")
        raise ConfigError(f"{name} has no use in this rule; {hint}")
    return {**values, **coefficients}
