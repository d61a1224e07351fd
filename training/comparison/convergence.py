"""Whether the final runs of each loss had stopped gaining."""

from collections.abc import Mapping, Sequence

import numpy as np

from models.comparison import Convergence
from training.comparison.statistics import mean_over_seeds

LARGEST_GAIN = 0.005  # of accuracy over the last tenth of the epochs


def convergence_of(curves: Mapping[str, Sequence[Sequence[float]]]) -> tuple[Convergence, ...]:
    """From each loss's accuracies on the tuning split, after every epoch of each seed's run.

    A loss has converged where the gain over the last tenth of its epochs (one at least) is below
    half a point, with its 95 % interval. Losses without two such runs of two epochs are left out.
    """
    found = []
    for loss, runs in curves.items():
        length = min((len(run) for run in runs), default=0)
        if length < 2 or len(runs) < 2:
            continue
        last = max(1, round(length / 10))
        gain = mean_over_seeds(np.array([run[-1] - run[-1 - last] for run in runs]))
        found.append(
            Convergence(loss=loss, epochs=last, gain=gain, converged=gain.high < LARGEST_GAIN)
        )
    return tuple(found)
