"""Vectors as they are compared: which can be, and at what length."""

import numpy as np
from jaxtyping import Float64, Num

from models.manifest import Metric
from service.index.protocol import Vectors

LONGEST = 1e18  # under l2: the square of twice a greater length is past float32's range

Given = Num[np.ndarray, "n d"]


class UnusableVectors(ValueError):
    """Some vectors have no distance to others."""

    def __init__(self, problems: dict[int, str]) -> None:
        super().__init__("; ".join(f"vector {i} {problem}" for i, problem in problems.items()))
        self.problems = problems


def problems(vectors: Given, metric: Metric) -> dict[int, str]:
    """By position, what keeps a vector from being asked or stored; empty where nothing does."""
    found = _without_distance(vectors, metric)
    if metric == "cosine":
        zero = np.flatnonzero(~np.any(vectors, axis=1)).tolist()
        found |= dict.fromkeys(zero, "is all zero, which has no direction")
    return dict(sorted(found.items()))


def comparable(vectors: Given, metric: Metric) -> Vectors:
    """As `ready` makes them. Raises UnusableVectors where one is not finite, or too long for l2.

    Under cosine a zero vector, which callers are to refuse, has a cosine of 0 with all others.
    """
    if found := _without_distance(vectors, metric):
        raise UnusableVectors(found)
    return ready(vectors, metric)


def ready(vectors: Given, metric: Metric) -> Vectors:
    """As they are compared: contiguous float32, at unit length where the metric is cosine.

    A vector of NaN, which stands for one that is gone, stays NaN; a zero vector stays zero.
    """
    return unit(vectors) if metric == "cosine" else np.ascontiguousarray(vectors, np.float32)


def _without_distance(vectors: Given, metric: Metric) -> dict[int, str]:
    finite = np.isfinite(vectors).all(axis=1)
    problem = "has a number that is NaN or infinite"
    found = dict.fromkeys(np.flatnonzero(~finite).tolist(), problem)
    if metric == "l2":
        long = finite & (_lengths(np.where(finite[:, None], vectors, 0)) > LONGEST)
        found |= dict.fromkeys(np.flatnonzero(long).tolist(), f"is longer than {LONGEST:g}")
    return found


def unit(vectors: Given) -> Vectors:
    """At unit length, to the last bit of float32 whatever the length was; zero stays zero."""
    scaled = _scaled(vectors)
    lengths = np.sqrt(np.einsum("nd,nd->n", scaled, scaled))
    scaled /= np.where(lengths == 0, 1, lengths)[:, None]
    return np.ascontiguousarray(scaled, np.float32)


def _scaled(vectors: Given) -> Float64[np.ndarray, "n d"]:
    """With a greatest number of 1, so that no square overflows or vanishes."""
    wide = np.array(vectors, np.float64)
    if wide.shape[1] == 0:
        return wide
    greatest = np.abs(wide).max(axis=1, keepdims=True)
    wide /= np.where(greatest == 0, 1, greatest)
    return wide


def _lengths(vectors: Given) -> Float64[np.ndarray, " n"]:
    if vectors.shape[1] == 0:
        return np.zeros(len(vectors))
    greatest = np.abs(vectors).max(axis=1).astype(np.float64)
    scaled = _scaled(vectors)
    lengths: Float64[np.ndarray, " n"] = greatest * np.sqrt(np.einsum("nd,nd->n", scaled, scaled))
    return lengths
