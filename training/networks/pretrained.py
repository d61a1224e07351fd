"""The first weights of a backbone, as they were opened: read once, and handed on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

Origin = Literal["random", "file", "run", "model"]
Statistics = tuple[Sequence[float], Sequence[float]]
"""Mean and deviation of each channel, on the 0..255 scale."""


@dataclass(frozen=True)
class Pretrained:
    """Tensors, where they come from, and the shape of the backbone that they are of.

    A file's are all of a timm model; a run's and a published model's are a backbone's by their
    names here, and `shape` has the fields of a recipe that say which backbone that is.
    """

    origin: Origin
    state: Mapping[str, Tensor]
    shape: Mapping[str, object]
    statistics: Statistics | None = None
    """Of the images that a file's were trained with, where timm says otherwise."""

    @classmethod
    def random(cls) -> "Pretrained":
        """Nothing: the backbone keeps the weights that it draws."""
        return cls("random", {}, {})

    @property
    def of_a_backbone(self) -> bool:
        """Return whether they are those of an earlier run or a published model."""
        return self.origin in ("run", "model")
