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
from .records import plural

if TYPE_CHECKING:
    import ipywidgets
    from matplotlib.figure import Figure

    from l2o_core.tasks import Task

ADAM = "-0.1 * m / (sqrt(v) + 1e-8)"
STEPS, INSTANCES = 100, 16


def playground(
    task: Task, text: str = "-0.1 * m_hat[0]", *, steps: int = STEPS, instances: int = INSTANCES
) -> ipywidgets.VBox:
    """A box for an equation, which is drawn, measured and run against Adam.

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


def described(text: str, task: Task, *, steps: int = STEPS, instances: int = INSTANCES) -> dict[str, Any]:
    """What the playground shows of an equation: `latex`, `facts`, `png` (base64) and its `width`.

    Raises ExpressionError for text that is no equation, ConfigError for inputs that do not exist.
    """
    figure, facts = example(text, task, steps=steps, instances=instances)
    data, width = plots.png(figure)
    return {"latex": expressions.parse(text).latex(), "facts": facts, "png": data, "width": width}


def example(text: str, task: Task, *, steps: int = STEPS, instances: int = INSTANCES) -> tuple[Figure, str]:
    """An equation drawn and run against Adam, and its complexity and temporal perception field in words.

    Raises ExpressionError for text that is no equation, ConfigError for inputs that do not exist.
    """
    rule = expressions.parse(text)
    optimizer, adam = models.Equation(rule), models.Equation(ADAM, beta1=0.9, beta2=0.999)
    losses = {
        name: meta.evaluate(each, task, steps=steps, instances=instances, seed=0)
        for name, each in {"equation": optimizer, "Adam (lr 0.1)": adam}.items()
    }
    tpf = ", ".join(f"{name} {value:.1f}" for name, value in _tpf(rule, optimizer, task).items())
    facts = f"{plural(rule.complexity, 'node')}. Temporal perception field in steps: {tpf or 'no lags'}."
    diverged = int((~losses["equation"].isfinite().all(1)).sum())
    if diverged:
        facts += f" {diverged} of {instances} runs diverged."
    return _drawn(rule, losses, diverged < instances), facts


def _tpf(rule: expressions.Expression, optimizer: models.Equation, task: Task) -> dict[str, float]:
    """The temporal perception field by feature, on rows of Adam: also for an equation that diverges."""
    names = tuple(name for name in optimizer.features.names if name != "t")
    if not names:
        return {}
    adam = models.Equation(ADAM, beta1=0.9, beta2=0.999)
    lags = min(optimizer.horizon + 1, 50)
    data = distiller.collect(adam, task, lags=lags, samples=500, features=Features(names), time=True)
    found = np.atleast_1d(metrics.temporal_perception_field(rule, data))
    return dict(zip(names, found.tolist(), strict=True))


def _drawn(rule: expressions.Expression, losses: dict[str, torch.Tensor], race: bool) -> Figure:
    """The update as each input of the present step varies, the others 0, and the losses."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(plots.STYLE):
        figure = Figure(figsize=(6.7, 3), layout="constrained")
        left, right = figure.subplots(1, 2)
        x = torch.linspace(-2, 2, 201, dtype=torch.float64)
        zero = {str(variable): torch.zeros_like(x) for variable in rule.variables}
        for variable in rule.variables[:6]:
            answer = rule.evaluate(zero | {str(variable): x}).expand(len(x))
            left.plot(x, answer, label=f"${expressions.var(variable.name, variable.lag).latex()}$")
        left.set(xlabel="one input, the others 0", ylabel="update")
        if rule.variables:
            left.legend()
        for name, curves in losses.items():
            if race or name != "equation":
                plots.band(right, curves, name)
        right.set(xlabel="step", ylabel="loss")
        right.legend()
    return figure
