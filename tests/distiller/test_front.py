"""A front keeps what is best for its size, and survives the disk."""

from dataclasses import replace

import pytest
from matplotlib.figure import Figure

from l2o_core.distiller import Entry, ParetoFront, read_hall_of_fame
from l2o_core.errors import DataError, EngineError
from l2o_core.expressions import parse, parse_rule


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


def test_r2_on_the_rows_for_choices_survives_the_disk_and_files_without_it_are_read(front, tmp_path):
    known = replace(front, entries=(replace(front.best, r2_select=0.25),))
    file = known.save(tmp_path / "front.json")
    assert ParetoFront.load(file).best.r2_select == 0.25
    file.write_text(file.read_text().replace('"r2_select"', '"unknown"'))
    assert ParetoFront.load(file).best.r2_select is None


def test_fronts_of_the_same_data_merge_and_equal_shapes_count_once(front):
    other = ParetoFront.of(
        [Entry(parse("3 * x"), 0.3, 0.7), Entry(parse("3 * x + y"), 0.2, 0.8)], "linear", 1
    )
    merged = ParetoFront.merge([replace(front, data="rows"), replace(other, data="rows")])
    assert merged.data == "rows"
    assert [str(entry.equation) for entry in merged] == ["x", "3 * x", "2 * x + y"]
    assert merged.engine == "operon and linear"
    assert merged.seconds == 2.5
    assert merged.notes == ("note",)


def test_fronts_of_other_data_do_not_merge(front):
    with pytest.raises(DataError, match="split_seed"):
        ParetoFront.merge([front, replace(front, data="other")])


def test_fronts_of_unknown_data_do_not_merge_nor_do_none(front):
    for fronts in ([front, front], [front, replace(front, data="rows")]):
        with pytest.raises(DataError, match="does not say what data it is of"):
            ParetoFront.merge(fronts)
    assert ParetoFront.merge([front]).entries == front.entries
    with pytest.raises(DataError, match="there are no fronts to merge"):
        ParetoFront.merge([])


def test_as_a_table_and_as_latex(front):
    table = front.table
    assert list(table.columns) == ["complexity", "loss", "equation", "r2"]
    assert parse(table.equation[1]) == parse("2 * x + y")
    text = front.to_latex()
    assert text.startswith(r"\begin{tabular}")
    assert rf"${front.best.equation.latex()}$ \\" in text


def entries(*losses):
    """A front of 1, 3, 5, ... nodes with these losses; the targets have variance 1."""
    texts = ["x" + " + x" * i for i in range(len(losses))]
    return ParetoFront.of(
        [Entry(parse(t), loss, 1 - loss) for t, loss in zip(texts, losses, strict=True)], "operon", 1.0
    )


@pytest.mark.parametrize(
    ("losses", "nodes"),
    [
        ([1.0], 1),
        ([1.0, 0.5, 0.35, 0.3, 0.25], 5),  # 0.35 is within half as much again of 0.25
        ([1.0, 0.2, 1e-18], 5),  # a long equation that is exact
        ([1.0, 5e-4, 1e-6, 1e-18], 3),  # 0.9995 of the variance is nearly all
    ],
)
def test_the_knee_is_the_shortest_that_is_nearly_as_accurate_as_the_best(losses, nodes):
    assert entries(*losses).knee.complexity == nodes


def test_the_knee_does_not_look_at_held_out_rows(front):
    blind = replace(front, entries=tuple(replace(entry, r2=-1.0) for entry in front))
    assert blind.knee.equation == front.knee.equation


def test_lines_of_text_are_as_wide_as_asked():
    long = Entry(parse(" + ".join(f"{i}.12345678 * g[{i}]" for i in range(40))), 0.1, -1234.5)
    lines = ParetoFront.of([long], "operon", 1.0).to_text(width=80).splitlines()
    assert [len(line) for line in lines[1:]] == [80]
    assert lines[1].endswith("…")
    assert "1.123 * g[1]" in lines[1]


def test_a_root_of_what_may_be_negative_is_explained_wherever_the_front_is_printed():
    front = ParetoFront.of([Entry(parse("sqrt(g)"), 0.1, 0.9)], "operon", 1.0)
    assert front.to_text().endswith("sqrt(x) means sign(x) sqrt|x|")
    assert "<p>sqrt(x) means sign(x) sqrt|x|</p>" in front._repr_html_()
    note = r"$\sqrt{x}$ means $\operatorname{sign}(x) \sqrt{\left|x\right|}$"
    assert rf"\multicolumn{{4}}{{l}}{{\footnotesize {note}}} \\" in front.to_latex()
    plain = ParetoFront.of([Entry(parse("g / sqrt(g^2 + 1)"), 0.1, 0.9)], "operon", 1.0)
    assert "means" not in plain.to_text() + plain.to_latex() + plain._repr_html_()


def test_fronts_are_drawn_on_one_axis(front):
    ax = Figure().add_subplot()
    assert front.plot(ax, color="red", linestyle="--", label="found") is ax
    (line,) = ax.lines
    assert (line.get_color(), line.get_linestyle(), line.get_label()) == ("red", "--", "found")
    assert line.get_xydata().tolist() == [[entry.complexity, entry.r2] for entry in front]
    assert ax.get_ylim() == (0, 1.03)
    replace(front, entries=(replace(front.best, r2=-7.0),)).plot(ax)
    front.plot(ax)
    assert ax.get_ylim() == (-1, 1.03)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '{"engine": "a", "seconds": 0, "notes": [], "entries": []}',
        '{"entries": [{"equation": "__import__(1)"}]}',
        "[" * 100_000,
        "[1, 2]",
        '{"engine": 1, "seconds": 1'
        + "0" * 400
        + ', "notes": 3, "entries": [{"equation": "x", "loss": 1, "r2": 1}]}',
        '{"engine": 1, "seconds": 0, "notes": [], "settings": 3, "entries": [{"equation": "x"}]}',
    ],
    ids=lambda text: text[:40],
)
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


def test_a_huge_file_is_refused_before_it_is_read(tmp_path):
    huge = tmp_path / "huge"
    with huge.open("wb") as file:
        file.truncate(2**40)
    for read in (read_hall_of_fame, ParetoFront.load):
        with pytest.raises(DataError, match=r"huge.*more than"):
            read(huge)


def test_a_front_of_rules_with_a_memory_shows_how_they_do_in_closed_loop():
    rules = {"u[1]": (0.9, 0.1), "p = 0.5 * p[1] + g; -p": (0.8, 0.7)}
    front = ParetoFront.of(
        [Entry(parse_rule(t), 1 - loop, ahead, closed_loop=loop) for t, (ahead, loop) in rules.items()],
        "test",
        0.0,
    )
    assert front.recurrent
    assert front.table["closed_loop"].tolist() == [0.1, 0.7]
    assert "0.8000   0.7000  p = 0.5 * p[1] + g; -p" in front.to_text()
    assert r"0.8000 & 0.7000 & $" in front.to_latex()
    assert "<td>0.8000</td><td>0.7000</td><td><code>" in front._repr_html_()
    ax = front.plot()
    assert ax.lines[0].get_ydata().tolist() == [0.1, 0.7]
    assert "closed loop" in ax.get_ylabel()
