"""Answering only when sure: what a confidence threshold costs in coverage and buys in error."""

from pydantic import Field

from models.manifest import Frozen


class Accepted(Frozen):
    """The images of one split whose confidence is at least a threshold."""

    threshold: float = Field(description="least top probability that is accepted, in 0..1")
    n: int = Field(ge=0, description="images accepted")
    errors: int = Field(ge=0, description="of them, images given the wrong class")
    coverage: float = Field(description="share of the split's images that are accepted, in 0..1")
    error: float | None = Field(description="errors / n, in 0..1; null where none is accepted")
    upper: float = Field(
        description="one-sided 95 % Clopper-Pearson upper bound of the error; 1 where none is "
        "accepted"
    )


class Statement(Accepted):
    """At this coverage the error is at most `upper`."""

    target_coverage: float = Field(
        description="asked for; `coverage` is the least that a threshold reaches from there up"
    )


class Choice(Frozen):
    """A threshold that the calibration split offers, and what it does there and on the test set."""

    calibration: Accepted
    test: Accepted


class RiskCoverage(Frozen):
    """Error against coverage, where images are accepted in order of confidence.

    A threshold accepts all images of equal confidence or none, so only the coverages listed exist.
    """

    aurc: float = Field(
        description="area under the curve on the test set: the mean over k = 1..n of the error "
        "among the k most confident images (arXiv 1805.08206); among images of equal confidence, "
        "the mean over their orders"
    )
    excess_aurc: float = Field(
        description="aurc less that of the best order of the same answers, every error last"
    )
    curve: tuple[Accepted, ...] = Field(
        description="on the test set: for each of the coverages 1/200, 2/200 .. 1, the least that "
        "a threshold reaches from there up; coverage rises, threshold falls"
    )
    statements: tuple[Statement, ...] = Field(
        description="on the test set, at coverages 0.80, 0.90, 0.95 and 0.99"
    )
    choices: tuple[Choice, ...] = Field(
        description="the same curve of the calibration split, and the test set at its thresholds: "
        "what a threshold is chosen from, so that the test set does not choose it. The split was "
        "also used to fit the temperature and the confidence map, a few numbers that reorder no "
        "image; the threshold with few errors is still picked from many, so the test set's are "
        "the ones to quote"
    )


def threshold_for(curve: RiskCoverage, max_error: float) -> Choice | None:
    """The threshold that accepts most images at an error of at most `max_error` (0..1).

    The calibration split's error decides, and `test` tells what became of it on images that had
    no say; None where no threshold is good enough.
    """
    met = [
        choice
        for choice in curve.choices
        if choice.calibration.error is not None and choice.calibration.error <= max_error
    ]
    return max(met, key=lambda choice: choice.calibration.coverage, default=None)
