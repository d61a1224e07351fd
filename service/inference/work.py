"""The part of a request in a batch: images that are decoded, or that the batch decodes."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import UInt8

Pixels = UInt8[np.ndarray, "n h w 3"]


class Work(Protocol):
    """The images of one request, or of a part of it."""

    @property
    def effort(self) -> int:
        """Count the pixels that its batch decodes; 0 where there is nothing to decode."""
        ...

    @property
    def decoded_s(self) -> float:
        """Return the seconds of decoding before it came; 0 where its batch decodes."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice) -> "Work": ...

    def pixels(self) -> Pixels:
        """The images as the model takes them: uint8 [n h w 3]. Raises what decoding raises."""
        ...


@dataclass(frozen=True, slots=True)
class DecodedImages:
    """Images that a batch takes as they are."""

    images: Pixels
    decoded_s: float = 0.0
    effort = 0

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, part: slice) -> "DecodedImages":
        return DecodedImages(self.images[part], self.decoded_s)

    def pixels(self) -> Pixels:
        """The images."""
        return self.images
