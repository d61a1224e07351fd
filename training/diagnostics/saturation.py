"""Saturated probabilities: certain, and often wrong."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from training.diagnostics.detector import Detector, Diagnosis, TrainingSnapshot

_CERTAIN = 0.9999
_CERTAIN_LOG_ODDS = 9.2102  # ln(0.9999 / 0.0001)
_WRONG = 0.1
_LEAST_WRONG = 5  # images; fewer are chance


@dataclass(frozen=True)
class SaturatedProbabilities(Detector[TrainingSnapshot]):
    """Warns where most tuning images get a top probability above 0.9999 and many are wrong.

    Many is one in ten of them, and at least five; 0.9999 promises one in ten thousand.
    `scale` is what the loss multiplies bounded scores by, None where training alone decides how
    large logits grow.
    """

    name: ClassVar[str] = "saturated-probabilities"
    scale: float | None

    def examine(self, seen: TrainingSnapshot) -> Diagnosis | None:
        """Find confidence that has come apart from accuracy on the tuning split."""
        if not len(seen.tuning_labels):
            return None
        odds, predicted = _log_odds(seen.tuning_logits)
        certain = odds > _CERTAIN_LOG_ODDS
        wrong = int((certain & (predicted != seen.tuning_labels)).sum())
        total = int(certain.sum())
        if 2 * total <= len(odds) or wrong < max(_LEAST_WRONG, _WRONG * total):
            return None
        return Diagnosis(
            f"{total / len(odds):.0%} of {len(odds):,} tuning images get a probability above "
            f"{_CERTAIN}, and {wrong / total:.0%} of those are wrong: such confidence says nothing "
            f"about an answer, and images so far off hardly train; "
            f"{self._advice(float(odds.median()), seen)}",
            degree=wrong / total,
        )

    def _advice(self, median: float, seen: TrainingSnapshot) -> str:
        if self.scale is None:
            rate = seen.learning_rate
            return (
                f"lower learning_rate from {rate:g} to {rate / 10:g}, or raise weight_decay if "
                "the training images are all learned by heart"
            )
        calm = self.scale * _CERTAIN_LOG_ODDS / median
        return f"lower scale from {self.scale:g} to about {calm:.0f}"


def _log_odds(logits: Tensor) -> tuple[Tensor, Tensor]:
    """ln(p / (1 - p)) of the top class, exact where p rounds to 1; and that class."""
    top, predicted = logits.double().max(dim=1)
    others = logits.double().scatter(1, predicted.unsqueeze(1), -torch.inf)
    return top - others.logsumexp(dim=1), predicted
