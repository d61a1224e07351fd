"""Decisions about pairs, by a report's section: probability, threshold and its rates."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.evidence.estimate import Estimate
from models.evidence.pairs import PairMap, PairRates

Kind = Literal["far", "frr"]
_SLACK = 1e-9


@dataclass(frozen=True)
class Unreachable(Exception):
    """No measured threshold has so low a rate; `nearest` is the lowest that one has."""

    nearest: float


def probability(map_: PairMap, scores: NDArray[np.floating], prior: float) -> NDArray[np.float64]:
    """The probability that each pair shows one class, where `prior` (0..1, open) of all pairs do.

    >>> rising = PairMap(scores=(0.0, 1.0), log_odds=(-2.0, 2.0))
    >>> probability(rising, np.array([0.5]), 0.5).tolist()
    [0.5]
    >>> probability(rising, np.array([0.5]), 0.1).round(6).tolist()
    [0.1]
    """
    odds = np.interp(scores, map_.scores, map_.log_odds) + np.log(prior / (1 - prior))
    found: NDArray[np.float64] = 1 / (1 + np.exp(-odds))
    return found


def choose(rates: Sequence[PairRates], kind: Kind, most: float) -> PairRates:
    """The threshold that keeps one rate at `most` and has the other as low as can be.

    Raises Unreachable where none of the measured thresholds keeps it.
    """
    fitting = [one for one in rates if getattr(one, kind).value <= most + _SLACK * most]
    if not fitting:
        raise Unreachable(min(getattr(one, kind).value for one in rates))
    place = min if kind == "far" else max
    return place(fitting, key=lambda one: one.threshold)


def rates_at(rates: Sequence[PairRates], threshold: float) -> PairRates:
    """The rates of any threshold: between two measured ones, intervals that hold both of theirs."""
    place = bisect_right([one.threshold for one in rates], threshold)
    below = rates[place - 1] if place else None
    if below is not None and below.threshold == threshold:
        return below
    above = rates[place] if place < len(rates) else None
    if below is None or above is None:
        return _beyond(below, above, threshold)
    share = (threshold - below.threshold) / (above.threshold - below.threshold)
    return PairRates(
        threshold=threshold,
        far=_between(below.far, above.far, share),
        frr=_between(below.frr, above.frr, share),
    )


def _beyond(below: PairRates | None, above: PairRates | None, threshold: float) -> PairRates:
    """Below the lowest threshold or above the highest: what is certain is 0 and 1."""
    none, all_ = (Estimate(value=end, low=end, high=end) for end in (0.0, 1.0))
    if below is None and above is not None:
        far, frr = _between(all_, above.far, 0.5), _between(none, above.frr, 0.5)
    elif below is not None:
        far, frr = _between(below.far, none, 0.5), _between(below.frr, all_, 0.5)
    else:
        raise ValueError("rates must hold a threshold")
    return PairRates(threshold=threshold, far=far, frr=frr)


def _between(one: Estimate, other: Estimate, share: float) -> Estimate:
    return Estimate(
        value=(1 - share) * one.value + share * other.value,
        low=min(one.low, other.low),
        high=max(one.high, other.high),
    )
