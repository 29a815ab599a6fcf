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
# `standard`, by an estimate from single runs, three to five hours on one core that computes in bfloat16, most of it for 156
# trainings of ConvNets and 234 shorter ones. In `paper`, by an estimate, 20 hours of a GPU.

# %% tags=["parameters"]
profile = "quick"  # quick, standard or paper
show = "own"  # "own": this run; "recorded": the committed standard run
seeds = [0]  # of the networks' starting points and batches
dataset = "digits"  # stands in for "cifar10"
convnets = ["convnet"]  # as the paper words it; "convnet_wide": as it is coded
images = 256  # that networks are trained on; 0: all
tested = 256  # images of the test split; 0: all
tried_on = 256  # the images of a trial
epochs = 3
resnet_epochs = 3
batch = 32
autocast = False  # networks compute in bfloat16
sanity_epochs = 0  # of Adam on all images of the training split; 0: not run
trials = 5  # for each optimizer, over all its constants
meta_epochs = 4  # of meta-training, each on a fresh network
large_meta_epochs = 4  # the same on networks of more than a million parameters
meta_steps = 20  # steps of that network's training
unroll = 10  # of these between two changes of SOL
fraction = 0.2  # of the coordinates, for the meta-gradient
coordinates = 100_000  # and at most so many
home = "digits"  # the problem that SymL2O's teacher was trained on; or "p2"
width = 4  # of the ResNet-18; 0: as published, 64
augment = False  # shifts and mirroring for the ResNet, as usual for CIFAR
stem = "cifar"  # its first layer: "imagenet" makes maps of a sixteenth
tune_steps = 20  # of each of four epochs in which Eq. 6 is meta-tuned
memory_of = ["resnet18"]  # or resnet34, resnet50
memory_width = 4  # of these; 0: as published
memory_steps = 2  # of the unroll whose memory is measured
memory_batch = 16  # images in each of these
narrow = (
    2  # the width of the ResNet-18 on which two ways to meta-train are compared
)
narrow_steps = 5  # of the unroll there
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
    training,
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

from l2o_core import data, meta, models, tasks
from l2o_core.tasks import vision

page = Page("sol_vision", globals())
pipeline = Pipeline(page.cache, device=device)

# %% [markdown]
# ## The networks
#
# SOL's paper words its **ConvNet** as two convolutions of 32 filters, each with ReLU and batch normalisation. Its code
# builds another: 32 and 64 filters, and a layer of 1024 sigmoid units, in all 4.2 million parameters. Both are
# here, with a pooling after each convolution, of which the paper's words say nothing and which its code has.
# **ResNet-18** {cite}`he2016deep` is the usual one for small images; in `standard` it has a sixteenth of the width, and the
# first layer of the one for large images, which makes maps of a sixteenth of the size.
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
TRIAL = 999  # seed of trials


def problem(name: str) -> ImageTraining:
    """The training of a network, from the images for it to the report."""
    is_resnet = name == "resnet18"
    options = {"epochs": resnet_epochs if is_resnet else epochs, "batch": batch}
    options |= {
        "augment": augment and is_resnet,
        "autocast": autocast,
        "device": device,
    }
    return ImageTraining(BUILD[name], splits, options, pipeline.cache)


def optimizee(name: str) -> tasks.Network:
    """The same network as a task, for meta-training."""
    options = {"part": "train", "batch": batch, "device": device}
    options |= {"augment": augment and name == "resnet18"}
    return tasks.Network(
        name, dataset, lambda: training.Doubled(BUILD[name]()), **options
    )


# %% [markdown]
# ## SOL, meta-trained on each
#
# As in the paper's Algorithm 1, each epoch trains a fresh network for some steps with the present SOL, and every `unroll`
# steps SOL's weights are changed to lower the mean loss of these steps. The equation is read out and pruned as on the
# page on {doc}`sol`. Half of SOL's trials are prunings, of which we take the most accurate; the others are factors of its
# step. SOL is meta-trained once for each network, so intervals say how sure we are of that equation.


# %%
def meta_trained(name: str) -> tuple[models.SOL, meta.History]:
    """SOL, meta-trained on a network, and the history of its training."""
    torch.manual_seed(seeds[0])
    network = {"scale": 0.01, "sparsity": 0.02}
    sol, task = models.SOL(total_steps=meta_steps, **network), optimizee(name)
    often = large_meta_epochs if task.n > 1e6 else meta_epochs
    options = {"epochs": often, "steps": meta_steps, "unroll": unroll}
    options |= {"fraction": sampled(task), "lr": 0.02, "decay": True}
    options |= {"validate_every": max(1, often // 3), "validation_instances": 1}
    options |= {"seed": seeds[0]}
    key = options | network | {"task": task.identity}
    file = pipeline.cache.path("sol_vision", key, ".pt")
    return sol, meta.meta_train(
        sol, task, checkpoint=file, progress=False, **options
    )


def sampled(task: tasks.Network) -> float:
    """The fraction of a network's coordinates for the meta-gradient."""
    return min(fraction, coordinates / task.n)


def short(name: str) -> ImageTraining:
    """A trial's training of a network."""
    return problem(name).shorter(tried_on)


def sol_of(name: str) -> tuple[Contestant, dict]:
    """SOL's equation for a network, pruned and at its best rate, and how it was found."""
    sol, history = meta_trained(name)
    parts = sol_equations.fractions((trials + 1) // 2)
    options = {"steps": meta_steps, "samples": 20 * meta_steps, "instances": 1}
    started = time.perf_counter()
    reading = sol_equations.read_out(
        sol, optimizee(name), parts, seed=seeds[0], **options
    )
    took = time.perf_counter() - started
    cuts = [
        sol_equations.optimizer(rule, short(name).steps) for rule in reading.pruned
    ]
    scores = short(name).scores(map(Contestant, cuts), TRIAL)
    best = sol_equations.shortest(reading.pruned, scores, within=0)
    rate, tried = short(name).rated(
        cuts[best], trials - len(cuts), TRIAL, 10, scores[best]
    )
    about = reading.described(best) | {"rates": tried, "pruned": scores}
    about |= {"reading seconds": took}
    about |= sol_equations.course(history)
    equation = sol_equations.optimizer(reading.pruned[best], problem(name).steps)
    return Contestant(equation, rate, {"lr": rate}), about


# %% [markdown]
# ## The other optimizers
#
# Table 2 has five hand-made rules and six that were found by machines. Of these, the rule *conv2* of ENOS is printed in
# neither paper, and its row stays empty. Each rule runs twice: with its usual constants, and with the best of as many trials
# as SOL has, over all of its constants. PowSign and AddSign decay over the run, in trials over the trial's. SOL's inputs
# contain such decays as well, so there is Adam with a linear decay, too. Also beyond the paper is a rule with a memory that was
# found by a search on a small perceptron ({doc}`rules_with_memory`), tuned in its rate.

# %%
HAND_MADE = {
    "Adam": HandMade("adam", -4, -1.5),
    "SGD": HandMade("sgd", -2.5, 0),
    "SGD+Momentum": HandMade("momentum", -3, 0),
    "Nesterov": HandMade("nesterov", -3, 0),
    "RMSprop": HandMade("rmsprop", -4, -1.5),
    "PowSign-ld": HandMade("powsign_ld", -2.5, 0),
    "PowSign-cd": HandMade("powsign_cd", -2.5, 0),
    "AddSign-ld": HandMade("addsign_ld", -2.5, 0),
    "AddSign-cd": HandMade("addsign_cd", -2.5, 0),
    "Lion": HandMade("lion", -5, -2.5),
    "Adam, linear decay": HandMade("adam", -4, -1.5, "ld"),
}  # names in the zoo, and the range of learning rates as powers of ten
ON_RESNET = ("SGD", "SGD+Momentum", "Adam", "Adam, linear decay")
discovered, searched = discovered_rule()


def at(name: str, label: str, constants: dict[str, float]) -> Contestant:
    """A hand-made rule with constants, for a whole training of a network."""
    rule = HAND_MADE[label].at(constants, total_steps=problem(name).steps)
    return Contestant(rule, constants=constants)


def tuned(name: str, labels) -> tuple[dict[str, Contestant], dict[str, list]]:
    """Hand-made rules with the best constants of their trials on a network; and all trials with their errors."""

    def errors(rules) -> list[float]:
        return [
            1 - one for one in short(name).scores(map(Contestant, rules), TRIAL)
        ]

    rules = {label: HAND_MADE[label] for label in labels}
    best = baselines.tuned(rules, errors, trials, total_steps=short(name).steps)
    return (
        {label: at(name, label, one.constants) for label, one in best.items()},
        {label: one.tried for label, one in best.items()},
    )


def reported(name: str, field: dict[str, Contestant]) -> dict[str, dict]:
    """The runs of all contestants from the same starts, a seed each."""
    whole = problem(name)
    length = whole.options["epochs"]
    return {
        label: vision_runs.entry(
            [whole.run(one, seed) for seed in seeds], one, length, seen.classes
        )
        for label, one in field.items()
    }


# %%
own = {"epochs": epochs, "images": len(seen), "trials": trials, "convnets": {}}
own |= {"resnet_epochs": resnet_epochs, "width": width or 64, "stem": stem}
own["discovered"] = {"text": discovered, "from": searched}
for name in convnets:
    sol, about = sol_of(name)
    memory = models.Equation(discovered)
    field, tried = tuned(name, HAND_MADE)
    rate, tried["discovered"] = short(name).rated(memory, trials - 1, TRIAL, 30)
    field |= {"SOL": sol, "discovered": Contestant(memory, rate, {"lr": rate})}
    usual = {label: at(name, label, one.usual) for label, one in HAND_MADE.items()}
    for label in ("SOL", "discovered"):
        usual[label] = vision_runs.unscaled(field[label])
    own["convnets"][NAMES[name]] = {
        "parameters": optimizee(name).n,
        "sol": about,
        "tried": tried,
        "tuned": reported(name, field),
        "usual": reported(name, usual),
    }

# %% [markdown]
# **Is the training itself sound?** Adam with its usual constants, on all images of the training split, is the run to
# compare with the published accuracy. It decides nothing, so that it may see images that choices were made on.

# %%
if sanity_epochs:
    options = problem("convnet").options | {"epochs": sanity_epochs}
    everything = data.load(dataset), *splits[1:]
    sound = ImageTraining(BUILD["convnet"], everything, options, pipeline.cache)
    adam = at("convnet", "Adam", HAND_MADE["Adam"].usual)
    runs = [sound.run(adam, seed) for seed in seeds]
    own["sanity"] = vision_runs.entry(runs, adam, sanity_epochs, seen.classes)
    own["sanity"]["images"] = len(everything[0])

# %% [markdown]
# ## ResNet-18, and SymL2O's way to an equation
#
# Table 3 compares SOL with SymL2O in accuracy and in the time that the search for an optimizer takes. SymL2O's way is to
# meta-train a teacher on a small problem, to record it, to fit Eq. 6 to the rows, and to meta-tune the equation's
# constants on the network ({doc}`scaling`); the time of each stage counts, for the teacher as its card says. SOL's way is
# meta-training on the network itself. Trials are equal, and not part of these times. How long either takes follows from
# the number of updates that we chose for it, so the ratio of the two decides nothing.
#
# Whether SOL is *faster* (Figure 1) is asked of each hand-made rule in turn: does SOL reach the accuracy with which that rule
# ends, from the same start, in fewer epochs than the rule itself takes to reach it first? An accuracy that is never reached
# counts as one epoch more than there are.


# %% tags=["draw"]
def symbolic_l2o(name: str) -> tuple[Contestant, dict[str, float], list]:
    """Eq. 6 of RPSmallExtra, tuned on a network and rated; the seconds of all stages but the trials; and these."""
    teacher = pipeline.teacher("rp_small_extra", home, 0)
    card = meta.recipes.source("rp_small_extra/p2", 0, page.cache)
    teaching = models.describe(card)["training"]["history"]["seconds"]
    uncached, started = Pipeline(None, device=device), time.perf_counter()
    equation = uncached.eq6(teacher, home, 0)
    fitting = time.perf_counter() - started
    task = optimizee(name)
    options = {"epochs": 4, "steps": tune_steps, "unroll": unroll, "seed": seeds[0]}
    options |= {"fraction": sampled(task), "validate_every": 2}
    key = options | {"task": task.identity, "equation": equation.identity}
    better, history = meta.tune(
        equation,
        task,
        checkpoint=pipeline.cache.path("sol_vision", key, ".pt"),
        progress=False,
        **options,
    )
    rate, tried = short(name).rated(better, trials - 1, TRIAL, 10)
    seconds = {"the teacher": teaching, "rows and fit": fitting}
    seconds |= {"tuning": history.seconds}
    return Contestant(better, rate, {"lr": rate}), seconds, tried


sol, about = sol_of("resnet18")
syml2o, stages, its_trials = symbolic_l2o("resnet18")
field, tried = tuned("resnet18", ON_RESNET)
field |= {"Symbolic L2O": syml2o, "SOL": sol}
tried["Symbolic L2O"] = its_trials
search = {"SOL": about["seconds"] + about["reading seconds"]}
search["Symbolic L2O"] = sum(stages.values())
own["resnet18"] = {
    "parameters": optimizee("resnet18").n,
    "sol": about,
    "search": search,
    "stages": stages,
    "tried": tried,
    "tuned": reported("resnet18", field),
}

# %% [markdown]
# ## Memory
#
# SOL's Table 4 has GPU memory "during training", which we read as that of meta-training. Back-propagation through a run keeps what the optimizer computed at every
# step for every parameter. Here it is kept for a sample of the parameters ({doc}`../book/deviations`), and the state
# of an LSTM for all of them: 80 numbers a parameter for L2LGD2, the DM of {doc}`numerical_l2o`; SOL's moments are two.
# Each number below is measured in a process of its own. What the published structure takes, with the whole unroll in one
# graph, is measured on a narrow ResNet-18, since it does not fit into a computer's memory at the usual width.

# %%
asked = {"dataset": dataset, "fraction": 0.01, "device": device}
wide = shape | {"batch": memory_batch, "width": memory_width or None}
own["memory"] = meta_memory.of_networks(
    memory_of, steps=memory_steps, options=wide, **asked
)
slim = shape | {"batch": memory_batch, "width": narrow}
own["narrow"] = meta_memory.of_structures(
    "resnet18", steps=narrow_steps, options=slim, **asked
)

# %%
record = page.record(own, dataset=seen.name)
run, count, last = record.values, len(record.seeds), record.values["epochs"]
images_seen, resnet_length = f"{run['images']} images", run["resnet_epochs"]
source = record.cite(images_seen, plural(last, "epoch"))
source_resnet = record.cite(images_seen, plural(resnet_length, "epoch"))
decided = evidence.sol_vision(record)
resnet = run["resnet18"]
as_built = f"of width {run['width']}"
as_built += ", first layer of stride 4" if run["stem"] == "imagenet" else ""


def accuracy(runs: dict | None) -> str:
    """Test accuracy in percent, mean and standard deviation over seeds."""
    return mean_std(runs["last"]) if runs else verdicts.NOT_RUN


def ranked(runs: dict) -> list[str]:
    """Labels from the highest mean accuracy down."""
    means = {label: np.mean(one["last"]) for label, one in runs.items()}
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
    f"- **ResNet-18**, {as_built}. From the highest accuracy down: {', '.join(order)}. With the updates that we "
    f"gave them, the search took {search['SOL']:.0f} s for SOL and {search['Symbolic L2O']:.0f} s for SymL2O's way, "
    f"{search['Symbolic L2O'] / search['SOL']:.1f} times as long (the paper: 3.5)."
)
counted = verdicts.counted([c for part in decided.values() for c in part.values()])
lines.append(
    f"- {counted}: over {plural(count, 'seed')} of the networks, but for memory, which is measured once. So few seeds decide "
    "only differences that are many times their spread."
)
if "sanity" in run:
    lines.append(
        f"- **Adam as usual, on all {run['sanity']['images']:,} images**, ends with {accuracy(run['sanity'])} % after "
        f"{plural(len(run['sanity']['test'][0]), 'epoch')} (published: {Published('SOL Table 2').cell('Adam', 'accuracy')})."
    )
display(Markdown("\n".join(lines)))

# %% [markdown]
# ## ConvNet: SOL's Table 2

# %% tags=["draw"]
table2 = Published("SOL Table 2")
on = run["convnets"]
first = [f"{ranked(part['tuned'])[0]} on the {name}" for name, part in on.items()]
networks = on | {"ResNet-18": resnet}


def rates(part: dict, label: str) -> list[float]:
    """The learning rates, or factors, that an optimizer was tried at."""
    tried = part["sol"]["rates"] if label == "SOL" else part["tried"][label]
    return [one["lr"] if isinstance(one, dict) else one for one, _ in tried]


edges = [
    f"{label} on the {name}"
    for name, part in networks.items()
    for label, runs in part["tuned"].items()
    if baselines.at_the_edge(runs["constants"]["lr"], rates(part, label))
]
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
        for label in dict.fromkeys(
            [*table2.rows, *next(iter(on.values()))["tuned"]]
        )
    ),
    name="tab-vision-convnet",
    caption="SOL's Table 2 beside ours: test accuracy after the last epoch in percent, with usual and with tuned constants (a "
    f"run that diverged counts as a guess), mean ± standard deviation over {plural(count, 'network')}. Highest with tuned constants: {listed(first)} ({source}).",
)
plots.table(
    pd.DataFrame(
        {
            "optimizer": label,
            **{
                name: baselines.text(part["tuned"][label]["constants"])
                if label in part["tuned"]
                else "–"
                for name, part in networks.items()
            },
        }
        for label in dict.fromkeys(
            label for part in networks.values() for label in part["tuned"]
        )
    ),
    name="tab-vision-constants",
    caption=f"The constants of these rules, each the best of {run['trials']} trials; of SOL, of SymL2O's Eq. 6 and of the "
    "discovered rule, a factor of their own step. At an end of the rates tried, so that others might serve better: "
    f"{listed(edges)} ({source}).",
)

# %% tags=["draw"]
for name, part in networks.items():
    display(
        Markdown(
            f"SOL's equation on the {name} has {part['sol']['nodes'][1]} nodes, of {part['sol']['nodes'][0]} before pruning, "
            f"where it differs from the network by at most {part['sol']['difference']:.0e} of the largest update: "
            f"`{part['sol']['equation']}`. Meta-training changed its mean loss on a fresh network from "
            f"{part['sol']['validation'][0][1]:.2f} to at best {min(loss for _, loss in part['sol']['validation']):.2f}."
        )
    )
plots.table(
    verdicts.listing(decided, "SOL", "claim", "difference, points"),
    name="tab-vision-verdicts",
    caption="Differences of test accuracy in points between networks that share a seed, with 95 % intervals over seeds, and "
    "verdicts after Holm's correction within each table; a single seed has no interval. For the speed, differences of epochs. "
    f"Memory is measured once, and counted. {counted} ({source}).",
)

# %% [markdown]
# ## ResNet-18: SOL's Figure 1 and Table 3

# %% tags=["draw"]
targets = resnet["tuned"]["Adam"]["last"]
fig, ax = plt.subplots(figsize=plots.figure_size(1, 1))
for label, runs in resnet["tuned"].items():
    whole = [curve for curve in runs["test"] if len(curve) == resnet_length]
    if whole:
        means = 100 * np.mean(whole, axis=0)
        epoch = range(1, resnet_length + 1)
        ax.plot(epoch, means, label=label, **plots.line_style(label))
ax.axhline(np.mean(targets), lw=0.8, ls=":", color=plots.CYCLE[-1])
ax.set(xlabel="epoch", ylabel="test accuracy, %")
ax.xaxis.get_major_locator().set_params(integer=True)
ax.legend()
plots.figure(
    fig,
    name="fig-vision-resnet",
    caption=f"After SOL's Figure 1: test accuracy of a ResNet-18 {as_built}, along training, mean over "
    f"{plural(count, 'network')}. Dotted: where tuned Adam ends. Highest at the end: {', then '.join(order[:2])} ({source_resnet}).",
)
table3 = Published("SOL Table 3")
of_stages = listed(
    [f"{s:.0f} s for {name}" for name, s in resnet["stages"].items()]
)
plots.table(
    pd.DataFrame(
        {
            "optimizer": label,
            "published": table3.cell(label, "accuracy"),
            "ours": accuracy(resnet["tuned"].get(label)),
            "epochs to Adam's end": vision_runs.written(
                vision_runs.reached(resnet["tuned"][label], targets)
            ),
            "search, published, h": table3.cell(label, "search"),
            "search, ours, s": round(search[label]) if label in search else None,
        }
        for label in dict.fromkeys([*table3.rows, *resnet["tuned"]])
    ),
    name="tab-vision-resnet",
    caption=f"SOL's Table 3 beside ours: test accuracy after the last of {resnet_length} epochs in percent, the epochs until the "
    "accuracy with which tuned Adam ends from the same start is reached first, and the time to find the optimizer, which "
    f"follows from our choice of updates; for SymL2O's way {of_stages}. Highest: {order[0]} ({source_resnet}).",
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
saved = [
    f"{of['graph']['megabytes'] / of['adjoint']['megabytes']:.2g} times as much for {label}"
    for label, of in run["narrow"].items()
    if len(of) == 2
]
measured_once = record.cite()
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
    f"published numbers are of a GPU. Memory of the LSTM over SOL's: {listed(ratios)} ({measured_once}).",
)
plots.table(
    pd.DataFrame(
        {
            "optimizer": label,
            "parameters": next(iter(of.values()))["parameters"],
            "adjoint, MB": of.get("adjoint", {}).get("megabytes"),
            "one graph, MB": of.get("graph", {}).get("megabytes"),
        }
        for label, of in run["narrow"].items()
        if of
    ).round(),
    name="tab-vision-structure",
    caption=f"Two ways to the meta-gradient of an unroll of {record.parameters['narrow_steps']} steps on a narrow ResNet-18: ours, which keeps "
    "the optimizer's own computation for a sample of the parameters, and the published structure, with all of it in one graph. "
    f"One graph takes {listed(saved)} ({measured_once}).",
)

# %% tags=["draw"]
print(
    f"This run took {page.seconds:.0f} s, the run shown {record.wall_time_s:.0f} s."
)
