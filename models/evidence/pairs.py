"""Pairs of images: do the two show the same class, how surely, and from which score on."""

from itertools import pairwise
from typing import Literal

from pydantic import Field, model_validator

from models.evidence.estimate import Estimate
from models.manifest import Frozen, Metric, Sha256

Method = Literal["logistic", "beta", "isotonic"]
PairScore = Literal["cosine", "negative_squared_distance"]


class PairMap(Frozen):
    """The map from a pair's score to the log-odds that both images show one class.

    It is straight between the knots and constant beyond them. The log-odds are those of a balanced
    prior: as many pairs of one class as of two. Another prior p adds ln(p / (1 - p)).
    """

    scores: tuple[float, ...] = Field(min_length=2, description="rising")
    log_odds: tuple[float, ...] = Field(min_length=2, description="not falling")

    @model_validator(mode="after")
    def _rises(self) -> "PairMap":
        scores, odds = self.scores, self.log_odds
        if len(scores) != len(odds):
            raise ValueError("scores and log_odds must have the same length")
        if any(later <= one for one, later in pairwise(scores)):
            raise ValueError("scores must rise")
        if any(later < one for one, later in pairwise(odds)):
            raise ValueError("log_odds must not fall")
        return self


class HeldOut(Frozen):
    """One kind of map, judged on pairs of images that did not fit it."""

    method: Method
    nll: float = Field(
        description="mean negative log-likelihood in nats, both kinds of pairs weighted equally, "
        "mean over the halves"
    )


class PairRates(Frozen):
    """The errors of one threshold: a pair is called the same where its score >= threshold.

    95 % intervals over images, by how much each image moves the rate (infinitesimal jackknife, ends
    of Wilson), so that pairs that share an image are not counted as independent.
    """

    threshold: float
    far: Estimate = Field(description="false accepts: share of pairs of two classes called same")
    frr: Estimate = Field(description="false rejects: share of pairs of one class not called same")


class PairsJudged(Frozen):
    """The map and the thresholds on images that neither fitted nor chose them."""

    name: str = Field(description="the images: test, or the name of another data set")
    sha256: Sha256 | None = Field(description="of another data set; null for the model's own")
    trained: bool = Field(description="whether the model was trained on these classes")
    images: int = Field(ge=2, description="all up to the limit, else a seeded stratified sample")
    classes: int = Field(ge=1)
    genuine_pairs: int = Field(ge=1)
    impostor_pairs: int = Field(ge=1)
    ece: Estimate = Field(
        description="expected calibration error of the pairs' probabilities at a balanced prior, "
        "15 equal-width bins, 0..1; interval: bootstrap over images on a sample of pairs"
    )
    nll: Estimate = Field(description="in nats, both kinds weighted equally; interval likewise")
    rates: tuple[PairRates, ...] = Field(description="at the thresholds of the section's `rates`")


class PairsSection(Frozen):
    """Pairs of the calibration split fit the map and choose thresholds; test pairs judge both."""

    metric: Metric
    score: PairScore = Field(
        description="as the API has it: the cosine, or minus the squared Euclidean distance"
    )
    images: int = Field(ge=2, description="of the calibration split")
    genuine_pairs: int = Field(ge=1)
    impostor_pairs: int = Field(ge=1)
    split_prior: float = Field(
        gt=0, lt=1, description="share of the split's pairs that are of one class"
    )
    method: Method = Field(description="the kind of map with the least held-out NLL")
    held_out: tuple[HeldOut, ...] = Field(
        description="each kind: fitted on half of the images, judged on the other half, both ways, "
        "in 3 random partitions"
    )
    map: PairMap
    rates: tuple[PairRates, ...] = Field(
        min_length=2, description="on the calibration split, by rising threshold: what is promised"
    )
    test: PairsJudged
    others: tuple[PairsJudged, ...] = Field(
        default=(), description="other data sets, whose classes the model was not trained on"
    )
