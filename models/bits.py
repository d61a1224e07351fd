"""Bits of a header, first the highest of each byte, as AV1 and HEVC write them."""

from models.errors import UndecodableImage

_LONGEST_ZEROS = 32


class Bits:
    """Reads numbers from the beginning of a header. Raises UndecodableImage where it ends."""

    __slots__ = ("_left", "_value")

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def read(self, count: int) -> int:
        """A number of that many bits."""
        self._left -= count
        if self._left < 0:
            raise UndecodableImage("a header of its pixels is not complete")
        return self._value >> self._left & ((1 << count) - 1)

    def read_golomb(self) -> int:
        """A number as long as the zeros before it say: ue(v) of HEVC, uvlc() of AV1."""
        zeros = 0
        while not self.read(1):
            zeros += 1
            if zeros > _LONGEST_ZEROS:
                raise UndecodableImage("a number in a header of its pixels is too long")
        return (1 << zeros) - 1 + self.read(zeros)
