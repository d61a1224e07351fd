import numpy as np
import pytest

from service.vectors.ivfpq import distinct


@pytest.mark.parametrize("n", [3_000, 100_000])  # by a table, by sorting
@pytest.mark.parametrize("least", [-1, 0])
def test_what_occurs_is_named_once_and_found_again(n: int, least: int) -> None:
    positions = np.random.default_rng(0).integers(least, 1_000, (10, 40))
    wanted, at = distinct(positions, n)
    np.testing.assert_array_equal(wanted, np.unique(positions[positions >= 0]))
    np.testing.assert_array_equal(np.append(wanted, -1)[at], positions)


@pytest.mark.parametrize("n", [10, 1_000])
def test_nothing_occurs_where_all_are_missing(n: int) -> None:
    wanted, at = distinct(np.full((2, 3), -1), n)
    assert len(wanted) == 0
    np.testing.assert_array_equal(at, np.full((2, 3), -1))
