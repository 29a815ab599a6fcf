# ---
# jupyter:
#   jupytext:
#     formats: py:percent,ipynb
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Quickstart: from a black box to an equation
#
# **What this page shows.** The whole road of *Symbolic Learning to Optimize* {cite}`zheng2022symbolic` on
# its smallest problem: meta-train a neural optimizer, distil it into an equation, measure the equation,
# race it against its teacher and two classics, and use it as a `torch.optim.Optimizer`. Then the same
# distiller is shown what Adam reads and writes, and hands Adam back.
#
# **What it costs.** About two minutes on two CPU cores, in every profile. Nothing is downloaded.

# %% tags=["parameters"]
profile = "quick"  # the same computation in every profile; written into the record
seed = 0
epochs = 120  # meta-training epochs of 100 steps on 128 fresh instances
search_seconds = 30  # time limit of each symbolic regression
race_instances = 64

# %%
import time

import torch
from IPython.display import Markdown, display
from matplotlib import pyplot as plt

from l2o_core import distiller, expressions, meta, metrics, models, optim, plots, records, tasks

plots.use_style()
torch.manual_seed(seed)
started = time.perf_counter()

# %% [markdown]
# ## A problem and a teacher
#
# The problem $\mathcal{P}_1$ is a family of small non-convex functions, a random bowl with a ripple
# (SymL2O Eq. 4):
#
# ```{math}
# :label: eq-p1
# f(\mathbf{x}) = \lVert \mathbf{A}\mathbf{x} + \mathbf{b} \rVert_2^2 + 0.5\,\mathbf{c}^\top \cos(\mathbf{x}),
# \qquad \mathbf{x} \in \mathbb{R}^{10},\quad A_{ij}, b_i, c_i \sim \mathcal{N}(0, 1).
# ```
#
# The teacher, **DM** {cite}`andrychowicz2016learning`, is an LSTM that reads one coordinate's gradient and
# proposes that coordinate's update; all coordinates share its weights $\phi$. *Meta-training* plays many
# instances and changes $\phi$ so that the losses along the way become smaller (SymL2O Eq. 1):
#
# ```{math}
# :label: eq-meta-loss
# \min_\phi\; \mathbb{E}_f \Big[ \sum_{t=1}^{T} w_t\, f(\mathbf{x}_t) \Big], \qquad
# \mathbf{x}_{t+1} = \mathbf{x}_t + u_t(\phi).
# ```

# %%
task = tasks.load("p1")
teacher = models.DM(scale=0.1)
history = meta.meta_train(
    teacher, task, seed=seed, epochs=epochs, steps=100, unroll=20, instances=128, lr=3e-3, progress=False
)
meta_seconds = history.seconds

# %%
fig, ax = plt.subplots(figsize=(7, 3.2))
ax.plot(range(1, epochs + 1), history.losses, lw=1, alpha=0.6, label="training (fresh instances)")
ax.plot(*zip(*history.validation, strict=True), marker="o", ms=3, label="held-out instances")
ax.set(xlabel="meta-training epoch", ylabel="mean loss over 100 steps", yscale="log")
ax.legend()
first, (best_epoch, best) = history.validation[0][1], history.best
plots.figure(
    fig,
    name="fig-quickstart-learning",
    caption=f"Meta-training lowers the mean loss on held-out instances from {first:.0f} to {best:.2f} "
    f"in {meta_seconds:.0f} s; the weights of epoch {best_epoch} are kept.",
)

# %% [markdown]
# ## From the teacher to an equation
#
# The teacher optimizes fresh instances while we write down what it saw, the last 20 gradients of a
# coordinate, and what it did, the update. Symbolic regression then looks for equations that map one to
# the other, short ones and accurate ones: a *Pareto front*. Every $R^2$ below is measured on trajectories
# that the search has not seen.

# %%
data = distiller.collect(teacher, task, lags=20, samples=5000, seed=seed)
front = distiller.distill(
    data.inputs, data.targets, names=data.names, groups=data.groups,
    engine="operon", max_complexity=100, time_limit=search_seconds, seed=seed,
)  # fmt: skip
linear = distiller.distill(
    data.inputs, data.targets, names=data.names, groups=data.groups, engine="linear", seed=seed
)
best = front.at(complexity=60)

# %%
fig, ax = plt.subplots(figsize=(7, 3.2))
for name, line in {"operon": front, "linear": linear}.items():
    ax.plot(line.table["complexity"], line.table["r2"], marker="o", ms=3, label=name)
ax.axvline(best.complexity, ls=":", color="grey", label="chosen")
ax.set(xlabel="complexity (nodes)", ylabel="held-out $R^2$", ylim=(0, 1))
ax.legend()
plots.figure(
    fig,
    name="fig-quickstart-front",
    caption=f"The chosen equation explains {best.r2:.2f} of the teacher's variance with {best.complexity} "
    f"nodes; the best linear rule over the same lags explains {linear.best.r2:.2f}.",
)

# %%
plots.equation(rf"\Delta x_t = {best.equation.latex()}", name="eq-quickstart-distilled")

# %% [markdown]
# ## Two numbers that describe a rule
#
# The **temporal perception field** (TPF, SymL2O Eq. 3) is how far back a rule looks on average; the
# **mapping complexity** (MC) is the size of the smallest equation that is close to the best fit. Both
# are defined for equations; TPF can also be taken from the network itself, as the sensitivity of its
# output to each lag, so one checks the other.

# %%
tpf_teacher = metrics.temporal_perception_field(teacher, data)
tpf_equation = metrics.temporal_perception_field(best.equation, data)
complexity = metrics.mapping_complexity(front)
display(
    Markdown(
        f"TPF of the teacher: **{tpf_teacher:.2f}** steps; of its equation: **{tpf_equation:.2f}** steps. "
        f"MC: **{complexity}** nodes."
    )
)

# %% [markdown]
# ## The race
#
# Teacher and equation run on instances that nobody has seen. SGD and Adam get the learning rate that does
# best on *other* instances, so that nothing is tuned on what is reported.

# %%
RULES = {"SGD": ("-{lr} * g", {}), "Adam": ("-{lr} * m / (sqrt(v) + 1e-8)", {"beta1": 0.9, "beta2": 0.999})}
GRID = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0]


def tuned(name: str) -> models.Equation:
    """The rule at the learning rate with the lowest finite mean loss on tuning instances."""
    text, moments = RULES[name]
    candidates = [models.Equation(text.format(lr=lr), **moments) for lr in GRID]
    scores = [meta.evaluate(rule, task, steps=100, instances=128, seed=1_000 + seed).mean() for rule in candidates]
    return candidates[int(torch.stack(scores).nan_to_num(nan=torch.inf).argmin())]


runners = {"teacher": teacher, "equation": models.Equation(best.equation), "SGD": tuned("SGD"), "Adam": tuned("Adam")}
losses = {
    name: meta.evaluate(runner, task, steps=100, instances=race_instances, seed=2_000 + seed)
    for name, runner in runners.items()
}
