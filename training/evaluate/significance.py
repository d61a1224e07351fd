"""What chance alone could have done: bootstrap intervals and McNemar's test."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float64
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests

from models.evidence.classification import AdjustedMcNemar, McNemar
from models.evidence.estimate import Estimate

RESAMPLES = 10_000
SEED = 0
_EXACT_BELOW = 25  # discordant images; from there on chi-square is close enough


def percentiles(resampled: Float64[np.ndarray, " r"]) -> tuple[float, float]:
    """The 95 % percentile interval of a statistic's bootstrap values."""
    low, high = np.quantile(resampled, (0.025, 0.975))
    return float(low), float(high)


def share(right: Bool[np.ndarray, " n"]) -> Estimate:
    """The share that is right, in 0..1, with the interval of a bootstrap over images.

    The right ones among n images drawn with replacement are binomial, so that is drawn.
    """
    n, value = len(right), float(right.mean())
    low, high = percentiles(np.random.default_rng(SEED).binomial(n, value, RESAMPLES) / n)
    return Estimate(value=value, low=low, high=high)


def paired_difference(own: Bool[np.ndarray, " n"], baseline: Bool[np.ndarray, " n"]) -> Estimate:
    """Own share right less the baseline's, with the interval of a paired bootstrap over images.

    An image contributes +1, -1 or 0; how often each is drawn among n is multinomial.
    """
    n = len(own)
    wins, losses = int((own & ~baseline).sum()), int((baseline & ~own).sum())
    odds = np.array([wins, losses, n - wins - losses]) / n
    drawn = np.random.default_rng(SEED).multinomial(n, odds, RESAMPLES)
    low, high = percentiles((drawn[:, 0] - drawn[:, 1]) / n)
    return Estimate(value=(wins - losses) / n, low=low, high=high)


def mcnemar(only_own_right: int, only_baseline_right: int) -> McNemar:
    """McNemar's test of the images that one of two models alone has right."""
    exact = only_own_right + only_baseline_right < _EXACT_BELOW
    table = [[0, only_own_right], [only_baseline_right, 0]]  # where both agree does not matter
    found = statsmodels_mcnemar(table, exact=exact, correction=True)
    return McNemar(
        only_own_right=only_own_right,
        only_baseline_right=only_baseline_right,
        statistic=float(found.statistic),
        p_value=float(found.pvalue),
        exact=exact,
    )


def holm(tests: Sequence[McNemar]) -> list[AdjustedMcNemar]:
    """The same tests with p-values adjusted for their number (Holm's step-down)."""
    if not tests:
        return []
    adjusted = multipletests([test.p_value for test in tests], method="holm")[1]
    return [
        AdjustedMcNemar(**test.model_dump(), p_adjusted=float(p))
        for test, p in zip(tests, adjusted, strict=True)
    ]
