"""A sparse matrix times a dense one, with its gradients.

Both are made of sums of weighted rows, `embedding_bag`. On one thread PyTorch's own sparse product took five
times as long or more, for Cora's features times 64 columns.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag


@dataclass(eq=False, frozen=True)
class _Places:
    """Where the entries of a matrix are, row by row and column by column."""

    rows: Tensor
    columns: Tensor
    row_starts: Tensor
    column_starts: Tensor
    by_column: Tensor
    rows_by_column: Tensor

    def to(self, device: torch.device) -> _Places:
        return _Places(*(getattr(self, each.name).to(device) for each in fields(self)))


@dataclass(eq=False, frozen=True)
class SparseMatrix:
    """A matrix `[N, M]` by its entries; `matrix @ dense`, with a dense one `[M, K]`, has gradients for both.

    Args:
        shape: N and M.
        values: The entries, `[E]`, row by row.
        places: Where they are, as `SparseMatrix.of` makes it.

    Example:
        >>> matrix = SparseMatrix.of([0, 1, 1], [1, 0, 2], [1.0, 2.0, 3.0], (2, 3))
        >>> matrix @ torch.ones(3, 1)
        tensor([[1.],
                [5.]])
    """

    shape: tuple[int, int]
    values: Tensor
    places: Any

    @classmethod
    def of(cls, rows: Any, columns: Any, values: Any, shape: tuple[int, int]) -> SparseMatrix:
        """The matrix of entries in any order; entries at the same place add up.

        Args:
            rows: The row of each entry, `[E]`.
            columns: The column of each entry, `[E]`.
            values: The entries, `[E]`.
            shape: N and M.
        """
        rows, columns = (torch.as_tensor(part, dtype=torch.int64) for part in (rows, columns))
        first = rows.argsort(stable=True)
        rows, columns = rows[first], columns[first]
        by_column = columns.argsort(stable=True)
        row_starts = torch.searchsorted(rows, torch.arange(shape[0]))
        column_starts = torch.searchsorted(columns[by_column], torch.arange(shape[1]))
        places = _Places(rows, columns, row_starts, column_starts, by_column, rows[by_column])
        return cls(shape, torch.as_tensor(values, dtype=torch.float32)[first], places)

    @classmethod
    def of_dense(cls, dense: Tensor) -> SparseMatrix:
        """The matrix with the entries of `dense` `[N, M]` that are not 0.

        Args:
            dense: Any matrix.
        """
        rows, columns = dense.nonzero(as_tuple=True)
        return cls.of(rows, columns, dense[rows, columns], (dense.shape[0], dense.shape[1]))

    @property
    def rows(self) -> Tensor:
        """The row of each entry, `[E]`, ascending."""
        rows: Tensor = self.places.rows
        return rows

    @property
    def columns(self) -> Tensor:
        """The column of each entry, `[E]`."""
        columns: Tensor = self.places.columns
        return columns

    def to(self, device: torch.device) -> SparseMatrix:
        """The same matrix on a device.

        Args:
            device: Any of PyTorch's.
        """
        return SparseMatrix(self.shape, self.values.to(device), self.places.to(device))

    def with_values(self, values: Tensor) -> SparseMatrix:
        """The matrix with other entries at the same places.

        Args:
            values: The entries, `[E]`, row by row.
        """
        return SparseMatrix(self.shape, values, self.places)

    def dense(self) -> Tensor:
        """The same matrix with its zeros, `[N, M]`."""
        empty = torch.zeros(self.shape, device=self.values.device)
        return empty.index_put((self.rows, self.columns), self.values, accumulate=True)

    def __matmul__(self, dense: Tensor) -> Tensor:
        product: Tensor = _Product.apply(dense, self.values, self.places)
        return product


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, dense: Tensor, values: Tensor, places: _Places) -> Tensor:
        ctx.save_for_backward(dense, values)
        ctx.places = places
        return _sums(places.columns, dense, places.row_starts, values)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        (dense, values), places = ctx.saved_tensors, ctx.places
        of_dense, of_values = None, None
        if ctx.needs_input_grad[0]:
            by_column = values.index_select(0, places.by_column)
            of_dense = _sums(places.rows_by_column, gradient.contiguous(), places.column_starts, by_column)
        if ctx.needs_input_grad[1]:
            there, here = gradient.index_select(0, places.rows), dense.index_select(0, places.columns)
            of_values = (there * here).sum(-1)
        return of_dense, of_values, None


def _sums(which: Tensor, dense: Tensor, starts: Tensor, values: Tensor) -> Tensor:
    """Sums of `values * dense[which]` over stretches that begin at `starts`, a row for each."""
    return embedding_bag(which, dense, starts, mode="sum", per_sample_weights=values)
