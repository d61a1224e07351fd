"""The items of a HEIF file (ISO/IEC 23008-12): what there is, where it lies and what belongs to it.

Reads the box `meta` alone: no byte of a picture is looked at.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from models.boxes import Box, BoxReader, read_boxes
from models.errors import UndecodableImage

_ITEMS_MAX = 1024  # a photograph of 200 million pixels in tiles of 512 has 770
_EXTENTS_MAX = 4096  # of all items
_OWNED_MAX = 8192  # properties of all items
_PROPERTY_BYTES = 4096  # that are looked at
_IN_FILE, _IN_META = 0, 1  # where an item's bytes are counted from
_FULL_BYTES = 4


class Property(NamedTuple):
    """One property of an item."""

    kind: bytes
    content: bytes
    essential: bool  # whether who does not know it may not show the item


class _Extent(NamedTuple):
    method: int
    extents: tuple[tuple[int, int], ...]  # beginning and length


@dataclass
class Items:
    """The items of a file by their ids."""

    primary: int = 0
    kinds: dict[int, bytes] = field(default_factory=dict)
    references: dict[tuple[bytes, int], list[int]] = field(default_factory=dict)
    _places: dict[int, _Extent] = field(default_factory=dict)
    _owned: dict[int, list[tuple[int, bool]]] = field(default_factory=dict)
    _properties: list[Box] = field(default_factory=list)
    _inside: Box | None = None  # idat

    def properties(self, data: bytes, item: int) -> list[Property]:
        """Return an item's properties, in its order; of long texts the beginning."""
        found = []
        for index, essential in self._owned.get(item, ()):
            one = self._property(index)
            found.append(Property(one.kind, _beginning(data, one), essential))
        return found

    def named(self, data: bytes, item: int, kind: bytes) -> list[bytes]:
        """Return an item's properties of one name."""
        boxes = (self._property(index) for index, _ in self._owned.get(item, ()))
        return [_beginning(data, one) for one in boxes if one.kind == kind]

    def _property(self, index: int) -> Box:
        if not 1 <= index <= len(self._properties):
            raise UndecodableImage("the file is damaged: a property is missing")
        return self._properties[index - 1]

    def size_bytes(self, item: int) -> int:
        """Return the bytes of an item."""
        place = self._places.get(item)
        return 0 if place is None else sum(length for _, length in place.extents)

    def content(self, data: bytes, item: int) -> bytes:
        """An item's bytes. Raises UndecodableImage where some of them are missing."""
        place = self._places.get(item)
        base, limit = 0, len(data)
        if place is not None and place.method == _IN_META and self._inside is not None:
            base, limit = self._inside.start, self._inside.end
        elif place is None or place.method != _IN_FILE:
            raise UndecodableImage("the file is damaged: an item has no place in it")
        parts = []
        for start, length in place.extents:
            if not length or base + start + length > limit:
                raise UndecodableImage("the file is not complete: its pixels end early")
            parts.append(data[base + start : base + start + length])
        return b"".join(parts)


def _beginning(data: bytes, one: Box) -> bytes:
    return data[one.start : min(one.end, one.start + _PROPERTY_BYTES)]


def read_items(data: bytes) -> Items:
    """Read the items of a file. Raises UndecodableImage."""
    meta = next((one for one in read_boxes(data, 0, len(data)) if one.kind == b"meta"), None)
    if meta is None:
        raise UndecodableImage("the file has no still picture")
    items = Items()
    for one in read_boxes(data, meta.start + _FULL_BYTES, meta.end):
        if one.kind == b"idat":
            items._inside = one
        elif one.kind == b"iprp":
            _read_properties(data, one, items)
        elif one.kind in _TABLES:
            _TABLES[one.kind](data, one, items)
    return items


def _read_primary(data: bytes, inside: Box, items: Items) -> None:
    reader = BoxReader(data, inside)
    version, _ = reader.read_version()
    items.primary = reader.read(4 if version else 2)


def _read_kinds(data: bytes, inside: Box, items: Items) -> None:
    reader = BoxReader(data, inside)
    version, _ = reader.read_version()
    _check_count(reader.read(4 if version else 2))
    for one in read_boxes(data, reader.place, inside.end):
        entry = BoxReader(data, one)
        version, _ = entry.read_version()
        if one.kind == b"infe" and version in (2, 3):
            item = entry.read(2 if version == 2 else 4)
            protection, kind = entry.read(2), entry.take(4)
            items.kinds[item] = b"" if protection else kind


def _read_places(data: bytes, inside: Box, items: Items) -> None:
    reader = BoxReader(data, inside)
    version, _ = reader.read_version()
    sizes = reader.read(2)
    start_bytes, length_bytes, base_bytes, index_bytes = (sizes >> n & 15 for n in (12, 8, 4, 0))
    wide, left = 2 if version < 2 else 4, _EXTENTS_MAX
    for _ in range(_check_count(reader.read(wide))):
        item = reader.read(wide)
        method = reader.read(2) & 15 if version else _IN_FILE
        reader.read(2)
        base, extents = reader.read(base_bytes), []
        count = reader.read(2)
        left -= _check_count(count, left)
        for _ in range(count):
            reader.read(index_bytes if version else 0)
            extents.append((base + reader.read(start_bytes), reader.read(length_bytes)))
        items._places[item] = _Extent(method, tuple(extents))


def _read_references(data: bytes, inside: Box, items: Items) -> None:
    version, _ = BoxReader(data, inside).read_version()
    wide = 4 if version else 2
    left = 4 * _ITEMS_MAX
    for one in read_boxes(data, inside.start + _FULL_BYTES, inside.end):
        reader = BoxReader(data, one)
        item, count = reader.read(wide), reader.read(2)
        left = left - _check_count(count, left) - 1
        items.references[one.kind, item] = [reader.read(wide) for _ in range(count)]


def _read_properties(data: bytes, inside: Box, items: Items) -> None:
    for one in read_boxes(data, inside.start, inside.end):
        if one.kind == b"ipco":
            items._properties = list(read_boxes(data, one.start, one.end))
        elif one.kind == b"ipma":
            _read_owners(data, one, items)


def _read_owners(data: bytes, inside: Box, items: Items) -> None:
    reader = BoxReader(data, inside)
    version, flags = reader.read_version()
    wide = 2 if flags & 1 else 1
    top, left = 8 * wide - 1, _OWNED_MAX
    for _ in range(_check_count(reader.read(4))):
        item = reader.read(4 if version else 2)
        count = reader.read(1)
        left -= _check_count(count, left)
        said = [reader.read(wide) for _ in range(count)]
        items._owned[item] = [(one & ~(1 << top), bool(one >> top)) for one in said if one]


def _check_count(count: int, most: int = _ITEMS_MAX) -> int:
    if count > most:
        raise UndecodableImage(f"the file has {count:,} entries in a table of at most {most:,}")
    return count


_TABLES = {
    b"pitm": _read_primary,
    b"iinf": _read_kinds,
    b"iloc": _read_places,
    b"iref": _read_references,
}
