"""The papers' numbers as printed, and the texts of cells."""

import math

import numpy as np
import pytest
from l2o_book.tables import Published, listed, mean_std, median_time, span

from l2o_core.errors import ConfigError


def test_published_numbers_carry_value_spread_and_source():
    table = Published("SymL2O Table 3").frame.set_index(["row", "column"])
    cell = table.loc[("DM", "loss numerical")]
    assert (cell["value"], cell["std"], cell["text"]) == (0.23, 0.13, "0.23 ± 0.13")
    assert set(table.source) == {"SymL2O Table 3"}
    assert math.isnan(
        Published("SymL2O Table 1").frame.set_index(["row", "column"]).loc[("SGD", "target")].value
    )


@pytest.mark.parametrize(
    ("table", "rows", "cells"),
    [
        *(("SymL2O Table 1", 5, 20), ("SymL2O Table 3", 6, 29), ("SymL2O Table 4", 3, 13)),
        *(("SymL2O Table 5", 6, 12), ("SymL2O Table 6", 5, 5), ("SymL2O Table 7", 5, 10)),
        *(
            ("SymL2O Table 8", 3, 3),
            ("SymL2O Table 9", 8, 16),
            ("SOL Table 2", 12, 24),
            ("SOL Table 3", 5, 7),
        ),
        *(("SOL Table 4", 3, 9), ("SOL Table 5", 7, 21), ("SOL Table 6", 6, 12), ("SOL Table 7", 5, 10)),
    ],
)
def test_every_cell_of_the_papers_tables_is_there(table, rows, cells):
    found = Published(table).frame
    assert (found.row.nunique(), len(found)) == (rows, cells)


def test_an_unknown_table_names_the_known_ones():
    with pytest.raises(ConfigError, match="did you mean 'SOL Table"):
        Published("SOL Table 99")


def test_a_cell_that_the_paper_lacks_is_none():
    table = Published("SymL2O Table 8")
    assert table.cell("complexity 10", "accuracy") == "93.5"
    assert table.cell("complexity 10", "nothing") is None
    assert table.cell("nothing", "accuracy") is None


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([0.23, 0.23], "0.23 ± 0"),
        ([67.1, 67.2], "67.150 ± 0.071"),
        (np.array([1.0, 3.0], dtype=np.float32), "2.0 ± 1.4"),
        ([0.123456], "0.123"),
        ([1.0, 1.0000001], "1.000 ± 0.000"),
        (["diverged"], "diverged"),
        (["diverged", math.nan], "all 2 diverged"),
        ([], "–"),
    ],
)
def test_mean_and_spread_read_well(values, text):
    assert mean_std(values) == text


def test_a_span_names_its_ends_once_where_they_are_written_alike():
    assert span([4, 3, 5]) == "3 to 5"
    assert span(iter([0.0071, 0.0069]), "+.1%") == "+0.7%"


def test_names_are_listed_as_in_a_sentence():
    assert [listed(names) for names in ([], ["A"], ["A", "B"], ["A", "B", "C"])] == [
        "none",
        "A",
        "A and B",
        "A, B and C",
    ]


def test_a_median_time_is_in_seconds_or_minutes():
    assert median_time([0.1, 0.23, 9]) == "0.2 s"
    assert median_time([45.6]) == "46 s"
    assert median_time([100, 200, 300]) == "3.3 min"
