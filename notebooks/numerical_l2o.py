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
# # The teachers: six numerical optimizers
#
# **What this page shows.** An equation can only be as good as the network it is distilled from. Here the six
# numerical optimizers of SymL2O's Table 3 are meta-trained on the problem $\mathcal{P}_2$, a small perceptron
# on MNIST, judged from unseen initialisations against hand-made optimizers with tuned learning rates, and
# then taken to a deeper perceptron, $\mathcal{P}_3$: the "numerical" row of Table 3 and the left half of
# Figure 4. Two choices behind their training are put to the test as well: a meta-gradient from a sample of
# the coordinates, and back-propagation against evolution strategies.
#
# **What it costs.** In `quick`, two minutes, on scikit-learn's digits in place of MNIST and with a tenth of
# the training. In `standard`, two hours on two CPU cores. The page draws the recorded `standard` run where
# there is one, and ends with what this build itself has measured.

# %% tags=["parameters"]
profile = "quick"  # quick, standard or paper
seeds = [0]  # training seeds of every teacher
dataset = "digits"  # "digits", a stand-in, or "mnist"
folder = ""  # where checkpoints are kept, inside the book; empty: nowhere
workers = 2  # teachers trained at once, one core each
shorten = 20  # train for this fraction of the recipes' epochs: 1 / shorten
inits = 3  # unseen initialisations for every judgement
per_decade = 2  # learning rates tried for the hand-made rules
p2_steps = 100
p3_steps = 200
sampled_epochs = 4  # for the comparison of sampled and exact meta-gradients
pes_epochs = 20  # for TBPTT against PES: PES gets a fifth, its epochs cost more

# %%
import math
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown, display
from l2o_book import plots, records
from matplotlib import pyplot as plt

from l2o_core import meta, models, tasks

plots.use_style()
torch.set_num_threads(1)  # several at once, one core each
started = time.perf_counter()

# %% [markdown]
# ## Six teachers
#
# A teacher reads features of one coordinate's gradient and proposes that coordinate's update; the same
# weights serve all coordinates, so an optimizer trained on 40,000 coordinates works on any number.
#
# | | reads | network | update |
# | :--- | :--- | :--- | :--- |
# | DM {cite}`andrychowicz2016learning` | $\log\lvert g\rvert$, $\operatorname{sign} g$ | two LSTMs of 20 | linear |
# | RP {cite}`lv2017learning` | $\hat m, \hat g$ | 20 ELU units, two LSTMs of 20 | tanh, at most 0.01 |
# | RPSmall | $\hat m, \hat g$ | 6 ELU units, one LSTM of 7 | tanh, at most 0.01 |
# | RPSmallExtra | $\hat m, \hat g, \hat n$ | the same | tanh, at most 0.01 |
#
# with the features of SymL2O's Eq. 5,
#
# ```{math}
# :label: eq-rp-features
# \hat m_t = \frac{m_t}{\sqrt{v_t}},\qquad \hat g_t = \frac{g_t}{\sqrt{v_t}},\qquad
# m_t = \frac{(1-\beta)\sum_i \beta^{i} g_{t-i}}{1-\beta^t},\quad
# v_t = \frac{(1-\beta)\sum_i \beta^{i} g_{t-i}^2}{1-\beta^t},\quad \beta = 0.95,
# ```
#
# and $\hat n$ an $\hat m$ with learnable powers of the gradient. DM and RP are also trained with the two
# helps of {cite}`chen2020training`, marked **CL+IL**: a *curriculum* of ever longer runs, and *imitation*,
# by which a share of the epochs follows Adam instead of the loss.
#
# Each teacher is trained by truncated back-propagation: 20 steps of the optimizee are played, their mean
# loss (SymL2O Eq. 1) changes the teacher's weights, and the next 20 steps begin where these ended.


# %%
TEACHERS = {
    "DM": "dm/p2",
    "DM+CL+IL": "dm_cl_il/p2",
    "RP": "rp/p2",
    "RP+CL+IL": "rp_cl_il/p2",
    "RPSmall": "rp_small/p2",
    "RPSmallExtra": "rp_small_extra/p2",
}
P2, P3 = (50, 20), (50, 20, 20, 12)  # widths of the hidden layers


def mlp(hidden: tuple[int, ...], half: int, low: float = -0.5) -> tasks.MLP:
    """A perceptron on one half of the training images: 0 trains and tunes, 1 judges."""
    return tasks.MLP("mlp", dataset, hidden, half=half, low=low)


def recipe(name: str, **training) -> meta.recipes.Recipe:
    """A teacher's recipe on this run's data set, shortened as this run asks."""
    found = meta.recipes.load(name)
    options = {"epochs": max(1, found.training.epochs // shorten)} | training
    task = {"name": "p2" if dataset == "mnist" else dataset, "half": 0}
    return replace(found, task=task, training=replace(found.training, **options))


where = records.kept(folder, profile) or tempfile.mkdtemp(prefix="teachers-")
trained = meta.train_teachers(
    [recipe(name) for name in TEACHERS.values()],
    seeds,
    where,
    workers,
    progress=False,
)
teachers = {
    label: [model for model, _ in trained[name]] for label, name in TEACHERS.items()
}
histories = {
    label: [history for _, history in trained[name]]
    for label, name in TEACHERS.items()
}

# %% [markdown]
# ## Hand-made optimizers, tuned
#
# SGD, momentum, Adam and RMSprop get the learning rate that does best on the teachers' own training images,
# several rates to a decade: the same images, batch size, initialisation and number of steps as the teachers
# have. All are written as equations and run by the same code.

# %%
CLASSICS = {
    "SGD": ("-{} * g", {}, (-2, 1)),
    "Momentum(0.9)": ("-{} * b", {"beta1": 0.9}, (-2.5, 0.5)),
    "Adam": (
        "-{} * m / (sqrt(v) + 1e-8)",
        {"beta1": 0.9, "beta2": 0.999},
        (-3.5, -1),
    ),
    "RMSprop": (
        "-{} * g / (sqrt(v) + 1e-8)",
        {"beta2": 0.99, "bias_correction": False},
        (-4, -1.5),
    ),
}


def losses(rules, hidden, steps, half=1, low=-0.5, seed=3000) -> list[torch.Tensor]:
    """Losses [inits, steps + 1] of each rule on the same unseen initialisations."""

    def one(rule: models.LearnedOptimizer) -> torch.Tensor:
        task = mlp(hidden, half, low)
        return meta.evaluate(rule, task, steps=steps, instances=inits, seed=seed)

    with ThreadPoolExecutor(workers) as pool:  # PyTorch works without Python's lock
        return list(pool.map(one, rules))


def tuned(
    name: str, hidden: tuple[int, ...], steps: int, low: float = -0.5
) -> models.Equation:
    """The rule at the learning rate with the lowest mean loss where teachers train."""
    text, moments, (first, last) = CLASSICS[name]
    rates = 10 ** np.arange(first, last + 0.01, 1 / per_decade)
    rules = [models.Equation(text.format(f"{lr:.3g}"), **moments) for lr in rates]

    tried = losses(rules, hidden, steps, 0, low, seed=1000)
    means = [loss.mean().nan_to_num(math.inf).item() for loss in tried]
    return rules[int(np.argmin(means))]


# %% [markdown]
# ## Judged
#
# Every teacher of every training seed, and every tuned rule, on images that no teacher was trained on, from
# initialisations and with batches that no choice was made by.


# %%
def judged(hidden: tuple[int, ...], steps: int, low: float = -0.5) -> dict:
    """Curves [runs, 51 points], mean and end loss [runs], learning rate."""
    results = {}
    for name in [*teachers, *CLASSICS]:
        rules = teachers.get(name) or [tuned(name, hidden, steps, low)]
        every = torch.cat(losses(rules, hidden, steps, low=low))
        points = np.linspace(0, steps, 51).round().astype(int)
        results[name] = {
            "steps": points,
            "curves": [
                [float(f"{x:.4g}") for x in run] for run in every[:, points]
            ],
            "mean": every.mean(1),
            "end": every[:, -10:].mean(1),
            "seeds": len(rules),
            "lr": None
            if name in teachers
            else f"{-rules[0].constants[0].item():.2g}",
        }
    return results


own = {"dataset": dataset, "inits": inits}
own["P2"], own["P3"] = judged(P2, p2_steps), judged(P3, p3_steps)
own["P2 [0, 1]"] = judged(P2, p2_steps, low=0.0)
own["training"] = {
    name: {
        "seconds": [history.seconds for history in runs],
        "validation": [history.validation for history in runs],
        "diverged": [len(history.diverged) for history in runs],
        "epochs": len(runs[0].losses),
    }
    for name, runs in histories.items()
}

# %% [markdown]
# ## A sample of the coordinates is enough
#
# The meta-gradient is a sum over coordinates, so a random 5 % of them gives an unbiased estimate at a
# fraction of the cost ({doc}`../book/deviations`). Does training with it learn as much from as many epochs?

# %%
FRACTIONS = {"all coordinates": 1.0, "20 % of them": 0.2, "5 % of them": 0.05}
trials = {
    label: replace(
        recipe("rp_small/p2", epochs=sampled_epochs, fraction=fraction),
        name=f"rp_small/fraction_{fraction}",
    )
    for label, fraction in FRACTIONS.items()
}
compared = meta.train_teachers(
    list(trials.values()), seeds, where, workers, progress=False
)
own["sampling"] = {
    label: {
        "validation": [history.validation for _, history in compared[trial.name]],
        "seconds": [history.seconds for _, history in compared[trial.name]],
    }
    for label, trial in trials.items()
}

# %% [markdown]
# ## Back-propagation or evolution?
#
# Truncated back-propagation ignores how an update changes what happens after the 20 steps. Persistent
# evolution strategies {cite}`vicol2021unbiased` do not: weights are moved at random, and a move is credited
# with the loss of the whole run so far. The price is variance. Both train RPSmallExtra on $\mathcal{P}_1$.

# %%
base = meta.recipes.load("rp_small_extra/p1")
ways = {}
for label, options in {
    "TBPTT": {"epochs": pes_epochs},
    "PES": {"epochs": max(1, pes_epochs // 5), "estimator": "pes"},
}.items():
    options |= {"validate_every": max(1, options["epochs"] // 20)}
    name = f"rp_small_extra/p1_{label.lower()}"
    training = replace(base.training, **options)
    ways[label] = replace(base, name=name, training=training)
raced = meta.train_teachers(
    list(ways.values()), seeds, where, workers, progress=False
)
own["estimators"] = {
    label: {
        "validation": [history.validation for _, history in raced[way.name]],
        "seconds": [history.seconds for _, history in raced[way.name]],
    }
    for label, way in ways.items()
}
saved = records.save(
    "numerical_l2o",
    own,
    profile=profile,
    seed=seeds,
    dataset=mlp(P2, 1).dataset,
    wall_time=time.perf_counter() - started,
)

# %%
record = records.shown("numerical_l2o", profile)
run = record["values"]
source = (
    f"profile {record['profile']}, {record['dataset']}, {len(record['seed'])} training "
    f"seed(s) × {run['inits']} initialisations"
)
display(Markdown(f"All that follows shows: **{source}**, {record['date'][:10]}."))

# %% [markdown]
# ## Learning curves

# %%
SHADES = {
    "DM": plots.CYCLE[7],
    "DM+CL+IL": plots.CYCLE[6],
    "RP": plots.CYCLE[4],
    "RP+CL+IL": plots.CYCLE[1],
    "RPSmall": plots.CYCLE[2],
    "RPSmallExtra": plots.CYCLE[3],
}
fig, axes = plt.subplots(2, 3, figsize=(9, 4.6), sharey=True)
for ax, (name, training) in zip(axes.flat, run["training"].items(), strict=True):
    for number, validation in enumerate(training["validation"]):
        epochs, values = zip(*validation, strict=True)
        ax.plot(
            epochs, values, color=SHADES[name], alpha=0.5 + 0.25 * (number == 0)
        )
    ax.set(title=name, ylim=(0, 2.6))
for ax in axes[-1]:
    ax.set_xlabel("meta-training epoch")
for ax in axes[:, 0]:
    ax.set_ylabel("validation loss")
best = {
    name: min(
        loss for validation in training["validation"] for _, loss in validation
    )
    for name, training in run["training"].items()
}
plots.figure(
    fig,
    name="fig-numerical-learning",
    caption="Mean loss on held-out instances during meta-training, one line a seed. With a "
    "curriculum the horizon grows along the way, and a longer run has a lower mean loss. "
    f"Lowest: {min(best, key=best.get)}. ({source}.)",
)

# %% [markdown]
# ## On the problem they were trained on


# %%
def race_figure(part: dict, name: str, title: str) -> None:
    """DM-type teachers beside the simple rules, RP-type beside the adaptive ones."""
    groups = [
        ["DM", "DM+CL+IL", "SGD", "Momentum(0.9)"],
        ["RP", "RP+CL+IL", "RPSmall", "RPSmallExtra", "Adam", "RMSprop"],
    ]
    fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True)
    for ax, group in zip(axes, groups, strict=True):
        for label in group:
            line = {"color": SHADES[label]} if label in SHADES else {"ls": "--"}
            curves = part[label]["curves"]
            plots.band(ax, curves, label, x=part[label]["steps"], **line)
        ax.set(xlabel="step", yscale="log")
        ax.legend(fontsize=8)
    axes[0].set(ylabel="minibatch loss")
    axes[0].set_yticks([0.2, 0.5, 1, 2], ["0.2", "0.5", "1", "2"], minor=False)
    axes[0].minorticks_off()
    order = sorted(part, key=lambda label: np.mean(part[label]["end"]))
    plots.figure(
        fig,
        name=name,
        caption=f"{title}: median and central 68 % of all runs; dashed, hand-made rules at "
        f"their best learning rate. Lowest at the end: {', then '.join(order[:3])}. ({source}.)",
    )


def race_table(part: dict) -> pd.DataFrame:
    """Mean and end loss of every optimizer."""
    return pd.DataFrame(
        {
            "optimizer": name,
            "mean loss": records.mean_std(result["mean"]),
            "end loss": records.mean_std(result["end"]),
            "learning rate": result["lr"],
        }
        for name, result in part.items()
    )


def length(part: dict) -> int:
    """Steps of a race."""
    return part["SGD"]["steps"][-1]


race_figure(run["P2"], "fig-numerical-p2", "On P2 from unseen initialisations")
plots.table(
    race_table(run["P2"]),
    name="tab-numerical-p2",
    caption=f"P2, {length(run['P2'])} steps: loss over all steps and over the last ten, mean ± "
    f"standard deviation over all runs ({source}).",
)

# %% [markdown]
# How the pixels are scaled matters more than most choices of an optimizer. All training here is on pixels in
# $[-0.5, 0.5]$, as in the published code. On pixels in $[0, 1]$, which these teachers have not seen, every
# optimizer does better; the published pre-trained RNNprop has a mean loss of 0.647 there, 0.292 at the end.

# %%
unit = run["P2 [0, 1]"]
below = {
    key: [name for name in teachers if np.mean(unit[name][key]) < level]
    for key, level in {"mean": 0.647, "end": 0.292}.items()
}
plots.table(
    race_table(unit),
    name="tab-numerical-unit",
    caption="The same on pixels in [0, 1]: teachers as trained on [-0.5, 0.5], hand-made rules tuned anew. "
    f"Below the published RNNprop in mean loss: {', '.join(below['mean']) or 'none'}; at the end: "
    f"{', '.join(below['end']) or 'none'} ({source}).",
)

# %% [markdown]
# ## On a deeper problem: Table 3 and Figure 4
#
# $\mathcal{P}_3$ has two more hidden layers, and starts on a longer plateau. The paper does not say after
# how many steps it reads the loss, nor how its baselines were tuned, so levels can be compared only roughly;
# the order of the teachers can be.

# %%
race_figure(run["P3"], "fig-numerical-p3", "Trained on P2, taken to P3")
published = records.published("SymL2O Table 3")
printed = published[published["column"] == "loss numerical"].set_index("row")[
    "text"
]
table3 = race_table(run["P3"])
table3.insert(1, "published", [printed.get(name) for name in table3["optimizer"]])
plots.table(
    table3,
    name="tab-numerical-p3",
    caption="The numerical row of SymL2O Table 3 beside ours: loss on P3 after training on P2; "
    f"ours over all {length(run['P3'])} steps and over the last ten ({source}).",
)

# %% [markdown]
# The paper reads three claims from that table; and a teacher should at least beat the tuned rule that reads the
# same inputs. Each is judged here on the end loss: the difference against its standard error, which is taken
# between the means of the training seeds. Hand-made rules have no training seed; initialisations are the same.


# %%
def by_seed(part: dict, name: str) -> np.ndarray:
    """Mean end loss of each training seed."""
    result = part[name]
    return np.array(result["end"]).reshape(result["seeds"], -1).mean(1)


def verdict(part: dict, better: str, worse: str) -> dict:
    """One claim, our difference, and what it says."""
    a, b = by_seed(part, better), by_seed(part, worse)
    difference = a.mean() - b.mean()
    trained = [part for part in (a, b) if len(part) > 1]
    error = math.sqrt(sum(part.var(ddof=1) / len(part) for part in trained))
    error = error or math.nan
    if not abs(difference) > 2 * error:
        says = "undecided"
    else:
        says = "holds" if difference < 0 else "the reverse holds"
    shown = (
        f"{difference:+.3f} ± {error:.3f}" if len(a) > 1 else f"{difference:+.3f}"
    )
    return {
        "claim": f"{better} below {worse}",
        "difference": shown,
        "verdict": says,
    }


CLAIMS = [
    ("DM+CL+IL", "DM"),
    ("RP+CL+IL", "RP"),
    ("RP", "DM"),
    *(("RPSmallExtra", other) for other in ("RP", "RP+CL+IL", "RPSmall")),
    *((name, "Adam") for name in ("RP", "RP+CL+IL", "RPSmall", "RPSmallExtra")),
    ("DM+CL+IL", "Momentum(0.9)"),
    ("DM", "SGD"),
]
verdicts = {
    problem: [verdict(run[problem], *claim) for claim in CLAIMS]
    for problem in ("P2", "P3")
}
table = pd.DataFrame(verdicts["P2"]).merge(
    pd.DataFrame(verdicts["P3"]), on="claim", suffixes=(" on P2", " on P3")
)
plots.table(
    table,
    name="tab-numerical-verdict",
    caption="The order claimed by Table 3, and the rules to beat: difference of end losses ± standard error "
    f"over training seeds; undecided within two standard errors, or with one seed ({source}).",
)

# %% [markdown]
# ## The two comparisons


# %%
def against(part: dict, ax: plt.Axes, clock: bool) -> None:
    """Validation curves, one line a seed, against epochs or seconds."""
    for shade, (label, results) in zip(plots.CYCLE, part.items(), strict=False):
        runs = zip(results["validation"], results["seconds"], strict=True)
        for number, (validation, seconds) in enumerate(runs):
            epochs, values = (np.array(v) for v in zip(*validation, strict=True))
            x = epochs / epochs[-1] * seconds if clock else epochs
            ax.plot(x, values, color=shade, label=None if number else label)
    ax.legend(fontsize=9)


def last(results: dict) -> str:
    """Best validation loss, over the seeds that left the first plateau, and how many did not."""
    best = [min(loss for _, loss in run) for run in results["validation"]]
    left = [
        low
        for low, run in zip(best, results["validation"], strict=True)
        if low < 0.99 * run[0][1]
    ]
    stuck = f", {len(best) - len(left)} stuck" if len(left) < len(best) else ""
    return (records.mean_std(left) if left else "none") + stuck


fig, axes = plt.subplots(1, 2, figsize=(9, 3.4))
against(run["sampling"], axes[0], clock=False)
axes[0].set(
    xlabel="meta-training epoch", ylabel="validation loss", title="RPSmall on P2"
)
against(run["estimators"], axes[1], clock=True)
axes[1].set(
    xlabel="seconds of meta-training", yscale="log", title="RPSmallExtra on P1"
)
sampling, estimators = run["sampling"], run["estimators"]
plots.figure(
    fig,
    name="fig-numerical-estimators",
    caption="Left, a sampled meta-gradient against the exact one, per epoch: best "
    + "; ".join(f"{label} {last(results)}" for label, results in sampling.items())
    + ". Right, back-propagation against evolution strategies, per second: best "
    + "; ".join(f"{label} {last(results)}" for label, results in estimators.items())
    + f". One line a training seed ({source}).",
)

# %% [markdown]
# ## What it cost
#
# The paper's Table 6 gives the time of meta-training as 3 minutes ($\mathcal{P}_1$) to 10 ($\mathcal{P}_3$),
# on a GPU.

# %%
cost = pd.DataFrame(
    {
        "teacher": name,
        "epochs": training["epochs"],
        "minutes, one core": records.mean_std(
            [seconds / 60 for seconds in training["seconds"]]
        ),
        "epochs rolled back": sum(training["diverged"]),
        "weights": sum(p.numel() for p in teachers[name][0].parameters()),
    }
    for name, training in run["training"].items()
)
machine = record["hardware"]
plots.table(
    cost,
    name="tab-numerical-cost",
    caption=f"Meta-training of one teacher, two at a time on {machine['cores']} cores "
    f"({machine['cpu']}); {source}. SymL2O Table 6: "
    f"{records.published('SymL2O Table 6').set_index('row')['text']['Meta-training']}.",
)

# %% [markdown]
# ## What this build measured itself

# %%
own_losses = {
    name: {
        "P2": records.mean_std(own["P2"][name]["end"].tolist()),
        "P3": records.mean_std(own["P3"][name]["end"].tolist()),
    }
    for name in own["P2"]
}
plots.table(
    pd.DataFrame(own_losses).T.rename_axis("optimizer").reset_index(),
    name="tab-numerical-own",
    caption=f"End losses of this build: profile {profile}, {mlp(P2, 1).dataset}, {len(seeds)} "
    f"seed(s), {p2_steps} and {p3_steps} steps, 1/{shorten} of the recipes' epochs.",
)
print(f"{time.perf_counter() - started:.0f} s in all")
