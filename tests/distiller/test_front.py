"""A front keeps what is best for its size, and survives the disk."""

from dataclasses import replace

import pytest

from l2o_core.distiller import Entry, ParetoFront
from l2o_core.errors import DataError, EngineError
from l2o_core.expressions import parse


@pytest.fixture
def front():
    texts = {"1": 1.0, "x": 0.5, "x + y": 0.6, "2 * x + y": 0.1, "2 * x + y + tanh(x)": 0.0999999999}
    return ParetoFront.of(
        [Entry(parse(t), loss, 1 - loss) for t, loss in texts.items()], "operon", 1.5, ("note",)
    )


def test_what_is_larger_and_no_better_is_left_out(front):
    assert [str(entry.equation) for entry in front] == ["x", "2 * x + y"]


def test_at_gives_the_best_within_a_size(front):
    assert str(front.at(complexity=4).equation) == "x"
    assert front.at(complexity=100) == front.best
    with pytest.raises(DataError, match="no equation within 0 nodes"):
        front.at(complexity=0)


def test_round_trip(front, tmp_path):
    again = ParetoFront.load(front.save(tmp_path / "front.json"))
    assert again == front


def test_fronts_of_the_same_data_merge_and_equal_shapes_count_once(front):
    other = ParetoFront.of(
        [Entry(parse("3 * x"), 0.3, 0.7), Entry(parse("3 * x + y"), 0.2, 0.8)], "linear", 1
    )
    merged = ParetoFront.merge([front, other])
    assert [str(entry.equation) for entry in merged] == ["x", "3 * x", "2 * x + y"]
    assert merged.engine == "operon and linear"
    assert merged.seconds == 2.5
    assert merged.notes == ("note",)


def test_fronts_of_other_data_do_not_merge(front):
    with pytest.raises(DataError, match="split_seed"):
        ParetoFront.merge([front, replace(front, data="other")])


def test_as_a_table_and_as_latex(front):
    table = front.table
    assert list(table.columns) == ["complexity", "loss", "equation", "r2"]
    assert parse(table.equation[1]) == parse("2 * x + y")
    text = front.to_latex()
    assert text.startswith(r"\begin{tabular}")
    assert rf"${front.best.equation.latex()}$ \\" in text


@pytest.mark.parametrize("text", ["", "{}", '{"entries": [{"equation": "__import__(1)"}]}'])
def test_a_damaged_file_is_refused(tmp_path, text):
    path = tmp_path / "front.json"
    path.write_text(text)
    with pytest.raises(DataError, match="not a saved front"):
        ParetoFront.load(path)
    assert path.read_text() == text


def test_an_empty_front_is_an_error():
    with pytest.raises(EngineError, match="found no equation"):
        ParetoFront.of([], "operon", 0.0)


def test_it_shows_itself(front):
    assert "2 equations" in repr(front)
    assert "<code>x</code>" in front._repr_html_()
