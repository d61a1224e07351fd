"""Answers about pairs; the same models document them in OpenAPI."""

from typing import Any, Literal

from pydantic import Field

from models.evidence.estimate import Estimate
from models.evidence.pairs import Method, PairRates, PairScore
from models.manifest import Precision
from service.http.responses.schemas import Schema
from service.inference.verification import ChosenBy, Decision


class Rates(Schema):
    """Errors of the threshold on pairs of some images, with 95 % intervals over images."""

    far: Estimate = Field(description="share of pairs of two classes that it calls the same")
    frr: Estimate = Field(description="share of pairs of one class that it does not call the same")


class OtherRates(Rates):
    """The same on another data set, whose classes the model was not trained on."""

    name: str


class ChosenThreshold(Schema):
    """The score from which on a pair is called the same, and its errors."""

    value: float
    chosen_by: ChosenBy = Field(description="default: far=0.01")
    promised: Rates = Field(description="on the calibration split, which chose it")
    measured: Rates = Field(description="on the test set, which had no say")


class PairAnswer(Schema):
    """The first image, vector or item with one of the others, in their order."""

    of: Literal["image", "vector", "item"]
    id: str | None = Field(description="of an item; null for an image or a vector")
    score: float = Field(description="higher is nearer; see `score`")
    probability: float = Field(
        description="calibrated probability that both show one class, for the stated prior"
    )
    same: bool = Field(description="whether the score reaches the threshold")


class VerifyResponse(Schema):
    """Are they of the same class?"""

    loss: str
    version: int
    precision: Precision = Field(description="which of the model's graphs answered")
    collection: str = Field(description="where ids were looked up")
    score: PairScore = Field(
        description="the cosine, or with metric l2 the negative squared distance, as /neighbors"
    )
    prior: float = Field(description="share of pairs of one class that `probability` is for")
    threshold: ChosenThreshold
    pairs: list[PairAnswer]


class PairThresholdAnswer(Schema):
    """The threshold for pairs that keeps a rate of errors, and what it did on whose pairs."""

    loss: str
    version: int
    score: PairScore
    threshold: ChosenThreshold
    others: list[OtherRates] = Field(
        description="on data sets whose classes the model was not trained on, where measured"
    )
    images: int = Field(description="of the calibration split")
    test_images: int
    method: Method = Field(description="how a score becomes a probability")
    ece: Estimate = Field(
        description="calibration error of the probabilities of test pairs, balanced, in 0..1"
    )
    split_prior: float = Field(description="share of the split's pairs that are of one class")
    sentence: str = Field(description="the same in words")


def show_rates(rates: PairRates) -> dict[str, Any]:
    """The rates as the answer has them."""
    return {"far": rates.far.model_dump(), "frr": rates.frr.model_dump()}


def show_threshold(decision: Decision) -> dict[str, Any]:
    """The threshold as the answer has it."""
    return {
        "value": decision.threshold,
        "chosen_by": decision.chosen_by,
        "promised": show_rates(decision.promised),
        "measured": show_rates(decision.measured),
    }


def show_pair_threshold(loss: str, version: int, decision: Decision) -> PairThresholdAnswer:
    """The answer of GET /report/{loss}/threshold for pairs."""
    section = decision.section
    return PairThresholdAnswer(
        loss=loss,
        version=version,
        score=section.score,
        threshold=ChosenThreshold(**show_threshold(decision)),
        others=[OtherRates(name=name, **show_rates(one)) for name, one in decision.others()],
        images=section.images,
        test_images=section.test.images,
        method=section.method,
        ece=section.test.ece,
        split_prior=section.split_prior,
        sentence=_sentence(decision),
    )


def _sentence(decision: Decision) -> str:
    section, promised, measured = decision.section, decision.promised, decision.measured
    return (
        f"Call two images the same class where their score is at least {decision.threshold:.5g}. "
        f"Of pairs of two classes {_percent(promised.far)} are then called the same, and of pairs "
        f"of one class {_percent(promised.frr)} are not, over {section.images:,} calibration "
        f"images; {section.test.images:,} test images measured {_percent(measured.far)} and "
        f"{_percent(measured.frr)}."
    )


def _percent(found: Estimate) -> str:
    low, high = 100 * found.low, 100 * found.high
    return f"{100 * found.value:.3g} % (95 % interval {low:.3g} to {high:.3g} %)"
