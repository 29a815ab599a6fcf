"""Rows of instructions: both forms of files, disjoint parts, and damage with file and line."""

import json

import pytest

from l2o_core.errors import ConfigError, DataError
from l2o_core.tasks import language


def test_both_forms_have_the_same_rows(instruct):
    lines, one_list = language.load(), language.load("list.json")
    assert lines.rows == one_list.rows
    assert len(lines) == 64
    assert lines.rows[9] == language.Instruction("Say two for two", "two two")
    assert language.load(instruct / "list.json").rows == lines.rows
    assert (lines.name, one_list.name) == ("alpaca_libre", "list")


def test_the_input_follows_the_instruction_and_rows_without_an_answer_are_left_out(instruct):
    row = {"instruction": "Add. ", "input": "1, 2", "output": "3"}
    text = "\n".join(map(json.dumps, [row, row | {"input": ""}, row | {"output": " "}]))
    (instruct / "few.jsonl").write_text(text + "\n\n")
    found = language.load("few.jsonl").rows
    assert [one.question for one in found] == ["Add.\n\n1, 2", "Add."]


def test_the_parts_are_disjoint_and_complete_and_keep_equal_questions_together(instruct):
    whole = language.load()
    parts = {name: language.load(part=name) for name in ("train", "choose", "report")}
    assert sorted(row.question for part in parts.values() for row in part.rows) == sorted(
        row.question for row in whole.rows
    )
    asked = [{row.question for row in part.rows} for part in parts.values()]
    assert not asked[0] & asked[1]
    assert not (asked[0] | asked[1]) & asked[2]
    assert len(parts["train"]) > 40
    assert whole.part("choose") == parts["choose"]
    with pytest.raises(ConfigError, match="unknown part 'test'"):
        language.load(part="test")


def test_a_cut_is_named_and_data_have_an_identity(instruct):
    whole = language.load()
    assert whole.cut(5).name == "alpaca_libre (5 of 64 rows)"
    assert whole.cut(5).rows == whole.rows[:5]
    assert whole.cut(64) is whole
    assert whole.identity == language.load().identity != whole.cut(5).identity


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"instruction": "Add."', "line 3: no JSON"),
        ("[1, 2]", "line 3: no text under 'instruction'"),
        ('{"instruction": "Add.", "input": 3, "output": "x"}', "line 3: no text under 'input'"),
        ('{"instruction": "Add."}', "line 3: no text under 'output'"),
        ('{"instruction": " ", "output": "x"}', "line 3: no text under 'instruction'"),
        ("[" * 100_000, "line 3: no JSON"),
    ],
)
def test_a_damaged_line_is_named(instruct, line, said):
    good = '{"instruction": "Add.", "output": "3"}'
    (instruct / "bad.jsonl").write_text("\n".join([good, "", line, good]))
    with pytest.raises(DataError) as caught:
        language.load("bad.jsonl")
    assert said in str(caught.value)
    assert str(instruct / "bad.jsonl") in str(caught.value)


def test_a_damaged_list_names_its_row(instruct):
    (instruct / "bad.json").write_text(json.dumps([{"instruction": "Add.", "output": "3"}, {"output": "3"}]))
    with pytest.raises(DataError, match=r"bad\.json, row 2: no text under 'instruction'"):
        language.load("bad.json")
    (instruct / "bad.json").write_text("{}")
    with pytest.raises(DataError, match="is not a list of instructions"):
        language.load("bad.json")


def test_a_missing_empty_or_unreadable_file_is_one_sentence(instruct):
    with pytest.raises(DataError, match=r"there is no alpaca\.json in .*INSTRUCT.*: put the file there"):
        language.load("alpaca.json")
    (instruct / "empty.jsonl").write_text("\n")
    with pytest.raises(DataError, match="no rows with an answer"):
        language.load("empty.jsonl")
    (instruct / "latin.jsonl").write_bytes(b"\xff\xfe{}")
    with pytest.raises(DataError, match=r"cannot read .*latin\.jsonl"):
        language.load("latin.jsonl")
