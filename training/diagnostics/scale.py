"""A scale too small for confident answers."""

from dataclasses import dataclass
from typing import ClassVar

from training.diagnostics.detector import Detector, Diagnosis, TrainingSnapshot

POOR_PROBABILITY = 0.9999


@dataclass(frozen=True)
class ScaleBelowBound(Detector[TrainingSnapshot]):
    """Warns where no embedding, however good, can be given a probability of `POOR_PROBABILITY`.

    `least` is the scale that can (CosFace, arXiv 1801.09414, equation 6). A scale that cannot
    reach 0.99 is refused before training; this is the ground between.
    """

    name: ClassVar[str] = "scale-below-bound"
    scale: float
    least: float

    def examine(self, seen: TrainingSnapshot) -> Diagnosis | None:
        """Find a scale below the bound."""
        if self.scale >= self.least:
            return None
        classes = len(seen.train_counts)
        return Diagnosis(
            f"scale {self.scale:g} is below {self.least:.2f}, under which no image of {classes} "
            f"classes can reach a probability of {POOR_PROBABILITY}: the loss cannot fall toward "
            f"0 however well classes separate; raise scale to {1.5 * self.least:.0f}"
        )
