"""Ways to change images that a camera, a network or a person has, each at a few strengths."""

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageFilter

Images = UInt8[np.ndarray, "n h w 3"]
Picture = Image.Image
_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as in JPEG


@dataclass(frozen=True)
class Corruption:
    """One way to change images: `make(images, strength, random)` gives as many of the same size."""

    name: str
    title: str
    unit: str
    strengths: tuple[float, ...]
    make: Callable[[Images, float, np.random.Generator], Images]


def gaussian_noise(images: Images, strength: float, random: np.random.Generator) -> Images:
    """Noise of standard deviation `strength` in each channel of each pixel by itself."""
    return _rounded(images + random.normal(0, strength, images.shape))


def chroma_noise(images: Images, strength: float, random: np.random.Generator) -> Images:
    """The same noise less its luma, so that only color changes."""
    noise = random.normal(0, strength, images.shape)
    return _rounded(images + noise - (noise @ _LUMA)[..., None])


def brightness(images: Images, strength: float, _random: np.random.Generator) -> Images:
    """`strength` added to every value."""
    return _rounded(images + strength)


def contrast(images: Images, strength: float, _random: np.random.Generator) -> Images:
    """Each image's distance from its mean color, multiplied by `strength`."""
    means = images.mean(axis=(1, 2), keepdims=True)
    return _rounded(means + strength * (images - means))


def gray(images: Images, strength: float, _random: np.random.Generator) -> Images:
    """Luma in place of color, to the share `strength`."""
    luma = (images @ _LUMA)[..., None]
    return _rounded(images + strength * (luma - images))


def blur(images: Images, strength: float, _random: np.random.Generator) -> Images:
    """A Gaussian of standard deviation `strength` pixels."""
    return _each(images, lambda image: image.filter(ImageFilter.GaussianBlur(strength)))


def jpeg(images: Images, strength: float, _random: np.random.Generator) -> Images:
    """Encoded as JPEG of that quality at half the color resolution, and decoded."""

    def encoded(image: Picture) -> Picture:
        buffer = BytesIO()
        image.save(buffer, "JPEG", quality=int(strength), subsampling="4:2:0")
        return Image.open(buffer)

    return _each(images, encoded)


def scale(images: Images, strength: float, _random: np.random.Generator) -> Images:
    """Zoomed about the center by `strength`; what lies beyond has the image's mean color."""

    def zoomed(image: Picture) -> Picture:
        width, height = image.size
        size = (max(1, round(width * strength)), max(1, round(height * strength)))
        inner = image.resize(size, Image.Resampling.BILINEAR)
        outer = Image.new("RGB", image.size, _mean_color(image))
        outer.paste(inner, ((width - size[0]) // 2, (height - size[1]) // 2))
        return outer

    return _each(images, zoomed)


def rotation(images: Images, strength: float, _random: np.random.Generator) -> Images:
    """Turned counterclockwise by `strength` degrees; corners have the image's mean color."""
    return _each(
        images,
        lambda image: image.rotate(
            strength, Image.Resampling.BILINEAR, fillcolor=_mean_color(image)
        ),
    )


_LEVELS = "of 255"
CHANGES: tuple[Corruption, ...] = (
    Corruption(
        "gaussian-noise", "Gaussian noise", f"sd, {_LEVELS}", (4.0, 8.0, 16.0), gaussian_noise
    ),
    Corruption(
        "chroma-noise", "Noise in color alone", f"sd, {_LEVELS}", (4.0, 8.0, 16.0), chroma_noise
    ),
    Corruption("blur", "Gaussian blur", "px, sd", (0.5, 1.0), blur),
    Corruption("brightness", "Brightness", _LEVELS, (-64.0, 64.0), brightness),
    Corruption("contrast", "Contrast", "times", (0.5, 1.5), contrast),
    Corruption("gray", "No color", "", (1.0,), gray),
    Corruption("jpeg", "JPEG again", "quality", (75.0, 50.0, 25.0), jpeg),
    Corruption("scale", "Zoom", "times", (0.5, 0.75, 1.25, 1.5), scale),
    Corruption("rotation", "Turned", "degrees", (10.0, 30.0), rotation),
)


def _rounded(values: Float[np.ndarray, "n h w 3"]) -> Images:
    whole: Images = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return whole


def _each(images: Images, changed: Callable[[Picture], Picture]) -> Images:
    return np.stack([np.asarray(changed(Image.fromarray(image))) for image in images])


def _mean_color(image: Picture) -> tuple[int, int, int]:
    red, green, blue = np.asarray(image).reshape(-1, 3).mean(axis=0).round().astype(int).tolist()
    return red, green, blue
