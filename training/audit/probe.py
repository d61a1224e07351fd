"""Out-of-sample probabilities of labels: linear probes, cross-validated."""

import warnings
from collections.abc import Callable

import numpy as np
from jaxtyping import Float32, Float64, Int64
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

FOLDS = 5
_SPREAD = 5.0  # length of a typical vector: with C = 1 it fixes how much the probe is held back
_ITERATIONS = 100
_SEED = 0

Vectors = Float32[np.ndarray, "n d"]
Labels = Int64[np.ndarray, " n"]


def cross_validated(
    vectors: Vectors, gray: Float32[np.ndarray, "n g"], labels: Labels, step: Callable[[int], None]
) -> Float64[np.ndarray, "n c"]:
    """The mean of two probes' probabilities of each image's classes, fitted without that image.

    One probe sees the vectors, one the gray pictures as well: of images like those that the model
    was trained on the first is better, of others the second. `labels` are 0 to c - 1, each of at
    least two images. `step` hears of each of the 10 fits.
    """
    views = _scaled(vectors), np.hstack([_scaled(vectors), _scaled(gray)])
    probabilities = np.zeros((len(labels), int(labels.max()) + 1))
    folds = min(FOLDS, int(np.bincount(labels).min()))
    split = StratifiedKFold(folds, shuffle=True, random_state=_SEED)
    for known, held in split.split(vectors, labels):
        for view in views:
            probe = LogisticRegression(max_iter=_ITERATIONS)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # nearly there is enough
                probe.fit(view[known], labels[known])
            probabilities[held] += probe.predict_proba(view[held]) / len(views)
            step(1)
    return probabilities


def _scaled(vectors: Float32[np.ndarray, "n _"]) -> Float32[np.ndarray, "n _"]:
    centered = vectors - vectors.mean(axis=0)
    length = np.sqrt(np.square(centered).sum(axis=1).mean())
    scaled: Float32[np.ndarray, "n _"] = (_SPREAD * centered / max(float(length), 1e-12)).astype(
        np.float32
    )
    return scaled
