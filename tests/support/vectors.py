"""Vectors as embeddings lie: in clusters, these in few directions, and noise about them."""

import numpy as np
from jaxtyping import Float32


def clustered(
    n: int, dimension: int, clusters: int = 100, seed: int = 0
) -> Float32[np.ndarray, "n d"]:
    """Unit vectors of as many classes as there are clusters, in a subspace of a quarter.

    The clusters depend on the seed only through their number and the dimension, so that vectors
    of another seed are queries of the same kind.
    """
    shape = np.random.default_rng((clusters, dimension))
    inner = max(2, dimension // 4)
    subspace = shape.normal(size=(inner, dimension)) / np.sqrt(dimension)
    centers = shape.normal(size=(clusters, inner))
    chance = np.random.default_rng(seed)
    within = centers[chance.integers(clusters, size=n)] + 0.4 * chance.normal(size=(n, inner))
    vectors = within @ subspace + 0.1 * np.sqrt(inner / dimension) * chance.normal(
        size=(n, dimension)
    )
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.ascontiguousarray(unit, np.float32)
