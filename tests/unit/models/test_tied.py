"""Tied sets are cliques, whatever the tests say."""

from itertools import combinations

import numpy as np
import pytest

from models.comparison import Difference
from models.comparison_protocol import Measure
from models.evidence.estimate import Estimate
from models.tied import tied_sets, unbeaten
from tests.support.comparisons import LOSSES

ACCURACY = Measure(
    name="accuracy",
    title="Accuracy",
    goal="classify",
    higher_is_better=True,
    percent=True,
    description="",
)
NLL = ACCURACY.model_copy(update={"higher_is_better": False})


def judged(means: dict[str, float], apart: set[frozenset[str]]) -> list[Difference]:
    tests = []
    for first, second in combinations(means, 2):
        gap = means[first] - means[second]
        p = 0.001 if frozenset((first, second)) in apart else 0.5
        tests.append(
            Difference(
                measure="accuracy",
                first=first,
                second=second,
                difference=Estimate(value=gap, low=gap, high=gap),
                p_value=p,
                p_adjusted=p,
                detectable=None,
            )
        )
    return tests


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("measure", [ACCURACY, NLL], ids=["higher", "lower"])
def test_no_two_of_a_tied_set_are_distinguished(seed: int, measure: Measure) -> None:
    random = np.random.default_rng(seed)
    means = dict(zip(LOSSES, random.normal(size=5).tolist(), strict=True))
    pairs = [frozenset(pair) for pair in combinations(LOSSES, 2)]
    apart = {pair for pair in pairs if random.random() < 0.4}
    tests = judged(means, apart)
    best, sets = unbeaten(LOSSES, tests, measure), tied_sets(LOSSES, tests)
    for tied in (best, *sets):
        assert not apart & {frozenset(pair) for pair in combinations(tied, 2)}
    sign = 1 if measure.higher_is_better else -1
    assert max(means, key=lambda loss: sign * means[loss]) in best
    for pair in set(pairs) - apart:
        assert any(pair <= set(tied) for tied in sets)
    for tied in sets:
        assert not any(set(tied) < set(other) for other in sets)


def test_a_tie_with_the_leader_is_not_a_tie_with_each_other() -> None:
    """As found in an audit: the leader's ties held a pair with p = 6e-10 between its members."""
    means = {"softmax": 0.70, "center": 0.72, "cosface": 0.60}
    tests = judged(means, {frozenset(("softmax", "cosface"))})
    assert unbeaten(tuple(means), tests, ACCURACY) == ("softmax", "center")
    assert tied_sets(tuple(means), tests) == (("softmax", "center"), ("center", "cosface"))
