"""Triplet collapse: every image at one point, where the loss is the margin."""

from dataclasses import dataclass
from typing import ClassVar

from models.report import Epoch
from training.diagnostics.detector import Detector, Diagnosis, TrainingSnapshot

_CLOSE_TO_MARGIN = 0.1


@dataclass(frozen=True)
class TripletCollapse(Detector[TrainingSnapshot]):
    """Warns where a hinge on distances has stopped because all distances are about 0.

    Needs `spread`, the mean distance from the mean embedding, among the loss's diagnostics. Two
    images are at most 2 * spread apart on average: below a quarter of the margin, a typical pair
    cannot satisfy half of it, and a loss within 10 % of the margin says that none does. (A healthy
    run's loss may start near the margin too; its spread does not: 0.91 after CIFAR-10's epoch 1.)
    """

    name: ClassVar[str] = "triplet-collapse"
    margin: float

    def examine(self, seen: TrainingSnapshot) -> Diagnosis | None:
        """Find two epochs that ended with every image at one point."""
        if not seen.lasting(self._collapsed):
            return None
        last = seen.curve[-1]
        return Diagnosis(
            f"the loss is {last.loss:.4f}, the margin {self.margin:g}, and the spread of the "
            f"embeddings {last.diagnostics['spread']:.2g}: all images have come to one point, "
            "where every distance is 0 and no gradient leads away; start again with a "
            f"learning_rate of {seen.learning_rate / 10:g} instead of {seen.learning_rate:g}, "
            "or with a smaller margin"
        )

    def _collapsed(self, epoch: Epoch) -> bool:
        close = abs(epoch.loss - self.margin) <= _CLOSE_TO_MARGIN * self.margin
        return close and epoch.diagnostics.get("spread", self.margin) < self.margin / 4
