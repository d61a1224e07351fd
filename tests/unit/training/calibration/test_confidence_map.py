"""The map of the highest probability rises, keeps the order, and straightens bends."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from models.evidence.confidence import ConfidenceMap
from training.calibration.confidence_map import ConfidenceLayer, FittedMap, fit_confidence_map

FLATTER = ConfidenceMap(log_odds=(-1.0, 1.0, 4.0), calibrated_log_odds=(-1.2, 0.5, 2.0))


def random_probabilities(n: int, classes: int, seed: int, sharpness: float = 3.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (sharpness * torch.randn(n, classes, generator=generator)).softmax(dim=1)


def naive(row: list[float], knots: ConfidenceMap) -> list[float]:
    top = max(range(len(row)), key=lambda column: row[column])
    odds = np.log(row[top] / (1 - row[top]))
    x, y = np.array(knots.log_odds), np.array(knots.calibrated_log_odds)
    piece = int(np.clip(np.searchsorted(x, odds) - 1, 0, len(x) - 2))
    slope = (y[piece + 1] - y[piece]) / (x[piece + 1] - x[piece])
    mapped = 1 / (1 + np.exp(-(y[piece] + slope * (odds - x[piece]))))
    rest = (1 - mapped) / (1 - row[top])
    found = [p * rest for p in row]
    found[top] = mapped
    return found


def test_it_is_the_naive_definition_where_the_order_is_not_at_stake() -> None:
    rows = random_probabilities(200, 5, seed=0).double()
    mapped = ConfidenceLayer(FLATTER).double()(rows)
    checked = 0
    for row, found in zip(rows.tolist(), mapped.tolist(), strict=True):
        expected = naive(row, FLATTER)
        if max(expected) == expected[int(np.argmax(row))] and max(row) < 1 - 1e-6:
            second = sorted(expected)[-2]
            if max(expected) - second > 1e-3:
                assert found == pytest.approx(expected, abs=1e-5)  # knots are float32
                checked += 1
    assert checked > 150


@pytest.mark.parametrize("classes", [2, 3, 10, 1000])
def test_the_same_class_stays_first_and_rows_sum_to_one(classes: int) -> None:
    harsh = ConfidenceMap(log_odds=(-3.0, 0.0, 9.0), calibrated_log_odds=(-6.0, -3.0, 1.0))
    for sharpness in (0.01, 1.0, 10.0, 100.0):
        rows = random_probabilities(500, classes, seed=classes, sharpness=sharpness)
        for knots in (FLATTER, harsh):
            mapped = ConfidenceLayer(knots)(rows)
            assert torch.equal(mapped.argmax(dim=1), rows.argmax(dim=1))
            assert torch.allclose(mapped.sum(dim=1), torch.ones(500), atol=1e-5)
            assert bool((mapped >= 0).all())
            assert bool(mapped.isfinite().all())


def test_certainty_and_nothing_are_survived() -> None:
    rows = torch.tensor([[1.0, 0.0, 0.0], [1 / 3, 1 / 3, 1 / 3]])
    mapped = ConfidenceLayer(FLATTER)(rows)
    assert bool(mapped.isfinite().all())
    assert torch.allclose(mapped.sum(dim=1), torch.ones(2))


def test_a_distortion_that_no_temperature_undoes_is_undone() -> None:
    generator = torch.Generator().manual_seed(3)
    honest = random_probabilities(6_000, 4, seed=2, sharpness=1.5)
    labels = torch.multinomial(honest, 1, generator=generator).flatten()
    distorted = ConfidenceLayer(
        ConfidenceMap(log_odds=(-1.0, 1.0, 3.0), calibrated_log_odds=(-1.0, 2.0, 2.5))
    )(honest)
    found = fit_confidence_map(distorted, labels).knots
    assert found is not None
    assert list(found.calibrated_log_odds) == sorted(found.calibrated_log_odds)
    fixed = ConfidenceLayer(found)(distorted).max(dim=1).values
    truth = honest.max(dim=1).values
    assert (fixed - truth).abs().mean() < 0.03 < (distorted.max(dim=1).values - truth).abs().mean()


def test_equal_confidences_have_no_map() -> None:
    rows = torch.tensor([[0.7, 0.3]] * 500)
    assert fit_confidence_map(rows, torch.zeros(500, dtype=torch.int64)) == FittedMap(None, None)


def test_a_small_split_has_no_map() -> None:
    rows = random_probabilities(299, 3, seed=5)
    assert fit_confidence_map(rows, rows.argmax(dim=1)) == FittedMap(None, None)


def test_a_split_without_an_error_asks_for_no_certainty() -> None:
    rows = random_probabilities(300, 3, seed=5)
    found = fit_confidence_map(rows, rows.argmax(dim=1)).knots
    assert found is not None
    assert len(found.log_odds) == 3
    assert max(found.calibrated_log_odds) < 20


def test_more_images_give_the_mean_of_more_knots() -> None:
    rows = random_probabilities(1_200, 3, seed=6)
    labels = torch.multinomial(rows, 1, generator=torch.Generator().manual_seed(1)).flatten()
    found = fit_confidence_map(ConfidenceLayer(FLATTER)(rows), labels).knots
    assert found is not None
    assert len(found.log_odds) > 12
    assert list(found.log_odds) == sorted(set(found.log_odds))


@dataclass(frozen=True)
class Simulated:
    """The effect of maps by draws of n calibration images on the truth, in nats and in ECE."""

    served: float  # share of the draws with a map
    loss: float  # of right and wrong: mean gain of serving what the rule says over no map
    worst: float  # of the draws
    ece: float
    ece_without: float


def simulated(n: int, bend: ConfidenceMap | None, draws: int) -> Simulated:
    """Confidences of a model that is right in 85 %, bent from honest ones by `bend`."""
    honest = random_probabilities(20_000, 10, seed=99, sharpness=4.0).double()
    probabilities = honest if bend is None else ConfidenceLayer(bend).double()(honest)
    truth = honest.max(dim=1).values
    losses, errors, served = [], [], 0
    for seed in range(draws):
        generator = torch.Generator().manual_seed(seed)
        rows = torch.randint(len(honest), (n,), generator=generator)
        labels = torch.multinomial(honest[rows], 1, generator=generator).flatten()
        knots = fit_confidence_map(probabilities[rows], labels).knots
        served += knots is not None
        shown = probabilities if knots is None else ConfidenceLayer(knots).double()(probabilities)
        losses.append(binary_loss(probabilities, truth) - binary_loss(shown, truth))
        errors.append(ece(shown, truth))
    return Simulated(
        served / draws,
        float(np.mean(losses)),
        min(losses),
        float(np.mean(errors)),
        ece(probabilities, truth),
    )


def binary_loss(shown: torch.Tensor, truth: torch.Tensor) -> float:
    p = shown.max(dim=1).values.clamp(1e-9, 1 - 1e-9)
    return float(-(truth * p.log() + (1 - truth) * (-p).log1p()).mean())


def ece(shown: torch.Tensor, truth: torch.Tensor) -> float:
    p = shown.max(dim=1).values
    bins = (p * 15).ceil().long().clamp(1, 15) - 1
    gaps = torch.zeros(15, dtype=torch.float64).index_add_(0, bins, truth - p)
    return float(gaps.abs().sum()) / len(p)


BENT = ConfidenceMap(log_odds=(-1.0, 2.0, 6.0), calibrated_log_odds=(-0.9, 2.4, 5.0))


# Sizes of the split, and how often each is drawn.
DRAWN = [
    (50, 20),
    pytest.param(300, 12, marks=pytest.mark.simulation),
    pytest.param(1_000, 12, marks=pytest.mark.simulation),
    pytest.param(4_000, 6, marks=pytest.mark.simulation),
]


@pytest.mark.parametrize(("n", "draws"), DRAWN)
def test_honest_probabilities_hardly_ever_get_a_map_and_are_not_harmed(n: int, draws: int) -> None:
    found = simulated(n, None, draws)
    assert found.served <= 0.25
    assert found.loss > -0.001
    assert found.worst > -0.01
    assert found.ece < 0.004


@pytest.mark.parametrize(("n", "draws"), [(1_000, 3), *DRAWN])
def test_bent_probabilities_are_helped_by_large_splits_and_not_harmed_by_small(
    n: int, draws: int
) -> None:
    found = simulated(n, BENT, draws)
    assert found.loss > -0.001
    assert found.worst > -0.01
    assert found.ece <= found.ece_without + 0.002
    if n >= 1_000:
        assert found.served >= 0.75
        assert found.ece < 0.75 * found.ece_without
    if n < 300:
        assert found.served == 0


def test_the_way_to_the_map_is_what_the_check_says() -> None:
    rows = random_probabilities(1_200, 3, seed=6)
    labels = torch.multinomial(rows, 1, generator=torch.Generator().manual_seed(1)).flatten()
    fitted = fit_confidence_map(ConfidenceLayer(FLATTER)(rows), labels)
    check = fitted.check
    assert check is not None
    half = check.gain_half > check.standard_error_half
    whole = half and check.gain_whole - check.gain_half > check.standard_error_whole
    assert check.share == (1.0 if whole else 0.5 if half else 0.0)
    assert (fitted.knots is None) == (check.share == 0)
