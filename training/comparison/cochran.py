"""Student's t where two variances of unlike certainty add up: the approximation of Cochran.

The variance of a difference is the sum of what few seeds show of it and what many test images do.
Its critical value is the mean of both Student's, weighted by the variances (Cochran and Cox,
Experimental Designs, 1957, section 4.14). It is known to err on the side of too few rejections;
Satterthwaite's degrees of freedom err on the other one where there are two or three seeds, since
their variance comes out near 0 now and then.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64
from scipy import stats

LEAST_P = 1e-12  # no smaller p is given: no distribution is known so far out
_POINTS = 3000

Values = Float64[np.ndarray, "*shape"]


class DegreesOfFreedom(NamedTuple):
    """Degrees of freedom of both variances."""

    seeds: int
    images: int


def critical(seeds_share: Values, freedom: DegreesOfFreedom, level: float) -> Values:
    """Return the bound that |difference| / sqrt(variance) must exceed at this two-sided level.

    `seeds_share` is the part of the variance that the seeds showed, in 0..1.
    """
    seeds, images = (_student(df, level) for df in freedom)
    return seeds_share * seeds + (1 - seeds_share) * images


def p_values(sizes: Values, seeds_share: Values, freedom: DegreesOfFreedom) -> Values:
    """The level at which each |difference| / sqrt(variance) is just critical; never 0."""
    logs, seeds, images = _table(freedom)
    low, high = np.zeros(sizes.shape, np.intp), np.full(sizes.shape, _POINTS - 1)

    def at(rows: np.ndarray) -> Values:
        weighted: Values = seeds_share * seeds[rows] + (1 - seeds_share) * images[rows]
        return weighted

    while (high - low > 1).any():
        middle = (low + high) // 2
        beyond = sizes >= at(middle)
        low, high = np.where(beyond, middle, low), np.where(beyond, high, middle)
    below, above = at(low), at(high)
    share = np.clip((sizes - below) / (above - below), 0, 1)
    found: Values = np.exp((1 - share) * logs[low] + share * logs[high])
    return found


@cache
def _student(df: int, level: float) -> float:
    return float(stats.t.isf(level / 2, df))


@cache
def _table(
    freedom: DegreesOfFreedom,
) -> tuple[Float64[np.ndarray, " p"], Float64[np.ndarray, " p"], Float64[np.ndarray, " p"]]:
    """Logarithms of levels, falling from 0, with both critical values, rising."""
    logs = np.linspace(0, np.log(LEAST_P), _POINTS)
    seeds, images = (stats.t.isf(np.exp(logs) / 2, df) for df in freedom)
    return logs, seeds, images
