import os
import subprocess
import sys

import pytest
import torch

from l2o_core.cli import main
from l2o_core.errors import CheckpointError, ConfigError
from l2o_core.storage import TENSORS
from l2o_core.tasks.attack import SHAPES, Defence, accuracies, defences, harden, load, pretrained, robustbench

TOY = {"dataset": "digits", "epochs": 2, "width": 2, "augment": False, "batch": 128}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_scores_images_of_any_size(shape):
    module = SHAPES[shape](classes=7, channels=1, width=4).eval()
    assert module(torch.rand(2, 1, 8, 8)).shape == (2, 7)
    assert 200_000 < sum(weights.numel() for weights in SHAPES[shape]().parameters()) < 500_000  # < 1 MB


def test_hardening_makes_a_classifier_that_resists(defence):
    found = accuracies(defence, epsilon=0.05, images=200)
    assert found["clean"] > 60
    assert 0.5 * found["clean"] < found["robust"] <= found["clean"]


def test_a_killed_hardening_continues_to_the_same_weights(tmp_path):
    whole = harden("narrow", **TOY)

    def kill(line):
        assert (tmp_path / "run.pt").is_file()  # nobody is told of an epoch that is not saved
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):  # before the second epoch
        harden("narrow", **TOY, checkpoint=tmp_path / "run.pt", tell=kill)
    lines = []
    again = harden("narrow", **TOY, checkpoint=tmp_path / "run.pt", tell=lines.append)
    more = harden("narrow", **TOY, checkpoint=tmp_path / "run.pt", tell=lines.append)
    assert len(lines) == 1
    for name, tensor in whole.module.state_dict().items():
        assert torch.equal(tensor, again.module.state_dict()[name])
        assert torch.equal(tensor, more.module.state_dict()[name])


def test_who_cannot_be_told_is_refused_before_the_first_epoch():
    with pytest.raises(
        ConfigError, match="tell must be a function of a line of text, such as print, not True"
    ):
        harden("narrow", **TOY, tell=True)


@pytest.mark.parametrize("part", ["model", "sgd", "schedule", "generator", "epoch"])
def test_a_checkpoint_without_its_parts_is_refused(tmp_path, part):
    path, options = tmp_path / "run.pt", TOY | {"epochs": 1, "batch": 1000}
    harden("narrow", **options, checkpoint=path)
    saved = TENSORS.load(path)
    del saved["content"][part]
    TENSORS.save(saved, path)
    with pytest.raises(CheckpointError, match=rf"run\.pt is no checkpoint .*{part}"):
        harden("narrow", **options, checkpoint=path)


def test_an_unknown_shape_is_said_before_any_is_trained(tmp_path, capsys):
    assert main(["train-defence", "narrow", "tall", "--dataset", "digits", "--folder", str(tmp_path)]) == 2
    assert "unknown shape 'tall'" in capsys.readouterr().err
    assert not [*tmp_path.iterdir()]


def test_a_saved_defence_is_itself_in_half_precision(tmp_path, defence, target):
    again = load(defence.save(tmp_path / "mine.safetensors"))
    assert (again.name, again.shape, again.classes) == ("mine", defence.shape, defence.classes)
    difference = again.scores(target.images) - defence.scores(target.images)
    assert difference.abs().max() < 0.05 * defence.scores(target.images).abs().max()


def test_a_damaged_file_is_refused(tmp_path, defence):
    path = defence.save(tmp_path / "mine.safetensors")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="is damaged or is no defence"):
        load(path)


def test_unknown_names_are_refused(monkeypatch):
    with pytest.raises(ConfigError, match="no defence 'carmon'"):
        load("carmon")
    with pytest.raises(ConfigError, match="unknown shape 'tall'"):
        harden("tall", "digits")
    monkeypatch.setitem(__import__("sys").modules, "robustbench.utils", None)
    with pytest.raises(
        ConfigError, match=r"model of RobustBench, whose package cannot be imported here \(.*utils"
    ):
        robustbench("Carmon2019Unlabeled")


def test_robustbench_finds_a_torchvision_that_can_load(tmp_path):
    """Its package imports torchvision, whose operators may be missing, in a fresh process."""
    (tmp_path / "robustbench").mkdir()
    (tmp_path / "robustbench" / "__init__.py").write_text("import torchvision.models")
    (tmp_path / "robustbench" / "utils.py").write_text("def load_model(name, **_):\n    raise KeyError(name)")
    code = "from l2o_core.tasks.attack import robustbench; robustbench('Mine')"
    path = os.pathsep.join([str(tmp_path), *sys.path])
    ran = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True
    )
    assert "RobustBench has no l_inf defence 'Mine'" in ran.stderr


def test_the_command_trains_and_describes(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(SHAPES, "plain", lambda classes, channels: _small(classes, channels))
    arguments = ["train-defence", "plain", "--dataset", "digits", "--epochs", "1", "--folder", str(tmp_path)]
    assert main(arguments) == 0
    assert "plain: clean" in capsys.readouterr().out
    assert "fast adversarial training" in (tmp_path / "plain.md").read_text().lower()


def _small(classes, channels):
    from l2o_core.tasks.attack.networks import plain

    return plain(classes, channels, 2)


@pytest.mark.parametrize("name", pretrained() or [pytest.param("", marks=pytest.mark.skip("none yet"))])
def test_shipped_defences_are_accurate_robust_and_small(name):
    training = load(name).training
    assert training["clean"] >= 55
    assert training["robust"] >= 30
    assert (defences.PRETRAINED / f"{name}.safetensors").stat().st_size < 1_000_000


def test_a_module_that_does_not_score_each_class_is_refused():
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 9))
    with pytest.raises(ConfigError, match=r"gives \[2, 9\] where scores \[2, 10\] are needed"):
        Defence("odd", module, "digits", 10, (1, 8, 8)).scores(torch.rand(2, 1, 8, 8))
