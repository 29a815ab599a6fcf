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
# # SOL on graphs
#
# **In this page** optimizers train two graph networks, GAT and JK-Net, to say what a paper is about from its words and
# its citations. SOL {cite}`song2024generalizable` claims that an equation meta-trained on such a network beats Adam
# (Table 6 and Figure 7). We train SOL on each network and graph, tune it, Adam and three more rules with the same number
# of trials, and compare them on ten seeds. [What we found](#what-we-found) follows the computation.
#
# **Cost:** in `quick`, about a minute on one CPU core, on a synthetic graph in place of the papers' and with one
# seed. In `standard`, an hour on one core, on Cora and CiteSeer: there are 400 trainings of 500 epochs. In `paper`, by an
# estimate, two hours of a GPU.

# %% tags=["parameters"]
profile = "quick"  # quick, standard or paper
show = "own"  # "own": this run; "recorded": the committed standard run
seeds = [0]  # of the networks' starting points and dropout
networks = ["gat", "jknet"]
graphs = ["blocks"]  # "cora", "citeseer", "dblp", "pubmed", or "blocks", a stand-in
epochs = 60  # of training a network
large_epochs = 60  # the same, on graphs of more than 10,000 nodes
meta_epochs = 6  # of meta-training, each on a fresh network
meta_steps = 40  # epochs of that network's training
unroll = 10  # of these between two changes of SOL
fraction = 0.5  # of the coordinates, for the meta-gradient
trials = 4  # for each optimizer, over all its constants
folder = ""  # cache folder inside the book; empty: nothing is cached
device = "cpu"  # or "cuda": where networks are trained

# %%
from functools import cache

import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown, display
from l2o_book import (
    baselines,
    contest,
    evidence,
    graph_runs,
    plots,
    sol_equations,
    verdicts,
)
from l2o_book.baselines import HandMade
from l2o_book.contestants import Contestant, best_rate, discovered_rule
from l2o_book.page import Page
from l2o_book.pipeline import Pipeline
from l2o_book.records import plural
from l2o_book.tables import Published, listed, mean_std
from matplotlib import pyplot as plt

from l2o_core import expressions, meta, models, tasks
from l2o_core.errors import DataError

page = Page("sol_graphs", globals())
stored = Pipeline(page.cache).cache

# %% [markdown]
# ## Two networks on a graph
#
# Nodes are papers, edges are citations, and the features $h_i$ of a node say which words its paper has. A few nodes of
# each class have known labels. A graph network passes what it knows of a node on to its neighbours, so that the
# other nodes can be classified too.
#
# **GAT** {cite}`velickovic2018graph` averages over a node's neighbours $\mathcal N_i$, itself included, with weights
# that it learns:
#
# ```{math}
# :label: eq-graphs-gat
# h_i' = \mathrm{elu}\Bigl(\sum_{j \in \mathcal N_i} \alpha_{ij} W h_j\Bigr), \qquad
# \alpha_{ij} = \operatorname*{softmax}_{j \in \mathcal N_i}\, \mathrm{leakyrelu}\bigl(a \cdot W h_j + b \cdot W h_i\bigr).
# ```
#
# Eight such heads of eight units are joined in a first layer; a second layer has one head with a unit for each class.
#
# **JK-Net** {cite}`xu2018representation` stacks six graph convolutions of 16 units {cite}`kipf2017semi` and classifies
# by the largest value that each unit takes in any of them:
#
# ```{math}
# :label: eq-graphs-jknet
# H^{(k+1)} = \mathrm{relu}\bigl(D^{-1/2} (A + I) D^{-1/2} H^{(k)} W^{(k)}\bigr), \qquad
# Y = \max_k H^{(k)}\, W.
# ```
#
# Dropout is 0.6 in GAT and 0.5 in JK-Net. Every epoch is one step on the whole graph, so the only noise in a gradient is
# that of the dropout.

# %%
NETWORKS = {"gat": "GAT", "jknet": "JK-Net"}
GRAPHS = {
    "cora": "Cora",
    "citeseer": "Citeseer",
    "pubmed": "PubMed",
    "dblp": "DBLP",
}
GRAPHS["blocks"] = "a synthetic graph"
LARGE = 10_000  # nodes


@cache
def graph(name: str) -> tasks.Graph | None:
    """A graph with its split; None where its files are not on this machine."""
    try:
        found = tasks.load_graph(name)
    except DataError as error:
        print(error)
        return None
    return found if found.nodes else found.split(seed=0)


@cache
def problem(network: str, name: str, part: str = "train") -> tasks.GraphNetwork:
    """A network on a graph, with the seeds of one part."""
    build = {"gat": tasks.GAT, "jknet": tasks.JKNet}[network]
    options = {"part": part, "device": device}
    return tasks.GraphNetwork(f"{network}_{name}", graph(name), build, **options)


pairs = {
    f"{NETWORKS[network]}, {GRAPHS[name]}": (network, name)
    for network in networks
    for name in graphs
}
here = {row: pair for row, pair in pairs.items() if graph(pair[1])}

# %% [markdown]
# ## The protocol
#
# SOL's paper says that SOL is meta-trained in 50 iterations, in each of which a network is trained for 250 epochs, with an
# unroll of 50. Its code then trains for 500 epochs at a learning rate of 0.0005, the same for Adam and SOL, clips SOL's
# updates to norm 1 and Adam's not. The paper does not say whether accuracies are those of the last epoch or of the
# best one on validation nodes. Here both are given, nothing is clipped, and Adam runs at the published rate and with
# constants of its own.
#
# Each optimizer that is tuned has the same number of trials. A trial is a training from a starting point that is used for nothing
# else, judged by its accuracy on the **validation nodes** after the last epoch. What is reported are accuracies on
# **test nodes**, of networks from fresh starting points, the same ones for all.
#
# ## Meta-training SOL
#
# SOL {doc}`is a network of operators <sol>` that reads the gradient of one parameter, its moments, signs and decays. Its
# meta-loss is the mean training loss of the graph network. It is trained once for each network and graph; seeds below are
# those of the networks, so that intervals say how sure we are of one equation, and not of SOL's training.


# %%
# the range of the factors of a rule's steps that are tried
RANGES = {"SOL": (0.1, 10), "discovered": (0.1, 30)}


def meta_trained(network: str, name: str):
    """SOL, meta-trained on one network and graph, and the history of its training."""
    file = page.cache and page.cache / "sol_graphs" / f"{network}-{name}.pt"
    torch.manual_seed(seeds[0])
    sol = models.SOL(total_steps=meta_steps, scale=0.02, sparsity=0.02)
    options = {"epochs": meta_epochs, "steps": meta_steps, "unroll": unroll}
    options |= {"fraction": fraction, "lr": 0.02, "decay": True, "seed": seeds[0]}
    options |= {
        "validate_every": max(1, meta_epochs // 3),
        "validation_instances": 1,
    }
    options |= {"checkpoint": file, "progress": False}
    return sol, meta.meta_train(sol, problem(network, name), **options)


# %% [markdown]
# The equation is read out of the network and pruned, as in {doc}`sol`. Half of SOL's trials are prunings, of which we take
# the shortest equation within a point of the most accurate; the others are factors of its step.


# %%
def accuracies(pair: tuple[str, str], contestants: list[Contestant]) -> list[float]:
    """Validation accuracies where choices are made."""
    task = problem(*pair, "choose")
    return graph_runs.validation(task, contestants, length(pair), [1000], stored)


def length(pair: tuple[str, str]) -> int:
    """Epochs of training."""
    return large_epochs if len(graph(pair[1])) > LARGE else epochs


def read_out(sol: models.SOL, pair: tuple[str, str]) -> tuple[Contestant, dict]:
    """The equation of a trained SOL, pruned and at its best rate, and how it was found."""
    options = {"steps": meta_steps, "samples": 20 * meta_steps, "instances": 1}
    parts = sol_equations.fractions(trials // 2)
    reading = sol_equations.read_out(
        sol, problem(*pair), parts, seed=seeds[0], **options
    )
    rules = reading.pruned
    cuts = [
        Contestant(sol_equations.optimizer(rule, length(pair))) for rule in rules
    ]
    found = accuracies(pair, cuts)
    short = sol_equations.shortest(rules, found, within=1)
    tried = baselines.even_rates(*RANGES["SOL"], trials - len(cuts))
    others = [Contestant(cuts[short].equation, rate) for rate in tried]
    found = [found[short], *accuracies(pair, others)]
    rate = best_rate(found, [1.0, *tried])
    best = Contestant(cuts[short].equation, rate, {"lr": rate})
    return best, reading.described(short)


# %% [markdown]
# ## The other optimizers
#
# Table 6 has Adam only. We add RMSprop, momentum, and a rule with a memory that was found by a search on a small
# perceptron ({doc}`rules_with_memory`): it steps only where its momentum and the gradient agree in sign. It is taken from
# the record of that page. The hand-made rules are tuned over all their constants, the discovered one in its rate.

# %%
HAND_MADE = {
    "Adam, tuned": HandMade("adam", -3.5, -1.5),
    "RMSprop": HandMade("rmsprop", -3.5, -1.5),
    "Momentum": HandMade("momentum", -2, 0.5),
}  # names in the zoo, and the range of learning rates as powers of ten
PUBLISHED = Contestant(baselines.rule("adam", 5e-4), constants={"lr": 5e-4})
discovered, searched = discovered_rule()


def field(pair: tuple[str, str], sol: Contestant) -> dict[str, Contestant]:
    """All contestants by label, each with the best constants of its trials."""
    tried = baselines.even_rates(*RANGES["discovered"], trials)
    memory = models.Equation(discovered)
    found = accuracies(pair, [Contestant(memory, rate) for rate in tried])
    rate = best_rate(found, tried)

    def losses(rules) -> list[float]:
        return [-one for one in accuracies(pair, [*map(Contestant, rules)])]

    best = baselines.tuned(HAND_MADE, losses, trials)
    return {
        "Adam, as published": PUBLISHED,
        **{
            label: Contestant(one.equation, constants=one.constants)
            for label, one in best.items()
        },
        "SOL": sol,
        "discovered": Contestant(memory, rate, {"lr": rate}),
    }


# %%
own = {"rows": {}, "missing": [row for row in pairs if row not in here]}
own |= {"epochs": epochs, "large_epochs": large_epochs, "trials": trials}
own["discovered"] = {"text": discovered, "from": searched}
for row, pair in here.items():
    sol, history = meta_trained(*pair)
    contestant, about = read_out(sol, pair)
    task, runs = problem(*pair, "report"), {}
    for label, one in field(pair, contestant).items():
        of = [
            graph_runs.trained(task, one, length(pair), seed, stored)
            for seed in seeds
        ]
        runs[label] = graph_runs.entry(of, one.constants)
    own["rows"][row] = {
        "dataset": task.dataset,
        "parameters": task.n,
        "epochs": length(pair),
        "training": {"seconds": history.seconds, "validation": history.validation},
        "sol": about,
        "contestants": runs,
    }

# %%
every = dict.fromkeys(one["dataset"] for one in own["rows"].values())
record = page.record(own, dataset=listed([*every]))
run, source = record.values, record.cite()
table6 = Published("SOL Table 6")
decided = evidence.sol_graphs(record)
ROWS = list(run["rows"])
LABELS = list(run["rows"][ROWS[0]]["contestants"])


def of(row: str, label: str, what: str) -> str:
    """A number of a contestant, mean and standard deviation over seeds; "not run" without the graph."""
    if row not in run["rows"]:
        return verdicts.NOT_RUN
    return mean_std(run["rows"][row]["contestants"][label][what])


# %% [markdown]
# ## What we found

# %% tags=["draw"]
WHAT = {"last": "the last epoch", "best": "the best validation epoch"}


VERDICTS = {
    verdicts.REPRODUCED: "certainly above it for",
    verdicts.NOT_REPRODUCED: "certainly below it for",
    verdicts.UNDECIDED: "undecided for",
}


def pairs_of(rows: list[str]) -> str:
    """Rows in a sentence: "GAT on Cora and JK-Net on Cora"."""
    return listed([row.replace(", ", " on ") for row in rows])


def outcome(table: str) -> str:
    """The rows of a table of comparisons in a phrase."""
    found = {row: decided[table][row] for row in ROWS}
    said = {
        words: verdicts.named(verdict, found) for verdict, words in VERDICTS.items()
    }
    return "; ".join(
        f"{words} {pairs_of(rows)}" for words, rows in said.items() if rows
    )


def leader(row: str, what: str) -> str:
    """The contestant with the highest mean accuracy on a row; one that diverged is never it."""
    found = run["rows"][row]["contestants"]
    return max(LABELS, key=lambda label: np.nan_to_num(np.mean(found[label][what])))


def first(what: str) -> str:
    """The leader of each row."""
    return "; ".join(f"{pairs_of([row])}: {leader(row, what)}" for row in ROWS)


missing = (
    f"- **Not run**, since the graph was not at hand: {pairs_of(run['missing'])}."
    if run["missing"]
    else ""
)
display(
    Markdown(f"""
- **SOL against Adam at the published rate**, by the accuracy after the last epoch:
  {outcome("Table 6")}.
- **SOL against tuned Adam**: {outcome("tuned Adam")}. Tuning takes Adam {run["trials"]} trainings, and SOL as
  many on top of its meta-training.
- **The discovered rule against tuned Adam**: {outcome("discovered")}. It was found on another kind of network.
- **Highest mean accuracy** after the last epoch: {first("last")}. At the best validation epoch: {first("best")}.
{missing}
""")
)

# %% [markdown]
# ## Accuracies: SOL's Table 6

# %% tags=["draw"]
SHOWN = {
    "Adam, as published": "Adam, rate 0.0005",
    "Adam, tuned": "Adam, tuned",
    "SOL": "SOL",
    "discovered": "discovered",
}
everything = [*ROWS, *run["missing"]]
ahead = [row for row in ROWS if decided["tuned Adam"][row].difference > 0]
rows = [*dict.fromkeys([*table6.rows, *everything])]
plots.table(
    pd.DataFrame(
        {
            "network, graph": row,
            "Adam, published": table6.cell(row, "Adam"),
            "SOL, published": table6.cell(row, "SOL"),
            **{words: of(row, label, "last") for label, words in SHOWN.items()},
        }
        for row in rows
    ),
    name="tab-graphs-accuracy",
    caption="Test accuracy after the last epoch in percent, mean ± standard deviation over seeds, beside the published one. "
    f"SOL's mean is above that of tuned Adam on {len(ahead)} of {len(ROWS)}. DBLP, which is not in the paper, stands in for "
    f"PubMed where that is not at hand. Training takes {run['epochs']} epochs, "
    f"on graphs of more than ten thousand nodes {run['large_epochs']} ({source}).",
)
plots.table(
    pd.DataFrame(
        {"network, graph": row}
        | {words: of(row, label, "best") for label, words in SHOWN.items()}
        for row in everything
    ),
    name="tab-graphs-best",
    caption=f"The same at the epoch that is best on the validation nodes. Highest: {first('best')}. ({source}.)",
)

# %% tags=["draw"]
QUESTIONS = {
    "Table 6": "SOL above Adam, rate 0.0005",
    "tuned Adam": "SOL above tuned Adam",
    "discovered": "discovered above tuned Adam",
}
plots.table(
    pd.DataFrame(
        {
            "network, graph": row,
            "claim": question,
            **{
                f"{WHAT[what]}{part}": getter(decided[f"{table}{ending}"][row])
                for what, ending in (("last", ""), ("best", ", best epoch"))
                for part, getter in (
                    (", difference", str),
                    (", verdict", lambda found: found.verdict),
                )
            },
        }
        for row in ROWS
        for table, question in QUESTIONS.items()
    ),
    name="tab-graphs-claims",
    caption="Differences of test accuracies in points, with 95 % intervals of paired differences over "
    f"{plural(len(record.seeds), 'seed')}, and verdicts after Holm's correction within each claim. ({source}.)",
)

# %% [markdown]
# With few training nodes, an optimizer that lowers the training loss further does not always classify other nodes better.
# A difference at the last epoch and none at the best one would mean that an optimizer overfits later, not that it finds
# better networks; the training losses below say how far each of them gets.
#
# ## Training losses: SOL's Figure 7

# %% tags=["draw"]
columns = min(2, len(ROWS))
height = -(-len(ROWS) // columns)
fig, axes = plt.subplots(
    height, columns, figsize=plots.figure_size(height, columns), squeeze=False
)
for ax, row in zip(axes.flat, ROWS, strict=False):
    results = run["rows"][row]["contestants"]
    for label in SHOWN:
        plots.band(ax, results[label]["curves"], label, x=results[label]["steps"])
    ax.set(title=row, xlabel="epoch", ylabel="training loss", yscale="log")
for ax in axes.flat[len(ROWS) :]:
    ax.set_axis_off()
fig.legend(
    *axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4
)
lower = [
    row for row in ROWS if decided["Figure 7"][row].verdict == verdicts.REPRODUCED
]
plots.figure(
    fig,
    name="fig-graphs-loss",
    caption="Training loss with dropout, averaged over stretches of epochs: median and central 68 % of the seeds. SOL's loss ends "
    f"certainly below that of Adam at the published rate for: {pairs_of(lower)}. ({source}.)",
    alt="A panel for each network and graph: training loss against epoch on a log scale, a curve with a band for each of "
    "four optimizers.",
)

# %% [markdown]
# ## The equations, and what was tuned

# %% tags=["draw"]
row, kept = ROWS[0], [one["sol"]["nodes"][1] for one in run["rows"].values()]
rule = expressions.parse(run["rows"][row]["sol"]["equation"])
plots.equation(rf"\Delta\theta_t = {rule.latex(2)}", name="eq-graphs-sol")
display(
    Markdown(
        f"This is SOL's equation for {row}, before the factor of its step that was tuned. Written out and not yet pruned, "
        "equations differ from their networks by at most "
        f"{max(one['sol']['difference'] for one in run['rows'].values()):.0e} of the largest update. "
        f"The discovered rule is `{run['discovered']['text']}`."
    )
)
plots.table(
    pd.DataFrame(
        {
            "network, graph": row,
            "parameters": one["parameters"],
            "meta-training": f"{one['training']['seconds']:.0f} s",
            "nodes": one["sol"]["nodes"][0],
            "nodes, pruned": one["sol"]["nodes"][1],
            "inputs": ", ".join(
                f"`{name}`"
                for name in dict.fromkeys(
                    variable.name
                    for variable in expressions.parse(
                        one["sol"]["equation"]
                    ).variables
                )
            ),
        }
        for row, one in run["rows"].items()
    ),
    name="tab-graphs-equations",
    caption=f"SOL for each network and graph. Of its equations, {min(kept)} to {max(kept)} nodes are kept. ({source}.)",
)

# %% tags=["draw"]
edges = [
    f"{label} for {pairs_of([row])}"
    for row, one in run["rows"].items()
    for label, ends in RANGES.items()
    if baselines.at_the_edge(one["contestants"][label]["constants"]["lr"], ends)
]
plots.table(
    pd.DataFrame(
        {"optimizer": label}
        | {
            row: contest.constants(one["contestants"][label])
            for row, one in run["rows"].items()
        }
        for label in LABELS
    ),
    name="tab-graphs-constants",
    caption=f"The constants that optimizers run with, the best of {run['trials']} trials for each, by the accuracy on the "
    f"validation nodes; those of Adam in the first line are published. Rates of SOL and of the discovered rule are factors "
    f"of their own steps; at an end of the range tried, so that a wider one might serve better: {listed(edges)}. A trial "
    f"trains one network, so that what is chosen need not be what is best. ({source}.)",
)
plots.table(
    pd.DataFrame(
        {
            "optimizer": label,
            **{f"{row}": of(row, label, "last") for row in ROWS},
        }
        for label in LABELS
    ),
    name="tab-graphs-all",
    caption=f"Test accuracy after the last epoch, of all optimizers. Highest: {first('last')}. ({source}.)",
)
