"""The size of batches on a processor, by how long an image takes."""

import pytest

from service.inference.batch_limits import Limits, cpu_limits


@pytest.mark.parametrize(
    ("image_ms", "most", "brief"),
    [(0.1, 32, 100), (0.5, 32, 20), (2.4, 20, 4), (12, 4, 0), (80, 1, 0)],
)
def test_a_processor_gets_batches_that_nobody_waits_long_behind(
    image_ms: float, most: int, brief: int
) -> None:
    found = cpu_limits(1000, image_ms / 1000)
    assert found == Limits(1000, most, brief)
