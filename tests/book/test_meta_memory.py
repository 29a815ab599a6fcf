"""Memory of meta-training, measured in a process of its own."""

import pytest
from l2o_book import meta_memory

from l2o_core.errors import L2OError

ASKED = {"dataset": "digits", "steps": 1, "fraction": 0.05, "device": "cpu"}
ASKED["options"] = {"width": 8, "channels": 1, "batch": 4}


def test_an_lstm_takes_more_than_sol():
    found = {
        name: meta_memory.measured(optimizer=name, network="resnet18", **ASKED) for name in ("SOL", "DM")
    }
    assert found["SOL"]["parameters"] == found["DM"]["parameters"] == 176_258
    # the state of the LSTM alone: two layers of two vectors of 20 numbers for each parameter
    assert found["DM"]["megabytes"] - found["SOL"]["megabytes"] > 80 * 4 * 176_258 / 2**20


def test_one_graph_of_all_coordinates_takes_more_than_the_adjoint():
    asked = ASKED | {"steps": 6}
    ours, published = (
        meta_memory.measured(optimizer="SOL", network="resnet18", structure=structure, **asked)["megabytes"]
        for structure in ("adjoint", "graph")
    )
    assert published > 2 * ours


def test_what_cannot_be_measured_is_left_out(capsys):
    found = meta_memory.of_networks(["resnet20", "resnet18"], **ASKED)
    assert found["ResNet-20"] == {}
    assert found["ResNet-18"].keys() == {"SOL", "L2LGD2", "parameters"}
    assert found["ResNet-18"]["parameters"] == pytest.approx(0.176258)
    assert "no memory of SOL on resnet20" in capsys.readouterr().out
    assert meta_memory.of_structures("resnet20", **ASKED) == {"SOL": {}, "L2LGD2": {}}
    assert capsys.readouterr().out.count("no memory of") == 4


def test_a_process_without_an_answer_says_why():
    with pytest.raises(L2OError, match=r"no memory of SOL on resnet20: .*unknown network 'resnet20'"):
        meta_memory.measured(optimizer="SOL", network="resnet20", **ASKED)
