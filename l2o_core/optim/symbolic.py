"""Any update rule as a PyTorch optimizer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

import torch
from torch import Tensor

from ..errors import ConfigError
from ..expressions import Expression, System
from . import options, zoo
from ._compile.plan import make_plan
from ._compile.running_sums import ReplacedLags
from ._compile.stepping import Stepping
from .states import checked


class HasHyperparameters(Protocol):
    """Features that name their options and numbers: `features.Features` and the like."""

    def hyperparameters(self) -> dict[str, Any]: ...  # noqa: D102


class TrainedEquation(Protocol):
    """A learned optimizer that is an equation over features: `models.Equation`, `models.SOL`."""

    @property
    def features(self) -> HasHyperparameters: ...  # noqa: D102

    @property
    def equation(self) -> Expression | System: ...  # noqa: D102


def _equation(model: Any) -> Expression | System:
    """The equation of a model. Raises ConfigError for one that is none, or for no model."""
    # computed once: it may be long, and its own error says so
    equation = getattr(model, "equation", None)
    if isinstance(equation, Expression | System) and hasattr(model, "features"):
        return equation
    if isinstance(model, str | Expression | System):
        raise ConfigError(
            "of() takes a trained equation; give a rule itself as SymbolicOptimizer(params, rule)"
        )
    raise ConfigError(
        f"an object of {type(model).__name__} is no trained equation, as models.Equation and models.SOL are; "
        "distiller.distill finds one for a network"
    )


class SymbolicOptimizer(torch.optim.Optimizer):
    r"""An update rule, given as an equation over features of the gradients, as a `torch.optim.Optimizer`.

    .. math::
        \theta \leftarrow (1 - \mathrm{lr} \cdot \mathrm{weight\_decay})\, \theta
        + \mathrm{lr} \cdot \mathrm{rule}(\mathrm{features})

    A rule may name features (see `l2o_core.features`; without a lag they are current, before the first step
    they read 0), the hyper-parameters beta1, beta2, eps, weight_decay and total_steps, and coefficients,
    which take their values by keyword. It may also have a memory of its own (see `expressions.parse_rule`):
    states, its past values `u[k]`, before lr, and the parameter before the step, `theta`. A rule that names
    weight_decay does the decay by itself.

    Options that are None have the zoo's value for the rule, else the default. Parameter groups can have
    hyper-parameters and coefficients of their own, and all can be changed at any time; so can a group's rule,
    one of the zoo together with the hyper-parameters that the zoo gives it. Changing a number does not
    rewrite stored history: tanh(g[3] / c) keeps the c of the step at which that gradient arrived, and
    pre-computed sums may be a few steps older.

    Use it to optimize with a fixed rule. To train the constants of a rule, use `models.Equation`.

    Args:
        params: Parameters, or groups of them as dicts, as for every PyTorch optimizer.
        rule: A name from the zoo ("adam"), text ("-g / (1 + abs(g[3]))"; "p = 0.9 * p[1] + g; -p"), an
            `Expression` or a `System`.
        lr: Learning rate; default 0.001.
        betas: beta1 and beta2 together, as PyTorch's Adam takes them.
        beta1: Decay rate of the first moment; default 0.9.
        beta2: Decay rate of the second moment; default 0.999.
        eps: Added to sqrt(v), in units of the gradient; default 1e-8.
        weight_decay: Decoupled weight decay, as in AdamW; default 0.
        bias_correction: Whether moments are divided by `1 - beta^t`; default True.
        total_steps: Steps over which the features `ld` and `cd` decay; required by rules that name them.
        compile: Whether to run one fused kernel for each type and device: in C++ on a CPU, Triton's on a GPU.
            "auto", the default, compiles on a CPU with a C++ compiler where there are 100,000 parameters
            or more; elsewhere it takes the same steps without a kernel. A kernel is compiled when it is first
            needed, in half a second, and is then kept on disk; rules with many lags have a few. Other
            hyper-parameters or coefficients need no other kernel.
        lag_tolerance: Replace lags by a few running sums wherever that changes the weighted sum over them by
            at most this fraction of its largest possible value (0.01 is 1 %); `replaced_lags` lists where.
            Rules with a memory of their own keep their lags.
        history_dtype: Type that past values of features are stored in, such as `torch.bfloat16`; default that
            of the parameters.
        moment_dtype: Type that moments, running sums, states and past updates are stored in; default that of
            the parameters, but at least float32. `torch.bfloat16` is refused where its rounding would add up
            to more than 10 %.
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
        rule: str | Expression | System,
        lr: float | None = None,
        *,
        betas: tuple[float, float] | None = None,
        beta1: float | None = None,
        beta2: float | None = None,
        eps: float | None = None,
        weight_decay: float | None = None,
        bias_correction: bool | None = None,
        total_steps: int | None = None,
        compile: bool | str = "auto",
        lag_tolerance: float | None = None,
        history_dtype: torch.dtype | str | None = None,
        moment_dtype: torch.dtype | str | None = None,
        **coefficients: float,
    ):
        given: dict[str, Any] = {"lr": lr, "betas": betas, "beta1": beta1, "beta2": beta2, "eps": eps}
        given |= {
            "weight_decay": weight_decay,
            "bias_correction": bias_correction,
            "total_steps": total_steps,
        }
        given |= {"compile": compile, "lag_tolerance": lag_tolerance}
        given |= {"history_dtype": history_dtype, "moment_dtype": moment_dtype}
        defaults = options.completed(rule, given, coefficients)
        options.refuse_unused(coefficients, options.equation(defaults["rule"]))
        # a group holds text, the zoo's name or the equation's: a state_dict is made of plain values
        self._given = {name: value for name, value in given.items() if value is not None} | coefficients
        self._given["rule"] = rule if isinstance(rule, str) else str(rule)
        self._forget()
        super().__init__(params, defaults)

    @classmethod
    def of(
        cls,
        model: TrainedEquation,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 1.0,
        *,
        weight_decay: float = 0.0,
        compile: bool | str = "auto",
        lag_tolerance: float | None = None,
        history_dtype: torch.dtype | str | None = None,
        moment_dtype: torch.dtype | str | None = None,
    ) -> SymbolicOptimizer:
        """A trained equation as a PyTorch optimizer: its rule, constants and features as they are now.

        Args:
            model: A learned optimizer that is an equation, such as `models.Equation` or `models.SOL`.
            params: See `SymbolicOptimizer`, as for all that follow.
            lr: Factor of the model's own step; 1 takes the steps that it was trained to take.
            weight_decay: Decoupled weight decay.
            compile: Whether to run compiled kernels: True, False or "auto".
            lag_tolerance: Replace lags by running sums within this fraction.
            history_dtype: Type that past values are stored in.
            moment_dtype: Type that moments and running sums are stored in.

        Returns:
            The optimizer. Later changes of the model do not change it.

        Raises:
            ConfigError: For what is no trained equation, such as a network, a name or a text.

        Example:
            >>> from l2o_core import models
            >>> x = torch.nn.Parameter(torch.zeros(2))
            >>> SymbolicOptimizer.of(models.Equation("-0.5 * g"), [x]).rule
            parse('-0.5 * g')
        """
        return cls(
            params,
            _equation(model),
            lr,
            weight_decay=weight_decay,
            compile=compile,
            lag_tolerance=lag_tolerance,
            history_dtype=history_dtype,
            moment_dtype=moment_dtype,
            **model.features.hyperparameters(),
        )

    @property
    def rule(self) -> Expression | System:
        """The equation that is followed."""
        return options.equation(self.defaults["rule"])

    @property
    def replaced_lags(self) -> tuple[ReplacedLags, ...]:
        """The weighted sums over lags that `lag_tolerance` has replaced, each with a bound on its error."""
        plans = (make_plan(options.equation(group["rule"]), group) for group in self.param_groups)
        return tuple(part for plan in plans for part in plan.replaced)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters.

        Args:
            param_group: The parameters under "params", and hyper-parameters of their own, if any; also a
                "rule", whose hyper-parameters then have the zoo's values where neither the group nor the
                constructor gives one.

        Raises:
            ConfigError: If a value makes no sense.
        """
        own = {name: value for name, value in param_group.items() if name != "rule"}
        group = options.completed(param_group.get("rule") or self._given["rule"], self._given, own)
        options.check(group)
        make_plan(options.equation(group["rule"]), group).bind(group)
        super().add_param_group(group)
        self._betas.append(group["betas"])
        self._count()

    @torch.no_grad()
    def step(  # type: ignore[override]  # PyTorch types a closure as returning a float
        self, closure: Callable[[], Tensor] | None = None
    ) -> Tensor | None:
        """Take one step along the rule.

        Parameters without a gradient do not move, and neither do their features. Parameters that share memory
        step one after the other.

        Args:
            closure: Evaluates the loss anew and returns it, with gradients; optional.

        Returns:
            The loss that `closure` returned, if there is one.

        Raises:
            ConfigError: If a parameter, its gradient, its state or a hyper-parameter does not fit the rule or
                the others, or `compile=True` is not possible. No parameter has moved then.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self._agree()
        while len(self._stepping) < len(self.param_groups):
            self._stepping.append(Stepping())
        prepared = [
            step
            for stepping, group in zip(self._stepping, self.param_groups, strict=False)
            for step in stepping.prepared(group, self.state, self._numbers)
        ]
        for step in prepared:
            step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """The state, from which `load_state_dict` resumes exactly.

        Returns:
            Groups with all their values under "param_groups", and under "state" for each parameter the steps
            that it has taken and the tensors that the rule stores for it.
        """
        self._agree()
        return super().state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Resume exactly from a state.

        Whether steps are compiled is not part of a state: that stays as it is. Tensors keep the types in
        which they were saved.

        Args:
            state_dict: The value of `state_dict()` of an optimizer with the same rule and parameters.

        Raises:
            CheckpointError: If the state is damaged, or belongs to another rule, other parameters or another
                optimizer. Nothing has changed then.
        """
        for before in self._optimizer_load_state_dict_pre_hooks.values():
            state_dict = before(self, state_dict) or state_dict
        groups, state = checked(self.param_groups, state_dict)
        self.__setstate__({"state": state, "param_groups": groups})
        for after in self._optimizer_load_state_dict_post_hooks.values():
            after(self)

    def __getstate__(self) -> dict[str, Any]:
        self._agree()
        return super().__getstate__() | {"_given": self._given}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.__dict__.setdefault("_given", {"rule": self.defaults["rule"]})
        for group in self.param_groups:  # copies from before these options were there
            group.setdefault("lag_tolerance", group.pop("compact", None))
            for name, value in options.OPTIONS.items():
                group.setdefault(name, value)
            group.setdefault("betas", (group["beta1"], group["beta2"]))
        self._forget()
        self._betas += [group["betas"] for group in self.param_groups]
        self._count()

    def _forget(self) -> None:
        """Make anew all that follows from parameters, groups and state."""
        self._stepping: list[Stepping] = []
        self._betas: list[tuple[float, float]] = []

    def _count(self) -> None:
        self._numbers = sum(p.numel() for group in self.param_groups for p in group["params"])

    def _agree(self) -> None:
        """Let beta1, beta2 and `betas`, which PyTorch's schedulers write, agree: what was changed counts.

        The zoo's name of a rule that a group was given later becomes the rule's equation.
        """
        known = zoo.names()
        for index, group in enumerate(self.param_groups):
            both, each = group["betas"], (group["beta1"], group["beta2"])
            if both != each:
                if both == self._betas[index]:
                    group["betas"] = each
                else:
                    group["beta1"], group["beta2"] = group["betas"] = options.pair_of(both)
                self._betas[index] = group["betas"]
            if group["rule"] in known:
                group["rule"] = options.named_later(group, self._given)
