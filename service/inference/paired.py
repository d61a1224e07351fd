"""Two versions of a model on the same test images: where each is right, and by chance or not.

The tests and intervals are those of the reports (`training.evaluation`), worked out here from the
versions' maps, since two versions are published at different times.
"""

from dataclasses import dataclass
from math import comb, erfc, sqrt

import numpy as np
from numpy.typing import NDArray

from models.evidence.classification import AdjustedMcNemar, McNemar
from models.evidence.estimate import Estimate
from service.inference.model_map import ModelMap

_EXACT_BELOW = 25  # discordant images; from there on chi-square is close enough
_Z = 1.959963984540054  # of a 95 % interval

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class PairedVersions:
    """The maps of two versions whose test images and classes are the same."""

    before: ModelMap
    after: ModelMap

    def __post_init__(self) -> None:
        if self.before.test_images != self.after.test_images:
            raise ValueError("the versions have other test images")

    @property
    def gained(self) -> NDArray[np.intp]:
        """Return the images that the later version alone has right, the surest answer first."""
        return self._by_confidence(~self.after.wrong & self.before.wrong)

    @property
    def lost(self) -> NDArray[np.intp]:
        """Return the images that the earlier version alone has right, the surest answer first."""
        return self._by_confidence(self.after.wrong & ~self.before.wrong)

    def test(self) -> McNemar:
        """McNemar's test of all images."""
        return mcnemar(len(self.gained), len(self.lost))

    def difference(self) -> Estimate:
        """The later version's accuracy less the earlier one's."""
        return paired_difference(len(self.gained), len(self.lost), self.after.tests)

    def classes(self, count: int) -> list[AdjustedMcNemar | None]:
        """McNemar's test of each class's images, adjusted by Holm; None where it has none."""
        labels = self.after.labels[: self.after.tests]
        gained = np.bincount(labels[self.gained], minlength=count)
        lost = np.bincount(labels[self.lost], minlength=count)
        tests = {
            label: mcnemar(int(gained[label]), int(lost[label]))
            for label in np.unique(labels).tolist()
        }
        adjusted = holm([test.p_value for test in tests.values()])
        found: list[AdjustedMcNemar | None] = [None] * count
        for (label, test), p in zip(tests.items(), adjusted, strict=True):
            found[label] = AdjustedMcNemar(**test.model_dump(), p_adjusted=p)
        return found

    def _by_confidence(self, chosen: Bools) -> NDArray[np.intp]:
        rows = np.flatnonzero(chosen)
        return rows[np.argsort(-self.after.points.confidence[rows], kind="stable")]


def mcnemar(only_after: int, only_before: int) -> McNemar:
    """McNemar's test of the images that one of two versions alone has right."""
    n, smaller = only_after + only_before, min(only_after, only_before)
    exact = n < _EXACT_BELOW
    if exact:
        statistic = float(smaller)
        p_value = min(1.0, 2 * sum(comb(n, k) for k in range(smaller + 1)) / 2**n)
    else:
        statistic = (abs(only_after - only_before) - 1) ** 2 / n
        p_value = erfc(sqrt(statistic / 2))
    return McNemar(
        only_own_right=only_after,
        only_baseline_right=only_before,
        statistic=statistic,
        p_value=p_value,
        exact=exact,
    )


def paired_difference(only_after: int, only_before: int, n: int) -> Estimate:
    """The difference of two shares of the same n images, with its 95 % interval.

    Source: Bonett and Price 2012, as in `training.evaluation.intervals.paired_difference`.
    """
    more, fewer = (only_after + 1) / (n + 2), (only_before + 1) / (n + 2)
    middle, value = more - fewer, (only_after - only_before) / n
    reach = _Z * sqrt((more + fewer - middle**2) / (n + 2))
    return Estimate(
        value=value,
        low=max(-1.0, min(middle - reach, value)),
        high=min(1.0, max(middle + reach, value)),
    )


def holm(p_values: list[float]) -> list[float]:
    """Adjust p-values for their number (Holm 1979)."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, p_values[i] * (len(p_values) - rank)))
        adjusted[i] = highest
    return adjusted
