"""Accuracy, the classes that are mistaken for each other, and both beside softmax."""

from pydantic import Field

from models.evidence.baseline import Majority
from models.evidence.estimate import Estimate
from models.manifest import Frozen


class ClassMetrics(Frozen):
    """One class against the rest on the test set. Rates are in 0..1."""

    label: str
    support: int = Field(ge=0, description="test images of this class")
    precision: float | None = Field(description="TP / (TP + FP); null where never predicted")
    recall: float | None = Field(description="TP / (TP + FN); null where it has no test image")
    f1: float | None = Field(
        description="2 TP / (2 TP + FP + FN); null where neither shown nor predicted"
    )
    recall_interval: Estimate | None = Field(
        default=None,
        description="the recall again, with its interval as for accuracy; null where it has no "
        "test image, absent from reports made before it was measured",
    )
    true_positives: int = Field(ge=0)
    false_positives: int = Field(ge=0)
    false_negatives: int = Field(ge=0)
    true_negatives: int = Field(ge=0)


class Confusion(Frozen):
    """Predicted classes by true class; rows are true classes, columns predicted ones."""

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...] = Field(
        description="counts[i][j] test images of class i were predicted as class j"
    )
    rates: tuple[tuple[float, ...], ...] = Field(
        description="counts divided by their row's sum; zeros for a class without test images"
    )


class ConfusedPair(Frozen):
    """One direction of one mistake."""

    actual: str
    predicted: str
    count: int = Field(ge=1, description="test images of `actual` that were predicted `predicted`")
    rate: float = Field(description="count / test images of `actual`, in 0..1")
    examples: tuple[str, ...] = Field(
        description="ids of up to 6 of these test images, the most confident mistakes first"
    )


class McNemar(Frozen):
    """Two models on the same images: whether one is right on more of those where they differ.

    McNemar's test, two-sided (statsmodels). Exact where fewer than 25 images are discordant: the
    binomial test of one half, and `statistic` is the smaller count. Otherwise the chi-square with
    continuity correction and one degree of freedom, (|a - b| - 1)^2 / (a + b).
    """

    only_own_right: int = Field(ge=0, description="images that this model alone has right")
    only_baseline_right: int = Field(ge=0, description="images that the baseline alone has right")
    statistic: float
    p_value: float = Field(ge=0, le=1, description="1 where the models never differ")
    exact: bool = Field(description="binomial rather than chi-square")


class AdjustedMcNemar(McNemar):
    """One of a family of tests."""

    p_adjusted: float = Field(ge=0, le=1, description="Holm's, over the tests of the same table")


class ClassDifference(Frozen):
    """One class's errors beside the baseline's; negative differences are fewer errors."""

    label: str
    support: int = Field(ge=0, description="test images of this class")
    false_positives: int
    baseline_false_positives: int
    false_positives_difference: int
    false_negatives: int
    baseline_false_negatives: int
    false_negatives_difference: int
    recall_test: AdjustedMcNemar | None = Field(
        description="over the test images of this class; null where it has none. Adjusted over "
        "the classes that have test images"
    )


class PairDifference(Frozen):
    """The mistakes between two classes, in either direction, by both models."""

    first: str
    second: str
    n: int = Field(ge=1, description="test images of the two classes")
    errors: int = Field(ge=0, description="first taken for second plus second taken for first")
    baseline_errors: int = Field(ge=0)
    difference: int = Field(description="errors - baseline_errors; negative is fewer errors")
    test: AdjustedMcNemar = Field(
        description="over the test images of the two classes, where right means not taken for the "
        "other of the two. Adjusted over the pairs listed"
    )


class Comparison(Frozen):
    """This model against a baseline, on the same test images."""

    baseline: str
    baseline_accuracy: float = Field(description="in 0..1")
    accuracy_difference: Estimate = Field(
        description="own accuracy - baseline's, on the same images; 95 % interval of Bonett and "
        "Price 2012 for paired shares"
    )
    test: McNemar = Field(description="over all test images")
    classes: tuple[ClassDifference, ...]
    pairs: tuple[PairDifference, ...] = Field(
        description="the pairs of classes that either model confuses, at most the 50 with the "
        "most errors of both models together, which is also their order"
    )


class Classification(Frozen):
    """Classification of the test set by the most probable class."""

    n: int = Field(ge=1, description="test images")
    accuracy: Estimate = Field(
        description="share of test images with the right class, in 0..1; modified Wilson "
        "95 % interval (Brown, Cai and DasGupta 2001), which holds the true share in 91.6 % at the "
        "least and 95.7 % in the mean, whatever it is"
    )
    majority: Majority | None = Field(
        default=None,
        description="always naming the most frequent class; absent in reports from before it was "
        "stated",
    )
    top3_accuracy: Estimate | None = Field(
        description="share of test images with the right class among the three most probable; "
        "interval as for accuracy; null with fewer than 4 classes"
    )
    macro_f1: float = Field(
        description="mean F1 over the classes that are shown or predicted, in 0..1"
    )
    balanced_accuracy: float = Field(
        description="mean recall over the classes that have test images, in 0..1"
    )
    classes: tuple[ClassMetrics, ...] = Field(description="in output order")
    confusion: Confusion | None = Field(
        description="null with more than 500 classes; `classes` and `most_confused` say it then"
    )
    most_confused: tuple[ConfusedPair, ...] = Field(
        description="the 10 most frequent mistakes, ordered by count, then rate"
    )
    against_softmax: Comparison | None = Field(
        default=None, description="absent where no softmax model of the same test set was available"
    )
