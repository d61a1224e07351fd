import faiss
import numpy as np
import pytest

from service.vectors.mask import Mask

CHANCE = np.random.default_rng(0)


def some(size: int, count: int) -> np.ndarray:
    chosen: np.ndarray = np.sort(CHANCE.choice(size, count, replace=False))
    return chosen


@pytest.mark.parametrize(("size", "count"), [(0, 0), (1, 0), (1, 1), (8, 3), (77, 40), (77, 77)])
def test_a_mask_is_the_set_it_was_made_of(size: int, count: int) -> None:
    positions = some(size, count)
    mask = Mask.of(size, positions)
    assert (mask.size, mask.count) == (size, count)
    np.testing.assert_array_equal(mask.positions(), positions)
    np.testing.assert_array_equal(mask.holds(np.arange(size)), np.isin(np.arange(size), positions))


def test_what_is_appended_is_in_and_what_was_out_stays_out() -> None:
    mask = Mask.of(13, np.array([2, 12])).extended(9)
    np.testing.assert_array_equal(mask.positions(), [2, *range(12, 22)])
    assert mask.count == len(mask.positions())
    assert Mask.whole(3).extended(2) == Mask.whole(5)


def test_taking_out_leaves_the_mask_that_a_search_may_hold_as_it_was() -> None:
    before = Mask.of(20, np.arange(0, 20, 2))
    after = before.without(np.array([0, 8, 18]))
    np.testing.assert_array_equal(after.positions(), [2, 4, 6, 10, 12, 14, 16])
    assert (before.count, after.count) == (10, 7)
    np.testing.assert_array_equal(before.positions(), np.arange(0, 20, 2))


def test_nothing_keeps_faiss_from_anything_where_all_are_in() -> None:
    assert Mask.whole(10).selector() is None


def test_faiss_sees_the_same_set() -> None:
    mask = Mask.of(100, some(100, 30))
    chosen = mask.selector()
    assert isinstance(chosen, faiss.IDSelectorBitmap)
    members = [position for position in range(120) if chosen.is_member(position)]
    np.testing.assert_array_equal(members, mask.positions())
