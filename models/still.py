"""What a decoder is given of a file: one picture, and nothing beside its pixels."""

from typing import NamedTuple


class Size(NamedTuple):
    """What a file's header says of its first picture."""

    width: int
    height: int

    @property
    def pixels(self) -> int:
        """How many there are."""
        return self.width * self.height


class Still(NamedTuple):
    """The first picture of a file, without what stands around it."""

    data: bytes
    exif: bytes = b""
    xmp: bytes = b""
