"""Transfer as a measure of a comparison: the mean over other data sets, and what moves it."""

from collections.abc import Callable, Sequence

import numpy as np

from training.comparison import influence
from training.comparison.image_variance import ResampledMeasures, moved
from training.data.dataset import LabeledImages
from training.data.other_datasets import TransferImages
from training.evaluation.answers import Answers
from training.evaluation.transfer import probed

TRANSFER = "transfer_accuracy"


def transfer_measures(
    ask: Callable[[LabeledImages], Answers], sets: Sequence[TransferImages]
) -> ResampledMeasures:
    """The accuracy of linear probes, and its moves in resamples of each set's test images."""
    if not sets:
        return ResampledMeasures({}, {})
    rights = [probed(ask(one.train), ask(one.test)).astype(np.float64) for one in sets]
    moves = [moved(influence.of_mean(right), stream) for stream, right in enumerate(rights, 1)]
    return ResampledMeasures(
        {TRANSFER: float(np.mean([right.mean() for right in rights]))},
        {TRANSFER: tuple(float(one) for one in np.mean(moves, axis=0))},
    )
