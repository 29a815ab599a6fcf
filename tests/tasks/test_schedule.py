"""The learning rate of fine-tuning."""

from l2o_core.tasks.schedule import linear


def test_the_rate_rises_and_falls_linearly():
    assert [linear(step, 10, 0.2) for step in range(10)] == [0, 0.5, *(i / 8 for i in range(8, 0, -1))]
    assert linear(0, 1, 0.0) == 0
