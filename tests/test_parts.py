"""Parts to train on, to choose on and to report on share no image and no seed."""

from itertools import combinations

import pytest
import torch

from l2o_core import data, parts, tasks
from l2o_core.errors import ConfigError, DataError
from l2o_core.meta.rollout import Rollout
from l2o_core.models import Equation
from l2o_core.storage import digest


def loaded(name, part):
    try:
        return data.load(name, part=part)
    except DataError:
        pytest.skip(f"{name} is not on this machine")


@pytest.mark.parametrize("name", data.NAMES)
def test_no_image_is_in_two_parts(name):
    found = [{image.tobytes() for image in loaded(name, part).images.numpy()} for part in parts.PARTS]
    assert all(len(images) > 10 for images in found)
    assert not any(one & other for one, other in combinations(found, 2))


def test_parts_share_no_row_and_a_copied_image_stays_in_the_first():
    images = torch.arange(100, dtype=torch.uint8).view(100, 1, 1, 1).clone()
    images[55], images[99] = images[3], images[58]
    train, choose, report = (parts.rows(images, part).tolist() for part in parts.PARTS)
    assert train == list(range(50))
    assert choose == [i for i in range(50, 60) if i != 55]
    assert report == list(range(60, 99))


@pytest.mark.parametrize("name", ["p1", "digits"])
def test_no_seed_of_a_part_gives_an_instance_of_another(name):
    seeds = [0, 1, 1000, 3000, ~0, ~5, 7 * 1_000_003]
    found = set()
    for part in parts.PARTS:
        task = tasks.load(name, part=part)
        found |= {digest(Rollout.start(Equation("-g"), task, seed, 2).params) for seed in seeds}
    assert len(found) == len(seeds) * len(parts.PARTS)


def test_seeds_of_the_parts_lie_in_windows_of_32_bits():
    edge = parts.WINDOW // 2
    seeds = [
        parts.generator(part, seed).initial_seed() % 2**32
        for part in parts.PARTS
        for seed in (-edge, -1, 0, edge - 1)
    ]
    assert len(set(seeds)) == len(seeds)
    assert parts.generator("report", 5).initial_seed() != parts.generator("report", 6).initial_seed()


@pytest.mark.parametrize("name", tasks.names())
def test_every_task_takes_a_part_and_refuses_another(name):
    with pytest.raises(ConfigError, match="unknown part 'reports'; did you mean 'report'"):
        tasks.load(name, part="reports")


def test_the_test_split_has_no_parts():
    with pytest.raises(ConfigError, match="leave out part"):
        data.load("digits", "test", part="report")
