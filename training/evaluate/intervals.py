"""Intervals of shares that hold the true share 19 times in 20, also near 0 and 1."""

import numpy as np
from jaxtyping import Bool
from scipy.stats import chi2, norm
from statsmodels.stats.proportion import proportion_confint

from models.evidence.estimate import Estimate

_Z = float(norm.ppf(0.975))
_FEW_OF_MORE, _FEW, _MORE = 3, 2, 51  # Brown, Cai and DasGupta 2001, section 4.1.1


def proportion(right: int, n: int) -> Estimate:
    """The share `right / n`, in 0..1, with the modified Wilson 95 % interval.

    That is Wilson's, except where one to three images differ from all or none: there the far end
    is that of a Poisson count, for Wilson's own holds true shares near 0 and 1 too rarely (in
    84 %). Source: Brown, Cai and DasGupta 2001, Interval Estimation for a Binomial Proportion,
    sections 3.1.1 and 4.1.1. The true share is held in 91.6 % at the least, 95.7 % in the mean,
    whatever it is. Needs n >= 1.

    >>> print("{0.value:.3f} ({0.low:.3f} to {0.high:.3f})".format(proportion(16, 16)))
    1.000 (0.806 to 1.000)
    """
    low, high = proportion_confint(right, n, alpha=0.05, method="wilson")
    few = _FEW_OF_MORE if n >= _MORE else _FEW
    if 1 <= right <= few:
        low = chi2.ppf(0.05, 2 * right) / 2 / n
    if 1 <= n - right <= few:
        high = 1 - chi2.ppf(0.05, 2 * (n - right)) / 2 / n
    value = right / n
    return Estimate(
        value=value, low=max(0.0, min(float(low), value)), high=min(1.0, max(float(high), value))
    )


def share(right: Bool[np.ndarray, " n"]) -> Estimate:
    """The share that is right, with the interval of `proportion`. Needs n >= 1."""
    return proportion(int(right.sum()), len(right))


def paired_difference(own: Bool[np.ndarray, " n"], baseline: Bool[np.ndarray, " n"]) -> Estimate:
    """Own share right less the baseline's, on the same n >= 1 images, with its 95 % interval.

    Source: Bonett and Price 2012, Adjusted Wald Confidence Interval for a Difference of Binomial
    Proportions Based on Paired Data: one image is added on either side of those that one model
    alone has right, so models that never differ are not called equal to the last digit.
    """
    n = len(own)
    wins, losses = int((own & ~baseline).sum()), int((baseline & ~own).sum())
    more, fewer = (wins + 1) / (n + 2), (losses + 1) / (n + 2)
    middle, value = more - fewer, (wins - losses) / n
    reach = _Z * float(np.sqrt((more + fewer - middle**2) / (n + 2)))
    return Estimate(
        value=value,
        low=max(-1.0, min(middle - reach, value)),
        high=min(1.0, max(middle + reach, value)),
    )
