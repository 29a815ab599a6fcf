"""Pickles of arrays are read, and none can change what the numbers of an array are."""

import pickle

import numpy as np
import pytest

from l2o_core.pickles import read_arrays


class Flagged:
    """A type of numbers that says of itself that they are references to objects."""

    def __reduce__(self):
        return np.dtype, ("i4", False, True), (3, "<", None, None, None, -1, -1, 1)


@pytest.mark.parametrize("kind", ["u1", "<i4", ">i4", "<f4", ">f8", "?"])
def test_arrays_of_plain_numbers_are_read(kind):
    array = np.arange(6).reshape(2, 3).astype(kind)
    found = read_arrays(pickle.dumps({"a": array, "b": array + array}, protocol=4), "a file of rows")
    assert found["a"].dtype == array.dtype.newbyteorder("=")  # NumPy turns bytes round
    np.testing.assert_array_equal(found["a"], array)
    np.testing.assert_array_equal(found["b"], array + array)


def test_a_type_of_references_is_refused():
    with pytest.raises(pickle.UnpicklingError, match="not of plain numbers has no place in a file of rows"):
        read_arrays(pickle.dumps(Flagged()), "a file of rows")


@pytest.mark.parametrize("value", [np.array([None]), np.zeros(2, "S3"), np.zeros(2, [("x", "f4")])])
def test_arrays_of_anything_else_are_refused(value):
    with pytest.raises(pickle.UnpicklingError):
        read_arrays(pickle.dumps(value), "a file of rows")


def test_no_function_is_called():
    with pytest.raises(pickle.UnpicklingError, match="print has no place"):
        read_arrays(b"cbuiltins\nprint\n(S'said'\ntR.", "a file of rows")
