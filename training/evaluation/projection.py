"""2-D pictures of embeddings, and the numbers that tell how far such a picture can be believed."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE, trustworthiness
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from models.evidence.feature_space import Projection
from training.data.sampling import stratified

NEIGHBORS = 10
SHOWN = 2_000  # more would hide each other, and t-SNE takes minutes
SEED = 0
_FEWEST_FOR_TSNE = 100
_PERPLEXITY = 30
_TSNE = f"t-SNE, perplexity {_PERPLEXITY}, PCA start, seed {SEED}"
_PCA = "PCA"
_PLAIN = "none, the embedding has 2 numbers"

Points = Float32[np.ndarray, "n 2"]
Labels = Int64[np.ndarray, " n"]


@dataclass(frozen=True)
class PlaneProjection:
    """The positions of n images in the plane, and the share of their embeddings that these show."""

    points: Points
    labels: Labels
    measured: Projection


def shown_rows(labels: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " m"]:
    """The test images to project: all up to 2,000, else a sample with each class by its share."""
    rows: Int64[np.ndarray, " m"] = np.sort(stratified(labels, SHOWN, SEED))
    return rows


def take_picture(embeddings: Float32[np.ndarray, "n d"], labels: Labels) -> PlaneProjection:
    """Project embeddings as served, and measure the projection with k = 10 neighbors.

    Distances are Euclidean on both sides. Of 2,000 images it takes seconds on one core.
    """
    method, points = _project(embeddings)
    near, near_in_picture = nearest(embeddings), nearest(points)
    measured = Projection(
        method=method,
        images=len(embeddings),
        neighbours=NEIGHBORS,
        trustworthiness=_trustworthiness(embeddings, points),
        neighbour_agreement=_agreement(near, near_in_picture),
        picture_accuracy=_accuracy(near_in_picture, labels),
    )
    return PlaneProjection(points, labels, measured)


def nearest(points: Float32[np.ndarray, "n d"]) -> Int64[np.ndarray, "n k"] | None:
    """The 10 nearest other rows of each row; None for 10 rows or fewer."""
    if len(points) <= NEIGHBORS:
        return None
    index = NearestNeighbors(n_neighbors=NEIGHBORS, algorithm="brute").fit(points)
    found: Int64[np.ndarray, "n k"] = index.kneighbors(return_distance=False)
    return found


def _project(embeddings: Float32[np.ndarray, "n d"]) -> tuple[str, Points]:
    n, dimension = embeddings.shape
    if dimension == 2:
        return _PLAIN, embeddings
    if n < _FEWEST_FOR_TSNE or bool((embeddings == embeddings[0]).all()):
        return _PCA, _principal(embeddings)
    tsne = TSNE(perplexity=_PERPLEXITY, init="pca", random_state=SEED)
    with threadpool_limits(1):  # its threads wait for each other: minutes on a busy machine
        picture: Points = tsne.fit_transform(embeddings)
    return _TSNE, picture


def _principal(embeddings: Float32[np.ndarray, "n d"]) -> Points:
    """The first 2 principal components; 0 where there are fewer."""
    flat = np.zeros((len(embeddings), 2), np.float32)
    components = min(2, *embeddings.shape)
    if len(embeddings) > 1 and bool((embeddings != embeddings[0]).any()):
        flat[:, :components] = PCA(components, random_state=SEED).fit_transform(embeddings)
    return flat


def _trustworthiness(embeddings: Float32[np.ndarray, "n d"], points: Points) -> float | None:
    if len(points) <= 2 * NEIGHBORS:  # its scale is defined for k < n / 2
        return None
    return float(trustworthiness(embeddings, points, n_neighbors=NEIGHBORS))


def _agreement(
    near: Int64[np.ndarray, "n k"] | None, near_in_picture: Int64[np.ndarray, "n k"] | None
) -> float | None:
    if near is None or near_in_picture is None:
        return None
    shared = (near[:, :, None] == near_in_picture[:, None, :]).any(axis=2)
    return float(shared.mean())


def _accuracy(near_in_picture: Int64[np.ndarray, "n k"] | None, labels: Labels) -> float | None:
    if near_in_picture is None:
        return None
    own = (labels[near_in_picture] == labels[:, None]).mean(axis=1)
    return float((own > 0.5).mean())
