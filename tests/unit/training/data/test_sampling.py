"""Samples keep each class's share."""

import numpy as np
import pytest

from training.data.sampling import stratified

LABELS = np.array([0] * 70 + [1] * 20 + [2] * 9 + [4], np.int64)


def test_a_sample_within_the_limit_is_every_row_once_in_random_order() -> None:
    rows = stratified(LABELS, 100, seed=1)
    assert sorted(rows.tolist()) == list(range(100))
    assert rows.tolist() != list(range(100))


@pytest.mark.parametrize("seed", range(5))
def test_a_smaller_sample_keeps_each_class_by_its_share(seed: int) -> None:
    rows = stratified(LABELS, 50, seed)
    assert len(set(rows.tolist())) == 50
    counts = np.bincount(LABELS[rows], minlength=5)
    assert np.abs(counts - np.bincount(LABELS, minlength=5) / 2).max() < 1
    assert rows.tolist() == stratified(LABELS, 50, seed).tolist()
    assert rows.tolist() != stratified(LABELS, 50, seed + 10).tolist()


def test_no_row_gives_no_row() -> None:
    assert len(stratified(np.empty(0, np.int64), 5, seed=0)) == 0
