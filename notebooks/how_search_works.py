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
# # How a search works
#
# **In this page** symbolic regression is taken apart. A search of a few dozen lines, after the pseudo-code of
# SymL2O's Figure 7, looks for Adam's rule in recordings of Adam. Then we look at the function that SymL2O's Eq. 6 is made
# of, $\gamma\tanh(x/\gamma)$ (Figure 6). In a running notebook you can type an equation of
# your own and see what it does.
#
# **Cost:** half a minute, in every profile. Nothing is downloaded.

# %% tags=["parameters"]
profile = "quick"  # the same computation in every profile
seeds = [0, 1, 2, 3, 4]  # of as many searches
rows = 500  # recorded updates that the search has to explain
mutations = 10_000
max_nodes = 20

# %%
import math

import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown, display
from l2o_book import plots
from l2o_book.explorer import Curve, Frame, explorer
from l2o_book.page import Page
from l2o_book.pipeline import Pipeline
from l2o_book.playground import example, playground
from l2o_book.tables import listed
from l2o_book.teachers import TEACHERS
from matplotlib import pyplot as plt

from l2o_core import expressions, tasks
from l2o_core.expressions import Expression

page = Page("how_search_works", globals())

# %% [markdown]
# ## The data: Adam, recorded
#
# Adam minimises random functions of the problem P1 ({eq}`eq-p1`). At 500 moments we note its two moments $m$
# and $v$ and its update, each scaled to unit variance. In these units, Adam's rule is a constant times
# $m/\sqrt{v}$. As everywhere in this book, $\sqrt{x}$ of a negative number is $-\sqrt{|x|}$.

# %%
recorded = TEACHERS["Adam from m, v"].windows(Pipeline(), "p1", 0)
inputs, updates = recorded.inputs[:rows], recorded.targets[:rows]
m, v = torch.from_numpy(inputs / inputs.std(0)).unbind(1)
target = torch.from_numpy(updates / updates.std())

# %% [markdown]
# ## Equations as lists, changed at random: SymL2O Figure 7
#
# An equation is a list of nodes in postfix order, operands before their operator: `m v sqrt /` is
# $m/\sqrt v$. Every node ends a *branch*, the part of the list that it needs for its value. A mutation
# replaces one branch, chosen at random, by another.


# %%
def branch(program: tuple, end: int) -> slice:
    """The branch of a postfix program whose last node is at `end`."""
    start, missing = end, 1
    while True:
        node = program[start]
        arity = expressions.OPERATORS[node].arity if isinstance(node, str) else 0
        missing += arity - 1
        if not missing:
            return slice(start, end + 1)
        start -= 1


equation = expressions.parse("m / sqrt(v) + 1")
branches = [
    str(Expression(equation.program[branch(equation.program, end)]))
    for end in range(equation.complexity)
]
print(f"{equation} has the branches: {',  '.join(branches)}")

# %% [markdown]
# Four kinds of mutation are taken from the paper's pseudo-code: change the constants, put an operator above a branch,
# delete an operator, or put a new random branch in its place. The paper's also exchanges one operator for another, and
# simplifies.

# %%
BINARY, UNARY = ("+", "-", "*", "/"), ("tanh", "sqrt", "square")


def leaf(rng: np.random.Generator) -> Expression:
    """A variable or a constant."""
    if rng.random() < 0.6:
        return expressions.var(str(rng.choice(["m", "v"])))
    return expressions.const(float(rng.normal()))


def mutate(equation: Expression, rng: np.random.Generator) -> Expression:
    """The equation after one random change."""
    program = equation.program
    where = branch(program, int(rng.integers(len(program))))
    part, kind = Expression(program[where]), rng.random()
    if kind < 0.35 and equation.constants:  # mutateConstant
        factors = np.exp(0.3 * rng.normal(size=len(equation.constants)))
        return equation.with_constants((factors * equation.constants).tolist())
    if kind < 0.5:  # appendRandomOp, insertRandomOp: of two arguments
        part = expressions.call(str(rng.choice(BINARY)), part, leaf(rng))
    elif kind < 0.65:  # the same, of one
        part = expressions.call(str(rng.choice(UNARY)), part)
    elif kind < 0.85 and part.arguments:  # deleteRandomOp: one argument stays
        part = part.arguments[int(rng.integers(len(part.arguments)))]
    else:  # genRandomTree
        part = expressions.call(str(rng.choice(BINARY)), leaf(rng), leaf(rng))
    return Expression(program[: where.start] + part.program + program[where.stop :])


# %% [markdown]
# ## The search: keep what is better, and sometimes what is worse
#
# The cost of an equation is its mean squared error plus a small price for each node. A mutation that lowers the
# cost is always accepted. One that raises it by $\Delta$ is accepted with probability $e^{-\Delta/T}$, so that the
# search can leave a dead end; the temperature $T$ falls from 0.1 to 0. This is *simulated annealing*. We run it
# from several seeds.

# %%
PRICE = 0.002  # of a node


def cost(equation: Expression) -> float:
    """Mean squared error, and the price of the nodes."""
    error = (equation.evaluate({"m": m, "v": v}) - target).square().mean().item()
    return error + PRICE * equation.complexity if math.isfinite(error) else math.inf


def search(seed: int) -> list[tuple[int, float, Expression]]:
    """The equations that were the best so far: after how many mutations, their cost, and themselves."""
    rng = np.random.default_rng(seed)
    present = leaf(rng)
    present_cost = cost(present)
    found = [(0, present_cost, present)]
    for step in range(1, mutations):
        trial = mutate(present, rng)
        if trial.complexity > max_nodes:
            continue
        change = cost(trial) - present_cost
        temperature = 0.1 * (1 - step / mutations)
        if rng.random() < math.exp(-max(change, 0) / temperature):
            present, present_cost = trial, present_cost + change
        if present_cost < found[-1][1]:
            found.append((step, present_cost, present))
    return found


searches = [search(seed) for seed in seeds]

# %% [markdown]
# ## What we found

# %% tags=["draw"]
ends = pd.DataFrame(
    {
        "seed": seed,
        "last gain after mutations": found[-1][0],
        "nodes": found[-1][2].complexity,
        "$R^2$": 1 - found[-1][1] + PRICE * found[-1][2].complexity,
        "equation": f"${found[-1][2].rounded(2).latex()}$",
    }
    for seed, found in zip(seeds, searches, strict=True)
)
best = min(searches, key=lambda found: found[-1][1])
solved = int((ends["$R^2$"] > 0.99).sum())
others = [
    found[-1][0]
    for found, r2 in zip(searches, ends["$R^2$"], strict=True)
    if r2 <= 0.99
]
failed = (
    f"The others made their last gain after {listed([*map(str, sorted(others))])} mutations. One chain of mutations can "
    "get stuck, which is one reason why real engines work on many equations at once."
    if others
    else ""
)
text = f"""
{solved} of {len(seeds)} searches explain the updates with $R^2 > 0.99$. The cheapest equation of all,

$$ {best[-1][2].rounded(2).latex()}, $$

came after {best[-1][0]} of {mutations} mutations; Adam's rule is a constant times $m / \\sqrt{{v}}$. {failed}
"""
display(Markdown(text))
plots.table(
    ends.assign(**{"$R^2$": ends["$R^2$"].map("{:.3f}".format)}),
    name="tab-search-ends",
    caption=f"The best equation of each search, constants to two digits. R² is that of the {rows} updates searched on.",
)

# %% tags=["draw"]
marks = sorted({round(i) for i in np.linspace(0, len(best) - 1, 6)})
fig, ax = plt.subplots(figsize=(6.7, 3))
for found in searches:
    steps, costs, _ = zip(*found, strict=True)
    line, color = ("-", "equation") if found is best else (":", "sgd")
    ax.step(
        [*steps, mutations],
        [*costs, costs[-1]],
        line,
        where="post",
        color=plots.COLORS[color],
    )
for number, index in enumerate(marks, 1):
    at = best[index][:2]
    ax.plot(*at, "o", color=plots.COLORS["equation"])
    ax.annotate(str(number), at, textcoords="offset points", xytext=(5, 5))
ax.set(xlabel="mutations tried", ylabel="lowest cost so far")
ax.set(xscale="symlog", yscale="log")
plots.figure(
    fig,
    name="fig-search-mutation",
    caption="The mutation loop of SymL2O's Figure 7 looks for Adam's rule from $m$ and $v$: lowest cost so far, of the "
    "best search (solid) and of the others (dotted). The numbered equations are in the table below.",
)
plots.table(
    pd.DataFrame(
        {
            "number": number,
            "after mutations": best[index][0],
            "cost": f"{best[index][1]:.3f}",
            "equation": f"${best[index][2].rounded(2).latex()}$",
        }
        for number, index in enumerate(marks, 1)
    ),
    name="tab-search-mutation",
    caption=f"Equations on the way of the best search, {len(marks)} of the {len(best)} that were the best so far.",
)

# %% [markdown]
# Real engines also exchange branches between equations, simplify them, and fit constants by least squares instead of
# changing them at random. {doc}`distillation` uses Operon, which does all of that; so does
# PySR, the engine of the paper.
#
# ## A function that many equations share: SymL2O Figure 6
#
# $\gamma\tanh(x/\gamma)$ is $x$ for small inputs and $\pm\gamma$ for large ones: a smoothly clipped gradient. In
# SymL2O's Eq. 6 every lag of every feature passes through it, and $\gamma$ is tuned later.

# %% tags=["draw"]
x = np.linspace(-4, 4, 81)


def clipped(gamma: float) -> Frame:
    """The soft clip at one threshold, beside the identity."""
    curves = [
        Curve("x", x, x, color=plots.INK, style="dash"),
        Curve("soft clip", x, gamma * np.tanh(x / gamma), color=plots.CYCLE[0]),
    ]
    return Frame(
        f"{gamma:g}",
        {"at x = 4": f"{gamma * np.tanh(4 / gamma):.2f}"},
        None,
        curves,
    )


explorer(
    [clipped(gamma) for gamma in (0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 8.0)],
    name="fig-search-tanh",
    caption=r"After SymL2O's Figure 6, with a slider for $\gamma$: $\gamma\tanh(x/\gamma)$ is within 8 % of $x$ where "
    r"$|x| < \gamma/2$, and within 4 % of $\pm\gamma$ beyond $2\gamma$.",
    control="γ",
    x="x",
    y="γ tanh(x/γ)",
    xlim=(-4, 4),
    ylim=(-4, 4),
    start=3,
)

# %% [markdown]
# ## Type an equation
#
# An equation of the features `g`, `m`, `v`, `m_hat`, `g_hat` and `t`, with lags such as `g[3]`, is an optimizer:
# we can draw its updates and run it against Adam. The figure shows this for one equation. In a running notebook
# a box below the figure takes yours; this page, when read in the book, has no kernel to answer it.

# %% tags=["draw"]
problem = tasks.load("p1")
shown = "-0.1 * tanh(2 * m_hat[0]) - 0.02 * g_hat[2]"
fig, facts = example(shown, problem)
plots.figure(
    fig,
    name="fig-search-example",
    caption=f"`{shown}` as an optimizer: its update as one input varies and the others are 0 (left), and its loss on P1 "
    f"beside Adam's, median and central 68 % of 16 instances (right). It has {facts[0].lower() + facts[1:]}",
)
playground(problem, shown)
