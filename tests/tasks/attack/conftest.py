import pytest
import torch

from l2o_core import data
from l2o_core.tasks.attack import Target, harden


@pytest.fixture(scope="session")
def defence():
    """A small classifier of digits, hardened in a second."""
    return harden("plain", "digits", epochs=6, epsilon=0.1, batch=64, width=4, augment=False)


@pytest.fixture(scope="session")
def target(defence):
    """Test images that it classifies rightly."""
    test = data.load("digits", "test")
    images, labels = test.images.float() / 255, test.labels
    right = defence.right(images, labels)
    return Target(defence, images[right][:64], labels[right][:64], epsilon=0.15)


@pytest.fixture
def z(target):
    """Perturbations somewhere, feasible or not."""
    return 3 * torch.randn(len(target), 64)
