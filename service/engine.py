"""A loaded model that answers."""

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from time import perf_counter

from models.bundle import Bundle, Gallery, Thumbnails
from service.batcher import Answer, Batcher, Work
from service.decode import Decoder, Encoded
from service.errors import UnknownCollection, UnknownThumbnail
from service.index import VectorIndex
from service.index.protocol import Vectors
from service.session import Outputs, Session
from service.unknown import Doubt

COLLECTION = "gallery"
_QUICK_DISTANCES = 10_000  # searched in less time than a thread needs to begin


@dataclass(frozen=True)
class Neighbor:
    """One gallery item near a query; a higher score is nearer."""

    row: int
    id: str
    label: str
    score: float


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
        self._model = model
        self._decoder = decoder

    async def answer(self, images: Sequence[Encoded]) -> Answer:
        """Decode the images and run the model on them, in order.

        Raises Overloaded, Stopping, and whatever decoding raises.
        """
        with self.batcher.admit(len(images)):
            spec = self.manifest.preprocess
            deferred = self._decoder.defer(images, spec)
            if deferred is not None:
                return await self.batcher.run(deferred)
            started = perf_counter()
            pixels = await self._decoder.decode(images, spec)
            decode_s = perf_counter() - started
            return (await self.batcher.run(pixels))._replace(decode_s=decode_s)

    async def unknown(self, outputs: Outputs) -> list[bool] | None:
        """For each image, whether the manifest's rule calls it unknown; None without a rule."""
        doubt = self._model.doubt
        return None if doubt is None else await doubt.unknown(outputs)

    async def neighbors(self, queries: Vectors, k: int, collection: str) -> list[list[Neighbor]]:
        """The k nearest items of each query embedding, nearest first.

        Raises UnknownCollection.
        """
        self.check_collection(collection)
        search = partial(self._model.index.search, queries, k)
        quick = len(queries) * len(self._model.index) <= _QUICK_DISTANCES
        hits = search() if quick else await asyncio.to_thread(search)
        return [
            [self._neighbor(row, score) for row, score in zip(rows, scores, strict=True)]
            for rows, scores in zip(hits.rows.tolist(), hits.scores.tolist(), strict=True)
        ]

    def check_collection(self, name: str) -> None:
        """Raise UnknownCollection unless the model has that collection."""
        if name != COLLECTION:
            raise UnknownCollection(name, (COLLECTION,))

    def thumbnail(self, row: int) -> bytes:
        """The JPEG of one gallery item. Raises UnknownThumbnail."""
        thumbnails = self._model.thumbnails
        count = 0 if thumbnails is None else len(thumbnails)
        if thumbnails is None or not 0 <= row < count:
            raise UnknownThumbnail(row, count)
        return thumbnails.jpeg(row)

    @property
    def has_thumbnails(self) -> bool:
        """Whether the gallery's items have thumbnails."""
        return self._model.thumbnails is not None

    def _neighbor(self, row: int, score: float) -> Neighbor:
        gallery = self._model.gallery
        label = self.manifest.labels[gallery.labels[row]]
        return Neighbor(row, gallery.ids[row], label, score)


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
