"""The shape of a gallery in embedding space: what unknown images are held against, fitted once.

Of the rules without further training that OpenOOD v1.5 compares on CIFAR-10 (Zhang et al. 2023,
arXiv 2306.09301, table 2), k nearest neighbors, the relative Mahalanobis distance and ViM lead, by
classes alike and by other data sets. The first is in `models.open_set`. ViM adds a term of the
logits, which a served graph does not give: its other term, the residual, is here.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_RIDGE = 1e-3  # of the mean variance, so that few images do not make a direction infinitely tight
_BLOCK_ITEMS = 2**22  # differences held at once

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Gaussians:
    """A Gaussian for each class, of one covariance, and one for all images together."""

    means: Points  # [c, d], in the coordinates where the shared covariance is 1
    within: Points  # [d, d], to those coordinates
    mean: Points  # [1, d], of all images, in the coordinates where their covariance is 1
    whole: Points  # [d, d], to those

    @classmethod
    def of(cls, points: Points, labels: NDArray[np.int64]) -> "Gaussians":
        """Fitted to points [n, d] of classes `labels` [n]; needs a point."""
        present, places = np.unique(labels, return_inverse=True)
        means = np.array([points[labels == label].mean(axis=0) for label in present])
        center = points.mean(axis=0, keepdims=True)
        within, whole = _whitening(points - means[places]), _whitening(points - center)
        return cls(means @ within, within, center @ whole, whole)

    def relative_distances(self, points: Points) -> Points:
        """Return the nearest class's distance [b] relative to that of all images together, squared.

        Relative Mahalanobis distance, equation 3 of Ren et al. 2021 (arXiv 2106.09022): the least
        over classes of (x - mean)' S^-1 (x - mean), less the same with the mean and the covariance
        of all images. Negative where a class explains the point better.
        """
        rows = max(1, _BLOCK_ITEMS // self.means.size)
        parts = [
            self._relative(points[start : start + rows]) for start in range(0, len(points), rows)
        ]
        return np.concatenate([np.empty(0), *parts])

    def _relative(self, points: Points) -> Points:
        own = _times(points, self.within)[:, np.newaxis] - self.means
        apart = _times(points, self.whole) - self.mean
        near: Points = np.square(own).sum(axis=2).min(axis=1)
        relative: Points = near - np.square(apart).sum(axis=1)
        return relative


@dataclass(frozen=True)
class Subspace:
    """The directions in which a gallery varies most, half of all, and those that are left."""

    mean: Points  # [1, d]
    left: Points  # [d, m], orthonormal

    @classmethod
    def of(cls, points: Points) -> "Subspace":
        """Fitted to points [n, d]; needs a point."""
        mean = points.mean(axis=0, keepdims=True)
        away = points - mean
        _, directions = np.linalg.eigh(away.T @ away)  # by rising variance
        return cls(mean, directions[:, : max(1, points.shape[1] // 2)])

    def residuals(self, points: Points) -> Points:
        """The length [b] of what each point has outside of the subspace.

        The residual of ViM, equation 4 of Wang et al. 2022 (arXiv 2203.10807), about the mean.
        """
        lengths: Points = np.linalg.norm(_times(points - self.mean, self.left), axis=1)
        return lengths


def _whitening(away: Points) -> Points:
    """The map [d, d] after which these differences from a mean have covariance 1."""
    covariance = away.T @ away / len(away)
    values, directions = np.linalg.eigh(covariance)
    least = max(_RIDGE * float(values.mean()), float(np.finfo(np.float64).tiny))
    scales: Points = directions / np.sqrt(np.maximum(values, 0) + least)
    return scales


def _times(points: Points, matrix: Points) -> Points:
    """The product, each row by itself, so that no image's score depends on its batch."""
    product: Points = np.einsum("bd,de->be", points, matrix)
    return product
