import pytest
import torch

from l2o_core.errors import ConfigError, DataError
from l2o_core.tasks.attack import LOSSES, Target


def test_a_projection_is_in_ball_and_box_and_moves_nothing_that_is(target, z):
    once = target.project(z)
    images = target.images + target.epsilon * once.view_as(target.images)
    assert once.abs().max() <= 1
    assert images.min() > -1e-6
    assert images.max() < 1 + 1e-6
    assert torch.equal(target.project(once), once)


def test_the_gradient_is_that_of_the_losses(target, z):
    leaf = target.project(z).requires_grad_()
    losses = target.losses(leaf)
    (expected,) = torch.autograd.grad(losses.sum(), leaf)
    loss, gradient, _ = target.evaluate(leaf)
    torch.testing.assert_close(loss, losses.detach())
    torch.testing.assert_close(gradient, expected)


def test_dlr_is_negative_where_misclassified_and_forgets_scale():
    scores, labels = torch.randn(50, 5), torch.randint(5, (50,))
    losses = LOSSES["dlr"](scores, labels)
    assert torch.equal(losses < 0, scores.argmax(1) != labels)
    torch.testing.assert_close(LOSSES["dlr"](10 * scores, labels), losses)


def test_dlr_needs_three_classes():
    with pytest.raises(ConfigError, match="three classes, not 2"):
        LOSSES["dlr"](torch.zeros(1, 2), torch.zeros(1, dtype=torch.long))


@pytest.mark.parametrize("epsilon", [0, 0.0, -0.1, float("nan"), "8/255"])
def test_a_ball_needs_a_radius(target, epsilon):
    with pytest.raises(ConfigError, match="epsilon must be a positive number"):
        Target(target.defence, target.images, target.labels, epsilon)


@pytest.mark.parametrize("change", [lambda x: x * 255, lambda x: x - 0.1, lambda x: x * torch.nan])
def test_pixels_lie_between_0_and_1(target, change):
    with pytest.raises(DataError, match=r"pixels must lie in \[0, 1\]"):
        Target(target.defence, change(target.images), target.labels)


def test_bytes_are_refused(target):
    with pytest.raises(DataError, match="divide bytes by 255"):
        Target(target.defence, (255 * target.images).byte(), target.labels)


def test_labels_are_classes_of_the_defence(target):
    with pytest.raises(DataError, match="knows the classes 0 to 9, and a label is 99"):
        Target(target.defence, target.images, target.labels * 0 + 99)


def test_images_have_the_shape_of_the_defence(target):
    with pytest.raises(DataError, match="classifies images"):
        Target(target.defence, target.images[:, :, :4], target.labels)
    with pytest.raises(DataError, match="give images of digits"):
        target.defence.scores(target.images[:, :, :4])


def test_an_unknown_loss_is_named(target):
    with pytest.raises(ConfigError, match="unknown loss 'hinge'"):
        Target(target.defence, target.images, target.labels, loss="hinge")
