"""Decisions about pairs by a model's report: score, probability, same or not."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float32, Float64

from models.evidence.pairs import PairRates, PairsSection
from models.pairs import Kind, Unreachable, choose, probability, rates_at
from models.vectors import unit
from service.errors import PairsNotMeasured, PrecisionMismatch, RateUnreachable
from service.inference.engine import Engine

DEFAULT_FAR = 0.01

ChosenBy = Literal["far", "frr", "threshold", "default"]
Scores = Float64[np.ndarray, " p"]


@dataclass(frozen=True)
class Wanted:
    """One of the ways to name a threshold; none of them is `far` at the default."""

    far: float | None = None
    frr: float | None = None
    threshold: float | None = None

    @property
    def chosen_by(self) -> ChosenBy:
        """The way that is named."""
        names: tuple[ChosenBy, ...] = ("far", "frr", "threshold")
        return next((one for one in names if getattr(self, one) is not None), "default")


@dataclass(frozen=True)
class Decision:
    """A threshold: what the calibration split promises of it, and what test pairs measured."""

    section: PairsSection
    chosen_by: ChosenBy
    promised: PairRates
    measured: PairRates

    @property
    def threshold(self) -> float:
        """The score from which on a pair is called the same."""
        return self.promised.threshold

    def others(self) -> list[tuple[str, PairRates]]:
        """The rates on other data sets, by name."""
        judged = self.section.others
        return [(one.name, rates_at(one.rates, self.threshold)) for one in judged]


def pairs_of(engine: Engine) -> PairsSection:
    """The section on pairs of the model's report.

    Raises PairsNotMeasured where there is none, and PrecisionMismatch where the graph that answers
    gives other scores than the one that was measured.
    """
    manifest, report = engine.manifest, engine.bundle.report
    if report.pairs is None:
        data = report.provenance.dataset.name
        raise PairsNotMeasured(manifest.name, manifest.version, f"DIR_OF_{data}")
    if not engine.may_mix_with("float32"):
        where = f"the calibration of pairs of {manifest.name}/{manifest.version}"
        raise PrecisionMismatch(where, "float32", engine.precision)
    return report.pairs


def decide(section: PairsSection, wanted: Wanted) -> Decision:
    """The threshold that is asked for. Raises RateUnreachable where none keeps the rate."""
    chosen_by, threshold = wanted.chosen_by, wanted.threshold
    if threshold is None:
        kind: Kind = "frr" if chosen_by == "frr" else "far"
        most = getattr(wanted, kind)
        most = DEFAULT_FAR if most is None else most
        try:
            threshold = choose(section.rates, kind, most).threshold
        except Unreachable as error:
            raise RateUnreachable(kind, most, error.nearest) from None
    return Decision(
        section,
        chosen_by,
        rates_at(section.rates, threshold),
        rates_at(section.test.rates, threshold),
    )


def pair_scores(
    section: PairsSection, query: Float32[np.ndarray, " d"], others: Float32[np.ndarray, "p d"]
) -> Scores:
    """The scores of one vector [d] with each of the others [p, d], as the section has them."""
    one, rest = query.astype(np.float64)[None], others.astype(np.float64)
    if section.metric == "cosine":
        cosines: Scores = np.clip(unit(rest) @ unit(one)[0], -1, 1)
        return cosines
    away: Scores = np.square(rest - one).sum(axis=1)
    return -away


def probabilities(section: PairsSection, scores: Scores, prior: float) -> Scores:
    """The probability that each pair shows one class, where `prior` of all pairs do."""
    return probability(section.map, scores, prior)
