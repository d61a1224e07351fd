"""Images that stand in two splits at once, and what the accuracy is without them."""

from typing import Literal

from pydantic import Field

from models.evidence.estimate import Estimate
from models.manifest import Frozen

Split = Literal["train", "tuning", "calibration", "test"]


class Copy(Frozen):
    """An image of one split, and the image of another that it is a copy of."""

    id: str
    of: str
    difference: float = Field(
        ge=0,
        description="mean absolute difference of their values, of 255; 0 for equal pixels, "
        "after mirroring or enlarging where that is how the copy was found",
    )
    same_label: bool


class Overlap(Frozen):
    """Images of `split` with a copy in `other`."""

    split: Split
    other: Split
    images: int = Field(ge=0, description="in `split`")
    searched: int = Field(
        ge=0, description="of them, compared for near copies: all, or a seeded random part"
    )
    exact: int = Field(ge=0, description="images whose pixels are equal to an image's in `other`")
    near: int = Field(ge=0, description="other images with a near copy in `other`")
    crowded: int | None = Field(
        default=None,
        ge=0,
        description="images that look as like one in `other` as a copy does, where ten training "
        "images do nearly so: classes that look alike, or frames of one video; null where it was "
        "not counted apart",
    )
    examples: tuple[Copy, ...] = Field(description="the nearest 10")


class Leaks(Frozen):
    """Copies across the splits, as decoded at the model's input size.

    A near copy is an image whose 64-bit hash of gradients (dHash) or of the cosine transform's
    signs (pHash) differs in at most `largest_distance` bits, and whose values differ by at most
    `largest_difference` on average, and by at most 0.6 of the image's own mean distance from its
    mean color; and that is much nearer to it (0.55 times in gray) than the tenth nearest training
    image is. It is looked for as it is, mirrored, and with either of the two enlarged by an eighth.
    So of photographs nearly all re-encoded, resized and mirrored copies are found, and many that
    are slightly cropped or recolored; moved, turned and heavily cropped ones mostly are not, nor
    those that ten others are as near to. Where a class is one shape drawn alike, ordinary images
    are called copies: of signs in many fonts 22 %, of small gray pictures of clothes 2 %
    (docs/data.md has the table).
    """

    largest_distance: int = Field(description="bits of 64")
    largest_difference: float = Field(description="of 255")
    overlaps: tuple[Overlap, ...] = Field(description="each pair of splits; may be all zeros")
    test_copies: int = Field(
        ge=0, description="test images with a copy, exact or near, in any other split"
    )
    accuracy: Estimate = Field(description="on all test images")
    accuracy_without: Estimate | None = Field(
        description="on the test images without such a copy; null where none is left"
    )
    accuracy_on_copies: Estimate | None = Field(
        description="on the test images with such a copy; null where there are none"
    )
