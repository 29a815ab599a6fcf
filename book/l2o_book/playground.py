"""Type an equation, and see what it is and what it does: for running notebooks, where there is a kernel."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from l2o_core import distiller, expressions, meta, metrics, models
from l2o_core.errors import L2OError
from l2o_core.features import Features

from . import plots

if TYPE_CHECKING:
    import ipywidgets

    from l2o_core.tasks import Task

ADAM = "-0.1 * m / (sqrt(v) + 1e-8)"


def playground(
    task: Task, text: str = "-0.1 * m_hat[0]", *, steps: int = 100, instances: int = 16
) -> ipywidgets.VBox:
    """A box for an equation: its plot, complexity and temporal perception field, and its race against Adam.

    Text that is no equation, or an equation that diverges, is answered in words; nothing is ever evaluated
    as code (`expressions.parse`).
    """
    import ipywidgets

    box = ipywidgets.Text(text, description="update", layout={"width": "40rem"}, continuous_update=False)
    words, picture = ipywidgets.HTMLMath(), ipywidgets.HTML()

    def show(_: Any = None) -> None:
        try:
            told = described(box.value, task, steps=steps, instances=instances)
        except L2OError as error:
            words.value, picture.value = f"<em>{html.escape(str(error))}</em>", ""
            return
        words.value = f"$${html.escape(told['latex'])}$$ " + html.escape(told["facts"])
        picture.value = f'<img src="data:image/png;base64,{told["png"]}" style="width: {told["width"]}px">'

    box.observe(show, "value")
    show()
    return ipywidgets.VBox([box, words, picture])


def described(text: str, task: Task, *, steps: int, instances: int) -> dict[str, Any]:
    """What the playground shows of an equation: `latex`, `facts`, `png` (base64) and its `width`.

    Raises ExpressionError for text that is no equation, ConfigError for inputs that do not exist.
    """
    rule = expressions.parse(text)
    runner, adam = models.Equation(rule), models.Equation(ADAM, beta1=0.9, beta2=0.999)
    losses = {
        name: meta.evaluate(optimizer, task, steps=steps, instances=instances, seed=0)
        for name, optimizer in {"your equation": runner, "adam (lr 0.1)": adam}.items()
    }
    field = ", ".join(f"{name} {value:.1f}" for name, value in _fields(rule, runner, task).items())
    facts = f"{rule.complexity} nodes. Temporal perception field in steps: {field or 'no lags'}."
    diverged = int((~losses["your equation"].isfinite().all(1)).sum())
    if diverged:
        facts += f" {diverged} of {instances} runs diverged."
    return {"latex": rule.latex(), "facts": facts} | _drawn(rule, losses, diverged < instances)


def _fields(rule: expressions.Expression, runner: models.Equation, task: Task) -> dict[str, float]:
    """The field by feature, on rows of Adam at work: an equation that diverges has one, too."""
    names = tuple(name for name in runner.features.names if name != "t")
    if not names:
        return {}
    adam = models.Equation(ADAM, beta1=0.9, beta2=0.999)
    lags = min(runner.horizon + 1, 50)
    data = distiller.collect(adam, task, lags=lags, samples=500, features=Features(names), time=True)
    fields = np.atleast_1d(metrics.temporal_perception_field(rule, data))
    return dict(zip(names, fields.tolist(), strict=True))


def _drawn(rule: expressions.Expression, losses: dict[str, torch.Tensor], race: bool) -> dict[str, Any]:
    """The answer to each input at the present step, others zero, and the race."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    x = torch.linspace(-2, 2, 201, dtype=torch.float64)
    zero = {str(variable): torch.zeros_like(x) for variable in rule.variables}
    for variable in rule.variables[:6]:
        answer = rule.evaluate(zero | {str(variable): x}).expand(len(x))
        left.plot(x, answer, label=str(variable))
    left.set(xlabel="one input, the others 0", ylabel="update")
    if rule.variables:
        left.legend(fontsize=8)
    for name, curves in losses.items():
        if race or name != "your equation":
            plots.band(right, curves, name)
    right.set(xlabel="step", ylabel="loss")
    right.legend(fontsize=8)
    data, width = plots.png(figure)
    return {"png": data, "width": width}
