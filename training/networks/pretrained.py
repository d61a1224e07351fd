"""The first weights of a backbone, as they were opened: read once, and handed on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

Origin = Literal["random", "file", "run", "model"]


@dataclass(frozen=True)
class Pretrained:
    """Tensors, where they come from, and the shape of the backbone that they are of.

    A file's are all of a timm model; a run's and a published model's are a backbone's by their
    names here, and `shape` has the fields of a recipe that say which backbone that is.
    """

    origin: Origin
    state: Mapping[str, Tensor]
    shape: Mapping[str, object]

    @classmethod
    def random(cls) -> "Pretrained":
        """Nothing: the backbone keeps the weights that it draws."""
        return cls("random", {}, {})

    @property
    def of_a_backbone(self) -> bool:
        """Whether they are those of an earlier run or a published model."""
        return self.origin in ("run", "model")
