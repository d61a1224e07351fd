"""Center collapse: the pull to the centers has drawn all classes together."""

import math
from dataclasses import dataclass
from typing import ClassVar

from models.report import Epoch
from training.diagnostics.detector import Detector, Diagnosis, TrainingSnapshot

_LEAST_GAIN = 0.02  # of ln C, what a head that knows every center would gain over guessing


@dataclass(frozen=True)
class CenterCollapse(Detector[TrainingSnapshot]):
    """Warns where the head cannot distinguish the centers and the pull outweighs cross-entropy.

    Needs two of the loss's diagnostics: `center_probability`, which the head gives each center
    for its own class (geometric mean; 1 / C is guessing), and `pull_ratio`, the length of the
    pull's gradient over that of the cross-entropy's. Distances alone do not show a collapse: the
    pull shrinks a class as fast as the gaps between classes. `widest` is the largest weight that
    is worth trying.
    """

    name: ClassVar[str] = "center-collapse"
    weight: float
    widest: float

    def examine(self, seen: TrainingSnapshot) -> Diagnosis | None:
        """Find centers that coincided, as far as the head can see, in the last two epochs."""
        classes = len(seen.train_counts)
        if not seen.lasting(lambda epoch: self._collapsed(epoch, classes)):
            return None
        health = seen.curve[-1].diagnostics
        equal = self.weight / health["pull_ratio"]
        return Diagnosis(
            f"the head gives each class center a probability of {health['center_probability']:.3f} "
            f"for its own class, where guessing gives {1 / classes:.3f}, and the pull to the "
            f"centers is {health['pull_ratio']:.2g} times as strong as the cross-entropy: the "
            "centers coincide and nothing is learned; lower weight from "
            f"{self.weight:g} to {min(equal / 10, self.widest):.1g} or less"
        )

    def _collapsed(self, epoch: Epoch, classes: int) -> bool:
        health = epoch.diagnostics
        gain = math.log(classes * max(health.get("center_probability", 1.0), 1e-12))
        return gain < _LEAST_GAIN * math.log(classes) and health.get("pull_ratio", 0.0) > 1
