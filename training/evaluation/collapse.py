"""Neural collapse (Papyan, Han and Donoho 2020) and the angular margins of the class means."""

import numpy as np
from jaxtyping import Float32, Float64, Int64
from sklearn.metrics import pairwise_distances_argmin

from models.evidence.geometry import AngularMargin, ClassMargin, NeuralCollapse
from models.vectors import unit
from training.evaluation.all_pairs import cosine_blocks
from training.evaluation.answers import Answers

_BLOCK_ITEMS = 2**22
_ROUNDING = 1e-12  # of float64 means, relative to their own length


class ClassMeans:
    """The mean embedding of each class that has training images.

    `means` [p, d] belongs to the classes `present` [p]; `within` [n, d] is each training
    embedding less its class's mean.
    """

    def __init__(self, train: Answers) -> None:
        points = train.embeddings.astype(np.float64)
        self.present, places, counts = np.unique(
            train.labels, return_inverse=True, return_counts=True
        )
        starts = np.cumsum(counts) - counts
        by_class = points[np.argsort(places, kind="stable")]
        sums = np.add.reduceat(by_class, starts) if len(points) else points
        self.means = sums / counts[:, np.newaxis]
        self.within = points - self.means[places]

    @property
    def centered(self) -> Float64[np.ndarray, "p d"] | None:
        """The means less their own unweighted mean; None where they do not differ."""
        if len(self.means) < 2:
            return None
        centered = self.means - self.means.mean(axis=0)
        differ = np.linalg.norm(centered) > _ROUNDING * np.linalg.norm(self.means)
        return centered if differ else None


def neural_collapse(
    train: Answers, test: Answers, weights: Float32[np.ndarray, "c d"] | None
) -> NeuralCollapse:
    """NC1 to NC3 of the training embeddings, NC4 on test images; see `NeuralCollapse`.

    `weights` are the head's class weights as it multiplies embeddings; None where it has none.
    """
    classes = ClassMeans(train)
    collapse = NeuralCollapse(
        train_images=len(train),
        classes=len(classes.present),
        nc1_within_over_between=None,
        nc2_norm_variation=None,
        nc2_cosine_std=None,
        nc2_cosine_offset=None,
        nc3_self_duality=None,
        nc4_disagreement=_disagreement(classes, test),
    )
    centered = classes.centered
    if centered is None:
        return collapse
    cosines = _cosines(centered)
    simplex = -1 / (len(centered) - 1)
    return collapse.model_copy(
        update={
            "nc1_within_over_between": _within_over_between(centered, classes),
            "nc2_norm_variation": _norm_variation(centered),
            "nc2_cosine_std": float(cosines.std()),
            "nc2_cosine_offset": float(np.abs(cosines - simplex).mean()),
            "nc3_self_duality": None
            if weights is None
            else _self_duality(centered, weights[classes.present].astype(np.float64)),
        }
    )


def margins_rad(train: Answers, test: Answers) -> Float64[np.ndarray, " n"]:
    """Each test image's angle to the nearest other class mean less that to its own, in radians.

    NaN where the image's embedding or class mean has no direction, or there is no other mean.
    """
    classes = ClassMeans(train)
    directed = np.linalg.norm(classes.means, axis=1) > 0
    means, present = unit_rows(classes.means[directed]), classes.present[directed]
    points, result = unit_rows(test.embeddings), np.full(len(test), np.nan)
    if len(present) < 2:
        return result
    known = np.isin(test.labels, present) & (np.linalg.norm(points, axis=1) > 0)
    rows = np.flatnonzero(known)
    for part in np.array_split(rows, len(rows) * len(present) // _BLOCK_ITEMS + 1):
        angles = np.arccos(np.clip(points[part] @ means.T, -1, 1))
        own = np.searchsorted(present, test.labels[part])[:, np.newaxis]
        to_own = np.take_along_axis(angles, own, axis=1)[:, 0]
        np.put_along_axis(angles, own, np.inf, axis=1)
        result[part] = angles.min(axis=1) - to_own
    return result


def margin(values: Float64[np.ndarray, " n"]) -> AngularMargin | None:
    """Summarize the margins that are defined; None where none is."""
    values = values[~np.isnan(values)]
    if len(values) == 0:
        return None
    return AngularMargin(
        images=len(values),
        mean_rad=float(values.mean()),
        std_rad=float(values.std()),
        percentile_5_rad=float(np.percentile(values, 5)),
        share_negative=float((values < 0).mean()),
    )


def class_margins(
    values: Float64[np.ndarray, " n"], labels: Int64[np.ndarray, " n"], names: tuple[str, ...]
) -> tuple[ClassMargin, ...]:
    """The margins of each class's images."""
    return tuple(
        ClassMargin(label=name, margin=margin(values[labels == label]))
        for label, name in enumerate(names)
    )


def unit_rows(points: np.ndarray) -> Float64[np.ndarray, "n d"]:
    """Rows at unit length, in float64; those of length 0 stay."""
    return unit(points.astype(np.float64))


def _within_over_between(centered: Float64[np.ndarray, "p d"], classes: ClassMeans) -> float:
    """trace(S_W pinv(S_B)) / C, by the singular values of the centered means (rank < C)."""
    _, singular, directions = np.linalg.svd(centered, full_matrices=False)
    tolerance = _ROUNDING * np.linalg.norm(classes.means)
    kept = np.flatnonzero(singular[: len(centered) - 1] > tolerance)
    along = np.square(classes.within @ directions[kept].T).mean(axis=0)
    return float((along / np.square(singular[kept])).sum())  # S_B's eigenvalues are s^2 / C


def _norm_variation(centered: Float64[np.ndarray, "p d"]) -> float:
    norms = np.linalg.norm(centered, axis=1)
    return float(norms.std() / norms.mean())


def _cosines(centered: Float64[np.ndarray, "p d"]) -> Float64[np.ndarray, " q"]:
    norms = np.linalg.norm(centered, axis=1)
    directed = unit_rows(centered[norms > _ROUNDING * norms.max()])  # two at least: they sum to 0
    blocks = cosine_blocks(directed, np.arange(len(directed)))
    return np.concatenate([block for block, _ in blocks])


def _self_duality(
    centered: Float64[np.ndarray, "p d"], weights: Float64[np.ndarray, "p d"]
) -> float | None:
    length = np.linalg.norm(weights)
    if length == 0:
        return None
    return float(np.square(weights / length - centered / np.linalg.norm(centered)).sum())


def _disagreement(classes: ClassMeans, test: Answers) -> float | None:
    if len(test) == 0 or len(classes.present) == 0:
        return None
    nearest = pairwise_distances_argmin(test.embeddings.astype(np.float64), classes.means)
    return float((classes.present[nearest] != test.predicted).mean())
