"""The influence of draws of the test images on a measure, against measuring them anew."""

import numpy as np
import pytest

from models.manifest import Metric
from training.comparison.image_variance import moved
from training.comparison.measures import RunOutputs, run_influences, run_values
from training.evaluation.answers import Answers

CLASSES = 5


def answers(n: int, seed: int, spread: float = 1.0) -> Answers:
    """Classes that overlap, by a head that is a little too sure."""
    random = np.random.default_rng(seed)
    labels = random.integers(CLASSES, size=n)
    centers = np.random.default_rng(99).normal(size=(CLASSES, 8))
    embeddings = (centers[labels] + spread * random.normal(size=(n, 8))).astype(np.float32)
    logits = 1.5 * embeddings @ centers.T.astype(np.float32)
    probabilities = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return Answers(embeddings, probabilities, labels, tuple(f"{seed}/{row}" for row in range(n)))


def said(metric: Metric, n: int, seed: int) -> RunOutputs:
    return RunOutputs(metric, answers(500, 1), answers(n, seed))


@pytest.mark.parametrize("metric", [pytest.param("cosine", marks=pytest.mark.simulation), "l2"])
def test_the_spread_over_resamples_is_that_of_other_test_images(metric: Metric) -> None:
    """For every measure: the resamples of 12 test sets against the measures of 100 others."""
    spreads, values = [], []
    for seed in range(100):
        one = said(metric, 400, seed + 10)
        values.append(run_values(one))
        if seed < 12:
            spreads.append(
                {name: np.std(moved(each)) for name, each in run_influences(one).items()}
            )
    for name in values[0]:
        true = np.std([each[name] for each in values])
        found = np.mean([each[name] for each in spreads])
        assert found == pytest.approx(true, rel=0.4), name
    assert set(spreads[0]) == set(values[0])


def test_an_influence_is_what_an_image_drawn_twice_does() -> None:
    one = said("cosine", 400, 3)
    values, influences = run_values(one), run_influences(one)
    for row in (0, 57, 211):
        rows = np.append(np.arange(400), row)
        again = run_values(RunOutputs("cosine", one.train, one.test.take(rows)))
        for name in ("accuracy", "nll", "aurc", "augrc", "ece", "fisher_ratio", "angular_margin"):
            change = again[name] - values[name]
            assert change == pytest.approx(influences[name][row], abs=0.08 * abs(change) + 1e-5)
    for name, each in influences.items():
        assert each.sum() == pytest.approx(0, abs=1e-9), name
        assert each.shape == (400,)
