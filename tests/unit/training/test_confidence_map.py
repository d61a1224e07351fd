"""The map of the highest probability rises, keeps the order, and mends what is not linear."""

import numpy as np
import pytest
import torch

from models.evidence.confidence import ConfidenceMap
from training.confidence_map import ConfidenceLayer, fit_confidence_map

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
    found = fit_confidence_map(distorted, labels)
    assert found is not None
    assert list(found.calibrated_log_odds) == sorted(found.calibrated_log_odds)
    mended = ConfidenceLayer(found)(distorted).max(dim=1).values
    truth = honest.max(dim=1).values
    assert (mended - truth).abs().mean() < 0.03 < (distorted.max(dim=1).values - truth).abs().mean()


def test_equal_confidences_have_no_map() -> None:
    rows = torch.tensor([[0.7, 0.3]] * 500)
    assert fit_confidence_map(rows, torch.zeros(500, dtype=torch.int64)) is None


def test_a_small_split_has_no_map() -> None:
    rows = random_probabilities(299, 3, seed=5)
    assert fit_confidence_map(rows, rows.argmax(dim=1)) is None


def test_a_split_without_an_error_asks_for_no_certainty() -> None:
    rows = random_probabilities(300, 3, seed=5)
    found = fit_confidence_map(rows, rows.argmax(dim=1))
    assert found is not None
    assert len(found.log_odds) == 3
    assert max(found.calibrated_log_odds) < 20


def test_more_images_give_the_mean_of_more_knots() -> None:
    rows = random_probabilities(1_200, 3, seed=6)
    labels = torch.multinomial(rows, 1, generator=torch.Generator().manual_seed(1)).flatten()
    found = fit_confidence_map(ConfidenceLayer(FLATTER)(rows), labels)
    assert found is not None
    assert len(found.log_odds) > 12
    assert list(found.log_odds) == sorted(set(found.log_odds))


@pytest.mark.parametrize("seed", range(3))
def test_honest_probabilities_have_no_map(seed: int) -> None:
    rows = random_probabilities(500, 4, seed=seed)
    labels = torch.multinomial(rows, 1, generator=torch.Generator().manual_seed(seed)).flatten()
    assert fit_confidence_map(rows, labels) is None
