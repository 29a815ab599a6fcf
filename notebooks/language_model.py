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
# # A language model: learned rules teach it to answer
#
# **In this page** equations tune a causal language model to follow instructions, beside AdamW: SOL's Figure 6
# {cite}`song2024generalizable`. The paper tunes LLaMA-7B on Alpaca with an equation that was learned on ResNet-18, and
# reports a validation error of 0.91, against 0.93 of AdamW, and a training loss that falls faster. Here AdamW is tuned with as many
# trials as the rules. The answers are under [What we found](#what-we-found).
#
# **Cost:** in `quick`, a minute on one CPU core, with a tiny transformer trained from scratch on sentences of two manuals in
# place of LLaMA-7B and Alpaca. In `standard`, an hour on one core and 3 GB of memory, with SmolLM2-135M, a small
# pretrained model: a step takes about 2.5 s, and there are 1,120. In `paper`, LLaMA-7B and, by an estimate,
# ten hours of a GPU of 80 GB; nobody has run it yet.

# %% tags=["parameters"]
profile = "quick"  # quick, standard or paper
show = "own"  # "own": this run; "recorded": the committed standard run
seeds = [0]  # of the order of rows, and of LoRA's matrices
model = "tiny"  # "smollm2", a folder, a name of the hub, or "tiny", the stand-in
data = "manuals"  # a file of instructions, or "manuals", the stand-in
rank = 0  # of LoRA; 0: all weights are trained
home = (
    "digits"  # the problem of the equations' teacher: "p2", or digits in its place
)
folder = ""  # cache folder of runs; empty: nothing is cached
device = "cpu"  # or "cuda": where the model is tuned
threads = 1  # of a tuning
length = 96  # most tokens of a row
batch = 8  # rows of a step
steps = 60
tuning_steps = 30  # of a trial
rates = [0.002, 0.008, 0.032]  # that each optimizer is tried at
choosing = 32  # rows that rates are compared on
reporting = 48  # rows that results are measured on
evaluations = 6  # of the held-out loss, in a run
question = "What does numpy.linalg.norm do?"

# %%
import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown, display
from l2o_book import (
    baselines,
    evidence,
    instructions,
    language,
    plots,
    records,
    sol_equations,
    step_sizes,
    verdicts,
)
from l2o_book.contestants import discovered_rule
from l2o_book.page import Page
from l2o_book.pipeline import Pipeline
from l2o_book.records import plural
from l2o_book.tables import Published, listed, mean_std
from matplotlib import pyplot as plt

from l2o_core import expressions, models
from l2o_core.tasks.language import LoRA

page = Page("language_model", globals())
torch.set_num_threads(threads)
pipeline = Pipeline(page.cache)
tiny = model == language.TINY
setting = language.Setting(
    model,
    LoRA(rank, 2.0 * rank) if rank else None,
    batch=batch,
    length=length,
    device=device,
    cache=pipeline.cache,
)

# %% [markdown]
# ## The model and its loss
#
# A causal language model gives each token of a text a probability, from the tokens before it. An instruction $x$ and its answer
# $y$ are written one after the other, in the template in which the model was trained to be asked. Only the answer counts:
#
# ```{math}
# :label: eq-language-loss
# L(\theta) = -\frac{1}{\sum_i |y_i|} \sum_i \sum_{t=1}^{|y_i|} \log p_\theta\bigl(y_{i,t} \mid x_i,\, y_{i,<t}\bigr).
# ```
#
# A pretrained model has more weights than such data can teach. **LoRA** {cite}`hu2022lora` freezes them and adds, to the
# matrices of queries and values in each layer, a change of low rank,
#
# ```{math}
# :label: eq-language-lora
# W' = W + \frac{\alpha}{r}\, B A, \qquad B \in \mathbb R^{m \times r},\ A \in \mathbb R^{r \times n},\ \alpha = 2 r,
# ```
#
# of which $A$ starts at random and $B$ at zero, so that the model answers at first as it did before. The paper does not say
# whether it trains all weights or such a change. The tiny network of `quick` knows nothing before, so all of it is trained.
#
# Rows are cut into three parts by their questions: four fifths to train on, a tenth that rates are chosen on, a
# tenth that is reported.

# %%
parts = {
    name: instructions.load(data, name) for name in ("train", "choose", "report")
}
train = parts["train"]
choose, report = parts["choose"].cut(choosing), parts["report"].cut(reporting)

# %% [markdown]
# ## The optimizers
#
# Four optimizers train the same weights:
#
# - **AdamW**, as PyTorch has it.
# - **Eq. 6**, SymL2O's equation, its coefficients fitted to its teacher by regression ({doc}`scaling`) and left as they are;
#   the past is stored in half precision, and running sums replace lags where they are within 30 %.
# - **discovered**: a rule with a memory of its own that was found without a teacher, from the record of
#   {doc}`rules_with_memory`.
# - **SOL**: the equation with the lowest loss of the record of {doc}`sol`, which was learned on MNISTNET. The paper transfers one from
#   ResNet-18, which it does not print. Its decays end with the run.
#
# None of them has seen a language model. As in {doc}`glue`, a **rate** is a step size, the learning rate of AdamW whose updates
# are as large along the same gradients ({eq}`eq-glue-rate`); here these are the gradients of the first steps of a tuning. All
# optimizers have the same rates to try, the same warm-up over a tenth of the steps and linear decay after it, the same
# clipping to norm 1, and the same rows at each step.

# %%
readings = records.load("sol", "standard").values["equations"]
best = min((one["chosen"] for one in readings), key=lambda one: one["loss"])
TEXTS = {
    "discovered": discovered_rule()[0],
    "SOL": best["equation"],
}
teacher = pipeline.teacher("rp_small_extra", home, 0)
EQ6 = pipeline.eq6(teacher, home, 0)
COMPACT = {"lag_tolerance": 0.3, "history_dtype": torch.bfloat16}
PLAIN = {"compile": False} if tiny else {}  # compiling takes longer than tiny runs


def of_run(name: str, length: int) -> models.Equation:
    """A rule for a run of that many steps; SOL's decays depend on them."""
    if name == "Eq. 6":
        return EQ6
    if name == "SOL":
        return sol_equations.optimizer(expressions.parse(TEXTS[name]), length)
    return models.Equation(expressions.parse_rule(TEXTS[name]))


gradients = setting.probe(train)
contestants = {"AdamW": step_sizes.Rated(step_sizes.adamw, "adamw")}
for name in ("Eq. 6", *TEXTS):
    options = PLAIN | (COMPACT if name == "Eq. 6" else {})
    contestants[name] = step_sizes.rated(
        lambda length, it=name: of_run(it, length), gradients, **options
    )

# %% [markdown]
# ## The runs
#
# A trial is a shorter tuning with a seed of its own, judged by the loss at its end on the part for choices. Then each optimizer
# runs at its best rate, once for each seed, measured on the part that is reported.


# %%
def raced(who: step_sizes.Rated) -> dict:
    """The trials of an optimizer, its rate, and its runs."""
    once = {"steps": tuning_steps, "evaluations": 1, "seed": 900}
    tried = {
        rate: setting.tuned(train, choose, who, rate, **once) for rate in rates
    }
    rate = language.best_rate(tried)
    options = {"steps": steps, "evaluations": evaluations}
    runs = [
        setting.tuned(
            train,
            report,
            who,
            rate,
            seed=seed,
            question=question if seed == seeds[0] else "",
            **options,
        )
        for seed in seeds
    ]
    trials = {f"{rate:g}": one["end"] for rate, one in tried.items()}
    return {"rate": rate, "trials": trials, "runs": runs}


own = {"model": setting.title, "tiny": tiny, "steps": steps, "texts": TEXTS}
own |= {
    "rates": rates,
    "rank": rank,
    "threads": threads,
    "rows": [len(train), len(report)],
}
own |= {"question": question, "answer": setting.answer(question)}
own["optimizers"] = {name: raced(who) for name, who in contestants.items()}

# %%
record = page.record(own, dataset=f"{train.name}; {setting.title}")
run, count = record.values, len(record.seeds)
source, tables = record.cite(), evidence.language_model(record)
LABELS = list(run["optimizers"])


def ends(label: str, what: str = "end") -> list[float]:
    """A number of each run of an optimizer."""
    return [one[what] for one in run["optimizers"][label]["runs"]]


def median(label: str, what: str) -> float:
    """The median of a number over the runs of an optimizer."""
    return float(np.median(ends(label, what)))


order = sorted(
    LABELS, key=lambda label: np.nan_to_num(np.mean(ends(label)), nan=np.inf)
)
starts = [
    one["held out"]["losses"][0]
    for label in LABELS
    for one in run["optimizers"][label]["runs"]
]
edges = [
    label
    for label in LABELS
    if baselines.at_the_edge(run["optimizers"][label]["rate"], run["rates"])
]
said = [
    one for one in tables["Figure 6"].values() if one.verdict != verdicts.NOT_RUN
]


# %% [markdown]
# ## What we found

# %% tags=["draw"]
rivals = tables["rules below tuned AdamW"]
lower = verdicts.named(verdicts.REPRODUCED, rivals)
higher = verdicts.named(verdicts.NOT_REPRODUCED, rivals)
learn = verdicts.named(verdicts.REPRODUCED, tables["held-out loss falls"])
slow = max(LABELS, key=lambda label: median(label, "optimizer step seconds"))
sizes = "; ".join(f"{name}: {one}" for name, one in tables["Figure 6"].items())
sizes = f". Differences to AdamW in nats a token: {sizes}" if said else ""
display(
    Markdown(f"""
- **What ran.** {run["model"]}, on {record.dataset.split("; ")[0]}, {run["steps"]} steps.
- **Does it learn?** The loss of held-out answers falls from {np.mean(starts):.2f} to {mean_std(ends(order[0]))} nats a token with
  {order[0]}, the best, and to {mean_std(ends("AdamW"))} with AdamW. It certainly falls by 0.1 or more with: {listed(learn)}.
- **Rules against AdamW, all tuned with {plural(len(run["rates"]), "trial")}.** Certainly lower held-out loss than AdamW:
  {listed(lower)}; certainly higher: {listed(higher)} ({plural(len(rivals), "comparison")} over {plural(count, "seed")}; one
  seed decides nothing).
- **SOL's Figure 6.** {verdicts.counted(said) if said else "Not run here"}{sizes}.
- **What a step costs.** {median("AdamW", "step seconds"):.2g} s, of which AdamW takes
  {1e3 * median("AdamW", "optimizer step seconds"):.1f} ms; {slow}, the slowest, takes
  {1e3 * median(slow, "optimizer step seconds"):.1f} ms.
- **Rates** at an end of the range that was tried, which a wider range might serve better: {listed(edges)}.
""")
)

# %% [markdown]
# ## Losses: SOL's Figure 6
#
# The paper's figure shows the training loss of both optimizers against the step, without numbers that could be read off. By
# seconds, what an optimizer's own step costs counts too.


# %% tags=["draw"]
def drawn(ax, of: str, by: str) -> None:
    """The training or held-out loss of all optimizers, averaged over seeds, by step or second."""
    for number, label in enumerate(LABELS):
        found = run["optimizers"][label]["runs"]
        if of == "held-out loss":
            lines = [
                (one["held out"][by], one["held out"]["losses"]) for one in found
            ]
        else:
            lines = [(one[by], one["curve"]) for one in found]
        shortest = min(len(losses) for _, losses in lines)
        x, y = np.mean([[a[:shortest], b[:shortest]] for a, b in lines], axis=0)
        ax.plot(x, y, color=plots.CYCLE[number], label=label)
    ax.set(xlabel={"steps": "step", "seconds": "second"}[by], ylabel=of)


fig, axes = plt.subplots(2, 2, figsize=plots.figure_size(2, 2))
for row, by in zip(axes, ("steps", "seconds"), strict=True):
    for ax, of in zip(row, ("training loss", "held-out loss"), strict=True):
        drawn(ax, of, by)
axes[0, 0].legend()
plots.figure(
    fig,
    name="fig-language-loss",
    caption=f"Training and held-out loss of tuned optimizers in nats a token of the answers, averaged over {plural(count, 'seed')}; "
    f"training losses also over a few steps. Seconds are those of training on {plural(run['threads'], 'core')}, "
    f"without the evaluations. {order[0]} ends lowest. ({source}.)",
    alt="Four panels: training and held-out loss, by step and by second, a curve for each optimizer.",
)

# %% tags=["draw"]
published = Published("SOL text").rows["LLaMA-7B"]
plots.table(
    pd.DataFrame(
        {
            "optimizer": label,
            "LLaMA-7B on Alpaca": published.get(label, "–"),
            "held-out loss": mean_std(ends(label)),
            "training loss, all steps": mean_std(ends(label, "training")),
        }
        for label in LABELS
    ),
    name="tab-language",
    caption=f"The published validation error, which we read as a loss of tokens, and losses here in nats a token: mean ± standard "
    f"deviation over {plural(count, 'seed')}. The mean of the training loss over all steps says how fast it falls. "
    f"({source}.)",
)
plots.table(
    pd.DataFrame(
        {"claim": claim, "difference": str(found), "verdict": found.verdict}
        for table in ("Figure 6", "rules below tuned AdamW")
        for claim, found in tables[table].items()
    ),
    name="tab-language-verdicts",
    caption="Differences to tuned AdamW in nats a token, with 95 % intervals over seeds, and verdicts after Holm's correction within "
    f"each table: first SOL's Figure 6, which a stand-in without pretraining does not decide, then all rules. ({source}.)",
)

# %% [markdown]
# ## The answer to a question
#
# Greedy: one likeliest token after the other, before any training and after it.


# %% tags=["draw"]
def quoted(text: str) -> str:
    """An answer on one line of a table, without what Markdown would read in it."""
    plain = " ".join(text.split()) or "(nothing)"
    return "".join(
        "\\" + sign if sign in "\\`*_|$[]<>#" else sign for sign in plain
    )


answers = {"before": run["answer"]} | {
    label: run["optimizers"][label]["runs"][0]["answer"] for label in LABELS
}
plots.table(
    pd.DataFrame(
        {"after": label, "answer": quoted(text)} for label, text in answers.items()
    ),
    name="tab-language-answers",
    caption=f"Answers to “{run['question']}”, of at most 48 tokens, with the first seed. Nothing follows from single answers. "
    f"({source}.)",
)

# %% [markdown]
# ## What it costs

# %% tags=["draw"]
plots.table(
    pd.DataFrame(
        {
            "optimizer": label,
            "s a step": f"{median(label, 'step seconds'):.3g}",
            "ms, the optimizer's part": f"{1e3 * median(label, 'optimizer step seconds'):.2f}",
            "bytes a parameter": f"{median(label, 'bytes a parameter'):.0f}",
            "rate": f"{run['optimizers'][label]['rate']:g}",
        }
        | {
            f"trial at {rate}": f"{loss:.3f}"
            for rate, loss in run["optimizers"][label]["trials"].items()
        }
        for label in LABELS
    ),
    name="tab-language-costs",
    caption=f"Time and memory of the optimizers at work on {run['optimizers']['AdamW']['runs'][0]['parameters']:,} parameters, medians over "
    f"runs; the chosen rates, and the held-out loss of each trial. The first step, in which kernels are compiled, is included. "
    f"({source}.)",
)

# %% [markdown]
# ## The rules

# %% tags=["draw"]
plots.table(
    pd.DataFrame(
        {"rule": name, "equation": f"`{rule}`"}
        for name, rule in run["texts"].items()
    ),
    name="tab-language-rules",
    caption=f"The rules that come from records of other pages, before the factor of their rate. ({source}.)",
)
