"""Encoded images to one array of pixels: in their batch, at once, or on a pool of threads."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

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

# A small JPEG is decoded in less time than a thread is woken in (docs/performance.md). What is
# decoded on the event loop stays below this many pixels, in one image and in a whole request.
SMALL_PIXELS = 128 * 128
_SMALL_REQUEST_PIXELS = 256 * 32 * 32

# Pillow holds the GIL while it decodes a small image, so that a second thread gains nothing:
# a task is at least this much encoded data, and only photographs spread over the cores.
_TASK_BYTES = 128 * 1024


class Deferred:
    """One JPEG, which is decoded when its batch runs.

    Decoded one after the other, small JPEGs take half as long as between other work.
    """

    __slots__ = ("_data", "_header", "_max_pixels", "_spec")

    def __init__(self, data: bytes, header: Header, spec: Preprocess, max_pixels: int) -> None:
        self._data = data
        self._header = header
        self._spec = spec
        self._max_pixels = max_pixels

    def __len__(self) -> int:
        return 1

    def __getitem__(self, part: slice) -> "Deferred":
        return self

    @property
    def effort(self) -> int:
        """How many pixels are to be decoded."""
        return self._header.width * self._header.height

    def pixels(self) -> Pixels:
        """Decode it: uint8 [1 h w 3]. Raises OversizedImages or UndecodableImages."""
        decoded = _decode_one(self._data, self._spec, self._max_pixels, self._header)
        return _stacked([decoded], self._max_pixels)


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
        """Decode every image, in order: uint8 [n h w 3] with h = w = spec.size_px.

        Raises OversizedImages or UndecodableImages with the index of each bad image.
        """
        started = perf_counter()
        headers = _small_headers(images)
        if headers is None:
            decoded = await self._decode_on_pool(images, spec)
        else:
            decoded = [
                _decode_one(image, spec, self._max_pixels, header)
                for image, header in zip(images, headers, strict=True)
            ]
        self._observe(perf_counter() - started)
        return _stacked(decoded, self._max_pixels)

    def defer(self, images: Sequence[Encoded], spec: Preprocess) -> Deferred | None:
        """A single JPEG that is to be decoded in its batch; None for anything else."""
        image = images[0]
        if len(images) > 1 or isinstance(image, UndecodableImage):
            return None
        header = read_header(image)
        if header is None or header.width * header.height > self._defer_pixels:
            return None
        return Deferred(image, header, spec, self._max_pixels)

    def close(self) -> None:
        """Stop the threads; what has not begun is dropped."""
        self._pool.shutdown(cancel_futures=True)

    async def _decode_on_pool(self, images: Sequence[Encoded], spec: Preprocess) -> list[_Decoded]:
        loop = asyncio.get_running_loop()
        tasks = [
            loop.run_in_executor(self._pool, self._decode_all, task, spec)
            for task in _tasks(images)
        ]
        return [pixels for part in await asyncio.gather(*tasks) for pixels in part]

    def _decode_all(self, images: Sequence[Encoded], spec: Preprocess) -> list[_Decoded]:
        return [_decode_one(image, spec, self._max_pixels) for image in images]


def _decode_one(
    image: Encoded, spec: Preprocess, max_pixels: int, header: Header | None = None
) -> _Decoded:
    if isinstance(image, UndecodableImage):
        return image
    try:
        return preprocess(image, spec, max_pixels, header)
    except (UndecodableImage, ImageTooLarge) as error:
        return error


def _small_headers(images: Sequence[Encoded]) -> list[Header | None] | None:
    """The headers of images that are all small; None where one is not, or all are much."""
    headers: list[Header | None] = []
    left = _SMALL_REQUEST_PIXELS
    for image in images:
        if isinstance(image, UndecodableImage):
            headers.append(None)
            continue
        header = read_header(image)
        if header is None or (pixels := header.width * header.height) > SMALL_PIXELS:
            return None
        left -= pixels
        if left < 0:
            return None
        headers.append(header)
    return headers


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
