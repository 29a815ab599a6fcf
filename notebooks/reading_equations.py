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
# # Reading the equations
#
# **In this page** we look at the equations of {doc}`distillation`: what they say (SymL2O Eq. 7), whether they
# respond to each input as their *teacher*, the optimizer that they were distilled from (Figure 3), and how
# accuracy and memory depend on complexity (Figure 5). Two explorers let you move along a front of equations, and
# along the inputs of the past. The short answer: an equation can fit well and still not work like its
# teacher; see [What we found](#what-we-found).
#
# **Cost:** in `quick`, a minute, with 3 seconds for each search and scikit-learn's digits in place of MNIST. In
# `standard`, twenty minutes on one CPU core, or a minute where {doc}`distillation` has left its fronts in the
# same cache folder. In `paper`, by an estimate, an hour of a GPU for the teachers, and 44 of search on the CPU, or
# four where those fronts are there.

# %% tags=["parameters"]
profile = "quick"  # quick, standard or paper
show = "own"  # "own": this run; "recorded": the committed standard run
seeds = [0]  # each has other trajectories, another split and another search
problems = ["p1", "digits"]  # figures are of the last; "digits" stands in for "p2"
also = []  # more teachers to print equations of, such as "dm/p4"
folder = ""  # cache folder of teachers and fronts; empty: pretrained teachers
device = "cpu"  # or "cuda": where optimizers are trained and run
engine = "operon"  # "operon", or "pysr" where Julia is
time_limit = 3.0  # seconds of search for each equation
max_complexity = 200  # as in the paper's code
samples = 5000

# %%
import numpy as np
import pandas as pd
from IPython.display import Markdown, display
from l2o_book import evidence, fits, plots
from l2o_book.explorer import Curve, Frame, explorer
from l2o_book.mapping import equation_updates, response
from l2o_book.page import Page
from l2o_book.pipeline import Pipeline
from l2o_book.problems import original, title
from l2o_book.records import plural
from l2o_book.tables import NOT_RECORDED, listed
from l2o_book.teachers import TEACHERS
from matplotlib import pyplot as plt

from l2o_core import distiller, expressions, metrics, tasks
from l2o_core.optim import zoo

page = Page("reading_equations", globals())

# %% [markdown]
# ## Teachers and equations
#
# The teachers are those of {doc}`distillation`, with the same rows and the same searches: DM, RP and RPSmallExtra
# on each problem, and for Figure 3 momentum and Adam as well. P4 is the problem that SymL2O adds in its appendix:
# the perceptron of {term}`P2` on CIFAR-10 in place of MNIST.

# %%
LEARNED = {name: t for name, t in TEACHERS.items() if t.learned}
pipeline = Pipeline(
    page.cache,
    engine=engine,
    time_limit=time_limit,
    max_complexity=max_complexity,
    samples=samples,
    device=device,
)
home = problems[-1]
cases = [(problem, name, seeds[0]) for problem in problems for name in LEARNED]
cases += [(home, name, seed) for name in LEARNED for seed in seeds[1:]]
cases += [(home, name, seeds[0]) for name in ("mom(0.5)", "Adam(0.9, 0.9)")]
cases += [
    (wanted.partition("/")[2], name, seeds[0])
    for wanted in also
    for name, teacher in LEARNED.items()
    if teacher.recipe == wanted.partition("/")[0]
]
rows, fronts = {}, {}
for case in cases:
    problem, name, seed = case
    rows[case] = TEACHERS[name].windows(pipeline, problem, seed)
    fronts[case] = pipeline.distill(rows[case], seed)

# %% [markdown]
# From each front of a learned teacher we print the best equation of at most 30 nodes.

# %%
own = {"problems": problems, "time_limit": time_limit}
own["equations"] = [
    {
        "source": name,
        "problem": problem,
        "r2": front.at(30).r2,
        "interval": fits.interval(front.at(30).equation, rows[problem, name, seed]),
        "fitted": fits.fitted(front.at(30).equation, rows[problem, name, seed]),
        "equation": str(front.at(30).equation.rounded(2)),
    }
    for (problem, name, seed), front in fronts.items()
    if name in LEARNED and seed == seeds[0]
]

# %% [markdown]
# How far back an equation looks is its *temporal perception field* (TPF), the average lag, weighted by how
# sensitive the update is to each ({eq}`eq-tpf`). A teacher has a TPF too: automatic differentiation gives the
# sensitivity of a network to each lag.

# %%
tpf = metrics.temporal_perception_field


def along(case: tuple) -> list[dict]:
    """Complexity, accuracy and TPF of every equation of a front."""
    return [
        {
            "complexity": entry.complexity,
            "r2": entry.r2,
            "tpf": tpf(entry.equation, rows[case]),
        }
        for entry in fronts[case]
    ]


own["size"] = {}
for name, teacher in LEARNED.items():
    keys = [(home, name, seed) for seed in seeds]
    optimizers = [teacher.optimizer(pipeline, home, seed) for seed in seeds]
    own["size"][name] = {
        "fronts": [along(key) for key in keys],
        "tpf": [tpf(o, rows[key]) for o, key in zip(optimizers, keys, strict=True)],
    }

# %% [markdown]
# For Figure 3 we vary one input at a fixed moment of a run. All other inputs stay what they were, and so does the
# teacher's memory.

# %%
FEATURES = {  # that the teachers of Figure 3 read
    "mom(0.5)": ("g",),
    "Adam(0.9, 0.9)": ("g",),
    "DM": ("g",),
    "RP": ("m_hat", "g_hat"),
    "RPSmallExtra": ("m_hat", "g_hat", "n_hat"),
}


def varied(name: str, feature: str, lag: int = 0):
    """The updates of a teacher and of its most accurate equation as one input varies."""
    case = home, name, seeds[0]
    optimizer = TEACHERS[name].optimizer(pipeline, home, seeds[0])
    return response(optimizer, fronts[case].best.equation, rows[case], feature, lag)


own["responses"] = []
for name, features in FEATURES.items():
    for feature in features:
        found = varied(name, feature)
        curves = {"x": found.x, "rule": found.teacher, "equation": found.equation}
        own["responses"].append(curves | {"label": f"{name}@{feature}"})

# %%
datasets = [
    "synthetic" if problem == "p1" else tasks.load(problem).dataset
    for problem in problems
]
record = page.record(
    own, dataset=" and ".join(datasets), engine=engine, part_of="distillation"
)
run, last = record.values, record.values["problems"][-1]
source = record.cite(f"{run['time_limit']:g} s a search")

# %% [markdown]
# ## What we found

# %% tags=["draw"]
PRINTED = {"p1": "syml2o_eq7a", "p2": "syml2o_eq7b", "p4": "syml2o_eq7c"}  # of DM
names, errors, of_rules = [], {}, {}
for curve in run["responses"]:
    name, _, feature = curve["label"].partition("@")
    names.append(f"{name}, ${expressions.var(feature, 0).latex()}$")
    rule, equation = np.array(curve["rule"]), np.array(curve["equation"])
    distance = np.square(rule - equation).mean() / np.square(rule).mean()
    apart = errors if name in LEARNED else of_rules
    apart[names[-1]] = float(np.sqrt(distance))
decided = evidence.reading_equations(record)
alike = decided["Figure 3"]["within 10 %"].verdict
closest, farthest = min(errors, key=errors.get), max(errors, key=errors.get)
flat = [
    name
    for name, curve in zip(names, run["responses"], strict=True)
    if np.ptp(curve["equation"]) == 0
]
every_front = [front for part in run["size"].values() for front in part["fronts"]]
falls = sum(max(e["r2"] for e in f) > f[-1]["r2"] + 0.01 for f in every_front)
shorter = sum(
    np.max(front[-1]["tpf"]) < np.max(of_teacher)
    for part in run["size"].values()
    for front, of_teacher in zip(part["fronts"], part["tpf"], strict=True)
)


def printed(found: dict) -> expressions.Expression:
    """The equation that the paper prints for DM on a problem."""
    return zoo.get(PRINTED[original(found["problem"])]).equation


of_dm = [
    found
    for found in run["equations"]
    if found["source"] == "DM" and original(found["problem"]) in PRINTED
]
same_form = sum(
    distiller.skeleton(printed(found))
    == distiller.skeleton(expressions.parse(found["equation"]))
    for found in of_dm
)
fronts_in_all = plural(len(every_front), "front")
ignored = f" Not used at all by the equation: {listed(flat)}." if flat else ""
text = f"""
- **Equations respond like their teachers (SymL2O Figure 3): {alike}.** With one input varied at a time, at one
  moment of a run, equations of learned teachers are {errors[closest]:.0%} ({closest}) to {errors[farthest]:.0%}
  ({farthest}) of the root-mean-square update away from their teachers.{ignored} A good fit on a teacher's own
  trajectories does not mean that the equation works the same way.
- **Accuracy falls again for the largest equations (Figure 5): undecided.** A front keeps a longer equation only if it
  is better on rows of its own, which rules most of a fall out. On held-out rows, the largest equation is more than 0.01
  below the best of its front in {falls} of {fronts_in_all}.
- **Memory (Figure 5).** The most accurate equation looks less far back than its teacher in {shorter} of
  {fronts_in_all}.
- **Form of DM's equations (Eq. 7).** {same_form} of {len(of_dm)} of ours have the form of the one that the
  paper prints for the problem. The paper's teachers are not ours, so they need not.
"""
display(Markdown(text))

# %% [markdown]
# ## One input at a time: SymL2O Figure 3
#
# Inputs of successive steps are much alike, so an equation can be right about an update and still credit it to
# another lag, or another feature, than its teacher does. Varying one input by itself shows that; an $R^2$ does
# not. In the paper's Figure 3, equations lie on their teachers.

# %% tags=["draw"]
fig, axes = plt.subplots(3, 3, figsize=(6.7, 5.6))
for ax, name, curve in zip(axes.flat, names, run["responses"], strict=False):
    rule, equation = 1000 * np.array([curve["rule"], curve["equation"]])
    ax.plot(curve["x"], rule, "o", ms=3, color=plots.color("teacher"))
    ax.plot(curve["x"], equation, color=plots.color("equation"))
    ax.set_title(name, fontsize=10)
for ax in axes.flat[len(names) :]:
    ax.axis("off")
key = axes.flat[-1]
key.plot([], [], "o", color=plots.color("teacher"), label="teacher")
key.plot([], [], color=plots.color("equation"), label="equation")
key.legend(loc="center")
fig.supylabel("1000 × update", fontsize=10, color=plots.INK)
fig.supxlabel("value of the varied input", fontsize=10, color=plots.INK)
plots.figure(
    fig,
    name="fig-reading-mapping",
    caption="After SymL2O Figure 3: the update as one input of the present step varies, all else as it was at one "
    f"moment of a run ({title(last)}). Of the learned teachers, the closest equation is {errors[closest]:.0%} of the "
    f"root-mean-square update away ({closest}), the farthest {errors[farthest]:.0%} ({farthest}); of hand-made rules, "
    f"{listed([f'that of {name} is {error:.0%}' for name, error in of_rules.items()])} away. ({source}.)",
)

# %% [markdown]
# Choose a teacher, an input and a lag. Here and in the next explorer, teachers and equations are those of this
# build, not of a recorded run.


# %% tags=["draw"]
def lag_frame(name: str, feature: str, lag: int) -> Frame:
    """Teacher and equation as one input of the past varies, in standard deviations."""
    data, found = rows[home, name, seeds[0]], varied(name, feature, lag)
    x = found.x / data.inputs[:, data.names.index(f"{feature}[0]")].std()
    unit = data.targets.std()
    return Frame(
        f"{plural(lag, 'step')} ago" if lag else "now",
        {"input": f"{feature}[{lag}]", "distance": f"{found.error:.0%}"},
        None,
        [
            Curve("teacher", x, found.teacher / unit, style="points"),
            Curve("equation", x, found.equation / unit),
        ],
    )


explorer(
    {
        f"{name}, {feature}": [
            lag_frame(name, feature, lag) for lag in (0, 1, 2, 3, 5, 8, 12, 19)
        ]
        for name in LEARNED
        for feature in FEATURES[name]
    },
    name="fig-reading-lags",
    caption="The update as one input varies, now or some steps ago, of a teacher and of its most accurate equation. "
    f"Distances are relative to the teacher's root-mean-square update. ({title(home)}, this build.)",
    control="lag",
    choice="teacher and input",
    x="input (standard deviations)",
    y="update (standard deviations)",
    xlim=(-3, 3),
)

# %% [markdown]
# ## Complexity, accuracy and memory: SymL2O Figure 5
#
# The paper finds that accuracy first rises with complexity and then falls, because large equations overfit. Our
# entries of a front are chosen on rows of their own and measured on others, which guards against that.

# %% tags=["draw"]
fig, (accuracy, memory) = plt.subplots(1, 2, figsize=(6.7, 3.1))
for number, (name, part) in enumerate(run["size"].items()):
    shade = plots.color(name) or plots.CYCLE[number]
    for index, front in enumerate(part["fronts"]):
        x = [entry["complexity"] for entry in front]
        look = {"marker": ".", "color": shade, "label": "" if index else name}
        accuracy.plot(x, [entry["r2"] for entry in front], **look)
        memory.plot(x, [np.max(entry["tpf"]) for entry in front], **look)
    own_tpf = np.mean([np.max(value) for value in part["tpf"]])
    memory.axhline(own_tpf, color=shade, ls=":")
accuracy.set(
    xlabel="complexity (nodes)", ylabel="held-out $R^2$", ylim=(-0.05, 1.03)
)
memory.set(xlabel="complexity (nodes)", ylabel="longest TPF of an input (steps)")
accuracy.legend()
plots.figure(
    fig,
    name="fig-reading-size",
    caption="After SymL2O Figure 5: accuracy (left) and the longest TPF of any input (right) along the fronts, one "
    "line for each training seed; dotted, the mean TPF of the teachers. The largest equation is more than "
    f"0.01 below the best of its front in {falls} of {fronts_in_all}; the most accurate looks less far back "
    f"than its teacher in {shorter}. ({title(last)}; {source}.)",
)

# %% [markdown]
# Every entry of a front is an equation. Move the slider from the shortest to the most accurate. Each dot is a
# window that the search has not seen: on the dashed line, the equation does what its teacher did.


# %% tags=["draw"]
def walk(name: str) -> list[Frame]:
    """A frame for each of some entries that are spread over a front, on 150 held-out windows."""
    case = home, name, seeds[0]
    held, front = fits.held_out(rows[case]), fronts[case]
    some = np.random.default_rng(0).choice(
        len(held), min(len(held), 150), replace=False
    )
    unit = rows[case].targets.std()
    does = held.targets[some] / unit
    line, frames = np.array([does.min(), does.max()]), []
    for entry in front.entries[:: max(1, len(front) // 12)]:
        says = equation_updates(entry.equation, held)[some] / unit
        facts = {
            "R²": f"{entry.r2:.3f}",
            "TPF": f"{np.max(tpf(entry.equation, rows[case])):.1f} steps",
        }
        curves = [
            Curve("equal", line, line, color=plots.INK, style="dash"),
            Curve("equation", does, says, style="points"),
        ]
        size, latex = (
            plural(entry.complexity, "node"),
            entry.equation.rounded(2).latex(),
        )
        frames.append(Frame(size, facts, latex, curves))
    return frames


walks = {name: walk(name) for name in LEARNED}
explorer(
    walks,
    name="fig-reading-walk",
    caption="Along the fronts: the updates of an equation against its teacher's on held-out windows, in standard "
    f"deviations of the teacher's updates ({title(home)}, this build).",
    choice="teacher",
    start=len(walks["DM"]) - 1,
    x="teacher's update (standard deviations)",
    y="equation's update (standard deviations)",
)

# %% [markdown]
# ## What the equations say: SymL2O Eq. 7
#
# The paper prints one equation of DM for each of P1, P2 and P4. $\sqrt{x}$ of
# a negative number is $-\sqrt{|x|}$, and other powers keep the sign in the same way, as in the paper
# ({doc}`../book/deviations`).

# %% tags=["draw"]
lines = []
for found in run["equations"]:
    rule = f"{found['source']} on {title(found['problem'])}"
    if found in of_dm:
        latex = printed(found).latex()
        lines.append({"rule": rule, "from": "paper", "equation": f"${latex}$"})
    latex = expressions.parse(found["equation"]).latex()
    known = "interval" in found
    ours = {
        "rule": rule,
        "from": "here",
        "$R^2$": f"{found['r2']:.2f}",
        "its 95 % interval": fits.written([found["interval"]])
        if known
        else NOT_RECORDED,
        "on fitted rows": f"{found['fitted']:.2f}" if known else NOT_RECORDED,
        "equation": f"${latex}$",
    }
    lines.append(ours)
plots.table(
    pd.DataFrame(lines, columns=[*ours]),
    name="tab-reading-equations",
    caption="The best equations of at most 30 nodes, constants to two digits, and those that the paper prints for DM "
    f"(Eq. 7). {same_form} of {len(of_dm)} agree in form. $R^2$ is held-out, its interval by the bootstrap over held-out "
    f"trajectories, too narrow where these are few. ({source}.)",
)
