"""Rows are what they would be anywhere: full, apart from each other, kept as long as they are used."""

import copy
import gc
import io

import pytest
import torch

from l2o_core.optim.memory import HUGE_PAGE, rows

CPU = torch.device("cpu")


@pytest.mark.parametrize("size", [3, HUGE_PAGE // 8 + 5, HUGE_PAGE + 1])  # ordinary, close, page by page
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_rows_are_full_and_apart(size, dtype):
    found = rows([0.0, 1.5, -2.0], size, dtype, CPU)
    assert [row.shape for row in found] == [(size,)] * 3
    assert all(row.dtype == dtype and row.is_contiguous() and not row.storage_offset() for row in found)
    found[1].fill_(7.0)
    assert [row.unique().tolist() for row in found] == [[0.0], [7.0], [-2.0]]
    if size > 3:
        assert all(row.data_ptr() % 64 == 0 for row in found)


def test_a_row_outlives_the_others():
    row = rows([1.0, 2.0], HUGE_PAGE, torch.float32, CPU)[1]
    gc.collect()
    assert (row == 2.0).all()


def test_rows_are_saved_and_copied_one_by_one():
    row = rows([1.0, 2.0], HUGE_PAGE, torch.float32, CPU)[0]
    file = io.BytesIO()
    torch.save(row, file)
    assert file.tell() < 1.01 * row.numel() * 4 + 4096
    file.seek(0)
    assert torch.equal(torch.load(file, weights_only=True), row)
    assert torch.equal(copy.deepcopy(row), row)


def test_no_rows():
    assert rows([], 5, torch.float32, CPU) == []
