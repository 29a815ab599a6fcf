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
# # Distillation: from teachers to equations
#
# **What this page shows.** The heart of SymL2O: rules are watched at work, and symbolic regression writes
# down what they do. Two hand-made rules and three learned ones, on two problems: how well each is explained
# (the paper's Table 7), how an equation's answers lie on its teacher's (Figure 3), how accuracy and the
# temporal perception field depend on size (Figure 5), what the equations say (Eq. 7 and 8), and whether another
# seed finds the same one. On the way, how such a search works (Figure 7) and what its favourite function
# does (Figure 6).
#
# **What it costs.** In `quick`, two minutes: a few seconds of search for each equation, and scikit-learn's
# digits in place of MNIST. In `standard`, an hour on two CPU cores: one minute of search, three seeds, where
# the paper reports hours.

# %% tags=["parameters"]
profile = "quick"  # quick, standard or paper
seeds = [0]  # each has other trajectories, another split and another search
problems = ["p1", "digits"]  # the second stands in for "p2"; "p4" can be added
also = []  # more teachers to print equations of, such as "dm/p4"
folder = ""  # where teachers and fronts are kept; empty: pretrained teachers
engine = "operon"  # "operon", or "pysr" where Julia is
time_limit = 3.0  # seconds of search for each equation
max_complexity = 200  # as in the paper's code
samples = 5000
stability_seeds = [0, 1, 2]  # searches with other seeds on the same rows

# %%
import time
import warnings
from collections import Counter

import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown, display
from l2o_book import plots, records
from l2o_book.explorer import Curve, Frame, explorer
from l2o_book.pipeline import Study
from l2o_book.playground import playground
from matplotlib import pyplot as plt
from sklearn.neural_network import MLPRegressor

from l2o_core import distiller, expressions, metrics, models, tasks
from l2o_core.distiller.engines import Operon
from l2o_core.features import Features
from l2o_core.optim import zoo

plots.use_style()
torch.set_num_threads(1)  # the same rows, to the bit, on any number of cores
started = time.perf_counter()
LAGS = 20

# %% [markdown]
# ## What is distilled, and from what
#
# | source | rule | what the search sees |
# | :--- | :--- | :--- |
# | mom(0.5) | $b_t = 0.5\,b_{t-1} + g_t$ | 20 gradients |
# | Adam(0.9, 0.9) | $m_t/\sqrt{v_t}$ | 20 gradients |
# | Adam from $m$, $v$ | the same | $m_t$ and $v_t$ |
# | DM | two LSTMs | 20 gradients |
# | RP | two LSTMs | 20 $\hat m$ and 20 $\hat g$ |
# | RPSmallExtra | one LSTM of 7 | 20 each of $\hat m$, $\hat g$, $\hat n$ |
#
# A rule optimizes fresh instances of the problem for 200 steps. Of every layer of every instance a few
# coordinates are watched, and 5000 windows of 20 steps are drawn from their histories. Whole instances
# are held out: $R^2$ is measured on trajectories that neither the search nor the choice between its
# equations has seen.


# %%
GRADIENTS = Features(("g",))
ADAM = {"beta1": 0.9, "beta2": 0.9}
HAND_MADE = {
    "mom(0.5)": (models.Equation("-0.01 * b", beta1=0.5), GRADIENTS),
    "Adam(0.9, 0.9)": (
        models.Equation("-0.01 * m / (sqrt(v) + 1e-8)", **ADAM),
        GRADIENTS,
    ),
    "Adam from m, v": (
        models.Equation("-0.01 * m / (sqrt(v) + 1e-8)", **ADAM),
        Features(("m", "v"), **ADAM),
    ),
}
LEARNED = {"DM": "dm", "RP": "rp", "RPSmallExtra": "rp_small_extra"}
SOURCES = [*HAND_MADE, *LEARNED]


STUDY = Study(
    records.kept(folder, profile),
    engine=engine,
    time_limit=time_limit,
    max_complexity=max_complexity,
    samples=samples,
)


def watched(source: str, problem: str, seed: int) -> distiller.Dataset:
    """Windows of a rule at work."""
    if source in LEARNED:
        rule = STUDY.teacher(LEARNED[source], problem, seed)
        return STUDY.watch(rule, problem, seed)
    rule, features = HAND_MADE[source]
    lags = 1 if source.endswith("m, v") else LAGS
    return STUDY.watch(rule, problem, seed, features, lags)


def distilled(key: tuple, **options) -> distiller.ParetoFront:
    """One search on the rows of `key`."""
    _, _, seed = key
    return STUDY.distill(rows[key], **({"seed": seed} | options))


# %%
rows, fronts, straight = {}, {}, {}
for problem in problems:
    for source in SOURCES:
        for seed in seeds:
            key = problem, source, seed
            rows[key] = watched(source, problem, seed)
            fronts[key] = distilled(key)
            straight[key] = distilled(key, engine="linear")


# %% [markdown]
# ## How well each rule is explained: Table 7
#
# Three numbers stand beside each fit. The best linear rule: where it explains as much as the equation, the equation
# has found nothing that least squares does not know. A network, with two layers of 64, trained on the same
# rows: what a flexible black box finds in them. And the rule itself, made to forget: begun 20 steps ago with an
# empty memory. Where that is low, the rule depends on what happened before the window.


# %%
def replayed(
    key: tuple, inputs: torch.Tensor, memory: tuple[torch.Tensor, ...] = ()
) -> torch.Tensor:
    """Answers [n] of a rule to windows [n, features, lags], newest first, begun with what memory is given."""
    problem, source, seed = key
    if source in HAND_MADE:
        rule = HAND_MADE[source][0]
        state, inputs = rule.init_state(inputs[:, 0, 0]), inputs[:, 0]
    else:
        network = STUDY.teacher(LEARNED[source], problem, seed)
        rule, state = network.update, memory or network.init_memory(inputs[:, 0, 0])
    with torch.no_grad():
        for lag in reversed(range(inputs.shape[-1])):
            answer, state = rule(inputs[..., lag], state)
    return answer


def within_window(key: tuple) -> float | None:
    """R2 of the rule itself where it sees no more than its equations do."""
    data = rows[key]
    if len(data.names) % LAGS:  # m and v are memory
        return None
    seen = torch.from_numpy(data.inputs).float().view(len(data), -1, LAGS)
    return metrics.r2(torch.from_numpy(data.targets), replayed(key, seen).double())


def network_fit(key: tuple) -> float:
    """R2 of a small network on the rows that the search has not seen; outliers are cut off for it."""
    data = rows[key]
    problem = distiller.prepare(data)
    seen = np.concatenate([problem.parts["fit"], problem.parts["select"]])
    X, y, held = problem.X.clip(-10, 10), problem.y, problem.parts["test"]
    options = {"max_iter": 60, "early_stopping": True, "random_state": 0}
    network = MLPRegressor(hidden_layer_sizes=(64, 64), **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says when 60 epochs were too few
        network.fit(X[seen], y[seen])
    return network.score(X[held], y[held])


def up_to(front: distiller.ParetoFront, size: int) -> float | None:
    """R2 of the most accurate equation of so many nodes, if there is one so small."""
    return front.at(size).r2 if front.entries[0].complexity <= size else None


def measured(problem: str, source: str) -> dict:
    """Fits over the seeds, as the record keeps them."""
    keys = [(problem, source, seed) for seed in seeds]
    found = [fronts[key] for key in keys]
    lines = [straight[key].best for key in keys]
    return {
        "r2": [front.best.r2 for front in found],
        "within 100": [up_to(front, 100) for front in found],
        "window": [within_window(key) for key in keys],
        "network": [network_fit(key) for key in keys],
        "nodes": [front.best.complexity for front in found],
        "mc": [metrics.mapping_complexity(front) for front in found],
        "linear": [line.r2 for line in lines],
        "seconds": [front.seconds for front in found],
        "equation": [str(front.best.equation.rounded(4)) for front in found],
        "front": found[0].table[["complexity", "r2"]].to_dict("list"),
    }


own = {"problems": problems, "time_limit": time_limit, "samples": samples}
own["max_complexity"] = max_complexity
own["fits"] = {
    problem: {source: measured(problem, source) for source in SOURCES}
    for problem in problems
}

# %% [markdown]
# ## The same search with other seeds, and with other operators
#
# On the rows of one seed, the search is repeated with other seeds, and once without the hyperbolic
# functions, of which the paper says that they change little (Eq. 8).

# %%
PLAIN = Operon(
    symbols=("add", "sub", "mul", "div", "aq", "square", "sqrt", "sqrtabs", "fmin"),
    transforms=("sqrt",),
)
again, plain = {}, {}
for source in LEARNED:
    key = problems[-1], source, seeds[0]
    again[source] = [fronts[key]] + [
        distilled(key, seed=seed) for seed in stability_seeds if seed != seeds[0]
    ]
    plain[source] = distilled(key, engine=PLAIN)


def skeletons(found: list[distiller.ParetoFront], size: int) -> list[str]:
    """The shapes of the best equations of about a size."""
    return [str(distiller.skeleton(front.at(size).equation)) for front in found]


SIZES = (12, 30, 100)
own["stability"] = {
    source: {
        str(size): {
            "same": Counter(skeletons(found, size)).most_common(1)[0][1],
            "of": len(found),
            "r2": [front.at(size).r2 for front in found],
        }
        for size in SIZES
    }
    for source, found in again.items()
}
own["without hyperbolic"] = {
    source: {"r2": front.best.r2, "with": again[source][0].best.r2}
    for source, front in plain.items()
}

# %% [markdown]
# For Eq. 7, each teacher's best equation of at most 30 nodes, also from teachers of other problems.

# %%
for name in also:
    recipe, problem = name.split("/")
    source = next(label for label, name in LEARNED.items() if name == recipe)
    key = problem, source, seeds[0]
    rows[key] = watched(source, problem, seeds[0])
    fronts[key] = distilled(key)
own["equations"] = [
    {
        "source": source,
        "problem": problem,
        "r2": front.at(30).r2,
        "equation": str(front.at(30).equation.rounded(2)),
    }
    for (problem, source, seed), front in fronts.items()
    if source in LEARNED and seed == seeds[0]
]

# %% [markdown]
# ## Size, accuracy and memory
#
# For Figure 5: along each front, the held-out $R^2$ and the temporal perception field, which the teacher has
# of its own: of a network it is the sensitivity of its answer to each lag.


# %%
def along(key: tuple) -> list[dict]:
    """Complexity, R2 and the field of every entry of a front."""
    return [
        {
            "complexity": entry.complexity,
            "r2": entry.r2,
            "tpf": metrics.temporal_perception_field(entry.equation, rows[key]),
        }
        for entry in fronts[key]
    ]


own["size"] = {}
for source in LEARNED:
    keys = [(problems[-1], source, seed) for seed in seeds]
    own["size"][source] = {
        "fronts": [along(key) for key in keys],
        "tpf": [
            metrics.temporal_perception_field(
                STUDY.teacher(LEARNED[source], problems[-1], key[-1]), rows[key]
            )
            for key in keys
        ],
    }

# %% [markdown]
# For Figure 3, as in the paper: at a fixed moment of a run, one input is varied, all others are what they were, and
# so is the teacher's memory.


# %%
def response(source: str, problem: str, feature: str, lag: int = 0) -> dict:
    """Answers of a rule and of its equation to one input, `lag` steps ago, in the midst of a run."""
    key = problem, source, seeds[0]
    data, names = rows[key], rows[key].names
    values = data.inputs[:, names.index(f"{feature}[0]")]
    width = 2 * np.quantile(np.abs(values), 0.9)
    x = torch.linspace(-width, width, 41)
    sizes = np.abs(data.inputs).sum(1)
    moment = int(np.argsort(sizes)[len(sizes) // 2])  # a window of middling size
    inputs = torch.from_numpy(data.inputs[moment]).float().repeat(len(x), 1)
    inputs[:, names.index(f"{feature}[{lag}]")] = x
    memory = tuple(part[moment].expand(len(x), -1) for part in data.memory)
    answer = replayed(key, inputs.view(len(x), -1, LAGS), memory)
    columns = dict(zip(names, inputs.double().unbind(1), strict=True))
    equation = fronts[key].best.equation.evaluate(columns).expand(len(x))
    return {
        "x": x.tolist(),
        "rule": answer.tolist(),
        "equation": equation.tolist(),
        "label": f"{source}@{feature}",
    }


INPUTS = {
    "mom(0.5)": ["g"],
    "Adam(0.9, 0.9)": ["g"],
    "DM": ["g"],
    "RP": ["m_hat", "g_hat"],
    "RPSmallExtra": ["m_hat", "g_hat", "n_hat"],
}
own["responses"] = [
    response(source, problems[-1], feature)
    for source, features in INPUTS.items()
    for feature in features
]
saved = records.save(
    "distillation",
    own,
    profile=profile,
    seed=seeds,
    dataset=" and ".join(
        "synthetic" if p == "p1" else tasks.load(p).dataset for p in problems
    ),
    engine=engine,
    wall_time=time.perf_counter() - started,
)

# %%
record = records.shown("distillation", profile)
run = record["values"]
last = run["problems"][-1]
NAMES = {"p1": "P1", "p2": "P2", "p4": "P4", "digits": "digits, for P2"}
source_of = (
    f"profile {record['profile']}, {record['engine']}, {run['time_limit']:g} s a search, "
    f"{len(record['seed'])} seed(s)"
)
display(
    Markdown(f"All that follows shows: **{source_of}**, {record['date'][:10]}.")
)

# %%
published = records.published("SymL2O Table 7")
printed = {
    row: cells.set_index("column")["text"]
    for row, cells in published.groupby("row")
}


def spread(values: list[float | None]) -> str:
    """Mean and deviation of what there is."""
    there = [value for value in values if value is not None]
    return records.mean_std(there) if there else ""


def table7(problem: str) -> pd.DataFrame:
    """One problem of Table 7, published and ours."""
    column = "P2" if problem == "digits" else problem.upper()
    return pd.DataFrame(
        {
            "source": source,
            "published": printed[source].get(column) if source in printed else None,
            "ours": records.mean_std(fit["r2"]),
            "nodes": records.mean_std(fit["nodes"]),
            "within 100 nodes": spread(fit["within 100"]),
        }
        for source, fit in run["fits"][problem].items()
    )


def beside(problem: str) -> pd.DataFrame:
    """The same fits beside three others."""
    return pd.DataFrame(
        {
            "source": source,
            "equation": records.mean_std(fit["r2"]),
            "least squares": records.mean_std(fit["linear"]),
            "network": records.mean_std(fit["network"]),
            "the rule, forgetful": spread(fit["window"]),
        }
        for source, fit in run["fits"][problem].items()
    )


for problem in run["problems"]:
    fits = run["fits"][problem]
    ahead = [
        s
        for s, fit in fits.items()
        if np.mean(fit["r2"]) > np.mean(fit["linear"]) + 0.005
    ]
    behind = [s for s in fits if s not in ahead]
    longest = max(second for fit in fits.values() for second in fit["seconds"])
    plots.table(
        table7(problem),
        name=f"tab-distillation-{problem}",
        caption=f"SymL2O Table 7 beside ours on {NAMES[problem]}: R² on held-out trajectories, of the most accurate "
        f"equation within {run['max_complexity']} nodes and within 100, mean ± standard deviation; the "
        f"longest search took {longest:.0f} s ({source_of}).",
    )
    plots.table(
        beside(problem),
        name=f"tab-distillation-{problem}-beside",
        caption=f"The same R² on {NAMES[problem]} beside other fits of the same rows. Ahead of least squares by more "
        f"than 0.005: {', '.join(ahead) or 'none'}; not ahead: {', '.join(behind) or 'none'} ({source_of}).",
    )

# %% [markdown]
# ## The equation on top of its teacher: Figure 3
#
# Inputs of successive steps are much alike, so an equation can be right about an answer and still credit it to another
# lag than its teacher does. One input moved by itself shows that; the fits above do not.

# %%
fig, axes = plt.subplots(2, 4, figsize=(10, 4.6))
for ax, curve in zip(axes.flat, run["responses"], strict=False):
    ax.plot(
        curve["x"],
        curve["rule"],
        "o",
        ms=3,
        color=plots.COLORS["teacher"],
        label="rule",
    )
    ax.plot(
        curve["x"],
        curve["equation"],
        color=plots.COLORS["equation"],
        label="equation",
    )
    ax.set(title=curve["label"].replace("_", " "))
    ax.ticklabel_format(style="sci", scilimits=(-2, 2))
for ax in axes.flat[len(run["responses"]) :]:
    ax.axis("off")
axes[0, 0].legend(fontsize=8)
axes[0, 0].set_ylabel("update")
axes[1, 0].set_ylabel("update")


def gap(curve: dict) -> float:
    """Root-mean-square distance of equation and rule, relative to the rule's."""
    rule, equation = np.array(curve["rule"]), np.array(curve["equation"])
    return float(
        np.sqrt(np.square(rule - equation).mean() / np.square(rule).mean())
    )


gaps = {curve["label"]: gap(curve) for curve in run["responses"]}
plots.figure(
    fig,
    name="fig-distillation-mapping",
    caption="Mapping functions, after SymL2O's Figure 3: the answer to one input at the present step, all else as "
    f"it was at one moment of a run ({NAMES[last]}). Closest: {min(gaps, key=gaps.get)}, within "
    f"{min(gaps.values()):.0%}; farthest: {max(gaps, key=gaps.get)}, {max(gaps.values()):.0%} of the "
    f"answer's root mean square. ({source_of}.)",
)

# %% [markdown]
# The same for inputs of the past, for a teacher of your choice. Pages show this build's own teachers and equations.


# %%
def answer_frame(source: str, feature: str, lag: int) -> Frame:
    """A frame of the explorer, everything in standard deviations."""
    answer = response(source, problems[-1], feature, lag)
    data = rows[problems[-1], source, seeds[0]]
    x = (
        np.array(answer["x"])
        / data.inputs[:, data.names.index(f"{feature}[0]")].std()
    )
    rule, equation = (
        np.array(answer[key]) / data.targets.std() for key in ("rule", "equation")
    )
    return Frame(
        f"{lag} steps ago",
        {"input": f"{feature}[{lag}]"},
        None,
        [
            Curve("rule", x, rule, plots.COLORS["teacher"], "points"),
            Curve("equation", x, equation, plots.COLORS["equation"]),
        ],
    )


explorer(
    {
        f"{source}, {feature}": [
            answer_frame(source, feature, lag) for lag in (0, 1, 2, 3, 5, 8, 12, 19)
        ]
        for source in LEARNED
        for feature in INPUTS[source]
    },
    name="fig-distillation-lags",
    caption="The answer to one input, now or some steps ago, of teachers and of their equations "
    f"({NAMES[problems[-1]]}, profile {profile}).",
    control="lag",
    choice="teacher and input",
    x="input, in its standard deviations",
    y="update, in its",
    xlim=(-3, 3),
)

# %% [markdown]
# ## Larger is better, up to a point: Figure 5
#
# The paper finds that accuracy first rises with complexity, then falls, because large equations overfit.
# Ours are chosen on rows of their own and judged on others.

# %%
fig, axes = plt.subplots(1, 2, figsize=(9, 3.6))
for source, shade in zip(run["size"], plots.CYCLE, strict=False):
    for number, front in enumerate(run["size"][source]["fronts"]):
        x = [entry["complexity"] for entry in front]
        label = None if number else source
        axes[0].plot(
            x, [e["r2"] for e in front], marker=".", color=shade, label=label
        )
        fields = [np.max(entry["tpf"]) for entry in front]
        axes[1].plot(x, fields, marker=".", color=shade)
    axes[1].axhline(
        np.mean([np.max(field) for field in run["size"][source]["tpf"]]),
        color=shade,
        ls=":",
    )
axes[0].set(
    xlabel="complexity (nodes)", ylabel="held-out $R^2$", ylim=(-0.05, 1.03)
)
axes[1].set(xlabel="complexity (nodes)", ylabel="temporal perception field (steps)")
axes[0].legend(fontsize=9)
falls = sum(
    max(e["r2"] for e in front) > front[-1]["r2"] + 0.01
    for part in run["size"].values()
    for front in part["fronts"]
)
count = sum(len(part["fronts"]) for part in run["size"].values())
plots.figure(
    fig,
    name="fig-distillation-size",
    caption="After SymL2O's Figure 5: accuracy (left) and the longest temporal perception field of its "
    "inputs (right) along the fronts; dotted, the teacher's own. The largest equation is more than 0.01 "
    f"below the best of its front in {falls} of {count} fronts. ({NAMES[last]}, {source_of}.)",
)

# %% [markdown]
# ## Walk along a front
#
# Every entry of a front is an equation: move the slider from the shortest to the most accurate. The dots are
# windows that the search has not seen: on the line, the equation does what its teacher did. These are the
# searches of this build.


# %%
def walk(source: str) -> list[Frame]:
    """A frame for each entry of a front, on 150 held-out windows, in units of the teacher's spread."""
    key = problems[-1], source, seeds[0]
    data, front, unit = rows[key], fronts[key], rows[key].targets.std()
    parts = distiller.prepare(data).parts
    held = np.random.default_rng(0).choice(parts["test"], 150, replace=False)
    columns = dict(
        zip(data.names, torch.from_numpy(data.inputs[held].T.copy()), strict=True)
    )
    does = data.targets[held] / unit
    line, frames = np.array([does.min(), does.max()]), []
    for entry in front.entries[:: max(1, len(front) // 12)]:
        says = entry.equation.evaluate(columns).expand(len(held)).numpy() / unit
        field = metrics.temporal_perception_field(entry.equation, data)
        facts = {
            "R²": f"{entry.r2:.3f}",
            "nodes": str(entry.complexity),
            "field": f"{np.max(field):.1f} steps",
        }
        curves = [
            Curve("the same", line, line, color=plots.INK, style="dash"),
            Curve(
                "held-out windows",
                does,
                says,
                color=plots.COLORS["equation"],
                style="points",
            ),
        ]
        latex = entry.equation.rounded(2).latex()
        frames.append(Frame(f"{entry.complexity} nodes", facts, latex, curves))
    return frames


walks = {source: walk(source) for source in LEARNED}
explorer(
    walks,
    name="fig-distillation-walk",
    caption="Along the Pareto fronts of this build: the equation's update against the teacher's, in standard "
    f"deviations of the teacher's ({NAMES.get(problems[-1])}, profile {profile}).",
    choice="teacher",
    start=len(walks["DM"]) // 2,
    x="the teacher's update",
    y="the equation's",
)

# %% [markdown]
# ## What the equations say: Eq. 6, 7 and 8
#
# For each teacher the best equation of at most 30 nodes, and what the paper printed. The paper's DM equations
# were found on other teachers than ours, so they need not agree; what can be compared is the shape: a gradient
# term, a saturating one, few lags.

# %%
PRINTED = {
    ("DM", "P1"): "syml2o_eq7a",
    ("DM", "P2"): "syml2o_eq7b",
    ("DM", "P4"): "syml2o_eq7c",
}


def both(found: list[dict]) -> list[dict]:
    """Each equation, after the one that the paper prints for its teacher and problem."""
    lines = []
    for line in found:
        column = "P2" if line["problem"] == "digits" else line["problem"].upper()
        rule = f"{line['source']} on {NAMES[line['problem']]}"
        if printed_rule := PRINTED.get((line["source"], column)):
            latex = zoo.get(printed_rule).equation.latex()
            lines.append({"rule": rule, "from": "paper", "equation": f"${latex}$"})
        latex = expressions.parse(line["equation"]).latex()
        ours = {"from": "here", "R²": f"{line['r2']:.2f}", "equation": f"${latex}$"}
        lines.append({"rule": rule} | ours)
    return lines


plots.table(
    pd.DataFrame(
        both(run["equations"]), columns=["rule", "from", "R²", "equation"]
    ),
    name="tab-distillation-equations",
    caption="Equations of at most 30 nodes, constants to two digits, and those that the paper prints (Eq. 7). "
    f"({source_of}.)",
)

# %%
hyper = pd.DataFrame(
    {
        "teacher": source,
        "R² with tanh, exp, asinh": fit["with"],
        "R² without": fit["r2"],
    }
    for source, fit in run["without hyperbolic"].items()
)
difference = (hyper.iloc[:, 1] - hyper.iloc[:, 2]).to_numpy()
plots.table(
    hyper,
    name="tab-distillation-hyperbolic",
    caption="SymL2O's Eq. 8 asks what hyperbolic functions are worth: published for DM, R² 0.54 with and 0.53 "
    f"without. Ours differ by {difference.min():+.3f} to {difference.max():+.3f} ({NAMES[last]}, {source_of}).",
)

# %% [markdown]
# ## Does another seed find the same equation?
#
# SymL2O reports that from RP-type teachers always the same form comes back. Two equations have the same form
# here if they agree in everything but the values of their constants: a strict test, since equal functions can
# be written in many ways.

# %%
stability = pd.DataFrame(
    {
        "teacher": source,
        "within nodes": int(size),
        "same form": f"{fit['same']} of {fit['of']}",
        "R²": records.mean_std(fit["r2"]),
    }
    for source, sizes in run["stability"].items()
    for size, fit in sizes.items()
)
plots.table(
    stability,
    name="tab-distillation-stability",
    caption="Searches with other seeds on the same rows: how many of them end with the most common form, and "
    f"the spread of their accuracy ({NAMES[last]}, {source_of}).",
)

# %% [markdown]
# ## The function they have in common: Figure 6
#
# $\gamma\tanh(x/\gamma)$ is $x$ for small inputs and $\pm\gamma$ for large ones: a gradient that is clipped
# smoothly. In SymL2O's Eq. 6 every lag of every feature passes through it, and $\gamma$ is tuned later.

# %%
x = np.linspace(-4, 4, 81)
explorer(
    [
        Frame(
            f"γ = {gamma:g}",
            {
                "γ": f"{gamma:g}",
                "answer to x = 4": f"{gamma * np.tanh(4 / gamma):.2f}",
            },
            rf"{gamma:g}\,\tanh(x / {gamma:g})",
            [
                Curve("x", x, x, color=plots.INK, style="dash"),
                Curve(
                    "γ tanh(x/γ)",
                    x,
                    gamma * np.tanh(x / gamma),
                    color=plots.CYCLE[0],
                ),
            ],
        )
        for gamma in (0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 8.0)
    ],
    name="fig-distillation-tanh",
    caption=r"After SymL2O's Figure 6, with a slider for $\gamma$: within $|x| < \gamma/2$ the function is within "
    r"8 % of $x$, beyond $2\gamma$ within 4 % of its limit.",
    control="γ",
    x="x",
    y="γ tanh(x/γ)",
    start=3,
)

# %% [markdown]
# ## How such a search works: Figure 7
#
# The paper prints the mutation step of its search as pseudo-code. Here it runs: an equation is a list of nodes
# in postfix order, a mutation changes one of them or a whole branch, and a worse equation is kept with a
# probability that falls as the search cools. Real engines add populations, recombination and constants
# fitted by least squares, of which this small one has none.

# %%
BINARY, UNARY = ("+", "-", "*", "/"), ("tanh", "sqrt", "square")
choose = np.random.default_rng(seeds[0])


def leaf(names: list[str]) -> expressions.Expression:
    """A variable or a constant."""
    if choose.random() < 0.6:
        return expressions.parse(str(choose.choice(names)))
    return expressions.const(float(choose.normal()))


def branch(program: tuple, end: int) -> slice:
    """Where the branch whose last node is at `end` lies in a postfix program."""
    start, open_arguments = end, 1
    while True:
        node = program[start]
        arity = expressions.OPERATORS[node].arity if isinstance(node, str) else 0
        open_arguments += arity - 1
        if not open_arguments:
            return slice(start, end + 1)
        start -= 1


def mutate(
    equation: expressions.Expression, names: list[str]
) -> expressions.Expression:
    """One random change: a constant, an operator, a branch appended, inserted, deleted or replaced."""
    program = equation.program
    where = branch(program, int(choose.integers(len(program))))
    part, kind = expressions.Expression(program[where]), choose.random()
    if kind < 0.35 and equation.constants:  # mutateConstant
        factors = np.exp(0.3 * choose.normal(size=len(equation.constants)))
        return equation.with_constants((factors * equation.constants).tolist())
    if kind < 0.5:  # appendRandomOp, insertRandomOp
        part = expressions.call(str(choose.choice(BINARY)), part, leaf(names))
    elif kind < 0.65:
        part = expressions.call(str(choose.choice(UNARY)), part)
    elif (
        kind < 0.85 and part.arguments
    ):  # deleteRandomOp: one argument takes its place
        part = part.arguments[int(choose.integers(len(part.arguments)))]
    else:  # genRandomTree
        part = expressions.call(
            str(choose.choice(BINARY)), leaf(names), leaf(names)
        )
    return expressions.Expression(
        program[: where.start] + part.program + program[where.stop :]
    )


# %%
shown = rows[problems[0], "Adam from m, v", seeds[0]]
columns = {
    name: torch.from_numpy(column / column.std())
    for name, column in zip(shown.names, shown.inputs.T[:, :500], strict=True)
}
target = torch.from_numpy(shown.targets[:500] / shown.targets.std())


def misfit(equation: expressions.Expression) -> float:
    """Mean squared error, and a little for size."""
    error = (equation.evaluate(columns) - target).square().mean().item()
    return error + 0.002 * equation.complexity if np.isfinite(error) else np.inf


MUTATIONS = 10_000
present = leaf(shown.names)
cost, best, path = misfit(present), np.inf, []
for step in range(MUTATIONS):
    trial = mutate(present, shown.names)
    if trial.complexity <= 20:
        change = misfit(trial) - cost
        if choose.random() < np.exp(
            -max(change, 0) / (0.05 * (1 - step / MUTATIONS) + 1e-6)
        ):
            present, cost = trial, cost + change
    if cost < best:
        best, found = cost, present
        path.append((step, cost, str(found.rounded(2))))

# %%
fig, ax = plt.subplots(figsize=(7, 3.2))
ax.step(
    [p[0] for p in path],
    [p[1] for p in path],
    where="post",
    color=plots.COLORS["equation"],
)
for at, value, text in path[:: max(1, len(path) // 4)]:
    ax.annotate(
        text, (at, value), textcoords="offset points", xytext=(4, 4), fontsize=8
    )
ax.set(xlabel="mutations tried", ylabel="error + 0.002 × nodes", xscale="symlog")
plots.figure(
    fig,
    name="fig-distillation-mutation",
    caption="The mutation loop of SymL2O's Figure 7 looks for Adam's rule from $m$ and $v$, all scaled to unit "
    f"variance: after {MUTATIONS} mutations it has ${found.rounded(2).latex()}$, cost {best:.3f}.",
)

# %% [markdown]
# ## Type an equation
#
# In a running notebook, the box below takes any equation of `g`, `m`, `v`, `m_hat`, `g_hat`, `t` and their lags,
# draws it, measures it, and races it against Adam on $\mathcal{P}_1$. It needs a kernel, so a page cannot show it.

# %%
playground(tasks.load("p1"))

# %% [markdown]
# ## What this build measured itself

# %%
plots.table(
    pd.DataFrame(
        {
            "source": source,
            **{
                NAMES[problem]: records.mean_std(own["fits"][problem][source]["r2"])
                for problem in problems
            },
        }
        for source in SOURCES
    ),
    name="tab-distillation-own",
    caption=f"Held-out R² of this build: profile {profile}, {time_limit:g} s of search, {len(seeds)} seed(s).",
)
print(f"{time.perf_counter() - started:.0f} s in all")
