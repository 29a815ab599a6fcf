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
# # SOL: a network that is an equation
#
# **In this page** we train SOL {cite}`song2024generalizable`. SymL2O trains a black box and then searches for an
# equation that behaves like it; SOL skips the search, because its network is made of operators and so *is* an
# equation. (An optimizer that is a network is called *parametric*, one that is an equation *symbolic*: SOL's Figure 2.) It
# is meta-trained on MNISTNET, a perceptron with 20 sigmoid units. Its equation is read out, pruned,
# and compared with an LSTM (RP, with steps of at most 0.1) and with eight hand-made rules with tuned constants, on MNISTNET and on three networks
# that it has not seen: the counterpart of SOL's Figure 5. [What we found](#what-we-found) follows the computation.
#
# **Cost:** in `quick`, about a minute on one CPU core, with scikit-learn's digits in place of MNIST and one training
# seed. In `standard`, an hour on one core, with five. In `paper`, by an estimate, a quarter of an
# hour of a GPU.

# %% tags=["parameters"]
profile = "quick"  # quick, standard or paper
show = "own"  # "own": this run; "recorded": the committed standard run
seeds = [0]  # of meta-training
dataset = "digits"  # "digits", a stand-in, or "mnist"
epochs = 25  # of meta-training, each on a fresh network
steps = 100  # of one epoch, and of every comparison
far = 3  # the longest comparison, in units of `steps`
fraction = 0.5  # of the coordinates, for the meta-gradient
sparsity = 0.05  # penalty for having all gates open, in units of the loss
folder = ""  # cache folder inside the book; empty: nothing is cached
device = "cpu"  # or "cuda": where optimizers are trained and run
inits = 3  # unseen initialisations for each training seed
trials = 8  # for each hand-made rule, over all its constants
tuning_inits = 3  # initialisations of each trial, and of every other choice

# %%
import math
from functools import cache

import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown, display
from l2o_book import (
    baselines,
    contest,
    drawings,
    evidence,
    plots,
    sol_equations,
    verdicts,
)
from l2o_book.baselines import HandMade
from l2o_book.page import Page
from l2o_book.records import plural
from l2o_book.tables import listed, mean_std
from matplotlib import pyplot as plt
from torch import nn

from l2o_core import expressions, meta, models, optim, tasks

page = Page("sol", globals())

# %% [markdown]
# ## A network of operators
#
# A hidden layer of SOL maps its inputs linearly, $c = W x + b$. Each unit then applies one operator to one component
# of $c$, or to two if the operator takes two (SOL Eq. 3):
#
# ```{math}
# :label: eq-sol-layer
# h = \begin{bmatrix} f_1(c_1) \\ f_2(c_2) \\ \dots \\ f_n(c_{k-1}, c_k) \end{bmatrix},
# \qquad f_i \in \{\,\mathrm{id},\ (\cdot)^2,\ \exp,\ \operatorname{sign},\ -(\cdot),\ +,\ -,\ \times\,\}.
# ```
#
# A last linear map reads out the update, $y = W' h + b'$. The same network serves every parameter. It is used in an
# inner loop, which trains the parameters $\theta$ of an optimizee, and trained in an outer one, which changes its own
# weights $\omega$ (SOL Eq. 1 and 2):
#
# ```{math}
# :label: eq-sol-outer
# \theta_{t+1} = \theta_t - \alpha\,\phi\bigl(\nabla_\theta\, l(\theta_t), \omega\bigr),
# \qquad \omega_{\tau+1} = \omega_\tau - \beta\,\psi\bigl(\nabla_\omega L(\omega_\tau)\bigr).
# ```
#
# Here $\phi$ is the network, $L$ the sum of the losses of the inner loop, and $\psi$ the rule of Adam.

# %% tags=["draw"]
plots.figure(
    drawings.operator_network(
        models.SOL.inputs, models.SOL.constants, models.SOL.operators
    ),
    name="fig-sol-network",
    caption="SOL with one hidden layer, after SOL's Figure 3. Grey lines are trained weights. This page uses two units "
    "of each kind.",
    alt="From left to right: twelve features and two constants, a linear map to eleven components, a unit for each of "
    "eight operators, of which sum, difference and product take two components, and a linear map to the update y.",
)

# %% [markdown]
# Everything that the network reads is computed from one parameter's gradients:
#
# | input | meaning |
# | :--- | :--- |
# | `g`, `g2`, `g3` | the gradient $g$, its square and its cube |
# | `ag` | the magnitude of $g$ on a log scale, $\log(\lvert g\rvert + 10^{-6}) / 10$, and $-1$ where $\lvert g\rvert < e^{-10}$ |
# | `m`, `v` | the moving averages of $g$ and $g^2$ that Adam uses ($\beta_1 = 0.9$, $\beta_2 = 0.999$) |
# | `sg`, `sm` | the signs of $g$ and of $m$ |
# | `ad`, `rs` | the directions of Adam, $m / \sqrt v$, and of RMSprop, $g / \sqrt v$ |
# | `ld`, `cd` | decays from 1 to 0 over the run, linear and along half a cosine |
# | 1, 2 | constants |
#
# In the paper's formulas, with the step $t$ of $T$ and $n = 0.5$, $p = 10$, $\epsilon = 10^{-6}$,
#
# ```{math}
# :label: eq-sol-inputs
# \begin{aligned}
# \mathit{ld} &= 1 - \frac{t}{T}, \qquad \mathit{cd} = 0.5\,\Bigl(1 + \cos\frac{2\pi n t}{T}\Bigr),\\
# \mathit{ag} &= \frac{\log(|g| + \epsilon)}{p} \cdot \mathit{in} - (1 - \mathit{in}),\qquad \mathit{in} = [\,|g| > e^{-p}\,].
# \end{aligned}
# ```
#
# Division is not among the operators: a network would eventually divide by zero, so SOL supplies Adam's ratio as
# an input instead.
#
# Every weight has a **gate** between 0 and 1. During meta-training the gates are random, so any weight may be
# missing, and open gates are penalised {cite}`louizos2018learning`: a weight that does not lower the loss enough
# disappears. The paper does not mention gates, but its code has them ({doc}`../book/deviations`).
#
# ## Meta-training
#
# As in SOL's Algorithm 1, each epoch starts a fresh MNISTNET and trains it for 100 steps with the current network of
# operators. After every 20 steps, the mean loss of these steps changes the weights of SOL. One part of
# the training images serves meta-training, another every choice on this page, a third the comparisons. RP
# {cite}`lv2017learning`, an LSTM optimizer ({doc}`numerical_l2o`), is trained in the same way and for as many epochs.

# %%
NETWORKS = {
    "MNISTNET": ((20,), "sigmoid"),
    "2Layer": ((20, 20), "sigmoid"),
    "Big": ((40,), "sigmoid"),
    "ReLU": ((20,), "relu"),
}


@cache
def mnistnet(name: str = "MNISTNET", part: str = "train") -> tasks.MLP:
    """One of the paper's four perceptrons, on one part of the training images."""
    hidden, activation = NETWORKS[name]
    options = {"part": part, "device": device}
    return tasks.MLP("mnistnet", dataset, hidden, activation, **options)


def meta_trained(optimizer: models.LearnedOptimizer, seed: int, lr: float):
    """The optimizer, meta-trained on MNISTNET, and the history of its training."""
    file = (
        page.cache and page.cache / "sol" / f"{type(optimizer).__name__}-{seed}.pt"
    )
    options = {"epochs": epochs, "steps": steps, "unroll": 20, "fraction": fraction}
    options |= {"validate_every": 5, "validation_instances": 3, "decay": True}
    options |= {"seed": seed, "lr": lr, "checkpoint": file, "progress": False}
    return optimizer, meta.meta_train(optimizer, mnistnet(), **options)


# %%
trained = {"SOL": [], "RP": []}
for seed in seeds:
    torch.manual_seed(seed)
    sol = models.SOL(total_steps=steps, copies=2, scale=0.1, sparsity=sparsity)
    trained["SOL"].append(meta_trained(sol, seed, lr=0.01))
    torch.manual_seed(seed)
    trained["RP"].append(meta_trained(models.RP(scale=0.1), seed, lr=0.003))

own = {"dataset": dataset, "inits": inits, "steps": steps, "far": far * steps}
own["trials"] = trials
own["training"] = {
    label: contest.training(found) for label, found in trained.items()
}

# %% [markdown]
# ## Reading the equation out
#
# Written out operator by operator, the trained network becomes a formula: everything linear is gathered into one sum,
# and squares, exponentials, signs and products remain. The formula equals the network (checked below). It is long,
# because few gates close completely, so we prune it. SOL's paper keeps the units with large weights. We compare what
# the weights contribute: $w_{ij}$ is removed if $\lvert w_{ij} \rvert \cdot \mathrm{RMS}(x_j)$ is below a given fraction of
# the largest such product of unit $i$. A large weight on $g^3$, which is nearly 0, is removed; a small one on a sign may
# stay. Of all fractions we take the shortest equation whose mean loss on tuning instances is within 3 % of the lowest,
# and round its constants to three digits, so the equation that is printed is the one that is compared.

# %%
FRACTIONS = [0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6]


def tuning_loss(optimizer, name: str = "MNISTNET", length: int = steps) -> float:
    """Mean loss where choices are made; infinite if a run diverges."""
    options = {"steps": length, "instances": tuning_inits, "seed": 1000}
    losses = meta.evaluate(optimizer, mnistnet(name, "choose"), **options)
    return losses.mean().nan_to_num(math.inf, math.inf).item()


# %%
def read_out(sol: models.SOL, seed: int) -> dict:
    """The pruned equations of a trained network, and the one chosen."""
    options = {"samples": 5000, "steps": steps, "seed": seed}
    reading = sol_equations.read_out(sol, mnistnet(), FRACTIONS, **options)
    front = [
        {
            "equation": text,
            "nodes": rule.complexity,
            "loss": tuning_loss(sol_equations.optimizer(rule, steps)),
        }
        for text, rule in {str(rule): rule for rule in reading.pruned}.items()
    ]
    enough = 1.03 * min(cut["loss"] for cut in front)
    good = [cut for cut in front if cut["loss"] <= enough]
    return {
        "difference": reading.difference,
        "nodes": reading.nodes,
        "network": tuning_loss(sol),
        "front": front,
        "chosen": min(good, key=lambda cut: cut["nodes"]),
    }


own["equations"] = [
    read_out(sol, seed)
    for seed, (sol, _) in zip(seeds, trained["SOL"], strict=True)
]

# %% [markdown]
# ## The comparison
#
# The paper compares SOL with SGD, momentum, Nesterov, RMSprop, Adam, Lion, ENOS and the LSTM optimizer L2LGD2, the DM of
# {doc}`numerical_l2o`. ENOS's rule is printed in neither paper. Ours are the first six, RP in place of DM, and two more
# because SOL's inputs contain them: the bare sign of the gradient, and Adam with a linear decay. Each hand-made
# rule is tuned *on the network of the comparison*, over its learning rate and its betas, with as many trials for every
# rule ({doc}`numerical_l2o` says how); all $\epsilon$ keep their usual values. (In the recorded run the 0.9 inside Lion's
# sign, its $\beta_1$, kept its value too, and the decay of its average, its $\beta_2$, is listed as $\beta_1$.) SOL's
# equations and RP are used as they come from MNISTNET, with no learning rate to tune. Images, initialisations and batches
# are new to all of them, and each training seed has its own, on which the rules run as well.

# %%
HAND_MADE = {
    "SGD": HandMade("sgd", -1, 1.5),
    "Momentum": HandMade("momentum", -2, 0.5),
    "Nesterov": HandMade("nesterov", -2, 0.5),
    "RMSprop": HandMade("rmsprop", -3.5, -1),
    "Adam": HandMade("adam", -3, -0.5),
    "Adam, linear decay": HandMade("adam", -3, -0.5, "ld"),
    "Lion": HandMade("lion", -3.5, -0.5),
    "Sign": HandMade("signsgd", -3, -0.5),
}  # names in the zoo, and the range of learning rates as powers of ten


def compared(name: str, length: int) -> dict:
    """The losses of every optimizer on one network, in runs of `length` steps."""

    def tuning_losses(rules) -> list[float]:
        return [tuning_loss(rule, name, length) for rule in rules]

    def losses(optimizers, seed: int) -> list[torch.Tensor]:
        options = {"steps": length, "instances": inits, "seed": 3000 + seed}
        return [meta.evaluate(one, unseen, **options) for one in optimizers]

    unseen = mnistnet(name, "report")
    chosen = [found["chosen"]["equation"] for found in own["equations"]]
    equations = [
        sol_equations.optimizer(expressions.parse(text), length) for text in chosen
    ]
    field = {"SOL": equations, "RP": [model for model, _ in trained["RP"]]}
    best = baselines.tuned(HAND_MADE, tuning_losses, trials, total_steps=length)
    field |= {label: [one.equation] for label, one in best.items()}
    return {
        label: contest.result(
            runs, best[label].constants if label in best else None
        )
        for label, runs in contest.evaluated(field, losses, seeds).items()
    }


own["races"] = {name: compared(name, steps) for name in NETWORKS}
own["long"] = compared("MNISTNET", far * steps)

# %%
record = page.record(own, dataset=mnistnet().dataset)
run, count = record.values, len(record.seeds)
source = record.cite(f"{run['inits']} initialisations for each training seed")
readings = run["equations"]
best = min(range(count), key=lambda number: readings[number]["chosen"]["loss"])
rule = expressions.parse(readings[best]["chosen"]["equation"])
NETWORK_NAMES = list(run["races"])
everything = run["races"] | {f"MNISTNET, {run['far']} steps": run["long"]}
ranked = {name: contest.ranking(results) for name, results in everything.items()}
rivals = {
    name: next(label for label in labels if label in HAND_MADE)
    for name, labels in ranked.items()
}
claims = evidence.sol(record)["Figure 5"]
tuning = f"hand-made rules are {contest.tuning(run)}, on each network"

# %% [markdown]
# ## What we found
#
# SOL's Figure 5 is a picture without numbers. Its text says that SOL's equation reaches the lowest training loss on
# MNISTNET and on the three other networks.

# %% tags=["draw"]
first = [name for name in NETWORK_NAMES if ranked[name][0] == "SOL"]
below = [
    name
    for name in NETWORK_NAMES
    if ranked[name].index("SOL") < ranked[name].index("RP")
]
by_mean = {n: contest.ranking(r, "mean") for n, r in run["races"].items()}
early = [name for name in NETWORK_NAMES if by_mean[name][0] == "SOL"]
ahead = [
    f"{rivals[name]} on {name} ({np.mean(everything[name][rivals[name]]['end']):.2g}; SOL "
    f"{np.mean(everything[name]['SOL']['end']):.2g})"
    for name in NETWORK_NAMES
    if ranked[name].index(rivals[name]) < ranked[name].index("SOL")
]
stuck = [found["chosen"]["loss"] > 0.95 * contest.GUESSING for found in readings]
never_left = {
    name: contest.guessing({"RP": results["RP"]}, run["inits"])
    for name, results in run["races"].items()
}
plateau = [f"{name} {listed(found)}" for name, found in never_left.items() if found]
stay = (
    f" Some of RP's seeds stay on the starting plateau: {listed(plateau)}."
    if plateau
    else ""
)
sizes = sorted(found["chosen"]["nodes"] for found in readings)
display(
    Markdown(
        f"- In this run SOL has the lowest final loss on {len(first)} of {len(NETWORK_NAMES)} networks; the paper has it "
        f"first on all. A tuned hand-made rule ends lower on {len(ahead)}: {listed(ahead)}. "
        f"SOL's mean end loss is below that of RP, the LSTM, on {len(below)}.{stay}\n"
        f"- By the mean loss over all steps, a measure of speed, SOL is first on: {listed(early)}.\n"
        f"- {verdicts.counted(claims.values())}, tested over {plural(count, 'training seed')}. Each says that SOL ends below "
        "the best hand-made rule, or below RP, on one network; the table of verdicts below has the differences.\n"
        f"- Networks of {readings[0]['nodes']} nodes are pruned to {listed([str(size) for size in sizes])} nodes. On the "
        f"starting plateau, where the loss is that of guessing, stay {sum(stuck)} of {plural(count, 'equation')}."
    )
)

# %% [markdown]
# ## The learned equation

# %% tags=["draw"]
fig, (left, right) = plt.subplots(1, 2, figsize=(6.7, 3.3))
dots = {"marker": "o", "ms": 3}
for label, part in run["training"].items():
    for number, validation in enumerate(part["validation"]):
        dots |= {"color": plots.color(label), "label": "" if number else label}
        left.plot(*zip(*validation, strict=True), **dots)
for number, found in enumerate(readings):
    cuts = sorted((cut["nodes"], cut["loss"]) for cut in found["front"])
    dots |= {"color": plots.CYCLE[number], "label": f"seed {record.seeds[number]}"}
    right.plot(*zip(*cuts, strict=True), **dots)
    ring = {"ms": 11, "mfc": "none", "color": plots.CYCLE[number]}
    right.plot(found["chosen"]["nodes"], found["chosen"]["loss"], "o", **ring)
lowest = min(cut["loss"] for found in readings for cut in found["front"])
right.set(xscale="log", ylim=(0.9 * lowest, 2 * lowest), title="pruning")
largest = max(cut["nodes"] for found in readings for cut in found["front"])
ticks = [tick for tick in (10, 20, 50, 100, 200, 500) if tick <= largest]
right.set_xticks(ticks, map(str, ticks))
right.minorticks_off()
right.set(xlabel="nodes of the equation", ylabel="mean loss, tuning instances")
left.set(xlabel="epoch", ylabel=f"mean loss over {run['steps']} steps")
left.set_title("meta-training on MNISTNET")
left.legend()
right.legend()
trainings = [
    f"{label} ({part['weights']} weights) from {np.mean([part[0][1] for part in part['validation']]):.2f} to "
    f"{np.mean([min(loss for _, loss in found) for found in part['validation']]):.2f} in {mean_std(part['seconds'])} s"
    for label, part in run["training"].items()
]
plots.figure(
    fig,
    name="fig-sol-learning",
    caption=f"Left: loss on held-out instances, one line for each training seed. {run['training']['SOL']['epochs']} epochs bring "
    f"{listed(trainings)}, on one core. Half of SOL's weights are those of its gates. Right: loss of the pruned equations "
    f"against their size; the chosen ones are ringed, and losses above twice the lowest are cut off ({source}).",
)

# %% tags=["draw"]
plots.equation(rf"\Delta\theta_t = {rule.latex(2)}", name="eq-sol-learned")
display(
    Markdown(
        f"This is the equation of training seed {record.seeds[best]}, which has the lowest tuning loss: "
        f"**{rule.complexity} nodes**. Before pruning, the written-out equations differ from their networks by at most "
        f"{max(found['difference'] for found in readings):.0e} of the largest update."
    )
)

# %% [markdown]
# The inputs that survive show what kind of rule it is. `sg` and `sm` move every parameter by the same distance,
# whatever the magnitude of its gradient; `ad` and `rs` move it in proportion to its gradient, measured against the
# magnitudes of the past. `ld` and `cd` on their own shift all parameters alike and fade along the run. Some training
# seeds may fail: a loss that stays at $\log 10 = 2.3$ is that of guessing, and means that the equation never left the
# plateau on which MNISTNET starts.


# %% tags=["draw"]
def used(found: dict) -> list[str]:
    """The inputs of a chosen equation."""
    variables = expressions.parse(found["chosen"]["equation"]).variables
    return list(dict.fromkeys(variable.name for variable in variables))


names = models.SOL.inputs
always = [name for name in names if all(name in used(part) for part in readings)]
never = [name for name in names if not any(name in used(part) for part in readings)]
plots.table(
    pd.DataFrame(
        {
            "training seed": seed,
            "nodes": found["nodes"],
            "nodes, pruned": found["chosen"]["nodes"],
            "loss": f"{found['network']:.3f}",
            "loss, pruned": f"{found['chosen']['loss']:.3f}",
            "inputs": ", ".join(f"`{name}`" for name in used(found)),
        }
        for seed, found in zip(record.seeds, readings, strict=True)
    ),
    name="tab-sol-equations",
    caption="The networks and their pruned equations, with mean losses on tuning instances. Inputs in every equation: "
    f"{listed(always)}; in none: {listed(never)} ({source}).",
)

# %% [markdown]
# ## The comparison: SOL's Figure 5
#
# "SOL" stands for all training seeds together. "SOL, best seed" is the one with the lowest loss on tuning instances,
# which is the one that a user would choose.

# %% tags=["draw"]
BEST = "SOL, best seed"
shown = {
    name: {BEST: contest.of_seed(results["SOL"], best, run["inits"])} | results
    for name, results in everything.items()
}
fig, axes = plt.subplots(2, 2, figsize=(6.7, 6.2), sharex=True)
for ax, name in zip(axes.flat, NETWORK_NAMES, strict=True):
    for number in range(count):
        one = contest.of_seed(shown[name]["SOL"], number, run["inits"])
        middle = np.median(one["curves"], axis=0)
        ax.plot(one["steps"], middle, color=plots.color("SOL"), lw=0.7)
    contest.draw(ax, shown[name], ("RP", *HAND_MADE), lw=1.2)
    contest.draw(ax, shown[name], [BEST], lw=2.4)
    ax.set_title(name)
for ax in axes[-1]:
    ax.set_xlabel("step")
for ax in axes[:, 0]:
    ax.set_ylabel("minibatch loss")
handles = axes[0, 0].get_legend_handles_labels()
fig.legend(*handles, loc="outside lower center", ncols=4)
plots.figure(
    fig,
    name="fig-sol-race",
    caption="SOL's equation, learned on MNISTNET, and the other optimizers on four networks: median and central 68 % of "
    f"the runs, averaged over {run['steps'] // 25} steps. Thin red lines are the medians of SOL's other training seeds; "
    f"{tuning}, and dashed or dotted. SOL ends lowest on "
    f"{len(first)} of {len(NETWORK_NAMES)} networks ({source}).",
)

# %% tags=["draw"]
ends = {
    name: [
        mean_std(results[label]["end"]) for label in ("SOL", BEST, "RP", *HAND_MADE)
    ]
    for name, results in shown.items()
}
plots.table(
    pd.DataFrame({"optimizer": ["SOL", BEST, "RP", *HAND_MADE]} | ends),
    name="tab-sol-race",
    caption=f"Loss over the last ten of {run['steps']} steps. The last column is for a run of {run['far']} steps, for "
    "which SOL was not trained and the hand-made rules were tuned anew. Mean ± standard deviation over all runs; "
    f"{tuning}. Lowest, of those for all seeds: {', '.join(f'{labels[0]} on {name}' for name, labels in ranked.items())} "
    f"({source}).",
)
plots.table(
    pd.DataFrame(
        {"optimizer": [*HAND_MADE]}
        | {
            name: [contest.constants(results[label]) for label in HAND_MADE]
            for name, results in everything.items()
        }
    ),
    name="tab-sol-constants",
    caption=f"The constants that the hand-made rules run with: they are {contest.tuning(run)}. SOL and RP have none that "
    f"are tuned on the network of a comparison ({source}).",
)

# %% [markdown]
# The best hand-made rule of each network is picked by the losses that are compared, which is in its favour. So that this
# counts, its p-value is multiplied by the number of rules (Bonferroni); SOL is below the best if it is below each. A hand-made
# rule has no training seed; it runs from the initialisations of each seed, so that the intervals are of paired
# differences. (In records that give it a single mean, this counts as exact.)

# %% tags=["draw"]
plots.table(
    pd.DataFrame(
        {
            "network": name,
            "SOL against": rival,
            "difference": str(claims[f"SOL below {kind} on {name}"]),
            "SOL lower?": claims[f"SOL below {kind} on {name}"].verdict,
        }
        for name in everything
        for kind, rival in {
            "the best hand-made rule": rivals[name],
            "RP": "RP",
        }.items()
    ),
    name="tab-sol-claims",
    caption="Does SOL reach the lowest final training loss, as its paper says of the four networks? Differences of "
    "final losses with 95 % intervals over training seeds (negative: SOL is lower), and verdicts after Holm's "
    f"correction for {len(claims)} comparisons, each best rule counted as {len(HAND_MADE)} ({source}).",
)

# %% [markdown]
# ## Using the equation
#
# The equation is a `torch.optim.Optimizer`. Its decays need the length of the training, `total_steps`; `lr=1.0` takes the
# steps that it was trained with.

# %%
torch.manual_seed(0)
layers = nn.Flatten(), nn.LazyLinear(20), nn.Sigmoid(), nn.Linear(20, 10)
network = nn.Sequential(*layers)
batches = mnistnet(part="report").batches(torch.Generator().manual_seed(4000))
network(next(batches)[0][0])  # LazyLinear finds its size
optimizer = optim.SymbolicOptimizer(
    network.parameters(), rule, lr=1.0, total_steps=run["steps"]
)
trace = []
for _ in range(run["steps"]):
    images, labels = next(batches)
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(network(images[0]), labels[0])
    loss.backward()
    optimizer.step()
    trace.append(loss.item())
display(
    Markdown(
        f"With PyTorch's own initialisation, on {mnistnet().dataset}: minibatch loss {np.mean(trace[:5]):.2f} over the "
        f"first five steps, {np.mean(trace[-5:]):.2f} over the last five."
    )
)

# %% [markdown]
# **On other pages:** Tables 2 to 4 and Figure 1 ({doc}`sol_vision`), Table 5 ({doc}`sol_attack`), Table 6 and Figure 7
# ({doc}`sol_graphs`), Table 7 ({doc}`glue`), Figure 6 ({doc}`language_model`).
