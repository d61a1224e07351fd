"""From every mode in which Pillow opens a picture to RGB, on white where it is transparent."""

import numpy as np
from PIL import Image

_HIGH = 8  # bits, which are kept of 16


def to_rgb(image: Image.Image) -> Image.Image:
    """The picture as RGB."""
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I"):
        return _from_deep_gray(image)
    if not image.has_transparency_data or _is_bmp_without_alpha(image):
        return image.convert("RGB")
    transparent = image.info.get("transparency")
    if isinstance(transparent, tuple) and max(transparent) >> _HIGH:  # 16-bit RGB, read as 8
        image.info["transparency"] = tuple(part >> _HIGH for part in transparent)
    rgba = image if image.mode == "RGBA" else image.convert("RGBA")  # which would copy
    # the same as Image.alpha_composite, to the last bit, in a third of the time, and without
    # holding up other threads
    white = Image.new("RGB", rgba.size, "white")
    white.paste(rgba, mask=rgba)
    return white


def _from_deep_gray(image: Image.Image) -> Image.Image:
    """16-bit gray by its high bytes: convert() would clip."""
    values = np.asarray(image)
    gray = (values >> _HIGH).astype(np.uint8)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        gray[values == transparent] = 255
    return Image.fromarray(gray).convert("RGB")


def _is_bmp_without_alpha(image: Image.Image) -> bool:
    """Return whether all of a BMP would be transparent: its writer left the alpha bytes unset.

    Windows shows such a picture opaque.
    """
    return image.format == "BMP" and image.mode == "RGBA" and not image.getbbox(alpha_only=True)
