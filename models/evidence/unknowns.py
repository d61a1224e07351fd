"""Detection of images of classes that a model was never shown, and the rule it serves."""

from typing import Literal

from pydantic import Field

from models.evidence.estimate import Estimate
from models.evidence.pairs import PairsJudged
from models.manifest import Frozen, Scorer, UnknownRule


class ScorerResult(Frozen):
    """One scorer on known and left-out classes' images; the left-out ones are positive."""

    scorer: Scorer
    auroc: Estimate = Field(
        description="chance that an unknown image scores above a known one, ties counting half; "
        "interval: variance of DeLong et al. 1988, ends of Wilson; 0..1 for fewer than 2 of a kind"
    )
    fpr95: float = Field(
        ge=0,
        le=1,
        description="share of unknown images accepted (score <= t), where t is the least score "
        "that accepts at least 95 % of the known images of the same split",
    )
    selection_auroc: float | None = Field(
        description="AUROC of calibration images against the left-out classes' training images; "
        "the scorer is chosen by it, so that test images choose nothing; none without such images"
    )
    accepted: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="share of unknown images accepted (score <= t), where t is the least score "
        "that accepts at least 95 % of the calibration images, which are not among those that are "
        "judged; none without such images, or in reports from before it was measured",
    )


class FarSet(Frozen):
    """Images of another data set, or of none, against test images of the known classes."""

    name: str = Field(description="such as digits, noise, or a folder's name")
    sha256: str = Field(description="of what its images are made from")
    unknown: int = Field(ge=1, description="its images")
    scorers: tuple[ScorerResult, ...] = Field(
        description="its images are positive; `selection_auroc` is that of the left-out classes, "
        "so that no image of a far set chooses its scorer"
    )


class UnknownSet(Frozen):
    """Images of another data set, or of none, beside the served model's own test images.

    The served model knows every class of its data set, and these images are of none of them.
    """

    name: str = Field(description="such as digits, noise, or a folder's name")
    sha256: str = Field(description="of what its images are made from")
    kind: Literal["near", "far"] = Field(
        description="near: other classes in images like the known ones; far: another kind of image"
    )
    known: int = Field(ge=1, description="the model's test images, which are the known ones")
    unknown: int = Field(ge=1, description="images of the set, at most 2,000")
    scorers: tuple[ScorerResult, ...] = Field(
        description="thresholds of `accepted` come from calibration images; `selection_auroc` is "
        "null, for these images choose nothing"
    )


class UnseenRetrieval(Frozen):
    """Test images of classes that were never trained, searched and paired among themselves.

    Every measure is defined as in the sections on retrieval and verification, which say how its
    interval was made; none where two classes, or pairs of either kind, are lacking.
    """

    images: int = Field(description="all up to 10,000, else a seeded stratified sample")
    classes: int = Field(ge=2)
    recall_at_1: Estimate | None
    map_at_r: Estimate | None
    eer: Estimate | None = Field(description="equal error rate over all their pairs")
    opis: Estimate | None = Field(description="operating-point-inconsistency score, 0 to 0.25")


class LeaveOutRound(Frozen):
    """A model trained without some classes, and how it scored test images of them.

    Its distances are to the training images of the classes that it knows: the gallery.
    """

    left_out: tuple[str, ...] = Field(min_length=1, description="class names")
    known: int = Field(ge=0, description="test images of the classes that it was trained on")
    unknown: int = Field(ge=0, description="test images of the left-out classes")
    scorers: tuple[ScorerResult, ...] = Field(
        description="empty without images of either kind; distances only with a gallery"
    )
    retrieval: UnseenRetrieval | None = Field(
        default=None,
        description="of the left-out classes; none where a single class was left out, or in "
        "reports from before it was measured",
    )
    pairs: PairsJudged | None = Field(
        default=None,
        description="pairs of the left-out classes' test images, by the map and the thresholds "
        "that the round's own calibration split fits; none where a single class was left out, or "
        "in reports from before it was measured",
    )
    far: tuple[FarSet, ...] = Field(
        default=(), description="empty in reports from before they were measured"
    )


class ScorerMean(Frozen):
    """One scorer's unweighted mean over the rounds."""

    scorer: Scorer
    auroc: float
    fpr95: float
    selection_auroc: float | None = Field(description="none where a round has none")


class UnknownsSection(Frozen):
    """Leave-classes-out rounds, and the rule of the served model, which knows every class."""

    rounds: tuple[LeaveOutRound, ...] = Field(description="may be empty")
    means: tuple[ScorerMean, ...] = Field(description="over the rounds; empty without rounds")
    rule: UnknownRule
    chosen_by: Literal["selection_auroc", "default"] = Field(
        description="the scorer with the highest mean selection AUROC, or, without "
        "such rounds, max_probability"
    )
    test_accepted: float | None = Field(
        description="share of this model's test images, all of known classes, that the rule "
        "accepts; none without test images"
    )

    sets: tuple[UnknownSet, ...] = Field(
        default=(),
        description="other data sets, judged by the served model itself; empty in reports from "
        "before they were measured",
    )

    @property
    def measured_rule(self) -> UnknownRule | None:
        """The rule where a measurement chose it; None where it is the default."""
        return self.rule if self.rounds and self.chosen_by != "default" else None
