"""The size of batches on a processor, by how long an image takes."""

import pytest

from service.inference.batch_limits import ImageTime, Limits, cpu_limits


@pytest.mark.parametrize(
    ("image_ms", "most", "brief"),
    [(0.1, 32, 100), (0.5, 32, 20), (2.4, 20, 4), (12, 4, 0), (80, 1, 0)],
)
def test_a_processor_gets_batches_that_nobody_waits_long_behind(
    image_ms: float, most: int, brief: int
) -> None:
    found = cpu_limits(1000, image_ms / 1000)
    assert found == Limits(1000, most, brief)


def test_a_busy_start_is_forgotten_at_the_first_batch_that_nothing_disturbs() -> None:
    time = ImageTime(0.08)
    time.note(1, 0.07)
    time.note(4, 0.02)
    time.note(4, 0.4)
    assert time.least_s == pytest.approx(0.005)


def test_a_machine_that_became_slower_is_noticed_within_128_batches() -> None:
    time = ImageTime(0.001)
    for _ in range(128):
        time.note(2, 0.02)
    assert time.least_s == pytest.approx(0.01)


def test_no_time_at_all_is_no_division_by_zero() -> None:
    assert cpu_limits(1000, 0.0).max_batch == 32
