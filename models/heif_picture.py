"""The primary picture of a HEIF file: its color, its transparency, and the tiles of both."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType

from models import av1, hevc
from models.errors import UndecodableImage
from models.first_frame import Size
from models.heif_items import Items, Property, read_items
from models.heif_write import HeifItem

_CODECS: Mapping[bytes, tuple[bytes, ModuleType]] = {
    b"av01": (b"av1C", av1),
    b"hvc1": (b"hvcC", hevc),
    b"hev1": (b"hvcC", hevc),
}
_GRID = b"grid"
_ALPHA = (
    b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0",
    b"urn:mpeg:hevc:2015:auxid:1\0",
)
_STEPS = frozenset({b"clap", b"irot", b"imir"})
_OF_DECODERS = frozenset({b"av1C", b"hvcC", b"ispe", b"pixi", b"auxC"})
_KNOWN = _OF_DECODERS | _STEPS | {b"colr", b"pasp", b"a1lx"}
_BLOCK = 64  # pixels of a side that are decoded at least
_LEAST_PIXELS = 128 * 128  # of a tile, which a decoder is made for
_SIDE_MAX = 2**15  # pixels, of libavif
_SPARE_PIXELS = 2**20  # that tiles may have beyond the picture and as many again
_ZEROS = bytes(256)  # at its end: of a file that was not filled, as no coder writes


@dataclass(frozen=True)
class Layer:
    """The color or the transparency of a picture."""

    item: int
    size: Size
    tiles: tuple[int, ...]  # the item itself where it is none of tiles
    tile: Size
    codec: bytes

    @property
    def pixels(self) -> int:
        """Count the decoded pixels."""
        return len(self.tiles) * self.tile.pixels

    @property
    def cost(self) -> int:
        """Count the decoded pixels, where small tiles count as what takes as long."""
        across, down = (max(_BLOCK, side) for side in (self.tile.width, self.tile.height))
        return len(self.tiles) * max(_LEAST_PIXELS, across * down)


class HeifPicture:
    """The primary picture of a file."""

    def __init__(self, data: bytes) -> None:
        """Read the tables of a file. Raises UndecodableImage."""
        self._data = data
        self.items: Items = read_items(data)

    @property
    def layers(self) -> list[Layer]:
        """Its color, and its transparency where it has one."""
        return [self.layer(item) for item in (self.items.primary, *self.alpha)]

    @property
    def alpha(self) -> tuple[int, ...]:
        """The item of the transparency, or none."""
        primary = self.items.primary
        for (kind, item), of in self.items.references.items():
            if kind == b"auxl" and primary in of and self._is_alpha(item):
                return (item,)
        return ()

    def _is_alpha(self, item: int) -> bool:
        said = self.items.named(self._data, item, b"auxC")
        return any(one[4:].startswith(_ALPHA) for one in said)

    def size(self, item: int) -> Size:
        """Return the size that the file gives the item. Raises UndecodableImage."""
        said = {one[4:12] for one in self.items.named(self._data, item, b"ispe") if len(one) >= 12}
        if len(said) != 1:
            raise UndecodableImage("the file does not say how large its picture is")
        size = Size(*struct.unpack(">II", said.pop()))
        if not (0 < size.width <= _SIDE_MAX and 0 < size.height <= _SIDE_MAX):
            raise UndecodableImage(f"a picture of {size.width} x {size.height} pixels is not read")
        return size

    def layer(self, item: int) -> Layer:
        """An item and its tiles, all of one codec and size."""
        size = self.size(item)
        if self.items.kinds.get(item) != _GRID:
            return Layer(item, size, (item,), size, self._codec(item))
        tiles = tuple(self.items.references.get((b"dimg", item), ()))
        if not tiles or len({item, *tiles}) != 1 + len(tiles):
            raise UndecodableImage("the file is damaged: tiles are missing, or are there twice")
        sizes = {self.size(one) for one in tiles}
        codecs = {self._codec(one) for one in tiles}
        if len(sizes) != 1 or len(codecs) != 1:
            raise UndecodableImage("the file is damaged: its tiles are not alike")
        layer = Layer(item, size, tiles, sizes.pop(), codecs.pop())
        if layer.pixels > 2 * size.pixels + _SPARE_PIXELS:
            raise UndecodableImage(
                f"the file is damaged: {layer.pixels:,} pixels of tiles for {size.pixels:,}"
            )
        return layer

    def _codec(self, item: int) -> bytes:
        kind = self.items.kinds.get(item, b"")
        if kind not in _CODECS:
            raise UndecodableImage(
                f"a HEIF image of kind {kind.decode('latin-1')!r} is not read; "
                "kinds that are read: AV1 (AVIF) and HEVC (HEIC), whole or in tiles"
            )
        return kind

    def take(self, layer: Layer, names: Mapping[int, int]) -> list[HeifItem]:
        """Return the parts of a layer that are written, its items under new names."""
        whole = [] if layer.tiles == (layer.item,) else [self._grid(layer, names)]
        return whole + [self._tile(layer, one, hidden=bool(whole)) for one in layer.tiles]

    def _grid(self, layer: Layer, names: Mapping[int, int]) -> HeifItem:
        content = self.items.content(self._data, layer.item)
        wide = 4 if content[1:2] and content[1] & 1 else 2
        if len(content) < 4 + 2 * wide:
            raise UndecodableImage("the file is damaged: it does not say how its tiles lie")
        rows, columns = content[2] + 1, content[3] + 1
        width, height = (int.from_bytes(content[at : at + wide], "big") for at in (4, 4 + wide))
        across, down = columns * layer.tile.width, rows * layer.tile.height
        fits = across >= width and down >= height and rows * columns == len(layer.tiles)
        if Size(width, height) != layer.size or not fits:
            raise UndecodableImage("the file is damaged: its tiles do not make up the picture")
        kept = _kept(self.items.properties(self._data, layer.item))
        item = HeifItem(_GRID, content[: 4 + 2 * wide], kept)
        return item.referring(b"dimg", [names[one] for one in layer.tiles])

    def _tile(self, layer: Layer, item: int, *, hidden: bool) -> HeifItem:
        said = self.items.properties(self._data, item)
        named, codec = _CODECS[layer.codec]
        configuration = next((one.content for one in said if one.kind == named), None)
        if configuration is None:
            raise UndecodableImage("the file is damaged: it does not say how it is coded")
        content = self.items.content(self._data, item)
        if content.endswith(_ZEROS):
            raise UndecodableImage("the file is not complete: its pixels end in zeros")
        codec.check_picture(configuration, content, layer.tile)
        kind = b"hvc1" if codec is hevc else layer.codec
        return HeifItem(kind, content, _kept(said), hidden=hidden)


def _kept(said: list[Property]) -> tuple[Property, ...]:
    """Return the properties that a decoder needs. Raises UndecodableImage where more is essential.

    Of colors that is how they are coded; profiles are not applied, as with other formats.
    """
    unknown = next((one for one in said if one.essential and one.kind not in _KNOWN), None)
    if unknown is not None:
        name = unknown.kind.decode("latin-1")
        raise UndecodableImage(f"a HEIF image with the property {name!r} is not read")
    kept = (
        one
        for one in said
        if one.kind in _OF_DECODERS or (one.kind == b"colr" and one.content[:4] == b"nclx")
    )
    return tuple(kept)
