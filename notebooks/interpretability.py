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
# # Two numbers that describe an optimizer
#
# **What this page shows.** SymL2O describes a rule by two numbers: how far back it looks, and how complex it
# must be. Both are checked against closed forms (the paper's Table 2), then taken of six learned optimizers and
# of the equations distilled from them (Table 3), which also have to optimize: on $\mathcal{P}_3$, after training
# on $\mathcal{P}_2$ (Figure 4). At the end, the paper's two hypotheses about these numbers are put to the test.
#
# **What it costs.** In `quick`, two minutes, with the pretrained teachers, on scikit-learn's digits. In
# `standard`, an hour and a half on one CPU core.

# %% tags=["parameters"]
profile = "quick"  # quick, standard or paper
seeds = [0]  # training seeds of the teachers
problems = [
    "digits"
]  # where TPF and MC are taken: "p1", "p2", "p3"; digits stands in for "p2"
once = []  # more of them, with the teachers of the first seed only
folder = ""  # where teachers and fronts are kept; empty: pretrained teachers
time_limit = 3.0  # seconds of search for each equation
max_complexity = 200  # as in the paper's code
inits = 3  # unseen initialisations for every judgement
near_steps = 100  # on the problem they were trained on
far_steps = 200  # on the deeper one
permutations = 2000  # for the tests of the hypotheses
workers = 2  # rules that optimize side by side

# %%
import math
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown, display
from l2o_book import plots, records
from l2o_book.pipeline import Study
from matplotlib import pyplot as plt

from l2o_core import distiller, expressions, metrics, models, tasks

plots.use_style()
torch.set_num_threads(1)  # the same rows, to the bit, on any number of cores
started = time.perf_counter()
LAGS = 20

# %% [markdown]
# ## How far back: the temporal perception field
#
# For a linear rule $\sum_i c_i\, g_{t-i}$, SymL2O's Eq. 3 is the mean lag, each lag weighted by $|c_i|$:
#
# ```{math}
# :label: eq-tpf
# \mathrm{TPF} = \sum_{i=0}^{T-1} \frac{|c_i|}{\sum_j |c_j|}\, i .
# ```
#
# Rules that are not linear have no such coefficients. Here the weight of lag $i$ is
# $\sqrt{\mathbb{E}\,(\partial\psi/\partial z_{t-i})^2}$ over the data: for a linear rule just $|c_i|$, and for a
# network what automatic differentiation says. So one definition serves Table 2, the equations and the networks.
#
# ## How complex: the mapping complexity
#
# The size, in nodes, of the smallest distilled equation within 0.05 of the best held-out $R^2$.
#
# ## Known rules: Table 2


# %%
def momentum(beta: float) -> expressions.Expression:
    """The momentum of SymL2O's Table 2, cut off at 20 lags."""
    terms = [f"{-0.01 * (1 - beta) * beta**i!r} * g[{i}]" for i in range(LAGS)]
    return expressions.parse(" + ".join(terms))


def truncated(beta: float) -> float:
    """The mean lag of beta^i over 20 lags; over all of them it is beta / (1 - beta)."""
    weights = beta ** np.arange(LAGS)
    return float((np.arange(LAGS) * weights).sum() / weights.sum())


random = np.random.default_rng(0)
inputs = random.standard_t(3, size=(2000, LAGS))  # heavy tails, as gradients have
noise = distiller.Dataset(
    inputs, inputs[:, 0], [f"g[{i}]" for i in range(LAGS)], np.arange(2000)
)


def nodes(rule: expressions.Expression, data: distiller.Dataset) -> int:
    """Mapping complexity of a known rule, distilled by least squares on the same inputs."""
    columns = dict(
        zip(data.names, torch.from_numpy(data.inputs.T.copy()), strict=True)
    )
    answers = rule.evaluate(columns).numpy()
    front = distiller.distill(
        data.inputs, answers, data.names, engine="linear", max_complexity=100
    )
    return metrics.mapping_complexity(front)


known = {"SGD": (expressions.parse("-0.01 * g[0]"), 0.0, 0.0)}
known |= {
    f"mom({beta})": (momentum(beta), truncated(beta), beta / (1 - beta))
    for beta in (0.5, 0.9, 0.95)
}
plots.table(
    pd.DataFrame(
        {
            "rule": name,
            "TPF in closed form": full,
            "cut off at 20 lags": short,
            "TPF computed": metrics.temporal_perception_field(rule, noise),
            "MC computed": nodes(rule, noise),
        }
        for name, (rule, short, full) in known.items()
    ),
    name="tab-interpret-known",
    caption="SymL2O's Table 2: the computed field equals the closed form, cut off where the inputs end. A rule "
    "that reads $\\hat m$ instead, such as Adam, is that input alone: TPF 0. The paper counts SGD as 1 node; "
    "here the coefficient and its multiplication count too.",
)

# %% [markdown]
# ## Learned rules
#
# Each teacher is watched on images that it has not seen, and distilled. Of its front the equation is taken that
# optimizes best on tuning instances, from the images teachers were trained on.

# %%
TEACHERS = {
    "DM": "dm",
    "DM+CL+IL": "dm_cl_il",
    "RP": "rp",
    "RP+CL+IL": "rp_cl_il",
    "RPSmall": "rp_small",
    "RPSmallExtra": "rp_small_extra",
}
DEEPER = (50, 20, 20, 12)  # P3's hidden layers
NEAR = {"p2": (50, 20), "digits": (50, 20)}


STUDY = Study(
    records.kept(folder, profile),
    time_limit=time_limit,
    max_complexity=max_complexity,
    workers=workers,
)


def losses(
    rules, hidden: tuple, steps: int, half: int = 1, seed: int = 3000
) -> list:
    """Losses [inits, steps + 1] of each rule on unseen initialisations."""
    task = tasks.MLP("mlp", dataset, hidden, half=half)
    return STUDY.race(rules, task, steps, inits, seed)


def chosen(
    front: distiller.ParetoFront, rule: models.LearnedOptimizer
) -> distiller.Entry:
    """The equation that optimizes best where teachers were trained."""
    few = [*front.entries[:: max(1, len(front) // 8)], front.best]
    rules = [models.Equation.distilled(entry.equation, rule) for entry in few]
    tried = losses(rules, (50, 20), near_steps, half=0, seed=1000)
    means = [run.mean().nan_to_num(math.inf).item() for run in tried]
    return few[int(np.argmin(means))]


# %%
def watched(key: tuple) -> distiller.Dataset:
    """Windows of a teacher at work."""
    label, problem, seed = key
    rule = STUDY.teacher(TEACHERS[label], problem, seed)
    return STUDY.watch(rule, problem, seed)


def described(key: tuple, data: distiller.Dataset) -> dict:
    """TPF of a teacher and of its equation, MC, and fit, on one problem."""
    label, problem, seed = key
    rule = STUDY.teacher(TEACHERS[label], problem, seed)
    front = STUDY.distill(data, seed)
    tpf = metrics.temporal_perception_field
    bounds = metrics.temporal_perception_interval
    return {
        "front": front,
        "tpf": np.atleast_1d(tpf(rule, data)).tolist(),
        "interval": np.atleast_2d(bounds(rule, data)).tolist(),
        "tpf equation": np.atleast_1d(tpf(front.best.equation, data)).tolist(),
        "mc": metrics.mapping_complexity(front),
        "r2": front.best.r2,
    }


studied = dict.fromkeys(problems, seeds)
studied |= dict.fromkeys(once, seeds[:1])
keys = [
    (label, problem, seed)
    for label in TEACHERS
    for problem in studied
    for seed in studied[problem]
]
with ThreadPoolExecutor(workers) as pool:
    rows = list(pool.map(watched, keys))
found = {key: described(key, data) for key, data in zip(keys, rows, strict=True)}
own = {"problems": [*studied], "time_limit": time_limit, "inits": inits}
own["described"] = {
    label: {
        problem: [
            {
                key: value
                for key, value in found[label, problem, seed].items()
                if key != "front"
            }
            for seed in taught
        ]
        for problem, taught in studied.items()
    }
    for label in TEACHERS
}

# %% [markdown]
# ## At work: Figure 4
#
# Teachers and equations, learned on $\mathcal{P}_2$, optimize the deeper $\mathcal{P}_3$, from the same
# initialisations and on the same batches. Equations that diverge are counted, not dropped.

# %%
home = next(problem for problem in problems if problem in NEAR)
dataset = "digits" if home == "digits" else "mnist"
races = {}
for label in TEACHERS:
    rules = [STUDY.teacher(TEACHERS[label], home, seed) for seed in seeds]
    entries = [
        chosen(found[label, home, seed]["front"], rule)
        for seed, rule in zip(seeds, rules, strict=True)
    ]
    equations = [
        models.Equation.distilled(entry.equation, rule)
        for entry, rule in zip(entries, rules, strict=True)
    ]
    ran = losses([*rules, *equations], DEEPER, far_steps)
    every = {"teacher": ran[: len(rules)], "equation": ran[len(rules) :]}
    near = losses(rules, NEAR[home], near_steps)
    points = np.linspace(0, far_steps, 51).round().astype(int)
    races[label] = {
        "steps": points.tolist(),
        "size": [entry.complexity for entry in entries],
        "text": [str(entry.equation.rounded(4)) for entry in entries],
        "near": [run.mean().item() for run in near],
    }
    for kind, runs in every.items():
        runs = torch.cat(runs)
        races[label][kind] = {
            "curves": [[float(f"{x:.4g}") for x in run] for run in runs[:, points]],
            "end": runs[:, -10:].mean(1).tolist(),
            "diverged": int((~runs.isfinite().all(1)).sum()),
        }
own["races"] = races
saved = records.save(
    "interpretability",
    own,
    profile=profile,
    seed=seeds,
    dataset=tasks.MLP("mlp", dataset, DEEPER).dataset,
    engine="operon",
    wall_time=time.perf_counter() - started,
)

# %%
record = records.shown("interpretability", profile)
run = record["values"]
source = (
    f"profile {record['profile']}, {record['dataset']}, {len(record['seed'])} training "
    f"seed(s) × {run['inits']} initialisations"
)
display(Markdown(f"All that follows shows: **{source}**, {record['date'][:10]}."))

# %%
fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True)
for ax, label in zip(axes, ("DM", "RPSmallExtra"), strict=True):
    race = run["races"][label]
    for kind, line in (("teacher", "-"), ("equation", "--")):
        curves = np.array(race[kind]["curves"], dtype=float)
        plots.band(ax, curves, kind, x=race["steps"], ls=line)
    ax.set(title=label, xlabel="step", yscale="log")
    ax.legend(fontsize=9)
axes[0].set_ylabel("minibatch loss")
lost = {label: race["equation"]["diverged"] for label, race in run["races"].items()}
plots.figure(
    fig,
    name="fig-interpret-race",
    caption="After SymL2O's Figure 4: two teachers and their equations on P3 after training on P2, median and "
    f"central 68 % of all runs. Diverged runs of equations: {sum(lost.values())} of "
    f"{sum(len(race['equation']['end']) for race in run['races'].values())} over all six. ({source}.)",
)

# %% [markdown]
# ## Table 3
#
# The paper's bold numbers are RPSmallExtra's: the least complex, the shortest field, the best loss.

# %%
published = records.published("SymL2O Table 3")
cells = {
    row: part.set_index("column")["text"] for row, part in published.groupby("row")
}


def fields(label: str, key: str) -> str:
    """The field of every input, mean over problems and seeds."""
    parts = [
        entry[key] for runs in run["described"][label].values() for entry in runs
    ]
    return ", ".join(f"{value:.1f}" for value in np.mean(parts, axis=0))


def intervals(label: str) -> str:
    """The mean 95 % interval of every input's field: its own uncertainty, without that of training."""
    parts = [
        entry["interval"]
        for runs in run["described"][label].values()
        for entry in runs
    ]
    return ", ".join(
        f"{low:.1f}–{high:.1f}" for low, high in np.mean(parts, axis=0)
    )


def printed_fields(label: str) -> str:
    """As the paper gives them."""
    row = cells[label]
    return ", ".join(row[key] for key in row.index if key.startswith("tpf"))


def ends(label: str, kind: str) -> str:
    """Mean and deviation of the end losses of runs that did not diverge."""
    values = finite(label, kind).tolist()
    return records.mean_std(values) if values else "all diverged"


def finite(label: str, kind: str) -> np.ndarray:
    """End losses of the runs that did not diverge."""
    values = np.array(run["races"][label][kind]["end"], dtype=float)
    return values[np.isfinite(values)]


def within(label: str) -> str:
    """Whether the equation's mean lies within a deviation of the teacher's, or below."""
    teachers, equations = finite(label, "teacher"), finite(label, "equation")
    if not len(equations):
        return "no"
    return "yes" if equations.mean() <= teachers.mean() + teachers.std() else "no"


trained_on = ", ".join(
    f"{len(runs)} of {problem}" for problem, runs in run["described"]["RP"].items()
)
complexity = {
    label: [
        entry["mc"] for runs in run["described"][label].values() for entry in runs
    ]
    for label in TEACHERS
}
plots.table(
    pd.DataFrame(
        {
            "teacher": label,
            "TPF published": printed_fields(label),
            "TPF ours": fields(label, "tpf"),
            "95 %": intervals(label),
            "TPF of the equation": fields(label, "tpf equation"),
            "MC published": cells[label]["mc"],
            "MC ours": records.mean_std(complexity[label]),
            "R²": records.mean_std(
                [e["r2"] for runs in run["described"][label].values() for e in runs]
            ),
        }
        for label in TEACHERS
    ),
    name="tab-interpret-metrics",
    caption="Upper half of SymL2O's Table 3 beside ours. TPF in steps, one for each input (m̂, ĝ, n̂); the paper's "
    f"window is as long as ours, yet its DM values exceed it. Mean and deviation over teachers: {trained_on} "
    f"({source}).",
)
plots.table(
    pd.DataFrame(
        {
            "teacher": label,
            "teacher published": cells[label]["loss numerical"],
            "teacher ours": ends(label, "teacher"),
            "equation published": cells[label]["loss equation"],
            "equation ours": ends(label, "equation"),
            "within": within(label),
            "diverged": f"{lost[label]} of {len(run['races'][label]['equation']['end'])}",
            "nodes": records.mean_std(run["races"][label]["size"]),
        }
        for label in TEACHERS
    ),
    name="tab-interpret-losses",
    caption="Lower half: loss on P3 at the end, after training on P2, of teachers and of their equations; runs that "
    "diverged are counted apart. Within: the equation's mean is at most one standard deviation of the teacher's "
    f"runs above the teacher's ({source}).",
)

# %% [markdown]
# ## Two hypotheses
#
# SymL2O 3.5 expects (i) that a longer field goes with faster convergence on the problem trained on, and (ii) that a
# smaller complexity goes with better transfer. Over all teachers and seeds, rank correlation and a
# permutation test say whether there is anything to it. Six architectures are a small sample, and
# seeds of one architecture are not independent: a significant correlation would still be weak evidence.


# %%
def ranks(values: list[float]) -> np.ndarray:
    """Ranks from 0; ties share their mean rank."""
    values = np.array(values, dtype=float)
    return np.array(
        [(values < v).sum() + ((values == v).sum() - 1) / 2 for v in values]
    )


def tested(a: list[float], b: list[float]) -> tuple[float, float]:
    """Spearman's rank correlation, and its two-sided p by permutation."""
    a, b = ranks(a) - ranks(a).mean(), ranks(b) - ranks(b).mean()
    scale = math.sqrt((a @ a) * (b @ b)) or 1.0
    draw = np.random.default_rng(0)
    chance = [abs(a @ draw.permutation(b)) / scale for _ in range(permutations)]
    value = float(a @ b / scale)
    return value, (1 + sum(c >= abs(value) - 1e-12 for c in chance)) / (
        1 + permutations
    )


labels = list(TEACHERS)
here = next(problem for problem in run["problems"] if problem in NEAR)
count = len(record["seed"])
pairs = [(label, number) for label in labels for number in range(count)]
described_here = {pair: run["described"][pair[0]][here][pair[1]] for pair in pairs}
near = [run["races"][label]["near"][number] for label, number in pairs]
far = [
    float(
        np.mean(
            run["races"][label]["teacher"]["end"][
                number * run["inits"] : (number + 1) * run["inits"]
            ]
        )
    )
    for label, number in pairs
]
field = [max(described_here[pair]["tpf"]) for pair in pairs]
size = [described_here[pair]["mc"] for pair in pairs]
rows = []
for claim, a, b in (
    ("longer field, lower loss on P2", field, near),
    ("smaller complexity, lower loss on P3", size, far),
):
    rho, p = tested(a, b)
    wanted = rho < 0 if a is field else rho > 0
    verdict = (
        "undecided" if p > 0.05 else ("supported" if wanted else "contradicted")
    )
    rows.append(
        {
            "hypothesis": claim,
            "rank correlation": f"{rho:+.2f}",
            "p": f"{p:.3f}",
            "verdict": verdict,
        }
    )
plots.table(
    pd.DataFrame(rows),
    name="tab-interpret-hypotheses",
    caption=f"Rank correlations over {len(pairs)} teachers, and the share of random pairings that correlate as "
    f"strongly ({permutations} permutations; undecided above 0.05). ({source}.)",
)

# %%
fig, axes = plt.subplots(1, 2, figsize=(9, 3.6))
for number, label in enumerate(labels):
    at = [i for i, pair in enumerate(pairs) if pair[0] == label]
    shade = plots.CYCLE[number]
    axes[0].plot(
        [field[i] for i in at], [near[i] for i in at], "o", color=shade, label=label
    )
    axes[1].plot([size[i] for i in at], [far[i] for i in at], "o", color=shade)
axes[0].set(xlabel="temporal perception field (steps)", ylabel="mean loss on P2")
axes[1].set(xlabel="mapping complexity (nodes)", ylabel="end loss on P3")
axes[0].legend(fontsize=8)
plots.figure(
    fig,
    name="fig-interpret-hypotheses",
    caption=f"Field against speed: {rows[0]['verdict']}; complexity against transfer: {rows[1]['verdict']}. "
    f"One point a teacher, the longest field of its inputs. ({source}.)",
)
print(f"{time.perf_counter() - started:.0f} s in all")
