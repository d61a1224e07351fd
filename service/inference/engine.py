"""A loaded model that answers."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from models.bundle import MODEL, Bundle, Gallery, Thumbnails
from models.manifest import Precision
from service.inference.batch import Answer
from service.inference.batcher import Batcher
from service.inference.capacity import Room
from service.inference.decode import Decoder, DecodeWith
from service.inference.gallery import ModelGallery, Neighbor
from service.inference.model_map import ModelMap
from service.inference.open_set import OpenSetDetector
from service.inference.pixel_budget import Encoded
from service.inference.session import Outputs, Session
from service.inference.work import DecodedImages, Work
from service.vectors import VectorIndex
from service.vectors.protocol import Vectors
from service.vectors.query import Search

_T = TypeVar("_T")
_QUICK_DISTANCES = 10_000  # searched in less time than a thread needs to begin


@dataclass(frozen=True)
class LoadedModel:
    """Everything of a bundle that answering needs, verified."""

    bundle: Bundle
    session: Session
    gallery: Gallery
    index: VectorIndex
    thumbnails: Thumbnails | None
    doubt: OpenSetDetector | None
    plane: ModelMap | None
    image_s: float  # for one image of a batch


class Engine:
    """One version of one model, ready to answer."""

    def __init__(self, model: LoadedModel, decoder: Decoder, batcher: Batcher) -> None:
        self.manifest = model.bundle.manifest
        self.bundle = model.bundle
        self.provider = model.session.provider
        self.precision = model.session.precision
        self.batcher = batcher
        self.gallery = ModelGallery(
            self.manifest.labels,
            self.manifest.metric,
            model.gallery,
            model.index,
            model.thumbnails,
        )
        self.plane = model.plane
        self._doubt = model.doubt
        self._decoder = decoder

    def reserve(self) -> Room:
        """Room for one request, to be reserved before its body is read. Raises Overloaded."""
        return self.batcher.capacity.reserve()

    async def answer(self, images: Sequence[Encoded], room: Room) -> Answer:
        """Decode the images and run the model on them, in order.

        Args:
            images: of one request.
            room: the request's own, reserved here; it takes what the images need.

        Raises Overloaded, Stopping, and whatever decoding raises.
        """
        room.take(len(images))
        spec = self.manifest.preprocess
        work: Work | None = self._decoder.defer(images, spec)
        if work is None:
            work = await self._decoder.decode(images, spec)
        return await self.batcher.run(work)

    async def answer_with(
        self, images: Sequence[Encoded], room: Room, decode_one: DecodeWith[_T]
    ) -> tuple[Answer, list[_T]]:
        """Do the same with something else that is made of each image as it is decoded."""
        room.take(len(images))
        decoded, made = await self._decoder.decode_with(
            images, self.manifest.preprocess, decode_one
        )
        return await self.batcher.run(decoded), made

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

    def may_mix_with(self, precision: Precision) -> bool:
        """Return whether its embeddings may be searched among vectors of that precision."""
        return self.bundle.may_mix(self.precision, precision)

    @property
    def model_sha256(self) -> str:
        """Of its model.onnx, whichever of its graphs answers."""
        return self.manifest.files[MODEL].sha256


@contextmanager
def reserve_with_all(engines: Sequence[Engine]) -> Iterator[list[Room]]:
    """Room for one request with each engine. Raises Overloaded where one has none."""
    with ExitStack() as rooms:
        yield [rooms.enter_context(engine.reserve()) for engine in engines]


async def answer_with_all(
    decoder: Decoder, engines: Sequence[Engine], images: Sequence[Encoded], rooms: Sequence[Room]
) -> list[Answer]:
    """Run several models on the same images at the same time; one answer for each engine.

    The images are decoded once for each way in which the models want them, after room was taken
    with every engine. Raises what `Engine.answer` raises, and then nothing stays in any queue.
    """
    for room in rooms:
        room.take(len(images))
    specs = {engine.manifest.preprocess for engine in engines}
    decoded = {spec: await decoder.decode(images, spec) for spec in specs}
    took_s = sum(one.decoded_s for one in decoded.values())
    pixels = [decoded[engine.manifest.preprocess].images for engine in engines]
    works = [DecodedImages(one, took_s) for one in pixels]
    return await _run_all(list(zip(engines, works, strict=True)))


async def _run_all(work: Sequence[tuple[Engine, Work]]) -> list[Answer]:
    runs = [asyncio.create_task(engine.batcher.run(decoded)) for engine, decoded in work]
    try:
        return await asyncio.gather(*runs)
    finally:
        for run in runs:  # where one fails, nobody waits for the others
            run.cancel()
