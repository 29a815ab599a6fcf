"""Colours stand out in both themes and can be told apart; no two optimizers look alike."""

from itertools import combinations

import matplotlib as mpl
import numpy as np
import pytest
from l2o_book import palette

from l2o_core.errors import ConfigError

GROUNDS = {"light": "#ffffff", "dark": "#121212"}
ALIKE = [
    {"teacher", "rp"},
    {"equation", "sol", "eq. 6"},
    {"momentum", "sgd+momentum"},
]  # two names of one thing, or never in one figure
CURVES = [name for name in palette.THEMES if name != "ink"]

# Machado, Oliveira and Fernandes (2009), severity 1: on linear RGB.
SIGHT = {
    "normal": np.eye(3),
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.01182, 0.04294, 0.968881],
    ],
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
}
# Ottosson's OKLab, in which distances are those that eyes see.
CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
OPPONENTS = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def linear(tone):
    channels = np.array(mpl.colors.to_rgb(tone))
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def seen(tone, sight):
    return OPPONENTS @ np.cbrt(CONES @ np.clip(np.array(SIGHT[sight]) @ linear(tone), 0, 1))


def contrast(tone, ground):
    one, two = (float(linear(each) @ [0.2126, 0.7152, 0.0722]) + 0.05 for each in (tone, ground))
    return max(one / two, two / one)


@pytest.mark.parametrize(("theme", "ground"), GROUNDS.items())
def test_text_and_curves_stand_out(theme, ground):
    tones = {name: pair[theme == "dark"] for name, pair in palette.THEMES.items()}
    assert contrast(tones["ink"], ground) >= 7
    assert min(contrast(tones[name], ground) for name in CURVES) >= 3


@pytest.mark.parametrize("theme", GROUNDS)
@pytest.mark.parametrize("sight", SIGHT)
def test_colours_can_be_told_apart(sight, theme):
    tones = {name: seen(palette.THEMES[name][theme == "dark"], sight) for name in CURVES}
    distances = {(a, b): np.linalg.norm(tones[a] - tones[b]) for a, b in combinations(CURVES, 2)}
    closest = min(distances, key=distances.get)
    assert distances[closest] >= 0.07, closest


def test_optimizers_of_one_colour_differ_in_their_dashes():
    for one, two in combinations(palette.LOOKS, 2):
        a, b = palette.LOOKS[one], palette.LOOKS[two]
        assert a.color != b.color or a.dash != b.dash or any({one, two} <= same for same in ALIKE), (one, two)


def test_looks_name_colours_and_dashes_that_exist():
    for look in palette.LOOKS.values():
        assert look.color in CURVES
        assert look.dash in palette.DASHES
    assert len({*palette.CYCLE}) == len(CURVES)


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("Adam (lr 0.01)", "adam"),
        ("AdamW", "adamw"),
        ("Adam, linear decay", "adam, linear decay"),
        ("RPSmallExtra", "rpsmallextra"),
        ("RP+CL+IL, seed 0", "rp+cl+il"),
        ("SOL, best seed", "sol"),
    ],
)
def test_the_longest_name_that_a_label_begins_with_counts(label, name):
    assert palette.look(label) is palette.LOOKS[name]
    assert palette.line_style(label)["color"] == palette.color(label) == palette.COLORS[name]


def test_an_optimizer_without_a_look_is_named():
    assert palette.look("something else") is palette.color("something else") is None
    with pytest.raises(ConfigError, match=r"no optimizer 'something else'.*teacher, equation"):
        palette.line_style("something else")


def test_other_labels_take_colours_that_are_free():
    looks = palette.looks(["bound", "Adam", "a", "b", "bound"])
    assert looks["Adam"] is palette.LOOKS["adam"]
    assert len({look.color for look in looks.values()}) == 4


def test_a_drawing_follows_the_theme():
    assert palette.themed(f"stroke:{palette.INK};fill:#fff") == "stroke:var(--l2o-ink);fill:#fff"
    light, dark = palette.css().split("@media screen")
    for name, (on_light, on_dark) in palette.THEMES.items():
        assert f"--l2o-{name}:{on_light};" in light
        assert f"--l2o-{name}:{on_dark};" in dark
