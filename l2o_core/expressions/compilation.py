"""Expression to PyTorch function: a list of instructions over registers, run one after the other."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from ..errors import ExpressionError
from .tensors import FORWARD_FUNCTIONS, TENSOR_FUNCTIONS, constant_value

if TYPE_CHECKING:
    from .tree import Expression

Compiled = Callable[..., Tensor]
CompiledRule = Callable[..., dict[str, Tensor]]


class _Instruction(NamedTuple):
    """Append `function(*arguments)` as the next register; then forget the registers no longer needed."""

    function: Callable[..., Tensor]
    arguments: tuple[int | float, ...]  # a register, or a number
    spent: tuple[int, ...]


class _Code(NamedTuple):
    instructions: tuple[_Instruction, ...]
    result: int | float


@lru_cache(maxsize=256)
def compile_expression(expression: Expression, differentiable: bool = True) -> Compiled:
    """See `Expression.compile`; without derivatives some operators take half as long."""
    names = tuple(str(variable) for variable in expression.variables)
    count = len(expression.constants)
    functions = TENSOR_FUNCTIONS if differentiable else FORWARD_FUNCTIONS
    fixed, free = (_assemble(expression, free, functions) for free in (False, True))

    def function(inputs: Mapping[str, Tensor], constants: Tensor | None = None) -> Tensor:
        missing = [name for name in names if name not in inputs]
        if missing:
            given = ", ".join(inputs) or "nothing"
            raise ExpressionError(f"the equation needs {', '.join(missing)}; given: {given}")
        registers = [inputs[name] for name in names]
        if constants is None:
            value = _run(fixed, registers)
        elif len(constants) == count:
            value = _run(free, [*registers, *constants.unbind()])
        else:
            raise ExpressionError(f"the equation has {count} constants, not {len(constants)}")
        return value if names else _shaped(value, inputs)

    return function


def compile_equations(
    equations: Sequence[tuple[str, Expression]], differentiable: bool = True
) -> CompiledRule:
    """See `System.compile_all`: each equation may read those before it, with the lag 0 or without."""
    parts = [
        (name, compile_expression(value, differentiable), len(value.constants)) for name, value in equations
    ]
    count = sum(own for *_, own in parts)

    def function(inputs: Mapping[str, Tensor], constants: Tensor | None = None) -> dict[str, Tensor]:
        if constants is not None and len(constants) != count:
            raise ExpressionError(f"the rule has {count} constants, not {len(constants)}")
        inputs, values, first = dict(inputs), {}, 0
        for name, value, own in parts:
            free = None if constants is None else constants[first : first + own]
            inputs[name] = inputs[f"{name}[0]"] = values[name] = value(inputs, free)
            first += own
        return values

    return function


def _assemble(expression: Expression, free: bool, functions: Mapping[str, Callable[..., Tensor]]) -> _Code:
    """Instructions with equal sub-expressions computed once.

    Registers start with the variables and, if they are `free`, the constants, each its own; otherwise
    constants are numbers inside the instructions, and operations between them are done now.
    """
    registers: dict[Hashable, int] = {variable: i for i, variable in enumerate(expression.variables)}
    if free:
        registers |= {("constant", k): len(registers) + k for k in range(len(expression.constants))}
    position = iter(range(len(expression.constants)))

    def constant(value: float) -> int | float:
        return registers["constant", next(position)] if free else value

    operations: list[tuple[str, tuple[int | float, ...]]] = []

    def operator(name: str, *arguments: int | float) -> int | float:
        if all(isinstance(argument, float) for argument in arguments):
            return constant_value(name, *arguments)
        key = (name, arguments, *map(type, arguments))  # the register 1 is not the number 1.0
        if key not in registers:
            registers[key] = len(registers)
            operations.append((name, arguments))
        return registers[key]

    result = expression.fold(registers.__getitem__, constant, operator)

    last_use = {
        argument: at
        for at, (_, arguments) in enumerate(operations)
        for argument in arguments
        if isinstance(argument, int)
    }
    spent: list[list[int]] = [[] for _ in operations]
    for register, at in last_use.items():
        spent[at].append(register)
    instructions = (
        _Instruction(functions[name], arguments, tuple(gone))
        for (name, arguments), gone in zip(operations, spent, strict=True)
    )
    return _Code(tuple(instructions), result)


def _run(code: _Code, registers: list) -> Any:
    for function, arguments, spent in code.instructions:
        values = [registers[a] if isinstance(a, int) else a for a in arguments]
        registers.append(function(*values))
        for register in spent:
            registers[register] = None
    return registers[code.result] if isinstance(code.result, int) else code.result


def _shaped(constant: Tensor | float, inputs: Mapping[str, Tensor]) -> Tensor:
    """The value of an equation without variables, in the shape of the first input."""
    like = next(iter(inputs.values()), None)
    return torch.as_tensor(constant) if like is None else torch.zeros_like(like) + constant
