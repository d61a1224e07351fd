"""Tests against chance: McNemar's, alone and in a family."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar

from models.evidence.classification import AdjustedMcNemar, McNemar

_EXACT_BELOW = 25  # discordant images; from there on chi-square is close enough


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


def holm(found: Float64[np.ndarray, "*shape"]) -> Float64[np.ndarray, "*shape"]:
    """Adjust each row's p-values for their number (Holm 1979)."""
    order = np.argsort(found, axis=-1)
    factors = np.arange(found.shape[-1], 0, -1)
    ranked = np.take_along_axis(found, order, axis=-1) * factors
    rising = np.minimum(np.maximum.accumulate(ranked, axis=-1), 1)
    adjusted = np.empty_like(found)
    np.put_along_axis(adjusted, order, rising, axis=-1)
    return adjusted


def adjusted_tests(tests: Sequence[McNemar]) -> list[AdjustedMcNemar]:
    """Return the same tests with p-values adjusted for their number."""
    adjusted = holm(np.array([test.p_value for test in tests]))
    return [
        AdjustedMcNemar(**test.model_dump(), p_adjusted=float(p))
        for test, p in zip(tests, adjusted, strict=True)
    ]
