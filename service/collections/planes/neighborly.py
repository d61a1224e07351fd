"""A plane that keeps neighbors together: forces along the edges of the nearest-neighbor graph.

Source: McInnes, Healy and Melville 2018, UMAP; its low-dimensional curve with a minimal distance of
0.1, negative samples and falling rate, on the exact neighbors that FAISS finds.
"""

import faiss
import numpy as np
from jaxtyping import Float32, Float64, Int64

NEIGHBORS = 15
_A, _B = 1.577, 0.895  # of the curve 1 / (1 + a d^2b), for a minimal distance of 0.1
_EPOCHS = 150
_FAR = 5  # random points that each edge is pushed away from
_MOST_STEP = 4.0
_BANDWIDTH_ROUNDS = 32
_PARTS = 8  # of an epoch, after each of which positions are the new ones


def lay_out(
    vectors: Float32[np.ndarray, "n d"], start: Float64[np.ndarray, "n 2"]
) -> Float64[np.ndarray, "n 2"]:
    """Positions of the vectors, the same for the same input; `start` is where they begin."""
    n = len(vectors)
    k = min(NEIGHBORS, n - 1)
    if k < 2:
        return start
    heads, tails, weights = _edges(vectors, k)
    draw = np.random.default_rng(0)
    spread = np.abs(start).max() or 1.0
    points = start * (10 / spread) + draw.normal(0, 1e-3, start.shape)
    for epoch in range(_EPOCHS):
        rate = 1 - epoch / _EPOCHS
        pulled = np.flatnonzero(draw.random(len(weights)) < weights)
        draw.shuffle(pulled)
        for part in np.array_split(pulled, _PARTS):
            _attract(points, heads[part], tails[part], rate)
            _repel(points, heads[part], draw, rate)
    return points


def _edges(
    vectors: Float32[np.ndarray, "n d"], k: int
) -> tuple[Int64[np.ndarray, " e"], Int64[np.ndarray, " e"], Float64[np.ndarray, " e"]]:
    """Both ends of each edge and its weight in 0..1, the largest being 1."""
    index = faiss.IndexFlatL2(vectors.shape[1])
    index.add(np.ascontiguousarray(vectors))
    squared, near = index.search(np.ascontiguousarray(vectors), k + 1)
    distances, near = np.sqrt(np.maximum(squared[:, 1:], 0)).astype(np.float64), near[:, 1:]
    weights = _memberships(distances)
    n = len(vectors)
    heads, tails = np.repeat(np.arange(n), k), near.ravel().astype(np.int64)
    forward = dict(zip((heads * n + tails).tolist(), weights.ravel().tolist(), strict=True))
    both: dict[int, float] = {}
    for code, weight in forward.items():
        head, tail = divmod(code, n)
        other = forward.get(tail * n + head, 0.0)
        both[min(code, tail * n + head)] = weight + other - weight * other
    codes = np.fromiter(both, np.int64, len(both))
    values = np.fromiter(both.values(), np.float64, len(both))
    ends = codes // n, codes % n
    return np.concatenate(ends), np.concatenate(ends[::-1]), np.tile(values / values.max(), 2)


def _memberships(distances: Float64[np.ndarray, "n k"]) -> Float64[np.ndarray, "n k"]:
    """exp(-(d - nearest) / width), the width such that each row sums to log2 k."""
    beyond = np.maximum(distances - distances[:, :1], 0)
    target = np.log2(distances.shape[1])
    low, high = np.zeros(len(beyond)), np.full(len(beyond), np.inf)
    width = np.ones(len(beyond))
    for _ in range(_BANDWIDTH_ROUNDS):
        total = np.exp(-beyond / width[:, None]).sum(axis=1)
        above = total > target
        high, low = np.where(above, width, high), np.where(above, low, width)
        width = np.where(np.isinf(high), width * 2, (low + high) / 2)
    least = 1e-3 * (distances.mean(axis=1) + 1e-12)
    weights: Float64[np.ndarray, "n k"] = np.exp(-beyond / np.maximum(width, least)[:, None])
    return weights


def _attract(
    points: Float64[np.ndarray, "n 2"],
    heads: Int64[np.ndarray, " e"],
    tails: Int64[np.ndarray, " e"],
    rate: float,
) -> None:
    apart = points[heads] - points[tails]
    squared = np.square(apart).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        pull = -2 * _A * _B * squared ** (_B - 1) / (1 + _A * squared**_B)
    force = np.nan_to_num(pull, posinf=0, neginf=0)[:, None] * apart
    step = rate * np.clip(force, -_MOST_STEP, _MOST_STEP)
    _add(points, heads, step)


def _repel(
    points: Float64[np.ndarray, "n 2"],
    heads: Int64[np.ndarray, " e"],
    draw: np.random.Generator,
    rate: float,
) -> None:
    heads = np.repeat(heads, _FAR)
    apart = points[heads] - points[draw.integers(0, len(points), len(heads))]
    squared = np.square(apart).sum(axis=1)
    push = 2 * _B / ((0.001 + squared) * (1 + _A * squared**_B))
    step = rate * np.clip(push[:, None] * apart, -_MOST_STEP, _MOST_STEP)
    _add(points, heads, step)


def _add(
    points: Float64[np.ndarray, "n 2"],
    where: Int64[np.ndarray, " e"],
    step: Float64[np.ndarray, "e 2"],
) -> None:
    for axis in (0, 1):
        points[:, axis] += np.bincount(where, step[:, axis], len(points))
