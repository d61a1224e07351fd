"""Vectors as they are compared: which can be, and at what length."""

import numpy as np
from jaxtyping import Float64, Num

from models.manifest import Metric
from service.vectors.protocol import Vectors

LONGEST = 1e18  # under l2: the square of twice a greater length is past float32's range

Given = Num[np.ndarray, "n d"]


class UnusableVectors(ValueError):
    """Some vectors have no distance to others."""

    def __init__(self, problems: dict[int, str]) -> None:
        super().__init__("; ".join(f"vector {i} {problem}" for i, problem in problems.items()))
        self.problems = problems


def problems(vectors: Given, metric: Metric) -> dict[int, str]:
    """By position, what keeps a vector from being asked or stored; empty where nothing does."""
    lengths = _lengths(vectors)
    found = _without_distance(lengths, metric)
    if metric == "cosine" and not lengths.all():
        zero = np.flatnonzero(lengths == 0).tolist()
        found |= dict.fromkeys(zero, "is all zero, which has no direction")
    return dict(sorted(found.items()))


def comparable(vectors: Given, metric: Metric) -> Vectors:
    """As `ready` makes them. Raises UnusableVectors where one is not finite, or too long for l2.

    Under cosine a zero vector, which callers are to refuse, has a cosine of 0 with all others.
    """
    lengths = _lengths(vectors)
    if found := _without_distance(lengths, metric):
        raise UnusableVectors(found)
    return _ready(vectors, lengths, metric)


def ready(vectors: Given, metric: Metric) -> Vectors:
    """As they are compared: contiguous float32, at unit length where the metric is cosine.

    To the last bit of float32, whatever the length was. A vector of NaN, which stands for one that
    is gone, stays NaN; a zero vector stays zero.
    """
    return _ready(vectors, _lengths(vectors), metric)


def _ready(vectors: Given, lengths: Float64[np.ndarray, " n"], metric: Metric) -> Vectors:
    if metric == "l2":
        return np.ascontiguousarray(vectors, np.float32)
    divisors = lengths if lengths.all() else np.where(lengths == 0, 1, lengths)
    return np.ascontiguousarray(vectors / divisors[:, None], np.float32)


def _without_distance(lengths: Float64[np.ndarray, " n"], metric: Metric) -> dict[int, str]:
    most = np.inf if metric == "cosine" else LONGEST
    if ((lengths <= most) & (lengths < np.inf)).all():
        return {}
    bad = np.flatnonzero(~np.isfinite(lengths)).tolist()
    found = dict.fromkeys(bad, "has a number that is NaN or infinite")
    long = np.flatnonzero(np.isfinite(lengths) & (lengths > most)).tolist()
    return found | dict.fromkeys(long, f"is longer than {LONGEST:g}")


def _lengths(vectors: Given) -> Float64[np.ndarray, " n"]:
    """NaN or infinite where a number is. No float32's square overflows or vanishes in float64."""
    if vectors.dtype != np.float32:
        return _scaled_lengths(vectors)
    wide = vectors.astype(np.float64)
    squares: Float64[np.ndarray, " n"] = np.einsum("nd,nd->n", wide, wide)
    return squares**0.5


def _scaled_lengths(vectors: Given) -> Float64[np.ndarray, " n"]:
    wide = vectors.astype(np.float64)
    greatest = np.abs(wide).max(axis=1, initial=0)
    fit = np.isfinite(greatest) & (greatest > 0)
    divided = wide[fit] / greatest[fit, None]
    lengths: Float64[np.ndarray, " n"] = greatest.copy()
    lengths[fit] *= np.sqrt(np.einsum("nd,nd->n", divided, divided))
    return lengths
