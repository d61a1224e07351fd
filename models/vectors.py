"""Vectors at unit length, as training, evaluation and benchmarks compare them.

The service has a way of its own (`service/vectors/lengths.py`): it takes lengths in float64, and
names the vectors that have no direction.
"""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Real = TypeVar("Real", bound="np.floating[Any]")


def unit(points: NDArray[Real]) -> NDArray[Real]:
    """Divide each row by its length, in its own precision; rows of length 0 stay.

    >>> unit(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    scaled: NDArray[Real] = points / np.maximum(lengths, np.finfo(points.dtype).tiny)
    return scaled
