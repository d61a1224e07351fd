"""Encoded images to one array of pixels: on a pool of threads, or later in their batch."""

import asyncio
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event
from time import perf_counter
from typing import TypeVar, cast

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from models.errors import ImageTooLarge, UndecodableImage
from models.jpeg import Header, read_header
from models.manifest import Preprocess
from models.preprocess import preprocess
from service.errors import Overloaded, OversizedImages, UndecodableImages
from service.limits import Pace
from service.pixels import Encoded, PixelBudget, Task, tasks

Pixels = UInt8[np.ndarray, "n h w 3"]
_Decoded = UInt8[np.ndarray, "h w 3"] | UndecodableImage | ImageTooLarge
_E = TypeVar("_E", bytes, Encoded)
_T = TypeVar("_T")

# A JPEG of up to so many pixels is decoded in less time than a thread is woken in
# (docs/performance.md).
SMALL_PIXELS = 128 * 128

# A JPEG that has more bytes than these and two for each pixel is not one of a camera.
_BRIEF_BYTES = 64 * 1024

_FEW = 8  # images whose headers are read in less time than a thread needs to begin
_PIXEL_S = 10e-9  # until it is measured


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
    """Decodes images, and notes how long that takes for each request.

    Requests take turns on the threads: each has no more tasks there than there are threads.
    """

    def __init__(
        self,
        budget: PixelBudget,
        threads: int,
        observe: Callable[[float], None],
        *,
        defer_pixels: int = SMALL_PIXELS,
    ) -> None:
        """Prepare `threads` threads; a JPEG of up to `defer_pixels` can wait for its batch."""
        self._budget = budget
        self._threads = threads
        self._observe = observe
        self._defer_pixels = defer_pixels
        self._pace = Pace(_PIXEL_S)
        self._pixels = 0  # waiting or in work
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
        self._pool.submit(Image.init)  # else the first image waits for Pillow's plugins

    async def decode(
        self, images: Sequence[Encoded], spec: Preprocess, *, passes: int = 1
    ) -> Pixels:
        """Decode every image on the pool, in order: uint8 [n h w 3] with h = w = spec.size_px.

        `passes` is how often the request has its images decoded, with `map` after this.
        Raises OversizedImages or UndecodableImages with the index of each bad image, and
        TooManyPixels or Overloaded before anything is decoded. When the caller is cancelled,
        images that have not begun are dropped.
        """
        started = perf_counter()
        efforts = await self._efforts(images)
        self._budget.check(passes * sum(efforts), images)
        self._check_room(sum(efforts))
        work = partial(_decode_one, spec=spec, max_pixels=self._budget.image)
        decoded = await self._run(images, efforts, work)
        self._observe(perf_counter() - started)
        return _stacked(decoded, self._budget.image)

    async def map(self, images: Sequence[bytes], work: Callable[[bytes], _T]) -> list[_T]:
        """What `work` makes of each image of a request that was let in, on the same threads."""
        return await self._run(images, await self._efforts(images), work)

    async def _efforts(self, images: Sequence[Encoded]) -> list[int]:
        """How many pixels each image costs; 0 for what is refused before it is decoded."""
        if len(images) <= _FEW:
            return self._budget.efforts(images)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._budget.efforts, images)

    def _check_room(self, pixels: int) -> None:
        limit = self._threads * self._pace.items(self._budget.wait_s)
        if self._pixels and self._pixels + pixels > limit:
            retry_s = self._pace.seconds(self._pixels) / self._threads
            raise Overloaded(limit, max(1, math.ceil(retry_s)), "pixels")

    async def _run(
        self, images: Sequence[_E], efforts: Sequence[int], work: Callable[[_E], _T]
    ) -> list[_T]:
        turns = asyncio.Semaphore(self._threads)
        dropped = Event()
        running = [
            asyncio.ensure_future(self._run_one(task, work, turns, dropped))
            for task in tasks(images, efforts)
        ]
        pixels = sum(efforts)
        self._pixels += pixels
        try:
            return [made for part in await asyncio.gather(*running) for made in part]
        finally:
            self._pixels -= pixels
            dropped.set()
            for one in running:
                one.cancel()

    async def _run_one(
        self,
        task: Task[_E],
        work: Callable[[_E], _T],
        turns: asyncio.Semaphore,
        dropped: Event,
    ) -> list[_T]:
        async with turns:
            loop = asyncio.get_running_loop()
            do_all = partial(_do_all, task.images, work, dropped)
            made, took_s = await loop.run_in_executor(self._pool, do_all)
        if task.effort:
            self._pace.note(task.effort, took_s, perf_counter(), waiting=False)
        return made

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
        return Deferred(encoded, headers, spec, self._budget.image, range(len(images)))

    def close(self) -> None:
        """Stop the threads; what has not begun is dropped."""
        self._pool.shutdown(cancel_futures=True)


def _do_all(
    images: Sequence[_E], work: Callable[[_E], _T], dropped: Event
) -> tuple[list[_T], float]:
    """What it makes, and how long that took; less where nobody waits for it any more."""
    started = perf_counter()
    made: list[_T] = []
    for image in images:
        if dropped.is_set():
            break
        made.append(work(image))
    return made, perf_counter() - started


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
        error.__context__ = None  # it and the traceback hold the frames, and these the whole body
        return error.with_traceback(None)


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
