"""Encoded images to one array of pixels: on a pool of threads, or later in their batch."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Event
from time import perf_counter
from typing import Generic, TypeVar, cast

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from models.errors import ImageTooLarge, UndecodableImage
from models.jpeg import Header, read_header
from models.manifest import Preprocess
from models.preprocess import preprocess, preprocess_with_preview
from service.errors import OversizedImages, UndecodableImages
from service.inference.decode_process import LARGE_PIXELS, DecodeJob, decode_apart
from service.inference.decode_queue import DecodeQueue, Work
from service.inference.pixel_budget import Encoded, PixelBudget, tasks
from service.inference.work import DecodedImages, Pixels

_Bad = UndecodableImage | ImageTooLarge
_One = UInt8[np.ndarray, "h w 3"] | _Bad
_T = TypeVar("_T")


@dataclass(frozen=True)
class DecodeWith(Generic[_T]):
    """A second product of each image: `make` of a preview of the whole picture."""

    side_px: int
    make: Callable[[UInt8[np.ndarray, "h w 3"]], _T]


# A JPEG of up to so many pixels is decoded in less time than a thread is woken in
# (docs/lab/performance.md).
SMALL_PIXELS = 128 * 128

# A JPEG that has more bytes than these and two for each pixel is not one of a camera.
_BRIEF_BYTES = 64 * 1024

_FEW = 8  # images whose headers are read in less time than a thread needs to begin


class EncodedImages:
    """Small JPEGs of one request, which are decoded when their batch runs.

    One after the other they take half as long as between other work, and a request that is
    dropped before its batch costs nothing.
    """

    __slots__ = ("_headers", "_images", "_max_pixels", "_part", "_spec")
    decoded_s = 0.0

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

    def __getitem__(self, part: slice) -> "EncodedImages":
        return EncodedImages(
            self._images, self._headers, self._spec, self._max_pixels, self._part[part]
        )

    @property
    def effort(self) -> int:
        """Count the pixels to decode."""
        headers = self._headers
        if len(headers) == 1:
            return headers[0].pixels
        return sum(headers[i].pixels for i in self._part)

    def pixels(self) -> Pixels:
        """Decode them: uint8 [n h w 3].

        Raises OversizedImages or UndecodableImages with the index of each bad image of the whole
        request, also of those in its other parts.
        """
        decoded = self._decode(self._part)
        if len(self._images) == 1:
            return _stacked(decoded, self._max_pixels)
        if not all(isinstance(one, np.ndarray) for one in decoded):
            decoded = self._decode(range(len(self._images)))
        return _stacked(decoded, self._max_pixels)

    def _decode(self, part: range) -> list[_One]:
        return [
            _decode_one(self._images[i], self._spec, self._max_pixels, self._headers[i])
            for i in part
        ]


class Decoder:
    """Decodes images, and notes how long that takes for each request.

    Requests take turns on the threads. Large pictures have threads of their own, half as many: no
    other request waits for one to be decoded, and no more of them are in memory at a time. A large
    WebP or AVIF has a process of its own besides (`service.inference.decode_process`).
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
        self._most = budget.image
        self._observe = observe
        self._defer_pixels = defer_pixels
        self._usual = DecodeQueue("decode", threads, budget.wait_s)
        self._large = DecodeQueue("decode-large", max(1, threads // 2), budget.wait_s)
        self._usual.pool.submit(Image.init)  # else the first image waits for Pillow's plugins

    async def decode(self, images: Sequence[Encoded], spec: Preprocess) -> DecodedImages:
        """Decode every image on the pool, in order: uint8 [n h w 3] with h = w = spec.size_px.

        Raises OversizedImages or UndecodableImages with the index of each bad image, and
        TooManyPixels or Overloaded before anything is decoded. When the caller is cancelled,
        images that have not begun are dropped.
        """
        work = partial(_decode_large, spec=spec, max_pixels=self._most)
        found, took_s = await self._run(images, work)
        return DecodedImages(_stacked(found, self._most), took_s)

    async def decode_with(
        self, images: Sequence[Encoded], spec: Preprocess, extra: DecodeWith[_T]
    ) -> tuple[DecodedImages, list[_T]]:
        """Decode every image once, with something else that is made of it. Raises the same."""
        work = partial(_decode_with, extra=extra, spec=spec, max_pixels=self._most)
        found, took_s = await self._run(images, work)
        pixels = [one[0] if isinstance(one, tuple) else one for one in found]
        decoded = DecodedImages(_stacked(pixels, self._most), took_s)
        return decoded, [one[1] for one in found if isinstance(one, tuple)]

    async def _run(
        self, images: Sequence[Encoded], work: Work[Encoded, _T]
    ) -> tuple[list[_T], float]:
        started = perf_counter()
        efforts = await self._efforts(images)
        self._budget.check(sum(efforts), images)
        line = self._line(efforts)
        line.check_room(sum(efforts))
        found = await line.run(tasks(images, efforts), work)
        took_s = perf_counter() - started
        self._observe(took_s)
        return found, took_s

    def _line(self, efforts: Sequence[int]) -> DecodeQueue:
        return self._large if max(efforts, default=0) > LARGE_PIXELS else self._usual

    async def _efforts(self, images: Sequence[Encoded]) -> list[int]:
        """Count the pixels of each image; 0 for what is refused before it is decoded."""
        if len(images) <= _FEW:
            return self._budget.efforts(images)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._usual.pool, self._budget.efforts, images)

    def defer(self, images: Sequence[Encoded], spec: Preprocess) -> EncodedImages | None:
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
        return EncodedImages(encoded, headers, spec, self._budget.image, range(len(images)))

    def close(self) -> None:
        """Stop the threads; what has not begun is dropped."""
        self._usual.close()
        self._large.close()


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
) -> _One:
    if isinstance(image, UndecodableImage):
        return image
    try:
        return preprocess(image, spec, max_pixels, header)
    except (UndecodableImage, ImageTooLarge) as error:
        return _bare(error)


def _decode_large(image: Encoded, dropped: Event, spec: Preprocess, max_pixels: int) -> _One:
    if isinstance(image, UndecodableImage):
        return image
    try:
        apart = decode_apart(image, DecodeJob(spec.size_px, max_pixels), dropped)
    except (UndecodableImage, ImageTooLarge) as error:
        return _bare(error)
    return _decode_one(image, spec, max_pixels) if apart is None else apart[0]


def _decode_with(
    image: Encoded, dropped: Event, extra: DecodeWith[_T], spec: Preprocess, max_pixels: int
) -> tuple[UInt8[np.ndarray, "h w 3"], _T] | _Bad:
    if isinstance(image, UndecodableImage):
        return image
    job = DecodeJob(spec.size_px, max_pixels, extra.side_px)
    try:
        apart = decode_apart(image, job, dropped)
        if apart is not None:
            pixels, small = apart
        else:
            pixels, seen = preprocess_with_preview(image, spec, extra.side_px, max_pixels)
            small = np.asarray(seen)
    except (UndecodableImage, ImageTooLarge) as error:
        return _bare(error)
    return pixels, extra.make(small)


def _bare(error: _Bad) -> _Bad:
    error.__context__ = None  # it and the traceback hold the frames, and these the whole body
    return error.with_traceback(None)


def _stacked(decoded: Sequence[_One], max_pixels: int) -> Pixels:
    good = [pixels for pixels in decoded if isinstance(pixels, np.ndarray)]
    if len(good) < len(decoded):
        _raise_bad(decoded, max_pixels)
    return good[0][np.newaxis] if len(good) == 1 else np.stack(good)


def _raise_bad(decoded: Sequence[_One], max_pixels: int) -> None:
    oversized = tuple(i for i, item in enumerate(decoded) if isinstance(item, ImageTooLarge))
    if oversized:
        raise OversizedImages(oversized, max_pixels)
    bad = {i: item.reason for i, item in enumerate(decoded) if isinstance(item, UndecodableImage)}
    if bad:
        raise UndecodableImages(tuple(bad), tuple(bad.values()))
