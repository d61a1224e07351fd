"""How much a JSON body may hold, found out before anything is made of it.

Parsing holds Python's lock from beginning to end, and makes an object of each value: 31 MB of `[],`
stopped every other request for 2.6 s and took 1.5 GB. Counting takes a hundredth of that. With the
limits of `ANY`, parsing takes at most 0.2 s (0.25 s with pydantic; 2 AMD EPYC cores).
"""

import re
from dataclasses import dataclass

import numpy as np

from service.errors import MalformedBody, TooManyValues

DIGITS = 400  # of one number; beyond, parsing takes time with their square

_SHORT_BYTES = 64 * 1024  # parsed before a thread could begin
_TEXT = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_LONG_NUMBER = re.compile(rb"[0-9]{%d}" % DIGITS)
_STRIDE = DIGITS // 4  # so that a long number has four digits in a row among every so many bytes


@dataclass(frozen=True)
class Shape:
    """Counts of one JSON body: values of any kind, and of these texts (keys too) and containers."""

    values: int
    texts: int
    containers: int

    def holds(self, other: "Shape") -> bool:
        """Whether the other one has no more of anything."""
        return (
            other.values <= self.values
            and other.texts <= self.texts
            and other.containers <= self.containers
        )


ANY = Shape(values=2_000_000, texts=400_000, containers=100_000)
FEW_TEXTS = Shape(values=2_000_000, texts=50_000, containers=10_000)


def check_shape(body: bytes, limit: Shape) -> None:
    """Raise TooManyValues, or MalformedBody for a number of too many digits.

    Counts from above, as if texts were not texts; only a body that is over the limit so has its
    texts left out of the count.
    """
    if len(body) < _SHORT_BYTES:
        return
    found = _counted(body)
    if limit.holds(found) and not _may_have_long_number(body):
        return
    if found.texts > limit.texts:  # or leaving them out would take long, too
        raise TooManyValues(limit.texts, "texts and keys")
    within, longest_number = _within_texts(body)
    if longest_number:
        raise MalformedBody(f"a number has more than {DIGITS} digits")
    if found.containers - within.containers > limit.containers:
        raise TooManyValues(limit.containers, "lists and objects")
    if found.values - within.values > limit.values:
        raise TooManyValues(limit.values, "values")


def _counted(data: bytes) -> Shape:
    quotes = data.count(b'"') - data.count(b'\\"')
    containers = data.count(b"[") + data.count(b"{")
    return Shape(data.count(b",") + data.count(b":") + containers, quotes // 2, containers)


def _within_texts(body: bytes) -> tuple[Shape, bool]:
    """What was counted within texts, and whether a long number is outside of them."""
    values, containers, end = 0, 0, 0
    for text in _TEXT.finditer(body):
        if text.start() - end >= DIGITS and _LONG_NUMBER.search(body, end, text.start()):
            return Shape(0, 0, 0), True
        end = text.end()
        if end - text.start() > 2:
            found = _counted(text[0])
            values, containers = values + found.values, containers + found.containers
    return Shape(values, 0, containers), bool(_LONG_NUMBER.search(body, end))


def _may_have_long_number(body: bytes) -> bool:
    sampled = np.frombuffer(body, np.uint8)[::_STRIDE] - np.uint8(ord("0")) < 10
    rows = sampled[:-3] & sampled[1:-2] & sampled[2:-1] & sampled[3:]
    starts = np.flatnonzero(rows) * _STRIDE
    return any(body[start : start + 3 * _STRIDE].isdigit() for start in starts.tolist())
