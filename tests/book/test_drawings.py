"""Drawings of methods show the parts of the models they are made from."""

import matplotlib.pyplot as plt
from l2o_book import drawings

from l2o_core import models


def test_every_input_and_operator_of_sol_is_drawn():
    sol = models.SOL
    fig = drawings.operator_network(sol.inputs, sol.constants, sol.operators)
    texts = [text.get_text() for text in fig.axes[0].texts]
    assert {*sol.inputs, "1", "2"} <= {*texts}
    assert {drawings.SYMBOLS[name] for name in sol.operators} <= {*texts}
    maps = [len(lines.get_segments()) for lines in fig.axes[0].collections]
    assert maps == [14 * 11, 8]
    plt.close(fig)
