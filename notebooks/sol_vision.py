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
# # SOL on images
#
# **In this page** SOL {cite}`song2024generalizable` is meta-trained on networks that classify CIFAR-10, and its equations
# train them: a small ConvNet beside ten of the eleven other optimizers of SOL's Table 2, and a ResNet-18 beside SGD, momentum, Adam
# and SymL2O's Eq. 6 (Figure 1 and Table 3). Then the memory of meta-training is measured, of SOL and of an LSTM
# (Table 4). [What we found](#what-we-found) follows the computation.
#
# **Cost:** in `quick`, about a minute on one CPU core, on scikit-learn's digits, with narrow networks and one seed. In
# `standard`, by an estimate from single runs, five hours on one core, most of it for 132 trainings of ConvNets. In `paper`, by an estimate, 20 hours of a GPU.

# %% tags=["parameters"]
profile = "quick"  # quick, standard or paper
show = "own"  # "own": this run; "recorded": the committed standard run
seeds = [0]  # of the networks' starting points and batches
dataset = "digits"  # stands in for "cifar10"
convnets = [
    "convnet"
]  # "convnet" as the paper words it, "convnet_wide" as its code builds it
images = 256  # that networks are trained on; 0: all
tested = 256  # images of the test split; 0: all
tried_on = 256  # the images of a trial
epochs = 3
batch = 32
trials = 4  # for each optimizer, over all its constants
meta_epochs = 4  # of meta-training, each on a fresh network
meta_steps = 20  # steps of that network's training
unroll = 10  # of these between two changes of SOL
fraction = 0.2  # of the coordinates, for the meta-gradient
home = "digits"  # the problem that SymL2O's teacher was trained on; or "p2"
width = 4  # of the ResNet-18; 0: as published, 64
augment = False  # shifts and mirroring for the ResNet, as usual for CIFAR
stem = "cifar"  # its first layer: "imagenet" makes maps of a sixteenth
tune_steps = 20  # of each of four epochs in which Eq. 6 is meta-tuned
memory_of = ["resnet18"]  # or resnet34, resnet50
memory_width = 4  # of these; 0: as published
memory_steps = 2  # of the unroll whose memory is measured
memory_batch = 16  # images in each of these
folder = ""  # cache folder inside the book; empty: nothing is cached
device = "cpu"  # or "cuda": where networks are trained

# %%
import time
from functools import partial

import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown, display
from l2o_book import (
    baselines,
    evidence,
    meta_memory,
    plots,
    sol_equations,
    verdicts,
    vision_runs,
)
from l2o_book.baselines import HandMade
from l2o_book.contestants import Contestant, discovered_rule
from l2o_book.page import Page
from l2o_book.pipeline import Pipeline
from l2o_book.records import plural
from l2o_book.tables import Published, listed, mean_std
from l2o_book.vision_runs import ImageTraining
from matplotlib import pyplot as plt

from l2o_core import meta, models, tasks
from l2o_core.errors import L2OError
from l2o_core.tasks import vision

page = Page("sol_vision", globals())
pipeline = Pipeline(page.cache, device=device)

# %% [markdown]
# ## The networks
#
# SOL's paper words its **ConvNet** as two convolutions of 32 filters, each with ReLU and batch normalisation. Its code
# builds another: 32 and 64 filters, pooled, and a layer of 1024 sigmoid units, in all 4.2 million parameters. Both are
# here. **ResNet-18** {cite}`he2016deep` is the usual one for small images, in `standard` with a sixteenth of the width.
#
# As everywhere in this book, images come in three parts: optimizers are meta-trained on the first, networks are trained on
# images of the third, choices are made on those of the second, and what is reported is accuracy on test images. A trial
# trains one network, of a seed that is not reported.

# %%
splits = vision_runs.splits(dataset, images, tested)
seen = splits[0]
shape = {"classes": seen.classes, "channels": seen.images.shape[1]}
pixels = seen.images.shape[-1]
BUILD = {
    "convnet": partial(vision.convnet, pixels=pixels, **shape),
    "convnet_wide": partial(vision.convnet_wide, pixels=pixels, **shape),
    "resnet18": partial(
        vision.network, "resnet18", stem=stem, width=width or None, **shape
    ),
}
NAMES = {"convnet": "ConvNet", "convnet_wide": "ConvNet as coded"}
NAMES["resnet18"] = "ResNet-18"
TRIAL = 999  # seed of trials


def problem(name: str) -> ImageTraining:
    """The training of a network, from the images for it to the report."""
    options = {"epochs": epochs, "batch": batch, "device": device}
    shifted = augment and name == "resnet18"
    options |= {"augment": shifted, "autocast": device != "cpu"}
    return ImageTraining(BUILD[name], splits, options, pipeline.cache)


def optimizee(name: str) -> tasks.Network:
    """The same network as a task, for meta-training."""
    options = {"part": "train", "batch": batch, "device": device}
    return tasks.Network(name, dataset, BUILD[name], **options)


# %% [markdown]
# ## SOL, meta-trained on each
#
# As in the paper's Algorithm 1, each epoch trains a fresh network for some steps with the present SOL, and every `unroll`
# steps SOL's weights are changed to lower the mean loss of these steps. The equation is read out and pruned as on the
# page on {doc}`sol`. Half of SOL's trials are prunings, of which we take the shortest equation within a point of the most
# accurate; the others are factors of its step.


# %%
def meta_trained(name: str) -> tuple[models.SOL, float]:
    """SOL, meta-trained on a network, and the seconds that took."""
    file = page.cache and page.cache / "sol_vision" / f"{name}.pt"
    torch.manual_seed(seeds[0])
    sol = models.SOL(total_steps=meta_steps, scale=0.01, sparsity=0.02)
    options = {"epochs": meta_epochs, "steps": meta_steps, "unroll": unroll}
    options |= {"fraction": fraction, "lr": 0.02, "decay": True, "seed": seeds[0]}
    options |= {
        "validate_every": max(1, meta_epochs // 3),
        "validation_instances": 1,
    }
    options |= {"checkpoint": file, "progress": False}
    return sol, meta.meta_train(sol, optimizee(name), **options).seconds


def short(name: str) -> ImageTraining:
    """A trial's training of a network."""
    return problem(name).shorter(tried_on)


def sol_of(name: str) -> tuple[Contestant, dict]:
    """SOL's equation for a network, pruned and at its best rate, and how it was found."""
    sol, seconds = meta_trained(name)
    parts = sol_equations.fractions(trials // 2)
    options = {"steps": meta_steps, "samples": 20 * meta_steps, "instances": 1}
    reading = sol_equations.read_out(
        sol, optimizee(name), parts, seed=seeds[0], **options
    )
    steps = problem(name).steps
    cuts = [sol_equations.optimizer(rule, steps) for rule in reading.pruned]
    scores = short(name).scores(map(Contestant, cuts), TRIAL)
    best = sol_equations.shortest(reading.pruned, scores, within=0.01)
    about = {"equation": str(reading.pruned[best]), "seconds": seconds}
    about |= {"nodes": [reading.nodes, reading.pruned[best].complexity]}
    about |= {"difference": reading.difference}
    others = trials - len(cuts)
    return short(name).rated(cuts[best], others, TRIAL, scores[best]), about


# %% [markdown]
# ## The other optimizers
#
# Table 2 has five hand-made rules and six that were found by machines. Of these, the rule *conv2* of ENOS is printed in
# neither paper, and its row stays empty. Each rule runs twice: with its usual constants, and with the best of as many trials
# as SOL has, over all of its constants. PowSign and AddSign decay over the run. Beyond the paper there is a
# rule with a memory that was found by a search on a small perceptron ({doc}`rules_with_memory`), tuned in its rate.

# %%
HAND_MADE = {
    "Adam": HandMade("adam", -4, -1.5),
    "SGD": HandMade("sgd", -2.5, 0),
    "SGD+Momentum": HandMade("momentum", -3, -0.5),
    "Nesterov": HandMade("nesterov", -3, -0.5),
    "RMSprop": HandMade("rmsprop", -4, -1.5),
    "PowSign-ld": HandMade("powsign_ld", -3, -0.5),
    "PowSign-cd": HandMade("powsign_cd", -3, -0.5),
    "AddSign-ld": HandMade("addsign_ld", -3, -0.5),
    "AddSign-cd": HandMade("addsign_cd", -3, -0.5),
    "Lion": HandMade("lion", -5, -2.5),
}  # names in the zoo, and the range of learning rates as powers of ten
ON_RESNET = ("SGD", "SGD+Momentum", "Adam")
discovered, searched = discovered_rule()


def tuned(name: str, labels) -> dict[str, Contestant]:
    """Hand-made rules with the best constants of their trials on a network."""

    def losses(rules) -> list[float]:
        return [-one for one in short(name).scores(map(Contestant, rules), TRIAL)]

    rules = {label: HAND_MADE[label] for label in labels}
    best = baselines.tuned(rules, losses, trials, total_steps=problem(name).steps)
    return {
        label: Contestant(one.equation, constants=one.constants)
        for label, one in best.items()
    }


def reported(name: str, field: dict[str, Contestant]) -> dict[str, dict]:
    """The runs of all contestants from the same starts, a seed each."""
    whole = problem(name)
    return {
        label: vision_runs.entry(
            [whole.run(one, seed) for seed in seeds], one, epochs
        )
        for label, one in field.items()
    }


# %%
own = {"epochs": epochs, "images": len(seen), "trials": trials, "convnets": {}}
own["discovered"] = {"text": discovered, "from": searched}
for name in convnets:
    sol, about = sol_of(name)
    memory = models.Equation(discovered)
    field = tuned(name, HAND_MADE) | {"SOL": sol}
    field["discovered"] = short(name).rated(memory, trials - 1, TRIAL)
    steps = {"total_steps": problem(name).steps}
    usual = {
        label: Contestant(rule.at(rule.usual, **steps), constants=rule.usual)
        for label, rule in HAND_MADE.items()
    }
    own["convnets"][NAMES[name]] = {
        "parameters": optimizee(name).n,
        "sol": about,
        "tuned": reported(name, field),
        "usual": reported(name, usual),
    }

# %% [markdown]
# ## ResNet-18, and SymL2O's way to an equation
#
# Table 3 compares SOL with SymL2O in accuracy and in the time that the search for an optimizer takes. SymL2O's way is to
# meta-train a teacher on a small problem, to record it, to fit Eq. 6 to the rows, and to meta-tune the equation's
# constants on the network ({doc}`scaling`); the time of each stage counts, for the teacher as its card says. SOL's way is
# meta-training on the network itself. Trials are equal, and not part of these times.


# %%
def symbolic_l2o(name: str) -> tuple[Contestant, float]:
    """Eq. 6 of RPSmallExtra, tuned on a network and rated, and the seconds of all stages but the trials."""
    teacher = pipeline.teacher("rp_small_extra", home, 0)
    card = meta.recipes.source("rp_small_extra/p2", 0, page.cache)
    teaching = models.describe(card)["training"]["history"]["seconds"]
    started = time.perf_counter()
    equation = pipeline.eq6(teacher, home, 0)
    options = {"epochs": 4, "steps": tune_steps, "unroll": unroll, "seed": seeds[0]}
    options |= {"fraction": fraction, "validate_every": 2, "progress": False}
    fitting = time.perf_counter() - started
    file = page.cache and page.cache / "sol_vision" / f"eq6-{name}.pt"
    better, history = meta.tune(
        equation, optimizee(name), checkpoint=file, **options
    )
    return short(name).rated(
        better, trials - 1, TRIAL
    ), teaching + fitting + history.seconds


sol, about = sol_of("resnet18")
syml2o, seconds = symbolic_l2o("resnet18")
field = tuned("resnet18", ON_RESNET) | {"Symbolic L2O": syml2o, "SOL": sol}
own["resnet18"] = {
    "parameters": optimizee("resnet18").n,
    "sol": about,
    "search": {"Symbolic L2O": seconds, "SOL": about["seconds"]},
    "tuned": reported("resnet18", field),
}

# %% [markdown]
# ## Memory
#
# SOL's Table 4 has GPU memory "during training", which we read as that of meta-training. Back-propagation through a run keeps what the optimizer computed at every
# step for every parameter. Here it is kept for a sample of the parameters ({doc}`../book/deviations`), and the state
# of an LSTM for all of them: 80 numbers a parameter for L2LGD2, the DM of {doc}`numerical_l2o`; SOL's moments are two.
# Each number below is measured in a process of its own.

# %%
ARCHITECTURES = {"SOL": "SOL", "L2LGD2": "DM"}
own["memory"] = {}
for name in memory_of:
    asked = {"network": name, "dataset": dataset, "steps": memory_steps}
    asked |= {"fraction": 0.01, "device": device}
    asked["options"] = shape | {
        "batch": memory_batch,
        "width": memory_width or None,
    }
    row = own["memory"][name.replace("resnet", "ResNet-")] = {}
    for label, architecture in ARCHITECTURES.items():
        try:
            found = meta_memory.measured(optimizer=architecture, **asked)
        except L2OError as error:
            print(error)
            continue
        row |= {
            label: found["megabytes"],
            "parameters": found["parameters"] / 1e6,
        }

# %%
record = page.record(own, dataset=seen.name)
run, count, last = record.values, len(record.seeds), record.values["epochs"]
source = record.cite(f"{run['images']} images", plural(last, "epoch"))
decided = evidence.sol_vision(record)
resnet = run["resnet18"]


def accuracy(runs: dict | None) -> str:
    """Test accuracy in percent, mean and standard deviation over seeds."""
    return mean_std(runs["last"]) if runs else verdicts.NOT_RUN


def ranked(runs: dict) -> list[str]:
    """Labels from the highest mean accuracy down; a run that diverged counts as 0."""
    means = {
        label: np.mean(np.nan_to_num(one["last"])) for label, one in runs.items()
    }
    return sorted(means, key=means.get, reverse=True)


# %% [markdown]
# ## What we found

# %% tags=["draw"]
lines = [
    f"- **{name}** ({part['parameters']:,} parameters). Highest accuracy with tuned constants: "
    f"{', then '.join(ranked(part['tuned'])[:3])}. SOL is in place {ranked(part['tuned']).index('SOL') + 1} of "
    f"{len(part['tuned'])}; the paper has it first."
    for name, part in run["convnets"].items()
]
order = ranked(resnet["tuned"])
search = resnet["search"]
lines.append(
    f"- **ResNet-18.** From the highest accuracy down: {', '.join(order)}. The search took {search['SOL']:.0f} s for SOL and "
    f"{search['Symbolic L2O']:.0f} s for SymL2O's way, {search['Symbolic L2O'] / search['SOL']:.1f} times as long (the paper: 3.5)."
)
counted = verdicts.counted([c for part in decided.values() for c in part.values()])
lines.append(f"- {counted}, tested over {plural(count, 'seed')} of the networks.")
display(Markdown("\n".join(lines)))

# %% [markdown]
# ## ConvNet: SOL's Table 2

# %% tags=["draw"]
table2 = Published("SOL Table 2")
on = run["convnets"]
first = [f"{ranked(part['tuned'])[0]} on the {name}" for name, part in on.items()]
plots.table(
    pd.DataFrame(
        {
            "optimizer": label,
            "published": table2.cell(label, "accuracy"),
            **{
                f"{name}, {how}": accuracy(part[how].get(label))
                for name, part in on.items()
                for how in ("usual", "tuned")
            },
        }
        for label in dict.fromkeys([*table2.rows, "discovered"])
    ),
    name="tab-vision-convnet",
    caption="SOL's Table 2 beside ours: test accuracy after the last epoch in percent, with usual and with tuned constants, "
    f"mean ± standard deviation over {plural(count, 'network')}. Highest with tuned constants: {listed(first)} ({source}).",
)
plots.table(
    pd.DataFrame(
        {
            "optimizer": label,
            **{
                name: baselines.text(part["tuned"][label]["constants"])
                for name, part in on.items()
            },
        }
        for label in next(iter(on.values()))["tuned"]
    ),
    name="tab-vision-constants",
    caption=f"The constants of these rules, each the best of {run['trials']} trials; of SOL and of the discovered rule, a factor "
    f"of their own step ({source}).",
)

# %% tags=["draw"]
for name, part in run["convnets"].items():
    display(
        Markdown(
            f"SOL's equation on the {name} has {part['sol']['nodes'][1]} nodes, of {part['sol']['nodes'][0]} before pruning, "
            f"where it differs from the network by at most {part['sol']['difference']:.0e} of the largest update: "
            f"`{part['sol']['equation']}`."
        )
    )
plots.table(
    verdicts.listing(decided, "SOL", "claim", "difference, points"),
    name="tab-vision-verdicts",
    caption="Differences of test accuracy in points between networks that share a seed, with 95 % intervals over seeds, and "
    "verdicts after Holm's correction within each table; a single seed has no interval. Times of searches and memory are "
    f"measured once, and counted. {counted} ({source}).",
)

# %% [markdown]
# ## ResNet-18: SOL's Figure 1 and Table 3

# %% tags=["draw"]
target = np.nanmean(resnet["tuned"]["Adam"]["last"])
fig, ax = plt.subplots(figsize=plots.figure_size(1, 1))
for label, runs in resnet["tuned"].items():
    whole = [curve for curve in runs["test"] if len(curve) == last]
    if whole:
        means = 100 * np.mean(whole, axis=0)
        ax.plot(range(1, last + 1), means, label=label, **plots.line_style(label))
ax.axhline(target, lw=0.8, ls=":", color=plots.CYCLE[-1])
ax.set(xlabel="epoch", ylabel="test accuracy, %")
ax.xaxis.get_major_locator().set_params(integer=True)
ax.legend()
plots.figure(
    fig,
    name="fig-vision-resnet",
    caption=f"After SOL's Figure 1: test accuracy of a ResNet-18 along training, mean over {plural(count, 'network')}. Dotted: "
    f"where tuned Adam ends. Highest at the end: {', then '.join(order[:2])} ({source}).",
)
table3 = Published("SOL Table 3")
plots.table(
    pd.DataFrame(
        {
            "optimizer": label,
            "published": table3.cell(label, "accuracy"),
            "ours": accuracy(resnet["tuned"].get(label)),
            "epochs to Adam's end": vision_runs.reached(
                resnet["tuned"][label], target
            ),
            "search, published, h": table3.cell(label, "search"),
            "search, ours, s": round(search[label]) if label in search else None,
        }
        for label in table3.rows
    ),
    name="tab-vision-resnet",
    caption="SOL's Table 3 beside ours: test accuracy after the last epoch in percent, the epochs until the accuracy with "
    f"which tuned Adam ends is reached first, and the time to find the optimizer. Highest: {order[0]} ({source}).",
)

# %% [markdown]
# ## Memory of meta-training: SOL's Table 4

# %% tags=["draw"]
table4, measured = Published("SOL Table 4"), run["memory"]
ratios = [
    f"{row['L2LGD2'] / row['SOL']:.2g} on {name}"
    for name, row in measured.items()
    if "L2LGD2" in row and "SOL" in row
]
plots.table(
    pd.DataFrame(
        {
            "network": name,
            "parameters, millions": measured[name].get("parameters"),
            "SOL, published, MB": table4.cell(name, "SOL"),
            "SOL, ours, MB": measured[name].get("SOL"),
            "L2LGD2, published, MB": table4.cell(name, "L2LGD2"),
            "L2LGD2, ours, MB": measured[name].get("L2LGD2"),
        }
        for name in measured
    ).round(2),
    name="tab-vision-memory",
    caption="SOL's Table 4 beside ours: peak memory of an unroll and its meta-gradient, above that of the imports; the "
    f"published numbers are of a GPU. The LSTM takes more by a factor of {listed(ratios)} ({source}).",
)

# %% tags=["draw"]
print(
    f"This run took {page.seconds:.0f} s, the run shown {record.wall_time_s:.0f} s."
)
