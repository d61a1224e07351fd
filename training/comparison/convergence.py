"""Convergence: had the runs of each loss stopped gaining?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.comparison import Convergence, Runs
from training.comparison.statistics import mean_over_seeds

LARGEST_GAIN = 0.005  # of accuracy over the last tenth of the epochs


Curves = Mapping[str, Sequence[Sequence[float]]]
"""Each loss's accuracies on the tuning split, after every epoch of each seed's run."""


@dataclass(frozen=True)
class MeasuredLength:
    """The length of the runs behind a measure, and the losses that had stopped gaining.

    `epochs` is None where it was not recorded, and so are losses that `convergence` lacks.
    """

    epochs: int | None = None
    convergence: tuple[Convergence, ...] = ()

    def unconverged(self, losses: Sequence[str]) -> tuple[str, ...] | None:
        """Those of `losses` that had not converged; None where no one knows of any."""
        found = {one.loss: one.converged for one in self.convergence}
        short = tuple(loss for loss in losses if not found.get(loss, True))
        return short if short or set(losses) <= set(found) else None


UNRECORDED = MeasuredLength()


def training_of(curves: Curves, runs: Runs = "final") -> MeasuredLength:
    """Summarize the learning curves."""
    lengths = [len(run) for of_loss in curves.values() for run in of_loss]
    return MeasuredLength(max(lengths, default=0) or None, convergence_of(curves, runs))


def convergence_of(curves: Curves, runs: Runs = "final") -> tuple[Convergence, ...]:
    """Measure each loss's gain in its last epochs.

    A loss has converged where the gain over the last tenth of its epochs (one at least) is below
    half a point, with its 95 % interval. Losses without two such runs of two epochs are left out.
    """
    found = []
    for loss, of_loss in curves.items():
        length = min((len(run) for run in of_loss), default=0)
        if length < 2 or len(of_loss) < 2:
            continue
        last = max(1, round(length / 10))
        gain = mean_over_seeds(np.array([run[-1] - run[-1 - last] for run in of_loss]))
        found.append(
            Convergence(
                loss=loss,
                runs=runs,
                epochs=last,
                gain=gain,
                converged=gain.high < LARGEST_GAIN,
            )
        )
    return tuple(found)
