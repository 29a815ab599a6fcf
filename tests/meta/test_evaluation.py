"""Evaluation of optimizers and tasks that users write, and options that are refused."""

import pytest
import torch

from l2o_core import discovery, distiller, meta, models, optim, tasks
from l2o_core.errors import ConfigError
from l2o_core.features import Features

P1 = tasks.load("p1")


class Descent(models.LearnedOptimizer):
    """u = -w g, written without `options`."""

    def __init__(self):
        super().__init__(Features(("g",)))
        self.w = torch.nn.Parameter(torch.tensor(0.01))

    def init_memory(self, like):
        return ()

    def update(self, inputs, memory):
        return -self.w * inputs[..., 0], ()


class WithOptions(Descent):
    """The same with them."""

    def __init__(self):
        super().__init__()
        self.options = {}


class Transposed(tasks.Rastrigin):
    """P1 with its starting points and gradients laid out the other way in memory."""

    def init(self, generator, instances=1):
        return super().init(generator, instances).T.contiguous().T

    def loss_and_gradient(self, params, batch):
        loss, gradient = super().loss_and_gradient(params, batch)
        return loss, gradient.T.contiguous().T


@pytest.mark.parametrize(
    ("option", "message"),
    [({"steps": 0}, "steps must be a whole number, 1 or more, not 0"),
     ({"steps": -1}, "steps must be a whole number, 1 or more, not -1"),
     ({"steps": 2.5}, r"steps must be a whole number, 1 or more, not 2\.5"),
     ({"instances": 0}, "instances must be a whole number, 1 or more, not 0"),
     ({"seed": 0.5}, r"seed must be a whole number, not 0\.5")],
)  # fmt: skip
def test_numbers_that_make_no_sense_are_refused_by_name(option, message):
    with pytest.raises(ConfigError, match=message):
        meta.evaluate(models.Equation("-0.01 * g"), P1, **{"steps": 3, "instances": 2} | option)


def test_an_optimizer_without_options_is_told_what_it_lacks(tmp_path):
    options = {"epochs": 1, "steps": 2, "unroll": 2, "validation_instances": 1, "progress": False}
    for use in (
        lambda: meta.evaluate(Descent(), P1, steps=2),
        lambda: meta.meta_train(Descent(), P1, **options),
    ):
        with pytest.raises(ConfigError, match=r"Descent has no options: set self\.options in its __init__"):
            use()
    with pytest.raises(AttributeError, match="no attribute 'other'"):
        _ = Descent().other
    found = meta.evaluate(WithOptions(), P1, steps=2, instances=3)
    torch.testing.assert_close(found, meta.evaluate(models.Equation("-0.01 * g"), P1, steps=2, instances=3))
    assert len(meta.meta_train(WithOptions(), P1, **options).losses) == 1


def test_how_a_task_lays_out_its_tensors_does_not_matter():
    rule, options, task = models.Equation("-0.01 * g"), {"steps": 3, "instances": 2}, Transposed()
    assert not task.init(torch.Generator(), 2).is_contiguous()
    want = meta.evaluate(rule, P1, **options)
    torch.testing.assert_close(meta.evaluate(rule, task, **options), want)
    torch.testing.assert_close(meta.evaluate_rules(["-0.01 * g"], task, **options)[0], want)
    rows = (distiller.collect(rule, each, lags=1, samples=9, **options) for each in (P1, task))
    ours, theirs = rows
    torch.testing.assert_close(torch.tensor(ours.targets), torch.tensor(theirs.targets))
    ways = [distiller.record(rule, each, **options) for each in (P1, task)]
    torch.testing.assert_close(ways[0].updates, ways[1].updates)


@pytest.mark.parametrize("optimizer", ["adam", "-0.1 * g", None, torch.optim.SGD([torch.zeros(1)])])
def test_what_is_no_learned_optimizer_is_refused_in_words(optimizer):
    task = tasks.load("p1")
    runs = [
        lambda: meta.evaluate(optimizer, task, steps=2, instances=2),
        lambda: meta.meta_train(optimizer, task, epochs=1, steps=2, unroll=1),
        lambda: distiller.collect(optimizer, task, lags=1, samples=2, steps=2, instances=2),
        lambda: distiller.record(optimizer, task, steps=2, instances=2),
    ]
    for run in runs:
        with pytest.raises(ConfigError, match=r"a learned optimizer is wanted, not a .*models\.load"):
            run()


def test_what_is_no_task_is_refused_in_words():
    rule = models.Equation("-0.1 * g")
    runs = [
        lambda task: meta.evaluate(rule, task, steps=2),
        lambda task: meta.meta_train(rule, task, epochs=1),
        lambda task: meta.tune(rule, task),
        lambda task: meta.tune_without_gradients(rule, task),
        lambda task: meta.tune_without_gradients(rule, [P1, task]),
        lambda task: meta.evaluate_rules(["-0.1 * g"], task, steps=2),
        lambda task: discovery.discover(task),
        lambda task: discovery.discover(P1, choice=[P1, task]),
        lambda task: discovery.tuned_adam(task),
        lambda task: discovery.evaluate_fresh({"ours": "-0.1 * g"}, task),
    ]
    for run in runs:
        with pytest.raises(ConfigError, match=r"a task is wanted, not 'p2'; tasks\.load\(\"p2\"\) makes one"):
            run("p2")
        with pytest.raises(ConfigError, match=r"a task is wanted, not None; tasks\.load\(\"p1\"\)"):
            run(None)


def test_no_task_at_all_is_refused():
    runs = [
        lambda: meta.tune_without_gradients("-0.1 * g", []),
        lambda: discovery.tuned_adam([]),
        lambda: discovery.discover(P1, choice=[]),
    ]
    for run in runs:
        with pytest.raises(ConfigError, match="there is no task to"):
            run()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (models.RP(), "an object of RP is no trained equation, as models.Equation"),
        (None, "an object of NoneType is no trained equation"),
        ("adam", r"give a rule itself as SymbolicOptimizer\(params, rule\)"),
    ],
)
def test_what_is_no_trained_equation_is_refused_in_words(model, message):
    with pytest.raises(ConfigError, match=message):
        optim.SymbolicOptimizer.of(model, [torch.zeros(1)])
