"""The result of a distillation: equations from short to accurate, none worse than another in both."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import ConfigError, DataError, EngineError, ExpressionError, optional_import
from ..expressions import Expression, System, parse_rule
from ..storage import read_text, replacing
from . import rendering

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_Rule = TypeVar("_Rule", bound=Expression | System)
GAIN = 1e-3
"""A more complex equation stays on the front only if it lowers the loss by this fraction."""
KNEE_RATIO, KNEE_FRACTION = 1.5, 1e-3
"""The knee's loss is at most so many times the lowest, plus this fraction of the shortest entry's."""


@dataclass(frozen=True)
class Entry:
    """An equation of a front, in the units of the data, and how well it fits.

    Args:
        equation: The equation.
        loss: Mean squared error on the rows that equations are chosen by, in squared units of the targets
            (with `huber`, Huber's loss in place of the square).
        r2: Coefficient of determination on held-out rows, which neither the search nor the choice has seen;
            NaN where their targets do not vary.
        r2_select: The same on the rows that equations are chosen by; None where it is not known.
        closed_loop: R2 of a rule that feeds itself along held-out trajectories; None for equations of rows.
    """

    equation: Expression | System
    loss: float
    r2: float
    r2_select: float | None = None
    closed_loop: float | None = None

    @property
    def complexity(self) -> int:
        """Nodes of the equation."""
        return self.equation.complexity


@dataclass(frozen=True)
class ParetoFront:
    """Entries by rising complexity and falling loss; iterate over them, or ask for `best`, `knee` or `at`.

    Args:
        entries: The entries, shortest first.
        engine: Name of the engine that found them.
        seconds: Duration of the search.
        notes: Sentences on what was dropped from the data, and on a search that was stopped or failed.
        data: Fingerprint of the data and of its split; fronts with the same one can be merged. Empty where
            it is not known.
        settings: Settings of the search by name.
        stopped: Whether the search was stopped by hand; such a front is not cached.
        failed: Whether an engine failed on the way; neither is such a one.

    Example:
        >>> from l2o_core.expressions import parse
        >>> losses = {"x": 0.5, "2 * x + y": 0.1, "2 * x + y + tanh(x)": 0.09}
        >>> entries = [Entry(parse(text), loss, r2=1 - loss) for text, loss in losses.items()]
        >>> front = ParetoFront.of(entries, engine="linear", seconds=0.1)
        >>> [entry.complexity for entry in front]
        [1, 5, 8]
        >>> str(front.at(complexity=5).equation), str(front.knee.equation), str(front.best.equation)
        ('2 * x + y', '2 * x + y', '2 * x + y + tanh(x)')
    """

    entries: tuple[Entry, ...]
    engine: str
    seconds: float
    notes: tuple[str, ...] = ()
    data: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    stopped: bool = False
    failed: bool = False

    @classmethod
    def of(
        cls,
        candidates: Iterable[Entry],
        engine: str,
        seconds: float,
        notes: tuple[str, ...] = (),
        data: str = "",
        settings: Mapping[str, Any] | None = None,
    ) -> ParetoFront:
        """The front of some candidates, in any order; the other arguments are those of the class.

        Raises:
            EngineError: If there is no candidate.
        """
        entries: list[Entry] = []
        for entry in sorted(candidates, key=lambda entry: (entry.complexity, entry.loss)):
            if not entries or entry.loss < (1 - GAIN) * entries[-1].loss:
                entries.append(entry)
        if not entries:
            raise EngineError(f"{engine} found no equation: allow more time or a larger complexity")
        return cls(tuple(entries), engine, seconds, notes, data, settings or {})

    @classmethod
    def merge(cls, fronts: Iterable[ParetoFront]) -> ParetoFront:
        """The front of several searches, by engine or seed, on the same data with the same `split_seed`.

        Equations that differ in constants only count as one, the most accurate.

        Raises:
            DataError: If the data or the splits differ, or are not known: losses could not be compared, and
                held-out rows of one search may have been fitted by another. Also if there is no front.
        """
        fronts = list(fronts)
        if not fronts:
            raise DataError("there are no fronts to merge: give one or more")
        if len(fronts) > 1 and any(not front.data for front in fronts):
            raise DataError(
                "a front that does not say what data it is of cannot be merged with another: distil with one "
                "split_seed, or name the same `data` in both, where their losses are of the same rows"
            )
        if len({front.data for front in fronts}) != 1:
            raise DataError("fronts of different data or splits cannot be merged: distil with one split_seed")
        best: dict[Expression | System, Entry] = {}
        for entry in sorted(chain(*fronts), key=lambda entry: -entry.loss):
            best[skeleton(entry.equation)] = entry
        engines = " and ".join(dict.fromkeys(front.engine for front in fronts))
        notes = tuple(dict.fromkeys(note for front in fronts for note in front.notes))
        seconds = sum(front.seconds for front in fronts)
        settings = {"labels": fronts[0].labels} if fronts[0].labels else {}
        return cls.of(best.values(), engines, seconds, notes, fronts[0].data, settings)

    @property
    def labels(self) -> Mapping[str, str]:
        """The label that a column has in the user's table, by its name in equations, where these differ."""
        return self.settings.get("labels", {})

    @property
    def recurrent(self) -> bool:
        """Whether its rules were judged in closed loop."""
        return any(entry.closed_loop is not None for entry in self.entries)

    @property
    def best(self) -> Entry:
        """The most accurate entry."""
        return self.entries[-1]

    @property
    def knee(self) -> Entry:
        """The suggested entry, the shortest that leaves at most half as much again unexplained as `best`.

        Its loss is at most 1.5 times the lowest on the front, plus 0.001 times that of the shortest entry
        (nearly always a constant, whose loss is the variance of the targets), so that an equation with an R2
        of 0.9995 is preferred to a longer one with 0.99999. The choice is made by `loss`, hence `r2` is
        still measured on rows that played no part in it.
        """
        enough = KNEE_RATIO * self.best.loss + KNEE_FRACTION * self.entries[0].loss
        return next((entry for entry in self.entries if entry.loss <= enough), self.best)

    def at(self, complexity: int) -> Entry:
        """The most accurate entry of at most so many nodes.

        Raises:
            DataError: If even the shortest entry has more.
        """
        fitting = [entry for entry in self.entries if entry.complexity <= complexity]
        if not fitting:
            raise DataError(
                f"no equation within {complexity} nodes; the shortest has {self.entries[0].complexity}"
            )
        return fitting[-1]

    @property
    def table(self) -> pd.DataFrame:
        """One row per entry, with PySR's columns complexity, loss, equation, and r2 on held-out rows.

        Rules with a memory also have closed_loop, see `Entry`.
        """
        with optional_import("a front's table", extra="distill"):
            import pandas as pd

        rows = [(e.complexity, e.loss, str(e.equation), e.r2) for e in self.entries]
        table = pd.DataFrame(rows, columns=["complexity", "loss", "equation", "r2"])
        if self.recurrent:
            table["closed_loop"] = [e.closed_loop for e in self.entries]
        return table

    def plot(
        self,
        ax: Axes | None = None,
        *,
        color: str | None = None,
        linestyle: str = "-",
        label: str | None = None,
    ) -> Axes:
        """Draw held-out R2 against complexity, of rules with a memory that in closed loop.

        Args:
            ax: Axes to draw on, for instance beside another front; by default those of a new figure.
            color: Any colour of matplotlib; by default the next one of its cycle.
            linestyle: Any line style of matplotlib.
            label: Name in the legend, which is left to the caller.

        Returns:
            The axes.
        """
        return rendering.plot(self, ax, color, linestyle, label)

    def to_text(self, width: int = 100) -> str:
        """The front as a table for reading, in lines of at most `width` characters: long equations are cut.

        Below it stands how `sqrt`, powers and `log` are meant, if their arguments may be negative.
        """
        return rendering.to_text(self, width)

    def to_latex(self, digits: int = 3) -> str:
        """The front as a LaTeX tabular (booktabs), constants rounded to significant `digits`.

        Its last lines say how roots, powers and logarithms are meant, if their arguments may be negative.
        """
        return rendering.to_latex(self, digits)

    def to_json(self) -> str:
        """The front as JSON text, all digits included."""
        entries = [
            {
                "equation": e.equation.to_json(),
                "loss": e.loss,
                "r2": _defined(e.r2),
                "r2_select": _defined(e.r2_select),
            }
            | ({} if e.closed_loop is None else {"closed_loop": _defined(e.closed_loop)})
            for e in self.entries
        ]
        content = {"engine": self.engine, "seconds": self.seconds, "notes": self.notes, "data": self.data}
        content["settings"] = dict(self.settings)
        content |= {name: True for name in ("stopped", "failed") if getattr(self, name)}
        return json.dumps(content | {"entries": entries}, indent=1) + "\n"

    def save(self, path: str | Path) -> Path:
        """Write the front as JSON, at once or not at all, and return the path."""
        with replacing(path) as draft:
            draft.write_text(self.to_json(), encoding="utf-8")
        return Path(path)

    @classmethod
    def load(cls, path: str | Path) -> ParetoFront:
        """Read a front that `save` wrote.

        Raises:
            DataError: If the file is missing, damaged or anything else.
        """
        try:
            content = json.loads(read_text(path))
            entries = tuple(
                Entry(
                    System.from_json(e["equation"]),
                    float(e["loss"]),
                    math.nan if e["r2"] is None else float(e["r2"]),
                    _number(e.get("r2_select")),
                    _number(e.get("closed_loop")),
                )
                for e in content["entries"]
            )
            if not entries:
                raise ValueError("it holds no equation")
            seconds, data = float(content["seconds"]), str(content.get("data", ""))
            settings = dict(content.get("settings", {}))
            ended = {name: content.get(name) is True for name in ("stopped", "failed")}
            return cls(
                entries, str(content["engine"]), seconds, tuple(content["notes"]), data, settings, **ended
            )
        except (
            Exception
        ) as error:  # a foreign file may fail in any way: in its nesting, its numbers, its types
            raise DataError(f"{path} is not a saved front: {type(error).__name__}: {error}") from error

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __repr__(self) -> str:
        title = f"ParetoFront of {len(self)} equations ({self.engine}, {self.seconds:.0f} s)"
        return "\n".join([title, *self.notes, self.to_text()])

    def _repr_html_(self) -> str:
        return rendering.to_html(self)


def _defined(fit: float | None) -> float | None:
    """JSON has no NaN."""
    return None if fit is None or math.isnan(fit) else fit


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def starting_rules(
    start: Any, words: str = "rules", read: Callable[[str], Expression | System] = parse_rule
) -> list[Expression | System]:
    """What a search begins with, from any of the forms it may have: one rule, several, texts, or a front.

    `words` are what they are called where they are none. Raises ConfigError for these.
    """
    start = [start] if isinstance(start, str | Expression | System | Entry) else start
    try:
        plain = (rule.equation if isinstance(rule, Entry) else rule for rule in start)
        return [rule if isinstance(rule, Expression | System) else read(rule) for rule in plain]
    except (TypeError, ExpressionError) as error:
        raise ConfigError(f"start must be {words}, or a front: {error}") from None


def skeleton(equation: _Rule) -> _Rule:
    """The equation with every constant replaced by 1: equal for equations that differ in constants only.

    Args:
        equation: Any equation.

    Example:
        >>> from l2o_core.expressions import parse
        >>> skeleton(parse("2 * x + 0.5")) == skeleton(parse("3 * x + 7"))
        True
    """
    shape: Any = equation.with_constants([1.0] * len(equation.constants))
    return shape
