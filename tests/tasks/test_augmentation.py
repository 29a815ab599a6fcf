"""Random shifts and mirror images."""

import torch

from l2o_core import tasks
from l2o_core.tasks.augmentation import shift_and_mirror


def generator():
    return torch.Generator().manual_seed(0)


def test_every_image_is_a_window_of_its_padded_self_or_of_its_mirror_image():
    images = torch.arange(1, 1 + 2 * 5 * 3 * 6 * 6).view(2, 5, 3, 6, 6)
    changed = shift_and_mirror(images, generator(), margin=2)
    assert changed.shape == images.shape
    kinds = set()
    for before, after in zip(images.flatten(0, 1), changed.flatten(0, 1), strict=True):
        windows = {
            (down, right, mirrored): (padded.flip(-1) if mirrored else padded)[
                :, down : down + 6, right : right + 6
            ]
            for padded in [torch.nn.functional.pad(before, (2,) * 4)]
            for down in range(5)
            for right in range(5)
            for mirrored in (False, True)
        }
        found = [key for key, window in windows.items() if torch.equal(window, after)]
        assert len(found) == 1
        kinds.add(found[0])
    assert len(kinds) > 5
    assert {mirrored for *_, mirrored in kinds} == {False, True}


def test_a_seed_gives_the_same_images():
    images = torch.rand(4, 1, 8, 8)
    first, again = (shift_and_mirror(images, generator()) for _ in range(2))
    assert torch.equal(first, again)


def test_a_task_augments_where_asked():
    plain, augmented = (
        next(tasks.load("digits", augment=augment).batches(generator())) for augment in (False, True)
    )
    assert torch.equal(plain[1], augmented[1])
    assert plain[0].shape == augmented[0].shape
    assert not torch.equal(plain[0], augmented[0])
