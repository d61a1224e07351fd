"""The geometry and the feature space of a made-up report."""

from models.evidence.feature_space import FeatureSpace, Plane, Projection
from models.evidence.geometry import (
    AngularMargin,
    ClassMargin,
    GeometrySection,
    NeuralCollapse,
    PairValues,
    Silhouette,
)
from tests.support.classified import LABELS, N


def geometry() -> GeometrySection:
    return GeometrySection(
        metric="cosine",
        images=N,
        paired_images=N,
        seed=0,
        within_distance=_pairs(0.71, 49_500),
        between_distance=_pairs(1.33, 450_000),
        within_angle_rad=_pairs(0.75, 49_500),
        between_angle_rad=_pairs(1.52, 450_000),
        alignment=0.5612,
        uniformity=-3.1234,
        fisher_ratio=1.8765,
        silhouette=Silhouette(value=0.3141, images=N),
        collapse=NeuralCollapse(
            train_images=40_000,
            classes=10,
            nc1_within_over_between=2.3456,
            nc2_norm_variation=0.0876,
            nc2_cosine_std=0.1432,
            nc2_cosine_offset=0.1123,
            nc3_self_duality=0.0432,
            nc4_disagreement=0.0213,
        ),
        margin=_margin(0.44),
        class_margins=tuple(
            ClassMargin(label=label, margin=_margin(0.3 + 0.03 * i))
            for i, label in enumerate(LABELS)
        ),
    )


def feature_space() -> FeatureSpace:
    return FeatureSpace(
        before=_projection(0.8123),
        after=_projection(0.9567),
        plane=Plane(
            test_images=N,
            accuracy=0.7345,
            epochs=20,
            seed=0,
            parameters={"scale": 16.0, "margin": 0.3},
            largest_margin=0.6283,
            separation_deg=36.0,
        ),
    )


def _pairs(mean: float, pairs: int) -> PairValues:
    return PairValues(
        pairs=pairs,
        mean=mean,
        std=mean / 3,
        edges=tuple(i / 25 for i in range(51)),
        counts=(pairs, *[0] * 49),
    )


def _margin(mean: float) -> AngularMargin:
    return AngularMargin(
        images=100,
        mean_rad=mean,
        std_rad=mean / 2,
        percentile_5_rad=mean - 0.5,
        share_negative=0.2 - mean / 5,
    )


def _projection(quality: float | None) -> Projection:
    return Projection(
        method="t-SNE",
        images=500,
        neighbours=10,
        trustworthiness=quality,
        neighbour_agreement=None if quality is None else quality - 0.3,
        picture_accuracy=None if quality is None else quality - 0.2,
    )
