"""Tallies."""

import pytest

from benchmarks.serving.sample import Tally


@pytest.mark.parametrize(("status", "refusal"), [(503, True), (429, True), (500, False)])
def test_a_refusal_is_one_status_of_two(status: int, refusal: bool) -> None:
    tally = Tally()
    tally.refuse(status, 0.5)
    sample = tally.sample(1.0, 0.0)
    assert sample.failures == {str(status): 1}
    assert list(sample.refused_s) == ([0.5] if refusal else [])


def test_some_answers_are_kept_and_the_first_always() -> None:
    tally = Tally(keep_every=3, keep_at_most=4)
    chosen = []
    for number in range(100):
        tally.good_s.append(0.1)
        if tally.keeps():
            chosen.append(number)
            tally.kept.append(None)  # type: ignore[arg-type]  # only their number matters
    assert chosen == [0, 3, 6, 9]
