"""The temperature is the one with the least NLL."""

import math

import pytest
import torch
from torch.nn import functional as F

from training.evaluate.calibration import fit_temperature


@pytest.mark.parametrize("true_temperature", [0.25, 1.0, 3.0])
def test_a_known_temperature_is_found(true_temperature: float) -> None:
    generator = torch.Generator().manual_seed(0)
    honest = 2 * torch.randn(20_000, 5, generator=generator)
    labels = torch.multinomial(honest.softmax(1), 1, generator=generator).flatten()
    found = fit_temperature(honest * true_temperature, labels)
    assert found.temperature == pytest.approx(true_temperature, rel=0.05)


def test_it_is_the_minimum_and_reports_both_ends() -> None:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(500, 4, generator=generator)
    labels = torch.randint(0, 4, (500,), generator=generator)
    found = fit_temperature(logits, labels)

    def nll(temperature: float) -> float:
        return F.cross_entropy(logits.double() / temperature, labels).item()

    assert found.n == 500
    assert found.nll_before == pytest.approx(nll(1.0))
    assert found.nll_after == pytest.approx(nll(found.temperature))
    grid = [math.exp(step / 10) for step in range(-40, 60)]
    assert found.nll_after <= min(nll(temperature) for temperature in grid) + 1e-6
