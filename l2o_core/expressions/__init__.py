"""The language of update rules: parse, build, print, measure, simplify and compile them.

>>> rule = parse("-0.01 * m_hat[0] / (1 + abs(g_hat[3]))")
>>> rule.complexity, [str(variable) for variable in rule.variables]
(8, ['m_hat[0]', 'g_hat[3]'])
"""

from .operators import FUNCTIONS, OPERATORS
from .parser import MAX_LENGTH, parse
from .tree import MAX_LAG, MAX_NODES, Expression, Variable, call, const, var

__all__ = [
    "FUNCTIONS",
    "MAX_LAG",
    "MAX_LENGTH",
    "MAX_NODES",
    "OPERATORS",
    "Expression",
    "Variable",
    "call",
    "const",
    "parse",
    "var",
]
