"""A loaded model that answers."""

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from time import perf_counter

from models.bundle import MODEL, Bundle, Gallery, Thumbnails
from service.inference.batcher import Answer, Batcher, Work
from service.inference.decode import Decoder
from service.inference.gallery import ModelGallery, Neighbor
from service.inference.open_set import Doubt
from service.inference.pixel_budget import Encoded
from service.inference.session import Outputs, Session
from service.vectors import VectorIndex
from service.vectors.protocol import Vectors
from service.vectors.query import Search

_QUICK_DISTANCES = 10_000  # searched in less time than a thread needs to begin


@dataclass(frozen=True)
class LoadedModel:
    """Everything of a bundle that answering needs, verified."""

    bundle: Bundle
    session: Session
    gallery: Gallery
    index: VectorIndex
    thumbnails: Thumbnails | None
    doubt: Doubt | None
    image_s: float  # for one image of a batch


class Engine:
    """One version of one model, ready to answer."""

    def __init__(self, model: LoadedModel, decoder: Decoder, batcher: Batcher) -> None:
        self.manifest = model.bundle.manifest
        self.bundle = model.bundle
        self.provider = model.session.provider
        self.batcher = batcher
        self.gallery = ModelGallery(
            self.manifest.labels,
            self.manifest.metric,
            model.gallery,
            model.index,
            model.thumbnails,
        )
        self._doubt = model.doubt
        self._decoder = decoder

    async def answer(self, images: Sequence[Encoded], *, passes: int = 1) -> Answer:
        """Decode the images and run the model on them, in order.

        `passes` is how often the request has its images decoded, this time included.
        Raises Overloaded, Stopping, and whatever decoding raises.
        """
        with self.batcher.admit(len(images)):
            spec = self.manifest.preprocess
            deferred = self._decoder.defer(images, spec)
            if deferred is not None:
                return await self.batcher.run(deferred)
            started = perf_counter()
            pixels = await self._decoder.decode(images, spec, passes=passes)
            decode_s = perf_counter() - started
            return (await self.batcher.run(pixels))._replace(decode_s=decode_s)

    async def unknown(self, outputs: Outputs) -> list[bool] | None:
        """For each image, whether it is unknown; None where no measured rule says so."""
        return None if self._doubt is None else await self._doubt.unknown(outputs)

    async def neighbors(self, queries: Vectors, query: Search) -> list[list[Neighbor]]:
        """The nearest gallery items of each query embedding, nearest first.

        Raises InvalidFilter where the filter is on anything but the label.
        """
        search = partial(self.gallery.search, queries, query)
        quick = len(queries) * len(self.gallery) <= _QUICK_DISTANCES
        return search() if quick else await asyncio.to_thread(search)

    @property
    def model_sha256(self) -> str:
        """Of the model.onnx that answers."""
        return self.manifest.files[MODEL].sha256


async def answer_with_all(
    decoder: Decoder, engines: Sequence[Engine], images: Sequence[Encoded]
) -> list[Answer]:
    """Run several models on the same images at the same time; one answer for each engine.

    The images are decoded once for each way in which the models want them. Room is taken in every
    queue before that. Raises what `Engine.answer` raises, and then nothing stays in any queue.
    """
    with ExitStack() as rooms:
        for engine in engines:
            rooms.enter_context(engine.batcher.admit(len(images)))
        started = perf_counter()
        specs = {engine.manifest.preprocess for engine in engines}
        pixels = {spec: await decoder.decode(images, spec) for spec in specs}
        decode_s = perf_counter() - started
        answered = await _run_all([(one, pixels[one.manifest.preprocess]) for one in engines])
    return [one._replace(decode_s=decode_s) for one in answered]


async def _run_all(work: Sequence[tuple[Engine, Work]]) -> list[Answer]:
    runs = [asyncio.create_task(engine.batcher.run(pixels)) for engine, pixels in work]
    try:
        return await asyncio.gather(*runs)
    finally:
        for run in runs:  # where one fails, nobody waits for the others
            run.cancel()
