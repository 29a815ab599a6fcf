"""The comparisons that a record decides: pages and the page of claims take them from here.

There is a function for each experiment. It takes a record and gives tables of comparisons, {table: {name:
comparison}}, with Holm's correction within each table. `book/claims.yml` names them as "table: name".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from l2o_core.tasks.text import GLUE

from . import contest, grid, training, verdicts, vision_runs
from .attack_runs import success
from .glue import scores
from .problems import original
from .records import Record
from .tables import Published
from .verdicts import Comparison

Tables = dict[str, dict[str, Comparison]]

TEACHERS = [
    ("DM+CL+IL", "DM"),
    ("RP+CL+IL", "RP"),
    ("RP", "DM"),
    *(("RPSmallExtra", other) for other in ("RP", "RP+CL+IL", "RPSmall", "DM", "DM+CL+IL")),
]
"""The order of end losses that SymL2O's Table 3 claims."""
RULES_TO_BEAT = [
    *((name, "Adam") for name in ("RP", "RP+CL+IL", "RPSmall", "RPSmallExtra")),
    ("DM+CL+IL", "Momentum"),
    ("DM", "SGD"),
]
"""Teachers, and the tuned rule that reads the same inputs: a question of this book's."""
RICHER = {"RP": "DM", "RP+CL+IL": "DM+CL+IL", "RPSmallExtra": "RPSmall"}
"""Teachers with richer inputs, and with poorer ones; SymL2O's A.2 has RP in RPSmall's place."""
INPUTS = {"$g$": ("DM", "DM+CL+IL"), r"$\hat m$, $\hat g$": ("RP", "RP+CL+IL", "RPSmall")}
"""Teachers of SymL2O's Table 3 that read the same; RPSmallExtra is alone."""
FLOORED = "but neither is above always giving one answer"
"""Said of two classifiers that show nothing."""
FALL = 0.1
"""Nats a token by which the loss of held-out answers falls where a language model is said to learn."""
ATTACK_MARGIN = 0.5
"""How many points of accuracy behind another attack still rival it; SOL's Table 5 differs by 0 to 1."""
BEYOND = ("Adam, linear decay", "discovered")
"""Optimizers beside SOL's on images of which its paper has nothing."""
THRICE = 2.95
"""What counts as three times the memory: the smallest ratio of SOL's Table 4 is 2.97."""
GRID = ("Table 4", "Table 5", "Table 8")
BOTH = " on both"
"""Ends the names of what was searched or tuned on P2 and P3 at once."""


def sanity_checks(record: Record) -> Tables:
    """SymL2O Table 1: R2 of each rule reaches the published one, as far as its digits go."""
    rules, published = record.values["rules"], Published("SymL2O Table 1")
    return {
        "Table 1": verdicts.together(
            {
                name: _reaches([found[name]["r2"] for found in rules.values()], row["r2"])
                for name, row in published.rows.items()
            }
        )
    }


def numerical_l2o(record: Record) -> Tables:
    """The order of the teachers, and of each and a tuned rule, on P2 and on P3 from both starts."""
    run = record.values

    def by_seed(problem: str, name: str) -> list[float] | None:
        found = run[problem].get(name) or run[problem].get(f"{name}(0.9)")  # as older records call momentum
        return contest.by_seed(found, run["inits"]) if found else None

    def compared(problem: str, pairs: Sequence[tuple[str, str]]) -> dict[str, Comparison]:
        return verdicts.together(
            {
                f"{low} below {high}": verdicts.lower(
                    by_seed(problem, low), by_seed(problem, high), paired=True
                )
                for low, high in pairs
            }
        )

    return {
        problem: compared(problem, TEACHERS) | compared(problem, RULES_TO_BEAT)
        for problem in ("P2", "P3", "P3, wider start")
        if problem in run  # older records have no wider start
    }


def distillation(record: Record) -> Tables:
    """Fits against SymL2O Table 7, hyperbolic functions, forms over search seeds, sizes and responses."""
    run, published = record.values, Published("SymL2O Table 7")
    tables = {problem: fits(run["fits"][problem], published, problem) for problem in run["problems"]}
    tables["operators"] = {"hyperbolic": hyperbolic(run["without hyperbolic"])}
    tables["search seeds"] = {
        name: verdicts.always(
            [found["same"] == found["of"] for found in sizes.values()], "sizes with one form over all seeds"
        )
        for name, sizes in run["stability"].items()
    }
    return tables


def fits(found: Mapping[str, Any], published: Published, problem: str) -> dict[str, Comparison]:
    """That equations fit at least as well as published on one problem; a stand-in decides nothing."""
    compared = {}
    for name, one in found.items():
        compared[name] = _reaches(one["r2"], published.cell(name, problem.upper()))
    return verdicts.together(compared)


def networks(found: Mapping[str, Any]) -> dict[str, Comparison]:
    """That SOL's network fits rows less well than the search, for each learned teacher on one problem."""
    return verdicts.together(
        {
            name: verdicts.lower(one["network"], one["r2"], paired=True)
            for name, one in found.items()
            if one.get("network")  # older records have none, hand-made rules neither
        }
    )


def hyperbolic(without: Mapping[str, Any]) -> Comparison:
    """That fits with and without hyperbolic functions differ by at most 0.02, twice the published 0.01."""
    sides = ([found[key] for found in without.values()] for key in ("r2", "with"))
    return verdicts.alike(*sides, margin=0.02, paired=True)


def reading_equations(record: Record) -> Tables:
    """SymL2O Figure 3: responses of equations and of the learned teachers."""
    run = record.values
    learned = [curve for curve in run["responses"] if curve["label"].split("@")[0] in run["size"]]
    apart = [_distance(curve["rule"], curve["equation"]) for curve in learned]
    near = verdicts.always([each < 0.1 for each in apart], "curves of learned teachers")
    return {"Figure 3": {"within 10 %": near}}


def of_teacher(record: Record, label: str, what: str) -> list[float]:
    """A number for each training seed: "tpf", "mc" or mean loss ("near") on P2, or end loss ("end") on P3.

    The complexity of older records is relative to the best equation. The loss of a run that diverged is not a
    number.
    """
    run = record.values
    if what == "end":
        ends = np.array(run["races"][label]["teacher"]["end"], dtype=float)
        return ends.reshape(len(record.seeds), -1).mean(1).tolist()
    if what == "near":
        return list(run["races"][label]["near"])
    here = next(problem for problem in run["problems"] if original(problem) == "p2")
    described = run["described"][label][here]
    if what == "mc" and "mc at" in described[0]:
        return [complexity(run, entry) for entry in described]
    return [float(np.max(entry[what])) for entry in described]


def complexity(run: Mapping[str, Any], entry: Mapping[str, Any]) -> float:
    """The paper's complexity of a teacher; one node more than was searched where no equation is close."""
    return run["max_complexity"] + 1 if entry["mc at"] is None else entry["mc at"]


def interpretability(record: Record) -> Tables:
    """SymL2O Table 3 (upper half), the two bullets of A.2, 3.5 (i) on TPF, and times of Table 6."""

    def compared(what: str, low: str, high: str) -> Comparison:
        return verdicts.lower(of_teacher(record, low, what), of_teacher(record, high, what), paired=True)

    claims = {
        "DM+CL+IL is faster than DM": compared("near", "DM+CL+IL", "DM"),
        "RP+CL+IL is faster than RP": compared("near", "RP+CL+IL", "RP"),
        "DM looks less far back than DM+CL+IL": compared("tpf", "DM", "DM+CL+IL"),
        "RP looks less far back than RP+CL+IL": compared("tpf", "RP", "RP+CL+IL"),
        "RPSmallExtra is less complex than RPSmall": compared("mc", "RPSmallExtra", "RPSmall"),
        "RPSmallExtra ends lower on P3 than RPSmall": compared("end", "RPSmallExtra", "RPSmall"),
    }
    same = {
        f"larger {words}, lower loss; {plain} and {plain}+CL+IL": verdicts.opposed(
            compared(what, plain, f"{plain}+CL+IL"),
            compared("near", plain, f"{plain}+CL+IL"),
            words=f"{words} {{}}, loss {{}}",
        )
        for what, words in {"tpf": "TPF", "mc": "MC"}.items()
        for plain in ("DM", "RP")
    }
    richer = {}
    for rich, poor in RICHER.items():
        for what, words in {
            "tpf": "looks less far back than",
            "mc": "is less complex than",
            "end": "ends lower on P3 than",
        }.items():
            richer[f"{rich} {words} {poor}"] = compared(what, rich, poor)
    return {
        "claims": verdicts.together(claims),
        "same inputs": verdicts.together(same),
        "richer inputs": verdicts.together(richer),
        "times": {
            "TPF of an equation and MC": _within_a_second(record, "tpf equation", "mc"),
            "TPF of a teacher": _within_a_second(record, "tpf"),
        },
    }


def correlations(record: Record, permutations: int) -> dict[str, Comparison]:
    """Rank correlations of TPF with speed and of MC with transfer, within the same inputs and over all."""

    def every(what: str, labels: Iterable[str]) -> list[float]:
        return [value for label in labels for value in of_teacher(record, label, what)]

    found = {}
    for inputs, labels in (INPUTS | {"all teachers": tuple(record.values["races"])}).items():
        tpf, near, mc, end = (every(what, labels) for what in ("tpf", "near", "mc", "end"))
        found[f"longer TPF, lower loss on P2; {inputs}"] = verdicts.correlated(
            tpf, near, negative=True, permutations=permutations
        )
        found[f"smaller MC, lower loss on P3; {inputs}"] = verdicts.correlated(
            mc, end, permutations=permutations
        )
    return verdicts.together(found)


def seconds(record: Record, *what: str) -> list[float]:
    """What "tpf", "tpf equation" and "mc" took together, for each teacher; older records have no times."""
    described = record.values["described"].values()
    every = [entry for problems in described for entries in problems.values() for entry in entries]
    return [sum(entry["seconds"][one] for one in what) for entry in every if "seconds" in entry]


def _within_a_second(record: Record, *what: str) -> Comparison:
    return verdicts.always([taken < 1 for taken in seconds(record, *what)], "within a second")


def equations_at_work(record: Record) -> Tables:
    """SymL2O Table 3, lower half: teachers end lower on P3 than their equations."""
    races = record.values["races"]

    def by_seed(label: str, kind: str) -> list[float]:
        ends = np.array(races[label][kind]["end"], dtype=float)
        return ends.reshape(len(record.seeds), -1).mean(1).tolist()

    return {
        "teachers": verdicts.together(
            {
                label: verdicts.lower(by_seed(label, "teacher"), by_seed(label, "equation"), paired=True)
                for label in races
            }
        )
    }


def rules_with_memory(record: Record) -> Tables:
    """What rules with a memory explain beside lags, and whether they end below teachers and Adam."""
    run = record.values

    def closed(label: str, kind: str) -> list[float]:
        return [found["closed loop"] for found in run["fits"][label][kind]]

    def losses(problem: str, name: str, what: str = "end") -> list[float]:
        return contest.by_seed(run["races"][problem][name], run["inits"], what)

    def compared(labels: Iterable[str], ours: str, theirs: str) -> dict[str, Comparison]:
        """Whether one kind of optimizer ends lower than another, for each label and problem."""
        return verdicts.together(
            {
                f"{label} on {problem}": verdicts.lower(
                    losses(problem, ours.format(label)), losses(problem, theirs.format(label)), paired=True
                )
                for problem in run["races"]
                for label in labels
            }
        )

    def discovered(what: str, ending: str = "") -> dict[str, Comparison]:
        """Whether rules found without a teacher have a lower loss than the best teacher, and than Adam.

        The Adam is that of the same ending: tuned on what the rules were searched on.
        """
        found = {}
        for problem in run["races"]:
            ours = losses(problem, f"discovered{ending}", what)
            teachers = {label: losses(problem, label, what) for label in run["fits"]}
            best, adam = verdicts.best_of(teachers), losses(problem, f"Adam, tuned{ending}", what)
            against = f"{what} loss on {problem}, against"
            found[f"{against} {best}"] = verdicts.lowest(ours, teachers, paired=True)
            found[f"{against} Adam, tuned{ending}"] = verdicts.lower(ours, adam, paired=True)
        return found

    racing = next(iter(run["races"].values()))
    rivals = [name for name in racing if not name.startswith("Adam, tuned") and not name.endswith(BOTH)]
    on_both = discovered("mean", BOTH) | discovered("end", BOTH) if f"discovered{BOTH}" in racing else {}
    return {
        "more than lags": verdicts.together(
            {
                label: verdicts.higher(closed(label, "second"), closed(label, "lags"), paired=True)
                for label in run["fits"]
            }
        ),
        "teachers": compared(run["fits"], "{}", "{}: memory"),
        "direct search": compared(run["fits"], "{}: memory", "discovered"),
        "rules below Adam": compared(rivals, "{}", "Adam, tuned"),
        "discovered": verdicts.together(discovered("mean") | discovered("end")),
        "discovered on both": verdicts.together(on_both),
    }


def scaling(record: Record) -> Tables:
    """SymL2O Tables 4, 5 and 8, the fit of Eq. 6 and its memory; and ways of tuning a rule with a memory.

    At the end, a network that diverged has the accuracy of guesses.
    """
    run, epochs = record.values, record.values["epochs"]
    final = partial(training.final, lost=100 / run.get("classes", 10))

    def above(one: Mapping, other: Mapping) -> Comparison:
        return verdicts.higher(final(one, epochs), final(other, epochs), paired=True)

    def of_seed(runs: Mapping, accuracy: Callable) -> list[float]:
        """Several networks share a teacher's seed, one after the other: their mean is one value."""
        return np.reshape(accuracy(runs, epochs), (len(record.seeds), -1)).mean(1).tolist()

    _, finals = grid.table4(run)
    best, mine = grid.finalists(finals)
    memory_rule = grid.with_memory(finals)

    def seeds_above(one: str, other: str | None, accuracy: Callable = final) -> Comparison:
        sides = [of_seed(finals[name], accuracy) if name else None for name in (one, other)]
        return verdicts.higher(*sides, paired=True)

    rivals = {
        words: grid.best(of_kind) if of_kind else None
        for words, of_kind in {
            "the grid": {best: finals[best]},
            "SGD": grid.of_kinds(finals, "SGD", "Nesterov"),
            "a momentum of 0.99": grid.of_high_momentum(finals),
        }.items()
    }
    # a rival of two claims is one comparison
    compared = {name: seeds_above(mine, name) for name in dict.fromkeys(rivals.values())}
    averaged = {"average": seeds_above(mine, best, training.average)}
    corrected = verdicts.together({str(name): found for name, found in compared.items()} | averaged)
    table4 = {f"tuned Eq. 6 ends above {words}": corrected[str(name)] for words, name in rivals.items()}
    table4["tuned Eq. 6 is above the grid, averaged over epochs"] = corrected["average"]
    beyond = {
        f"a rule with a memory ends above {words}": seeds_above(memory_rule, rival)
        for words, rival in {"the grid": best, "Eq. 6": mine}.items()
        if memory_rule
    }
    table5, fit = {}, {}
    for name, runs in run["equations"].items():
        label, problem = name.split(", ")
        row = f"{label}, {original(problem).upper()}"
        if row != "DM, P1":  # which tuning lowers in the paper
            table5[f"tuning raises {row}"] = above(runs["after"], runs["before"])
        if label == "RPSmallExtra":
            other = run["equations"][name.replace("RPSmallExtra", "DM")]
            table5[f"{row} is above DM"] = above(runs["after"], other["after"])
            fit[row] = _reaches(runs["r2"], Published("SymL2O text").cell("Eq. 6", "r2"))
    sizes, table8 = run["sizes"], {}
    for size in ("10", "200"):
        if {"100", size} <= {*sizes}:
            rows = grid.distinct(sizes["100"], sizes[size])
            sides = grid.only(sizes["100"], rows), grid.only(sizes[size], rows)
            table8[f"100 nodes are better than {size}"] = above(*sides)
    tables = {"Table 4": table4, "Table 5": verdicts.together(table5), "Table 8": verdicts.together(table8)}
    tables["Eq. 6"], tables["memory rules"] = verdicts.together(fit), verdicts.together(beyond)
    ways = {way: of_seed(runs, final) for way, runs in run.get("ways", {}).items()}
    pairs = [(way, first) for first in ("untuned", "TBPTT") for way in ways if way not in ("untuned", first)]
    tables["ways"] = verdicts.together(
        {f"{way} above {first}": verdicts.higher(ways[way], ways[first], paired=True) for way, first in pairs}
    )
    tuned = [run["equations"].get(f"RPSmallExtra, {problem}") for problem in ("p1", "p2")]
    if all(tuned):
        accuracies = [final(runs["after"], epochs) for runs in tuned if runs]
        tables["problems"] = {
            "P1 and P2 within a point": verdicts.alike(*accuracies, margin=1.0, paired=True)
        }
    memory = run["memory"]
    tables["memory"] = {
        "Eq. 6 below its teacher": verdicts.always(
            [memory["its Eq. 6"] < memory["the teacher, an LSTM"]], "equations store less than their teacher"
        )
    }
    return tables


def sol(record: Record) -> Tables:
    """SOL Figure 5: its equation ends below the best hand-made rule, and below RP, on each network."""
    run = record.values
    races = run["races"] | {f"MNISTNET, {run['far']} steps": run["long"]}

    def ends(result: Mapping[str, Any]) -> list[float]:
        return contest.by_seed(result, run["inits"])

    claims = {}
    for name, results in races.items():
        ours = ends(results["SOL"])
        rivals = {label: ends(one) for label, one in results.items() if label not in ("SOL", "RP", "DM")}
        claims[f"SOL below the best hand-made rule on {name}"] = verdicts.lowest(ours, rivals, paired=True)
        claims[f"SOL below RP on {name}"] = verdicts.lower(ours, ends(results["RP"]), paired=True)
    return {"Figure 5": verdicts.together(claims)}


def sol_graphs(record: Record) -> Tables:
    """SOL Table 6 and Figure 7: test accuracies and training losses, each network and graph a row.

    Rows of the paper whose graph is missing are not run.
    """
    run = record.values
    rows = [*dict.fromkeys([*Published("SOL Table 6").rows, *run["rows"]])]

    def of(row: str, label: str, what: str) -> list[float] | None:
        return run["rows"][row]["contestants"][label][what] if row in run["rows"] else None

    def compared(
        ours: str, theirs: str, what: str, claim: Callable[..., Comparison] = verdicts.higher
    ) -> dict[str, Comparison]:
        return verdicts.together(
            {row: claim(of(row, ours, what), of(row, theirs, what), paired=True) for row in rows}
        )

    sides = {
        "Table 6": ("SOL", "Adam, as published"),
        "tuned Adam": ("SOL", "Adam, tuned"),
        "discovered": ("discovered", "Adam, tuned"),
    }
    return {
        **{name: compared(*both, "last") for name, both in sides.items()},
        **{f"{name}, best epoch": compared(*both, "best") for name, both in sides.items()},
        "Figure 7": compared("SOL", "Adam, as published", "loss", verdicts.lower),
    }


def sol_attack(record: Record) -> Tables:
    """SOL Table 5: success of attacks in percent of the images that a defence classifies rightly.

    Rows are defences, those of the paper "not run" where they are missing. An image is the unit, and beside
    it the training seed of SOL. Tables without a name of a loss are those of cross-entropy, as in the paper.
    """
    run = record.values
    rows = [*dict.fromkeys([*Published("SOL Table 5").rows, *run["rows"]])]

    def compared(ours: str, theirs: str, loss: str, margin: float) -> dict[str, Comparison]:
        found = {}
        for row in rows:
            of = run["rows"].get(row, {"attacks": {}, "clean": 100.0})
            attacks, attacked = of["attacks"].get(loss), of["clean"] / 100
            if attacks is None:
                found[row] = verdicts.higher(None, None)
            else:
                sides = success(attacks[ours]), success(attacks[theirs])
                found[row] = verdicts.resampled(*sides, margin=margin / attacked, largest=100.0)
        return verdicts.together(found)

    sides = {
        "Table 5": ("SOL", "PGD", 0.0),
        "APGD": ("SOL", "APGD", ATTACK_MARGIN),
        "tuned PGD": ("SOL", "PGD, tuned", 0.0),
        "tuned APGD": ("SOL", "APGD, tuned", ATTACK_MARGIN),
        "decayed PGD": ("SOL", "PGD, decayed", 0.0),
        "discovered": ("discovered", "PGD, tuned", 0.0),
        "discovered, SOL": ("discovered", "SOL", 0.0),
        "hand-made": ("APGD", "PGD", 0.0),
    }
    endings = {"cross_entropy": "", "dlr": ", DLR"}
    return {
        f"{name}{ending}": compared(ours, theirs, loss, margin)
        for loss, ending in endings.items()
        for name, (ours, theirs, margin) in sides.items()
    }


def sol_vision(record: Record) -> Tables:
    """SOL Tables 2 to 4 and Figure 1: test accuracies, search times, and memory of meta-training.

    That SOL is above all others is one comparison of each network; those with each of them are other tables.
    """
    run = record.values

    def rivals(field: Mapping[str, Any]) -> dict[str, list[float]]:
        """The paper's other optimizers; SymL2O is one that SOL does not claim to be above."""
        ours = ("SOL", "Symbolic L2O", *BEYOND)
        return {label: one["last"] for label, one in field.items() if label not in ours}

    def above_all(field: Mapping[str, Any]) -> Comparison:
        return verdicts.highest(field["SOL"]["last"], rivals(field), paired=True)

    def above(field: Mapping[str, Any], others: Mapping[str, list[float]]) -> dict[str, Comparison]:
        ours = field["SOL"]["last"]
        return verdicts.together(
            {f"SOL above {label}": verdicts.higher(ours, last, paired=True) for label, last in others.items()}
        )

    resnet, late = run["resnet18"]["tuned"], run["resnet_epochs"] + 1

    def sooner(label: str) -> Comparison:
        """Whether SOL has another's accuracy at the end of the same training in fewer epochs than it."""
        ends = resnet[label]["last"]
        sol, other = (
            [epochs or late for epochs in vision_runs.reached(resnet[name], ends)] for name in ("SOL", label)
        )
        return verdicts.lower(sol, other, paired=True)

    ratios = [row["L2LGD2"] / row["SOL"] for row in run["memory"].values() if {"SOL", "L2LGD2"} <= {*row}]
    fields = {name: part["tuned"] for name, part in run["convnets"].items()}
    usual = {name: above_all(part["usual"]) for name, part in run["convnets"].items()}
    tables = {"Table 2": verdicts.together({name: above_all(field) for name, field in fields.items()})}
    tables["Table 2, usual constants"] = verdicts.together(usual)
    tables |= {f"Table 2, {name}": above(field, rivals(field)) for name, field in fields.items()}
    tables["Figure 1"] = {"SOL above all others": above_all(resnet)}
    tables["Figure 1, each"] = above(resnet, rivals(resnet))
    tables["Figure 1, speed"] = verdicts.together(
        {f"SOL sooner than {label}": sooner(label) for label in rivals(resnet)}
    )
    tables |= {
        f"beyond the paper, {name}": above(field, {n: field[n]["last"] for n in BEYOND if n in field})
        for name, field in (fields | {"ResNet-18": resnet}).items()
    }
    tables["Table 3"] = {
        "SOL at most 0.3 points below SymL2O": verdicts.higher(
            resnet["SOL"]["last"], resnet["Symbolic L2O"]["last"], margin=0.3, paired=True
        )
    }
    tables["Table 4"] = {
        "an LSTM takes 3 times the memory": verdicts.always([ratio >= THRICE for ratio in ratios], "networks")
    }
    return tables


def glue(record: Record) -> Tables:
    """SymL2O Table 9 and SOL Table 7: rules above AdamW on tasks of GLUE, all tuned alike.

    Two that are no better than the most frequent label decide nothing, whichever is higher, and neither do
    stand-ins for GLUE or for a pretrained encoder, about the papers' tables.
    """
    run = record.values

    def above(
        task: str, label: str, metric: str, ending: str = "", kind: str = "runs", decides: bool = True
    ) -> Comparison:
        runs = run["tasks"].get(task, {}).get(kind, {})
        ours, theirs = (runs.get(who + ending) if decides else None for who in (label, "AdamW"))
        if not (ours and theirs):
            return verdicts.higher(None, None)
        found = verdicts.higher(scores(ours, metric), scores(theirs, metric), paired=True)
        if max(found.sides) > run["tasks"][task]["majority"][metric]:
            return found
        words = f"{found}, {FLOORED}"
        return replace(found, verdict=verdicts.UNDECIDED, words=words)

    words = {"accuracy": "accuracy", "f1": "F1", "matthews": "Matthews correlation"}
    real = not run["tiny"]
    tables: dict[str, dict[str, Comparison]] = {}
    for ending, suffix in {"": "", ", its rate": ", SymL2O's rate"}.items():
        tables["Table 9" + ending] = {
            name: above(task, "Eq. 6", metric, suffix, decides=real)
            for task, benchmark in GLUE.items()
            for metric in benchmark.metrics
            if (name := f"{benchmark.title} {'matched ' * (task == 'mnli')}{words[metric]}")
            in Published("SymL2O Table 9").rows
        }
    # SOL's code trains a head alone on MRPC
    for ending, suffix in {"": "", ", its rates": ", SOL's rate"}.items():
        tables["Table 7" + ending] = {
            benchmark.title: above(
                task,
                "SOL",
                benchmark.metrics[-1],
                suffix,
                "frozen runs" if task == "mrpc" else "runs",
                decides=real,
            )
            for task, benchmark in GLUE.items()
            if benchmark.title in Published("SOL Table 7").rows
        }
    for label in glue_rules(record):
        tables[f"{label} above AdamW"] = {
            task: above(task, label, next(reversed(found["majority"])))
            for task, found in run["tasks"].items()
            if found["runs"]
        }
    return {name: verdicts.together(claims) for name, claims in tables.items()}


def glue_rules(record: Record) -> list[str]:
    """The rules that fine-tune, without AdamW."""
    rates = [found["rates"] for found in record.values["tasks"].values() if found["runs"]]
    return [label for label in rates[0] if label != "AdamW"] if rates else []


def language_model(record: Record) -> Tables:
    """SOL Figure 6: its equation below AdamW, all tuned alike; the same for all rules; and that they learn.

    The tiny network in place of a pretrained model decides nothing about the figure.
    """
    run = record.values

    def below(label: str, what: str, decides: bool = True) -> Comparison:
        ours, theirs = (
            [one[what] for one in run["optimizers"][who]["runs"]] if decides else None
            for who in (label, "AdamW")
        )
        return verdicts.lower(ours, theirs, paired=True)

    decides = not run["tiny"]
    figure = {
        "SOL's training loss, mean over all steps": below("SOL", "training", decides),
        "SOL's held-out loss at the end": below("SOL", "end", decides),
    }
    falls = {
        label: verdicts.lower(
            [one["end"] for one in found["runs"]],
            [one["held out"]["losses"][0] - FALL for one in found["runs"]],
            paired=True,
        )
        for label, found in run["optimizers"].items()
    }
    rivals = {label: below(label, "end") for label in run["optimizers"] if label != "AdamW"}
    return {
        "Figure 6": verdicts.together(figure),
        "held-out loss falls": verdicts.together(falls),
        "rules below tuned AdamW": verdicts.together(rivals),
    }


EVIDENCE: dict[str, Callable[[Record], Tables]] = {
    function.__name__: function
    for function in (
        sanity_checks,
        numerical_l2o,
        distillation,
        reading_equations,
        interpretability,
        equations_at_work,
        rules_with_memory,
        scaling,
        sol,
        sol_graphs,
        sol_attack,
        sol_vision,
        glue,
        language_model,
    )
}


def _reaches(values: list[float], printed: str | None) -> Comparison:
    """That values are at least the printed number, as far as its digits go: 0.885 for "0.89"."""
    if printed is None:
        return verdicts.higher(values, None)
    return verdicts.higher(values, [float(printed)], margin=0.5 * 10.0 ** -len(printed.partition(".")[2]))


def _distance(rule: list[float], equation: list[float]) -> float:
    """How far an equation is from its teacher, relative to the teacher's root-mean-square update."""
    a, b = np.array(rule), np.array(equation)
    return float(np.sqrt(np.square(a - b).mean() / np.square(a).mean()))
