"""`import l2o_core` offers the curated names, costs nothing, and needs the core packages only."""

import subprocess
import sys
import textwrap
from importlib.metadata import PackageNotFoundError, requires, version

import pytest
from packaging.requirements import Requirement

import l2o_core
from l2o_core.errors import ConfigError, optional_import

BLOCKED = {  # but for SymPy, which PyTorch brings
    requirement.name.replace("-", "_").lower().replace("scikit_learn", "sklearn").replace("pillow", "pil")
    for requirement in map(Requirement, requires("l2o_core") or ())
    if requirement.marker and 'extra == "distill"' in str(requirement.marker)
} - {"sympy"}
BARE = f"""
import sys
from importlib.machinery import PathFinder

class Bare(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        hidden = name.partition(".")[0].lower() in {BLOCKED}
        return None if hidden else super().find_spec(name, path, target)

sys.meta_path[:] = [Bare if finder is PathFinder else finder for finder in sys.meta_path]
"""


def bare(code: str) -> str:
    """What a program prints in a process that has the core packages only."""
    program = BARE + textwrap.dedent(code)
    run = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_every_name_is_there_and_comes_from_where_it_is_documented():
    for name in l2o_core.__all__:
        assert getattr(l2o_core, name) is not None
    assert l2o_core.SymbolicOptimizer is l2o_core.optim.SymbolicOptimizer
    assert l2o_core.tune is l2o_core.meta.tune
    assert {*l2o_core.__all__} < {*dir(l2o_core)}
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        l2o_core.nothing  # noqa: B018


def test_the_version_is_that_of_the_installation():
    try:
        expected = version("l2o_core")
    except PackageNotFoundError:
        pytest.skip("l2o_core is not installed")
    assert l2o_core.__version__ == expected


def test_core_packages_are_enough_to_optimize():
    """In one process, since each takes as long as PyTorch to start."""
    code = """
        import l2o_core
        print(*sorted(name for name in sys.modules if name.startswith("l2o_core.")), "torch" in sys.modules)
        import torch
        from l2o_core import distiller, expressions, features, meta, metrics, models, optim, tasks
        x = torch.nn.Parameter(torch.ones(3))
        optimizer = l2o_core.SymbolicOptimizer([x], "adam", lr=0.1)
        x.sum().backward()
        optimizer.step()
        teacher = models.load("rp/p2")
        update, _ = teacher(x.grad, teacher.init_state(x.grad))
        losses = l2o_core.evaluate(teacher, tasks.load("p1"), steps=2, instances=2)
        print(x.detach().tolist()[0] < 1, update.shape[0], losses.shape[1], len(optim.zoo.names()) > 5)
    """
    assert bare(code).split("\n") == ["False", "True 3 3 True", ""]


NEEDS = {
    "tasks.load('digits')": "the data set of digits needs sklearn",
    "tasks.load('mobilenet_v2')": "torchvision.models needs torchvision",
    "l2o_core.meta_train(models.DM(), tasks.load('p1'))": "meta-training needs tqdm",
    "meta.train_teachers([], [0], '.')": "training side by side needs joblib",
    "l2o_core.distill(np.random.randn(90, 1), np.random.randn(90))": "distillation needs tqdm",
    "metrics.r2(np.arange(3.0), np.arange(3.0))": "R2 needs sklearn",
}


def test_what_needs_an_extra_names_it():
    program = f"""
        import l2o_core, numpy as np
        from l2o_core import meta, metrics, models, tasks
        for code in {[*NEEDS]!r}:
            try:
                eval(code)
            except l2o_core.L2OError as error:
                print(type(error).__name__, error)
    """
    wanted = [f"ConfigError {needs}: pip install 'l2o_core[distill]'" for needs in NEEDS.values()]
    assert bare(program).splitlines() == wanted


def test_other_errors_of_an_import_are_not_touched():
    with pytest.raises(ZeroDivisionError), optional_import("nothing", extra="distill"):
        1 / 0  # noqa: B018
    message = r"a dream needs nowhere: pip install 'l2o_core\[lab\]'"
    with pytest.raises(ConfigError, match=message), optional_import("a dream", extra="lab"):
        import nowhere.at.all  # noqa: F401
