"""A margin that the classes can hardly hold."""

from dataclasses import dataclass
from typing import ClassVar

from training.diagnostics.detector import Detector, Diagnosis, TrainingSnapshot

_ROOM = 0.8  # share of the largest margin above which only a perfect arrangement would meet it
_ADVISED = 0.75


@dataclass(frozen=True)
class TightMargin(Detector[TrainingSnapshot]):
    """Warns of a margin above 80 % of what C classes in d dimensions can hold.

    `largest` is that bound in the margin's own unit. More than it is refused before training.
    """

    name: ClassVar[str] = "tight-margin"
    margin: float
    largest: float
    dimension: int

    def examine(self, seen: TrainingSnapshot) -> Diagnosis | None:
        """Find a margin above its share of the bound."""
        if self.margin <= _ROOM * self.largest:
            return None
        classes = len(seen.train_counts)
        return Diagnosis(
            f"margin {self.margin:g} is {self.margin / self.largest:.0%} of the {self.largest:.3f} "
            f"that {classes} classes in {self.dimension} dimensions can hold at best: only a "
            "perfect arrangement of the classes would meet it, so the loss stays high and pushes "
            f"classes against each other; lower margin to {_ADVISED * self.largest:.2g}, or raise "
            f"embedding_size above {self.dimension}"
        )
