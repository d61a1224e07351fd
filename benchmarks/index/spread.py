"""The spread of embeddings: fitted to the published models' galleries, drawn for many classes."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64

from models.vectors import unit

Vectors = Float32[np.ndarray, "n d"]

# The galleries' own share outside their twenty main directions is 0.00 to 0.06 (five models).
_NOISE = 0.05


@dataclass(frozen=True)
class Spread:
    """A class: a unit center, few directions that its items spread in, and noise in all.

    An item is unit(length * center + radius * direction + noise). Directions are normal with this
    spectrum, in a basis of the class's own; radii are drawn from those that were observed, whose
    tail is heavier than a normal's.
    """

    length: float
    spectrum: Float64[np.ndarray, " d"]  # sums to 1
    radii: Float64[np.ndarray, " r"]

    @property
    def noise(self) -> float:
        """The standard deviation of the noise in each dimension."""
        return float(np.sqrt(_NOISE * np.mean(self.radii**2) / len(self.spectrum)))


def fit(galleries: Iterable[tuple[Vectors, Int64[np.ndarray, " n"]]]) -> Spread:
    """Of all classes of all galleries (embeddings and labels) alike."""
    lengths, spectra, radii = [], [], []
    for embeddings, labels in galleries:
        directions = unit(embeddings)
        for label in np.unique(labels):
            members = directions[labels == label].astype(np.float64)
            mean = members.mean(axis=0)
            offsets = members - mean
            values = np.linalg.eigvalsh(offsets.T @ offsets)[::-1].clip(0)
            lengths.append(float(np.linalg.norm(mean)))
            spectra.append(values / values.sum())
            radii.append(np.linalg.norm(offsets, axis=1))
    return Spread(float(np.mean(lengths)), np.mean(spectra, axis=0), np.concatenate(radii))


@dataclass(frozen=True)
class Classes:
    """Many classes of this spread, their centers anywhere on the sphere."""

    spread: Spread
    centers: Float64[np.ndarray, "c d"]
    axes: Float32[np.ndarray, "c d d"]  # rows, each as long as the spectrum says

    def draw(self, count: int, rng: np.random.Generator) -> tuple[Vectors, Int64[np.ndarray, " n"]]:
        """Items of unit length, and the class of each."""
        labels = rng.integers(len(self.centers), size=count)
        radii = rng.choice(self.spread.radii, count)
        shape = (count, self.centers.shape[1])
        found = rng.normal(0, self.spread.noise, shape)
        found += self.spread.length * self.centers[labels]
        coordinates = rng.standard_normal(shape, np.float32)
        for label in np.unique(labels):
            of_it = np.flatnonzero(labels == label)
            directions = coordinates[of_it] @ self.axes[label]
            directions *= (radii[of_it] / np.linalg.norm(directions, axis=1))[:, None]
            found[of_it] += directions
        return unit(found).astype(np.float32), labels


def make_classes(spread: Spread, count: int, rng: np.random.Generator) -> Classes:
    """Classes whose centers and directions are uniform on the sphere."""
    dimension = len(spread.spectrum)
    centers = unit(rng.standard_normal((count, dimension)))
    turned = np.linalg.qr(rng.standard_normal((count, dimension, dimension)))[0]
    axes = np.sqrt(spread.spectrum)[:, None] * turned
    return Classes(spread, centers, axes.astype(np.float32))
