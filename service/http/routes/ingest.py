"""From the items of a request to items that are durable."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial

from models.errors import ImageTooLarge, UndecodableImage
from service.collections import NewItem
from service.collections.storage.thumbnails import thumbnail
from service.errors import OversizedImages, UndecodableImages
from service.http.requests.items import Draft
from service.inference.batch import Answer
from service.inference.decode import Decoder
from service.inference.engine import Engine
from service.inference.room import Room
from service.vectors.protocol import Vectors


async def embed(engine: Engine, room: Room, drafts: Sequence[Draft]) -> Answer:
    """Embed the drafts that are images, in order.

    Raises what `Engine.answer` raises, with the drafts' numbers in the place of the images'.
    """
    numbers = [i for i, draft in enumerate(drafts) if draft.image is not None]
    images = [draft.image for draft in drafts if draft.image is not None]
    try:
        with room:
            return await engine.answer(images, room, passes=2)  # thumbnails are the second one
    except UndecodableImages as error:
        raise UndecodableImages(_renumbered(error, numbers), error.reasons) from None
    except OversizedImages as error:
        raise OversizedImages(_renumbered(error, numbers), error.limit) from None


async def thumbnails(
    decoder: Decoder, drafts: Sequence[Draft], max_pixels: int
) -> list[bytes | None]:
    """Those of the drafts that are images, in order."""
    images = [draft.image for draft in drafts if isinstance(draft.image, bytes)]
    return await decoder.map(images, partial(_thumbnail, max_pixels=max_pixels))


def new_items(
    drafts: Sequence[Draft],
    embeddings: Vectors,
    thumbnails: Sequence[bytes | None],
    *,
    keep_images: bool,
) -> Iterator[NewItem]:
    """The items to put; there is one embedding and one thumbnail for each image, in order."""
    rows, small = iter(embeddings), iter(thumbnails)
    for draft in drafts:
        if draft.vector is not None:
            yield NewItem(draft.id, draft.vector, draft.label, draft.metadata)
            continue
        kept = draft.image if keep_images and isinstance(draft.image, bytes) else None
        yield NewItem(draft.id, next(rows), draft.label, draft.metadata, kept, next(small))


def _thumbnail(image: bytes, max_pixels: int) -> bytes | None:
    with suppress(UndecodableImage, ImageTooLarge):  # the model has seen it: go without
        return thumbnail(image, max_pixels)
    return None


def _renumbered(error: UndecodableImages | OversizedImages, numbers: list[int]) -> tuple[int, ...]:
    return tuple(numbers[i] for i in error.indexes)
