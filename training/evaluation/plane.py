"""Embeddings laid out on a plane, and how far the plane can be trusted."""

import numpy as np
from jaxtyping import Float, Float32, Float64
from openTSNE import TSNE, initialization

from models.image_map import PlaneQuality

K = 15  # neighbors that the quality is about
_PERPLEXITY = 30
_FEWEST = 32  # points; fewer are laid out by their principal components alone
_SEED = 0
_BLOCK_ITEMS = 2**23  # distances held at once

Points = Float[np.ndarray, "n d"]
Plane = Float64[np.ndarray, "n 2"]


def lay_out(
    embeddings: Float32[np.ndarray, "n d"], start: Plane | None = None
) -> tuple[Plane, str]:
    """Positions on a plane by t-SNE, the same for the same input, and how they were made.

    With `start`, the plane of the same images in another embedding, the layout begins there and is
    turned, mirrored and scaled onto it at the end (Procrustes), so that what differs between the
    two is the neighborhoods. Without it, it begins with the two principal components, and has a
    root mean square of 1 about its center. Distances are Euclidean, which ranks as the cosine does
    where lengths are 1.
    """
    n = len(embeddings)
    if n < _FEWEST:
        return _standing(_principal(embeddings)), "the two principal components"
    points = np.ascontiguousarray(embeddings, dtype=np.float64)
    begin = _principal(points) if start is None else start
    perplexity = min(_PERPLEXITY, (n - 1) / 3)
    made = TSNE(
        perplexity=perplexity,
        initialization=initialization.rescale(begin, inplace=False),
        random_state=_SEED,
        n_jobs=1,
    ).fit(points)
    plane = np.asarray(made, dtype=np.float64)
    how = f"t-SNE (openTSNE), perplexity {perplexity:.3g}"
    if start is None:
        return _standing(plane), f"{how}, from the two principal components"
    return onto(plane, start), f"{how}, from the plane of another model, and laid onto it"


def onto(plane: Plane, reference: Plane) -> Plane:
    """The plane turned, mirrored, scaled and moved to lie as near to the reference as it can.

    Source: Schönemann 1966, A Generalized Solution of the Orthogonal Procrustes Problem.
    """
    middle = reference.mean(axis=0)
    moved, target = plane - plane.mean(axis=0), reference - middle
    u, singular, v = np.linalg.svd(moved.T @ target)
    size = float(np.square(moved).sum())
    scale = float(singular.sum()) / size if size > 0 else 1.0
    laid: Plane = scale * moved @ (u @ v) + middle
    return laid


def quality(embeddings: Points, plane: Plane, k: int = K) -> PlaneQuality:
    """Trustworthiness and continuity of the plane, over all points.

    k is lowered to less than half of the points, where the measure needs it.
    """
    n = len(plane)
    k = min(k, (n - 1) // 2)
    if k < 1:
        return PlaneQuality(1.0, 1.0, max(k, 0))
    intruding = missing = 0.0
    size = max(1, _BLOCK_ITEMS // n)
    for first in range(0, n, size):
        rows = np.arange(first, min(n, first + size))
        real, flat = _squared(embeddings, rows), _squared(plane, rows)
        intruding += _beyond(real, _nearest(flat, k), k)
        missing += _beyond(flat, _nearest(real, k), k)
    worst = n * k * (2 * n - 3 * k - 1) / 2
    return PlaneQuality(1 - intruding / worst, 1 - missing / worst, k)


def _principal(points: Points) -> Plane:
    """The two principal components, each with its largest entry positive."""
    centered = points.astype(np.float64) - points.mean(axis=0, dtype=np.float64)
    _, _, axes = np.linalg.svd(centered.T @ centered)
    axes = axes[:2]
    largest = np.abs(axes).argmax(axis=1)
    signs = np.sign(axes[np.arange(len(axes)), largest])
    plane = centered @ (axes * signs[:, None]).T
    spare = 2 - plane.shape[1]
    return np.pad(plane, ((0, 0), (0, spare)))


def _standing(plane: Plane) -> Plane:
    centered = plane - plane.mean(axis=0)
    size = float(np.sqrt(np.square(centered).sum(axis=1).mean()))
    standing: Plane = centered / size if size > 0 else centered
    return standing


def _squared(points: Points, rows: np.ndarray) -> Float32[np.ndarray, "b n"]:
    """Squared distances from these rows to all points; to themselves infinite."""
    all_points = points.astype(np.float64)
    some = all_points[rows]
    lengths = np.square(all_points).sum(axis=1)
    exact = lengths[rows][:, None] + lengths - 2 * some @ all_points.T
    found: Float32[np.ndarray, "b n"] = exact.astype(np.float32)  # which sorts in half the time
    found[np.arange(len(rows)), rows] = np.inf
    return found


def _nearest(distances: Float32[np.ndarray, "b n"], k: int) -> np.ndarray:
    return np.argpartition(distances, k - 1, axis=1)[:, :k]


def _beyond(distances: Float32[np.ndarray, "b n"], chosen: np.ndarray, k: int) -> float:
    """By how many ranks the chosen columns are beyond the k nearest, summed."""
    limits = np.take_along_axis(distances, chosen, axis=1)
    ordered = np.sort(distances, axis=1)
    total = 0
    for row, limit in zip(ordered, limits, strict=True):
        total += int(np.maximum(np.searchsorted(row, limit) + 1 - k, 0).sum())
    return float(total)
