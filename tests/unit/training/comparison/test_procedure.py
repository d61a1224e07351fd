"""The whole procedure by simulation: false alarms, power, coverage; fixed random numbers."""

from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from models.comparison_protocol import Measure
from models.evidence.estimate import Estimate
from tests.support.simulated import LOSSES, WORLDS, World, drawn, measured
from training.comparison.assembly import MeasureColumn, Statistics, assemble
from training.comparison.catalog import GOALS, MEASURES
from training.comparison.image_variance import (
    BoundedVariance,
    ImageEffect,
    PairedResamples,
    moved,
    unseen_cost,
)
from training.comparison.influence import of_aurc, of_mean
from training.comparison.power import power_of, seeds_needed
from training.comparison.statistics import BySeed, differences, mean_over_seeds
from training.evaluation.selective import aurc, rank

ACCURACY: Measure = MEASURES[0]
SPREAD = {loss: 0.003 * (1 + place / 4) for place, loss in enumerate(LOSSES)}  # over seeds


def false_alarms(world: World, seeds: int, images: int, count: int) -> int:
    """In how many of `count` comparisons of equal losses some pair is distinguished."""
    found = 0
    for number in range(count):
        tests = differences("accuracy", *measured(drawn(world, seeds, images, number)))
        assert all(0 < test.p_value <= test.p_adjusted <= 1 for test in tests)
        found += any(test.significant for test in tests)
    return found


@pytest.mark.parametrize(
    ("seeds", "images", "count"),
    [
        (2, 20, 10),
        (5, 200, 10),
        (3, 10_000, 1),
        *(
            pytest.param(*drawn, marks=pytest.mark.simulation)
            for drawn in (
                *((2, 20, 25), (3, 20, 25), (5, 20, 25)),
                *((2, 200, 25), (3, 200, 25), (5, 200, 25)),
                *((2, 2000, 8), (5, 2000, 8), (3, 10_000, 3)),
            )
        ),
    ],
)
def test_equal_losses_are_seldom_distinguished(seeds: int, images: int, count: int) -> None:
    """At 5 % in each of four worlds, fewer than the 99.9th percentile of a binomial."""
    most = stats.binom.ppf(0.999, count * len(WORLDS), 0.05)
    assert sum(false_alarms(world, seeds, images, count) for world in WORLDS) <= most


def normal(random: np.random.Generator, seeds: int, leads: dict[str, float]) -> dict[str, BySeed]:
    """Accuracies by seed about 0.7, with `SPREAD` over seeds."""
    return {
        loss: 0.7 + leads.get(loss, 0.0) + SPREAD[loss] * random.standard_normal(seeds)
        for loss in LOSSES
    }


@pytest.mark.parametrize(
    ("seeds", "count"),
    [(2, 50), *(pytest.param(seeds, 150, marks=pytest.mark.simulation) for seeds in (2, 3, 5))],
)
def test_at_most_one_family_in_twenty_is_wrong_over_seeds_alone(seeds: int, count: int) -> None:
    """Without images: as measures are tested of which no image's part is known."""
    random = np.random.default_rng(seeds)
    wrong = sum(
        any(test.significant for test in differences("nll", normal(random, seeds, {})))
        for _ in range(count)
    )
    assert stats.binom.ppf(0.001, count, 0.01) <= wrong <= stats.binom.ppf(0.999, count, 0.05)


def test_equal_gaps_of_two_seeds_prove_nothing_on_twenty_images() -> None:
    """As found in an audit: some pair had p = 0 in 60 % of comparisons of equal losses."""
    equal = 0
    for number in range(40):
        by_loss, images = measured(drawn(WORLDS[1], 2, 20, number))
        for test in differences("accuracy", by_loss, images):
            gaps = by_loss[test.first] - by_loss[test.second]
            if gaps[0] == gaps[1] != 0:
                equal += 1
                assert test.p_adjusted > 0.05
    assert equal > 12


def test_a_large_difference_is_found() -> None:
    """So that the tests above are not passed by finding nothing."""
    by_loss, images = measured(drawn(WORLDS[1], 5, 2000, 0, better=0.8))
    assert decided(by_loss, images) == LOSSES[-1]


def decided(by_loss: dict[str, BySeed], images: ImageEffect | None = None) -> str | None:
    """The loss that the procedure names as best for classification, if it does."""
    verdict = assemble([MeasureColumn(ACCURACY, by_loss, images)], GOALS).verdicts[0]
    return None if verdict.tie else verdict.prefer


@pytest.mark.parametrize("with_images", [pytest.param(False, marks=pytest.mark.simulation), True])
def test_the_stated_power_is_the_procedures(with_images: bool) -> None:
    """A stated lead, found 4 times in 5: comparisons drawn with those very spreads, and judged."""
    random, seeds = np.random.default_rng(0), 5
    shown = {  # spreads as seen are the true ones, up to scale: five points, uncorrelated
        loss: 0.7 + SPREAD[loss] * pattern
        for loss, pattern in zip(LOSSES, uncorrelated(seeds), strict=False)
    }
    shown[LOSSES[-1]] = shown[LOSSES[-1]] + 0.01
    images = BoundedVariance(dict.fromkeys(LOSSES, 0.002**2), 10_000) if with_images else None
    power = power_of(ACCURACY, shown, images)
    assert power is not None
    assert power.lead.low < power.lead.value < power.lead.high
    found, pairs, count = 0, 0, 200
    covariance = np.cov(np.stack([shown[loss] for loss in LOSSES]))
    for _ in range(count):
        runs = random.multivariate_normal(np.zeros(len(LOSSES)), covariance, size=seeds)
        moved = 0.002 * random.standard_normal(len(LOSSES)) if with_images else np.zeros(5)
        ahead = np.array([0.0, 0.0, 0.0, 0.0, power.lead.value])
        values = dict(zip(LOSSES, (runs + moved + ahead + 0.7).T, strict=True))
        tests = differences("accuracy", values, images)
        led = [test for test in tests if test.second == LOSSES[-1]]
        pairs += sum(test.significant for test in led)
        found += all(test.significant and test.difference.value < 0 for test in led)
    assert found / count == pytest.approx(0.8, abs=0.1)
    assert pairs / (4 * count) == pytest.approx(power.pair_found, abs=0.06)
    assert power.false_alarms <= 0.07


def uncorrelated(seeds: int) -> np.ndarray:
    """Rows of unit variance and mean 0, as unlike as so few points allow."""
    basis, _ = np.linalg.qr(np.random.default_rng(5).normal(size=(seeds, seeds)))
    centered = basis - basis.mean(axis=1, keepdims=True)
    rows: np.ndarray = centered / centered.std(axis=1, ddof=1, keepdims=True)
    return rows


def test_the_seeds_needed_are_enough_and_one_fewer_is_not_stated() -> None:
    shown = {
        loss: 0.7 + SPREAD[loss] * row for loss, row in zip(LOSSES, uncorrelated(5), strict=True)
    }
    near = {**shown, "triplet": shown["triplet"] + 0.006}
    far = {**shown, "triplet": shown["triplet"] + 0.02}
    needed = [seeds_needed(ACCURACY, by_loss) for by_loss in (near, far)]
    assert needed[0] is not None
    assert needed[1] is not None
    assert needed[0] > needed[1] >= 2
    images = BoundedVariance(dict.fromkeys(LOSSES, 0.01**2), 1000)
    assert seeds_needed(ACCURACY, near, images) is None  # more test images are


@pytest.mark.parametrize("seeds", [2, 3, 4, 5])
def test_an_interval_over_seeds_covers_the_true_mean(seeds: int) -> None:
    random, count = np.random.default_rng(seeds), 1500
    draws = random.standard_normal((count, seeds))
    covered = [found.low <= 0 <= found.high for found in map(mean_over_seeds, draws)]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize(
    ("seeds", "images"), [(2, 20), (3, 100), pytest.param(5, 1000, marks=pytest.mark.simulation)]
)
def test_an_interval_over_seeds_and_images_covers_the_true_difference(
    seeds: int, images: int
) -> None:
    """Of two of the equal losses: 0."""
    covered = []
    for number in range(60):
        for world in WORLDS:
            by_loss, resampled = measured(drawn(world, seeds, images, number))
            gaps = by_loss["softmax"] - by_loss["center"]
            part = resampled.difference("softmax", "center")
            found = mean_over_seeds(gaps, part)
            covered.append(found.low <= 0 <= found.high)
    assert np.mean(covered) >= 0.93


@pytest.mark.parametrize("n", [16, 100])
@pytest.mark.parametrize("seeds", [2, 5])
def test_the_interval_of_one_loss_covers_where_nearly_every_answer_is_right(
    seeds: int, n: int
) -> None:
    """NLL and AURC of images of which 98 % are right."""
    found: dict[str, list[Estimate]] = {"nll": [], "aurc": []}
    for number in range(100):
        random = np.random.default_rng([seeds, number])
        runs = [nearly_certain(random, ease) for ease in [random.standard_normal(n)] * seeds]
        for name, rows in found.items():
            values = np.array([run[name][0] for run in runs])
            drawn_again = np.array([moved(run[name][1]) for run in runs])
            measure = next(one for one in MEASURES if one.name == name)
            images = PairedResamples({"one": drawn_again}, n, unseen_cost(measure, n)).single("one")
            rows.append(mean_over_seeds(values, images))
    for name, rows in found.items():
        truth = 0.0783 if name == "nll" else np.mean([row.value for row in rows])
        assert np.mean([row.low <= truth <= row.high for row in rows]) >= 0.93


def nearly_certain(
    random: np.random.Generator, ease: np.ndarray
) -> dict[str, tuple[float, np.ndarray]]:
    """A run's NLL (0.0783 in the long run) and AURC, with the images' influences."""
    said = 1 / (1 + np.exp(-(5 + 1.5 * ease + 0.5 * random.standard_normal(len(ease)))))
    right = random.random(len(ease)) < said
    nll = -np.log(np.where(right, said, 1 - said))
    confidence = np.maximum(said, 1 - said)
    order = np.argsort(confidence, kind="stable")
    wrong = (~right)[order].astype(np.float64)
    return {
        "nll": (float(nll.mean()), of_mean(nll)),
        "aurc": (aurc(rank(confidence, ~right)), of_aurc(wrong, order)),
    }


def statistics(by_loss: dict[str, BySeed]) -> Statistics:
    return assemble([MeasureColumn(ACCURACY, by_loss, None)], GOALS)


def test_what_is_said_does_not_depend_on_the_order_of_losses_or_seeds() -> None:
    random = np.random.default_rng(3)
    by_loss = normal(random, 5, {"triplet": 0.01, "arcface": 0.009})
    whole = statistics(by_loss).verdicts[0]
    for order in list(permutations(LOSSES))[1::41]:
        found = statistics({loss: by_loss[loss] for loss in order}).verdicts[0]
        assert set(found.best) == set(whole.best)
        assert {frozenset(one) for one in found.tied} == {frozenset(one) for one in whole.tied}
        assert found.prefer == whole.prefer
    turned = statistics({loss: values[::-1] for loss, values in by_loss.items()})
    assert turned.verdicts[0] == whole
