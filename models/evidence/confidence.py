"""Trust in a model's confidence: calibration, and the gain of refusing the unsure."""

from typing import Literal

from pydantic import Field

from models.evidence.estimate import Estimate
from models.evidence.selective import RiskCoverage
from models.manifest import Frozen


class ConfidenceMap(Frozen):
    """The map of an image's highest probability, after the temperature.

    Its log-odds go through a rising function that is straight between the knots, and on beyond
    them. The other classes keep their proportions and share what remains; the highest stays the
    highest.
    """

    log_odds: tuple[float, ...] = Field(min_length=3, description="ln(p / (1 - p)), rising")
    calibrated_log_odds: tuple[float, ...] = Field(min_length=3, description="what they become")


class CrossValidation(Frozen):
    """The gain of a fitted temperature on images of the calibration split outside the fit."""

    folds: int = Field(ge=2)
    gain: float = Field(
        description="mean over the split's images of the NLL at temperature 1 less that at the "
        "temperature fitted on the other folds, in nats; below 0 where fitting does harm"
    )
    standard_error: float = Field(ge=0, description="of the gain, over images")
    favored: bool = Field(
        description="whether the gain is above 0 at 95 %, one-sided, by Student's t over images"
    )


class MapCheck(Frozen):
    """The gain of a confidence map on images of the calibration split outside the fit.

    Gains are in nats of right and wrong, mean over the split's images and over the partitions. A
    map may go none, half or all of the way, in log-odds, from the probability after the temperature
    to the fitted map; each step has to gain more than one standard error over the one before.
    """

    folds: int = Field(ge=2)
    partitions: int = Field(ge=1, description="random ones into so many folds")
    gain_half: float = Field(description="of half the way over none")
    standard_error_half: float = Field(ge=0, description="of gain_half, over images")
    gain_whole: float = Field(description="of all of the way over none")
    standard_error_whole: float = Field(
        ge=0, description="of gain_whole less gain_half, over images"
    )
    share: float = Field(ge=0, le=1, description="the way that is served: 0, 0.5 or 1")


class Calibration(Frozen):
    """One temperature; then a map of the highest probability, for what no temperature corrects.

    Both are fitted on the calibration split alone. The temperature is 1 where a cross-validated
    check on the same split does not favor another (one-sided, 95 %), and the map goes as far as
    another such check favors (`map_check`). The map is the mean of maps with 3, 4, 6, 8 and 12
    knots (those for which the split has 100 images a knot), so that no number of knots has to be
    chosen.
    """

    temperature: float = Field(description="divides the logits; 1 where none is favored")
    nll_before: float = Field(description="of the calibration split, mean, in nats")
    nll_after: float = Field(description="the same after the temperature")
    n: int = Field(description="images of the calibration split")
    errors: int | None = Field(
        default=None,
        ge=0,
        description="of them, images given the wrong class; absent from older reports",
    )
    method: Literal["least_nll", "soft_targets"] = Field(
        default="least_nll",
        description="how the temperature was fitted: by the least NLL, unchecked, as in older "
        "reports, or to Platt's soft targets (1999), checked by cross-validation",
    )
    cross_validation: CrossValidation | None = Field(
        default=None, description="absent from older reports; null for a split of one image"
    )
    confidence_map: ConfidenceMap | None = Field(
        default=None, description="null where the split is too small for one or favors none"
    )
    map_check: MapCheck | None = Field(
        default=None,
        description="how it was decided; null where the split is too small for a map, absent from "
        "reports made before there was one",
    )
    also_read_for: str | None = Field(
        default=None,
        description="what else the split's images were read for before, which makes its thresholds "
        "and bounds too hopeful; null where for nothing",
    )


class ReliabilityBin(Frozen):
    """The test images whose confidence lies in (low, high]; the first bin holds 0 too."""

    low: float
    high: float
    count: int = Field(ge=0, description="test images in the bin")
    mean_confidence: float | None = Field(description="in 0..1; null where the bin is empty")
    accuracy: Estimate | None = Field(
        description="share with the right class, in 0..1, modified Wilson 95 % interval as for "
        "the accuracy; null where the bin is empty"
    )


class ConfidenceQuality(Frozen):
    """The match of probabilities and outcomes on the test set.

    Confidence is the probability of the predicted class, the highest of the image.
    """

    nll: float = Field(
        description="mean negative log-likelihood of the true class, in nats; probabilities are "
        "clipped at 2^-126, the least normal float32"
    )
    nll_interval: Estimate | None = Field(
        default=None,
        description="the NLL again, with its 95 % interval over test images: below it, Student's t "
        "in the logarithm; above, Student's t with room for one error that was not drawn, at the "
        "mean cost that the probabilities themselves give to errors. In simulations of 10 to 5,000 "
        "images it held the true NLL in 94 to 99 %. Null for one image, absent from reports made "
        "before it was measured",
    )
    brier: float = Field(
        description="squared error between probabilities and the one-hot truth, summed over "
        "classes, mean over images, in 0..2"
    )
    brier_interval: Estimate | None = Field(
        default=None,
        description="the Brier score again, with its 95 % interval over test images: ends of "
        "Wilson, with two images that were not drawn added to the variance, which would have "
        "scored 0 or 2. Absent from reports made before it was measured",
    )
    ece: Estimate = Field(
        description="expected calibration error, in 0..1: |accuracy - mean confidence| of 15 "
        "equal-width bins of confidence, weighted by their images. 95 % interval from 1,000 "
        "draws of right and wrong in each bin, seed 0, in which no bin is certain: low is ECE less "
        "the 97.5 percentile of how far the bins' gaps moved together, at least 0; high is 2 ECE "
        "less the 2.5 percentile of the draws' ECE, at least ECE and at least the distance of the "
        "mean confidence to the ends of the accuracy's interval. Noise only adds to an ECE, so "
        "percentiles themselves would lie too high"
    )
    adaptive_ece: Estimate = Field(
        description="the same over 15 bins of equally many images (images of equal confidence "
        "stay together, in the lower bin); interval as for ece"
    )
    reliability: tuple[ReliabilityBin, ...] = Field(description="the 15 bins of ece")


class Confidence(Frozen):
    """Confidence on the test set, before and after the temperature was fitted."""

    n: int = Field(ge=1, description="test images")
    calibration: Calibration
    before: ConfidenceQuality = Field(description="at temperature 1: softmax of the logits")
    tempered: ConfidenceQuality = Field(description="after the temperature, before any map")
    after: ConfidenceQuality = Field(description="of the probabilities as served")
    selective: RiskCoverage = Field(description="by the confidence as served")
