"""Seeded samples of images: a smaller set with the same classes."""

import numpy as np
from jaxtyping import Int64

INTERVAL = (2.5, 97.5)  # percentiles


def stratified(labels: Int64[np.ndarray, " n"], limit: int, seed: int) -> Int64[np.ndarray, " m"]:
    """At most `limit` rows in random order, each class by its share (rounded either way)."""
    random = np.random.default_rng(seed)
    shuffled = random.permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    kept = min(limit, len(labels))
    chosen: Int64[np.ndarray, " m"] = by_class[np.arange(kept) * len(labels) // max(kept, 1)]
    return random.permutation(chosen)
