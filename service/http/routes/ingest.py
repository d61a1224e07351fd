"""From the items of a request to items that are durable."""

from collections.abc import Iterator, Sequence

from service.collections import NewItem
from service.collections.storage.thumbnails import SIDE_PX, encode
from service.errors import OversizedImages, UndecodableImages
from service.http.requests.items import ItemDraft
from service.inference.batch import Answer
from service.inference.capacity import Room
from service.inference.decode import DecodeWith
from service.inference.engine import Engine
from service.vectors.protocol import Vectors


async def embed(
    engine: Engine, room: Room, drafts: Sequence[ItemDraft]
) -> tuple[Answer, list[bytes]]:
    """Return what the model says of the drafts that are images, and their thumbnails, in order.

    Raises what `Engine.answer` raises, with the drafts' numbers in the place of the images'.
    """
    numbers = [i for i, draft in enumerate(drafts) if draft.image is not None]
    images = [draft.image for draft in drafts if draft.image is not None]
    try:
        with room:
            return await engine.answer_with(images, room, DecodeWith(SIDE_PX, encode))
    except UndecodableImages as error:
        raise UndecodableImages(_renumbered(error, numbers), error.reasons) from None
    except OversizedImages as error:
        raise OversizedImages(_renumbered(error, numbers), error.limit) from None


def new_items(
    drafts: Sequence[ItemDraft],
    embeddings: Vectors,
    thumbnails: Sequence[bytes],
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


def _renumbered(error: UndecodableImages | OversizedImages, numbers: list[int]) -> tuple[int, ...]:
    return tuple(numbers[i] for i in error.indexes)
