"""The boxes of ISO base media files (ISO/IEC 14496-12), which hold AVIF and HEIC."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from models.errors import UndecodableImage

_HEAD = struct.Struct(">I4s")
_LARGE_BYTES = 8  # of a size beyond 32 bits
_BOXES_MAX = 4096  # in one box
_FULL_BYTES = 4  # version and flags


class Box(NamedTuple):
    """One box: its kind, and where its content begins and ends."""

    kind: bytes
    start: int
    end: int


def read_boxes(data: bytes, start: int, end: int) -> Iterator[Box]:
    """The boxes one after the other, the last one as far as there are bytes."""
    place = start
    for _ in range(_BOXES_MAX):
        if place + _HEAD.size > end:
            return
        size, kind = _HEAD.unpack_from(data, place)
        begin = place + _HEAD.size
        if size == 1:
            size = int.from_bytes(data[begin : begin + _LARGE_BYTES], "big")
            begin += _LARGE_BYTES
        stop = end if size == 0 else min(end, place + size)
        if stop < begin:
            raise UndecodableImage("the file is damaged: a box is smaller than its head")
        yield Box(kind, begin, stop)
        place = stop
    raise UndecodableImage(f"the file has more than {_BOXES_MAX:,} boxes in one")


def box(kind: bytes, *content: bytes) -> bytes:
    """A box around its content."""
    inside = b"".join(content)
    return _HEAD.pack(_HEAD.size + len(inside), kind) + inside


def full_box(kind: bytes, version: int, flags: int, *content: bytes) -> bytes:
    """A box with version and flags before its content."""
    return box(kind, struct.pack(">I", version << 24 | flags), *content)


class BoxReader:
    """Numbers of a box in their order. Raises UndecodableImage where it ends."""

    __slots__ = ("_data", "_end", "_place")

    def __init__(self, data: bytes, inside: Box) -> None:
        self._data = data
        self._place = inside.start
        self._end = inside.end

    @property
    def place(self) -> int:
        """Return the place of the next number."""
        return self._place

    def read(self, count: int) -> int:
        """A number of that many bytes; 0 of none."""
        return int.from_bytes(self.take(count), "big")

    def take(self, count: int) -> bytes:
        """That many bytes."""
        place = self._place
        if place + count > self._end:
            raise UndecodableImage("the file is damaged: a box ends early")
        self._place = place + count
        return self._data[place : place + count]

    def read_version(self) -> tuple[int, int]:
        """The version and the flags at the beginning of a full box."""
        whole = self.read(_FULL_BYTES)
        return whole >> 24, whole & 0xFFFFFF
