"""A model at two precisions on the same test images: what the smaller one changes."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from models.evidence.confidence import Calibration
from models.evidence.precision import LARGEST_LOSS, PrecisionSection
from models.manifest import Metric
from training.evaluation.answers import Answers
from training.evaluation.confidence import calibration_errors, outcomes
from training.evaluation.intervals import paired_difference, share
from training.evaluation.retrieval import nearest_in
from training.evaluation.significance import mcnemar
from training.export.quantize import QuantizedGraph, cosines

NEIGHBORS = 10
_LEVEL = 0.05

Points = Float32[np.ndarray, "n d"]


@dataclass(frozen=True)
class PairedAnswers:
    """Answers of float32 and of the other precision, of the test images and of the gallery."""

    test: Answers
    test_other: Answers
    gallery: Points
    gallery_other: Points


def can_be_shown(n: int) -> bool:
    """Return whether so many test images could show no loss, if every answer agreed."""
    same = np.ones(n, dtype=bool)
    return bool(paired_difference(same, same).low > -LARGEST_LOSS)


def precision_section(
    both: PairedAnswers, metric: Metric, quantized: QuantizedGraph, calibration: Calibration
) -> PrecisionSection:
    """The report's section of int8. Published is what loses nothing that can be detected."""
    plain, other = both.test, both.test_other
    was_right, is_right = plain.predicted == plain.labels, other.predicted == other.labels
    difference = paired_difference(is_right, was_right)
    test = mcnemar(int((is_right & ~was_right).sum()), int((was_right & ~is_right).sum()))
    worse = test.p_value < _LEVEL and difference.value < 0
    alike = cosines(plain.embeddings, other.embeddings)
    return PrecisionSection(
        precision="int8",
        published=not worse and difference.low > -LARGEST_LOSS,
        n=len(plain),
        calibrated_on=quantized.calibrated_on,
        float_convolutions=quantized.float_convolutions,
        convolutions=quantized.convolutions,
        calibration=calibration,
        accuracy=share(is_right),
        accuracy_difference=difference,
        test=test,
        agreement=share(plain.predicted == other.predicted),
        ece=calibration_errors(outcomes(other))[0],
        ece_of_float32=calibration_errors(outcomes(plain))[0],
        cosine=float(alike.mean()),
        least_cosine=float(alike.min()),
        **_recalls(both, metric),
    )


def _recalls(both: PairedAnswers, metric: Metric) -> dict[str, float]:
    plain, other = both.test.embeddings, both.test_other.embeddings
    k = min(NEIGHBORS, len(both.gallery))
    if k == 0:
        return {"recall_in_float32": 0.0, "recall_by_float32": 0.0}
    expected = nearest_in(both.gallery, plain, k, metric)
    return {
        "recall_in_float32": _shared(expected, nearest_in(both.gallery, other, k, metric)),
        "recall_by_float32": _shared(expected, nearest_in(both.gallery_other, plain, k, metric)),
    }


def _shared(expected: np.ndarray, found: np.ndarray) -> float:
    hits = [len(set(a) & set(b)) for a, b in zip(expected.tolist(), found.tolist(), strict=True)]
    return float(np.mean(hits)) / int(expected.shape[1])
