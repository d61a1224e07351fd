"""Encoded images to one array of pixels: on a pool of threads, or later in their batch."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import cast

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from models.errors import ImageTooLarge, UndecodableImage
from models.jpeg import Header, read_header
from models.manifest import Preprocess
from models.preprocess import preprocess
from service.errors import OversizedImages, UndecodableImages

Encoded = bytes | UndecodableImage  # an image's bytes, or why there are none
Pixels = UInt8[np.ndarray, "n h w 3"]
_Decoded = UInt8[np.ndarray, "h w 3"] | UndecodableImage | ImageTooLarge

# A JPEG of up to so many pixels is decoded in less time than a thread is woken in
# (docs/performance.md).
SMALL_PIXELS = 128 * 128

# A JPEG that has more bytes than these and two for each pixel is not one of a camera.
_BRIEF_BYTES = 64 * 1024

# Pillow holds the GIL while it decodes a small image, so that a second thread gains nothing:
# a task is at least this much encoded data, and only photographs spread over the cores.
_TASK_BYTES = 128 * 1024


class Deferred:
    """Small JPEGs of one request, which are decoded when their batch runs.

    One after the other they take half as long as between other work, and a request that is
    dropped before its batch costs nothing.
    """

    __slots__ = ("_headers", "_images", "_max_pixels", "_part", "_spec")

    def __init__(
        self,
        images: Sequence[bytes],
        headers: Sequence[Header],
        spec: Preprocess,
        max_pixels: int,
        part: range,
    ) -> None:
        self._images = images
        self._headers = headers
        self._spec = spec
        self._max_pixels = max_pixels
        self._part = part

    def __len__(self) -> int:
        return len(self._part)

    def __getitem__(self, part: slice) -> "Deferred":
        return Deferred(self._images, self._headers, self._spec, self._max_pixels, self._part[part])

    @property
    def effort(self) -> int:
        """How many pixels are to be decoded."""
        return sum(self._headers[i].pixels for i in self._part)

    def pixels(self) -> Pixels:
        """Decode them: uint8 [n h w 3].

        Raises OversizedImages or UndecodableImages with the index of each bad image of the whole
        request, also of those in its other parts.
        """
        decoded = self._decode(self._part)
        if not all(isinstance(one, np.ndarray) for one in decoded):
            decoded = self._decode(range(len(self._images)))
        return _stacked(decoded, self._max_pixels)

    def _decode(self, part: range) -> list[_Decoded]:
        return [
            _decode_one(self._images[i], self._spec, self._max_pixels, self._headers[i])
            for i in part
        ]


class Decoder:
    """Decodes images, and notes how long that takes for each request."""

    def __init__(
        self,
        max_pixels: int,
        threads: int,
        observe: Callable[[float], None],
        *,
        defer_pixels: int = SMALL_PIXELS,
    ) -> None:
        """Prepare `threads` threads; a JPEG of up to `defer_pixels` can wait for its batch."""
        self._max_pixels = max_pixels
        self._observe = observe
        self._defer_pixels = defer_pixels
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
        self._pool.submit(Image.init)  # else the first image waits for Pillow's plugins

    async def decode(self, images: Sequence[Encoded], spec: Preprocess) -> Pixels:
        """Decode every image on the pool, in order: uint8 [n h w 3] with h = w = spec.size_px.

        Raises OversizedImages or UndecodableImages with the index of each bad image.
        """
        started = perf_counter()
        loop = asyncio.get_running_loop()
        tasks = [
            loop.run_in_executor(self._pool, self._decode_all, task, spec)
            for task in _tasks(images)
        ]
        decoded = [pixels for part in await asyncio.gather(*tasks) for pixels in part]
        self._observe(perf_counter() - started)
        return _stacked(decoded, self._max_pixels)

    def defer(self, images: Sequence[Encoded], spec: Preprocess) -> Deferred | None:
        """JPEGs that are to be decoded in their batch; None where one of them is anything else.

        They are a photograph that is small enough, or as many small images as a request may have.
        """
        most = self._defer_pixels if len(images) == 1 else SMALL_PIXELS
        headers = []
        for image in images:
            header = None if isinstance(image, UndecodableImage) else _brief_header(image)
            if header is None or header.pixels > most:
                return None
            headers.append(header)
        encoded = cast(Sequence[bytes], images)  # the others have no header
        return Deferred(encoded, headers, spec, self._max_pixels, range(len(images)))

    def close(self) -> None:
        """Stop the threads; what has not begun is dropped."""
        self._pool.shutdown(cancel_futures=True)

    def _decode_all(self, images: Sequence[Encoded], spec: Preprocess) -> list[_Decoded]:
        return [_decode_one(image, spec, self._max_pixels) for image in images]


def _brief_header(image: bytes) -> Header | None:
    """The header of a JPEG whose decoding takes no longer than its pixels and bytes say."""
    try:
        header = read_header(image)
    except UndecodableImage:  # to be said when it is decoded
        return None
    if header is None or not (header.is_brief and header.is_plain and header.in_one_scan):
        return None
    return header if len(image) <= _BRIEF_BYTES + 2 * header.pixels else None


def _decode_one(
    image: Encoded, spec: Preprocess, max_pixels: int, header: Header | None = None
) -> _Decoded:
    if isinstance(image, UndecodableImage):
        return image
    try:
        return preprocess(image, spec, max_pixels, header)
    except (UndecodableImage, ImageTooLarge) as error:
        return error


def _tasks(images: Sequence[Encoded]) -> Iterator[Sequence[Encoded]]:
    start, size = 0, 0
    for stop, image in enumerate(images, start=1):
        size += len(image) if isinstance(image, bytes) else 0
        if size >= _TASK_BYTES or stop == len(images):
            yield images[start:stop]
            start, size = stop, 0


def _stacked(decoded: Sequence[_Decoded], max_pixels: int) -> Pixels:
    good = [pixels for pixels in decoded if isinstance(pixels, np.ndarray)]
    if len(good) < len(decoded):
        _raise_bad(decoded, max_pixels)
    return good[0][np.newaxis] if len(good) == 1 else np.stack(good)


def _raise_bad(decoded: Sequence[_Decoded], max_pixels: int) -> None:
    oversized = tuple(i for i, item in enumerate(decoded) if isinstance(item, ImageTooLarge))
    if oversized:
        raise OversizedImages(oversized, max_pixels)
    bad = {i: item.reason for i, item in enumerate(decoded) if isinstance(item, UndecodableImage)}
    if bad:
        raise UndecodableImages(tuple(bad), tuple(bad.values()))
