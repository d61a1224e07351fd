"""The power of a comparison's tests: the whole procedure, simulated with the spreads it saw."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float64
from scipy import stats

from models.comparison import LEVEL, Power
from models.comparison_protocol import Measure
from models.evidence.estimate import Estimate
from training.comparison.cochran import DegreesOfFreedom, p_values
from training.comparison.image_variance import ImageEffect
from training.comparison.statistics import POWER, BySeed
from training.evaluation.significance import holm

SIMULATIONS = 1000
MOST_SEEDS = 200
_SEED = 0
_STEPS = 14  # of a bisection: to 1 part in 16,000
_LEAST = 1e-24

Matrix = Float64[np.ndarray, "l l"]
Pairs = Float64[np.ndarray, " p"]


@dataclass(frozen=True)
class Noise:
    """The noise of the losses' means: covariances over seeds, and over draws of the images.

    `own` is the least variance of each pair's gap that a seed must show, and `images_df` what the
    images' variances are known to; None where nothing is known of the images.
    """

    losses: tuple[str, ...]
    seeds: Matrix
    images: Matrix
    own: Pairs
    images_df: int | None

    @classmethod
    def of(cls, by_loss: Mapping[str, BySeed], images: ImageEffect | None) -> "Noise":
        """Read the noise of a measure, by loss."""
        losses = tuple(by_loss)
        values = np.stack([by_loss[loss] for loss in losses])
        pairs = list(combinations(losses, 2))
        seeds, count = np.cov(values), values.shape[1]
        if images is None:
            return cls(losses, seeds, np.zeros_like(seeds), np.zeros(len(pairs)), None)
        single = {loss: images.single(loss).shared for loss in losses}
        parts = [images.difference(*pair) for pair in pairs]
        shared = np.diag([single[loss] for loss in losses])
        for (first, second), part in zip(pairs, parts, strict=True):
            row, column = losses.index(first), losses.index(second)
            shared[row, column] = (single[first] + single[second] - part.shared) / 2
            shared[column, row] = shared[row, column]
        own = np.array([part.own for part in parts]) * count
        return cls(losses, seeds, shared, own, parts[0].freedom)

    def scaled(self, factor: float) -> "Noise":
        """The same with other variances over seeds."""
        return Noise(self.losses, factor * self.seeds, self.images, self.own, self.images_df)


@dataclass(frozen=True)
class SimulatedComparisons:
    """Comparisons of equal losses, drawn once: each pair's gap and variance, in every one."""

    noise: Noise
    gaps: Float64[np.ndarray, "r p"]
    seeds: Float64[np.ndarray, "r p"]
    images: Pairs
    freedom: DegreesOfFreedom

    @classmethod
    def draw(
        cls, noise: Noise, seeds: int, simulations: int = SIMULATIONS
    ) -> "SimulatedComparisons":
        """So many comparisons of so many seeds, from fixed random numbers."""
        random = np.random.default_rng(_SEED)
        count = len(noise.losses)
        runs = random.standard_normal((simulations, seeds, count)) @ _root(noise.seeds)
        drawn = random.standard_normal((simulations, count)) @ _root(noise.images)
        pairs = np.array(list(combinations(range(count), 2)))
        gaps = runs[:, :, pairs[:, 0]] - runs[:, :, pairs[:, 1]]
        moved = drawn[:, pairs[:, 0]] - drawn[:, pairs[:, 1]]
        variances = np.maximum(gaps.var(axis=1, ddof=1), noise.own) / seeds
        images = noise.images.diagonal()[pairs].sum(axis=1)
        images = images - 2 * noise.images[pairs[:, 0], pairs[:, 1]]
        df = seeds - 1 if noise.images_df is None else noise.images_df
        return cls(
            noise, gaps.mean(axis=1) + moved, variances, images, DegreesOfFreedom(seeds - 1, df)
        )

    def distinguished(self, means: Float64[np.ndarray, " l"]) -> Float64[np.ndarray, "r p"]:
        """With these true means: 1 where a pair's first is distinguished as higher, -1 as lower."""
        pairs = np.array(list(combinations(range(len(means)), 2)))
        gaps = self.gaps + means[pairs[:, 0]] - means[pairs[:, 1]]
        total = self.seeds + self.images
        seen = total > _LEAST  # as in `Spread`: without, nothing is distinguished from chance
        total = np.where(seen, total, 1.0)
        sizes = np.where(seen, np.abs(gaps) / np.sqrt(total), 0.0)
        found = p_values(sizes, self.seeds / total, self.freedom)
        apart: Float64[np.ndarray, "r p"] = np.sign(gaps) * (holm(found) < LEVEL)
        return apart

    def wins(self, means: Float64[np.ndarray, " l"], leader: int) -> Bool[np.ndarray, "r o"]:
        """Return whether the leader is found higher than each other loss."""
        apart = self.distinguished(means)
        columns = [
            apart[:, place] * (1 if first == leader else -1) > 0
            for place, (first, second) in enumerate(combinations(range(len(means)), 2))
            if leader in (first, second)
        ]
        return np.stack(columns, axis=1)


def power_of(
    measure: Measure, by_loss: Mapping[str, BySeed], images: ImageEffect | None = None
) -> Power | None:
    """Simulate the procedure on this measure; None where no spread was seen."""
    noise = Noise.of(by_loss, images)
    if np.trace(noise.seeds + noise.images) <= _LEAST or len(noise.losses) < 2:
        return None
    leader = _leader(measure, by_loss)
    seeds = len(by_loss[noise.losses[0]])
    drawn = SimulatedComparisons.draw(noise, seeds)
    lead, df = _lead(drawn, leader), seeds - 1
    low, high = (
        _lead(
            SimulatedComparisons.draw(noise.scaled(df / stats.chi2.ppf(share, df)), seeds), leader
        )
        for share in (0.975, 0.025)
    )
    still = np.zeros(len(noise.losses))
    return Power(
        measure=measure.name,
        lead=Estimate(value=lead, low=low, high=high),
        pair_found=float(drawn.wins(_ahead(still, leader, lead), leader).mean()),
        false_alarms=float((drawn.distinguished(still) != 0).any(axis=1).mean()),
        simulations=SIMULATIONS,
    )


def seeds_needed(
    measure: Measure, by_loss: Mapping[str, BySeed], images: ImageEffect | None = None
) -> int | None:
    """With how many seeds the leader would be distinguished from all others 4 times in 5.

    If the true means are as seen; None where no number up to 200 would do.
    """
    noise, leader = Noise.of(by_loss, images), _leader(measure, by_loss)
    sign = 1 if measure.higher_is_better else -1
    means = sign * np.array([values.mean() for values in by_loss.values()])

    def enough(seeds: int) -> bool:
        drawn = SimulatedComparisons.draw(noise, seeds, SIMULATIONS // 2)
        return bool(drawn.wins(means, leader).all(axis=1).mean() >= POWER)

    low, high = 1, MOST_SEEDS
    if not enough(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if middle > 1 and enough(middle) else (middle, high)
    return high


def _lead(drawn: SimulatedComparisons, leader: int) -> float:
    """The smallest at which the leader is distinguished from all others with power 0.8."""
    still = np.zeros(len(drawn.noise.losses))

    def named(lead: float) -> float:
        return float(drawn.wins(_ahead(still, leader, lead), leader).all(axis=1).mean())

    low, high = 0.0, float(np.sqrt(np.trace(drawn.noise.seeds + drawn.noise.images)))
    while named(high) < POWER:
        low, high = high, 2 * high
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if named(middle) >= POWER else (middle, high)
    return high


def _ahead(still: Float64[np.ndarray, " l"], leader: int, lead: float) -> Float64[np.ndarray, " l"]:
    means = still.copy()
    means[leader] = lead
    return means


def _leader(measure: Measure, by_loss: Mapping[str, BySeed]) -> int:
    sign = 1 if measure.higher_is_better else -1
    return int(np.argmax([sign * values.mean() for values in by_loss.values()]))


def _root(covariance: Matrix) -> Matrix:
    """A matrix whose transpose times it is the covariance; negative eigenvalues count as 0."""
    values, vectors = np.linalg.eigh(covariance)
    root: Matrix = (vectors * np.sqrt(np.maximum(values, 0))).T
    return root
