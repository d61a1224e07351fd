"""From numbers by seed to means, differences and tests."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from jaxtyping import Float64
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower

from models.comparison import Difference, Result
from models.evidence.estimate import Estimate

LEVEL = 0.05
POWER = 0.8
_ROUNDING = 1e-12

BySeed = Float64[np.ndarray, " seeds"]


def mean_over_seeds(values: BySeed) -> Estimate:
    """The mean with the 95 % interval of Student's t; needs two seeds."""
    mean, error = float(values.mean()), float(stats.sem(values))
    reach = float(stats.t.ppf(1 - LEVEL / 2, len(values) - 1)) * error
    return Estimate(value=mean, low=mean - reach, high=mean + reach)


def results_of(measure: str, by_loss: dict[str, BySeed]) -> list[Result]:
    """Each loss on the measure, over its seeds."""
    return [
        Result(
            loss=loss,
            measure=measure,
            mean=mean_over_seeds(values),
            sd=float(values.std(ddof=1)),
            by_seed=tuple(values.tolist()),
        )
        for loss, values in by_loss.items()
    ]


def differences(measure: str, by_loss: dict[str, BySeed]) -> list[Difference]:
    """Every pair of losses, paired by seed, with Holm's correction over the pairs."""
    pairs = list(combinations(by_loss, 2))
    p_values = [_p_value(by_loss[first] - by_loss[second]) for first, second in pairs]
    return [
        Difference(
            measure=measure,
            first=first,
            second=second,
            difference=mean_over_seeds(by_loss[first] - by_loss[second]),
            p_value=p_value,
            p_adjusted=p_adjusted,
            detectable=detectable(by_loss[first] - by_loss[second]),
        )
        for (first, second), p_value, p_adjusted in zip(
            pairs, p_values, holm(p_values), strict=True
        )
    ]


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted for how many they are (Holm 1979)."""
    if not p_values:
        return []
    return [float(p) for p in multipletests(p_values, method="holm")[1]]


def detectable(gaps: BySeed) -> float:
    """The true mean that the paired t-test finds with power 0.8 at 5 %, two-sided.

    For the spread seen in `gaps`, and as many seeds.
    """
    effect = TTestPower().solve_power(nobs=len(gaps), alpha=LEVEL, power=POWER)
    return float(effect * gaps.std(ddof=1))


def _p_value(gaps: BySeed) -> float:
    """Two-sided paired t-test; differences that are the same for every seed leave no doubt."""
    mean, error = abs(float(gaps.mean())), float(stats.sem(gaps))
    if error <= _ROUNDING:
        return float(mean <= _ROUNDING)
    return float(2 * stats.t.sf(mean / error, len(gaps) - 1))
