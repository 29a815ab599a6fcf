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
# # GLUE: learned rules fine-tune an encoder
#
# **In this page** equations fine-tune a pretrained text encoder on the tasks of GLUE {cite}`wang2019glue`, beside AdamW:
# SymL2O's Table 9 and SOL's Table 7. Both papers fine-tune BERT base and report that their rule beats AdamW. Here AdamW is
# tried at as many rates as the rules. The answers are under [What we found](#what-we-found).
#
# **Cost:** in `quick`, a minute on one CPU core, with a tiny network trained from scratch on sentences of two manuals in place
# of BERT and GLUE. In `standard`, by an estimate, two and a half hours of two cores, with MiniLM-L6, a small pretrained encoder,
# on CoLA, SST-2, MRPC and WNLI, and with heads alone on RTE and QNLI. In `paper`, BERT base and a GPU; nobody has run it yet.

# %% tags=["parameters"]
profile = "quick"  # quick, standard or paper
show = "own"  # "own": this run; "recorded": the committed standard run
seeds = [0]  # of heads, of the order of rows, and of SOL's meta-training
names = ["sentences"]  # tasks of GLUE, or "sentences", their stand-in
heads_only = []  # more of them, on which the encoder stays frozen
model = "tiny"  # "minilm", a folder, a name of the hub, or "tiny", the stand-in
home = (
    "digits"  # the problem of the equations' teacher: "p2", or digits in its place
)
folder = ""  # cache folder of runs; empty: nothing is cached
device = "cpu"  # or "cuda": where encoders are fine-tuned
threads = 1  # of a fine-tuning
length = 128  # most tokens of a row
most = {"sentences": 640}  # training rows of a task, where not all are taken
epochs = 2  # of a fine-tuning
frozen_epochs = 5  # of a head on the frozen encoder
trials = 4  # rates that each optimizer is tried at
tuning_rows = 320  # training rows of a trial, and at most so many to judge it
meta_epochs = 12  # of SOL's meta-training, each on a fresh head
meta_steps = 40  # of one epoch
meta_trials = 20  # of the discovered rule's coefficients, on heads too

# %%
from functools import partial

import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown, display
from l2o_book import (
    baselines,
    evidence,
    glue,
    plots,
    sol_equations,
    verdicts,
)
from l2o_book.contestants import discovered_rule
from l2o_book.page import Page
from l2o_book.pipeline import Pipeline
from l2o_book.records import plural
from l2o_book.tables import Published, listed, mean_std
from matplotlib import pyplot as plt

from l2o_core import expressions, meta, models
from l2o_core.tasks.text import GLUE

page = Page("glue", globals())
torch.set_num_threads(threads)
pipeline = Pipeline(page.cache)
encoder = glue.Model(model, length, device, pipeline.cache)

# %% [markdown]
# ## The data
#
# GLUE's test labels are not public, so results are those of the dev split; the papers do not say which theirs are of.
# It is used for nothing else: rates are tried on some rows of nine tenths of the training split, and the one with the
# lowest loss on rows of the last tenth is chosen (after a short trial, several rates may have the same score). Then an
# encoder with a fresh head is trained on the whole training split, and measured once, after the last epoch. QNLI has
# only its dev split here, which is cut in three. Tasks whose files are missing keep their rows, as "not run".

# %%
parts = {
    name: {part: glue.part_of(name, part, most.get(name, 0)) for part in splits}
    for name in (*names, *heads_only)
    for splits in [("train", "choose", None, "report")]
}
here = {name: found for name, found in parts.items() if found["report"]}

# %% [markdown]
# ## The optimizers
#
# Five optimizers train the same encoder:
#
# - **AdamW**, as PyTorch has it.
# - **Eq. 6**, SymL2O's equation. Its coefficients are not printed in the paper; ours are fitted to RPSmallExtra, its teacher,
#   by regression ({doc}`scaling`) and stay as they are. Its twenty lags of three features would take 244 bytes a parameter.
#   Here the past is stored in half precision, and running sums replace lags where they are within 30 %.
# - **discovered**: a rule with a memory of its own that was found without a teacher, from the record of
#   {doc}`rules_with_memory`, with the coefficients that it has there.
# - **discovered, tuned**: the same rule, its coefficients meta-tuned without gradients.
# - **SOL**, which is meta-trained on fresh heads as in its authors' code, if for fewer epochs: that has 500.
#
# These last two learn on a linear head over the frozen encoder's vectors of the training rows,
#
# ```{math}
# :label: eq-glue-head
# \min_{W, b}\ \frac 1 n \sum_{i=1}^n \operatorname{CE}\bigl(W\, h_{\text{[CLS]}}(x_i) + b,\ y_i\bigr),
# ```
#
# anew for each task and seed; their rate is chosen with what the first seed learned. What is tuned of AdamW is its rate
# alone. SOL's equation is read out and pruned as on the page on {doc}`sol`.
#
# A learning rate of one rule says nothing about that of another. Therefore a **rate** here is a step size: the learning
# rate with which AdamW's updates have that root mean square. With the updates $u_t$ of a rule and $a_t$ of AdamW at learning
# rate 1, along the same gradients of a head, a rule at rate $\alpha$ has the learning rate
#
# ```{math}
# :label: eq-glue-rate
# \alpha \cdot \frac{\mathrm{RMS}(a_t)}{\mathrm{RMS}(u_t)} .
# ```
#
# All optimizers have the same rates to try, the same warm-up over a tenth of the steps and linear decay after it, the same
# clipping, batches of 32, dropout, seeds and data.

# %%
teacher = pipeline.teacher("rp_small_extra", home, 0)
COMPACT = {"lag_tolerance": 0.3, "history_dtype": torch.bfloat16}
DISCOVERED, _ = discovered_rule()
EQ6 = pipeline.eq6(teacher, home, 0)


# %%
def learned(head, seed: int) -> str:
    """SOL's equation, meta-trained on a head and pruned."""

    def train() -> dict:
        torch.manual_seed(seed)
        sol = models.SOL(total_steps=meta_steps, scale=0.01, sparsity=0.05)
        options = {"epochs": meta_epochs, "steps": meta_steps, "unroll": 20}
        options |= {"validation_instances": 3, "lr": 0.01, "decay": True}
        meta.meta_train(sol, head, seed=seed, progress=False, **options)
        options = {"samples": 2000, "steps": meta_steps, "seed": seed}
        (small,) = sol_equations.read_out(sol, head, [0.1], **options).pruned
        return {"text": str(small)}

    key = {"head": head.identity, "seed": seed, "epochs": meta_epochs}
    return pipeline.cache.call("sol_head", key | {"steps": meta_steps}, train)[
        "text"
    ]


def tuned(head, seed: int) -> str:
    """The discovered rule, its coefficients tuned on a head."""
    options = {"trials": meta_trials, "steps": meta_steps, "seed": seed}

    def tune() -> dict:
        best, _ = meta.tune_without_gradients(DISCOVERED, head, **options)
        return {"text": str(best.equation)}

    key = {"head": head.identity, "rule": DISCOVERED} | options
    return pipeline.cache.call("tuned_on_head", key, tune)["text"]


def contestants(head, texts: dict[str, str]) -> dict[str, glue.Rated]:
    """Every optimizer, its steps measured on a head's gradients."""
    gradients = glue.probe(head)
    found = {"AdamW": glue.Rated(glue.adamw, "adamw")}
    found["Eq. 6"] = glue.rated(lambda _: EQ6, gradients, **COMPACT)
    rules = {"discovered": DISCOVERED} | texts
    for name, text in rules.items():  # which bring averages of their own
        made = partial(sol_equations.optimizer, expressions.parse_rule(text))
        found[name] = glue.rated(made, gradients)
    return found


# %% [markdown]
# ## The runs
#
# Besides the tuned rates, AdamW and the rule of either paper run at the rates of that paper: 0.0005 in SymL2O's, for both of
# its optimizers, and those of SOL's code, one for each task. Two floors stand beside them: the most frequent label, and the
# frozen encoder with a head that a tuned AdamW trains. SOL's code trains nothing but this head on MRPC, whichever the
# optimizer; this protocol has a row of its own.

# %%
SYML2O = dict.fromkeys(("sst2", "qqp", "qnli", "mrpc", "mnli", "cola"), 5e-4)
SOL = {"cola": 1e-5, "sst2": 1e-5, "rte": 5e-5, "wnli": 2e-5}
SYML2O["sentences"], SOL["sentences"] = 5e-4, 1e-5
FROZEN_RATE = 5e-4  # SOL's, for MRPC
PAPERS = {
    "SymL2O's rate": (("AdamW", "Eq. 6"), SYML2O),
    "SOL's rate": (("AdamW", "SOL"), SOL),
}


def at_papers_rates(who: str, name: str) -> dict[str, float]:
    """The labels of an optimizer's runs at the rates that the papers have for a task."""
    return {
        f"{who}, {words}": rates[name]
        for words, (optimizers, rates) in PAPERS.items()
        if who in optimizers and name in rates
    }


def raced(name: str, found: dict) -> dict:
    """All runs of a task: tuning, floors, fine-tuning, and heads alone."""
    train, choose, whole, report = found.values()
    few, rates = glue.cut(train, tuning_rows), glue.rates(trials)
    judged = glue.cut(choose, tuning_rows)
    heads = {"train": encoder.head(train, "train"), "choose": encoder.head(choose)}
    heads |= {
        "whole": encoder.head(whole, "report"),
        "report": encoder.head(report),
    }
    rules = [
        {
            "discovered, tuned": tuned(heads["train"], seed),
            "SOL": learned(heads["train"], seed),
        }
        for seed in seeds
    ]
    fields = [contestants(heads["train"], texts) for texts in rules]
    once, alone = {"epochs": epochs}, {"epochs": frozen_epochs}
    runs, tried, of_head, tried_heads = {}, {}, {}, {}
    for who, first in fields[0].items():
        tried_heads[who] = {
            rate: glue.frozen(
                heads["train"], heads["choose"], first, rate, seed=900, **alone
            )
            for rate in glue.rates(trials, glue.HEAD_RATES)
        }
        at = {}
        if name not in heads_only:
            tried[who] = {
                rate: encoder.fine_tuned(few, judged, first, rate, seed=900, **once)
                for rate in rates
            }
            at = {who: glue.best_rate(tried[who])} | at_papers_rates(who, name)
        for label, rate in at.items():
            runs[label] = [
                encoder.fine_tuned(
                    whole, report, field[who], rate, seed=seed, **once
                )
                for seed, field in zip(seeds, fields, strict=True)
            ]
        at = {who: glue.best_rate(tried_heads[who])}
        if who in ("AdamW", "SOL"):
            at[f"{who}, SOL's rate"] = FROZEN_RATE
        for label, rate in at.items():
            of_head[label] = [
                glue.frozen(
                    heads["whole"],
                    heads["report"],
                    field[who],
                    rate,
                    seed=seed,
                    **alone,
                )
                for seed, field in zip(seeds, fields, strict=True)
            ]
    return {
        "data": whole.name,
        "rows": [len(whole), len(report)],
        "majority": glue.majority(report, whole),
        "rules": rules,
        "runs": runs,
        "rates": {who: glue.best_rate(of) for who, of in tried.items()},
        "tried": {who: glue.losses(of) for who, of in tried.items()},
        "frozen": of_head,
        "frozen rates": {
            who: glue.best_rate(of) for who, of in tried_heads.items()
        },
        "frozen tried": {who: glue.losses(of) for who, of in tried_heads.items()},
    }


own = {"model": encoder.title, "trials": trials, "epochs": epochs}
own |= {"tiny": model == glue.TINY, "names": names, "heads only": heads_only}
own |= {"discovered": DISCOVERED}
gradients = glue.probe(encoder.head(next(iter(here.values()))["train"], "train"))
own["compacted"] = glue.compacted(EQ6, gradients, **COMPACT)
own["tasks"] = {name: raced(name, found) for name, found in here.items()}

# %%
data = listed([found["data"] for found in own["tasks"].values()])
record = page.record(own, dataset=f"{data}; {encoder.title}")
run, count = record.values, len(record.seeds)
source = record.cite()
tables = evidence.glue(record)
LABELS, HEADS = (
    [*dict.fromkeys(label for of in run["tasks"].values() for label in of[kind])]
    for kind in ("runs", "frozen")
)
TUNED = [label for label in LABELS if "rate" not in label]
TITLES = {name: task.title for name, task in GLUE.items()} | {
    "sentences": "sentences (stand-in)"
}


def score(name: str, label: str, metric: str, kind: str = "runs") -> str:
    """Mean and standard deviation over seeds, as text."""
    runs = run["tasks"].get(name, {kind: {}})[kind].get(label)
    return mean_std(glue.scores(runs, metric)) if runs else verdicts.NOT_RUN


# %% [markdown]
# ## What we found

# %% tags=["draw"]
rivals = {
    f"{claim} ({label})": found
    for label in evidence.glue_rules(record)
    for claim, found in tables[f"{label} above AdamW"].items()
}
better = verdicts.named(verdicts.REPRODUCED, rivals)
worse = verdicts.named(verdicts.NOT_REPRODUCED, rivals)
costs = {
    label: [
        one
        for found in run["tasks"].values()
        for one in found["runs"].get(label, [])
    ]
    for label in LABELS
}


def per_step(label: str) -> float:
    """Milliseconds of an optimizer's step, the median over runs."""
    taken = [one["optimizer_seconds"] / one["steps"] for one in costs[label]]
    return 1e3 * float(np.median(taken))


def said(table: str) -> str:
    """The verdicts of a table in words."""
    ran = [one for one in tables[table].values() if one.verdict != verdicts.NOT_RUN]
    return verdicts.counted(ran) if ran else "not run here"


slow = max(TUNED, key=per_step)
display(
    Markdown(f"""
- **What ran.** {run["model"]}, on {listed([found["data"] for found in run["tasks"].values()])}.
- **Rules against AdamW, each at the best of {plural(run["trials"], "rate")}.** Certainly better than AdamW:
  {listed(better)}; certainly worse: {listed(worse)}
  ({plural(len(rivals), "comparison")} over {plural(count, "training seed")}; so few decide only differences that are many
  times their spread).
- **The papers' tables, all tuned.** SymL2O's Table 9: {said("Table 9")}. SOL's Table 7: {said("Table 7")}.
- **At the papers' rates.** SymL2O's: {said("Table 9, its rate")}. SOL's: {said("Table 7, its rates")}.
- **Eq. 6 is not quite itself.** Its past is stored in half precision and partly replaced by running sums; along the
  gradients of a head, this changes its updates by {run["compacted"]["difference"]:.0%} of their root mean square.
- **What a step costs.** AdamW takes {per_step("AdamW"):.1f} ms, the slowest, {slow}, {per_step(slow):.1f} ms
  ({{numref}}`tab-glue-costs`).
""")
)

# %% [markdown]
# ## SymL2O's Table 9, SOL's Table 7
#
# Published columns are those of BERT base, after 100 epochs in SymL2O and 3 or 5 in SOL. The papers name one rate for AdamW,
# or one for each task, and not how it was found.

# %% tags=["draw"]
table9, table7 = Published("SymL2O Table 9"), Published("SOL Table 7")
WORDS = {"accuracy": "accuracy", "f1": "F1", "matthews": "Matthews correlation"}
asked = [*GLUE] + [name for name in run["names"] if name not in GLUE]


def published(name: str, metric: str) -> dict[str, str]:
    """The papers' cells for a metric of a task, where they have them."""
    title, words = TITLES[name], WORDS[metric]
    words = "matched accuracy" if name == "mnli" else words
    nine = table9.rows.get(f"{title} {words}", {})
    seven = table7.rows.get(title, {}) if metric == glue.main_metric(name) else {}
    return {
        "Table 9: AdamW": nine.get("AdamW", "–"),
        "its rule": nine.get("Symbolic L2O", "–"),
        "Table 7: AdamW": seven.get("AdamW", "–"),
        "SOL there": seven.get("SOL", "–"),
    }


rows = []
for name in asked:
    for metric in GLUE[name].metrics if name in GLUE else ("accuracy",):
        row = {"task": f"{TITLES[name]} {WORDS[metric]}"} | published(name, metric)
        floors = run["tasks"].get(name)
        row["majority"] = (
            f"{floors['majority'][metric]:.1f}" if floors else verdicts.NOT_RUN
        )
        row["frozen encoder"] = score(name, "AdamW", metric, "frozen")
        rows.append(row | {label: score(name, label, metric) for label in LABELS})
plots.table(
    pd.DataFrame(rows),
    name="tab-glue",
    caption=f"Published numbers, two floors, and fine-tuning here, in percent: mean ± standard deviation over "
    f"{plural(count, 'training seed')}, after the last of {run['epochs']} epochs. Columns that name no rate are tuned. "
    f"({source}.)",
)

# %% tags=["draw"]
plots.table(
    pd.DataFrame(
        {"table": table, "row": row, "difference": str(found)}
        | {"verdict": found.verdict}
        for table, claims in tables.items()
        for row, found in claims.items()
        if found.verdict != verdicts.NOT_RUN
    ),
    name="tab-glue-verdicts",
    caption="Differences to AdamW in points, with 95 % intervals over training seeds, and verdicts after Holm's correction within "
    "each table: Eq. 6 on the rows of Table 9 and SOL on those of Table 7, both tuned and at the papers' rates, then every tuned "
    f"rule. {verdicts.counted(found for claims in tables.values() for found in claims.values())}. ({source}.)",
)

# %% [markdown]
# ## The encoder frozen
#
# On MRPC, SOL's code trains a head on the frozen encoder. What its Table 7 says of MRPC is about the row below, not about
# fine-tuning; and always answering "paraphrase" gives an F1 in its neighbourhood.


# %% tags=["draw"]
def edges(kind: str, ends: tuple[float, float]) -> list[str]:
    """Optimizers whose chosen rate is the lowest or the highest that was tried."""
    return [
        f"{label} on {TITLES[name]}"
        for name, found in run["tasks"].items()
        for label, rate in found[kind].items()
        if baselines.at_the_edge(rate, glue.rates(run["trials"], ends))
    ]


plots.table(
    pd.DataFrame(
        {
            "task": f"{TITLES[name]} {WORDS[metric]}, encoder frozen",
            "SOL there": published(name, metric)["SOL there"]
            if name == "mrpc"
            else "–",
            "majority": f"{found['majority'][metric]:.1f}",
        }
        | {label: score(name, label, metric, "frozen") for label in HEADS}
        for name, found in run["tasks"].items()
        for metric in found["majority"]
    ),
    name="tab-glue-frozen",
    caption=f"Heads on the frozen encoder, in percent, by optimizers at the best of {plural(run['trials'], 'rate')} for it, "
    f"and at SOL's for MRPC. At an end of these rates: {listed(edges('frozen rates', glue.HEAD_RATES))}. ({source}.)",
)

# %% [markdown]
# ## Learning curves

# %% tags=["draw"]
panels = [name for name, found in run["tasks"].items() if found["runs"]]
across = 1 if len(panels) == 1 else 2
down = -(-len(panels) // across)
fig, axes = plt.subplots(
    down, across, figsize=plots.figure_size(down, across), squeeze=False
)
for ax in axes.flat[len(panels) :]:
    ax.set_axis_off()
ends = {}
for ax, name in zip(axes.flat, panels, strict=False):
    for number, label in enumerate(TUNED):
        runs = run["tasks"][name]["runs"][label]
        shortest = min(len(one["curve"]) for one in runs)
        curve = np.mean([one["curve"][:shortest] for one in runs], axis=0)
        ends.setdefault(label, []).append(curve[-1])
        steps = np.linspace(0, runs[0]["steps"], shortest)
        ax.plot(steps, curve, color=plots.CYCLE[number], label=label)
    ax.set(title=TITLES[name], xlabel="step", ylabel="training loss")
axes.flat[0].legend()
lowest = min(
    ends, key=lambda label: np.nan_to_num(np.mean(ends[label]), nan=np.inf)
)
plots.figure(
    fig,
    name="fig-glue-curves",
    caption=f"Training loss of the tuned optimizers, averaged over seeds and a few steps. On average over tasks, {lowest} "
    f"ends lowest. ({source}.)",
    alt="A panel for each task with training loss against step, a curve for each optimizer.",
)

# %% [markdown]
# ## What it costs

# %% tags=["draw"]
chosen = {
    label: [run["tasks"][name]["rates"][label] for name in panels]
    for label in TUNED
}
plots.table(
    pd.DataFrame(
        {
            "optimizer": label,
            "ms a step": f"{per_step(label):.2f}",
            "to AdamW": f"{per_step(label) / per_step('AdamW'):.1f}",
            "share of the training": f"{np.median([one['optimizer_seconds'] / one['seconds'] for one in costs[label]]):.0%}",
            "bytes a parameter": f"{np.median([one['per parameter'] for one in costs[label]]):.0f}",
            "tuned rates": listed([f"{rate:.0e}" for rate in chosen[label]]),
        }
        for label in TUNED
    ),
    name="tab-glue-costs",
    caption=f"Time and memory of the optimizers at work on {costs['AdamW'][0]['parameters']:,} parameters: medians over all "
    f"runs; and the rates chosen for {listed([TITLES[name] for name in panels])}. The first step, in which kernels are "
    f"compiled, is included. At an end of the range of rates: {listed(edges('rates', glue.RATES))}. ({source}.)",
)

# %% [markdown]
# ## The rules

# %% tags=["draw"]
learnt = list(next(iter(run["tasks"].values()))["rules"][0]) if run["tasks"] else []
plots.table(
    pd.DataFrame(
        [
            {
                "rule": "discovered",
                "task": "all",
                "equation": f"`{run['discovered']}`",
            }
        ]
        + [
            {
                "rule": rule,
                "task": TITLES[name],
                "equation": f"`{found['rules'][0][rule]}`",
            }
            for rule in learnt
            for name, found in run["tasks"].items()
        ]
    ),
    name="tab-glue-rules",
    caption=f"The discovered rule, and what {listed(learnt)} learned on the frozen encoder (first seed). ({source}.)",
)
