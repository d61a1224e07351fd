"""Limits of a JSON body, checked before any object is made of it.

Parsing holds Python's lock from beginning to end, and makes an object of each value: 31 MB of `[],`
stopped every other request for 2.6 s and took 1.5 GB. Counting takes a hundredth of that, and lets
others have the lock. With the limits below, parsing takes 0.2 s at most (2 AMD EPYC cores).
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Bool, UInt8

from service.errors import MalformedBody, TooManyValues

DIGITS = 400  # of one number; making an integer of them takes time with their square
LONG_INTEGERS = 250_000
"""Integers of 20 digits or more, which do not fit 64 bits, take ten times as long as others."""

_SHORT_BYTES = 64 * 1024  # parsed before a thread could begin
_PART_BYTES = 2**20  # looked at at once
_STRIDE = DIGITS // 4  # so that a long number has four digits in a row among every so many bytes
_LONG_DIGITS = 20
_QUOTE, _ESCAPE, _POINT, _ZERO = ord('"'), ord("\\"), ord("."), ord("0")
_ALL_DIGITS = b"0123456789"

Bytes = UInt8[np.ndarray, " n"]
Flags = Bool[np.ndarray, " n"]


@dataclass(frozen=True)
class JsonShape:
    """Counts of one JSON body: values of any kind, and of these texts (keys too) and containers."""

    values: int
    texts: int
    containers: int

    def check(self, limit: "JsonShape") -> None:
        """Raise TooManyValues where there is more of anything."""
        for field in fields(self):
            most = getattr(limit, field.name)
            if getattr(self, field.name) > most:
                raise TooManyValues(most, _NAMES[field.name])

    def within(self, limit: "JsonShape") -> bool:
        """Return whether every count is within its limit."""
        return all(getattr(self, one.name) <= getattr(limit, one.name) for one in fields(self))


ITEMS = JsonShape(values=1_500_000, texts=250_000, containers=100_000)
QUERIES = JsonShape(values=1_500_000, texts=30_000, containers=10_000)
IMAGES = JsonShape(values=100_000, texts=30_000, containers=1_000)
_NAMES = {"values": "values", "texts": "texts and keys", "containers": "lists and objects"}


def check_shape(body: bytes, limit: JsonShape) -> None:
    """Raise TooManyValues, or MalformedBody for a number of too many digits.

    Counts from above at first, as if texts were not texts; only where that is over the limit their
    contents are left out of the count.
    """
    if len(body) < _SHORT_BYTES:
        return
    data = np.frombuffer(body, np.uint8)
    long_numbers, upper = _long_numbers(body), _upper_bound(data)
    if upper.values > LONG_INTEGERS and _long_integers(data) > LONG_INTEGERS:
        raise TooManyValues(LONG_INTEGERS, f"integers of {_LONG_DIGITS} digits or more")
    if not long_numbers and upper.within(limit):
        return
    outside = _Outside(data)
    found = outside.count()
    if any(outside.holds(place) for place in long_numbers):
        raise MalformedBody(f"a number has more than {DIGITS} digits")
    found.check(limit)


def _upper_bound(data: Bytes) -> JsonShape:
    everything = np.ones(_PART_BYTES, np.bool_)
    found = JsonShape(0, 0, 0)
    for part in _parts(data):
        found = _sum(found, _counted(part, everything[: len(part)]))
    return found


class _Outside:
    """The part of a JSON text that is outside of its strings."""

    def __init__(self, data: Bytes) -> None:
        self._data = data
        self._masks = list[Bytes]()  # packed, a bit for each byte

    def count(self) -> JsonShape:
        """Count the parts, in one pass."""
        found, within, escapes = JsonShape(0, 0, 0), 0, 0
        for part in _parts(self._data):
            escaped, escapes = _escaped(part, escapes)
            quotes = (part == _QUOTE) & ~escaped
            parity = np.cumsum(quotes, dtype=np.uint8) + np.uint8(within)
            outside = (parity & 1 == 0) | quotes
            found = _sum(found, _counted(part, outside))
            within = int(parity[-1] & 1)
            self._masks.append(np.packbits(outside))
        return found

    def holds(self, place: int) -> bool:
        """Return whether the byte at this place is outside, once all was counted."""
        part, bit = divmod(place, _PART_BYTES)
        return bool(self._masks[part][bit // 8] >> (7 - bit % 8) & 1)


def _counted(part: Bytes, counts: Flags) -> JsonShape:
    def number(letter: str) -> int:
        return int(np.count_nonzero((part == ord(letter)) & counts))

    containers = number("[") + number("{")
    return JsonShape(number(",") + number(":") + containers, number('"') // 2, containers)


def _escaped(part: Bytes, escapes: int) -> tuple[Flags, int]:
    """Return which bytes follow an odd number of backslashes; `escapes` are before the part."""
    slashes = part == _ESCAPE
    if not escapes and not slashes.any():
        return slashes, 0
    places = np.arange(len(part))
    last_other = np.maximum.accumulate(np.where(slashes, -1 - escapes, places))
    run = places - last_other  # of backslashes that end here
    before = np.concatenate(([escapes], run[:-1]))
    return before % 2 == 1, int(run[-1])


def _long_integers(data: Bytes) -> int:
    """Count the long rows of digits that do not follow a point, those in texts too."""
    found = 0
    for part in _parts(data):
        others = np.flatnonzero(part - np.uint8(_ZERO) >= 10)
        digits = np.diff(others) - 1  # behind each of them
        found += int(np.count_nonzero((digits >= _LONG_DIGITS) & (part[others[:-1]] != _POINT)))
    return found


def _long_numbers(body: bytes) -> list[int]:
    """Places within digits of which there are more than `DIGITS`."""
    sampled = np.frombuffer(body, np.uint8)[::_STRIDE] - np.uint8(_ZERO) < 10
    rows = sampled[:-3] & sampled[1:-2] & sampled[2:-1] & sampled[3:]
    starts: list[int] = (np.flatnonzero(rows) * _STRIDE).tolist()
    return [start for start in starts if _digits_around(body, start) > DIGITS]


def _digits_around(body: bytes, place: int) -> int:
    """Count the digits of the row at this place, up to a few more than `DIGITS`."""
    before, after = body[max(0, place - DIGITS) : place], body[place : place + DIGITS + 1]
    return (
        len(before) - len(before.rstrip(_ALL_DIGITS)) + len(after) - len(after.lstrip(_ALL_DIGITS))
    )


def _parts(data: Bytes) -> Iterator[Bytes]:
    for start in range(0, len(data), _PART_BYTES):
        yield data[start : start + _PART_BYTES]


def _sum(one: JsonShape, other: JsonShape) -> JsonShape:
    return JsonShape(
        one.values + other.values, one.texts + other.texts, one.containers + other.containers
    )
