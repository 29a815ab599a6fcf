"""A certificate says what holds of a rule, in text and as a figure."""

import math

import numpy as np
import pytest
from matplotlib.figure import Figure

from l2o_core.certificates import certificate
from l2o_core.cli import main
from l2o_core.errors import ConfigError
from l2o_core.optim import zoo


def test_heavy_ball():
    ball = certificate("momentum")
    assert ball.poles == (pytest.approx(0.9),)
    assert ball.tpf == pytest.approx(9)
    assert ball.slowest == pytest.approx(-1 / math.log(0.9))
    assert ball.gain == pytest.approx(-10)
    assert ball.ringing == pytest.approx(1 / 1.9)
    assert ball.stable == ((0, pytest.approx(3.8)),)
    assert "0 < lr x curvature < 3.8" in str(ball)


def test_the_mean_response_says_what_it_is():
    assert "mean response to noise of magnitude 2" in str(certificate("adam", gradient=2.0))


def test_a_rule_that_climbs_is_stable_nowhere():
    assert "nowhere" in str(certificate("0.1 * g"))


def test_a_sum_of_all_gradients_has_no_gain():
    added = certificate("p = p[1] + g; -p")
    assert math.isnan(added.gain)
    assert added.ringing == pytest.approx(0.5)
    assert added.slowest == added.tpf == math.inf
    assert "constant gradient:    the update grows for ever" in str(added)
    assert "nowhere" in str(added)


def test_weight_decay_has_no_range():
    decayed = certificate("-g - 0.1 * theta")
    assert decayed.stable is None
    assert "reads theta" in str(decayed)


def test_complex_poles_are_written_as_pairs():
    text = str(certificate("p = 0.9 * p[1] - 0.81 * p[2] + g; -p"))
    assert "0.45 + 0.7794i, 0.45 - 0.7794i" in text


def test_where_there_is_none_the_reason_stands_in_its_place():
    none = certificate("lion")
    assert none.linear is None
    assert str(none).splitlines() == [
        "no linear response:   sign has jumps and no slope",
        "largest step:         1 x lr, whatever the gradients",
    ]
    with pytest.raises(ConfigError, match="sign has jumps"):
        none.plot()


def test_a_figure_shows_poles_responses_and_convergence():
    axes = tuple(Figure().subplots(1, 4))
    assert certificate("nesterov").plot(axes) is axes
    plane, time, frequency, quadratic = axes
    assert plane.lines[1].get_xydata().tolist() == [[pytest.approx(0.9), 0]]
    assert time.lines[0].get_ydata()[:2] == pytest.approx([-1.9, -0.81])
    assert frequency.lines[0].get_ydata()[0] == pytest.approx(10)
    products, distance = quadratic.lines[0].get_data()
    edge = 2 * 1.9 / 2.8
    assert (np.asarray(distance)[products < 0.99 * edge] < 1).all()
    assert (np.asarray(distance)[products > 1.01 * edge] > 1).all()
    assert all(ax.get_xlabel() and ax.get_ylabel() and ax.get_title() for ax in axes)


@pytest.mark.parametrize("name", zoo.names())
def test_the_command_has_a_word_for_every_rule(name, capsys):
    assert main(["zoo", name, "--certificate"]) == 0
    text = capsys.readouterr().out
    assert any(
        said in text for said in ("lr x curvature", "no linear response", "no certificate", "reads theta")
    )


def test_a_certificate_is_of_one_rule(capsys):
    assert main(["zoo", "--certificate"]) == 2
    assert "for one rule" in capsys.readouterr().err
