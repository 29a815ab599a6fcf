"""What a tensor's numbers are and where they lie, checked before anything reads or writes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from ...errors import ConfigError

PLAIN = (Tensor, torch.nn.Parameter)
TYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def local(x: Tensor) -> Tensor:
    """The numbers of a tensor that this process holds: all, or its part of a `DTensor`, as FSDP makes them.

    Raises ConfigError for other tensors that are made of tensors.
    """
    if type(x) in PLAIN:
        return x
    if hasattr(x, "to_local"):
        return x.to_local()
    if hasattr(x, "__tensor_flatten__"):
        raise ConfigError(f"update rules work on ordinary tensors and DTensors, not on a {type(x).__name__}")
    return x


def is_readable(x: Tensor) -> bool:
    """Whether the numbers of a tensor are of a kind that steps read: dense, real and of a common type."""
    return x.dtype in TYPES and x.layout is torch.strided and not x.is_nested


def check_parameter(p: Tensor) -> None:
    """Raise ConfigError for numbers that no rule can work on."""
    if not is_readable(p):
        kind = str(p.dtype if p.layout is torch.strided else p.layout).removeprefix("torch.")
        raise ConfigError(
            f"update rules work on dense, real parameters (float16 to float64); {_named(p)} is {kind}"
        )
    check_memory(p, "a parameter")
    if _extent(p) < p.numel():
        raise ConfigError(f"numbers of {_named(p)} share memory with each other: optimize a clone() of it")
    if p.is_neg():
        raise ConfigError(
            f"numbers of {_named(p)} lie in memory with the other sign: optimize a clone() of it"
        )
    if p.is_inference() and not torch.is_inference_mode_enabled():
        raise ConfigError(f"{_named(p)} was made in inference mode: optimize a clone() of it, or step there")


def check_gradient(p: Tensor, q: Tensor) -> None:
    """Raise ConfigError for a gradient of `p`, of which `q` is the local part, that does not fit it."""
    grad = p.grad
    assert grad is not None
    g = local(grad)
    if g.shape == q.shape and is_readable(g) and g.device == q.device:
        if type(grad) is not Tensor and getattr(grad, "placements", None) != getattr(p, "placements", None):
            raise ConfigError(f"the gradient of {_named(p)} is sharded in another way than the parameter")
        if not g.data_ptr():
            check_memory(g, "a gradient")
        return
    if not is_readable(g):
        kind = str(g.dtype if g.layout is torch.strided else g.layout).removeprefix("torch.")
        raise ConfigError(f"update rules work on dense, real gradients; that of {_named(p)} is {kind}")
    raise ConfigError(
        f"{_named(q)} on {q.device} has a gradient of shape {tuple(g.shape)} on {g.device}: call zero_grad() "
        "after resizing or moving a parameter"
    )


def check_memory(x: Tensor, what: str) -> None:
    """Raise ConfigError where a tensor's memory is smaller than its numbers, as after it was freed."""
    if not x.is_meta and x.numel() and not x._is_zerotensor():
        needed = (x.storage_offset() + _extent(x)) * x.element_size()
        if x.untyped_storage().nbytes() < needed:
            raise ConfigError(
                f"the memory of {what} of shape {tuple(x.shape)} was freed or resized: "
                f"{x.untyped_storage().nbytes()} of {needed} bytes are left"
            )


def is_flat(x: Tensor) -> bool:
    """Whether the numbers of a tensor lie one after the other in memory, as they are."""
    dense = x.is_contiguous() or (x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last))
    return dense and not x.is_neg() and not x._is_zerotensor()


def flat(x: Tensor) -> Tensor:
    """The numbers of a tensor for which `is_flat` holds, in memory order, as a view [N]."""
    return x.detach().as_strided((x.numel(),), (1,))


def shares_memory(x: Tensor, others: Iterable[Tensor]) -> bool:
    """Whether a tensor lies in the same piece of memory as one of some others."""
    where = x.untyped_storage().data_ptr()
    return any(other.untyped_storage().data_ptr() == where for other in others)


def turns(params: Sequence[Tensor]) -> list[int]:
    """When each parameter steps: those that share memory, one after the other."""
    spans = [(x.data_ptr(), x.data_ptr() + _extent(x) * x.element_size(), i) for i, x in enumerate(params)]
    waiting, end, found = 0, 0, [0] * len(params)
    together: list[int] = []
    for start, stop, index in sorted(spans):
        if not params[index].numel() or params[index].is_meta:
            continue
        together = [*together, index] if start < end else [index]
        end = max(end, stop) if start < end else stop
        if len(together) > 1:
            for waiting, member in enumerate(sorted(together)):
                found[member] = waiting
    return found


def _extent(x: Tensor) -> int:
    """The numbers from the first to the last of a tensor, those in gaps included."""
    if not x.numel():
        return 0
    return 1 + sum((size - 1) * stride for size, stride in zip(x.shape, x.stride(), strict=True))


def _named(p: Tensor) -> str:
    return f"a parameter of shape {tuple(p.shape)}"
