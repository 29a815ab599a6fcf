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
# **In this page** you travel the whole road of *Symbolic Learning to Optimize* {cite}`zheng2022symbolic` on its
# smallest problem: meta-train a neural optimizer, distil it into an equation, describe the equation by two
# numbers, race it against its teacher and two classics, and use it as a `torch.optim.Optimizer`. At the end the
# distiller is shown what Adam reads and writes, and gives Adam back.
#
# **Cost:** about two minutes on one CPU core, in every profile. Nothing is downloaded.

# %% tags=["parameters"]
profile = "quick"  # the same computation in every profile; written into the record
seed = 0
epochs = 120  # meta-training epochs of 100 steps on 128 fresh instances
search_seconds = 30  # time limit of each symbolic regression
race_instances = 64
device = "cpu"  # or "cuda": where optimizers are trained and run

# %%
import math

import pandas as pd
import torch
from IPython.display import Markdown, display
from l2o_book import baselines, plots
from l2o_book.page import Page
from l2o_book.tables import listed, mean_std
from matplotlib import pyplot as plt

from l2o_core import distiller, meta, metrics, models, optim, tasks

page = Page("quickstart", globals())
torch.manual_seed(seed)

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
# The optimizer to be trained, **DM** {cite}`andrychowicz2016learning`, is an LSTM. It reads the gradient of one
# coordinate and proposes the update of that coordinate; all coordinates share its weights $\phi$.
# *Meta-training* runs it on many instances of the problem and changes $\phi$ so that the losses along the way
# become smaller (SymL2O Eq. 1):
#
# ```{math}
# :label: eq-meta-loss
# \min_\phi\; \mathbb{E}_f \Big[ \sum_{t=0}^{T-1} w_t\, f(\mathbf{x}_t) \Big], \qquad
# \mathbf{x}_{t+1} = \mathbf{x}_t + u_t(\phi).
# ```

# %%
task = tasks.load("p1", device=device)
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

# %% tags=["draw"]
fig, ax = plt.subplots(figsize=(6.7, 3.2))
ax.plot(
    range(1, epochs + 1),
    history.losses,
    lw=1,
    alpha=0.6,
    label="fresh instances, steps 1 to 100",
)
ax.plot(
    *zip(*history.validation, strict=True),
    marker="o",
    ms=3,
    label="held-out instances, steps 0 to 100",
)
ax.set(xlabel="meta-training epoch", ylabel="mean loss", yscale="log")
ax.legend()
first, (best_epoch, best) = history.validation[0][1], history.best
plots.figure(
    fig,
    name="fig-quickstart-learning",
    caption="Meta-training lowers the mean loss on held-out instances from "
    f"{first:.0f} to {best:.2f} in {history.seconds:.0f} s; the weights of epoch {best_epoch} are used. "
    "The held-out mean includes the starting point, so it lies above the other.",
)

# %% [markdown]
# ## From the teacher to an equation
#
# DM now becomes the *teacher*. It optimizes fresh instances while we record its inputs, the last 20 gradients
# of a coordinate, and its output, the update. Symbolic regression looks for equations that map one to the
# other, from short ones to accurate ones: a *Pareto front*. Every $R^2$ below is measured on trajectories that
# the search has not seen.

# %%
data = distiller.collect(teacher, task, lags=20, samples=5000, seed=seed)
front = distiller.distill(data, time_limit=search_seconds, seed=seed)
linear = distiller.distill(data, engine="linear", seed=seed)

# %% [markdown]
# A good fit is not yet a good optimizer: errors feed back through the trajectory, and a rule that
# extrapolates badly can diverge. So we choose the equation of the front that optimizes best, by its mean loss
# on instances set aside for tuning.
#
# Equations are defined for all real inputs, as in the paper: $\sqrt{x}$ stands for
# $\operatorname{sign}(x)\sqrt{\lvert x\rvert}$, and a quotient is 0 where its denominator is.


# %%
def tuning_loss(optimizer: models.LearnedOptimizer) -> float:
    """Mean loss over 100 steps on tuning instances; infinite if one diverges."""
    losses = meta.evaluate(
        optimizer, task, steps=100, instances=128, seed=seed + 1000
    )
    mean = losses.mean().item()
    return mean if math.isfinite(mean) else math.inf


chosen = min(front, key=lambda entry: tuning_loss(models.Equation(entry.equation)))

# %% tags=["draw"]
fig, ax = plt.subplots(figsize=(6.7, 3.2))
plots.fronts(
    ax, {"symbolic regression": front, "least squares": linear}, chosen=chosen
)
plots.figure(
    fig,
    name="fig-quickstart-front",
    caption=f"The best equation explains {front.best.r2:.2f} of the teacher's variance, "
    f"the best linear rule over the same lags {linear.best.r2:.2f}. "
    f"Chosen: {chosen.complexity} nodes, {chosen.r2:.2f}.",
)

# %% tags=["draw"]
plots.equation(
    rf"\Delta x_t = {chosen.equation.latex()}", name="eq-quickstart-distilled"
)

# %% [markdown]
# ## Two numbers that describe a rule
#
# The **temporal perception field** (TPF, SymL2O Eq. 3) is the mean lag of the gradients that a rule uses,
# weighted by their influence. The **mapping complexity** (MC) is the number of nodes of the smallest equation
# that fits well. Here we take the *relative* MC: of the equations whose $R^2$ is within 0.05 of the best, the smallest.
# TPF can also be taken from the network itself, as the sensitivity of its output to each lag.

# %%
tpf_teacher = metrics.temporal_perception_field(teacher, data)
tpf_equation = metrics.temporal_perception_field(chosen.equation, data)
complexity = metrics.mapping_complexity(front)

# %% tags=["draw"]
agree = abs(tpf_teacher - tpf_equation) < 0.25 * tpf_teacher
display(
    Markdown(
        f"TPF of the teacher: **{tpf_teacher:.1f}** steps. TPF of its equation: "
        f"**{tpf_equation:.1f}** steps. Relative MC: **{complexity}** nodes. "
        + (
            "The equation looks about as far back as its teacher does."
            if agree
            else "The two TPFs do not agree: successive gradients are much alike, so an equation can "
            "predict the teacher's updates well and still credit them to other lags. A good fit does not "
            "show that the equation uses the same memory."
        )
    )
)

# %% [markdown]
# ## The race
#
# Teacher and equation run on instances that neither training nor choice has seen. SGD and Adam get 32 trials each over
# all their constants: learning rates from 0.001 to 2, and for Adam its betas as well. The best on the tuning instances,
# where the equation was chosen too, takes part.

# %%
rules = {
    "SGD": baselines.HandMade("sgd", -3, 0.3),
    "Adam": baselines.HandMade("adam", -3, 0.3),
}
tuned = baselines.tuned(rules, lambda some: map(tuning_loss, some), trials=32)
contestants = {"teacher": teacher, "equation": models.Equation(chosen.equation)}
contestants |= {name: best.equation for name, best in tuned.items()}
losses = {
    name: meta.evaluate(
        optimizer, task, steps=100, instances=race_instances, seed=seed + 2000
    )
    for name, optimizer in contestants.items()
}

# %% [markdown]
# The minimum of an instance is unknown, and losses are negative near it, so the picture shows the
# distance to the lowest loss that any of the four ever reached on that instance.

# %% tags=["draw"]
lowest = torch.stack(list(losses.values())).amin(dim=(0, 2))
fig, ax = plt.subplots(figsize=(6.7, 3.8))
for name, curves in losses.items():
    plots.band(ax, curves - lowest[:, None] + 1e-3, name)
ax.set(xlabel="step", ylabel="loss above the best known", yscale="log")
ax.legend()
mean = {name: curves.mean().item() for name, curves in losses.items()}
ranking = sorted(mean, key=mean.get)
plots.figure(
    fig,
    name="fig-quickstart-race",
    caption=f"{race_instances} unseen instances of P1, median and central 68 %. From the lowest mean loss over "
    f"100 steps to the highest: {listed(ranking)}.",
)

# %% tags=["draw"]
plots.table(
    pd.DataFrame(
        {
            "optimizer": name,
            "mean loss over 100 steps": mean_std(curves.mean(1).tolist()),
            "loss after 100 steps": mean_std(curves[:, -1].tolist()),
            "tuned constants": baselines.text(tuned[name].constants)
            if name in tuned
            else None,
        }
        for name, curves in losses.items()
    ),
    name="tab-quickstart-race",
    caption="The race in numbers: mean ± standard deviation over "
    f"{race_instances} unseen instances, which differ much from each other.",
)

# %% [markdown]
# ## The equation as a PyTorch optimizer
#
# The rule is a `torch.optim.Optimizer`. Below it minimises one of the race's instances, written as any
# PyTorch program would be; the losses are those of the race.

# %%
generator = torch.Generator().manual_seed(seed + 2000)
starts = task.init(generator, race_instances)
instance = tuple(part[:1] for part in next(task.batches(generator, race_instances)))
x = torch.nn.Parameter(starts[:1].clone())
optimizer = optim.SymbolicOptimizer([x], chosen.equation, lr=1.0)
trace = []
for _ in range(100):
    optimizer.zero_grad()
    loss = task.loss(x, instance).sum()
    loss.backward()
    optimizer.step()
    trace.append(loss.item())

# %% tags=["draw"]
difference = (torch.tensor(trace) - losses["equation"][0, :100]).abs().max().item()
display(
    Markdown(
        f"After 99 steps: loss {trace[-1]:.4f}; "
        f"largest difference from the race {difference:.0e}."
    )
)

# %% [markdown]
# ## A check: Adam comes back
#
# A distiller that is to be trusted must return what is known. The inputs are Adam's moments $m_t$ and $v_t$
# along runs on $\mathcal{P}_1$, the target is its update, and the search is not told how they are related.

# %%
adam = models.Equation("-0.1 * m / (sqrt(v) + 1e-8)", beta1=0.9, beta2=0.999)
moments = distiller.collect(adam, task, lags=1, samples=5000, seed=seed)
returned = distiller.distill(
    moments, max_complexity=20, time_limit=search_seconds, seed=seed
)
simplest = returned.at(complexity=metrics.mapping_complexity(returned))

# %% tags=["draw"]
plots.equation(
    rf"\Delta x_t = {simplest.equation.latex()}", name="eq-quickstart-adam"
)

# %% tags=["draw"]
display(
    Markdown(
        rf"Expected was $-0.1\, m_t / \sqrt{{v_t}}$; {{eq}}`eq-quickstart-adam` is what came back, with a "
        f"held-out $R^2$ of **{simplest.r2:.6f}**."
    )
)

# %% [markdown]
# ## Cost

# %%
page.record(
    {
        "meta_training_s": history.seconds,
        "search_s": search_seconds,
        "equation": str(chosen.equation),
        "complexity": chosen.complexity,
        "r2": chosen.r2,
        "r2_linear": linear.best.r2,
        "tpf": {"teacher": tpf_teacher, "equation": tpf_equation},
        "mc": complexity,
        "race": {name: curves.mean(1).tolist() for name, curves in losses.items()},
        "adam": {"equation": str(simplest.equation), "r2": simplest.r2},
    },
    dataset=task.dataset,
    engine="operon",
)
display(
    Markdown(
        f"{page.seconds:.0f} s in all: {history.seconds:.0f} s of meta-training, "
        "the rest search and races."
    )
)

# %% [markdown]
# **Where to go next.** {doc}`sanity_checks` asks how far distillation can be trusted, on real gradients of a
# deep network. [](../book/deviations.md) lists what was decided where the papers leave room.
