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
import math
import time

import pandas as pd
import torch
from IPython.display import Markdown, display
from l2o_book import plots, records
from matplotlib import pyplot as plt

from l2o_core import distiller, meta, metrics, models, optim, tasks

plots.use_style()
torch.manual_seed(seed)
torch.set_num_threads(1)  # 1280 coordinates are too few to share between cores
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
    teacher,
    task,
    seed=seed,
    epochs=epochs,
    steps=100,
    unroll=20,
    instances=128,
    lr=3e-3,
    progress=False,
)
meta_seconds = history.seconds

# %%
fig, ax = plt.subplots(figsize=(7, 3.2))
ax.plot(
    range(1, epochs + 1),
    history.losses,
    lw=1,
    alpha=0.6,
    label="training (fresh instances)",
)
ax.plot(
    *zip(*history.validation, strict=True),
    marker="o",
    ms=3,
    label="held-out instances",
)
ax.set(
    xlabel="meta-training epoch", ylabel="mean loss over 100 steps", yscale="log"
)
ax.legend()
first, (best_epoch, best) = history.validation[0][1], history.best
plots.figure(
    fig,
    name="fig-quickstart-learning",
    caption="Meta-training lowers the mean loss on held-out instances from "
    f"{first:.0f} to {best:.2f} in {meta_seconds:.0f} s; the weights of epoch {best_epoch} are kept.",
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
    max_complexity=100, time_limit=search_seconds, seed=seed,
)  # fmt: skip
linear = distiller.distill(
    data.inputs,
    data.targets,
    names=data.names,
    groups=data.groups,
    engine="linear",
    seed=seed,
)

# %% [markdown]
# A good fit is not yet a good optimizer: errors feed back through the trajectory, and a rule that
# extrapolates badly can diverge. So the equation is chosen as a user would choose it: the one of the front
# with the lowest mean loss on instances set aside for tuning.


# %%
def tuning_loss(rule: models.LearnedOptimizer) -> float:
    """Mean loss over 100 steps on tuning instances; infinite if one diverges."""
    mean = (
        meta.evaluate(rule, task, steps=100, instances=128, seed=seed + 1000)
        .mean()
        .item()
    )
    return mean if math.isfinite(mean) else math.inf


chosen = min(front, key=lambda entry: tuning_loss(models.Equation(entry.equation)))

# %%
fig, ax = plt.subplots(figsize=(7, 3.2))
plots.fronts(ax, {"operon": front, "linear": linear}, chosen)
plots.figure(
    fig,
    name="fig-quickstart-front",
    caption=f"The best equation explains {front.best.r2:.2f} of the teacher's variance, "
    f"the best linear rule over the same lags {linear.best.r2:.2f}. "
    f"Chosen: {chosen.complexity} nodes, {chosen.r2:.2f}.",
)

# %%
plots.equation(
    rf"\Delta x_t = {chosen.equation.latex()}", name="eq-quickstart-distilled"
)

# %% [markdown]
# ## Two numbers that describe a rule
#
# The **temporal perception field** (TPF, SymL2O Eq. 3) is how far back a rule looks on average; the
# **mapping complexity** (MC) is the size of the smallest equation that is close to the best fit. Both
# are defined for equations; TPF can also be taken from the network itself, as the sensitivity of its
# output to each lag, so one checks the other.

# %%
tpf_teacher = metrics.temporal_perception_field(teacher, data)
tpf_equation = metrics.temporal_perception_field(chosen.equation, data)
complexity = metrics.mapping_complexity(front)
display(
    Markdown(
        f"TPF of the teacher: **{tpf_teacher:.2f}** steps; "
        f"of its equation: **{tpf_equation:.2f}** steps. "
        f"MC: **{complexity}** nodes."
    )
)

# %% [markdown]
# ## The race
#
# Teacher and equation run on instances that nobody has seen. SGD and Adam get, of 34 learning rates, the
# one that does best on the tuning instances, where the equation was chosen too: nothing is tuned on what is
# reported.

# %%
CLASSICS = {
    "SGD": ("-{lr} * g", {}),
    "Adam": ("-{lr} * m / (sqrt(v) + 1e-8)", {"beta1": 0.9, "beta2": 0.999}),
}
GRID = [10 ** (i / 10 - 3) for i in range(34)]  # 0.001 to 2, ten to a decade


def tuned(text: str, moments: dict) -> models.Equation:
    """The rule at the learning rate with the lowest loss on the tuning instances."""
    return min(
        (models.Equation(text.format(lr=lr), **moments) for lr in GRID),
        key=tuning_loss,
    )


runners = {"teacher": teacher, "equation": models.Equation(chosen.equation)}
runners |= {name: tuned(*rule) for name, rule in CLASSICS.items()}
losses = {
    name: meta.evaluate(
        runner, task, steps=100, instances=race_instances, seed=seed + 2000
    )
    for name, runner in runners.items()
}

# %% [markdown]
# The minimum of an instance is unknown, and losses are negative near it, so the picture shows the
# distance to the lowest loss that any of the four ever reached on that instance.

# %%
lowest = torch.stack(list(losses.values())).amin(dim=(0, 2))
fig, ax = plt.subplots(figsize=(7, 3.8))
for name, curves in losses.items():
    plots.band(ax, curves - lowest[:, None] + 1e-3, name)
ax.set(xlabel="step", ylabel="loss above the best known", yscale="log")
ax.legend()
mean = {name: curves.mean().item() for name, curves in losses.items()}
ranking = sorted(mean, key=mean.get)
plots.figure(
    fig,
    name="fig-quickstart-race",
    caption=f"{race_instances} unseen instances of P1, median and central 68 %. "
    f"Over 100 steps the lowest mean loss is that of the {ranking[0]}, then {', '.join(ranking[1:])}.",
)

# %%
race = pd.DataFrame(
    {
        "optimizer": name,
        "mean loss over 100 steps": records.mean_std(curves.mean(1).tolist()),
        "loss after 100 steps": records.mean_std(curves[:, -1].tolist()),
        "learning rate": f"{-runners[name].constants[0].item():g}"
        if name in CLASSICS
        else None,
    }
    for name, curves in losses.items()
)
plots.table(
    race,
    name="tab-quickstart-race",
    caption="The race in numbers: mean ± standard deviation over "
    f"{race_instances} unseen instances.",
)

# %% [markdown]
# ## The equation as a PyTorch optimizer
#
# The rule is a `torch.optim.Optimizer`. Below it minimises one of the race's instances, written as any
# PyTorch program would be; the losses are those of the race.

# %%
generator = torch.Generator().manual_seed(seed + 2000)
starts, instance = (
    task.init(generator, race_instances),
    next(task.batches(generator, race_instances)),
)
x = torch.nn.Parameter(starts[:1].clone())
optimizer = optim.SymbolicOptimizer([x], chosen.equation, lr=1.0)
trace = []
for _ in range(100):
    optimizer.zero_grad()
    loss = task.loss(x, tuple(part[:1] for part in instance)).sum()
    loss.backward()
    optimizer.step()
    trace.append(loss.item())
difference = (torch.tensor(trace) - losses["equation"][0, :100]).abs().max().item()
display(
    Markdown(
        f"After 99 steps: loss {trace[-1]:.4f}; "
        f"largest difference to the race {difference:.1e}."
    )
)

# %% [markdown]
# ## A check: Adam comes back
#
# A distiller that is to be trusted must return what is known. The inputs are Adam's moments $m_t$ and $v_t$
# along runs on $\mathcal{P}_1$, the target is its update, and the search is not told how they are related.

# %%
adam = models.Equation("-0.1 * m / (sqrt(v) + 1e-8)", beta1=0.9, beta2=0.999)
seen = distiller.collect(adam, task, lags=1, samples=5000, seed=seed)
returned = distiller.distill(
    seen.inputs, seen.targets, names=seen.names, groups=seen.groups,
    max_complexity=20, time_limit=search_seconds, seed=seed,
)  # fmt: skip
simplest = returned.at(complexity=metrics.mapping_complexity(returned))
plots.equation(
    rf"\Delta x_t = {simplest.equation.latex()}", name="eq-quickstart-adam"
)
display(
    Markdown(
        f"Expected: $-0.1\\, m_t / \\sqrt{{v_t}}$. "
        f"Held-out $R^2$: **{simplest.r2:.6f}**."
    )
)

# %% [markdown]
# ## What it cost

# %%
seconds = time.perf_counter() - started
values = {
    "meta_training_s": meta_seconds,
    "search_s": search_seconds,
    "equation": str(chosen.equation),
    "complexity": chosen.complexity,
    "r2": chosen.r2,
    "r2_linear": linear.best.r2,
    "tpf": {"teacher": tpf_teacher, "equation": tpf_equation},
    "mc": complexity,
    "race": {name: curves.mean(1).tolist() for name, curves in losses.items()},
    "adam": {"equation": str(simplest.equation), "r2": simplest.r2},
}
records.save(
    "quickstart",
    values,
    profile=profile,
    seed=seed,
    dataset=task.dataset,
    engine="operon",
    wall_time=seconds,
)
display(
    Markdown(
        f"{seconds:.0f} s in all: {meta_seconds:.0f} s of meta-training, "
        "the rest search and races."
    )
)

# %% [markdown]
# **Where to go next.** {doc}`sanity_checks` asks how far distillation can be trusted, on real gradients of a
# deep network. [](../book/deviations.md) lists what was decided where the papers leave room.
