"""The search for the highest rate."""

import pytest

from benchmarks.serving.search import highest


@pytest.mark.parametrize("true", [0, 1, 37, 500, 999.9, 1000, 5000])
def test_the_highest_rate_is_found_to_the_resolution(true: float) -> None:
    tried = []

    def passes(rate: float) -> bool:
        tried.append(rate)
        return rate <= true

    found = highest(passes, limit=1000, probes=8)
    assert len(tried) == 8
    assert found <= true
    assert min(true, 1000) - found <= 1000 / 2**8
    assert found == 0 or found in tried
