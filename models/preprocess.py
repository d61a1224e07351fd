"""Encoded image bytes to pixels: the one function that training and serving share."""

import re
import struct
import zlib
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from models import jpeg
from models.errors import ImageTooLarge, UndecodableImage
from models.manifest import Preprocess

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
MAX_PIXELS = 50_000_000
# Raise it with whatever changes a pixel, here or in models.jpeg: cached pixels are kept under it.
VERSION = 1

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


def preprocess(
    data: bytes,
    spec: Preprocess,
    max_pixels: int = MAX_PIXELS,
    header: jpeg.Header | None = None,
) -> NDArray[np.uint8]:
    """Decode one image and bring it to the model's input size.

    EXIF orientation is applied; alpha is composited on white; grey, CMYK, palette and 16-bit
    images become RGB; the first frame stands for an animation. Then the shorter side is resized
    to `spec.size_px` (bilinear, antialiased) and the centre is cropped. A JPEG that is much larger
    is decoded at half scale before that, where the spec has it (`models.jpeg.choose_step`). A
    JPEG's `header` is read here unless it is given.

    Returns RGB uint8 [h, w, 3] with h = w = spec.size_px.
    Raises ImageTooLarge from the header alone, before any pixel is decoded, and
    UndecodableImage where the bytes are no complete image in one of `FORMATS`.
    """
    try:
        header = jpeg.read_header(data) if header is None else header
        pixels = _from_jpeg(data, header, min(max_pixels, MAX_PIXELS), spec)
        return _from_any(data, max_pixels, spec.size_px) if pixels is None else pixels
    except _REFUSED as error:
        raise _refusal(error, max_pixels) from None


def preview(data: bytes, side_px: int, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The whole picture as RGB, as `preprocess` sees it, with no side longer than `side_px`.

    A large JPEG is decoded at a fraction of its size. Raises what `preprocess` raises.
    """
    try:
        with _open(data, max_pixels) as image:
            image.draft(None, (2 * side_px, 2 * side_px))
            rgb = _upright_rgb(image)
    except _REFUSED as error:
        raise _refusal(error, max_pixels) from None
    rgb.thumbnail((side_px, side_px))
    return rgb


def _refusal(error: Exception, max_pixels: int) -> UndecodableImage | ImageTooLarge:
    if isinstance(error, UnidentifiedImageError):  # its message names an object in memory
        return UndecodableImage(f"the bytes start none of {', '.join(FORMATS)}")
    if isinstance(error, _BOMB):
        return _too_large(error, max_pixels)
    return UndecodableImage(str(error) or type(error).__name__)


def _from_jpeg(
    data: bytes, header: jpeg.Header | None, max_pixels: int, spec: Preprocess
) -> NDArray[np.uint8] | None:
    """What `_from_any` gives, in less time; None where that must decide."""
    if header is None or header.width * header.height > max_pixels:
        return None
    size_px = spec.size_px
    step = jpeg.choose_step(header, size_px) if spec.half_scale else 1
    pixels = jpeg.decode(data, header, step)
    if pixels is None:
        return None
    if header.tagged:
        with Image.open(BytesIO(data), formats=FORMATS) as tags:
            image = _turned(Image.fromarray(pixels), tags)
        return _fit(image, (image.width * step, image.height * step), step, size_px)
    if pixels.shape[:2] == (size_px, size_px):
        return pixels
    return _fit(Image.fromarray(pixels), (header.width, header.height), step, size_px)


def _from_any(data: bytes, max_pixels: int, size_px: int) -> NDArray[np.uint8]:
    with _open(data, max_pixels) as image:
        rgb = _upright_rgb(image)
    return _fit(rgb, rgb.size, 1, size_px)


def _open(data: bytes, max_pixels: int) -> Image.Image:
    image = Image.open(BytesIO(data), formats=FORMATS)
    pixels = image.width * image.height
    if pixels > max_pixels:
        raise ImageTooLarge(pixels, max_pixels)
    return image


def _upright_rgb(image: Image.Image) -> Image.Image:
    image.load()
    if image.mode == "P" and image.palette is None:
        raise UndecodableImage("palette image without its palette")
    return _to_rgb(_turned(image, tags=image))


def _too_large(bomb: Exception | Warning, max_pixels: int) -> ImageTooLarge:
    """Pillow's own guard, which comes first; only its message knows how many pixels there are."""
    pixels, limit = map(int, re.findall(r"\d+", str(bomb))[:2])
    return ImageTooLarge(pixels, min(limit, max_pixels))


def _turned(image: Image.Image, tags: Image.Image) -> Image.Image:
    """The image as the EXIF block of `tags` wants it seen."""
    # ImageOps.exif_transpose would also write the EXIF block anew, which fails on odd ones
    try:
        orientation = tags.getexif().get(ExifTags.Base.Orientation)
    except _BAD_BYTES:  # a damaged EXIF block beside good pixels
        return image
    method = _UPRIGHT.get(orientation) if isinstance(orientation, int) else None
    return image if method is None else image.transpose(method)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I"):  # 16-bit grey: keep the high byte; convert() would clip
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


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
