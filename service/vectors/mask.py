"""Some of the positions of a segment."""

from __future__ import annotations

from dataclasses import dataclass

import faiss
import numpy as np
from jaxtyping import Bool, Int64, UInt8

Positions = Int64[np.ndarray, " m"]


@dataclass(frozen=True)
class Mask:
    """A set of `size` positions: one bit each, never changed in place."""

    size: int
    count: int  # how many are in
    bits: UInt8[np.ndarray, " bytes"] | None = None  # None where all are in; zero past `size`

    @classmethod
    def whole(cls, size: int) -> Mask:
        """All positions."""
        return cls(size, size)

    @classmethod
    def of(cls, size: int, positions: Positions) -> Mask:
        """These positions, none of them twice."""
        if len(positions) == size:
            return cls.whole(size)
        flags = np.zeros(size, bool)
        flags[positions] = True
        return cls(size, len(positions), np.packbits(flags, bitorder="little"))

    @property
    def share(self) -> float:
        """The part of all positions that is in."""
        return self.count / self.size

    def holds(self, positions: Positions) -> Bool[np.ndarray, " m"]:
        """For each position, whether it is in."""
        if self.bits is None:
            return np.ones(len(positions), bool)
        bit: UInt8[np.ndarray, " m"] = self.bits[positions >> 3] >> (positions & 7) & 1
        return bit.astype(bool)

    def positions(self) -> Positions:
        """The positions that are in, rising."""
        if self.bits is None:
            return np.arange(self.size)
        bytes_in = np.flatnonzero(self.bits)  # few of many are found without unpacking all
        flags = np.unpackbits(self.bits[bytes_in, None], axis=1, bitorder="little")
        at, bit = np.nonzero(flags)
        return bytes_in[at] * 8 + bit

    def extended(self, more: int) -> Mask:
        """With that many positions after the last, all in."""
        if self.bits is None:
            return Mask.whole(self.size + more)
        flags = np.unpackbits(self.bits, count=self.size, bitorder="little")
        longer = np.concatenate([flags, np.ones(more, np.uint8)])
        bits = np.packbits(longer, bitorder="little")
        return Mask(self.size + more, self.count + more, bits)

    def without(self, positions: Positions) -> Mask:
        """Less these, which are in, none of them twice."""
        if len(positions) == 0:
            return self
        bits = self.bits
        if bits is None:
            bits = np.packbits(np.ones(self.size, bool), bitorder="little")
        bits = bits.copy()
        np.bitwise_and.at(bits, positions >> 3, ~(1 << (positions & 7)).astype(np.uint8))
        return Mask(self.size, self.count - len(positions), bits)

    def selector(self) -> faiss.IDSelector | None:
        """Return FAISS's selector of these; None, which costs nothing, where all are in."""
        if self.bits is None:
            return None
        return faiss.IDSelectorBitmap(len(self.bits), faiss.swig_ptr(self.bits))
