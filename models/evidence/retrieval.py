"""Retrieval of images of the same class, and verification of pairs."""

from typing import Literal

from pydantic import Field

from models.evidence.estimate import Estimate
from models.manifest import Frozen, Metric


class NeighbourAccuracy(Frozen):
    """Test images classified by their k nearest gallery images, through a flat index.

    The majority decides; a tie goes to the tied class whose image is nearest.
    """

    k: int = Field(ge=1, description="never more than `gallery_images`")
    accuracy: Estimate = Field(description="share of test images; interval as for accuracy")


class RetrievalSection(Frozen):
    """Every test image is a query against all the others; those of its class are relevant.

    R is the number of relevant images of a query. Nearer is a larger inner product where the
    metric is cosine, else a smaller Euclidean distance; equal scores are in random order.
    Intervals: `interval` says how they were made. `influence`: each image counts as a query and as
    what other queries find. R-precision and MAP@R have the variance of the infinitesimal jackknife,
    with two images that were not drawn added to it, which would have counted 0 or 1; recall has
    that of a share, with the covariance of queries of which one is among the k nearest of the
    other. The ends are Wilson's. In simulations of 9 to 1,000 images the true values were held in
    91 to 100 %, 96 % in the mean. `delete_a_group_jackknife`, in older reports: 20 groups of images
    are left out, each once; it holds MAP@R in 88 % where a few images lie far from their class, and
    recall in 97 to 100 %. `bootstrap`, in older reports: percentiles of 1,000 resamples of the
    queries with the images that are searched held fixed, which is too narrow (it holds the true
    MAP@R in about 75 %). None where there is no query.
    """

    metric: Metric
    images: int = Field(
        description="test images searched: all up to 10,000, else a seeded stratified sample of "
        "10,000, in which R is counted"
    )
    queries: int = Field(description="images with at least one other image of their class")
    queries_left_out: int = Field(description="images alone in their class, which have no answer")
    recall_at_1: Estimate | None = Field(
        description="share of queries with a relevant image among the 1 nearest"
    )
    recall_at_5: Estimate | None = Field(description="the same among the 5 nearest")
    recall_at_10: Estimate | None = Field(description="the same among the 10 nearest")
    r_precision: Estimate | None = Field(
        description="mean share of relevant images among the R nearest"
    )
    map_at_r: Estimate | None = Field(
        description="mean over queries of (1 / R) * sum over ranks i = 1..R that hold a relevant "
        "image of the precision among the i nearest (Musgrave et al. 2020, arXiv 2003.08505)"
    )
    gallery_images: int = Field(description="training images that ship with the model")
    neighbour_accuracy: tuple[NeighbourAccuracy, ...] = Field(
        description="for k of 1, 5 and 20, over all test images; empty without a gallery"
    )
    resamples: int = Field(
        description="images whose influence was taken, groups left out, or resamples of the "
        "bootstrap"
    )
    seed: int
    interval: Literal["bootstrap", "delete_a_group_jackknife", "influence"] = Field(
        default="bootstrap", description="how the intervals were made"
    )


class RocPoint(Frozen):
    """The most genuine pairs that can be accepted without exceeding a false accept rate."""

    far: float = Field(ge=0, le=1, description="the allowed share of impostor pairs accepted")
    tar: float = Field(ge=0, le=1, description="share of genuine pairs accepted")


class AcceptRate(Frozen):
    """The true accept rate (TAR) at a false accept rate (FAR) that is not exceeded."""

    far: float = Field(description="the allowed share of impostor pairs accepted")
    tar: Estimate
    threshold: float = Field(description="a pair is accepted where its score >= threshold")


class VerificationSection(Frozen):
    """Are two test images of one class? Every pair of different test images is scored.

    Genuine pairs are of one class, impostor pairs of two. Intervals: bootstrap over images (a
    pair counts as often as its images' counts multiplied), on a seeded sample of `interval_pairs`
    pairs of each kind, drawn with replacement; the 2.5th and 97.5th percentiles' distances from
    the sample's own value are put around the value over all pairs, and cut to 0..1. A rate of 0 or
    1 has at least the interval of a share of half as many pairs as images (disjoint ones).
    """

    metric: Metric
    score: Literal["cosine", "negative_distance"] = Field(
        description="inner product where the metric is cosine, else minus the Euclidean distance"
    )
    images: int = Field(
        description="test images paired: all up to 10,000, else a seeded stratified sample"
    )
    genuine_pairs: int
    impostor_pairs: int
    eer: Estimate | None = Field(
        description="equal error rate: where FAR equals 1 - TAR, linearly between the ROC's "
        "points; none without a pair of either kind"
    )
    eer_threshold: float | None = Field(
        description="the score at which FAR and 1 - TAR are nearest"
    )
    tar_at_far: tuple[AcceptRate, ...] = Field(
        description="at FAR 1e-2 and 1e-3; one that fewer than 1 / FAR impostor pairs cannot "
        "resolve is left out"
    )
    roc: tuple[RocPoint, ...] = Field(
        description="at 10 values of FAR a decade from 1e-4 (or what the pairs resolve) to 1"
    )
    opis: Estimate | None = Field(
        default=None,
        description="operating-point-inconsistency score (arXiv 2307.04047): does one threshold "
        "suit every class? Utility of a class is the harmonic mean of its sensitivity (share of "
        "its genuine pairs accepted) and specificity (share of impostor pairs with one image of it "
        "rejected); the score is the variance of utility over classes, 0 to 0.25, mean over 100 "
        "distances in the middle of equal steps between those that accept 1 % and 10 % of all "
        "impostor pairs; distances are Euclidean, between embeddings of unit length where the "
        "metric is cosine. 95 % interval over test images (infinitesimal jackknife, ends of "
        "Wilson). None where fewer than two classes have a pair or too few pairs resolve 1 %; "
        "absent in reports from before it was measured",
    )
    interval_pairs: int
    resamples: int = Field(description="of the bootstrap")
    seed: int
