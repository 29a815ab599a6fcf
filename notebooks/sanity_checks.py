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
# # Sanity checks: can distillation be trusted?
#
# **In this page** known rules are distilled before unknown ones. SymL2O's Table 1 applies five rules to gradients
# recorded while a network trains, and asks symbolic regression for the rules. Here are the same five, measured
# on held-out rows, with two additions: a column for plain least squares, which any symbolic method must beat to
# be worth its time, and a sixth row in which Adam's own moments are inputs.
# [What we found](#what-we-found) follows the search.
#
# **Cost:** in `quick`, a minute, on a small network and scikit-learn's digits. In `standard`, a quarter of an hour
# on two CPU cores, on ResNet-50 and CIFAR-10, three seeds. In `paper`, by an estimate, minutes of a GPU, and an hour
# and a half of search on one core.

# %% tags=["parameters"]
profile = "quick"  # quick, standard or paper
show = "own"  # "own": this run; "recorded": the committed standard run
seeds = [0]
network = "mlp"  # "mlp" (64-64-10) or "resnet50"
dataset = "digits"
device = "cpu"  # or "cuda": where the network is trained
steps = 100  # of SGD with momentum 0.9, learning rate 0.01
batch = 64
per_tensor = 40  # coordinates recorded in each parameter tensor
rows = 5000
limit = 4.0  # gradients beyond this many deviations of their tensor are cut off
time_limit = 10.0  # seconds of search for each rule
max_complexity = 200

# %%
import time

import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown, display
from l2o_book import plots
from l2o_book.page import Page
from l2o_book.records import plural
from l2o_book.tables import Published, listed, mean_std
from matplotlib import pyplot as plt
from torch import nn

from l2o_core import data, distiller, expressions, metrics
from l2o_core.distiller import Dataset
from l2o_core.features import Features
from l2o_core.tasks import vision

page = Page("sanity_checks", globals())
LAGS = 20

# %% [markdown]
# ## Gradients of a network in training
#
# Gradients are heavy-tailed, and layers differ in scale by orders of magnitude. Scaled to unit variance as
# a whole, single values lie hundreds of deviations out, and a term like $e^{g}$ would drown the rest of its
# rule. So each tensor's gradients are divided by their own standard deviation, and cut off at a few
# deviations. The rules are then applied to these scaled gradients: every target is an exact function of
# its past inputs.

# %%
NETWORKS = {
    "mlp": lambda: nn.Sequential(
        nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)
    ),
    "resnet50": lambda: vision.resnet(50, stem="imagenet"),
}


def record_gradients(seed: int) -> tuple[np.ndarray, str]:
    """Scaled, limited gradients [steps, coordinates] of one run; the data's name."""
    torch.manual_seed(seed)
    images = data.load(dataset, part="report")
    model = NETWORKS[network]().to(device)
    sgd = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    chosen = [torch.randperm(p.numel())[:per_tensor] for p in model.parameters()]
    history = []
    for _ in range(steps):
        picked = torch.randint(len(images), (batch,))
        x = images.images[picked].to(device).float() / 255
        x = (x - x.mean((0, 2, 3), keepdim=True)) / x.std((0, 2, 3), keepdim=True)
        sgd.zero_grad()
        labels = images.labels[picked].to(device)
        nn.functional.cross_entropy(model(x), labels).backward()
        pairs = zip(model.parameters(), chosen, strict=True)
        history.append([p.grad.flatten()[at].cpu() for p, at in pairs])
        sgd.step()
    tensors = [
        torch.stack(series).double() for series in zip(*history, strict=True)
    ]
    scaled = [g / g.std().clamp_min(1e-12) for g in tensors]
    return torch.cat(scaled, dim=1).clamp(-limit, limit).numpy(), images.name


# %% [markdown]
# ## The rules
#
# | row | target | in the span of 20 lags? |
# | :--- | :--- | :--- |
# | SGD | $-0.01\, g_t$ | yes |
# | Linear | $\sum_{i=0}^{10} (1 - 0.1 i)\, g_{t-i}$ | yes |
# | Nonlinear | $g_t^2 + g_{t-1} + 2 g_{t-2} + e^{g_{t-4}}$ | yes |
# | Momentum(0.6) | $b_t = 0.6\, b_{t-1} + g_t$ | to $0.6^{20} = 4\cdot 10^{-5}$ |
# | Adam(0.9) | $m_t / \sqrt{v_t}$, $\beta_1 = \beta_2 = 0.9$ | no: moments remember every step |
# | Adam(0.9) from $m$, $v$ | the same | yes, with $m_t$ and $v_t$ as further inputs |
#
# The paper gives Adam one $\beta$; we take it for both moments. They are bias-corrected (SymL2O Eq. 5).

# %%
MOMENTS = Features(("m", "v", "m_hat"), beta1=0.9, beta2=0.9)
BUFFER = Features(("b",), beta1=0.6)
NAMES = [f"g[{lag}]" for lag in range(LAGS)]


def along(features: Features, gradients: np.ndarray) -> dict[str, np.ndarray]:
    """Features [steps, coordinates] by name, computed along the recorded gradients."""
    g, found = torch.from_numpy(gradients), []
    state = features.init(g[0])
    for now in g:
        values, state = features.step_dict(now, state)
        found.append(values)
    return {
        name: torch.stack([values[name] for values in found]).numpy()
        for name in features.names
    }


def sample(gradients: np.ndarray, seed: int) -> dict[str, Dataset]:
    """For each rule, rows at random steps (with 20 steps behind them) of random coordinates."""
    generator = np.random.default_rng(seed)
    step = generator.integers(LAGS - 1, steps, rows)
    at = generator.integers(gradients.shape[1], size=rows)
    g = np.stack([gradients[step - lag, at] for lag in range(LAGS)], axis=1)
    features = along(MOMENTS, gradients) | along(BUFFER, gradients)
    past = {name: x[step, at] for name, x in features.items()}
    targets = {
        "SGD": -0.01 * g[:, 0],
        "Linear": g[:, :11] @ (1 - 0.1 * np.arange(11)),
        "Nonlinear": g[:, 0] ** 2 + g[:, 1] + 2 * g[:, 2] + np.exp(g[:, 4]),
        "Momentum(0.6)": past["b"],
        "Adam(0.9)": past["m_hat"],
    }
    found = {rule: Dataset(g, y, NAMES, at) for rule, y in targets.items()}
    inputs = np.column_stack([g, past["m"], past["v"]])
    found["Adam(0.9) from m, v"] = Dataset(
        inputs, past["m_hat"], [*NAMES, "m", "v"], at
    )
    return found


# %% [markdown]
# ## Distillation
#
# Each rule is distilled twice from the same rows: by symbolic regression and by least squares. Whole
# coordinates are held out, and $R^2$ is measured on those. Of the front, we show the smallest equation whose
# mean squared error, on the rows that equations are chosen by, exceeds the smallest by at most 0.0001 of the
# target's variance.


# %%
def distilled(windows: Dataset, seed: int) -> dict:
    """The equation that symbolic regression finds for one rule, beside least squares."""
    began = time.perf_counter()
    front = distiller.distill(
        windows, time_limit=time_limit, max_complexity=max_complexity, seed=seed
    )
    seconds = time.perf_counter() - began
    linear = distiller.distill(windows, engine="linear", seed=seed)
    accepted = front.best.loss + 1e-4 * windows.targets.var()
    shown = next(entry for entry in front if entry.loss <= accepted)
    return {
        "equation": str(shown.equation),
        "complexity": shown.complexity,
        "r2": shown.r2,
        "linear": linear.best.r2,
        "seconds": seconds,
        "front": front.table[["complexity", "r2"]].to_dict("list"),
    }


windows, found = {}, {}
for seed in seeds:
    gradients, images = record_gradients(seed)
    windows[seed] = sample(gradients, seed)
    found[str(seed)] = {
        rule: distilled(part, seed) for rule, part in windows[seed].items()
    }

# %% [markdown]
# Beside the equation we record how far back it looks: the influence of each lag is the root-mean-square
# derivative of the rule by it, which is also its weight in the temporal perception field. For Adam the true rule
# is cut off at 20 lags, which is all that the inputs show.

# %% tags=["draw"]
m = " + ".join(f"{0.9**i!r} * g[{i}]" for i in range(LAGS))
v = " + ".join(f"{0.9**i!r} * g[{i}] ^ 2" for i in range(LAGS))
TRUE = {
    "Linear": " + ".join(f"{1 - 0.1 * i!r} * g[{i}]" for i in range(10)),
    "Momentum(0.6)": " + ".join(f"{0.6**i!r} * g[{i}]" for i in range(LAGS)),
    "Adam(0.9)": f"{0.1**0.5 * (1 - 0.9**LAGS) ** -0.5!r} * ({m}) / sqrt({v} + 1e-6)",
}


def influence(text: str, windows: Dataset) -> list[float]:
    """Influence of each lag of a rule, relative to that of the newest gradient (nan if it has none)."""
    weights = metrics.sensitivities(expressions.parse(text), windows)["g"]
    return [weight / (weights[0] or np.nan) for weight in weights.values()]


rows_of_first = windows[seeds[0]]
taps = {
    rule: {
        "true": influence(text, rows_of_first[rule]),
        "recovered": influence(
            found[str(seeds[0])][rule]["equation"], rows_of_first[rule]
        ),
    }
    for rule, text in TRUE.items()
}
adam = rows_of_first["Adam(0.9)"]
columns = dict(
    zip(NAMES, torch.from_numpy(adam.inputs.T.copy()).unbind(), strict=True)
)
closed_form = metrics.r2(
    adam.targets, expressions.parse(TRUE["Adam(0.9)"]).evaluate(columns)
)

# %%
own = {"rules": found, "taps": taps, "adam_closed_form_r2": closed_form}
own |= {"network": network, "steps": steps, "rows": rows, "limit": limit}
record = page.record(
    own | {"time_limit": time_limit}, dataset=images, engine="operon"
)
run, rules = record.values, record.values["rules"]
trained = {"mlp": "a 64-64-10 perceptron", "resnet50": "ResNet-50"}[run["network"]]
source = record.cite(trained, f"{run['time_limit']:g} s of search a rule")


def over_seeds(rule: str, key: str) -> list[float]:
    """One measurement of a rule, seed by seed."""
    return [result[rule][key] for result in rules.values()]


# %% [markdown]
# ## What we found

# %% tags=["draw"]
means = {
    rule: {key: np.mean(over_seeds(rule, key)) for key in ("r2", "linear")}
    for rule in next(iter(rules.values()))
}
exact = [rule for rule, mean in means.items() if mean["r2"] > 0.999]
linear = [rule for rule in exact if means[rule]["linear"] > 0.999]
gains = [
    rule for rule, mean in means.items() if mean["r2"] > mean["linear"] + 0.005
]
printed = Published("SymL2O Table 1")
lost = [
    f"{rule} (R² {means[rule]['r2']:.2f}, published: {printed.cell(rule, 'r2') or 'no such row'})"
    for rule in means
    if rule not in exact
]
display(
    Markdown(
        f"- Recovered exactly, to an R² above 0.999 on held-out rows: {listed(exact)}.\n"
        f"- Of these, least squares recovers {listed(linear)} as well. Symbolic regression is ahead of it, by more than 0.005 in "
        f"R², on {listed(gains)}.\n"
        f"- Recovered in part: {listed(lost)}. Of Adam's memory of all past gradients 20 are visible, and its "
        f"own formula, cut off there, reaches {run['adam_closed_form_r2']:.2f}.\n"
        "- The published R² does not say which rows it was measured on, so its last digits cannot be compared."
    )
)

# %% [markdown]
# ## SymL2O Table 1, published and ours
#
# The recorded run is on the paper's own network and data. The engine was developed on these same rules with
# seeds 0, 1 and 2. The recorded run uses new seeds (3, 4, 5), so each starts from a different network and records
# different coordinates. It was run once, after development had finished. All numbers are measured on held-out
# rows that played no part in choosing an equation. On a busier machine a search tries fewer candidates in its
# time; the row that depends on that is Adam's from lags alone.

# %% tags=["draw"]
published = Published("SymL2O Table 1")
plots.table(
    pd.DataFrame(
        {
            "rule": rule,
            "R² published": published.cell(rule, "r2"),
            "R² ours": mean_std(over_seeds(rule, "r2")),
            "R² least squares": mean_std(over_seeds(rule, "linear")),
            "nodes": mean_std(over_seeds(rule, "complexity")),
            "s published": published.cell(rule, "seconds"),
            "s ours": mean_std(over_seeds(rule, "seconds")),
        }
        for rule in means
    ),
    name="tab-sanity",
    caption="SymL2O Table 1 beside ours: R² on held-out rows, size of the equation and seconds of search, mean ± "
    f"standard deviation over {plural(len(record.seeds), 'seed')}. Ahead of least squares by more than 0.005: {listed(gains)} "
    f"({source}).",
)

# %% [markdown]
# {numref}`tab-sanity-equations` lists the recovered equations; where several seeds were run, it shows the shortest.


# %% tags=["draw"]
def typeset(rule: str) -> str:
    """The shortest equation of the seeds, if it fits a table."""
    result = min(
        (result[rule] for result in rules.values()), key=lambda r: r["complexity"]
    )
    if result["complexity"] > 60:
        return f"{result['complexity']} nodes, too long to print"
    return f"${expressions.parse(result['equation']).latex(digits=3)}$"


lines = []
for rule in means:
    if printed := published.cell(rule, "recovered"):
        lines.append({"rule": rule, "from": "paper", "equation": printed})
    lines.append({"rule": rule, "from": "ours", "equation": typeset(rule)})
plots.table(
    pd.DataFrame(lines),
    name="tab-sanity-equations",
    caption=f"Recovered equations, published and ours ({source}).",
)

# %% [markdown]
# ## How far back the recovered rules look

# %% tags=["draw"]
drawn = run if "taps" in run else own  # older records hold no influences
drawn_from = source if "taps" in run else f"this run, {images}"
fig, axes = plt.subplots(1, 3, figsize=(6.7, 2.8), sharex=True)
for ax, (rule, weights) in zip(axes, drawn["taps"].items(), strict=True):
    ax.plot(weights["true"], label="true", lw=1.5)
    ax.plot(weights["recovered"], "o", ms=4, label="recovered")
    ax.set(title=rule, xlabel="lag (steps)")
axes[0].set_ylabel("influence, relative to lag 0")
axes[0].legend()
first = next(iter(drawn["rules"].values()))["Adam(0.9)"]
plots.figure(
    fig,
    name="fig-sanity-taps",
    caption="Influence of each lag in the true and the recovered rules. Truncated to 20 lags, Adam's own equation "
    f"reaches R² {drawn['adam_closed_form_r2']:.2f}, and the fitted one {first['r2']:.2f} ({drawn_from}, first seed).",
)

# %% [markdown]
# ## Accuracy against size

# %% tags=["draw"]
fig, ax = plt.subplots(figsize=(6.7, 3.8))
first = next(iter(rules.values()))
for rule, marker in zip(first, "osD^vP", strict=True):
    front = first[rule]["front"]
    ax.plot(front["complexity"], front["r2"], marker=marker, ms=4, label=rule)
ax.set(
    xlabel="complexity (nodes)",
    ylabel="held-out $R^2$",
    xscale="log",
    ylim=(0, 1.03),
)
ax.legend()
plots.figure(
    fig,
    name="fig-sanity-fronts",
    caption="Accuracy against size, one front a rule. Given its moments, "
    f"Adam is an equation of {first['Adam(0.9) from m, v']['complexity']} nodes; from gradients alone it takes "
    f"{first['Adam(0.9)']['complexity']} ({source}, first seed).",
)

# %% [markdown]
# ## Cost

# %%
print(
    f"This run took {page.seconds:.0f} s, the run shown {record.wall_time_s:.0f} s."
)
