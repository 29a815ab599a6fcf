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
# # The equation at work on large networks
#
# **What this page shows.** What SymL2O is for: a learned optimizer, once it is an equation, can train networks
# that it could never have been trained on as an LSTM. The equation's constants are *meta-tuned* on a convolutional
# network, and the rule then competes with a grid of SGD and with Adam (Table 4, Figure 2). Beside it: what
# meta-tuning changes (Table 5), what each stage costs (Table 6), and how size matters (Table 8).
#
# **What it costs.** In `quick`, two minutes: a ResNet-18 of a sixteenth of its width, on scikit-learn's digits. In
# `standard`, hours on two CPU cores: an eighth of the width, real CIFAR-10 images, three seeds. `paper` is
# ResNet-50 on CIFAR-10 for 200 epochs, on a GPU.

# %% tags=["parameters"]
profile = "quick"  # quick, standard or paper
seeds = [0]  # of the teachers, and of the networks that are trained
dataset = "digits"  # digits stands in for "cifar10"
folder = (
    ""  # where teachers, fronts and trainings are kept; empty: pretrained teachers
)
depth = 18  # of the ResNet
width = 4  # of its first stage; 64 is the published one
images = 512  # that networks are trained on; 0: all
tested = 512  # images of the test split; 0: all
epochs = 8
augment = False  # shifts and mirroring, as usual for CIFAR
rates = [0.1, 0.01]  # of SGD
momenta = [0.5, 0.9]  # of SGD
problems = [
    "p1",
    "digits",
]  # where teachers come from: "p1", "p2", "p4"; digits stands in for "p2"
once = []  # more of them, with the teachers of the first seed only
time_limit = 3.0  # seconds of search for each equation
tune_epochs = 2
tune_steps = 40  # in each of these epochs
fraction = 0.05  # of the coordinates, for the meta-gradient
complexities = [10, 100]  # for Table 8
device = "cpu"
compiled = False  # one kernel for each rule; needs a compiler

# %%
import time
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown, display
from l2o_book import plots, records
from l2o_book.pipeline import STAND_INS, Study
from l2o_book.training import Fit, fit
from matplotlib import pyplot as plt

from l2o_core import data, distiller, meta, models, optim, tasks
from l2o_core.tasks.vision import resnet

plots.use_style()
started = time.perf_counter()
kept = records.kept(folder, profile)
STUDY = Study(kept, time_limit=time_limit, max_complexity=200)
TEACHERS = {"DM": "dm", "RPSmallExtra": "rp_small_extra"}

# %% [markdown]
# ## The task
#
# Half of the training images is for meta-tuning. Networks are trained on images of the other half, choices (the
# best cell of a grid) are made on further images of it, and what is reported is the accuracy on test images. All
# optimizers start from the same weights and see the same images in the same order, for as many epochs.

# %%
everything, test = data.load(dataset, "train"), data.load(dataset, "test")
channels = everything.images.shape[1]
build = partial(
    resnet, depth, classes=everything.classes, width=width, channels=channels
)


def cut(part: data.ImageData, first: int, count: int) -> data.ImageData:
    """Some images of a split."""
    rows = slice(first, first + count)
    return replace(part, images=part.images[rows], labels=part.labels[rows])


half = len(everything) // 2
seen = cut(everything, 0, min(images or half, int(0.8 * half)))
chosen_on = cut(
    everything,
    len(seen),
    max(len(seen) // 4, half - len(seen) if not images else 0),
)
test = cut(test, 0, tested or len(test))


def trained(make, seed: int, schedule: str = "constant") -> Fit:
    """A network, trained from scratch by the optimizer that `make(parameters)` gives."""
    return fit(
        build,
        make,
        seen,
        chosen_on,
        test,
        epochs=epochs,
        seed=seed,
        schedule=schedule,
        augment=augment,
        device=device,
        autocast=device != "cpu",
        cache=STUDY.cache,
    )


def summary(fits: list[Fit]) -> dict:
    """What the record keeps of the trainings with one rule, one for each seed."""
    return {
        "test": [run.test for run in fits],
        "validation": [
            run.validation[-1] if run.validation else 0.0 for run in fits
        ],
        "diverged": sum(run.diverged for run in fits),
        "seconds": [run.seconds for run in fits],
    }


# %% [markdown]
# ## The hand-made rules
#
# The paper's grid: SGD by learning rate, momentum and schedule, Nesterov's variant, Adam at two rates.

# %%
SGD, Adam = torch.optim.SGD, torch.optim.Adam
GRID = {
    f"SGD momentum={momentum} lr={lr}{' cosine' * cosine}": (
        partial(SGD, lr=lr, momentum=momentum),
        "cosine" if cosine else "constant",
    )
    for cosine in (False, True)
    for momentum in momenta
    for lr in rates
}
GRID |= {
    f"Nesterov momentum=0.9 lr={rates[0]}{' cosine' * cosine}": (
        partial(SGD, lr=rates[0], momentum=0.9, nesterov=True),
        "cosine" if cosine else "constant",
    )
    for cosine in (False, True)
}
GRID |= {
    f"Adam lr={lr}": (partial(Adam, lr=lr), "constant") for lr in (0.01, 0.001)
}
own = {"epochs": epochs, "width": width, "depth": depth, "images": len(seen)}
own["baselines"] = {
    name: summary([trained(make, seed, schedule) for seed in seeds])
    for name, (make, schedule) in GRID.items()
}

# %% [markdown]
# ## The equations
#
# RPSmallExtra's equation takes the form of the paper's Eq. 6, with the weights $W$ by least squares,
#
# ```{math}
# :label: eq-scaling-eq6
# \psi = - \sum_{z \in \{\hat m, \hat g, \hat n\}} \sum_{\tau=0}^{19} W_{z,\tau}\; \gamma \tanh(z_{t-\tau} / \gamma) ,
# ```
#
# and DM's is the best equation within 100 nodes. Then `meta.tune` goes on training their constants ($W$,
# $\gamma$, and those inside $\hat n$) on the network, unrolling 20 steps at a time.


# %%
def equation(label: str, problem: str, seed: int, size: int = 0) -> tuple:
    """A teacher's equation (Eq. 6, or the best of at most `size` nodes), its R2, and how long it took."""
    rule = STUDY.teacher(TEACHERS[label], problem, seed)
    rows = STUDY.watch(rule, problem, seed)
    begun = time.perf_counter()
    if label == "DM" or size:
        front = STUDY.distill(rows, seed)
        entry = front.at(size or 100)
        model = models.Equation.distilled(entry.equation, rule)
        return model, entry.r2, front.seconds
    found = distiller.fit_eq6(rows)
    model = models.Equation.distilled(found.equation, rule, found.coefficients)
    return model, found.r2, time.perf_counter() - begun


network = tasks.Network(
    "resnet", dataset, build, half=0, augment=augment, device=device
)


def tuned(model: models.Equation, seed: int, name: str) -> tuple:
    """The equation with its constants meta-tuned on the network, and the seconds that took."""
    checkpoint = (
        kept and kept / "tuned" / f"{name}-{seed}-{tune_epochs}x{tune_steps}.pt"
    )
    options = {"epochs": tune_epochs, "steps": tune_steps, "fraction": fraction}
    better, history = meta.tune(
        model, network, seed=seed, checkpoint=checkpoint, progress=False, **options
    )
    return better, history.seconds


def at_work(model: models.Equation, seed: int, schedule: str = "constant") -> Fit:
    """A network trained by the equation."""
    make = partial(optim.SymbolicOptimizer.of, model, compile=compiled)
    return trained(make, seed, schedule)


# %%
own["equations"] = {}
better = {}
studied = dict.fromkeys(problems, seeds)
studied |= dict.fromkeys(once, seeds[:1])
for label in TEACHERS:
    for problem in studied:
        runs = {"before": [], "after": [], "r2": [], "search": [], "tuning": []}
        for seed in studied[problem]:
            model, r2, seconds = equation(label, problem, seed)
            name = f"{TEACHERS[label]}-{problem}"
            better[label, problem, seed], spent = tuned(model, seed, name)
            runs["before"].append(at_work(model, seed))
            runs["after"].append(at_work(better[label, problem, seed], seed))
            runs["r2"].append(r2)
            runs["search"].append(seconds)
            runs["tuning"].append(spent)
        own["equations"][f"{label}, {problem}"] = runs | {
            kind: summary(runs[kind]) for kind in ("before", "after")
        }

# %% [markdown]
# The rule for Table 4 is Eq. 6, tuned, from the problem whose rule does best on the images that choices are made
# on. Like SGD it is tried with a constant and with a falling learning rate.


# %%
def score(runs: dict) -> float:
    """What choices are made by: mean accuracy on images that nothing was trained on."""
    return float(np.mean(runs["validation"]))


home = max(
    problems, key=lambda p: score(own["equations"][f"RPSmallExtra, {p}"]["after"])
)
falling = [
    at_work(better["RPSmallExtra", home, seed], seed, "cosine") for seed in seeds
]
own["home"] = home
own["ours"] = {
    "Eq. 6": own["equations"][f"RPSmallExtra, {home}"]["after"],
    "Eq. 6 cosine": summary(falling),
}

own["sizes"] = {}
for size in complexities:
    fits, nodes = [], []
    for seed in seeds:
        model, *_ = equation("RPSmallExtra", home, seed, size)
        model, _ = tuned(model, seed, f"size{size}-{home}")
        fits.append(at_work(model, seed))
        nodes.append(model.rule.complexity)
    own["sizes"][str(size)] = summary(fits) | {"nodes": nodes}


# %% [markdown]
# What an optimizer keeps for each parameter of the network, between steps:


# %%
def kept_bytes(optimizer: torch.optim.Optimizer) -> float:
    """Bytes of state for each parameter, once a step was taken."""
    p = optimizer.param_groups[0]["params"][0]
    p.grad = torch.ones_like(p)
    optimizer.step()
    tensors = (
        value for value in optimizer.state[p].values() if torch.is_tensor(value)
    )
    return sum(t.numel() * t.element_size() for t in tensors if t.ndim) / p.numel()


def one() -> list[torch.nn.Parameter]:
    """A parameter to try an optimizer on."""
    return [torch.nn.Parameter(torch.zeros(1000))]


TOLERANCES = (0.01, 0.1, 0.3)
teacher = STUDY.teacher("rp_small_extra", home, seeds[0])
rule = better["RPSmallExtra", home, seeds[0]]
of = optim.SymbolicOptimizer.of
own["memory"] = {
    "the teacher, an LSTM": sum(
        part.numel() * part.element_size()
        for part in teacher.init_state(torch.zeros(1000))
        if part.ndim
    )
    / 1000,
    "its Eq. 6": kept_bytes(of(rule, one())),
    "the past in bfloat16": kept_bytes(of(rule, one(), history_dtype="bfloat16")),
    **{
        f"lags within {100 * share:g} %": kept_bytes(
            of(rule, one(), lag_tolerance=share)
        )
        for share in TOLERANCES
    },
    "Adam": kept_bytes(Adam(one())),
    "SGD with momentum": kept_bytes(SGD(one(), 0.1, momentum=0.9)),
}
own["compacted"] = {
    f"{100 * share:g} %": [
        {"lags": part.lags, "sums": len(part.decays), "error": part.error}
        for part in of(rule, one(), lag_tolerance=share).replaced_lags
    ]
    for share in TOLERANCES
}
saved = records.save(
    "scaling",
    own,
    profile=profile,
    seed=seeds,
    dataset=everything.name,
    engine="operon",
    wall_time=time.perf_counter() - started,
)

# %%
record = records.shown("scaling", profile)
run = record["values"]
source = (
    f"profile {record['profile']}: ResNet-{run['depth']} of width {run['width']}, {run['images']} images "
    f"of {record['dataset']}, {run['epochs']} epochs, {len(record['seed'])} seed(s)"
)
display(Markdown(f"All that follows shows: **{source}**, {record['date'][:10]}."))


# %%
def accuracy(runs: dict) -> str:
    """Test accuracy at the end in per cent, mean and deviation over seeds; diverged trainings are counted."""
    ended = [
        100 * curve[-1] for curve in runs["test"] if len(curve) == run["epochs"]
    ]
    return records.mean_std(ended + ["diverged"] * (len(runs["test"]) - len(ended)))


def last(runs: dict) -> float:
    """Mean test accuracy at the end, from 0 to 1; a training that diverged at once counts 0."""
    return float(np.mean([curve[-1] if curve else 0.0 for curve in runs["test"]]))


everyone = run["baselines"] | run["ours"]
best = max(run["baselines"], key=lambda name: score(run["baselines"][name]))
mine = max(run["ours"], key=lambda name: score(run["ours"][name]))

# %% [markdown]
# ## Table 4
#
# The paper's accuracies are those of a whole ResNet-50 after 200 epochs on all of CIFAR-10: another task, so the
# columns are not to be compared with each other, only the order within each.

# %%
published = records.published("SymL2O Table 4").set_index(["row", "column"])["text"]


def printed(name: str) -> str | None:
    """The paper's accuracy for a cell of the grid."""
    if name in run["ours"]:
        return published["Symbolic L2O", "accuracy"] if name == "Eq. 6" else None
    kind, *options = name.split()
    row = "SGD with cosine decay" if options[-1] == "cosine" else "SGD"
    return published.get((row, ", ".join(options[:2]))) if kind == "SGD" else None


ends = {
    name: [curve[-1] for curve in everyone[name]["test"] if curve]
    for name in (best, mine)
}
gap = np.mean(ends[mine]) - np.mean(ends[best])
noise = np.sqrt(
    sum(np.var(values) / max(1, len(values) - 1) for values in ends.values())
)
verdict = "undecided"
if len(record["seed"]) > 1 and abs(gap) > 2 * noise:
    verdict = "holds" if gap > 0 else "does not hold"
plots.table(
    pd.DataFrame(
        {
            "optimizer": name,
            "published": printed(name),
            "test accuracy, %": accuracy(runs),
            "chosen": {best: "best of the grid", mine: "ours"}.get(name),
        }
        for name, runs in everyone.items()
    ),
    name="tab-scaling-grid",
    caption=f"SymL2O's Table 4 beside ours. Chosen on validation images: {best} of the grid, and {mine} of ours, "
    f"{100 * gap:+.1f} points on test images. That the tuned equation beats the best of the grid: {verdict}, "
    f"by two standard errors over seeds ({source}).",
)

# %%
SHADES = [shade for shade in plots.CYCLE if shade != plots.COLORS["equation"]]
fig, axes = plt.subplots(1, 2, figsize=(10, 5), sharey=True)
plain, others = [], []
for name in run["baselines"]:
    if name.startswith("SGD") and "cosine" not in name:
        plain.append(name)
    elif "lr=0.001" not in name or name == best:
        others.append(name)
for ax, names in zip(axes, (plain, others), strict=True):
    for name, shade in zip([mine, *names], [None, *SHADES, *SHADES], strict=False):
        curves = [100 * np.array(c) for c in everyone[name]["test"]]
        whole = [curve for curve in curves if len(curve) == run["epochs"]]
        line = {"lw": 1, "color": shade}
        if name == mine:
            line = {"lw": 2.5, "color": plots.COLORS["equation"], "zorder": 3}
        if whole:
            steps = range(1, run["epochs"] + 1)
            ax.plot(steps, np.mean(whole, axis=0), label=name, **line)
    ax.set_xlabel("epoch")
    ax.legend(fontsize=8, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.18))
axes[0].set_ylabel("test accuracy, %")
plots.figure(
    fig,
    name="fig-scaling-curves",
    caption="After SymL2O's Figure 2: test accuracy along training, mean over seeds. Left, SGD with a constant "
    f"learning rate; right, with decay, Nesterov and Adam. {mine} is {'ahead of' if gap > 0 else 'behind'} "
    f"the best of the grid at the end ({source}).",
)

# %% [markdown]
# ## Before and after meta-tuning: Table 5

# %%
published5 = records.published("SymL2O Table 5").set_index(["row", "column"])[
    "text"
]
lines = []
for name, runs in run["equations"].items():
    label, problem = name.split(", ")
    row = f"{label}, {STAND_INS.get(problem, problem).upper()}"
    lines.append(
        {
            "equation of": row,
            "R²": records.mean_std(runs["r2"]),
            "before, published": published5.get((row, "before meta-tuning")),
            "before": accuracy(runs["before"]),
            "after, published": published5.get((row, "after meta-tuning")),
            "after": accuracy(runs["after"]),
        }
    )
gains = {
    line["equation of"]: last(runs["after"]) - last(runs["before"])
    for line, runs in zip(lines, run["equations"].values(), strict=True)
}
plots.table(
    pd.DataFrame(lines),
    name="tab-scaling-tuning",
    caption="SymL2O's Table 5 beside ours: test accuracy in per cent. Tuning gains most for "
    f"{max(gains, key=gains.get)} ({100 * max(gains.values()):+.1f} points), least for "
    f"{min(gains, key=gains.get)} ({100 * min(gains.values()):+.1f}). A number without a deviation is of one "
    f"teacher ({source}).",
)

# %% [markdown]
# ## What each stage costs: Table 6

# %%
published6 = records.published("SymL2O Table 6").set_index("row")["text"]


def seconds(values: list[float]) -> str:
    """The median, in seconds or minutes."""
    middle = float(np.median(values))
    return f"{middle:.1f} s" if middle < 100 else f"{middle / 60:.1f} min"


searched = [
    s
    for name, runs in run["equations"].items()
    if "DM" in name
    for s in runs["search"]
]
fitted = [
    s
    for name, runs in run["equations"].items()
    if "DM" not in name
    for s in runs["search"]
]
costs = {
    "Symbolic regression": f"{seconds(searched)} (search), {seconds(fitted)} (Eq. 6, by least squares)",
    "Meta-tuning": seconds(
        [s for runs in run["equations"].values() for s in runs["tuning"]]
    ),
    "Final evaluation": f"{seconds(run['ours'][mine]['seconds'])} ({mine}), "
    f"{seconds(run['baselines'][best]['seconds'])} ({best})",
}
plots.table(
    pd.DataFrame(
        {"stage": stage, "published": published6[stage], "ours": ours}
        for stage, ours in costs.items()
    ),
    name="tab-scaling-costs",
    caption="SymL2O's Table 6 beside ours, medians. The paper's times are of whole networks on a GPU, its search ran "
    "on a laptop; ours are of one core that had other work beside it. What meta-training costs is on the page on "
    f"numerical optimizers; TPF and MC take under a second in both ({source}).",
)

# %% [markdown]
# ## Size: Table 8

# %%
published8 = records.published("SymL2O Table 8").set_index("row")["text"]
plots.table(
    pd.DataFrame(
        {
            "nodes, at most": int(size),
            "nodes": records.mean_std(runs["nodes"]),
            "published": published8.get(f"complexity {size}"),
            "ours": accuracy(runs),
        }
        for size, runs in run["sizes"].items()
    ),
    name="tab-scaling-sizes",
    caption="SymL2O's Table 8 beside ours: test accuracy in per cent, of RPSmallExtra's equations by size, tuned. "
    f"Most accurate: at most {max(run['sizes'], key=lambda size: last(run['sizes'][size]))} nodes ({source}).",
)

# %% [markdown]
# ## Memory
#
# Twenty lags of three features are 57 past values for each parameter, far more than Adam's two. In half precision
# they take half of that. Where the weights fall smoothly, a few running sums stand in for the lags (`lag_tolerance`):
# the error stated is the worst case for inputs of any sign, as a share of the largest update the lags can make.
# Even the LSTM, small as it is, keeps less than all these lags.

# %%
found = "; ".join(
    f"within {share}, {len(parts)} of 3 features"
    + "".join(f", {part['lags']} lags as {part['sums']} sums" for part in parts)
    for share, parts in run["compacted"].items()
)
plots.table(
    pd.DataFrame(
        {"optimizer": name, "bytes per parameter": round(size)}
        for name, size in run["memory"].items()
    ),
    name="tab-scaling-memory",
    caption=f"State between steps, of the tuned Eq. 6 for one. Compacted: {found} ({source}).",
)
print(f"{time.perf_counter() - started:.0f} s in all")
