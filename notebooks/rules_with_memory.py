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
# # Rules with a memory of their own
#
# **In this page** learned optimizers are distilled once more, into another kind of equation. SymL2O's equations read the
# last twenty values of each feature ({doc}`distillation`). An LSTM does not: it keeps a few numbers for every
# parameter and changes them at each step. Here an equation may do the same. We compare both kinds of equation, read
# one, let rules optimize beside their teachers and Adam, and search for rules without any teacher. This goes beyond
# both papers. The answers are under [What we found](#what-we-found).
#
# **Cost:** in `quick`, a minute on one CPU core, with one teacher, pretrained, and scikit-learn's digits in place of
# MNIST. In `standard`, with three teachers of five seeds each, three and a half hours on one core, of which three are
# searches. In `paper`, by an estimate, twelve hours on one core.

# %% tags=["parameters"]
profile = "quick"  # quick, standard or paper
show = "own"  # "own": this run; "recorded": the committed standard run
seeds = [0]  # training seeds of the teachers, and seeds of the searches
labels = ["RP"]  # teachers that are distilled
home = "digits"  # the problem they were trained on: "p2", or digits in its place
folder = ""  # cache folder of teachers and fronts; empty: pretrained teachers
device = "cpu"  # or "cuda": where optimizers run
time_limit = 6.0  # seconds of each of three searches for a teacher
max_complexity = 60  # nodes of a rule with a memory
way_steps = 60  # of the recorded trajectories
rollouts = 8  # trajectories recorded for a search
inits = 3  # unseen initialisations for each training seed
race_steps = 100
discovery_time = 12.0  # seconds of the search without a teacher
trials = 30  # for Adam's three constants
jointly = False  # search, and tune Adam, on P2 and P3 at once as well

# %%
import re
from contextlib import suppress

import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown, display
from l2o_book import contest, evidence, plots, verdicts
from l2o_book.page import Page
from l2o_book.pipeline import Pipeline
from l2o_book.problems import original, title
from l2o_book.records import plural
from l2o_book.tables import Published, listed, mean_std, span
from l2o_book.teachers import RECIPES
from matplotlib import pyplot as plt

from l2o_core import certificates, distiller, expressions, models, tasks
from l2o_core.errors import DataError

page = Page("rules_with_memory", globals())

# %% [markdown]
# ## Lags, or a memory
#
# An equation of SymL2O maps a window of features to an update. A rule with a memory also has *states*, which it
# computes anew at each step and reads at the next. With the features $x_t$ of one parameter, states $s_t$ and the
# update $u_t$,
#
# ```{math}
# :label: eq-memory
# \begin{aligned}
# \text{lags:}\quad & u_t = f(x_t, x_{t-1}, \dots, x_{t-19}), \\
# \text{memory:}\quad & s_t = h(x_t, s_{t-1}, u_{t-1}), \quad u_t = f(x_t, s_t, u_{t-1}).
# \end{aligned}
# ```
#
# Such a rule is written as a list of equations, the update last; `p[1]` is the state `p` of the step before. Adam, say,
# is such a rule with two states (here without the correction for its start):

# %%
ADAM = (
    "p = 0.9 * p[1] + 0.1 * g; q = 0.999 * q[1] + 0.001 * g^2; -0.001 * p / sqrt(q)"
)
plots.equation(expressions.parse_rule(ADAM).latex(), name="eq-memory-adam")

# %% [markdown]
# A rule of lags always reads its teacher's features. A rule with a memory also reads what it wrote itself, so its
# errors can grow from step to step. Therefore two numbers are given for each: $R^2$ *one step ahead*, where past updates
# are the teacher's, and $R^2$ *in closed loop*, where they are its own. For lags the two are the same.
#
# ## Two rounds of distillation
#
# Whole trajectories of a teacher are recorded on images for choices. In the first round rules are searched on these, in
# three ways: by an engine that predicts the next update from features, past updates and running averages; by small
# recurrent cells with random constants, fitted by gradient descent and written down as equations; and by taking
# terms out of both. All constants are fitted in closed loop. In the second round the rule moves the optimizees and the
# teacher only says what it would have done {cite}`ross2011reduction`, so rules also learn what to do where they lead. The
# equation of lags has one search of the same length. All three are then measured on new trajectories, on
# images for reports.

# %%
P2, P3 = (50, 20), (50, 20, 20, 12)  # widths of the hidden layers
dataset = "digits" if home == "digits" else "mnist"
pipeline = Pipeline(
    page.cache, time_limit=time_limit, max_complexity=100, device=device
)


def perceptron(part: str, hidden: tuple[int, ...] = P2) -> tasks.MLP:
    """P2, or another perceptron, on one part of the images."""
    return tasks.MLP("mlp", dataset, hidden, part=part, device=device)


def followed(teacher, part: str, seed: int, driver=None) -> distiller.Trajectories:
    """What a teacher does on fresh instances, or would do where another optimizer leads."""
    options = {"steps": way_steps, "instances": rollouts, "driver": driver}
    return distiller.record(teacher, perceptron(part), seed=seed, **options)


# %%
SHORT = 30  # nodes


def rules_of(teacher, seed: int) -> dict:
    """The best equation of lags, the best rule with a memory after each of two rounds, and the best short one."""
    way = followed(teacher, "choose", seed)
    lags = pipeline.distill(way.windows(samples=5000, seed=seed), seed)
    options = {"max_complexity": max_complexity}
    first = pipeline.distill_recurrent(way, seed, **options)
    driver = models.Equation.distilled(first.best.equation, teacher)
    with suppress(DataError):  # a rule that diverges everywhere teaches nothing
        driven = followed(teacher, "choose", 100 + seed, driver)
        way = distiller.Trajectories.concatenate([way, driven])
    second = pipeline.distill_recurrent(way, seed, start=first, **options)
    best = {"lags": lags.best, "first": first.best, "second": second.best}
    best["short"] = second.at(max(SHORT, second.entries[0].complexity))
    return {name: entry.equation for name, entry in best.items()}


def kept(rule) -> int:
    """How many numbers a rule keeps for a parameter, features included."""
    state = models.Equation(rule).init_state(torch.zeros(1))
    return sum(part.numel() for part in state if part.dim())


def described(rule, way: distiller.Trajectories) -> dict:
    """A rule, and how well it says what a teacher does on the way."""
    return {
        "text": str(rule),
        "nodes": rule.complexity,
        "numbers": kept(rule),
        "closed loop": distiller.ClosedLoop(way).r2(rule),
        "one step ahead": distiller.ClosedLoop(way, forced=True).r2(rule),
    }


# %%
own = {"home": home, "inits": inits, "time_limit": time_limit, "steps": race_steps}
own["max_complexity"] = max_complexity
teachers, rules = {}, {}
own["fits"] = {}
for label in labels:
    teachers[label] = [
        pipeline.teacher(RECIPES[label], home, seed) for seed in seeds
    ]
    rules[label], own["fits"][label] = [], {}
    for seed, teacher in zip(seeds, teachers[label], strict=True):
        found = rules_of(teacher, seed)
        unseen = followed(teacher, "report", 3000 + seed)
        for kind, rule in found.items():
            fits = own["fits"][label].setdefault(kind, [])
            fits.append(described(rule, unseen))
        rules[label].append(found)

# %% [markdown]
# ## Searching without a teacher
#
# SymL2O doubts that rules can be searched directly on the loss of the optimizee, since every candidate has to be run (3.2).
# A small perceptron trains in a fraction of a second, though, and many candidates run side by side. The search begins with
# the rules of the {doc}`zoo <../book/using_a_rule>`, changes them by random mutations, stops most children after a few
# steps, and in the end tunes the constants of the best. It knows nothing of a teacher. Rules are searched on images for
# training, and chosen on images for choices. Adam is tuned beside it, in its learning rate and both betas, on the same
# images. Both are done on P2 alone, to see what carries over to P3, and in `standard` also on P2 and P3 at once.


# %%
def searched(networks: list[tuple[int, ...]]) -> dict[str, list]:
    """For each seed, the rule discovered on some networks, and Adam tuned on them; both also in words."""
    found = {"rules": [], "Adam": [], "words": []}
    for seed in seeds:
        tried, choice = (
            [perceptron(part, hidden) for hidden in networks]
            for part in ("train", "choose")
        )
        options = {"steps": race_steps, "seed": seed}
        front = pipeline.discover(
            tried, choice, max_complexity=30, time_limit=discovery_time, **options
        )
        rule = front.best.equation
        adam, constants = pipeline.tuned_adam(tried, trials=trials, **options)
        found["rules"].append(models.Equation(rule))
        found["Adam"].append(adam)
        words = {"text": str(rule), "nodes": rule.complexity, "numbers": kept(rule)}
        words |= {"tried": front.settings["candidates"], "Adam": constants}
        found["words"].append(words)
    return found


own["discovery_time"], own["trials"] = discovery_time, trials
alone = searched([P2])
both = searched([P2, P3]) if jointly else None
own["discovery"] = alone["words"]
own["discovery on both"] = both["words"] if both else []

# %% [markdown]
# ## The race
#
# Teachers, their equations, the discovered rules and Adam optimize P2, and then P3, a deeper network that none of them has
# seen but those that were searched or tuned on both. Images, initialisations and batches are new to all; each training seed has its own.

# %%
field = {"discovered": alone["rules"], "Adam, tuned": alone["Adam"]}
if both:
    field |= {
        "discovered on both": both["rules"],
        "Adam, tuned on both": both["Adam"],
    }
KINDS = {"lags": "lags", "second": "memory"}
for label in labels:
    field[label] = teachers[label]
    for kind, words in KINDS.items():
        field[f"{label}: {words}"] = [
            models.Equation.distilled(found[kind], teacher)
            for found, teacher in zip(rules[label], teachers[label], strict=True)
        ]


def race(hidden: tuple[int, ...]) -> dict:
    """The losses of every optimizer on one network."""

    def losses(optimizers: list, seed: int) -> list[torch.Tensor]:
        task = perceptron("report", hidden)
        return pipeline.evaluate(optimizers, task, race_steps, inits, 3000 + seed)

    runs = contest.evaluated(field, losses, seeds)
    return {name: contest.result(found) for name, found in runs.items()}


own["races"] = {"P2": race(P2), "P3": race(P3)}

# %%
record = page.record(own, dataset=perceptron("report").dataset, engine="operon")
run, count = record.values, len(record.seeds)
source = record.cite(f"{run['inits']} initialisations for each training seed")
LABELS = list(run["fits"])
tables = evidence.rules_with_memory(record)
on = title(run["home"])


def of(label: str, kind: str, what: str) -> list[float]:
    """A number of each seed's rule."""
    return [one[what] for one in run["fits"][label][kind]]


def loss(problem: str, name: str, what: str) -> str:
    """Mean or end loss over training seeds."""
    return mean_std(
        contest.by_seed(run["races"][problem][name], run["inits"], what)
    )


# %% [markdown]
# ## What we found


# %% tags=["draw"]
def numbers_kept(kind: str) -> str:
    """The smallest and largest number that rules of a kind keep for a parameter."""
    numbers = [
        one["numbers"] for found in run["fits"].values() for one in found[kind]
    ]
    return f"{span(numbers)} number{'' if {*numbers} == {1} else 's'}"


explained = "; ".join(
    f"{label} {np.mean(of(label, 'second', 'closed loop')):.3f} (lags "
    f"{np.mean(of(label, 'lags', 'closed loop')):.3f})"
    for label in LABELS
)
first = {name: contest.ranking(found)[0] for name, found in run["races"].items()}
certain = [
    f"{name} {'ends lower' if found.difference < 0 else 'ends higher'}"
    for name, found in tables["rules below Adam"].items()
    if found.verdict in (verdicts.REPRODUCED, verdicts.NOT_REPRODUCED)
]
distilled = verdicts.named(verdicts.NOT_REPRODUCED, tables["direct search"])
behind = (
    f"Rules distilled from a teacher end higher than what this search finds: {listed(distilled)}."
    if distilled
    else "No distilled rule ends certainly higher than what this search finds."
)
against = (
    f"Against tuned Adam: {listed(certain) if certain else 'no difference is certain'}"
    if count > 1
    else "One training seed has no interval, so differences to tuned Adam have no verdict"
)
display(
    Markdown(f"""
- **How much of a teacher an equation explains.** $R^2$ of a rule with a memory in closed loop, on new trajectories:
  {explained}. It keeps {numbers_kept("second")} for a parameter, an equation of lags {numbers_kept("lags")}.
- **As optimizers.** The lowest mean end loss is that of: {first["P2"]} on P2, {first["P3"]} on P3. {against} ({{numref}}`tab-memory-race`).
- **Without a teacher.** A search of {run["discovery_time"]:.0f} s ends at {loss("P2", "discovered", "end")} on P2, Adam
  with tuned constants at {loss("P2", "Adam, tuned", "end")}. {behind}
""")
)

# %% [markdown]
# ## How much is explained
#
# The papers' $R^2$ are those of equations of lags. Rules with a memory have fewer nodes here by construction; what they
# save is state. A rule that keeps states but does not read its own past updates has the same number twice.


# %% tags=["draw"]
def remembered(label: str, kind: str) -> str:
    """Mean lag of the impulse responses, of the seeds whose rules a linear one stands for."""
    lags = []
    for rule in map(expressions.parse_rule, of(label, kind, "text")):
        with suppress(certificates.LinearisationError):
            lags.append(certificates.linearise(rule).temporal_perception_field())
    finite = [lag for lag in lags if np.isfinite(lag)]
    endless = f" (without end: {len(lags) - len(finite)})"
    return mean_std(finite) + (endless if len(finite) < len(lags) else "")


table7 = Published("SymL2O Table 7")
NAMES = {
    "lags": "20 lags",
    "first": "memory, one round",
    "second": "memory, two rounds",
    "short": f"the same, within {SHORT} nodes",
}
plots.table(
    pd.DataFrame(
        {
            "teacher": label,
            "equation": words,
            "$R^2$ in closed loop": mean_std(of(label, kind, "closed loop")),
            "one step ahead": mean_std(of(label, kind, "one step ahead")),
            "nodes": mean_std(of(label, kind, "nodes")),
            "numbers a parameter": mean_std(of(label, kind, "numbers")),
            "memory (steps)": remembered(label, kind),
            "published $R^2$": table7.cell(label, original(run["home"]).upper())
            if kind == "lags"
            else "–",
        }
        for label in LABELS
        for kind, words in NAMES.items()
        if kind in run["fits"][label]  # records made before have no short ones
    ),
    name="tab-memory-fits",
    caption=f"Equations of the last 20 values of each feature, within 100 nodes, and rules with a memory, within "
    f"{run['max_complexity']}, on {on}: mean ± standard deviation over training seeds, on trajectories that played no part "
    f"in the search. Each search took {run['time_limit']:.0f} s. Memory is the mean lag of the impulse response (TPF), by "
    f"[certificates](#reading-a-rule), where a linear rule stands for the rule. ({source}.)",
)

# %% [markdown]
# ## Reading a rule
#
# A rule in a few lines can be looked at. Below is that of the first seed's first teacher.

# %% tags=["draw"]
readable = {
    label: expressions.parse_rule(found["second"][0]["text"])
    for label, found in run["fits"].items()
}
plots.equation(readable[LABELS[0]].latex(), name="eq-memory-rule")

# %% [markdown]
# Where its states settle, a rule can be replaced by a linear one: its mean response to small changes of a noisy gradient.
# Its poles then say how fast it forgets (1 would be never), the impulse response what one gradient does to later updates, the frequency response whether
# it dampens gradients that alternate, and the last panel at which products of learning rate and curvature it converges
# on a quadratic ({doc}`../book/using_a_rule` explains all four). The features' own averages are part of the rule.
# The largest step is one of the rule itself: what no gradients exceed, where that is proven, or the largest that was found.

# %% tags=["draw"]
certified = {
    label: certificates.certificate(rule) for label, rule in readable.items()
}
bounded = sum(np.isfinite(found.largest.bound) for found in certified.values())
runaways = [name for name, found in certified.items() if found.largest.runs_away]
unstable = (
    f"; under gradients of one magnitude, steps can grow without end for {listed(runaways)}"
    if runaways
    else ""
)
plots.table(
    pd.DataFrame(
        {"rule of": label}
        | {
            name: found.lines().get(name, f"– ({found.reason})")
            for name in ("memory", "stable", "largest step")
        }
        for label, found in certified.items()
    ),
    name="tab-memory-certificates",
    caption="What can be derived of the first seed's rules: how long the linear rule that stands for each remembers, where "
    "that is stable on quadratics, and how far one step of the rule itself can go. "
    f"{bounded} of {len(certified)} have a bound on their steps that holds whatever the gradients{unstable}. ({source}.)",
)
linear = [label for label, found in certified.items() if found.linear is not None]
if linear:
    fig, axes = plt.subplots(2, 2, figsize=plots.figure_size(2, 2))
    found = certified[linear[0]]
    found.plot(tuple(axes.flat))
    plots.figure(
        fig,
        name="fig-memory-certificate",
        caption=f"The rule of {linear[0]}, linearised: {found.lines()['memory']}. It holds for: "
        f"{found.lines()['holds for']}. ({source}.)",
        alt="Four panels: poles in the complex plane, impulse response, frequency response, and growth per step on "
        "quadratics.",
    )

# %% [markdown]
# ## As optimizers

# %% tags=["draw"]
fig, axes = plt.subplots(1, 2, figsize=plots.figure_size(1, 2))
shown = {LABELS[0]: "teacher"}
shown |= {f"{LABELS[0]}: {words}": words for words in KINDS.values()}
shown |= {name: name for name in ("discovered", "Adam, tuned")}
for ax, (problem, results) in zip(axes, run["races"].items(), strict=True):
    contest.draw(
        ax, {words: results[name] for name, words in shown.items()}, shown.values()
    )
    ax.set(title=problem, xlabel="step", ylabel="training loss")
axes[0].legend()
plots.figure(
    fig,
    name="fig-memory-race",
    caption=f"{LABELS[0]}, its two equations, the discovered rule and tuned Adam: median and central 68 % of the runs. "
    f"Of all optimizers in {{numref}}`tab-memory-race`, lowest at the end: {first['P2']} on P2, {first['P3']} on P3. "
    f"({source}.)",
    alt="Two panels with training loss against step, on P2 and P3, a curve with a band for each of five optimizers.",
)

# %% tags=["draw"]
rivals = tables["rules below Adam"]
plots.table(
    pd.DataFrame(
        {
            "optimizer": name,
            **{
                f"{problem}: {words}": loss(problem, name, what)
                for problem in run["races"]
                for what, words in (("mean", "mean loss"), ("end", "end loss"))
            },
            **{
                f"{problem}: ends below Adam?": rivals[
                    f"{name} on {problem}"
                ].verdict
                if f"{name} on {problem}" in rivals
                else "–"
                for problem in run["races"]
            },
        }
        for name in run["races"]["P2"]
    ),
    name="tab-memory-race",
    caption=f"Losses after {run['steps']} steps, mean ± standard deviation over training seeds, and whether each ends below "
    f"tuned Adam, after Holm's correction. {against}. ({source}.)",
)


# %% tags=["draw"]
def differences(table: str) -> str:
    """Each comparison of a table in words."""
    return "; ".join(f"{n}: {c}, {c.verdict}" for n, c in tables[table].items())


display(
    Markdown(f"""
Does a teacher end lower than its rule with a memory, as SymL2O's Table 3 has it for equations of lags? End loss of the
teacher less that of its rule: {differences("teachers")}.
""")
)

# %% [markdown]
# ## What the direct search finds
#
# Each search is one seed's. A quotient by 0 is 0 in this language, so that `x / relu(sign(y))` is `x` where `y` is
# positive and 0 elsewhere. A rule that steps only where momentum and gradient agree in sign is known as *cautious*;
# {doc}`the zoo <../book/using_a_rule>` has one. In place of Adam's average of squared gradients a
# rule may keep the largest so far, `max(q[1], c * g^2)`, which never falls, or their sum, as Adagrad does.

# %% tags=["draw"]
found_rules = run["discovery"] + run.get("discovery on both", [])
nodes, numbers = (
    [one[what] for one in found_rules] for what in ("nodes", "numbers")
)
cautious, largest, summed = (
    sum(bool(re.search(pattern, one["text"])) for one in found_rules)
    for pattern in (
        r"relu\(sign\(",
        r"(\w+) = max\(\1\[1\]",
        r"(\w+) = \1\[1\] \+",
    )
)
plots.table(
    pd.DataFrame(
        {
            "seed": seed,
            "searched on": words,
            "rule": f"`{found['text']}`",
            "nodes": found["nodes"],
            "numbers a parameter": found["numbers"],
            "rules tried": found["tried"],
        }
        for words, searches in {
            on: run["discovery"],
            "P2 and P3": run.get("discovery on both", []),
        }.items()
        for seed, found in zip(record.seeds, searches, strict=False)
    ),
    name="tab-memory-discovered",
    caption=f"Rules found in {run['discovery_time']:.0f} s each. They have {span(nodes)} nodes, and keep at "
    f"most {plural(max(numbers), 'number')} for a parameter. Of these {plural(len(found_rules), 'rule')}, {cautious} can stand still by a "
    f"sign, as cautious ones do, {largest} keep the largest square so far, and {summed} the sum of squares. ({source}.)",
)

# %% tags=["draw"]
at_once = (
    f"Searched on P2 and P3 at once, less Adam tuned on both: {differences('discovered on both')}."
    if tables["discovered on both"]
    else ""
)
display(
    Markdown(f"""
Is it better to learn a network first, as SymL2O says? Then a distilled rule should end lower than a discovered one. End
loss of the distilled rule less that of the discovered one: {differences("direct search")}. The distilled rule also needs
its teacher to be trained, which is not counted in the time of its search ({{doc}}`numerical_l2o`).

Loss of the discovered rule less that of the best teacher, and of tuned Adam: {differences("discovered")}. {at_once}
The best teacher is picked by these losses, so its p-value counts as that of every teacher.
""")
)
