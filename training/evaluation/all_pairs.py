"""Every pair of different rows, a block at a time: exact, and in little memory."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float64, Int64

from models.evidence.geometry import PairValues

BINS = 50
_BLOCK_ITEMS = 2**21


class StreamingHistogram:
    """Count, mean, spread and histogram of values in 0..upper that arrive in parts."""

    def __init__(self, upper: float) -> None:
        self._upper = upper
        self._counts = np.zeros(BINS, np.int64)
        self._sum = self._squares = 0.0

    def add(self, values: Float64[np.ndarray, " n"]) -> None:
        """Count some values; rounding above `upper` counts as `upper`."""
        values = np.minimum(values, self._upper)
        self._counts += np.histogram(values, BINS, (0.0, self._upper))[0]
        self._sum += float(values.sum())
        self._squares += float(values @ values)

    def values(self) -> PairValues | None:
        """Return the counts; None where nothing was counted."""
        pairs = int(self._counts.sum())
        if pairs == 0:
            return None
        mean = self._sum / pairs
        return PairValues(
            pairs=pairs,
            mean=mean,
            std=max(self._squares / pairs - mean**2, 0.0) ** 0.5,
            edges=tuple(np.linspace(0.0, self._upper, BINS + 1).tolist()),
            counts=tuple(self._counts.tolist()),
        )


def cosine_blocks(
    unit: Float64[np.ndarray, "n d"], labels: Int64[np.ndarray, " n"]
) -> Iterator[tuple[Float64[np.ndarray, " p"], Bool[np.ndarray, " p"]]]:
    """Cosines of unit-length rows, each unordered pair once, and whether the labels agree."""
    for rows, upper, same in _blocks(labels):
        products = unit[rows] @ unit[rows.start :].T
        yield np.clip(products[upper], -1, 1), same


def distance_blocks(
    points: Float64[np.ndarray, "n d"], labels: Int64[np.ndarray, " n"]
) -> Iterator[tuple[Float64[np.ndarray, " p"], Bool[np.ndarray, " p"]]]:
    """Euclidean distances, each unordered pair once, and whether the labels agree."""
    if len(points) == 0:
        return
    centered = points - points.mean(axis=0)  # the expanded square cancels least about the mean
    squares = np.square(centered).sum(axis=1)
    for rows, upper, same in _blocks(labels):
        products = centered[rows] @ centered[rows.start :].T
        squared = squares[rows, np.newaxis] + squares[rows.start :] - 2 * products
        yield np.sqrt(np.maximum(squared[upper], 0)), same


def _blocks(
    labels: Int64[np.ndarray, " n"],
) -> Iterator[tuple[slice, Bool[np.ndarray, "r m"], Bool[np.ndarray, " p"]]]:
    n = len(labels)
    size = max(1, _BLOCK_ITEMS // max(n, 1))
    for start in range(0, n - 1, size):
        rows = slice(start, min(start + size, n))
        upper = np.triu(np.ones((rows.stop - start, n - start), np.bool_), 1)
        yield rows, upper, (labels[rows, np.newaxis] == labels[start:])[upper]
