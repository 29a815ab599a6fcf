"""Does any text do harm? Every one is refused, or read and put through all that is done with expressions.

    python benchmarks/odd_texts.py [--texts 1000000] [--seed 0] [--seconds 900]

Three kinds take turns: texts that follow the grammar, with the numbers and names that are likeliest to
hurt; mutations of these and of the zoo's rules; and at times one at the limits of size and depth. For each:

- it is read, or refused by an `ExpressionError`; nothing else is raised by anything that follows;
- its text and its JSON value are read back as the same expression;
- the canonical form, the simplified one and SymPy's have the same value, wherever rounding is no question;
- nothing is executed, imported or opened, as Python's own audit says;
- no text takes more than `LIMIT` seconds of processor time, nor the whole run more than `MEMORY` GiB.
"""

import argparse
import json
import math
import random
import resource
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import sympy
import torch

from l2o_core.errors import ExpressionError
from l2o_core.expressions import FUNCTIONS, Expression, parse
from l2o_core.expressions.canonical import canonical
from l2o_core.optim import zoo

LIMIT, MEMORY = 2.0, 1.0
NUMBERS = (
    *("0", "1", "2", "-1", "0.5", "3.", ".5", "1e3", "2e-3", "1e-8", "1e300", "1e-300", "5e-324", "1e308"),
    *("1.7976931348623157e308", "1e999", "1e-999", "-0", "-0.0", "10**10**10", "3^1000000000", "9" * 400),
    *("0x10", "1_000", "1j", "1e", "٣", "1e+", "00", "1e-19", "1.1e-19"),
)
NAMES = (
    *(
        "x",
        "y",
        "g",
        "g[0]",
        "g[3]",
        "m_hat[1]",
        "v",
        "g[10000]",
        "g[10001]",
        "g[-1]",
        "g[1e3]",
        "beta1",
        "_x",
    ),
    *("__import__", "os.system", "exec", "eval", "lambda", "nan", "inf", "x.y", "__class__", "é", "x\u200b"),
)
PIECES = (
    *"+-*/^(),[]. \t\n'\"\\:;=@%{}",
    "**",
    "//",
    "()",
    "((",
    "))",
    "__import__('os')",
    "print(1)",
    "\x00",
)
NESTS = [
    *(("abs(", "-1)"), ("sqrt(", "+1)"), ("(", ")^2"), ("tanh(x+", ")"), ("g/(1+", ")"), ("-", "")),
    *(
        ("2*(x+", ")"),
        ("(", ")^1000000000"),
        ("exp(", ")"),
        ("x-(", ")"),
        ("max(x,", ")"),
        ("relu(", "-0.5)"),
    ),
    *(("(1.5*", ")^2"), ("pow(", ",0.5)"), ("1/(", "+1e-300)"), ("sin(2*", ")")),
]
GOOD = [name for name in NAMES if name in ("x", "y", "g", "g[0]", "g[3]", "m_hat[1]", "v", "beta1")]
COLUMNS = {name: np.random.default_rng(i).normal(size=8) for i, name in enumerate(GOOD)}
FORBIDDEN = ("exec", "compile", "import", "open", "os.system", "subprocess.Popen", "socket.connect")

NUMPY = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": lambda x, y: np.where(np.abs(y) < 2.0**-63, 0.0, np.divide(x, y)),
    "pow": lambda x, y: np.where(x == 0, 0.0, np.sign(x) * np.power(np.abs(x), y)),
    "min": np.minimum,
    "max": np.maximum,
    "neg": np.negative,
    "square": np.square,
    "sqrt": lambda x: np.sign(x) * np.sqrt(np.abs(x)),
    "asinh": np.arcsinh,
    "relu": lambda x: np.maximum(x, 0.0),
    "erfc": np.vectorize(math.erfc, otypes=[float]),
    "log": lambda x: np.log(np.maximum(np.abs(x), 2.0**-126)),
    **{name: getattr(np, name) for name in ("exp", "tanh", "sinh", "sign", "abs", "cos", "sin")},
}
"""What each operator of an expression means, in NumPy."""

executions: list[str] = []
armed = False


def _audit(event: str, arguments: tuple) -> None:
    if armed and event in FORBIDDEN:
        executions.append(f"{event} {arguments!r}"[:200])


def grammatical(rng: random.Random, depth: int) -> str:
    """A text of the grammar, now and then with what is no part of it."""
    kind = rng.random()
    if depth == 0 or kind < 0.25:
        odd = rng.random() < 0.03
        return rng.choice(NUMBERS if odd else NUMBERS[:13]) if rng.random() < 0.4 else (
            rng.choice(NAMES if odd else GOOD))  # fmt: skip
    if kind < 0.6:
        name = rng.choice(FUNCTIONS)
        count = 2 if name in ("pow", "min", "max") else 1
        return f"{name}({', '.join(grammatical(rng, depth - 1) for _ in range(count))})"
    if kind < 0.65:
        return f"-{grammatical(rng, depth - 1)}"
    left, right = grammatical(rng, depth - 1), grammatical(rng, depth - 1)
    both = f"{left} {rng.choice('+-*/^')} {right}"
    return f"({both})" if rng.random() < 0.7 else both


def mutated(rng: random.Random, text: str) -> str:
    """A text with a few pieces removed, repeated, moved or put in."""
    for _ in range(rng.randint(1, 4)):
        i, j = sorted(rng.randint(0, len(text)) for _ in range(2))
        match rng.randrange(4):
            case 0:
                text = text[:i] + text[min(j, i + 6) :]
            case 1:
                text = text[:j] + text[i:j] * rng.randint(1, 3) + text[j:]
            case 2:
                text = text[:i] + rng.choice(PIECES) + text[i:]
            case 3:
                text = text[:i] + rng.choice((*NUMBERS, *NAMES)) + text[j:]
        text = text[:2000]
    return text


def extreme(rng: random.Random) -> str:
    """A text at the limits of size or depth: one shape many times within itself, or side by side."""
    piece = grammatical(rng, 1)
    before, after = rng.choice([*NESTS, (f"({piece})*(", ")"), (f"({piece})/(", ")")])
    count = round(10 ** rng.uniform(1, 3.7))
    if rng.random() < 0.6:
        return before * count + "x" + after * count
    return rng.choice("+-*").join(f"{rng.choice(GOOD)}*{i % 97}.5" for i in range(count // 2))


def texts(seed: int, count: int) -> Iterator[str]:
    """So many texts, the same for the same seed."""
    rng = random.Random(seed)
    pool = [str(zoo.get(name).equation) for name in zoo.names()]
    pool = [text for text in pool if len(text) < 400]
    for i in range(count):
        if i % 1000 == 999:
            yield extreme(rng)
        elif i % 3 == 0:
            yield grammatical(rng, rng.randint(1, 4))
        else:
            yield mutated(rng, rng.choice(pool) if rng.random() < 0.2 else grammatical(rng, 3))


def fault(text: str, thorough: bool = True) -> str | None:
    """What is wrong with what becomes of a text; None if nothing is."""
    try:
        expression = parse(text)
    except ExpressionError as error:
        str(error)
        return None
    again = str(expression)
    if (
        parse(again) != expression
        or Expression.from_json(json.loads(json.dumps(expression.to_json()))) != expression
    ):
        return f"is read back otherwise: {again[:100]}"
    if expression.complexity != len(expression.program) or not expression.latex():
        return "has no complexity or LaTeX"
    forms = {"simplified": expression.simplify()}
    with suppress(ExpressionError):  # it would have more nodes than an expression may
        forms["canonical"] = canonical(expression)
    try:
        theirs = expression.sympy() if thorough else None
    except ExpressionError:
        theirs = None
    if expression.complexity > 60 or not {str(v) for v in expression.variables} <= COLUMNS.keys():
        if expression.complexity < 3000:
            tensors = {str(v): torch.ones(2, dtype=torch.float64) for v in expression.variables}
            for form in (expression, *forms.values()):
                form.evaluate(tensors)
        return None
    value, steady = _reference(expression)
    for kind, form in forms.items():
        found, also = _reference(form)
        both = steady & also
        if not np.allclose(found[both], value[both], rtol=1e-6, atol=1e-9):
            return f"differs where {kind}: {str(form)[:100]}"
    ours = expression.evaluate({name: torch.tensor(column) for name, column in COLUMNS.items()}).numpy()
    if not np.allclose(ours[steady], value[steady], rtol=1e-6, atol=1e-9):
        return "is evaluated otherwise"
    if theirs is not None and steady.any():
        at = int(np.flatnonzero(steady)[0])
        symbols = {sympy.Symbol(name.replace("[", "_").strip("]"), real=True): float(column[at])
                   for name, column in COLUMNS.items()}  # fmt: skip
        number = sympy.nan
        with suppress(ValueError, TypeError):  # SymPy's log(0) is infinite and cannot be compared
            number = theirs.xreplace({key: sympy.Float(value) for key, value in symbols.items()}).evalf()
        if number.is_Float and not np.isclose(float(number), value[at], rtol=1e-6, atol=1e-9):
            return f"differs in SymPy: {str(theirs)[:100]}"
    return None


def _reference(expression: Expression) -> tuple[np.ndarray, np.ndarray]:
    """The value in eight rows, by NumPy, and whether rounding leaves it as it is, there and in every part."""
    noise = np.random.default_rng(0)
    steady = np.ones(8, bool)

    def operator(name: str, *pairs: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        nonlocal steady
        exact = NUMPY[name](*(pair[0] for pair in pairs))
        moved = NUMPY[name](*(pair[1] for pair in pairs))
        if name == "/":  # where a denominator is cut is a matter of its unit
            steady = steady & (np.abs(pairs[1][0]) > 1e-12)
        whole = np.all([pair[0] != 0 for pair in pairs], axis=0)  # then 0 is an underflow, or a difference
        steady = (
            steady
            & (np.abs(exact) < 1e100)
            & (np.abs(exact) > np.where(whole & (name != "relu"), 1e-100, -1.0))
        )
        return exact, moved + 1e-13 * (np.abs(moved) + 1e-3) * noise.uniform(-1, 1, 8)

    def constant(value: float) -> tuple[np.ndarray, np.ndarray]:
        nonlocal steady
        steady = steady & (abs(value) < 1e100)
        return np.full(8, value), np.full(8, value)

    with np.errstate(all="ignore"):
        value, moved = expression.fold(lambda v: (COLUMNS[str(v)], COLUMNS[str(v)]), constant, operator)
        return value, steady & np.isfinite(value) & (np.abs(moved - value) <= 1e-9 * (np.abs(value) + 1e-3))


def load_everything() -> None:
    """Import now what the first texts would import, so that no import of ours is taken for one of a text."""
    for text in ("x", "tanh(x)^2.5 / g[0] + max(sin(x), erfc(y))", "((", "sqrt(log(x)) - 2^x"):
        fault(text)


def main() -> int:
    global armed
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=900)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    load_everything()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    sys.addaudithook(_audit)
    begun, counts, slowest = time.monotonic(), Counter(), (0.0, "")
    for count, text in enumerate(texts(options.seed, options.texts)):
        start, armed = time.process_time(), True
        try:
            wrong = fault(text, thorough=count % 10 == 0 or count % 1000 == 999)
        except Exception as error:
            wrong = f"raises {type(error).__name__}: {error}"
        armed, seconds = False, time.process_time() - start
        slowest = max(slowest, (seconds, text))
        if seconds > LIMIT:
            wrong = f"takes {seconds:.1f} s"
        if wrong:
            counts[wrong.split(":")[0]] += 1
            if sum(counts.values()) <= 200:
                print(f"{text[:200]!r} ({len(text)} characters) {wrong}"[:500], flush=True)
        if time.monotonic() - begun > options.seconds:
            break
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20 - before
    print(f"{count + 1} texts in {time.monotonic() - begun:.0f} s, seed {options.seed}")
    print(f"faults: {dict(counts) or 'none'}; executions: {executions[:5] or 'none'}")
    print(
        f"the slowest took {slowest[0]:.2f} s ({slowest[1][:60]!r}); {memory:.2f} GiB more than at the start"
    )
    return bool(counts or executions or memory > MEMORY)


if __name__ == "__main__":
    sys.exit(main())
