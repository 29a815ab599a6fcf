"""An equation as an optimizer whose constants can be meta-trained."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn

from .. import expressions
from ..arguments import check_types, finite, scalar
from ..errors import ConfigError, did_you_mean
from ..expressions import Expression, System
from ..expressions.compilation import compile_equations
from ..expressions.system import PARAMETER, UPDATE, check_order
from ..features import NAMES, OPTIONS, Features, State
from .base import LearnedOptimizer
from .extra import ExtraFeatures


class Equation(LearnedOptimizer):
    """The update is the value of an equation over features and their lags; its constants are parameters.

    A name without a lag means now; before the first step, lags read 0. A rule may read its own updates,
    `u[k]`, and have states (see `expressions.parse_rule`): they are carried from step to step, and the
    meta-gradient goes through them. So is `theta`, which begins as `init_state` is given it, and is where
    `place` puts it. With `n_hat`, the six numbers of that feature are parameters as well. Use it where a rule
    is meta-trained or evaluated on tasks; `optim.SymbolicOptimizer` runs the same rule on the parameters of
    any module.

    Args:
        rule: The equation; its value is added to the parameters, sign and step size included.
        coefficients: Values of the names in the rule that are no features, and of no others. They are
            parameters too: a name takes one value however often it occurs, as gamma does in SymL2O Eq. 6.
        beta1: Decay rate of the first moment.
        beta2: Decay rate of the second moment.
        eps: Added to sqrt(v), in units of the gradient.
        bias_correction: Whether moments are divided by `1 - beta^t`.
        total_steps: Steps over which the features `ld` and `cd` decay.

    Raises:
        ConfigError: For a name without a value, a coefficient that is not finite, is called like a feature or
            is not in the rule, an option that makes no sense, and beside `n_hat` for other features than
            m_hat and g_hat or other options than beta1 and beta2.

    Example:
        >>> adam = Equation("-0.1 * m_hat", beta1=0.9, beta2=0.999, eps=1e-8)
        >>> str(adam.equation.rounded(3))
        '-0.1 * m_hat'
    """

    coefficients: nn.Parameter | None

    def __init__(
        self,
        rule: str | Expression | System,
        coefficients: Mapping[str, float] | None = None,
        *,
        beta1: float = 0.95,
        beta2: float = 0.95,
        eps: float = 1e-12,
        bias_correction: bool = True,
        total_steps: int | None = None,
    ):
        plain = check_types(Equation, locals())
        given = _numbers(coefficients)
        rule = expressions.parse_rule(rule) if isinstance(rule, str) else rule
        check_order(rule.equations)
        moments = {name: plain[name] for name in ("beta1", "beta2")}
        others = {name: plain[name] for name in ("eps", "bias_correction", "total_steps")}
        _check_names(rule, given)
        named = dict.fromkeys(variable.name for variable in rule.variables)
        names = tuple(name for name in named if name not in (*given, UPDATE, PARAMETER))
        if "n_hat" in names and not {*names} <= {*ExtraFeatures.names}:
            raise ConfigError(
                f"beside n_hat, a trainable equation can name {', '.join(ExtraFeatures.names)}, not {names}"
            )
        if "n_hat" not in names:
            moments |= others
        elif others != {"eps": 1e-12, "bias_correction": True, "total_steps": None}:
            raise ConfigError("a trainable equation of n_hat takes beta1 and beta2, no other option")
        super().__init__(ExtraFeatures(**moments) if "n_hat" in names else Features(names, **moments))
        self.rule, self.options = rule, {"rule": str(rule), **moments}
        if given:
            self.options["coefficients"] = given
        seen = [variable for variable in rule.variables if variable.name in names]
        self.horizon = max((variable.steps_ago for variable in seen), default=0)
        self.constants = nn.Parameter(torch.tensor(rule.constants))
        values = torch.tensor([float(value) for value in given.values()])
        self.register_parameter("coefficients", nn.Parameter(values) if given else None)
        self._given, self._seen = tuple(given), tuple(seen)
        self.reads_parameter = PARAMETER in named
        self._memory = rule.memory
        self._compiled = compile_equations(rule.equations)

    @classmethod
    def distilled(
        cls,
        rule: str | Expression | System,
        teacher: LearnedOptimizer,
        coefficients: Mapping[str, float] | None = None,
    ) -> Equation:
        """An equation distilled from a teacher; its inputs are computed as the teacher computes them."""
        seen = teacher.features
        options = {name: getattr(seen, name) for name in OPTIONS if hasattr(seen, name)}
        equation = cls(rule, coefficients, **options)
        if isinstance(equation.features, ExtraFeatures) and isinstance(seen, ExtraFeatures):
            equation.features.load_state_dict(seen.state_dict())
        return equation

    @property
    def equation(self) -> Expression | System:
        """The rule with its constants as they are now."""
        rule = self.rule.with_constants(self.constants.tolist())
        if self.coefficients is None:
            return rule
        return rule.substitute(dict(zip(self._given, self.coefficients.tolist(), strict=True)))

    def init_state(self, like: Tensor, state_dtype: torch.dtype | None = None) -> State:
        """See `LearnedOptimizer.init_state`; for a rule of `theta`, `like` holds the parameters."""
        state = super().init_state(like, state_dtype)
        return (*state[:-1], like.detach().clone()) if self.reads_parameter else state

    def place(self, state: State, params: Tensor) -> State:
        """See `LearnedOptimizer.place`: a rule of `theta` reads the parameters as they are."""
        return (*state[:-1], params.detach().to(state[-1], copy=True)) if self.reads_parameter else state

    def init_memory(self, like: Tensor) -> State:
        """The last `horizon` features, newest first, [N, F] each; the states' past and theta, [N] each."""
        history = (like.new_zeros(*like.shape, len(self.features.names)) for _ in range(self.horizon))
        own = sum(self._memory.values()) + self.reads_parameter
        return *history, *(torch.zeros_like(like) for _ in range(own))

    def update(self, inputs: Tensor, memory: State) -> tuple[Tensor, State]:
        """Features `[N, F]` and memory to the equation's value `[N]`; the history is not copied."""
        window, past = (inputs, *memory[: self.horizon]), iter(memory[self.horizon :])
        column = {name: index for index, name in enumerate(self.features.names)}
        values = {str(v): window[v.lag or 0][..., column[v.name]] for v in self._seen}
        own = {name: [next(past) for _ in range(lags)] for name, lags in self._memory.items()}
        values |= {f"{name}[{lag}]": part for name, parts in own.items() for lag, part in enumerate(parts, 1)}
        parameter = tuple(past)
        values |= dict.fromkeys((PARAMETER, f"{PARAMETER}[0]"), *parameter) if parameter else {}
        if self.coefficients is not None:
            values |= dict(zip(self._given, self.coefficients.to(inputs.dtype), strict=True))
        now = self._compiled(values, self.constants.to(inputs.dtype))
        now = {name: value.expand(inputs.shape[:-1]) for name, value in now.items()}
        kept = [part for name, parts in own.items() for part in (now[name], *parts[:-1])]
        moved = (theta + now[UPDATE] for theta in parameter)
        return now[UPDATE], (*window[: self.horizon], *kept, *moved)

    def advance(self, g: Tensor, state: State) -> tuple[Tensor, State]:
        """`forward` without a graph: the newest features overwrite the oldest, which become the first row."""
        update, state = super().advance(g, state)
        seen, history, own = self._split(state)
        return update, seen + history[-1:] + history[:-1] + own

    def overwrite(self, state: State, block: slice, new: State) -> None:
        """Put the next state of a block where its state was; of the history only what is new."""
        (seen, history, own), (new_seen, new_history, new_own) = self._split(state), self._split(new)
        super().overwrite(seen, block, new_seen)
        if self.horizon:
            history[-1][block] = new_history[0]
        copies = tuple(part.clone() for part in new_own)  # some are what others overwrite
        super().overwrite(own, block, copies)

    def _split(self, state: State) -> tuple[State, State, State]:
        """The parts of a state: of the features, their history, and the rule's own values with theta."""
        first = len(self.features.state_names)
        return state[:first], state[first : first + self.horizon], state[first + self.horizon :]


def _numbers(coefficients: Mapping[str, float] | None) -> dict[str, float]:
    """Coefficients as plain numbers by name. Raises ConfigError where one is not a finite number."""
    if not isinstance(coefficients, Mapping | None):
        raise ConfigError(f"coefficients must be numbers by name, not {coefficients!r:.60}")
    found: dict[str, float] = {}
    for name, value in (coefficients or {}).items():
        if not isinstance(name, str):
            raise ConfigError(f"coefficients must be numbers by name, not {name!r:.60}: {value!r:.60}")
        number = finite(f"the coefficient {name}", scalar(value))
        found[name] = int(value) if isinstance(value, int) else number
    return found


def _check_names(rule: Expression | System, given: Collection[str]) -> None:
    """Raise ConfigError unless coefficients are the names in a rule that have no value otherwise."""
    own = {PARAMETER, *(name for name, _ in rule.equations)}
    for name in given:
        if name in own:
            raise ConfigError(f"{name} has its value from the rule: give the coefficient another name")
        if name in NAMES:
            raise ConfigError(f"{name} is a feature: give the coefficient another name, and in the rule too")
    free = [variable for variable in rule.variables if variable.name not in (*own, *NAMES)]
    unknown = list(dict.fromkeys(variable.name for variable in free if variable.name not in given))
    for variable in free:
        if variable.name in given and variable.lag is not None:
            raise ConfigError(f"{variable.name} is a coefficient, which has no past: write it without a lag")
    if unused := set(given).difference(variable.name for variable in free):
        name = min(unused)
        otherwise = f"give it by keyword, {name}=..." if name in OPTIONS else "leave it out"
        raise ConfigError(f"the coefficient {name} has no use; {did_you_mean(name, unknown, otherwise)}")
    if unknown:
        raise ConfigError(f"unknown feature {unknown[0]!r}; {_help(unknown[0], own, str(rule))}")


def _help(name: str, own: Collection[str], rule: str) -> str:
    """What to do about a name without a value in a rule whose `own` names are these."""
    if rule == name and name not in map(str.lower, NAMES):
        return (
            f"for a rule of the zoo, give optim.zoo.get({name!r}).equation, which has no learning rate, or "
            "run it by name in optim.SymbolicOptimizer"
        )
    hint = did_you_mean(name, (*NAMES, *sorted(own)), f"features are {', '.join(NAMES)}")
    return f"a number is named without a lag, and given as coefficients={{{name!r}: ...}}; {hint}"
