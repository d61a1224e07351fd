"""Tests against chance: McNemar's, alone and in a family."""

from collections.abc import Sequence

from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests

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


def holm(tests: Sequence[McNemar]) -> list[AdjustedMcNemar]:
    """The same tests with p-values adjusted for their number (Holm's step-down)."""
    if not tests:
        return []
    adjusted = multipletests([test.p_value for test in tests], method="holm")[1]
    return [
        AdjustedMcNemar(**test.model_dump(), p_adjusted=float(p))
        for test, p in zip(tests, adjusted, strict=True)
    ]
