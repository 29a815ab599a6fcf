"""What a profile may say: JSON's values, and nothing that becomes code or fills the memory."""

import pytest
from l2o_book import profiles

from l2o_core import plain_yaml
from l2o_core.errors import ConfigError

BOMB = "a: &a [x,x]\n" + "".join(
    f"{b}: &{b} [*{a},*{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
REFUSED = {
    "pairs": "seeds: !!pairs\n  - a: 1\n",
    "omap": "seeds: !!omap\n  - a: 1\n",
    "bytes": "seeds: !!binary YQ==\n",
    "set": "seeds: !!set {a}\n",
    "python": "seeds: !!python/object/apply:os.system ['true']\n",
    "own tag": "seeds: !a 1\n",
    "alias bomb": BOMB,
    "a list in itself": "seeds: &a [*a]\n",
    "nested": "seeds: " + "[" * 5000,
    "nested and whole": "seeds: " + "[" * 60 + "]" * 60,
    "nan": "seed: .nan\n",
    "infinity": "seed: .inf\n",
    "key": "? [1]\n: 2\n",
    "number as key": "1: 2\n",
    "twice": "seed: 1\nseed: 2\n",
    "huge integer": "seed: " + "9" * 5000,
    "two documents": "a: 1\n---\nb: 1\n",
    "cut short": "seeds: [",
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_anything_but_plain_values_is_refused_with_the_name_of_the_file(tmp_path, text):
    (tmp_path / "quick.yml").write_text(text)
    with pytest.raises(ConfigError, match=r"quick\.yml is no plain YAML"):
        plain_yaml.read(tmp_path / "quick.yml")


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "quick.yml").write_bytes(b"seed: \xff\n")
    with pytest.raises(ConfigError, match="no plain YAML"):
        plain_yaml.read(tmp_path / "quick.yml")


def test_plain_values_are_read_as_ever_and_dates_stay_text():
    text = "seed: 1\nrate: 1.5\nname: x\nnone:\nflag: true\nmore: {a: [1, b]}\nday: 2020-01-01\n"
    assert plain_yaml.loads(text) == {
        **{"seed": 1, "rate": 1.5, "name": "x", "none": None, "flag": True},
        **{"more": {"a": [1, "b"]}, "day": "2020-01-01"},
    }


@pytest.mark.parametrize("text", ["seed=[", "seed=@x", "seed=.nan", "seed=!!binary YQ=="])
def test_a_parameter_of_the_command_line_is_plain_too(text):
    with pytest.raises(ConfigError, match="not valid YAML"):
        profiles.assignment(text)


@pytest.mark.parametrize("value", [(1, 2), b"x", {1}, float("nan")], ids=repr)
def test_a_parameter_from_python_is_plain_too(value):
    with pytest.raises(ConfigError):
        plain_yaml.plain({"seed": value})


def test_as_text_everything_stays_as_printed(tmp_path):
    (tmp_path / "published.yml").write_text("a: {x: 1.0, y: 0.30 ± 0.1, z: 1e3, n: null}\n")
    found = plain_yaml.read(tmp_path / "published.yml", as_text=True)
    assert found == {"a": {"x": "1.0", "y": "0.30 ± 0.1", "z": "1e3", "n": "null"}}


@pytest.mark.parametrize(
    ("value", "shape", "fits"),
    [
        (1, int, True),
        (True, int, False),
        ([1, 2], [int], True),
        ([1, "a"], [int], False),
        ([1, "a"], [(int, str)], True),
        ({"a": 1}, {str: int}, True),
        ({"a": 1, "b": "x"}, {str: int, "b": str}, True),
        ({"a": 1, "b": 2}, {str: int, "b": str}, False),
        ({"other": [1]}, {"b": str}, True),
        (None, {str: int}, False),
    ],
)
def test_values_fit_a_shape(value, shape, fits):
    assert plain_yaml.fits(value, shape) is fits
