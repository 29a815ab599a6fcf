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
# # Equations at work
#
# **In this page** equations have to do what their *teachers* do, the learned optimizers that they were distilled
# from: optimize. Six teachers that were meta-trained on a small network, and the equations distilled from them,
# train a deeper network that neither has seen (SymL2O Figure 4, and the lower half of its Table 3). Do equations
# lose to their teachers? The answer is under [What we found](#what-we-found).
#
# **Cost:** in `quick`, two minutes, with the pretrained teachers and scikit-learn's digits in place of MNIST. In
# `standard`, two hours on one CPU core together with {doc}`interpretability`, which uses the same searches.
# In `paper`, by an estimate, two hours of a GPU for the teachers, and five of search on one core.

# %% tags=["parameters"]
profile = "quick"  # quick, standard or paper
show = "own"  # "own": this run; "recorded": the committed standard run
seeds = [0]  # training seeds of the teachers
home = "digits"  # the problem they were trained on: "p2", or digits in its place
folder = ""  # cache folder of teachers and fronts; empty: pretrained teachers
device = "cpu"  # or "cuda": where optimizers are trained and run
time_limit = 3.0  # seconds of search for each equation
max_complexity = 200  # as in the paper's code
inits = 3  # unseen initialisations for each training seed
near_steps = 100  # on the problem they were trained on
far_steps = 200  # on the deeper one
workers = 2  # optimizers that run side by side

# %%
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown, display
from l2o_book import contest, curves, evidence, plots, verdicts
from l2o_book.page import Page
from l2o_book.pipeline import Pipeline
from l2o_book.tables import Published, listed, mean_std
from l2o_book.teachers import RECIPES
from matplotlib import pyplot as plt

from l2o_core import distiller, models, tasks

page = Page("equations_at_work", globals())

# %% [markdown]
# ## Teachers and their equations
#
# The teachers are those of {doc}`numerical_l2o`, trained on P2, a perceptron with hidden layers of 50 and 20 units.
# Each optimizes images that it has not been trained on; what it sees and does is recorded and distilled, as in
# {doc}`distillation`.

# %%
pipeline = Pipeline(
    page.cache,
    time_limit=time_limit,
    max_complexity=max_complexity,
    workers=workers,
    device=device,
)
cases = [(label, seed) for label in RECIPES for seed in seeds]
teachers = {
    (label, seed): pipeline.teacher(RECIPES[label], home, seed)
    for label, seed in cases
}
with ThreadPoolExecutor(workers) as pool:
    rows = pool.map(
        lambda case: pipeline.trajectories(teachers[case], home, case[1]), cases
    )
    fronts = {
        case: pipeline.distill(data, case[1])
        for case, data in zip(cases, rows, strict=True)
    }

# %% [markdown]
# ## Choosing one equation
#
# The equation that fits best need not optimize best. From each front we take the equation that does, of up to fifteen that are
# spread over it, on tuning instances drawn from images for choices. Nothing else is tuned: an equation has its teacher's step size, without
# a learning rate of its own.

# %%
SHALLOW, DEEP = (50, 20), (50, 20, 20, 12)  # hidden layers of P2 and P3
dataset = "digits" if home == "digits" else "mnist"


def chosen(case: tuple[str, int]) -> distiller.Entry:
    """The equation of a front that optimizes best where teachers were trained."""
    front = fronts[case]
    few = [*front.entries[:: max(1, len(front) // 8)], front.best]
    rules = [
        models.Equation.distilled(entry.equation, teachers[case]) for entry in few
    ]
    task = tasks.MLP("mlp", dataset, SHALLOW, part="choose", device=device)
    tried = pipeline.evaluate(rules, task, near_steps, inits, seed=1000)
    means = [loss.mean().nan_to_num(math.inf).item() for loss in tried]
    return few[int(np.argmin(means))]


# %% [markdown]
# ## On a deeper network: SymL2O Figure 4
#
# Teachers and equations optimize P3, a perceptron with hidden layers of 50, 20, 20 and 12 units, from the same
# initialisations and on the same batches, which are others for each training seed. Runs that diverge are counted, not
# dropped.


# %%
def losses(optimizers: list, seed: int) -> list[torch.Tensor]:
    """Losses [inits, steps + 1] of each optimizer on the unseen initialisations of a seed."""
    task = tasks.MLP("mlp", dataset, DEEP, part="report", device=device)
    return pipeline.evaluate(optimizers, task, far_steps, inits, 3000 + seed)


own = {"inits": inits, "time_limit": time_limit, "races": {}}
for label in RECIPES:
    entries = {seed: chosen((label, seed)) for seed in seeds}
    equations = [
        models.Equation.distilled(entry.equation, teachers[label, seed])
        for seed, entry in entries.items()
    ]
    numerical = [teachers[label, seed] for seed in seeds]
    race = {
        "size": [entry.complexity for entry in entries.values()],
        "text": [str(entry.equation.rounded(4)) for entry in entries.values()],
    }
    field = {"teacher": numerical, "equation": equations}
    for kind, runs in contest.evaluated(field, losses, seeds).items():
        race["steps"], thinned = curves.thinned(runs)
        race[kind] = {
            "curves": thinned,
            "end": curves.ends(runs).tolist(),
            "diverged": int((~runs.isfinite().all(1)).sum()),
        }
    own["races"][label] = race

# %%
record = page.record(
    own,
    dataset=tasks.MLP("mlp", dataset, DEEP).dataset,
    engine="operon",
)
races, count = record.values["races"], len(record.seeds)
source = record.cite(
    f"{record.values['inits']} initialisations for each training seed"
)


def by_seed(label: str, kind: str) -> list[float]:
    """Mean end loss of each training seed."""
    ends = np.array(races[label][kind]["end"], dtype=float)
    return ends.reshape(count, -1).mean(1).tolist()


claims = evidence.equations_at_work(record)["teachers"]

# %% [markdown]
# ## What we found

# %% tags=["draw"]
table3 = Published("SymL2O Table 3")
better = [label for label, claim in claims.items() if claim.difference > 0]
diverged = sum(race["equation"]["diverged"] for race in races.values())
in_all = sum(len(race["equation"]["end"]) for race in races.values())
of_teachers = {label: race["teacher"] for label, race in races.items()}
stuck = contest.guessing(of_teachers, record.values["inits"])
above = [
    label
    for label in races
    if np.mean(by_seed(label, "teacher"))
    > float(table3.cell(label, "loss numerical").split()[0])
]
groups = {
    verdict: verdicts.named(verdict, claims)
    for verdict in (
        verdicts.REPRODUCED,
        verdicts.NOT_REPRODUCED,
        verdicts.UNDECIDED,
    )
}
outcome = "; ".join(
    f"{verdict} for {'all' if len(found) == len(claims) else listed(found)}"
    for verdict, found in groups.items()
    if found
)
text = f"""
- **Teachers end lower than their equations (SymL2O Table 3): {outcome}.** Judged by the mean, where a
  seed with a run that diverged counts as the worst, the equations of {listed(better)} end lower than their teachers; an
  equation is the best of several by its loss while tuning, its teacher is not.
- **Divergence.** {diverged} of {in_all} runs of equations diverged.
- **Losses.** {len(above)} of {len(races)} teachers end at a higher loss than published. At
  {contest.GUESSING:.2f}, the loss of guessing, end: {listed(stuck)}.
"""
display(Markdown(text))

# %% [markdown]
# ## Training curves

# %% tags=["draw"]
fig, axes = plt.subplots(1, 2, figsize=(6.7, 3.2), sharey=True)
for ax, label in zip(axes, ("DM", "RPSmallExtra"), strict=True):
    race = races[label]
    for kind in ("teacher", "equation"):
        values = np.array(race[kind]["curves"], dtype=float)
        plots.band(ax, values, kind, x=race["steps"])
    ax.set(title=label, xlabel="step", yscale="log")
    ax.legend()
axes[0].yaxis.set_major_formatter("{x:g}")
axes[0].yaxis.set_minor_formatter("{x:g}")
axes[0].set_ylabel("minibatch loss (cross-entropy)")
plots.figure(
    fig,
    name="fig-interpret-race",
    caption="After SymL2O's Figure 4: two teachers and their equations on P3 after training on P2, median and central "
    f"68 % of all runs. {diverged} of {in_all} runs of equations diverged, over all six teachers. ({source}.)",
)

# %% [markdown]
# ## Losses at the end: SymL2O Table 3, lower half
#
# In the paper every equation ends above its teacher, by 0.01 to 0.14. An equation that ends below has not learned more than
# its teacher: it was chosen from its front by how it optimizes, its teacher was not.

# %% tags=["draw"]
over_seeds = (
    f"mean ± standard deviation over {count} training seeds, each the mean over "
    if count > 1
    else "one training seed, the mean over "
)
plots.table(
    pd.DataFrame(
        {
            "trained on P2": label,
            "teacher, published": table3.cell(label, "loss numerical"),
            "teacher, ours": mean_std(by_seed(label, "teacher")),
            "equation, published": table3.cell(label, "loss equation"),
            "equation, ours": mean_std(by_seed(label, "equation")),
            "nodes": mean_std(race["size"]),
        }
        for label, race in races.items()
    ),
    name="tab-interpret-losses",
    caption=f"Loss at the end on P3: {over_seeds}{record.values['inits']} initialisations; seeds with a run that diverged "
    "are counted apart. Equations are the best of their fronts by the loss on tuning instances, teachers are not chosen. "
    f"({source}.)",
)
plots.table(
    pd.DataFrame(
        {
            "trained on P2": label,
            "teacher − equation": str(claim),
            "teacher ends lower?": claim.verdict,
            "diverged": f"{races[label]['equation']['diverged']} of {len(races[label]['equation']['end'])}",
        }
        for label, claim in claims.items()
    ),
    name="tab-interpret-differences",
    caption="Difference of end losses on P3 with its 95 % interval over training seeds, verdicts after Holm's correction "
    f"(a seed with a diverged run counts as the worst): {outcome}. Equations are the best of several by tuning loss, teachers "
    f"are not. The last column counts runs of the equation that diverged. ({source}.)",
)
