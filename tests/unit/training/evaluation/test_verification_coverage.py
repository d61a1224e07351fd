"""Intervals of EER and TAR hold the true rate about as often as they say, by simulation."""

import numpy as np
import pytest

from models.evidence.retrieval import VerificationSection
from training.evaluation import pair_scores, verification
from training.evaluation.answers import Answers
from training.evaluation.verification import verification as verify

CLASSES, DIMENSION, DRAWS = 5, 6, 80
CENTERS = np.random.default_rng(5).normal(size=(CLASSES, DIMENSION))


def drawn(n: int, spread: float, seed: int) -> Answers:
    random = np.random.default_rng([seed, n])
    labels = random.integers(CLASSES, size=n)
    points = CENTERS[labels] + spread * random.normal(size=(n, DIMENSION))
    even = np.zeros((n, CLASSES), np.float32)
    return Answers(points.astype(np.float32), even, labels, tuple(map(str, range(n))))


def rates(found: VerificationSection) -> list[tuple[float, float, float]]:
    """EER, then TAR at a FAR of 1 %: value, low, high."""
    tar = next(one.tar for one in found.tar_at_far if one.far == pytest.approx(0.01))
    assert found.eer is not None
    return [(one.value, one.low, one.high) for one in (found.eer, tar)]


@pytest.mark.parametrize(
    ("n", "spread"), [(60, 0.7), pytest.param(200, 0.7, marks=pytest.mark.simulation)]
)
def test_the_true_rates_are_held(n: int, spread: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """At 19 in 20, 69 of 80 draws or more hold it in 99.7 %; and none are all of 0 to 1."""
    monkeypatch.setattr(verification, "RESAMPLES", 100)
    monkeypatch.setattr(pair_scores, "SAMPLED_PAIRS", 5_000)
    truth = [value for value, *_ in rates(verify(drawn(3_000, spread, seed=10**6), "cosine"))]
    seen = [rates(verify(drawn(n, spread, seed), "cosine")) for seed in range(DRAWS)]
    for place, true in enumerate(truth):
        held = sum(row[place][1] <= true <= row[place][2] for row in seen)
        widths = [row[place][2] - row[place][1] for row in seen]
        assert held >= 69
        assert np.mean(widths) < 0.5
