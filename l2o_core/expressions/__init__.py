"""The language of update rules: parse, build, print, measure, simplify and compile them.

A rule is an `Expression`, or a `System` of them if it has states. `Expression`, in `tree.py`, is the facade:
its methods `simplify`, `compile`, `latex`, `sympy` and `from_json` delegate to the modules that do the work,
and these build expressions in turn. It is the one import circle that this library allows itself, so that
`rule.latex()` works without a second import; none of these modules needs another while it loads (they import
inside functions, or for type checkers only).

>>> rule = parse("-0.01 * m_hat[0] / (1 + abs(g_hat[3]))")
>>> rule.complexity, [str(variable) for variable in rule.variables]
(8, ['m_hat[0]', 'g_hat[3]'])
"""

from .notation import Convention, conventions
from .operators import FUNCTIONS, OPERATORS
from .parser import MAX_LENGTH, parse, parse_rule
from .system import System
from .tree import MAX_LAG, MAX_NODES, Expression, Variable, call, const, var

__all__ = [
    "FUNCTIONS",
    "MAX_LAG",
    "MAX_LENGTH",
    "MAX_NODES",
    "OPERATORS",
    "Convention",
    "Expression",
    "System",
    "Variable",
    "call",
    "const",
    "conventions",
    "parse",
    "parse_rule",
    "var",
]
