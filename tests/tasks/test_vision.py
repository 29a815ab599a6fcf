"""ResNets against torchvision's: the same architecture but for the stem."""

import pytest
import torch

from l2o_core.errors import ConfigError
from l2o_core.tasks import vision
from l2o_core.torchvision_ops import torchvision


def size(network):
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("depth", [18, 34, 50, 152])
def test_same_parameters_as_torchvision(depth):
    with torch.device("meta"):
        reference = getattr(torchvision("models"), f"resnet{depth}")()
        assert size(vision.resnet(depth, 1000, "imagenet")) == size(reference)
        assert size(vision.resnet(depth, 1000)) == size(reference) - 64 * 3 * (7 * 7 - 3 * 3)


@pytest.mark.parametrize("depth", [18, 50])
def test_same_function_as_torchvision(depth):
    torch.manual_seed(0)
    ours = vision.resnet(depth, 10, "imagenet").eval()
    theirs = getattr(torchvision("models"), f"resnet{depth}")(num_classes=10).eval()
    with torch.no_grad():
        named = dict(theirs.named_parameters())
        skip = [name for name in named if "downsample" in name]
        plain = [p for name, p in named.items() if name not in skip]
        mine = [p for name, p in ours.named_parameters() if "shortcut" not in name]
        for target, source in zip(mine, plain, strict=True):
            target.copy_(source)
        shortcuts = [p for name, p in ours.named_parameters() if "shortcut" in name]
        for target, name in zip(shortcuts, skip, strict=True):
            target.copy_(named[name])
        x = torch.randn(2, 3, 32, 32)
        torch.testing.assert_close(ours(x), theirs(x), rtol=1e-4, atol=1e-4)


def test_the_cifar_stem_keeps_the_resolution():
    network = vision.resnet(18).eval()
    x = torch.zeros(1, 3, 32, 32)
    assert network[0](x).shape == (1, 64, 32, 32)
    assert network(x).shape == (1, 10)


def test_width_scales_every_stage():
    with torch.device("meta"):
        wide, narrow = vision.resnet(18), vision.resnet(18, width=16)
    for a, b in zip(wide.parameters(), narrow.parameters(), strict=True):
        assert all(x in (4 * y, y) for x, y in zip(a.shape, b.shape, strict=True))
    assert size(narrow) < size(wide) / 15


def test_mobilenet_keeps_torchvisions_parameters_and_a_higher_resolution():
    with torch.device("meta"):
        ours, reference = vision.mobilenet_v2(1000), torchvision("models").mobilenet_v2()
    assert [p.shape for p in ours.parameters()] == [p.shape for p in reference.parameters()]
    network = vision.mobilenet_v2().eval()
    assert network.features(torch.zeros(1, 3, 32, 32)).shape[-2:] == (4, 4)
    assert vision.mobilenet_v2(stem="imagenet").features(torch.zeros(2, 3, 32, 32)).shape[-2:] == (1, 1)


@pytest.mark.parametrize("name", vision.NETWORKS)
@pytest.mark.parametrize(("channels", "pixels"), [(1, 8), (3, 32)])
def test_networks_by_name_take_classes_width_and_channels(name, channels, pixels):
    network = vision.network(name, classes=100, width=8, channels=channels).eval()
    assert next(network.parameters()).shape == (8, channels, 3, 3)
    assert network(torch.zeros(2, channels, pixels, pixels)).shape == (2, 100)


@pytest.mark.parametrize(("name", "width"), [("resnet50", 64), ("resnet152", 64), ("mobilenet_v2", 32)])
def test_a_network_without_a_width_has_the_published_one(name, width):
    with torch.device("meta"):
        published, given = vision.network(name), vision.network(name, width=width)
    assert len(next(published.parameters())) == width
    assert size(published) == size(given)


def test_an_unknown_network_names_the_nearest():
    with pytest.raises(ConfigError, match=r"unknown network 'resnet51'.*resnet50"):
        vision.network("resnet51")


@pytest.mark.parametrize("channels", [4, 8])
def test_a_strided_shortcut_is_the_strided_convolution(channels):
    """Channels-last, where PyTorch's own writes beyond its memory below 8 channels."""
    torch.manual_seed(0)
    block = vision._basic(channels, 2 * channels, 2).eval()
    conv, norm = block.shortcut
    x = torch.randn(2, channels, 6, 6)
    strided = torch.nn.functional.conv2d(x, conv.weight, stride=2)
    torch.testing.assert_close(block.shortcut(x[..., ::2, ::2]), norm(strided))
    torch.testing.assert_close(block(x), torch.relu(block.body(x) + norm(strided)))


def test_the_convnet_is_as_sol_describes_it():
    network = vision.convnet()
    assert size(network) == (3 * 9 + 1) * 32 + (32 * 9 + 1) * 32 + 2 * 2 * 32 + (32 * 8**2 + 1) * 10
    assert network(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


def test_unknown_depth_and_stem():
    with pytest.raises(ConfigError, match="18, 34, 50, 101, 152"):
        vision.resnet(20)
    with pytest.raises(ConfigError, match="cifar, imagenet"):
        vision.resnet(18, stem="mnist")
    with pytest.raises(ConfigError, match="cifar, imagenet"):
        vision.mobilenet_v2(stem="mnist")
