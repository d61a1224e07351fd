"""The temperature is that of the least NLL where a split can tell it, and asks for little else."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from training.calibration.temperature import fit_temperature


def honest(n: int, classes: int, seed: int, sharpness: float = 2.0) -> tuple[Tensor, Tensor]:
    """Logits that are right at temperature 1, and labels drawn from them."""
    generator = torch.Generator().manual_seed(seed)
    logits = sharpness * torch.randn(n, classes, generator=generator, dtype=torch.float64)
    labels = torch.multinomial(logits.softmax(1), 1, generator=generator).flatten()
    return logits, labels


def nll(logits: Tensor, labels: Tensor, temperature: float) -> float:
    return F.cross_entropy(logits.double() / temperature, labels).item()


def mean_confidence(logits: Tensor, temperature: float) -> float:
    return float((logits / temperature).softmax(dim=1).amax(dim=1).mean())


@pytest.mark.parametrize("true_temperature", [0.25, 3.0])
def test_a_known_temperature_is_found(true_temperature: float) -> None:
    logits, labels = honest(10_000, 5, seed=0)
    found = fit_temperature(logits * true_temperature, labels)
    assert found.temperature == pytest.approx(true_temperature, rel=0.05)


def test_with_many_images_it_is_the_minimum_and_reports_both_ends() -> None:
    logits, labels = honest(4_000, 4, seed=1)
    found = fit_temperature(2 * logits, labels)
    assert (found.n, found.method) == (4_000, "soft_targets")
    assert found.errors == int((logits.argmax(dim=1) != labels).sum())
    assert found.nll_before == pytest.approx(nll(2 * logits, labels, 1))
    assert found.nll_after == pytest.approx(nll(2 * logits, labels, found.temperature))
    grid = np.geomspace(0.1, 20, 200).tolist()
    assert found.nll_after <= min(nll(2 * logits, labels, each) for each in grid) + 1e-4
    assert found.cross_validation is not None
    assert found.cross_validation.favored


def without_an_error(n: int, classes: int, seed: int) -> tuple[Tensor, Tensor]:
    """Answers of a good model about a small split: all right, and rather sure."""
    logits, _ = honest(n, classes, seed, sharpness=3.0)
    return logits, logits.argmax(dim=1)


@pytest.mark.parametrize("n", [2, 6, 12, 60, 400])
@pytest.mark.parametrize("classes", [2, 10])
@pytest.mark.parametrize("scale", [0.03, 1.0, 100.0])
def test_a_split_without_an_error_asks_for_no_certainty(n: int, classes: int, scale: float) -> None:
    """The least NLL is at a temperature of 0, where every answer is certain."""
    logits, labels = without_an_error(n, classes, seed=n)
    found = fit_temperature(logits * scale, labels)
    assert found.errors == 0
    served = mean_confidence(logits * scale, found.temperature)
    plain = mean_confidence(logits * scale, 1.0)
    assert served <= max(plain, 1 - 0.5 / (n + 2))


@pytest.mark.parametrize("n", [8, 21, 60])
@pytest.mark.parametrize(("classes", "sharpness"), [(2, 5.0), (10, 4.0)])
def test_calibration_by_few_images_hardly_ever_does_harm(
    n: int, classes: int, sharpness: float
) -> None:
    """On images that it did not see, for a model that was honest before."""
    fresh = honest(4_000, classes, seed=0, sharpness=sharpness)
    before, worse, draws = nll(*fresh, 1.0), 0, 60
    for seed in range(1, draws + 1):
        found = fit_temperature(*honest(n, classes, seed, sharpness))
        after = nll(*fresh, found.temperature)
        worse += after > 1.02 * before
        assert after < 1.5 * before
    assert worse <= draws // 10


@pytest.mark.parametrize("scale", [0.01, 0.05, 20.0])
@pytest.mark.parametrize("n", [40, 300])
def test_logits_that_are_far_from_probabilities_are_scaled(n: int, scale: float) -> None:
    """As the distances of triplet are; a split of 40 images can tell that much."""
    fresh, labels = honest(4_000, 10, seed=0, sharpness=4.0)
    for seed in range(1, 6):
        logits, drawn = honest(n, 10, seed, sharpness=4.0)
        found = fit_temperature(logits * scale, drawn)
        assert 0.4 < found.temperature / scale < 2.5
        assert nll(fresh * scale, labels, found.temperature) < 1.2 * nll(fresh, labels, 1)


@pytest.mark.parametrize("factor", [1e-4, 0.1, 1e5])
def test_the_unit_of_the_logits_does_not_matter(factor: float) -> None:
    logits, labels = honest(500, 5, seed=3)
    one = fit_temperature(logits * 1e-2, labels)
    other = fit_temperature(logits * 1e-2 * factor, labels)
    if other.temperature == 1:  # not favored: at this factor they are right as they are
        assert factor == pytest.approx(100, rel=0.5)
    else:
        assert other.temperature / factor == pytest.approx(one.temperature, rel=1e-3)


@pytest.mark.parametrize("n", [1, 2, 5, 50])
def test_nothing_but_errors_makes_no_certainty(n: int) -> None:
    logits, _ = honest(n, 4, seed=n)
    found = fit_temperature(logits, logits.argmin(dim=1))
    assert found.errors == n
    assert np.isfinite(found.temperature)
    plain = mean_confidence(logits, 1.0)
    assert mean_confidence(logits, found.temperature) <= plain + 1e-9


def test_one_image_tells_nothing() -> None:
    found = fit_temperature(torch.tensor([[9.0, 1.0]]), torch.tensor([0]))
    assert (found.temperature, found.cross_validation) == (1, None)


def test_logits_that_are_all_equal_tell_nothing() -> None:
    found = fit_temperature(torch.zeros(30, 3), torch.arange(30) % 3)
    assert (found.temperature, found.nll_before) == (1, found.nll_after)


@pytest.mark.parametrize("absent", [0, 2])
def test_a_class_without_a_right_answer_or_an_image_is_survived(absent: int) -> None:
    logits, labels = honest(200, 4, seed=5)
    never_right = logits.clone()
    never_right[:, absent] = -30.0
    kept = labels != absent
    for some, truth in ((never_right, labels), (logits[kept], labels[kept])):
        found = fit_temperature(some, truth)
        assert np.isfinite(found.temperature)
        assert found.nll_after <= found.nll_before + 1e-9
