"""The LSTM cell of the numerical optimizers: few numbers per coordinate, very many coordinates.

Meta-training spends its time here, so one matrix product gives all four gates, every tanh is taken from the
logistic function, tanh(x) = 1 - 2 sigmoid(-2x), which costs a sixth of it, and the derivative is written
out. Coordinates come last in memory: a gate is then one contiguous stretch.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class LSTMCell(nn.Module):
    """`torch.nn.LSTMCell` with its weights in one matrix [4 hidden, inputs + hidden + 1].

    Rows: input, forget and output gate, candidate. Columns: input, hidden state, bias.
    """

    slope: Tensor

    def __init__(self, inputs: int, hidden: int):
        super().__init__()
        bound = hidden**-0.5
        self.weight = nn.Parameter(torch.empty(4 * hidden, inputs + hidden + 1).uniform_(-bound, bound))
        with torch.no_grad():
            self.weight[:, -1] += torch.empty(4 * hidden).uniform_(-bound, bound)  # torch's second bias
        slope = torch.tensor([1.0, 1.0, 1.0, -2.0]).repeat_interleave(hidden)
        self.register_buffer("slope", slope[:, None], persistent=False)

    def forward(self, signal: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """Input [N, D], hidden state and cell state [N, H] to the next h and c [N, H]."""
        h, c = _Cell.apply(self.weight * self.slope, signal.T, h.T, c.T)
        return h.T, c.T


class _Cell(torch.autograd.Function):
    """c' = f c + i g, h' = o tanh(c'), with g = 1 - 2s and tanh(c') = 1 - 2q; everything is [H, N]."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, signal: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        gates = (weight @ _stacked(signal, h)).sigmoid_()
        i, f, o, s = gates.chunk(4)
        new_c = torch.addcmul(i, f, c).addcmul_(i, s, value=-2)
        q = (-2 * new_c).sigmoid_()
        ctx.save_for_backward(weight, signal, h, gates, c, new_c)  # all but the gates are kept anyway
        return torch.addcmul(o, o, q, value=-2), new_c

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dh: Tensor, dc: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        weight, signal, h, gates, c, new_c = ctx.saved_tensors
        inputs, q = _stacked(signal, h), (-2 * new_c).sigmoid_()
        i, f, o, s = gates.chunk(4)
        dc = dc + 4 * torch.ops.aten.sigmoid_backward(dh * o, q)  # tanh' = 4 q (1 - q)
        di, do = torch.addcmul(dc, dc, s, value=-2), torch.addcmul(dh, dh, q, value=-2)
        d_gates = torch.ops.aten.sigmoid_backward(torch.cat([di, dc * c, do, -2 * dc * i]), gates)
        d_inputs = weight.T @ d_gates
        d_signal, dh, _ = d_inputs.split([len(inputs) - len(c) - 1, len(c), 1])
        return d_gates @ inputs.T, d_signal, dh, dc * f


def _stacked(signal: Tensor, h: Tensor) -> Tensor:
    """What the weights multiply: input, hidden state and 1, `[D + H + 1, N]`."""
    return torch.cat([signal, h, torch.ones_like(h[:1])])
