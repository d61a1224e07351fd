"""A decoder's input: one picture of a file, and nothing beside its pixels."""

from typing import NamedTuple

_LEAST_ROW_PIXELS = 4  # what the shortest row counts


class Size(NamedTuple):
    """The size of a file's first picture, from its header.

    `weight` is what decoding one of its pixels costs, in 12 ns of a processor (measured on the
    files of `tests/support/slow.py`, which have the fewest bytes for it: each byte adds more).
    """

    width: int
    height: int
    weight: float = 1.0

    @property
    def pixels(self) -> int:
        """Count the pixels."""
        return self.width * self.height

    @property
    def effort(self) -> int:
        """Return the cost of decoding it, in pixels of weight 1."""
        return int(max(self.width, _LEAST_ROW_PIXELS) * self.height * self.weight)


class Crop(NamedTuple):
    """The part of a picture that is shown."""

    left: int
    top: int
    right: int
    bottom: int


Step = Crop | int  # a part that is taken, or an orientation (1 to 8) that is undone


class Still(NamedTuple):
    """The first picture of a file, without what stands around it."""

    data: bytes
    exif: bytes = b""
    xmp: bytes = b""
    steps: tuple[Step, ...] = ()  # in this order; of files that say so outside EXIF
