"""Answering only when sure: what a confidence threshold costs in coverage and buys in error."""

from typing import Literal

from pydantic import Field

from models.evidence.bounds import AcceptedCounts, hold_error
from models.evidence.estimate import Estimate
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
    aurc_interval: Estimate | None = Field(
        default=None,
        description="the AURC again, with its 95 % interval over test images (infinitesimal "
        "jackknife, ends of Wilson, with two images that were not drawn added to the variance). "
        "Absent from reports made before it was measured",
    )
    excess_aurc: float = Field(
        description="aurc less that of the best order of the same answers, every error last"
    )
    augrc: Estimate | None = Field(
        default=None,
        description="area under the generalized risk-coverage curve on the test set: the share of "
        "all images that are accepted and wrong, mean over all coverages (arXiv 2407.01032), which "
        "is half a percent where one image in a hundred is wrong and confidence says nothing; "
        "among images of equal confidence, the mean over their orders. 95 % interval over test "
        "images (infinitesimal jackknife, ends of Wilson). Absent in reports from before it was "
        "measured",
    )
    excess_augrc: float | None = Field(
        default=None,
        description="augrc less that of the best order of the same answers, every error last",
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
        "also used to fit the temperature and the confidence map, a few numbers that hardly "
        "reorder images. `upper` is of each threshold by itself: of one that is picked from "
        "many for its few errors it promises too much; `threshold_for` allows for that"
    )


class Threshold(Frozen):
    """A threshold whose error is held at what was asked for, with 95 % confidence."""

    choice: Choice
    bound: float = Field(
        description="with 95 % confidence over the draw of the split, at most this share of the "
        "answers that the threshold accepts is wrong, in 0..1"
    )
    split: Literal["calibration", "test"] = Field(
        description="whose errors the bound is from: the calibration split's, or the test set's "
        "where the calibration split was not kept for calibration"
    )


def threshold_for(
    curve: RiskCoverage, max_error: float, split: Literal["calibration", "test"] = "calibration"
) -> Threshold | None:
    """The threshold that accepts most images at an error of at most `max_error` (0..1).

    That it does holds with 95 % confidence over the draw of the split's images
    (`models.evidence.bounds.hold_error`); None where no threshold can be said to. The thresholds
    are the calibration split's either way.
    """
    sides = [getattr(choice, split) for choice in curve.choices]
    held = hold_error([AcceptedCounts(side.n, side.errors) for side in sides], max_error)
    if held is None:
        return None
    return Threshold(choice=curve.choices[held.row], bound=held.bound, split=split)
