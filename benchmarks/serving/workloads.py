"""Workloads: many different images, so that nothing can answer from a cache."""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

DATA = Path(__file__).parents[2] / "tests" / "data"
_MANY = 64
_PHOTO = (640, 480)
_PHOTOS = 48
# The stored photographs are smaller. Enlarged ones are smooth, and smooth ones decode quickly: with
# this much grain (standard deviation, in levels) they have 2.5 bits a pixel on average, as the
# stored ones have at their own size and the same quality.
_GRAIN = 5.0


@dataclass(frozen=True)
class Workload:
    """Requests of one kind: each is a tuple of indices into the different images."""

    name: str
    title: str
    images: tuple[bytes, ...]
    requests: tuple[tuple[int, ...], ...]

    @property
    def per_request(self) -> int:
        """Images in one request."""
        return len(self.requests[0])


def one_small() -> Workload:
    """A 32 x 32 JPEG a request: 500 different ones."""
    images = _small_images()
    singles = tuple((index,) for index in range(len(images)))
    return Workload("small", "one 32x32 JPEG", images, singles)


def many_small() -> Workload:
    """64 of these in a request, in 50 different orders."""
    images = _small_images()
    rng = np.random.default_rng(0)
    orders = (rng.permutation(len(images))[:_MANY] for _ in range(50))
    requests = tuple(tuple(int(index) for index in order) for order in orders)
    return Workload("many", f"{_MANY} JPEGs of 32x32 in one request", images, requests)


def one_photo() -> Workload:
    """A 640 x 480 JPEG of quality 90 a request: 48 different ones."""
    rng = np.random.default_rng(0)
    sources = [_read_rgb(file) for file in sorted((DATA / "photos").glob("*.*"))]
    images = tuple(_photo(sources[index % len(sources)], rng) for index in range(_PHOTOS))
    return Workload("photo", "one 640x480 JPEG", images, tuple((i,) for i in range(_PHOTOS)))


WORKLOADS = {"small": one_small, "photo": one_photo, "many": many_small}


def _small_images() -> tuple[bytes, ...]:
    files = sorted((DATA / "cifar10-sample").glob("*/*/*.jpg"))
    order = np.random.default_rng(0).permutation(len(files))
    return tuple(files[index].read_bytes() for index in order)


def _read_rgb(file: Path) -> Image.Image:
    with Image.open(file) as image:
        return image.convert("RGB")


def _photo(source: Image.Image, rng: np.random.Generator) -> bytes:
    """Part of a photograph, perhaps mirrored, enlarged to 640 x 480, with grain."""
    share = rng.uniform(0.7, 1.0)
    width, height = source.width * share, min(source.height, source.width * 0.75) * share
    left, top = rng.uniform(0, source.width - width), rng.uniform(0, source.height - height)
    box = (left, top, left + width, top + height)
    image = source.resize(_PHOTO, Image.Resampling.BICUBIC, box=box)
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    pixels = np.asarray(image) + rng.normal(0, _GRAIN, (image.height, image.width, 1))
    encoded = BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(encoded, "JPEG", quality=90)
    return encoded.getvalue()
