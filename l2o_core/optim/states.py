"""States that an optimizer can resume from: checked as a whole before anything is changed."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from ..errors import CheckpointError, ConfigError, ExpressionError
from ._compile.buckets import known, step_of
from ._compile.memory import check_memory, local
from ._compile.plan import Plan, make_plan, names_of
from .options import DEFAULTS, OPTIONS, check, equation

Groups = Sequence[Mapping[str, Any]]


def checked(
    groups: Groups, state_dict: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], dict[Tensor, dict[str, Any]]]:
    """The groups and the state to go on with, as copies. Raises CheckpointError where they do not fit."""
    try:
        saved_groups, saved_state = state_dict["param_groups"], state_dict["state"]
        if len(groups) != len(saved_groups):
            raise CheckpointError(f"this state has {len(saved_groups)} parameter groups, not {len(groups)}")
        resumed: list[dict[str, Any]] = []
        owners: dict[Any, Tensor] = {}
        plans: dict[Any, Plan] = {}
        for index, (mine, saved) in enumerate(zip(groups, saved_groups, strict=True)):
            if len(mine["params"]) != len(saved["params"]):
                raise CheckpointError(
                    f"group {index} of this state has {len(saved['params'])} parameters, "
                    f"not {len(mine['params'])}"
                )
            resumed.append(_group(mine, saved))
            owners |= zip(saved["params"], mine["params"], strict=True)
            plan = make_plan(equation(resumed[-1]["rule"]), resumed[-1])
            plan.bind(resumed[-1])
            plans |= dict.fromkeys(saved["params"], plan)
        state: dict[Tensor, dict[str, Any]] = defaultdict(dict)
        for key, entry in saved_state.items():
            if key not in owners:
                raise CheckpointError(f"this state has an entry {key!r:.40} that belongs to no parameter")
            state[owners[key]] = _entry(owners[key], entry, plans[key])
    except (ConfigError, ExpressionError) as error:
        raise CheckpointError(f"this state cannot be resumed: {error}") from error
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"this is no state of an optimizer of these parameters: {type(error).__name__}: {error}"
        ) from error
    return resumed, state


def _group(mine: Mapping[str, Any], saved: Mapping[str, Any]) -> dict[str, Any]:
    """A saved group with the parameters of `mine`; whether it is compiled stays as it is."""
    if "rule" not in saved:
        raise CheckpointError(
            "this is the state of another optimizer: a SymbolicOptimizer's names its rule in each group"
        )
    if equation(saved["rule"]) != equation(mine["rule"]):
        raise CheckpointError(f"this state belongs to {saved['rule']}, not to {mine['rule']}")
    saved = dict(saved)
    saved.setdefault(
        "lag_tolerance", saved.pop("compact", None)
    )  # states from before this option was renamed
    group = {**OPTIONS, **copy.deepcopy({name: value for name, value in saved.items() if name != "params"})}
    group |= {name: mine[name] for name in ("params", "param_names", "compile") if name in mine}
    needed = {*DEFAULTS, *names_of(equation(mine["rule"]))}
    if missing := sorted(needed - group.keys()):
        raise CheckpointError(f"a group of this state lacks {', '.join(missing)}")
    group["betas"] = (group["beta1"], group["beta2"])
    check(group)
    return group


def _entry(p: Tensor, entry: Mapping[str, Any], plan: Plan) -> dict[str, Any]:
    """The saved state of a parameter, on its device, each tensor in the type that it was saved in."""
    tensors = {name: value for name, value in entry.items() if isinstance(value, Tensor) and name != "step"}
    shapes = {name: tuple(value.shape) for name, value in tensors.items()}
    if entry and (
        "step" not in entry
        or {name: shapes.get(name) for name in plan.stored} != (dict.fromkeys(plan.stored, tuple(p.shape)))
    ):
        held = {**shapes, **({} if "step" in entry else {"step": "missing"})}
        raise CheckpointError(f"the state of a parameter of shape {tuple(p.shape)} holds {held}")
    for name in plan.stored if entry else ():
        if not tensors[name].is_floating_point() or hasattr(p, "to_local") != hasattr(
            tensors[name], "to_local"
        ):
            raise CheckpointError(
                f"{name} of a parameter of shape {tuple(p.shape)} is a {type(tensors[name]).__name__} of "
                f"{tensors[name].dtype}, where numbers shared out as the parameter's are needed; for sharded "
                "parameters, torch.distributed.checkpoint.state_dict.set_optimizer_state_dict makes them so"
            )
    known(p, local(p), tensors, plan.stored)
    for name, value in tensors.items():
        check_memory(local(value), f"{name} in the state")
    copied = {name: copy.deepcopy(value) for name, value in entry.items() if name not in tensors}
    copied |= {name: value.detach().to(p.device, copy=True) for name, value in tensors.items()}
    return copied | ({"step": step_of(entry)} if entry else {})
