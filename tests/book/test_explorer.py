"""An explorer shares its axes, keeps its data small, says what it cannot show, and is one output."""

import json
import math

import ipywidgets
import matplotlib as mpl
import numpy as np
import pytest
from l2o_book import explorer_widget, palette
from l2o_book.explorer import Curve, Frame, explorer
from l2o_book.mime import EXPLORER, SVG, WIDGET_VIEW

from l2o_core.errors import ConfigError


def frame(label="12 nodes", y=(1.0, 2.0, 3.0), **more):
    curve = Curve("equation", [0, 1, 2], y, **more)
    return Frame(
        label, {"R²": "0.93"}, "x = a + b", [Curve("data", [0, 1, 2], [0, 1, 2], style="points"), curve]
    )


def explored(shown, frames, **options):
    """The JSON of an explorer."""
    explorer(frames, **{"name": "fig-a", "caption": "Seen."} | options)
    return shown[0][0][EXPLORER]


def test_an_explorer_is_one_marked_output_with_its_frames_and_a_picture(shown):
    data = explored(shown, [frame(), frame("20 nodes")], control="size", x="step", y="loss")
    (output, metadata), (_, below) = shown
    mark = {"kind": "explorer", "name": "fig-a", "caption": "Seen."}
    assert metadata["l2o"] == mark | {
        "alt": "Chart: 12 nodes · R² 0.93: loss against step. Curves: data, equation."
    }
    assert output[SVG].startswith("<svg")
    assert WIDGET_VIEW not in output
    assert below["l2o"]["kind"] == "caption"
    assert (data["control"], data["x"], data["y"], data["start"]) == ("size", "step", "loss", 0)
    (group,) = data["groups"]
    assert [each["label"] for each in group["frames"]] == ["12 nodes", "20 nodes"]
    assert group["frames"][0]["facts"] == [["R²", "0.93"]]
    assert group["frames"][0]["latex"] == "x = a + b"
    json.dumps(data, allow_nan=False)


def test_numbers_keep_four_digits_and_equal_arrays_are_kept_once(shown):
    data = explored(shown, [frame(y=np.array([1 / 3, 2e-7 / 3, 12345.6])), frame()])
    assert data["arrays"] == [[0, 1, 2], [0.3333, 6.667e-8, 12350], [1, 2, 3]]
    first, second = (each["curves"] for each in data["groups"][0]["frames"])
    assert first[0] == second[0] == first[0] | {"x": 0, "y": 0, "points": True}
    assert (first[1]["y"], second[1]["y"]) == (1, 2)


def test_points_that_an_axis_cannot_show_are_left_out(shown):
    y = [math.nan, 1e-3, math.inf, -1.0, 0.0, 10.0]
    frames = [Frame("a", curves=[Curve("c", range(6), y)])]
    data = explored(shown, frames, logy=True)
    assert data["arrays"] == [[1, 5], [1e-3, 10]]
    low, high = data["ylim"]
    assert low < 1e-3 < 10 < high
    np.testing.assert_allclose(math.log10(1e-3 / low), math.log10(high / 10))


def test_axes_span_all_frames_unless_told(shown):
    data = explored(shown, {"DM": [frame()], "RP": [frame(y=[0, 0, 100])]}, xlim=(-1, 5))
    assert data["xlim"] == (-1, 5)
    np.testing.assert_allclose(data["ylim"], (-4, 104))


@pytest.mark.parametrize("log", [False, True])
def test_a_constant_has_room_around_it(shown, log):
    data = explored(shown, [Frame("a", curves=[Curve("c", [1], [1])])], logx=log, logy=log)
    assert data["xlim"][0] < 1 < data["xlim"][1]


def test_a_label_has_one_colour_in_all_frames(shown):
    frames = [
        Frame("1", curves=[Curve("first", [0], [0]), Curve("Adam (lr 1)", [0], [0])]),
        Frame(
            "2", curves=[Curve("second", [0], [0]), Curve("first", [0], [1]), Curve("own", [0], [0], "red")]
        ),
    ]
    data = explored(shown, frames)
    colors = {
        (c["label"], c["color"]) for each in data["groups"][0]["frames"] for c in each["curves"]
    }  # fmt: skip
    assert colors == {
        ("first", palette.LIGHT["red"]),
        ("second", palette.LIGHT["green"]),
        ("Adam (lr 1)", palette.LIGHT["blue"]),
        ("own", "#ff0000"),
    }


def test_optimizers_have_their_dashes(shown):
    curves = [Curve("Adam", [0], [0]), Curve("SOL", [0], [0]), Curve("bound", [0], [0], style="dash")]
    data = explored(shown, [Frame("1", curves=curves)])
    dashes = [curve["dashes"] for curve in data["groups"][0]["frames"][0]["curves"]]
    assert dashes == [list(palette.DASHES["dash"]), [], list(palette.DASHES["dash"])]


@pytest.mark.parametrize(
    ("frames", "options", "words"),
    [
        ([], {}, "at least one frame"),
        ({}, {}, "at least one frame"),
        ({"DM": [frame()], "RP": []}, {}, "at least one frame"),
        ([Frame("a")], {}, "no curve"),
        ([frame(y=[math.nan, math.inf, -math.inf])], {}, "'equation' has no point"),
        ([frame(y=[0, -1, -2])], {"logy": True}, "'equation' has no point"),
        ([frame(y=[1, 2])], {}, "has 3 x but 2 y"),
        ([frame(style="wave")], {}, "drawn as 'wave'"),
        ([frame(color="no colour")], {}, "no valid colour"),
        ([frame()], {"start": 1}, "start at frame 1"),
        ([frame()], {"xlim": (2, 1)}, "limits"),
        ([frame(y=[1, 1, 1])], {"logx": True, "xlim": (0, 1)}, "limits"),
        ([frame()], {"name": "front"}, "fig-"),
    ],
)
def test_what_cannot_be_shown_is_said(shown, frames, options, words):
    with pytest.raises(ConfigError, match=words):
        explored(shown, frames, **options)
    assert shown == []


def test_text_is_not_read_as_mathematics(shown):
    curve = Curve("cost $", [1], [1])
    explored(shown, [Frame("a $ b", {"$": "^_{"}, curves=[curve])], x="$x", y="\\frac $y$ _")
    assert shown


def test_the_picture_does_not_depend_on_the_notebook_s_style(shown):
    explored(shown, [frame()])
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red"}):
        explored(shown, [frame()])
    assert shown[0][0][SVG] == shown[2][0][SVG]


def test_in_a_kernel_the_same_output_holds_the_widget(shown, monkeypatch):
    monkeypatch.setattr(explorer_widget, "live", lambda: True)
    data = explored(shown, [frame(), frame("20 nodes")])
    output = shown[0][0]
    assert output[WIDGET_VIEW]["model_id"]
    assert SVG in output
    assert data["groups"]
    assert len(shown) == 2


def test_there_is_no_widget_without_a_kernel():
    assert not explorer_widget.live()


def test_the_widget_follows_its_controls():
    groups = {
        "DM": [frame("12 <nodes>"), frame("20 nodes")],
        "RP": [Frame("7", {}, None), Frame("8", {}, "a < b")],
    }
    groups["DM"].append(frame("40 nodes"))
    seen = []

    def picture(group, position):
        seen.append((group, position))
        return "AAAA", 640

    box = explorer_widget.widget(groups, picture, control="size", choice="teacher", start=1)
    select, slider, chart, equation = box.children
    assert seen[-1] == ("DM", 1)
    assert "20 nodes · R² 0.93" in chart.value
    slider.index = 0
    assert seen[-1] == ("DM", 0)
    assert 'alt="12 &lt;nodes&gt; · R² 0.93"' in chart.value
    assert equation.value == "$$x = a + b$$"
    slider.index = 2
    select.value = "RP"
    assert (seen[-1], slider.label) == (("RP", 1), "8")
    assert equation.value == "$$a &lt; b$$"
    slider.index = 0
    assert equation.value == ""
    alone = explorer_widget.widget({"": groups["DM"]}, picture, control="size", choice="", start=0)
    assert isinstance(alone.children[0], ipywidgets.SelectionSlider)
