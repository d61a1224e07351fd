"""Encoded image bytes to pixels: the one function that training and serving share."""

import re
import struct
import zlib
from collections.abc import Mapping, Sequence
from io import BytesIO
from types import ModuleType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from models import bmp, gif, heif, heif_decode, jpeg, png, webp
from models.color import to_rgb
from models.errors import ImageTooLarge, UndecodableImage
from models.exif import read_orientation
from models.first_frame import Crop, Size, Step
from models.formats import FORMATS, HEIC, describe, find_format
from models.jpeg_header import read_tags
from models.jpeg_scans import count_scans

__all__ = [
    "FORMATS",
    "MAX_PIXELS",
    "VERSION",
    "Target",
    "effort",
    "preprocess",
    "preprocess_with_preview",
    "preview",
    "size",
]

MAX_PIXELS = 50_000_000
# Raise it with whatever changes a pixel, here or in models.jpeg: cached pixels are kept under it.
VERSION = 2

_CEILING = 2 * 89_478_485  # pixels; Pillow refuses more
_USUAL_SCANS = 10  # of a progressive JPEG
_READERS: Mapping[str, ModuleType] = {
    "PNG": png,
    "WEBP": webp,
    "GIF": gif,
    "BMP": bmp,
    "AVIF": heif,
    HEIC: heif,
}

# What Pillow's decoders raise on hostile bytes; anything else is a defect and should be seen.
_BAD_BYTES = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error)
_BOMB = (Image.DecompressionBombError, Image.DecompressionBombWarning)
_REFUSED = (*_BAD_BYTES, *_BOMB)

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Target(Protocol):
    """The form of a preprocessed image: a manifest's `Preprocess`, or what has its fields."""

    @property
    def size_px(self) -> int:
        """Height and width."""

    @property
    def half_scale(self) -> bool:
        """Return whether a much larger JPEG may be decoded at half scale."""


def size(data: bytes) -> Size:
    """The size of the picture as it is stored, from its header. Raises UndecodableImage."""
    return _size(data, jpeg.read_header(data))


def effort(data: bytes, max_pixels: int = MAX_PIXELS) -> int:
    """Estimate the cost of decoding an image, in pixels of an ordinary one, from its header alone.

    0 where it is refused for its size. A pixel counts more where it takes longer: with alpha, with
    many bits, in a JPEG of many scans, in an AVIF or HEIC. Raises UndecodableImage.
    """
    header = jpeg.read_header(data)
    size = _size(data, header)
    if size.pixels > max_pixels:
        return 0
    scans = 1 if header is None else count_scans(data, header)
    return size.effort * max(_USUAL_SCANS, scans) // _USUAL_SCANS


def preprocess(
    data: bytes,
    spec: Target,
    max_pixels: int = MAX_PIXELS,
    header: jpeg.Header | None = None,
) -> NDArray[np.uint8]:
    """Decode one image and bring it to the model's input size.

    EXIF orientation is applied; alpha is composited on white; gray, CMYK, palette and 16-bit
    images become RGB; the first frame stands for an animation. Then the shorter side is resized
    to `spec.size_px` (bilinear, antialiased) and the center is cropped. A JPEG that is much larger
    is decoded at half scale before that, where the spec has it (`models.jpeg.choose_step`). A
    JPEG's `header` is read here unless it is given.

    Returns RGB uint8 [h, w, 3] with h = w = spec.size_px.
    Raises ImageTooLarge from the header alone, before any pixel is decoded, and
    UndecodableImage where the bytes are no complete image in one of `FORMATS`.
    """
    if header is None:
        header = jpeg.read_header(data)
    try:
        if header is None:
            return _fit(*_decode(data, header, max_pixels, spec), spec.size_px)
        return _from_jpeg(data, header, max_pixels, spec)
    except _REFUSED as error:
        raise _refusal(error, data, max_pixels) from None


def preprocess_with_preview(
    data: bytes, spec: Target, side_px: int, max_pixels: int = MAX_PIXELS
) -> tuple[NDArray[np.uint8], Image.Image]:
    """Decode one image once, for the model and to be looked at.

    Returns what `preprocess` returns, and the whole picture as RGB with no side longer than
    `side_px`. Raises what `preprocess` raises.
    """
    header = jpeg.read_header(data)
    try:
        image, size, step = _decode(data, header, max_pixels, spec)
        pixels = _fit(image, size, step, spec.size_px)
    except _REFUSED as error:
        raise _refusal(error, data, max_pixels) from None
    if max(image.size) < min(side_px, *size):
        # Half of what only a model of less than 13 px leaves at half scale.
        return pixels, preview(data, side_px, max_pixels)
    image.thumbnail((side_px, side_px))
    return pixels, image


def preview(data: bytes, side_px: int, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The whole picture as RGB, as `preprocess` sees it, with no side longer than `side_px`.

    A large JPEG is decoded at a fraction of its size. Raises what `preprocess` raises.
    """
    try:
        header = jpeg.read_header(data)
        if header is None:
            rgb = _open_rgb(data, max_pixels)
        else:
            most = min(header.width, header.height) // (2 * side_px)
            step = next(one for one in (8, 4, 2, 1) if one <= max(1, most))
            rgb = _decode_jpeg(data, header, step, max_pixels)
    except _REFUSED as error:
        raise _refusal(error, data, max_pixels) from None
    rgb.thumbnail((side_px, side_px))
    return rgb


def _refusal(error: Exception, data: bytes, max_pixels: int) -> UndecodableImage | ImageTooLarge:
    if isinstance(error, _BOMB):
        return _too_large(error, max_pixels)
    reason = str(error) or type(error).__name__
    return UndecodableImage(f"the {find_format(data)} is damaged or not complete ({reason})")


def _from_jpeg(
    data: bytes, header: jpeg.Header, max_pixels: int, spec: Target
) -> NDArray[np.uint8]:
    size_px = spec.size_px
    if header.tagged:
        return _fit(*_decode(data, header, max_pixels, spec), size_px)
    step = jpeg.choose_step(header, size_px) if spec.half_scale else 1
    _check_size(header.pixels, max_pixels)
    pixels = jpeg.decode(data, header, step)
    if pixels.shape[:2] == (size_px, size_px):
        return pixels
    return _fit(Image.fromarray(pixels), (header.width, header.height), step, size_px)


def _decode(
    data: bytes, header: jpeg.Header | None, max_pixels: int, spec: Target
) -> tuple[Image.Image, tuple[int, int], int]:
    """Return the picture upright, its size in the file, and the step at which it was decoded."""
    if header is None:
        rgb = _open_rgb(data, max_pixels)
        return rgb, rgb.size, 1
    step = jpeg.choose_step(header, spec.size_px) if spec.half_scale else 1
    image = _decode_jpeg(data, header, step, max_pixels)
    if header.tagged:  # it may have been turned; where there is a step, both sides are even
        return image, (image.width * step, image.height * step), step
    return image, (header.width, header.height), step


def _decode_jpeg(data: bytes, header: jpeg.Header, step: int, max_pixels: int) -> Image.Image:
    _check_size(header.pixels, max_pixels)
    image = Image.fromarray(jpeg.decode(data, header, step))
    return _turned(image, read_orientation(*read_tags(data))) if header.tagged else image


def _open_rgb(data: bytes, max_pixels: int) -> Image.Image:
    """The picture as RGB and upright; no decoder sees what is too large or beside the pixels."""
    reader = _reader(data)
    pixels = reader.read_size(data).pixels
    _check_size(pixels, max_pixels)
    still = reader.take_still(data)
    if reader is heif:
        rgb = to_rgb(heif_decode.decode(still.data))
        if rgb.width * rgb.height != pixels:
            raise UndecodableImage(f"its header says {pixels:,} pixels, and its content has others")
        return _stepped(rgb, still.steps)
    with _open(still.data) as image:
        if image.width * image.height > pixels:
            raise UndecodableImage(f"its header says {pixels:,} pixels, and its content has more")
        image.load()
        if reader is png:
            png.check_rows(still.data, image)
        if image.mode == "P" and image.palette is None:
            raise UndecodableImage("palette image without its palette")
        return _turned(to_rgb(image), read_orientation(still.exif, still.xmp))


def _size(data: bytes, header: jpeg.Header | None) -> Size:
    if header is not None:
        return Size(header.width, header.height)
    found: Size = _reader(data).read_size(data)
    return found


def _reader(data: bytes) -> ModuleType:
    reader = _READERS.get(find_format(data) or "")
    if reader is None:
        raise UndecodableImage(describe(data))
    return reader


def _open(data: bytes) -> Image.Image:
    try:
        return Image.open(BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:  # its message names an object in memory
        raise UndecodableImage(f"the {find_format(data)} is damaged in its header") from None


def _check_size(pixels: int, max_pixels: int) -> None:
    limit = min(max_pixels, _CEILING)
    if pixels > limit:
        raise ImageTooLarge(pixels, limit)


def _too_large(bomb: Exception | Warning, max_pixels: int) -> ImageTooLarge:
    """Pillow's own guard, which comes first; only its message knows how many pixels there are."""
    pixels, limit = map(int, re.findall(r"\d+", str(bomb))[:2])
    return ImageTooLarge(pixels, min(limit, max_pixels))


def _stepped(image: Image.Image, steps: Sequence[Step]) -> Image.Image:
    for step in steps:
        image = image.crop(step) if isinstance(step, Crop) else _turned(image, step)
    return image


def _turned(image: Image.Image, orientation: int) -> Image.Image:
    method = _UPRIGHT.get(orientation)
    return image if method is None else image.transpose(method)


def _fit(image: Image.Image, size: tuple[int, int], step: int, size_px: int) -> NDArray[np.uint8]:
    """Resize and CenterCrop as torchvision has them, to one level, without the cropped pixels.

    `size` is the picture's in the file; each pixel of `image` stands for `step` of its pixels.
    """
    short = min(size)
    scaled = tuple(side * size_px // short for side in size)
    left, top = (round((side - size_px) / 2) for side in scaled)
    if short == size_px:
        return np.asarray(image.crop((left, top, left + size_px, top + size_px)))
    per_x, per_y = (before / after / step for before, after in zip(size, scaled, strict=True))
    box = (left * per_x, top * per_y, (left + size_px) * per_x, (top + size_px) * per_y)
    return np.asarray(image.resize((size_px, size_px), Image.Resampling.BILINEAR, box=box))
