"""Near copies: the limit below which a neighbor is one, lower where images often have one."""

import numpy as np
import pytest

from training.data.copy_features import OF_THE_CROWD, Places, copied_share

COUNT = 1500


def drawn(within: float, families: int, seed: int = 0) -> Places:
    """Images in families of four that differ by `within` of what families differ by."""
    chance = np.random.default_rng(seed)
    centers = chance.normal(size=(families, 256))
    members = np.repeat(centers, 4, axis=0)
    spread = within * chance.uniform(0.2, 1.8, size=(len(members), 1))
    there: Places = (members + spread * chance.normal(size=members.shape)).astype(np.float32)
    return there


def test_where_each_image_is_distinct_the_limit_is_the_usual_one() -> None:
    chance = np.random.default_rng(0)
    assert copied_share(chance.normal(size=(COUNT, 256)).astype(np.float32)) == OF_THE_CROWD


def test_where_images_often_have_a_near_neighbor_it_is_lower() -> None:
    assert copied_share(drawn(0.25, COUNT // 4)) < 0.5 * OF_THE_CROWD


@pytest.mark.parametrize("copies", [0.05, 0.2, 0.4])
def test_copies_among_distinct_images_lower_it_little(copies: float) -> None:
    chance = np.random.default_rng(0)
    there = chance.normal(size=(COUNT, 256))
    several = round(copies * COUNT / 2)
    there[:several] = there[several : 2 * several] + 0.1 * chance.normal(size=(several, 256))
    assert copied_share(there.astype(np.float32)) > 0.75 * OF_THE_CROWD


@pytest.mark.parametrize("count", [1, 5, 99])
def test_few_images_have_the_usual_limit(count: int) -> None:
    assert copied_share(drawn(0.25, 25)[:count]) == OF_THE_CROWD


def test_equal_images_have_a_limit_all_the_same() -> None:
    assert 0 <= copied_share(np.zeros((200, 256), np.float32)) <= OF_THE_CROWD
