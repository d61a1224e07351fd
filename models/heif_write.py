"""A HEIF file of a few items, with nothing in it but what a decoder needs."""

import struct
from dataclasses import dataclass, replace

from models.boxes import box, full_box
from models.heif_items import Property

_HIDDEN = 1
_LENGTHS = 0x44  # bytes of an item's place and of its length: 4 and 4


@dataclass(frozen=True)
class HeifItem:
    """One item; the first of a file is the picture that is shown."""

    kind: bytes
    content: bytes
    properties: tuple[Property, ...]
    hidden: bool = False
    references: tuple[tuple[bytes, tuple[int, ...]], ...] = ()

    def referring(self, kind: bytes, to: list[int]) -> "HeifItem":
        """The same item with a reference to others, which count from 1."""
        return replace(self, references=(*self.references, (kind, tuple(to))))


def write(brand: bytes, items: list[HeifItem]) -> bytes:
    """The bytes of the file."""
    head = box(b"ftyp", brand, bytes(4), brand, b"mif1", b"miaf")
    start = len(head) + len(_meta(items, 0)) + 8
    content = b"".join(item.content for item in items)
    return head + _meta(items, start) + box(b"mdat", content)


def _meta(items: list[HeifItem], start: int) -> bytes:
    handler = full_box(b"hdlr", 0, 0, bytes(4), b"pict", bytes(13))
    primary = full_box(b"pitm", 0, 0, struct.pack(">H", 1))
    parts = [handler, primary, _places(items, start), _kinds(items), _properties(items)]
    if any(item.references for item in items):
        parts.append(_references(items))
    return full_box(b"meta", 0, 0, *parts)


def _places(items: list[HeifItem], start: int) -> bytes:
    entries = []
    for name, item in enumerate(items, 1):
        entries.append(struct.pack(">HHHII", name, 0, 1, start, len(item.content)))
        start += len(item.content)
    return full_box(b"iloc", 0, 0, struct.pack(">BBH", _LENGTHS, 0, len(items)), *entries)


def _kinds(items: list[HeifItem]) -> bytes:
    entries = [
        full_box(b"infe", 2, _HIDDEN * item.hidden, struct.pack(">HH4s", name, 0, item.kind), b"\0")
        for name, item in enumerate(items, 1)
    ]
    return full_box(b"iinf", 0, 0, struct.pack(">H", len(items)), *entries)


def _references(items: list[HeifItem]) -> bytes:
    entries = [
        box(kind, struct.pack(f">HH{len(to)}H", name, len(to), *to))
        for name, item in enumerate(items, 1)
        for kind, to in item.references
    ]
    return full_box(b"iref", 0, 0, *entries)


def _properties(items: list[HeifItem]) -> bytes:
    names: dict[tuple[bytes, bytes], int] = {}
    entries = []
    for name, item in enumerate(items, 1):
        owned = []
        for one in item.properties:
            index = names.setdefault((one.kind, one.content), len(names) + 1)
            owned.append(struct.pack(">H", index | one.essential << 15))
        entries.append(struct.pack(">HB", name, len(owned)) + b"".join(owned))
    held = [box(kind, content) for kind, content in names]
    owners = full_box(b"ipma", 0, 1, struct.pack(">I", len(items)), *entries)
    return box(b"iprp", box(b"ipco", *held), owners)
