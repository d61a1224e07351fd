"""Decisions about pairs: probability by prior, thresholds by rate, rates between thresholds."""

import numpy as np
import pytest
from pydantic import ValidationError

from models.evidence.pairs import PairMap
from models.pairs import Unreachable, choose, probability, rates_at
from tests.support.reports import pairs

SECTION = pairs()


def test_the_prior_moves_the_log_odds_by_its_own() -> None:
    scores = np.array([-1.0, -0.5, 0.2, 0.55, 0.9, 1.0])
    balanced = probability(SECTION.map, scores, 0.5)
    rare = probability(SECTION.map, scores, 0.01)
    odds = np.log(balanced / (1 - balanced))
    assert odds.tolist() == pytest.approx([-4, -4, 0, 2, 4, 4])
    assert np.log(rare / (1 - rare)).tolist() == pytest.approx(
        (odds + np.log(0.01 / 0.99)).tolist()
    )


@pytest.mark.parametrize(("kind", "most", "threshold"), [
    ("far", 0.001, 0.8), ("far", 0.05, 0.8), ("far", 0.1, 0.2), ("far", 1.0, -0.9),
    ("frr", 0.01, -0.9), ("frr", 0.05, 0.2), ("frr", 0.39, 0.2), ("frr", 1.0, 0.8),
])  # fmt: skip
def test_a_rate_is_kept_at_the_least_cost_of_the_other(
    kind: str, most: float, threshold: float
) -> None:
    assert choose(SECTION.rates, kind, most).threshold == threshold  # type: ignore[arg-type]  # parametrized text


@pytest.mark.parametrize(("kind", "most", "nearest"), [("far", 0.0, 0.001), ("frr", 0.0, 0.01)])
def test_a_rate_that_none_has_names_the_nearest(kind: str, most: float, nearest: float) -> None:
    with pytest.raises(Unreachable) as caught:
        choose(SECTION.rates, kind, most)  # type: ignore[arg-type]  # parametrized text
    assert caught.value.nearest == nearest


def test_rates_of_a_threshold_in_between_hold_those_around_it() -> None:
    between = rates_at(SECTION.rates, 0.5)
    assert between.far.value == pytest.approx(0.0505)
    assert (between.far.low, between.far.high) == (
        SECTION.rates[2].far.low,
        SECTION.rates[1].far.high,
    )
    assert rates_at(SECTION.rates, 0.2) == SECTION.rates[1]
    below, above = rates_at(SECTION.rates, -1.0), rates_at(SECTION.rates, 0.9)
    assert (below.far.high, below.frr.low) == (1.0, 0.0)
    assert (above.far.low, above.frr.high) == (0.0, 1.0)


@pytest.mark.parametrize(("scores", "odds"), [
    ((0.0, 0.0), (0.0, 1.0)), ((0.0, 1.0), (1.0, 0.0)), ((0.0, 1.0, 2.0), (0.0, 1.0)),
])  # fmt: skip
def test_a_map_that_does_not_rise_is_refused(
    scores: tuple[float, ...], odds: tuple[float, ...]
) -> None:
    with pytest.raises(ValidationError):
        PairMap(scores=scores, log_odds=odds)
