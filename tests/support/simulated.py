"""Comparisons of imaginary losses: right or wrong for every loss, seed and test image."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from training.comparison.image_variance import PairedResamples, moved
from training.comparison.influence import of_mean
from training.comparison.statistics import BySeed

LOSSES = ("softmax", "center", "cosface", "arcface", "triplet")


@dataclass(frozen=True)
class World:
    """The amounts of chance: of a seed, of an image for a loss, of a seed on an image.

    Standard deviations of what is added to an image's ease, whose own is 1.5; a loss is right on an
    image where the sum is above -1.
    """

    seed: float
    image: float
    both: float


WORLDS = (
    World(seed=0.0, image=0.3, both=0.6),
    World(seed=0.1, image=0.3, both=0.6),
    World(seed=0.5, image=0.3, both=0.3),
    World(seed=0.02, image=0.8, both=0.1),
)


def drawn(
    world: World, seeds: int, images: int, number: int, better: float = 0.0
) -> Bool[np.ndarray, "l s i"]:
    """Outcomes of comparison `number`; the last loss is better by `better`, and others equal."""
    random = np.random.default_rng([seeds, images, number])
    shape = len(LOSSES), seeds, images
    ease = 1.5 * random.standard_normal((1, 1, images), np.float32)
    ease = ease + world.image * random.standard_normal((shape[0], 1, images), np.float32)
    ease = ease + world.seed * random.standard_normal((shape[0], seeds, 1), np.float32)
    ease = ease + world.both * random.standard_normal(shape, np.float32)
    ease[-1] += better
    right: Bool[np.ndarray, "l s i"] = ease > -1
    return right


def measured(right: Bool[np.ndarray, "l s i"]) -> tuple[dict[str, BySeed], PairedResamples]:
    """Accuracy by loss and seed, and its resamples, as a comparison's runs keep them."""
    shares = dict(zip(LOSSES, right.mean(axis=2).astype(np.float64), strict=True))
    resampled = {
        loss: np.array([moved(of_mean(run.astype(np.float64))) for run in runs])
        for loss, runs in zip(LOSSES, right, strict=True)
    }
    return shares, PairedResamples(resampled, right.shape[2], unseen=1.0)
