"""From numbers by seed to means, differences and tests."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from math import sqrt

import numpy as np
from jaxtyping import Float64

from models.comparison import LEVEL, Difference, Result
from models.evidence.estimate import Estimate
from training.comparison.cochran import DegreesOfFreedom, critical, p_values
from training.comparison.image_variance import ImageEffect, ImageVariances
from training.evaluation.significance import holm

POWER = 0.8
_ROUNDING = 1e-12
_DRAWS = 4000
_SEED = 0

BySeed = Float64[np.ndarray, " seeds"]


@dataclass(frozen=True)
class Spread:
    """The variance of a mean over seeds: what the seeds show of it, and what images add."""

    seeds: float
    images: float
    freedom: DegreesOfFreedom

    @classmethod
    def of(cls, values: BySeed, images: ImageVariances | None = None) -> "Spread":
        """Of at least two seeds; over seeds alone where nothing is known of the images."""
        shown = float(values.var(ddof=1)) / len(values)
        if images is None:
            return cls(shown, 0.0, DegreesOfFreedom(len(values) - 1, len(values) - 1))
        freedom = DegreesOfFreedom(len(values) - 1, images.freedom)
        return cls(max(shown, images.own), images.shared, freedom)

    @property
    def total(self) -> float:
        """The sum of both."""
        return self.seeds + self.images

    @property
    def is_seen(self) -> bool:
        """Return whether any spread was seen; without one, nothing differs from chance."""
        return self.total > _ROUNDING**2

    def reach(self, level: float = LEVEL) -> float:
        """Half of the interval at 1 - `level`."""
        share = np.array([self.seeds / self.total if self.is_seen else 1.0])
        return float(critical(share, self.freedom, level)[0]) * sqrt(self.total)

    def p_value(self, mean: float) -> float:
        """Of a two-sided test of 0; 1 where no spread was seen."""
        if not self.is_seen:
            return 1.0
        size, share = np.array([abs(mean) / sqrt(self.total)]), np.array([self.seeds / self.total])
        return float(p_values(size, share, self.freedom)[0])

    def detectable(self, level: float) -> float | None:
        """The true mean that the test finds with power 0.8, were the spread as seen."""
        if not self.is_seen:
            return None
        random = np.random.default_rng(_SEED)
        shown = self.seeds * random.chisquare(self.freedom.seeds, _DRAWS) / self.freedom.seeds
        total = shown + self.images
        needed = critical(shown / total, self.freedom, level) * np.sqrt(total)
        chance = random.standard_normal(_DRAWS) * sqrt(self.total)
        return float(np.quantile(needed - chance, POWER))


def mean_over_seeds(
    values: BySeed, images: ImageVariances | None = None, limits: tuple[float, float] | None = None
) -> Estimate:
    """The mean with its 95 % interval, cut to `limits`; needs two seeds.

    Over seeds alone it is Student's t.
    """
    mean, reach = float(values.mean()), Spread.of(values, images).reach()
    low, high = limits or (-np.inf, np.inf)
    return Estimate(
        value=mean, low=float(max(low, mean - reach)), high=float(min(high, mean + reach))
    )


def results_of(
    measure: str,
    by_loss: Mapping[str, BySeed],
    images: ImageEffect | None = None,
    limits: tuple[float, float] | None = None,
) -> list[Result]:
    """Each loss on the measure, over its seeds."""
    return [
        Result(
            loss=loss,
            measure=measure,
            mean=mean_over_seeds(values, images.single(loss) if images else None, limits),
            sd=float(values.std(ddof=1)),
            by_seed=tuple(values.tolist()),
        )
        for loss, values in by_loss.items()
    ]


def differences(
    measure: str, by_loss: Mapping[str, BySeed], images: ImageEffect | None = None
) -> list[Difference]:
    """Every pair of losses, paired by seed, with Holm's correction over the pairs.

    Over seeds alone it is the paired t-test; with `images`, the difference must also be larger
    than other test images could have made it.
    """
    pairs = list(combinations(by_loss, 2))
    gaps = {pair: by_loss[pair[0]] - by_loss[pair[1]] for pair in pairs}
    added = {pair: images.difference(*pair) if images else None for pair in pairs}
    spreads = {pair: Spread.of(gaps[pair], added[pair]) for pair in pairs}
    found = np.array([spreads[pair].p_value(float(gaps[pair].mean())) for pair in pairs])
    return [
        Difference(
            measure=measure,
            first=pair[0],
            second=pair[1],
            difference=mean_over_seeds(gaps[pair], added[pair]),
            p_value=p_value,
            p_adjusted=p_adjusted,
            detectable=spreads[pair].detectable(LEVEL / len(pairs)),
            image_sd=None if images is None else sqrt(spreads[pair].images),
        )
        for pair, p_value, p_adjusted in zip(
            pairs, found.tolist(), holm(found).tolist(), strict=True
        )
    ]
