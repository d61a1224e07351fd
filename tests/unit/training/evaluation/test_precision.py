"""A model at two precisions: what is published, and what is only said."""

import numpy as np
import onnx
import pytest

from models.evidence.confidence import Calibration
from models.evidence.precision import PrecisionSection
from training.evaluation.answers import Answers
from training.evaluation.precision import PairedAnswers, can_be_shown, precision_section
from training.export.quantize import QuantizedGraph

N, CLASSES, D = 10_000, 10, 16
CALIBRATION = Calibration(temperature=1.0, nll_before=1, nll_after=1, n=10)
QUANTIZED = QuantizedGraph(onnx.ModelProto(), 2, 11, 512)


def answers(wrong: np.ndarray, seed: int = 0, moved: float = 0.0) -> Answers:
    """Images of which those at `wrong` get the next class, with embeddings near their class's."""
    random = np.random.default_rng(seed)
    labels = np.arange(N) % CLASSES
    named = labels.copy()
    named[wrong] = (named[wrong] + 1) % CLASSES
    probabilities = np.full((N, CLASSES), 0.01, np.float32)
    probabilities[np.arange(N), named] = 0.91
    middle = random.normal(size=(CLASSES, D))[labels]
    embeddings = middle + random.normal(size=(N, D))
    embeddings += moved * np.random.default_rng(1).normal(size=(N, D))
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    return Answers(unit.astype(np.float32), probabilities, labels, ("",) * N)


def section(lost: int, won: int, *, moved: float = 0.0) -> PrecisionSection:
    plain_wrong = np.arange(500, 500 + won)
    other_wrong = np.arange(2_000, 2_000 + lost)
    plain, other = answers(plain_wrong), answers(other_wrong, moved=moved)
    gallery = answers(np.arange(0), seed=5)
    both = PairedAnswers(plain, other, gallery.embeddings[:500], gallery.embeddings[:500])
    return precision_section(both, "cosine", QUANTIZED, CALIBRATION)


@pytest.mark.parametrize(
    ("lost", "won", "published"),
    [
        (0, 0, True),
        (20, 18, True),
        (18, 20, True),
        (30, 10, False),  # a loss of 0.2 points, and no chance
        (60, 5, False),
        (5, 60, True),  # a gain is no loss
        (400, 395, False),  # nothing detectable, but it could be more than half a point
    ],
)
def test_it_is_published_where_no_loss_is_detectable_and_none_of_half_a_point_possible(
    lost: int, won: int, published: bool
) -> None:
    found = section(lost, won)
    assert found.published is published
    assert found.accuracy_difference.value == pytest.approx((won - lost) / N)
    assert (found.test.only_own_right, found.test.only_baseline_right) == (won, lost)
    assert found.agreement.value == pytest.approx(1 - (lost + won) / N)


def test_vectors_mix_where_neighbors_stay() -> None:
    same, moved = section(0, 0), section(0, 0, moved=0.05)
    assert same.recall_in_float32 == 1
    assert same.may_mix
    assert same.cosine == pytest.approx(1, abs=1e-5)
    assert 0.5 < moved.recall_in_float32 < 0.98
    assert not moved.may_mix
    assert moved.least_cosine < moved.cosine < 1


def test_few_test_images_cannot_show_it() -> None:
    assert not can_be_shown(100)
    assert can_be_shown(10_000)
