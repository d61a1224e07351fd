"""Rounds in which two ways are compared. Nothing here depends on how long they take."""

import pytest

from benchmarks.index.timing import by_turns


@pytest.mark.parametrize("least", [1, 3, 11])
def test_rounds_that_outlast_all_patience_are_still_three(least: int) -> None:
    pair = by_turns(lambda _: None, lambda _: None, range(20), seconds=0.0, least=least)
    assert len(pair.ours) == len(pair.raw) == 3


def test_a_comparison_ends_with_its_inputs() -> None:
    pair = by_turns(lambda _: None, lambda _: None, range(20), seconds=1e9)
    assert len(pair.ours) == len(pair.raw) == 20


def test_either_way_is_first_in_turn() -> None:
    order: list[str] = []
    by_turns(
        lambda one: order.append(f"ours {one}"),
        lambda one: order.append(f"raw {one}"),
        range(3),
        seconds=1e9,
    )
    assert order == ["raw 0", "ours 0", "ours 1", "raw 1", "raw 2", "ours 2"]
