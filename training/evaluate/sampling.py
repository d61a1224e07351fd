"""Seeded samples of images: a smaller set with the same classes, and the bootstrap."""

import numpy as np
from jaxtyping import Float64, Int64

from models.evidence.estimate import Estimate

RESAMPLES = 1000
INTERVAL = (2.5, 97.5)  # percentiles


def stratified(labels: Int64[np.ndarray, " n"], limit: int, seed: int) -> Int64[np.ndarray, " m"]:
    """At most `limit` rows in random order, each class by its share (rounded either way)."""
    random = np.random.default_rng(seed)
    shuffled = random.permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    kept = min(limit, len(labels))
    chosen: Int64[np.ndarray, " m"] = by_class[np.arange(kept) * len(labels) // max(kept, 1)]
    return random.permutation(chosen)


def bootstrap_means(values: Float64[np.ndarray, "n m"], seed: int) -> list[Estimate]:
    """Each column's mean with its 95 % percentile interval; rows are resampled together.

    Needs n >= 1.
    """
    random, n = np.random.default_rng(seed), len(values)
    columns = np.ascontiguousarray(values.T)
    means = np.array(
        [columns @ np.bincount(random.integers(n, size=n), minlength=n) for _ in range(RESAMPLES)]
    )
    low, high = np.percentile(means / n, INTERVAL, axis=0)
    return [
        Estimate(value=float(value), low=float(lowest), high=float(highest))
        for value, lowest, highest in zip(values.mean(axis=0), low, high, strict=True)
    ]
