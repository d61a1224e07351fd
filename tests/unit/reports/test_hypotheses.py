"""The outcomes of the protocol's hypotheses follow from the numbers, whichever way those fall."""

import re
from itertools import combinations

import numpy as np
import pytest

from models.comparison import ComparisonReport, Difference, Result, Verdict
from models.comparison_protocol import Measure
from models.evidence.estimate import Estimate
from models.tied import unbeaten
from reports.hypotheses import outcomes
from reports.published import PLANNED
from tests.support.comparisons import LOSSES, comparison

Means = dict[str, float]
EVEN: Means = dict.fromkeys(LOSSES, 0.5)
MARGINS: Means = EVEN | {"cosface": 0.6, "arcface": 0.6, "triplet": 0.6}
LOWER = ("nll",)
MEASURES = ("accuracy", "map_at_r", "unseen_map_at_r", "unknown_auroc", "nll")


def study(name: str, **means: Means) -> ComparisonReport:
    """A comparison with these means by measure; a gap of more than a point is distinguished."""
    losses = tuple(next(iter(means.values()), EVEN))
    report = comparison()
    template = report.measures[0]
    measures = [
        template.model_copy(update={"name": one, "higher_is_better": one not in LOWER})
        for one in MEASURES
    ]
    found = {one: means.get(one, EVEN) for one in MEASURES}
    return report.model_copy(
        update={
            "name": name,
            "losses": losses,
            "convergence": (),
            "measures": tuple(measures),
            "results": tuple(result(one, loss, found[one]) for one in MEASURES for loss in losses),
            "differences": tuple(
                difference(one, pair, found[one])
                for one in MEASURES
                for pair in combinations(losses, 2)
            ),
            "verdicts": (verdict(measures[0], losses, found["accuracy"]),),
        }
    )


def result(measure: str, loss: str, means: Means) -> Result:
    random = np.random.default_rng([*f"{measure} {loss}".encode()])
    by_seed = means[loss] + random.normal(0, 0.002, 5)
    mean = Estimate(value=means[loss], low=means[loss] - 0.01, high=means[loss] + 0.01)
    return Result(loss=loss, measure=measure, mean=mean, sd=0.002, by_seed=tuple(by_seed.tolist()))


def difference(measure: str, pair: tuple[str, str], means: Means) -> Difference:
    gap = means[pair[0]] - means[pair[1]]
    p = 0.001 if abs(gap) > 0.01 else 0.6
    return Difference(
        measure=measure,
        first=pair[0],
        second=pair[1],
        difference=Estimate(value=gap, low=gap - 0.01, high=gap + 0.01),
        p_value=p,
        p_adjusted=p,
        detectable=None,
    )


def verdict(measure: Measure, losses: tuple[str, ...], means: Means) -> Verdict:
    tests = [difference(measure.name, pair, means) for pair in combinations(losses, 2)]
    best = unbeaten(losses, tests, measure)
    leader = max(losses, key=lambda loss: means[loss])
    return (
        comparison()
        .verdicts[0]
        .model_copy(update={"best": best, "prefer": leader, "tie": len(best) > 1})
    )


def all_four(**means: Means) -> list[ComparisonReport]:
    return [study(name, **means) for name in PLANNED]


def states(*reports: ComparisonReport) -> list[str]:
    text = outcomes(reports)
    return re.findall(r"^\d\. \*\*.*: ([a-z ]+)\.\*\*", text, re.MULTILINE)


def short() -> ComparisonReport:
    report = study("default")
    return report.model_copy(update={"protocol": report.protocol.model_copy(update={"epochs": 6})})


def test_nothing_is_decided_before_its_comparisons_are_published() -> None:
    assert states() == ["open"] * 8
    assert states(short(), study("mine")) == ["open"] * 8
    assert "cifar10-compact" in outcomes([short()])


@pytest.mark.parametrize(
    ("means", "state"),
    [
        (EVEN, "holds"),
        (EVEN | {"arcface": 0.55}, "refuted"),
        (EVEN | {"arcface": 0.45}, "holds"),
    ],
)
def test_1_is_refuted_by_a_loss_that_is_more_accurate(means: Means, state: str) -> None:
    assert states(*all_four(accuracy=means))[0] == state
    alone = study("cifar10-small", accuracy=means)
    assert states(alone)[0] == ("open" if state == "holds" else state)


def test_2_holds_where_a_verdict_changes() -> None:
    same, other = (
        study("cifar10-compact"),
        study("cifar10-compact", accuracy=EVEN | {"center": 0.7}),
    )
    assert states(short(), same)[1] == "refuted"
    assert states(short(), other)[1] == "holds"
    assert "undecided after 6 epochs, center after 15" in outcomes([short(), other])


@pytest.mark.parametrize(
    ("means", "state"),
    [(MARGINS, "holds"), (EVEN, "not shown"), (MARGINS | {"triplet": 0.4}, "refuted")],
)
def test_3_asks_for_all_pairs_and_is_refuted_by_any(means: Means, state: str) -> None:
    reports = all_four(map_at_r=MARGINS)
    reports[2] = study(PLANNED[2], map_at_r=means)
    assert states(*reports)[2] == state
    assert states(*reports[:3])[2] == ("refuted" if state == "refuted" else "open")


@pytest.mark.parametrize(
    ("unseen", "state"),
    [(EVEN, "holds"), (MARGINS, "not shown"), (MARGINS | {"cosface": 0.7}, "refuted")],
)
def test_4_compares_the_advantages_by_seed(unseen: Means, state: str) -> None:
    assert states(*all_four(map_at_r=MARGINS, unseen_map_at_r=unseen))[3] == state


@pytest.mark.parametrize(
    ("glyphs", "cifar", "state"),
    [(MARGINS, EVEN, "holds"), (EVEN, MARGINS, "refuted"), (EVEN, EVEN, "not shown")],
)
def test_5_compares_two_comparisons(glyphs: Means, cifar: Means, state: str) -> None:
    many, few = study("glyphs-compact", accuracy=glyphs), study("cifar10-compact", accuracy=cifar)
    assert states(many, few)[4] == state


def test_6_is_refuted_by_a_loss_that_is_among_the_best_in_all() -> None:
    best = EVEN | {"center": 0.7}
    assert states(*all_four(unknown_auroc=best))[5] == "refuted"
    assert states(*all_four(unknown_auroc=best)[:2])[5] == "open"
    first, *others = all_four(unknown_auroc=best)
    flipped = study(first.name, unknown_auroc=EVEN | {"triplet": 0.7})
    assert states(flipped, *others)[5] == "holds"


def test_7_is_refuted_where_the_most_accurate_is_worse_in_nll() -> None:
    accurate = EVEN | {"center": 0.7}
    assert states(*all_four(accuracy=accurate))[6] == "holds"
    assert states(*all_four(accuracy=accurate, nll=EVEN | {"center": 0.7}))[6] == "refuted"
    assert states(*all_four(accuracy=accurate, nll=EVEN | {"center": 0.3}))[6] == "holds"


@pytest.mark.parametrize(
    ("own", "cosface", "state"),
    [
        (0.6, 0.7, "holds"),
        (0.4, 0.3, "holds"),
        (0.4, 0.7, "refuted"),
        (0.504, 0.7, "refuted"),
        (0.508, 0.7, "not shown"),
    ],
)
def test_8_asks_for_the_direction_of_cosface(own: float, cosface: float, state: str) -> None:
    means = {"softmax": 0.5, "cosface": cosface, "normalized-softmax": own}
    every = dict.fromkeys(means, 0.5)
    named = dict.fromkeys(MEASURES, every) | {"map_at_r": means}
    assert states(study("cifar10-small-further", **named))[7] == state


def test_what_had_not_converged_is_named() -> None:
    assert "Not known to have converged: cifar10-small" in outcomes([study("cifar10-small")])
