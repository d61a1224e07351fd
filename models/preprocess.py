"""Encoded image bytes to pixels: the one function that training and serving share."""

import struct
import zlib
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from models.errors import ImageTooLarge, UndecodableImage
from models.manifest import Preprocess

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
MAX_PIXELS = 50_000_000

# What Pillow's decoders raise on hostile bytes; anything else is a defect and should be seen.
_BAD_BYTES = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error)
_BOMB = (Image.DecompressionBombError, Image.DecompressionBombWarning)


def preprocess(data: bytes, spec: Preprocess, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Decode one image and bring it to the model's input size.

    EXIF orientation is applied; alpha is composited on white; grey, CMYK, palette and 16-bit
    images become RGB; the first frame stands for an animation. Then the shorter side is resized
    to `spec.size_px` (bilinear, antialiased) and the centre is cropped.

    Returns RGB uint8 [h, w, 3] with h = w = spec.size_px.
    Raises ImageTooLarge from the header alone, before any pixel is decoded, and
    UndecodableImage where the bytes are no complete image in one of `FORMATS`.
    """
    try:
        with Image.open(BytesIO(data), formats=FORMATS) as image:
            _check_pixels(image.width * image.height, max_pixels)
            image.load()
            rgb = _to_rgb(ImageOps.exif_transpose(image))
    except _BOMB:
        raise ImageTooLarge(_header_pixels(data), max_pixels) from None
    except _BAD_BYTES as error:
        raise UndecodableImage(str(error) or type(error).__name__) from None
    return np.asarray(_fit(rgb, spec.size_px, max_pixels))


def _check_pixels(pixels: int, limit: int) -> None:
    if pixels > limit:
        raise ImageTooLarge(pixels, limit)


def _header_pixels(data: bytes) -> int:
    """Width times height where Pillow itself already refused to open the image."""
    guard, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with Image.open(BytesIO(data), formats=FORMATS) as image:
            return image.width * image.height
    finally:
        Image.MAX_IMAGE_PIXELS = guard


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


def _fit(image: Image.Image, size_px: int, max_pixels: int) -> Image.Image:
    width, height = image.size
    short = min(width, height)
    if short != size_px:
        # floor, as torchvision.transforms.Resize does
        width, height = width * size_px // short, height * size_px // short
        _check_pixels(width * height, max_pixels)  # a sliver grows when its short side does
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = round((width - size_px) / 2), round((height - size_px) / 2)
    return image.crop((left, top, left + size_px, top + size_px))
