"""An image counts as much as its decoding costs, whatever its format."""

from time import process_time

import pytest

from models.manifest import Preprocess
from models.preprocess import effort, preprocess, preview
from tests.support.slow import SLOW, slow

SPEC = Preprocess(size_px=32)
_MOST = 5  # times the ordinary; the slowest is at 2


def _seconds(data: bytes) -> float:
    """CPU seconds for one unit of effort; of several attempts the least disturbed."""
    taken = []
    for _ in range(3):
        started = process_time()
        preprocess(data, SPEC)
        taken.append(process_time() - started)
    return min(taken) / effort(data)


@pytest.fixture(scope="module")
def ordinary() -> float:
    """Of a plain gray PNG."""
    return _seconds(slow("png 8 bit, color 0"))


@pytest.mark.parametrize("name", SLOW)
def test_no_format_costs_more_than_it_counts(name: str, ordinary: float) -> None:
    assert _seconds(slow(name)) < _MOST * ordinary


@pytest.mark.parametrize("name", SLOW)
def test_a_thumbnail_costs_no_more_than_that(name: str, ordinary: float) -> None:
    data = slow(name)
    started = process_time()
    preview(data, 96)
    assert process_time() - started < 2 * _MOST * ordinary * effort(data)
