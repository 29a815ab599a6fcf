"""The other commands: what they print, and that bad input is one clear line."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from l2o_core.cli import main
from l2o_core.cli.distill import report
from l2o_core.cli.zoo import ranges, summed
from l2o_core.distiller import Entry, ParetoFront
from l2o_core.expressions import parse
from l2o_core.optim import zoo


@pytest.mark.parametrize("command", [[], ["reproduce"], ["distill"], ["discover"], ["zoo"]])
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    assert ended.value.code == 0
    assert "usage: l2o" in capsys.readouterr().out


def test_the_zoo_lists_every_rule(capsys):
    assert main(["zoo"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(zoo.names())


def test_a_command_that_only_prints_loads_no_torch():
    code = """if True:
        import sys
        sys.modules["torch"] = None
        from l2o_core.cli import main
        main(["zoo"])
        main(["zoo", "syml2o_eq6"])
        main(["reproduce", "no_such_notebook"])
        main(["--help"])
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "usage: l2o" in done.stdout


def test_an_unknown_command_is_one_clear_line(capsys):
    assert main(["zooo"]) == 2
    assert capsys.readouterr().err == "l2o: no command 'zooo'; did you mean 'zoo'?\n"


def test_the_zoo_shows_a_rule(capsys):
    assert main(["zoo", "adam"]) == 0
    text = capsys.readouterr().out
    assert str(zoo.get("adam").equation) in text
    assert zoo.get("adam").source in text
    assert "to be given" not in text


def test_the_zoo_says_what_was_not_published(capsys):
    assert main(["zoo", "syml2o_eq2"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "to be given: c0 … c19" in text
    assert "sinh(g[0]) + Σ_{i=0..19} c_i * tanh(g[i])) - 1" in text


def test_sums_and_ranges_are_short():
    terms = " + ".join(f"c{i} * tanh(g[{i}])" for i in range(4))
    assert summed(f"-({terms} + d0 * tanh(v[0]))") == "-(Σ_{i=0..3} c_i * tanh(g[i]) + d0 * tanh(v[0]))"
    assert summed("c0 * tanh(g[0]) + c1 * tanh(g[2])") == "c0 * tanh(g[0]) + c1 * tanh(g[2])"
    assert ranges(["gamma", "a0", "a1", "a2", "b0", "c3"]) == ["gamma", "a0 … a2", "b0", "c3"]


def test_an_unknown_rule_is_one_clear_line(capsys):
    assert main(["zoo", "adamm"]) == 2
    assert capsys.readouterr().err.startswith("l2o: no rule 'adamm'")


def test_distill_finds_a_linear_rule(tmp_path, capsys):
    inputs = np.random.default_rng(0).normal(size=(300, 3))
    targets = -0.5 * inputs[:, 0] + 2 * inputs[:, 2]
    np.savez(tmp_path / "data.npz", inputs=inputs, targets=targets, names=["g[0]", "g[1]", "g[2]"])
    out = tmp_path / "front.csv"
    assert main(["distill", str(tmp_path / "data.npz"), "--engine", "linear", "--out", str(out)]) == 0
    best = capsys.readouterr().out.split("best: ")[1]
    assert "g[0]" in best
    assert "R2 on held-out rows 1.0000" in best
    assert out.read_text().startswith("complexity,loss,equation")


@pytest.fixture
def noisy(tmp_path):
    """Rows of a rule with a signed root, its best fit being long, in a file."""
    inputs = np.random.default_rng(0).normal(size=(300, 30))
    weights = 10.0 ** -np.arange(30)
    names = [f"g[{lag}]" for lag in range(30)]
    np.savez(tmp_path / "data.npz", inputs=inputs, targets=inputs @ weights, names=names)
    start = ParetoFront.of([Entry(parse("sqrt(g[0])"), 0.0, 0.0)], "operon", 0.0)
    start.save(tmp_path / "start.json")
    return [str(tmp_path / "data.npz"), "--start", str(tmp_path / "start.json")]


def test_distill_suggests_a_short_equation_and_says_how_to_read_it(noisy, capsys):
    assert main(["distill", *noisy, "--engine", "linear"]) == 0
    out = capsys.readouterr().out
    table, below = out.split("suggested, the shortest that is nearly as accurate as the best: ")
    assert all(0 < len(line) <= 100 for line in table.splitlines())
    assert "sqrt(x) means sign(x) sqrt|x|" in table
    suggested, best = below.split("best: ")
    assert int(suggested.split()[-2]) < int(best.split()[-2])
    assert "\n\n" not in out


def test_distill_says_that_a_limit_in_time_makes_a_seed_give_other_answers():
    front = ParetoFront.of([Entry(parse("g"), 0.1, 0.9)], "operon", 1.0)
    assert "R2 on held-out rows 0.9000, 1 node\n" in report(front, front)
    assert "limited by time: the same seed can find other equations" in report(front, front)
    assert "limited by time" not in report(replace(front, engine="linear"), front)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--engine", "operan"], "unknown engine 'operan'; did you mean 'operon'?"),
        (["--time-limit", "0"], "--time-limit must be a positive number of seconds, not 0"),
        (["--time-limit", "nan"], "--time-limit must be a positive number of seconds, not nan"),
        (["--max-complexity", "0"], "--max-complexity must be 1 node or more, not 0"),
        (["--seed", "-1"], "--seed must be 0 or more, not -1"),
        (["--huber", "0"], "--huber must be a positive number of standard deviations, not 0"),
        (["--out", "nowhere/front.json"], "there is no folder nowhere"),
        (["--plot", "nowhere/front.png"], "there is no folder nowhere"),
        (["--plot", "front.jpg"], "must end in one of .png, .svg, .pdf"),
        (["--start", "nothing.json"], "nothing.json is not a saved front"),
    ],
)
def test_options_that_make_no_sense_are_one_clear_line_before_any_search(
    noisy, capsys, monkeypatch, tmp_path, option, message
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("l2o_core.distiller.search.measure", None)  # a search would end in a TypeError
    assert main(["distill", noisy[0], *option]) == 2
    error = capsys.readouterr().err
    assert error.startswith("l2o: ")
    assert message in error
    assert len(error.splitlines()) == 1


def test_distill_describes_itself_and_refuses_options_without_torch():
    code = """if True:
        import sys
        sys.modules["torch"] = None
        from l2o_core.cli import main
        main(["distill", "data.npz", "--time-limit", "0"])
        main(["distill", "--help"])
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (
        0,
        "l2o: --time-limit must be a positive number of seconds, not 0\n",
    )
    assert "usage: l2o distill" in done.stdout


@pytest.fixture
def table():
    rows = np.random.default_rng(0).normal(size=(200, 3))
    frame = pd.DataFrame(rows, columns=["a", "b (kg)", "target"])
    frame["target"] = frame["a"] - 2 * frame["b (kg)"]
    return frame.assign(who=np.arange(200) // 10)


def test_distill_reads_a_csv(tmp_path, capsys, table):
    table.loc[3, "a"] = np.nan
    table.to_csv(tmp_path / "rows.csv", index=False)
    command = ["distill", str(tmp_path / "rows.csv"), "--engine", "linear"]
    assert main([*command, "--groups", "who"]) == 0
    out = capsys.readouterr().out
    assert "a - 2 * b_kg" in out
    assert "'b (kg)' is b_kg" in out
    assert "dropped 1 of 200 rows" in out
    assert main([*command, "--target", "a"]) == 0


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda t: t, ["--target", "targt"], "has 0 columns 'targt'; did you mean 'target'?"),
        (lambda t: t, ["--groups", "whom"], "has 0 columns 'whom'; did you mean 'who'?"),
        (
            lambda t: t.rename(columns={"target": "z"}),
            [],
            "which column is the target? Say --target; columns: a, b",
        ),
        (lambda t: t.assign(a="text"), [], "column 'a' must be an array of numbers"),
        (lambda t: t.assign(a=["?", *t["a"][1:]]), [], "it holds the text '?'"),
        (lambda t: t.assign(a=[*t["a"][1:], "1,5"]), [], "it holds the text '1,5'"),
        (lambda t: pd.concat([t, t["target"]], axis=1), [], "has 2 columns 'target'; rename all but one"),
        (lambda t: pd.concat([t, t["who"]], axis=1), ["--groups", "who"], "has 2 columns 'who'"),
        (lambda t: t, ["--groups", "target"], "'target' cannot be both the target and the trajectory"),
        (lambda t: t[:0], [], "0 usable rows"),
    ],
)
def test_a_table_that_cannot_be_used_is_one_clear_line(tmp_path, capsys, table, change, options, message):
    change(table).to_csv(tmp_path / "rows.csv", index=False)
    assert main(["distill", str(tmp_path / "rows.csv"), *options]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.csv", None, "no file"),
        ("empty.csv", b"", "is not a .csv file that pandas reads"),
        ("bad.csv", b"\xff\xfe\x00\x01,\n", "is not a .csv file that pandas reads"),
        ("wide.csv", b"a,target\n1,2,3,4\n1,2\n1,2,3,4,5,6\n", "is not a .csv file that pandas reads"),
        ("rows.parquet", b"PAR1 and no more", "rows.parquet"),
        ("rows.tsv", b"a\ttarget\n1\t2\n", "a table ends in .csv or .parquet, that of arrays in .npz"),
        ("rows.csv.gz", b"\x1f\x8b", "a table ends in .csv or .parquet, that of arrays in .npz"),
        ("rows.npz", b"a,target\n1,2\n", "is not a .npz file of plain arrays (it holds objects, or is of"),
    ],
)
def test_a_file_that_is_no_table_is_one_clear_line(tmp_path, capsys, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert main(["distill", str(tmp_path / name)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


def test_names_may_be_bytes_and_those_that_are_objects_are_left_out_and_said(tmp_path, capsys):
    X = np.random.default_rng(0).normal(size=(100, 2))
    data = {"inputs": X, "targets": X[:, :1]}
    np.savez(tmp_path / "bytes.npz", **data, names=np.array(["age", "bp"], dtype="S"))
    np.savez(tmp_path / "objects.npz", **data, names=np.array(["age", "bp"], dtype=object))
    assert main(["distill", str(tmp_path / "bytes.npz"), "--engine", "linear"]) == 0
    assert "best: age" in capsys.readouterr().out
    assert main(["distill", str(tmp_path / "objects.npz"), "--engine", "linear"]) == 0
    printed = capsys.readouterr()
    assert "best: x0" in printed.out
    assert "names holds objects, which are not read" in printed.err
    assert main(["distill", str(tmp_path / "bytes.npz"), "--target", "age"]) == 2


def test_what_is_there_is_replaced_only_on_demand(noisy, tmp_path, capsys):
    out = tmp_path / "front.json"
    out.write_text("precious")
    command = ["distill", *noisy, "--engine", "linear", "--out", str(out)]
    assert main(command) == 2
    assert capsys.readouterr().err == f"l2o: {out} exists; choose another name, or say --overwrite\n"
    assert out.read_text() == "precious"
    assert main([*command, "--overwrite"]) == 0
    assert len(ParetoFront.load(out)) > 1
    assert main([*command[:-1], str(tmp_path), "--overwrite"]) == 2
    (tmp_path / "folder.json").mkdir()
    assert main([*command[:-1], str(tmp_path / "folder.json"), "--overwrite"]) == 2
    assert "is a folder" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_to_is_said_before_the_search(noisy, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    monkeypatch.setattr("l2o_core.distiller.search.measure", None)
    assert main(["distill", *noisy, "--out", str(tmp_path / "new.json")]) == 2
    assert "new.json cannot be written: permission denied" in capsys.readouterr().err


def test_stopped_by_hand_the_front_so_far_is_written(noisy, tmp_path, capsys, monkeypatch):
    def stopped(self, problem, **limits):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr("l2o_core.distiller.engines.Operon.search", stopped)
    assert main(["distill", *noisy, "--out", str(tmp_path / "new.json")]) == 0
    assert "stopped by hand" in capsys.readouterr().out
    assert "stopped by hand" in ParetoFront.load(tmp_path / "new.json").notes[-1]


def test_a_full_disk_costs_the_file_and_not_the_report(noisy, tmp_path, capsys, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("l2o_core.cli.distill.write", full)
    assert main(["distill", *noisy, "--engine", "linear", "--out", str(tmp_path / "new.json")]) == 2
    printed = capsys.readouterr()
    assert "best: " in printed.out
    assert "new.json cannot be written: No space left on device" in printed.err


def test_distill_writes_and_draws_the_front_and_begins_with_it_again(tmp_path, capsys):
    inputs = np.random.default_rng(0).normal(size=(300, 2))
    np.savez(tmp_path / "data.npz", inputs=inputs, targets=inputs @ [1, 2])
    command = ["distill", str(tmp_path / "data.npz"), "--engine", "linear"]
    out, plot = tmp_path / "front.json", tmp_path / "front.svg"
    assert main([*command, "--out", str(out), "--plot", str(plot)]) == 0
    assert ParetoFront.load(out).best.r2 > 0.999
    assert plot.read_text().lstrip().startswith("<?xml")
    assert main([*command, "--start", str(out), "--out", str(tmp_path / "front.tex")]) == 0
    assert (tmp_path / "front.tex").read_text().startswith(r"\begin{tabular}")
    assert main([*command, "--out", str(tmp_path / "front.xlsx")]) == 2
    assert "must end in one of .json, .csv, .tex" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (None, "no file"),
        ("not a zip", "not a .npz file"),
        ({"inputs": np.ones((3, 2))}, "has no targets"),
        ({"inputs": np.ones(3), "targets": np.ones(3)}, "must be [n, d]"),
        ({"inputs": np.array([[object()]]), "targets": np.ones(1)}, "not a .npz file of plain arrays"),
    ],
)
def test_data_that_cannot_be_used_is_one_clear_line(tmp_path, capsys, arrays, message):
    path = tmp_path / "data.npz"
    if isinstance(arrays, str):
        path.write_text(arrays)
    elif arrays is not None:
        np.savez(path, **arrays)
    assert main(["distill", str(path)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize("seed", [2**70, -1])
def test_a_seed_that_no_generator_takes_is_refused(capsys, seed):
    assert main(["train-defence", "plain", "--dataset", "digits", "--seed", str(seed)]) == 2
    assert (
        f"seed must be a whole number, 0 or more and 2147483647 or less, not {seed}"
        in capsys.readouterr().err
    )
