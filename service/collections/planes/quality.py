"""The trust that a plane deserves."""

import numpy as np
from jaxtyping import Float

from service.collections.planes.plane import Quality

K = 15
SAMPLE = 1_500


def trustworthiness(
    vectors: Float[np.ndarray, "n d"], plane: Float[np.ndarray, "n 2"], k: int = K
) -> Quality:
    """The share in which neighbors on the plane are neighbors of the vectors, among these points.

    Source: Venna and Kaski 2001, Neighborhood Preservation in Nonlinear Projection Methods.
    """
    n = len(vectors)
    k = min(k, (n - 1) // 2)
    if k < 1:
        return Quality(1.0, 0, n)
    real, flat = _squared(vectors), _squared(plane)
    near = np.argpartition(flat, k - 1, axis=1)[:, :k]
    ranks = np.argsort(np.argsort(real, axis=1), axis=1)  # 0 is the nearest
    beyond = np.maximum(np.take_along_axis(ranks, near, axis=1) + 1 - k, 0)
    worst = n * k * (2 * n - 3 * k - 1) / 2
    return Quality(float(1 - beyond.sum() / worst), k, n)


def _squared(points: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n n"]:
    exact = points.astype(np.float64)
    lengths = np.square(exact).sum(axis=1)
    squared: Float[np.ndarray, "n n"] = lengths[:, None] + lengths - 2 * exact @ exact.T
    np.fill_diagonal(squared, np.inf)
    return squared
