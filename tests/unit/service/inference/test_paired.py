"""The tests of two versions are those of the reports, which statsmodels and SciPy work out."""

import numpy as np
import pytest

from service.inference.paired import holm, mcnemar, paired_difference
from training.evaluation import intervals, significance


@pytest.mark.parametrize("after", [0, 1, 7, 12, 24, 25, 60, 700])
@pytest.mark.parametrize("before", [0, 1, 7, 13, 25, 400])
def test_mcnemar_is_that_of_the_reports(after: int, before: int) -> None:
    ours, theirs = mcnemar(after, before), significance.mcnemar(after, before)
    assert ours.exact == theirs.exact
    assert ours.statistic == pytest.approx(theirs.statistic, abs=1e-12)
    assert ours.p_value == pytest.approx(theirs.p_value, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("after", "before", "n"), [(0, 0, 1), (3, 0, 5), (5, 9, 400), (2, 1, 3)])
def test_the_difference_is_that_of_the_reports(after: int, before: int, n: int) -> None:
    own, baseline = np.zeros(n, bool), np.zeros(n, bool)
    own[:after] = True
    baseline[after : after + before] = True
    ours, theirs = paired_difference(after, before, n), intervals.paired_difference(own, baseline)
    for name in ("value", "low", "high"):
        assert getattr(ours, name) == pytest.approx(getattr(theirs, name), abs=1e-9)


@pytest.mark.parametrize("values", [[], [0.01], [0.04, 0.01, 0.03], [0.5, 0.5, 1e-9], [1.0, 0.9]])
def test_holm_is_that_of_the_reports(values: list[float]) -> None:
    theirs: list[float] = significance.holm(np.array(values)).tolist() if values else []
    assert holm(values) == pytest.approx(theirs)
