"""The protocol of a detector: it looks at a run, and names what is wrong with it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, Literal, TypeVar

from jaxtyping import Float, Int64
from torch import Tensor

from models.report import Epoch

Seen = TypeVar("Seen")


@dataclass(frozen=True)
class Diagnosis:
    """An observation, why it matters and what to change, in one sentence.

    `degree` is positive and grows as it gets worse; the detector is heard again when it doubled.
    """

    sentence: str
    degree: float = 1.0
    severity: Literal["warning", "stop"] = "warning"


@dataclass(frozen=True)
class TrainingSnapshot:
    """The state of a run: before its first step, or after an epoch.

    `curve` holds every finished epoch. `tuning_logits` are the tuning split's, uncalibrated; before
    the first step there are none (n = 0). `train_counts` has each class's number of training
    images, `examples` the id of one of them.
    """

    epochs: int
    learning_rate: float
    curve: Sequence[Epoch]
    tuning_logits: Float[Tensor, "n c"]
    tuning_labels: Int64[Tensor, " n"]
    train_counts: Int64[Tensor, " c"]
    examples: Sequence[str]

    def lasting(self, ill: Callable[[Epoch], bool]) -> bool:
        """Return whether the last two epochs were ill, or the only one of a run of one."""
        recent = self.curve[-2:]
        return len(recent) == min(2, self.epochs) and all(ill(epoch) for epoch in recent)


@dataclass(frozen=True)
class Gradients:
    """Every parameter's gradient by its name, before the optimizer's step."""

    learning_rate: float
    names: Sequence[str]
    gradients: Sequence[Tensor]


class Detector(ABC, Generic[Seen]):
    """Looks for one thing that can go wrong; keeps nothing, draws no random number."""

    name: ClassVar[str]
    """As docs/doctor.md calls it."""

    @abstractmethod
    def examine(self, seen: Seen) -> Diagnosis | None:
        """Return what is wrong, or None."""
