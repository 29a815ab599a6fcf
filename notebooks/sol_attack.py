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
# # SOL as an adversarial attack
#
# **In this page** optimizers change images so little that a person sees no difference, and so that a classifier errs.
# SOL {cite}`song2024generalizable` claims that its equation, meta-trained on one defended classifier, fools it and
# others more often than PGD, and rivals APGD, the best attack made by hand (Table 5). We give every attack the same
# images, starts, steps, loss and number of trials. [What we found](#what-we-found) follows the computation.
#
# **Cost:** in `quick`, half a minute on one CPU core, with two small classifiers of scikit-learn's digits in place of
# the paper's. In `standard`, by an estimate, two hours on one core: a step takes 0.8 ms for each CIFAR-10 image, and there
# are 78 attacks of 100 steps on 600 images, beside tuning and meta-training; an image is left alone once it is
# misclassified. In `paper`, RobustBench's models by name,
# which need its package, their weights and a GPU; nobody has run it yet.

# %% tags=["parameters"]
profile = "quick"  # quick, standard or paper
show = "own"  # "own": this run; "recorded": the committed standard run
seeds = [0]  # of SOL's meta-training
dataset = "digits"  # or "cifar10"
defences = ["plain", "narrow"]  # shapes of ours, or names of RobustBench
losses = ["cross_entropy", "dlr"]  # what attacks raise
epsilon = 30  # radius of the ball, in 1/255 of the pixels' range
steps = 50  # of an attack
restarts = 1  # runs of an attack; all but the first from random starts
images = 120  # test images, of which those are attacked that are classified rightly
tuning_images = 60  # the same, where choices are made
trials = 4  # for each attack, over all its constants
meta_epochs = 6  # of meta-training, each on fresh images
unroll = 10  # steps of an attack between two changes of SOL
instances = 16  # images of an epoch
fraction = 0.5  # of the pixels, for the meta-gradient
folder = ""  # cache folder inside the book; empty: nothing is cached
device = "cpu"  # or "cuda": where defences are attacked

# %%
import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown, display
from l2o_book import (
    attack_runs,
    baselines,
    contest,
    evidence,
    plots,
    sol_equations,
    verdicts,
)
from l2o_book.attack_runs import PUBLISHED, Attacker
from l2o_book.baselines import HandMade
from l2o_book.contestants import discovered_rule
from l2o_book.page import Page
from l2o_book.pipeline import Pipeline
from l2o_book.records import plural
from l2o_book.tables import Published, listed, mean_std
from matplotlib import pyplot as plt

from l2o_core import expressions, meta, models
from l2o_core.errors import ConfigError, DataError
from l2o_core.tasks.attack import Attack, Defence

page = Page("sol_attack", globals())
stored = Pipeline(page.cache).cache
radius = epsilon / 255

# %% [markdown]
# ## An optimization with constraints
#
# An attack on an image $x$ with class $y$ looks for a perturbation that raises a loss $l$ of the classifier $f$, within
# a ball of radius $\epsilon$ in the maximum norm and with pixels in $[0, 1]$:
#
# ```{math}
# :label: eq-attack
# \max_z\; l\bigl(f(x + \epsilon z), y\bigr) \quad\text{subject to}\quad
# \lVert z \rVert_\infty \le 1, \;\; 0 \le x + \epsilon z \le 1 .
# ```
#
# Every attack here moves and then projects onto this set, $z_{t+1} = P(z_t + u_t)$, and what differs is the move $u_t$.
# Written with $g_t$, the gradient of $-l$ for $z$, so that attacks descend like all optimizers of this book:
#
# - **PGD** {cite}`madry2018towards` goes a fixed length along the sign, $u_t = -\gamma \operatorname{sign} g_t$. With
#   $\gamma = 2/255$ in a ball of $8/255$, as in SOL's code, that is a quarter of the radius.
# - **APGD** {cite}`croce2020reliable` adds momentum to such steps, begins with $\gamma = 2$, and halves an image's steps
#   where they have stopped paying, from its best point on. It sees the losses of the image, which no rule here does.
# - **Rules** read the gradient of one pixel and what they remember of it.
#
# An attack succeeds on an image if it is misclassified at the start or after any step. SOL's code raises the
# cross-entropy. The **DLR** loss does not change with the scale of the scores, which can hide gradients
# {cite}`croce2020reliable`:
#
# ```{math}
# :label: eq-attack-dlr
# \mathrm{DLR}(s, y) = -\frac{s_y - \max_{i \ne y} s_i}{s_{\pi_1} - s_{\pi_3}}, \qquad
# s_{\pi_1} \ge s_{\pi_2} \ge \dots
# ```
#
# ## The defences
#
# The paper takes seven classifiers from RobustBench {cite}`croce2021robustbench`. Ours are three small networks trained on
# perturbed images {cite}`wong2020fast`: *narrow* is deep and residual, *plain* has no residual connections, *wide* is
# shallow. In `quick` they are smaller yet, and learn 8 × 8 digits in seconds. SOL is meta-trained on the first one and
# attacks the others as it is.


# %%
def found(name: str) -> Defence | None:
    """A defence; None where it is not on this machine."""
    try:
        return attack_runs.defence(name, dataset, device)
    except (ConfigError, DataError) as error:
        print(error)
        return None


ROW = {name: row for row, name in PUBLISHED.items()}
named = {
    ROW.get(name, name if dataset == "cifar10" else f"{name}, {dataset}"): found(
        name
    )
    for name in defences
}
here = {row: one for row, one in named.items() if one}
if not here:
    raise ConfigError(
        f"no defence of {defences} is here; train them by `l2o train-defence --publish`, or take dataset: digits"
    )
source = next(iter(here))

# %% [markdown]
# ## The protocol
#
# One part of the training images serves meta-training, another all choices, and the test images only the results. The
# defences have seen the training images, and err less on them; that is the same for all attacks. Each attack that is
# tuned has the same number of trials on the first defence and on the same images. A trial is judged by the share of
# images that hold, and of equal ones by how close these came to an error. Nothing is tuned again on the other
# defences. Meta-training and trials are done for each loss.
#
# ## Meta-training SOL
#
# SOL {doc}`is a network of operators <sol>` that reads the gradient of one pixel, its moments, signs and decays. Its
# meta-loss is the loss of the attack over all steps, averaged over images. SOL's code has another one: the distance to the images that
# APGD finds, without the projection. The equation is read out of the network and pruned, as in {doc}`sol`. Half of
# SOL's trials are prunings, of which we take the shortest equation that fools as many images as the best; the others are
# factors of its step.


# %%
def problem(loss: str, part: str = "train") -> Attack:
    """Attacks on the first defence as optimizees."""
    return Attack(here[source], part=part, epsilon=radius, loss=loss)


def meta_trained(loss: str, seed: int):
    """SOL, meta-trained on the first defence, and the history of its training."""
    file = page.cache and page.cache / "sol_attack" / f"{source}-{loss}-{seed}.pt"
    torch.manual_seed(seed)
    sol = models.SOL(total_steps=steps, scale=1.0, sparsity=0.02)
    options = {"epochs": meta_epochs, "steps": steps, "unroll": unroll}
    options |= {"instances": instances, "fraction": fraction, "seed": seed}
    options |= {"lr": 0.02, "decay": True, "validation_instances": instances}
    options |= {"validate_every": max(1, meta_epochs // 3)}
    options |= {"checkpoint": file, "progress": False}
    return sol, meta.meta_train(sol, problem(loss), **options)


def costs(loss: str, attackers: list[Attacker]) -> list[float]:
    """The share of images that hold against each, where choices are made."""
    of = here[source], "choose", tuning_images, radius, loss
    target, _ = attack_runs.targets(*of)
    return [attack_runs.held(one, target, steps, stored) for one in attackers]


# %%
CLOSE = 1e-3  # costs are shares of images; a smaller difference is of images that are as many


def read_out(sol: models.SOL, loss: str, seed: int) -> tuple[Attacker, dict]:
    """The equation of a trained SOL, pruned and at its best rate, and how it was found."""
    options = {"steps": steps, "instances": instances, "seed": seed}
    options["samples"] = 5 * steps * instances
    parts = sol_equations.fractions((trials + 1) // 2)
    reading = sol_equations.read_out(sol, problem(loss), parts, **options)
    rules = reading.pruned
    equations = [sol_equations.optimizer(one, steps) for one in rules]
    tried = costs(loss, [attack_runs.rule(one) for one in equations])
    held = [-cost for cost in tried]
    short = sol_equations.shortest(rules, held, within=CLOSE)
    rates = [1.0, *baselines.factors(10, trials - len(rules))]
    scaled = [attack_runs.rule(equations[short], rate) for rate in rates[1:]]
    of_rates = [tried[short], *costs(loss, scaled)]
    rate = rates[int(np.argmin(of_rates))]
    about = reading.described(short) | {
        "pruned": [
            (one.complexity, cost) for one, cost in zip(rules, tried, strict=True)
        ],
        "rates": list(zip(rates, of_rates, strict=True)),
        "rate": rate,
    }
    return attack_runs.rule(equations[short], rate, {"lr": rate}), about


# %% [markdown]
# ## The other attacks
#
# PGD and APGD run as published, and with constants of their own: PGD in its step, APGD in its momentum and in the share of
# steps $\rho$ that have to pay. Beside them stand PGD whose steps shrink linearly to 0, the sign of Adam's first moment (Signum)
# and Adam, all tuned, and a rule with a memory that was found by a search on a small perceptron
# ({doc}`rules_with_memory`), tuned in its rate.

# %%
PGD = 0.25  # published: 2/255 in a ball of 8/255
HAND_MADE = {
    "PGD, tuned": HandMade("signsgd", -2, 0.3, lr=PGD),
    "PGD, decayed": HandMade("signsgd", -1.5, 0.5, "ld", lr=PGD),
    "Signum": HandMade("signum", -2, 0.3, lr=PGD),
    "Adam": HandMade("adam", -2, 0.3, lr=PGD),
}  # names in the zoo, and the range of rates as powers of ten of the radius
discovered, searched = discovered_rule()


def field(loss: str) -> tuple[dict[str, list[Attacker]], dict[str, list]]:
    """All attacks but SOL by label, each with the best constants of its trials; and its trials with their costs."""

    def of_rules(rules) -> list[float]:
        return costs(loss, [attack_runs.rule(one) for one in rules])

    def best_of(label: str, attackers: list[Attacker]) -> Attacker:
        found = costs(loss, attackers)
        constants = [one.constants for one in attackers]
        tried[label] = list(zip(constants, found, strict=True))
        return attackers[int(np.argmin(found))]

    best = baselines.tuned(HAND_MADE, of_rules, trials, total_steps=steps)
    tried = {label: one.tried for label, one in best.items()}
    memory = models.Equation(discovered)
    rates = baselines.even_rates(1, 300, trials)
    rules = [attack_runs.rule(memory, rate, {"lr": rate}) for rate in rates]
    found = {
        "PGD": attack_runs.rule(
            baselines.rule("signsgd", PGD), constants={"lr": PGD}
        ),
        "APGD": attack_runs.apgd(),
        **{
            label: attack_runs.rule(one.equation, constants=one.constants)
            for label, one in best.items()
        },
        "APGD, tuned": best_of("APGD, tuned", attack_runs.apgds(trials)),
        "discovered": best_of("discovered", rules),
    }
    return {label: [one] for label, one in found.items()}, tried


# %%
sols, fields = {loss: [] for loss in losses}, {}
own = {"missing": [row for row in named if row not in here], "source": source}
own |= {
    "sol": {},
    "tried": {},
    "steps": steps,
    "trials": trials,
    "epsilon": epsilon,
}
own |= {"restarts": restarts, "rows": {}}
own["discovered"] = {"text": discovered, "from": searched}
for loss in losses:
    own["sol"][loss] = []
    for seed in seeds:
        sol, history = meta_trained(loss, seed)
        contestant, about = read_out(sol, loss, seed)
        sols[loss].append(contestant)
        own["sol"][loss].append(about | sol_equations.course(history))
    fields[loss], own["tried"][loss] = field(loss)

# %%
for row, one in here.items():
    attacks = {}
    for loss in losses:
        target, clean = attack_runs.targets(one, "report", images, radius, loss)
        contestants = {"SOL": sols[loss], **fields[loss]}
        attacks[loss] = attack_runs.entries(
            contestants, target, steps, restarts, stored
        )
    own["rows"][row] = {"images": images, "attacked": len(target)}
    own["rows"][row] |= {"clean": clean, "attacks": attacks}

# %%
record = page.record(own, dataset=dataset)
run, cited = record.values, record.cite()
table5 = Published("SOL Table 5")
decided = evidence.sol_attack(record)
ROWS, LOSSES = list(run["rows"]), list(run["sol"])
LABELS = list(run["rows"][ROWS[0]]["attacks"][LOSSES[0]])
LOSS = {"cross_entropy": "cross-entropy", "dlr": "DLR"}
FIRST = LOSSES[0]


def rates(row: str, label: str, loss: str = FIRST) -> list[float]:
    """Success in percent of the images that were classified rightly, of each training seed."""
    entry = run["rows"][row]["attacks"][loss][label]
    return attack_runs.success(entry).mean(1).tolist()


def errors(row: str, label: str) -> str:
    """1 - accuracy in percent; "not run" without the defence."""
    if row not in run["rows"]:
        return verdicts.NOT_RUN
    of = run["rows"][row]
    entry = of["attacks"][FIRST][label]
    return mean_std(attack_runs.errors(entry, of["clean"]))


# %% [markdown]
# ## What we found

# %% tags=["draw"]
QUESTIONS = {
    "Table 5": "SOL above PGD",
    "APGD": "SOL within half a point of APGD",
    "tuned PGD": "SOL above PGD, tuned",
    "tuned APGD": "SOL within half a point of APGD, tuned",
    "decayed PGD": "SOL above PGD, decayed",
    "discovered": "discovered above PGD, tuned",
    "discovered, SOL": "discovered above SOL",
    "hand-made": "APGD above PGD",
}
ENDING = {"cross_entropy": "", "dlr": ", DLR"}


def outcome(table: str) -> str:
    """The rows of a table of comparisons in a phrase."""
    of = {row: decided[table + ENDING[FIRST]][row] for row in ROWS}
    words = {verdicts.REPRODUCED: "yes", verdicts.NOT_REPRODUCED: "no"}
    words[verdicts.UNDECIDED] = "undecided"
    said = {text: verdicts.named(verdict, of) for verdict, text in words.items()}
    return "; ".join(
        f"{text} for {listed(rows)}" for text, rows in said.items() if rows
    )


def strongest(row: str, loss: str = FIRST) -> str:
    """The attacks with the highest mean success on a row, in words."""
    means = {label: np.mean(rates(row, label, loss)) for label in LABELS}
    highest = [
        label for label, mean in means.items() if mean > max(means.values()) - 1e-9
    ]
    return listed(highest) if len(highest) < len(LABELS) else "all are equal"


def only(ours: str, theirs: str) -> str:
    """How many images one attack fools and another does not, of each row."""
    found = {}
    for row in ROWS:
        of = run["rows"][row]["attacks"][FIRST]
        one, other = (attack_runs.success(of[label])[0] for label in (ours, theirs))
        found[row] = int(((one > 0) & (other == 0)).sum())
    return listed([f"{count} of {row}" for row, count in found.items()])


missing = (
    f"- **Not run**, since the defence was not at hand: {listed(run['missing'])}."
    if run["missing"]
    else ""
)
leaders = "; ".join(f"{row}: {strongest(row)}" for row in ROWS)
display(
    Markdown(f"""
- **SOL above PGD as published?** {outcome("Table 5")}. **Above PGD tuned with as many trials?** {outcome("tuned PGD")}. **Above
  PGD whose steps shrink, as SOL's may?** {outcome("decayed PGD")}.
- **SOL as strong as APGD**, within half a point of accuracy? {outcome("APGD")}. As APGD, tuned? {outcome("tuned APGD")}.
- **The discovered rule above tuned PGD?** {outcome("discovered")}. **Above SOL?** {outcome("discovered, SOL")}. It was found
  on another kind of problem, by one of several searches.
- **Highest success** with {LOSS[FIRST]}: {leaders}.
- **Images that PGD as published fools and APGD does not:** {only("PGD", "APGD")}; the other way round:
  {only("APGD", "PGD")}.
- SOL was meta-trained on *{run["source"]}* alone. The interval is over images and, where there are several, over seeds of
  its meta-training ({plural(len(record.seeds), "seed")} here).
{missing}
""")
)

# %% [markdown]
# ## Success: SOL's Table 5

# %% tags=["draw"]
everything = dict.fromkeys([*table5.rows, *ROWS, *run["missing"]])
plots.table(
    pd.DataFrame(
        {"defence": row}
        | {
            f"{label}, published": table5.cell(row, label)
            for label in ("PGD", "APGD", "SOL")
        }
        | {label: errors(row, label) for label in ("PGD", "APGD", "SOL")}
        for row in everything
    ),
    name="tab-attack-success",
    caption=f"1 - accuracy in percent after {run['steps']} steps with {LOSS[FIRST]}, published and ours, SOL's as mean ± standard "
    "deviation over seeds of meta-training. Images that were misclassified before the attack count, as in SOL's code. "
    f"The radius is {run['epsilon']}/255; runs of each attack: {run['restarts']} ({cited}).",
)
plots.table(
    pd.DataFrame(
        {"attack": label}
        | {
            f"{row}, {LOSS[loss]}": mean_std(rates(row, label, loss))
            for row in ROWS
            for loss in LOSSES
        }
        for label in LABELS
    ),
    name="tab-attack-all",
    caption="Success in percent of the test images that a defence classifies rightly: "
    + ", ".join(
        f"{one['attacked']} of {one['images']} for {row}"
        for row, one in run["rows"].items()
    )
    + f". Attacks but PGD and APGD are tuned on {run['source']} ({cited}).",
)

# %% tags=["draw"]
all_counted = verdicts.counted(
    found for table in decided.values() for found in table.values()
)
plots.table(
    pd.DataFrame(
        {"defence": row, "claim": question}
        | {
            f"{LOSS[loss]}{part}": getter(decided[table + ENDING[loss]][row])
            for loss in LOSSES
            for part, getter in (
                (", difference", str),
                (", verdict", lambda found: found.verdict),
            )
        }
        for row in ROWS
        for table, question in QUESTIONS.items()
    ),
    name="tab-attack-claims",
    caption="Differences of success in points of the rightly classified images, with 95 % intervals and verdicts after Holm's "
    f"correction within each claim; half a point is of accuracy on all images. {all_counted}. Intervals are from a bootstrap "
    "over images, the same for both sides, and over "
    f"{plural(len(record.seeds), 'seed')} of SOL's meta-training. ({cited}.)",
)

# %% [markdown]
# Hand-made rules have no training seed: for them the image is the unit, and an interval says what another set of test images
# may give. SOL has both, and its interval covers both. With a single seed it holds for that one equation, as the intervals
# of the discovered rule do for the one rule that was taken.
#
# ## Success against steps

# %% tags=["draw"]
SHOWN = ["SOL", "PGD", "APGD", "PGD, tuned", "Adam", "discovered"]
columns = min(3, len(ROWS))
height = -(-len(ROWS) // columns)
fig, axes = plt.subplots(
    height, columns, figsize=plots.figure_size(height, columns), squeeze=False
)
for ax, row in zip(axes.flat, ROWS, strict=False):
    results = run["rows"][row]["attacks"][FIRST]
    for label in SHOWN:
        plots.band(ax, results[label]["curves"], label, x=results[label]["steps"])
    ax.set(title=row, xlabel="step", ylabel="success, %", xscale="symlog")
    ax.set_ylim(bottom=0)
for ax in axes.flat[len(ROWS) :]:
    ax.set_axis_off()
fig.legend(
    *axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3
)
plots.figure(
    fig,
    name="fig-attack-steps",
    caption=f"Images fooled by a step, in percent of those rightly classified, with {LOSS[FIRST]}. Of all attacks, most by the "
    f"last step: {leaders}. APGD's checkpoints, and equations of SOL with a decay, know how many steps there will be. ({cited}.)",
    alt="A panel for each defence: success in percent against step on a log scale, a curve for each of six attacks.",
)

# %% [markdown]
# ## The equation, the constants and the costs

# %% tags=["draw"]
everyone = [one for loss in LOSSES for one in run["sol"][loss]]
lowered = sum(
    min(loss for _, loss in one["validation"]) < one["validation"][0][1]
    for one in everyone
)
first = run["sol"][FIRST][0]
update = expressions.parse(first["equation"])
plots.equation(rf"\Delta z_t = {update.latex(2)}", name="eq-attack-sol")
display(
    Markdown(
        f"This is SOL's equation of seed {record.seeds[0]}, before the factor of its step that was tuned. "
        f"The discovered rule is `{run['discovered']['text']}`."
    )
)
plots.table(
    pd.DataFrame(
        {
            "loss": LOSS[loss],
            "seed": seed,
            "nodes": one["nodes"][0],
            "nodes, pruned": one["nodes"][1],
            "rate": one["rate"],
            "loss before": f"{one['validation'][0][1]:.3f}",
            "loss after": f"{min(loss for _, loss in one['validation']):.3f}",
            "meta-training": f"{one['seconds']:.0f} s",
        }
        for loss in LOSSES
        for seed, one in zip(record.seeds, run["sol"][loss], strict=True)
    ),
    name="tab-attack-equations",
    caption="SOL for each loss and seed of its meta-training: rates are the tuned factors of its step, losses those of the attack "
    f"on held-out images, lower after meta-training in {lowered} of {len(everyone)}. Written out and not yet pruned, equations "
    f"differ from their networks by at most {max(one['difference'] for one in everyone):.0e} of the largest update ({cited}).",
)

# %% tags=["draw"]
of_first = run["rows"][ROWS[0]]["attacks"]


def edges() -> list[str]:
    """Attacks whose chosen rate is an end of those that were tried; APGD has none."""
    found = []
    for loss in LOSSES:
        rates_of = {
            label: (
                of_first[loss][label]["constants"]["lr"],
                [c["lr"] for c, _ in tried],
            )
            for label, tried in run["tried"][loss].items()
            if label != "APGD, tuned"
        } | {
            f"SOL of seed {seed}": (one["rate"], [rate for rate, _ in one["rates"]])
            for seed, one in zip(record.seeds, run["sol"][loss], strict=True)
        }
        found += [
            f"{label} with {LOSS[loss]}"
            for label, (rate, tried) in rates_of.items()
            if baselines.at_the_edge(rate, tried)
        ]
    return found


plots.table(
    pd.DataFrame(
        {"attack": label}
        | {LOSS[loss]: contest.constants(of_first[loss][label]) for loss in LOSSES}
        for label in LABELS
    ),
    name="tab-attack-constants",
    caption=f"Constants of the attacks; but for those of PGD and APGD, the best of {run['trials']} trials each on {run['source']}. "
    "Rates of PGD, Signum and Adam are in radii, those of the discovered rule and of SOL factors of their own steps; at an "
    f"end of those tried, so that others might serve better: {listed(edges())}. "
    "Every attack takes one gradient of the defence a step; SOL's meta-training takes about "
    f"{record.parameters['meta_epochs'] * record.parameters['instances'] * run['steps']:,} gradients more for each seed. "
    f"({cited}.)",
)

# %% [markdown]
# Table 5 of the paper compares SOL, which was trained for this purpose, with PGD at one step size. Whether learning helps
# more than a few trials do is the question of the rows beside it.
