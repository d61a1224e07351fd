"""The pixels that wait to be decoded, and their limits."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from models.errors import UndecodableImage
from models.preprocess import effort
from service.errors import TooManyPixels
from service.inference.decode_process import START_PIXELS, costs_a_process

Encoded = bytes | UndecodableImage  # an image's bytes, or why there are none
_E = TypeVar("_E", bytes, Encoded)

_PIXELS_PER_BYTE = 64  # that a request may have besides its limit; photographs have 2 to 20
_LEAST_PIXELS = 16 * 1024  # what the smallest image counts: it costs as much

# Pillow holds the GIL while it decodes a small image, so that a second thread gains nothing:
# a task is at least this much encoded data, and only photographs spread over the cores.
# It is no more pixels than these either, so that requests take turns.
_TASK_BYTES = 128 * 1024
_TASK_PIXELS = 2**20


@dataclass(frozen=True)
class PixelBudget:
    """The limits of decoding: of one image, of one request, and in all before others wait."""

    image: int
    request: int = 2**62
    wait_s: float = math.inf

    def check(self, effort: int, images: Sequence[Encoded]) -> None:
        """Raise TooManyPixels where the images of one request are too much together."""
        limit = self.request + _PIXELS_PER_BYTE * sum(map(_size, images))
        if effort > limit:
            raise TooManyPixels(effort, limit)

    def efforts(self, images: Sequence[Encoded]) -> list[int]:
        """Return the cost of each image in pixels, from its header."""
        return [self._effort(image) for image in images]

    def _effort(self, image: Encoded) -> int:
        if isinstance(image, UndecodableImage):
            return 0
        try:
            cost = effort(image, self.image)
        except UndecodableImage:  # to be said when it is decoded
            return _LEAST_PIXELS
        return max(_LEAST_PIXELS, cost + START_PIXELS * costs_a_process(image, cost))


class Task(NamedTuple, Generic[_E]):
    """Images that one thread decodes without a pause."""

    images: Sequence[_E]
    effort: int


def tasks(images: Sequence[_E], efforts: Sequence[int]) -> list[Task[_E]]:
    """All images in order, in tasks of a size that is worth a thread."""
    found, start, size, pixels = [], 0, 0, 0
    for stop, (image, cost) in enumerate(zip(images, efforts, strict=True), start=1):
        size, pixels = size + _size(image), pixels + cost
        if size >= _TASK_BYTES or pixels >= _TASK_PIXELS or stop == len(images):
            found.append(Task(images[start:stop], pixels))
            start, size, pixels = stop, 0, 0
    return found


def _size(image: Encoded) -> int:
    return len(image) if isinstance(image, bytes) else 0
