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
# **In this page** we measure how far back an optimizer looks and how complex it must be: the two numbers by
# which SymL2O describes an optimizer. We check them against closed forms (SymL2O Table 2), take them of six learned
# optimizers, the *teachers*, and of the equations distilled from them (upper half of Table 3), and test the
# paper's claims about them. The outcome is under [What we found](#what-we-found). How equations optimize,
# the lower half of Table 3, is the subject of {doc}`equations_at_work`.
#
# **Cost:** in `quick`, two minutes, with the pretrained teachers and scikit-learn's digits in place of MNIST. In
# `standard`, two hours on one CPU core together with {doc}`equations_at_work`, which uses the same searches.
# In `paper`, by an estimate, five hours of a GPU for the teachers, and 15 of search on one core.

# %% tags=["parameters"]
profile = "quick"  # quick, standard or paper
show = "own"  # "own": this run; "recorded": the committed standard run
seeds = [0]  # training seeds of the teachers
problems = ["digits"]  # for TPF and MC: "p1", "p2", "p3"; digits stands in for "p2"
once = []  # more of them, with the teachers of the first seed only
folder = ""  # cache folder of teachers and fronts; empty: pretrained teachers
device = "cpu"  # or "cuda": where optimizers are trained and run
time_limit = 3.0  # seconds of search for each equation
max_complexity = 200  # as in the paper's code
inits = 3  # unseen initialisations for each training seed
near_steps = 100  # on the problem they were trained on
far_steps = 200  # on the deeper one
close = 0.8  # the R2 from which on an equation is close to its teacher, for MC
permutations = 2000  # for the rank correlations
workers = 2  # optimizers that run side by side

# %%
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown, display
from l2o_book import contest, curves, evidence, fits, plots, verdicts
from l2o_book.page import Page
from l2o_book.pipeline import Pipeline
from l2o_book.problems import original, title
from l2o_book.records import plural
from l2o_book.tables import NOT_RECORDED, Published, listed, mean_std
from l2o_book.teachers import RECIPES
from matplotlib import pyplot as plt

from l2o_core import distiller, expressions, metrics, models, tasks

page = Page("interpretability", globals())
tpf = metrics.temporal_perception_field

# %% [markdown]
# ## How far back: the temporal perception field
#
# For a linear rule $\sum_i c_i\, g_{t-i}$ over $T$ lags, SymL2O's Eq. 3 defines the *temporal perception field*
# (TPF) as the mean lag, in steps, each lag weighted by the magnitude of its coefficient:
#
# ```{math}
# :label: eq-tpf
# \mathrm{TPF} = \sum_{i=0}^{T-1} \frac{|c_i|}{\sum_j |c_j|}\, i .
# ```
#
# A rule that is not linear has no such coefficients. We weight lag $i$ of an input $z$ by the sensitivity of the
# update $\psi$ to it, $\sqrt{\mathbb{E}\,(\partial\psi/\partial z_{t-i})^2}$, averaged over recorded data. For a
# linear rule that is $|c_i|$, and for a network automatic differentiation gives it, so one definition serves
# hand-made rules, equations and networks. A rule with several inputs has a TPF for each. With 20 lags, the
# largest possible value is 19, and a rule that weights all lags alike has 9.5.
#
# ## How complex: the mapping complexity
#
# The *mapping complexity* (MC) is, in the paper, the complexity of the smallest equation that differs from the network by
# less than a threshold; which threshold is not said. Here it is the number of nodes of the smallest distilled equation
# that reaches a given $R^2$, the parameter `close`. It counts every operator, variable and constant. It depends on the
# search: a longer one may find a smaller equation. Where no equation of a front is that close, MC is not reached, and in
# comparisons it counts as one node more than the largest equation that was searched.
#
# Beside it we give the *relative* MC, the smallest equation whose $R^2$ is within 0.05 of the best on the front. It always
# exists, but where no equation explains a network well, a small one is soon within 0.05. Both are read off the rows that
# equations are chosen by; the $R^2$ that is reported is measured on others.
#
# ## Known rules: SymL2O Table 2
#
# Momentum is $\sum_i \beta^i g_{t-i}$, so its TPF is $\beta/(1-\beta)$. Cut off at 20 lags it is less, by little for
# $\beta=0.5$ and by more than half for 0.95. We compute it from sensitivities on random inputs with heavy tails, as gradients have them.
#
# For MC, the paper prints $\frac12 \frac{1}{\beta_0^2}$ "where $\beta^{i_0} = 0.05$", in which $\beta_0$ is not defined. With
# $i_0 = \log 0.05 / \log \beta$, the lag at which a weight has fallen to a twentieth, the table has $\frac12 i_0^2$, which is
# one way to read it.


# %%
LAGS = 20


def momentum(beta: float) -> expressions.Expression:
    """The momentum of SymL2O's Table 2, cut off at 20 lags."""
    terms = [f"{-0.01 * (1 - beta) * beta**i!r} * g[{i}]" for i in range(LAGS)]
    return expressions.parse(" + ".join(terms))


def truncated(beta: float) -> float:
    """The mean lag of beta^i over 20 lags."""
    weights = beta ** np.arange(LAGS)
    return float((np.arange(LAGS) * weights).sum() / weights.sum())


inputs = np.random.default_rng(0).standard_t(3, size=(2000, LAGS))
names = [f"g[{i}]" for i in range(LAGS)]
noise = distiller.Dataset(inputs, inputs[:, 0], names, np.arange(2000))
known = {"SGD": (expressions.parse("-0.01 * g[0]"), 0.0, 0.0)}
known |= {
    f"mom({beta})": (momentum(beta), truncated(beta), beta / (1 - beta))
    for beta in (0.5, 0.9, 0.95)
}
columns = {
    name: torch.from_numpy(x)
    for name, x in zip(names, inputs.T.copy(), strict=True)
}
known_fronts = {
    name: distiller.distill(
        inputs,
        rule.evaluate(columns).numpy(),
        names,
        engine="linear",
        max_complexity=100,
    )
    for name, (rule, _, _) in known.items()
}

# %% tags=["draw"]
computed = {name: tpf(rule, noise) for name, (rule, _, _) in known.items()}
deviation = max(
    abs(computed[name] - short) for name, (_, short, _) in known.items()
)
exact = (
    "but for rounding" if deviation < 1e-9 else f"to within {deviation:.0e} steps"
)
matches = verdicts.REPRODUCED if deviation < 0.01 else verdicts.NOT_REPRODUCED


def published_mc(tpf_of_momentum: float) -> int:
    """The paper's formula for momentum, as far as it can be read."""
    beta = tpf_of_momentum / (1 + tpf_of_momentum)
    return round(0.5 * (np.log(0.05) / np.log(beta)) ** 2)


plots.table(
    pd.DataFrame(
        {
            "rule": name,
            "TPF published": full,
            "cut off at 20 lags": short,
            "TPF computed": computed[name],
            "MC published": published_mc(full) if full else 1,
            "relative MC": metrics.mapping_complexity(known_fronts[name]),
            f"MC at $R^2$ of {close:g}": metrics.mapping_complexity_at(
                known_fronts[name], close
            ),
        }
        for name, (rule, short, full) in known.items()
    ),
    name="tab-interpret-known",
    caption="SymL2O's Table 2 beside ours: the computed TPF equals the closed form, cut off where the inputs end, "
    f"{exact}. A rule that reads $\\hat m$ instead, such as Adam, is that input alone: TPF 0. "
    "The paper counts SGD as 1 node; here the coefficient and its multiplication count too. For momentum, the published "
    "MC is one reading of a formula.",
)

# %% [markdown]
# ## Learned optimizers
#
# Each teacher was meta-trained on one problem and optimizes fresh instances of it, with images that it has not seen:
# P1, the random functions of {eq}`eq-p1`; P2, a perceptron with hidden layers of 50 and 20 units; or P3, one of 50, 20,
# 20 and 12. What it sees and does is recorded and distilled.

# %%
pipeline = Pipeline(
    page.cache,
    time_limit=time_limit,
    max_complexity=max_complexity,
    workers=workers,
    device=device,
)
studied = dict.fromkeys(problems, seeds) | dict.fromkeys(once, seeds[:1])
cases = [
    (label, problem, seed)
    for label in RECIPES
    for problem in studied
    for seed in studied[problem]
]


def teacher(label: str, problem: str, seed: int) -> models.LearnedOptimizer:
    """The optimizer that was meta-trained on a problem with a seed."""
    return pipeline.teacher(RECIPES[label], problem, seed)


def windows(case: tuple[str, str, int]) -> distiller.Dataset:
    """What a teacher saw and did."""
    return pipeline.trajectories(teacher(*case), *case[1:])


with ThreadPoolExecutor(workers) as pool:
    rows = dict(zip(cases, pool.map(windows, cases), strict=True))
fronts = {case: pipeline.distill(rows[case], case[-1]) for case in cases}


# %%
def timed(function, *arguments) -> tuple:
    """What a function returns, and the seconds that it took."""
    start = time.perf_counter()
    return function(*arguments), time.perf_counter() - start


def described(case: tuple[str, str, int]) -> dict:
    """TPF of a teacher and of its equation, MC, what these took, and fit."""
    data, front, optimizer = rows[case], fronts[case], teacher(*case)
    best = front.best.equation
    of_teacher, first = timed(tpf, optimizer, data)
    of_equation, second = timed(tpf, best, data)
    mc, third = timed(metrics.mapping_complexity_at, front, close)
    bounds = metrics.temporal_perception_interval(optimizer, data)
    return {
        "tpf": np.atleast_1d(of_teacher).tolist(),
        "interval": np.atleast_2d(bounds).tolist(),
        "tpf equation": np.atleast_1d(of_equation).tolist(),
        "mc": metrics.mapping_complexity(front),
        "mc at": mc,
        "seconds": {"tpf": first, "tpf equation": second, "mc": third},
        "r2": front.best.r2,
        "r2 interval": fits.interval(best, data),
        "fitted": fits.fitted(best, data),
    }


own = {"problems": [*studied], "time_limit": time_limit, "inits": inits}
own |= {"close": close, "max_complexity": max_complexity}
own["described"] = {
    label: {
        problem: [described((label, problem, seed)) for seed in taught]
        for problem, taught in studied.items()
    }
    for label in RECIPES
}

# %% [markdown]
# For the hypotheses at the end we also need to know how well teachers optimize: the problem that they were trained on,
# and the deeper P3, both from unseen initialisations, which are others for each training seed.

# %%
SHALLOW, DEEP = (50, 20), (50, 20, 20, 12)  # hidden layers of P2 and P3
home = next(problem for problem in problems if original(problem) == "p2")
dataset = "digits" if home == "digits" else "mnist"


field = {label: [teacher(label, home, seed) for seed in seeds] for label in RECIPES}


def losses(hidden: tuple[int, ...], steps: int) -> dict[str, torch.Tensor]:
    """Losses [seeds * inits, steps + 1] of each teacher."""
    task = tasks.MLP("mlp", dataset, hidden, part="report", device=device)
    return contest.evaluated(
        field,
        lambda some, seed: pipeline.evaluate(some, task, steps, inits, 3000 + seed),
        seeds,
    )


near, far = losses(SHALLOW, near_steps), losses(DEEP, far_steps)
own["races"] = {
    label: {
        "near": near[label].reshape(len(seeds), -1).mean(1).tolist(),
        "teacher": {"end": curves.ends(far[label]).tolist()},
    }
    for label in RECIPES
}

# %%
record = page.record(
    own,
    dataset=tasks.MLP("mlp", dataset, DEEP, part="report").dataset,
    engine="operon",
)
run, count = record.values, len(record.seeds)
source = record.cite(f"{run['inits']} initialisations for each training seed")

# %% [markdown]
# ## Claims and hypotheses
#
# From SymL2O's Table 3 and its discussion we take six claims that compare two teachers trained on P2, each tested over
# training seeds. Teachers with several inputs have several TPFs; the longest is compared.

# %% tags=["draw"]
labels = list(run["races"])
here = next(problem for problem in run["problems"] if original(problem) == "p2")
table3 = Published("SymL2O Table 3")
decided = evidence.interpretability(record)
claims = decided["claims"]

# %% [markdown]
# SymL2O 3.5 also has two hypotheses: (i) a longer TPF goes with faster convergence on the problem trained on, and (ii) a
# smaller MC goes with better transfer, *if meta-tuning is performed*. This condition is not met here, where nothing is
# meta-tuned, so (ii) is not tested. Appendix A.2 says what holds for which teachers:
#
# - Among teachers with the *same* inputs (DM and DM+CL+IL, RP and RP+CL+IL), a larger TPF and MC go with a lower loss.
# - *Across* inputs, richer ones lower all three, TPF, MC and loss.
#
# Both are tested pair by pair. Whichever of two teachers with the same inputs has the larger TPF or MC should have the
# lower loss; this is decided where both differences are. Rank correlations are a picture of what goes together, and decide nothing. We
# give them within teachers that read the same inputs, and over all, where they mix the effect of a number with that of the
# inputs. Runs that diverge count as the worst in all of these, and none is left out.

# %% tags=["draw"]
correlations = evidence.correlations(record, permutations)

# %% [markdown]
# ## What we found

# %% tags=["draw"]
entries = {
    label: [entry for found in run["described"][label].values() for entry in found]
    for label in labels
}
kind = f"MC, at an $R^2$ of {run['close']:g}," if "close" in run else "relative MC"


def size(entry: dict) -> float:
    """The complexity of the paper's definition; older records have the relative one."""
    return evidence.complexity(run, entry) if "mc at" in entry else entry["mc"]


def nodes(count: float) -> str:
    """A complexity in words."""
    above = count > run.get("max_complexity", count)
    return "more than was searched" if above else f"{count:.0f} nodes"


middle = {label: np.median([*map(size, entries[label])]) for label in labels}
simplest = min(middle, key=middle.get)
bullets = {name: decided[name] for name in ("same inputs", "richer inputs")}
longer = {
    claim.partition("; ")[2]: found.verdict
    for claim, found in bullets["same inputs"].items()
    if "TPF" in claim
}
alone = [  # undecided only by the correction for many comparisons
    f"{claim} ({'as' if found.difference < 0 else 'against what is'} claimed)"
    for claim, found in claims.items()
    if found.verdict == verdicts.UNDECIDED and found.low * found.high > 0
]
hints = (
    f", though the intervals of these exclude 0: {listed(alone)}" if alone else ""
)
text = f"""
- **TPF of known rules (SymL2O Table 2): {matches},** {exact}.
- **Claims of Table 3 and its discussion** ({len(claims)} of them, 95 % after Holm's correction). Reproduced:
  {listed(verdicts.named(verdicts.REPRODUCED, claims))}. Not reproduced:
  {listed(verdicts.named(verdicts.NOT_REPRODUCED, claims))}. The others are undecided with
  {plural(count, "training seed")}{hints}.
- **Least complex.** In the paper RPSmallExtra has the lowest MC, 67 nodes. Here {simplest} has the lowest median of
  {kind} with {nodes(middle[simplest])}; that of RPSmallExtra is {nodes(middle["RPSmallExtra"])}.
- **The two hypotheses of 3.5.** (i), a longer TPF goes with faster convergence, for teachers with the same inputs:
  {"; ".join(f"{pair}: {verdict}" for pair, verdict in longer.items())}. (ii) is not tested: it holds if meta-tuning
  is performed, and nothing is meta-tuned here.
- **The two statements of A.2.** Same inputs: {verdicts.counted(bullets["same inputs"].values())}. Richer inputs:
  {verdicts.counted(bullets["richer inputs"].values())}.
"""
display(Markdown(text))

# %% [markdown]
# ## SymL2O Table 3: TPF and MC
#
# The paper's window is as long as ours, 20 steps, yet its TPF of DM exceeds 19, the largest mean lag of such a window.
# These two values cannot be compared with ours.


# %% tags=["draw"]
def averaged(label: str, key: str) -> np.ndarray:
    """The mean of a number over problems and seeds, one for each input."""
    found = [
        entry[key] for part in run["described"][label].values() for entry in part
    ]
    return np.mean(found, axis=0)


def joined(values: np.ndarray) -> str:
    """Numbers of the inputs, in the order m_hat, g_hat, n_hat."""
    return ", ".join(f"{value:.1f}" for value in values)


def reached(label: str) -> str:
    """Mean complexity of the paper's definition, and how many teachers it is not reached for."""
    if "close" not in run:
        return NOT_RECORDED
    found = [entry["mc at"] for entry in entries[label]]
    short = found.count(None)
    left = f" ({short} not reached)" if short else ""
    return mean_std([nodes for nodes in found if nodes is not None]) + left


def of_fit(label: str, key: str) -> str:
    """R2 on fitted rows, or the mean bounds of the held-out one."""
    if key not in entries[label][0]:
        return NOT_RECORDED
    found = [entry[key] for entry in entries[label]]
    return mean_std(found) if key == "fitted" else fits.written([np.mean(found, 0)])


at = f" at an $R^2$ of {run['close']:g}" if "close" in run else ""
teachers_of = ", ".join(
    f"{len(found)} of {title(problem)}"
    for problem, found in run["described"]["RP"].items()
)
plots.table(
    pd.DataFrame(
        {
            "teacher": label,
            "published": ", ".join(
                text
                for key, text in table3.rows[label].items()
                if key.startswith("tpf")
            ),
            "ours": joined(averaged(label, "tpf")),
            "95 % interval": ", ".join(
                f"{low:.1f}–{high:.1f}" for low, high in averaged(label, "interval")
            ),
            "of the equation": joined(averaged(label, "tpf equation")),
        }
        for label in labels
    ),
    name="tab-interpret-metrics",
    caption="TPF in steps, one for each input ($g$ for DM; $\\hat m$, $\\hat g$, $\\hat n$ for the others), published and "
    f"ours: mean over teachers ({teachers_of}). The interval is that of the measurement, mean over the same teachers, "
    f"without the spread of training. ({source}.)",
)
plots.table(
    pd.DataFrame(
        {
            "teacher": label,
            "MC published": table3.cell(label, "mc"),
            "MC": reached(label),
            "relative MC": mean_std([entry["mc"] for entry in entries[label]]),
            "$R^2$": mean_std([entry["r2"] for entry in entries[label]]),
            "its 95 % interval": of_fit(label, "r2 interval"),
            "on fitted rows": of_fit(label, "fitted"),
        }
        for label in labels
    ),
    name="tab-interpret-complexity",
    caption=f"MC in nodes, where it is reached{at}, relative MC, and $R^2$ of the most accurate equation: mean ± standard "
    f"deviation over teachers ({teachers_of}). $R^2$ is held-out; its interval, by the bootstrap over held-out "
    "trajectories, is the mean over the same teachers, and too narrow where trajectories are few. Lowest median of "
    f"{kind} here: {simplest}; in the paper, RPSmallExtra. ({source}.)",
)

# %% tags=["draw"]
plots.table(
    pd.DataFrame(
        {"claim": claim, "difference": str(found), "verdict": found.verdict}
        for claim, found in claims.items()
    ),
    name="tab-interpret-claims",
    caption=f"Claims of SymL2O's Table 3 and its discussion, on {title(here)}: loss (mean over a run, or at the end on P3), longest "
    f"TPF or MC of the first minus the second, with 95 % interval over {plural(count, 'training seed')}, and verdicts after Holm's "
    f"correction. {verdicts.counted(claims.values())}. ({source}.)",
)

# %% tags=["draw"]
plots.table(
    verdicts.listing(bullets, "A.2", "statement", "difference"),
    name="tab-interpret-inputs",
    caption=f"The two statements of SymL2O's appendix A.2, pair by pair, on {title(here)}: differences of the first minus the "
    f"second, with 95 % intervals over {plural(count, 'training seed')}, and verdicts after Holm's correction within each "
    "statement. Loss is the mean over a run on the problem trained on, or the end loss on P3. Same inputs: "
    f"{verdicts.counted(bullets['same inputs'].values())}. Richer inputs: "
    f"{verdicts.counted(bullets['richer inputs'].values())}. ({source}.)",
)

# %% [markdown]
# ## What goes together

# %% tags=["draw"]
plots.table(
    pd.DataFrame(
        {
            "what goes together": name,
            "rank correlation": str(found),
            "p": "–" if np.isnan(found.p) else f"{found.p:.3f}",
        }
        for name, found in correlations.items()
    ),
    name="tab-interpret-hypotheses",
    caption="Spearman's rank correlations over the teachers that read the same inputs, or all, and their training seeds; p is "
    "the fraction of random pairings that correlate as strongly, after Holm's correction. None of the teachers was "
    f"meta-tuned, so the rows on MC do not test 3.5 (ii). ({source}.)",
)

# %% tags=["draw"]
fig, axes = plt.subplots(1, 2, figsize=(6.7, 3.6))
for number, label in enumerate(labels):
    style = {"color": plots.CYCLE[number], "marker": "os^vDP"[number], "ls": ""}
    for ax, what, against in ((axes[0], "tpf", "near"), (axes[1], "mc", "end")):
        points = (
            evidence.of_teacher(record, label, key) for key in (what, against)
        )
        ax.plot(*points, label=label, **style)
axes[0].set(xlabel="longest TPF (steps)", ylabel="mean loss on P2")
axes[1].set(xlabel="MC (nodes)", ylabel="end loss on P3")
handles, shown = axes[0].get_legend_handles_labels()
fig.legend(handles, shown, loc="outside lower center", ncols=3)
plots.figure(
    fig,
    name="fig-interpret-hypotheses",
    caption="TPF against speed, and MC against transfer without meta-tuning. One point for each teacher "
    f"trained on {title(here)}, the longest TPF of its inputs. ({source}.)",
)

# %% [markdown]
# ## Cost: SymL2O Table 6

# %% tags=["draw"]
KINDS = {
    "TPF of an equation and MC": ("tpf equation", "mc"),
    "TPF of a teacher": ("tpf",),
}
taken = {name: evidence.seconds(record, *what) for name, what in KINDS.items()}
plots.table(
    pd.DataFrame(
        {
            "what": name,
            "published": Published("SymL2O Table 6").cell("TPF and MC", "time"),
            "median": f"{np.median(found):.2g} s" if found else NOT_RECORDED,
            "longest": f"{max(found):.2g} s" if found else NOT_RECORDED,
            "within a second": str(decided["times"][name]),
        }
        for name, found in taken.items()
    ),
    name="tab-interpret-times",
    caption="Time to compute TPF and MC of one teacher, once its rows and its equations are there, on "
    f"{record.hardware['cpu']}. The paper has both from the equation; that of a network is taken through its unrolled "
    f"window. ({source}.)",
)
