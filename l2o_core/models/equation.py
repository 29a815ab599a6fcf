"""An equation as an optimizer whose constants can be meta-trained."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .. import expressions
from ..expressions import Expression
from ..features import Features, State
from .base import CoordinateOptimizer
from .extra import ExtraFeatures


class Equation(CoordinateOptimizer):
    """The update is the value of an equation over features and their lags; its constants are parameters.

    `moments`: options of `Features` (beta1, beta2, eps, bias_correction, total_steps). A name without a lag
    means now; lags that reach before the first step read 0. With `n_hat`, the six numbers of that feature are
    parameters, too. Raises ConfigError for an unknown feature.
    """

    def __init__(self, rule: str | Expression, **moments: Any):
        rule = expressions.parse(rule) if isinstance(rule, str) else rule
        names = tuple(dict.fromkeys(variable.name for variable in rule.variables))
        super().__init__(ExtraFeatures(**moments) if "n_hat" in names else Features(names, **moments))
        self.rule, self.options = rule, {"rule": str(rule), **moments}
        self.horizon = max((variable.lag or 0 for variable in rule.variables), default=0)
        self.constants = nn.Parameter(torch.tensor(rule.constants))
        self._compiled = rule.compile()

    @classmethod
    def distilled(cls, rule: str | Expression, teacher: CoordinateOptimizer) -> Equation:
        """An equation distilled from a teacher, over its inputs, which are computed as the teacher does."""
        seen = teacher.features
        equation = cls(rule, beta1=seen.beta1, beta2=seen.beta2)
        if isinstance(equation.features, ExtraFeatures) and isinstance(seen, ExtraFeatures):
            equation.features.load_state_dict(seen.state_dict())
        return equation

    @property
    def equation(self) -> Expression:
        """The rule with its constants as they are now."""
        return self.rule.with_constants(self.constants.tolist())

    def init_memory(self, like: Tensor) -> State:
        """The last `horizon` features, newest first, [N, horizon, F]; nothing for a rule without lags."""
        if not self.horizon:
            return ()
        return (like.new_zeros(*like.shape, self.horizon, len(self.features.names)),)

    def update(self, inputs: Tensor, memory: State) -> tuple[Tensor, State]:
        """Features [N, F] and their past to the equation's value [N]."""
        window = torch.cat([inputs.unsqueeze(-2), *memory], dim=-2)
        column = {name: index for index, name in enumerate(self.features.names)}
        values = {str(v): window[..., v.lag or 0, column[v.name]] for v in self.rule.variables}
        update = self._compiled(values, self.constants.to(inputs.dtype))
        return update.expand(inputs.shape[:-1]), (window[..., :-1, :],) if self.horizon else ()
