"""AVIF and HEIC: how large, and a file of the one picture that is shown.

Both are HEIF files: items, some of which are pictures, and tables of what belongs together. A
decoder is given a new file of the primary picture, its tiles and its transparency. Thumbnails,
depth maps, films, profiles and metadata stay behind, and so does what turns the picture, which
`models.preprocess` does.
"""

import struct
from fractions import Fraction

from models.errors import UndecodableImage
from models.first_frame import Crop, Size, Step, Still
from models.heif_picture import HeifPicture, Layer
from models.heif_write import write

_WEIGHTS = {b"av01": 1.0}  # of a pixel in each layer
_HEVC_WEIGHT = 1.5
_TURNED = {0: 1, 1: 8, 2: 3, 3: 6}  # orientation of so many quarters against the clock
_MIRRORED = {0: 4, 1: 2}
_SPARE_BYTES = 64 * 1024  # that equal tiles may share


def read_size(data: bytes) -> Size:
    """The size of the primary picture as it is coded, before it is turned.

    Raises UndecodableImage.
    """
    picture = HeifPicture(data)
    layers = picture.layers
    size = layers[0].size
    weight = _WEIGHTS.get(layers[0].codec, _HEVC_WEIGHT)
    return size._replace(weight=weight * sum(one.cost for one in layers) / size.pixels)


def take_still(data: bytes) -> Still:
    """A file of the primary picture alone, each part of it checked. Raises UndecodableImage."""
    picture = HeifPicture(data)
    primary = picture.items.primary
    layers = picture.layers
    names = {item: at for at, item in enumerate(_parts(layers), 1)}
    if sum(map(picture.items.size_bytes, names)) > 2 * len(data) + _SPARE_BYTES:
        raise UndecodableImage("the file is damaged: its items share their bytes")
    written = [part for layer in layers for part in picture.take(layer, names)]
    if picture.alpha:
        alpha = names[picture.alpha[0]]
        written[alpha - 1] = written[alpha - 1].referring(b"auxl", [names[primary]])
        if picture.items.references.get((b"prem", primary)) == list(picture.alpha):
            written[0] = written[0].referring(b"prem", [alpha])
    codec = layers[0].codec
    brand = b"avif" if codec == b"av01" else b"heic"
    return Still(write(brand, written), steps=_steps(picture, data))


def _parts(layers: list[Layer]) -> list[int]:
    """The items of all layers in the order in which they are written."""
    parts = [one for layer in layers for one in dict.fromkeys((layer.item, *layer.tiles))]
    if len({*parts}) != len(parts) or len({layer.codec for layer in layers}) != 1:
        raise UndecodableImage("the file is damaged: its color and transparency do not go together")
    return parts


def _steps(picture: HeifPicture, data: bytes) -> tuple[Step, ...]:
    """List the steps on the decoded picture, in the file's order."""
    said = picture.items.properties(data, picture.items.primary)
    steps: list[Step] = []
    size = picture.size(picture.items.primary)
    for one in said:
        if one.kind == b"irot" and one.content:
            steps.append(_TURNED[one.content[0] & 3])
        elif one.kind == b"imir" and one.content:
            steps.append(_MIRRORED[one.content[0] & 1])
        elif one.kind == b"clap":
            steps.append(_crop(one.content, size))
    return tuple(steps)


def _crop(content: bytes, size: Size) -> Crop:
    """The part of the picture that is shown, whole pixels of it."""
    try:
        numbers = struct.unpack(">IIIIiIiI", content[:32])
        across, down, right, below = (
            Fraction(numbers[at], numbers[at + 1]) for at in range(0, 8, 2)
        )
    except (struct.error, ZeroDivisionError):
        raise UndecodableImage("the file is damaged: it does not say what is shown of it") from None
    left, top = int(right + (size.width - across) / 2), int(below + (size.height - down) / 2)
    crop = Crop(left, top, left + int(across), top + int(down))
    if not (
        0 <= crop.left < crop.right <= size.width and 0 <= crop.top < crop.bottom <= size.height
    ):
        raise UndecodableImage("the file is damaged: more is shown than there is")
    return crop
