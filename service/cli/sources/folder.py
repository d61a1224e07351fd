"""Images that are to be embedded: where they are, and what they become."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from models.errors import ImageTooLarge, UndecodableImage
from models.files import SkippedFiles, images
from models.manifest import Preprocess
from service.cli.sources.base import RejectedInput
from service.collections import Metadata, NewItem
from service.collections.errors import UnknownImage
from service.collections.storage.thumbnails import decode_with_thumbnail
from service.inference.session import Session
from service.inference.work import Pixels
from service.vectors.errors import UnknownItem

# The last two: an image of a collection that was deleted meanwhile.
_REFUSED = (UndecodableImage, ImageTooLarge, OSError, UnknownItem, UnknownImage)


@dataclass(frozen=True)
class ImageFile:
    """One image, not read yet."""

    id: str
    read: Callable[[], bytes]
    label: str | None = None
    metadata: Metadata = field(default_factory=dict)


class FolderListing(NamedTuple):
    """The images of a folder."""

    pictures: list[ImageFile]
    passed: SkippedFiles


def find_pictures(folder: Path, *, labeled: bool) -> FolderListing:
    """Every image below the folder, in the order of the ids, as `models.files` lists them.

    An id is the path inside the folder. With `labeled`, the label is the name of the folder in
    which the image lies, and none where that is `folder` itself.
    """
    passed = SkippedFiles()
    pictures = [
        ImageFile(one.id, one.path.read_bytes, _label(one.id) if labeled else None)
        for one in images(folder, passed)
    ]
    return FolderListing(pictures, passed)


def _label(item_id: str) -> str | None:
    return PurePosixPath(item_id).parent.name or None


@dataclass(frozen=True)
class FolderEmbedder:
    """Makes items of pictures: read, decode, run the model, draw the thumbnail."""

    session: Session
    spec: Preprocess
    max_pixels: int
    keep_images: bool

    def embed(self, pictures: Sequence[ImageFile]) -> list[NewItem | RejectedInput]:
        """An item for each picture, or what is wrong with it. Safe to call from any thread."""
        opened = [self._open(picture) for picture in pictures]
        pixels = [one.pixels for one in opened if isinstance(one, _DecodedFile)]
        if not pixels:
            return [one for one in opened if isinstance(one, RejectedInput)]
        vectors = iter(self.session.run(np.stack(pixels)).embedding)
        return [
            one if isinstance(one, RejectedInput) else self._item(one, next(vectors))
            for one in opened
        ]

    def _open(self, picture: ImageFile) -> "_DecodedFile | RejectedInput":
        try:
            encoded = picture.read()
            pixels, thumbnail = decode_with_thumbnail(encoded, self.spec, self.max_pixels)
            return _DecodedFile(picture, encoded, pixels, thumbnail)
        except _REFUSED as error:
            return RejectedInput(picture.id, getattr(error, "reason", None) or str(error))

    def _item(self, opened: "_DecodedFile", vector: np.ndarray) -> NewItem:
        picture = opened.picture
        return NewItem(
            picture.id,
            vector,
            picture.label,
            picture.metadata,
            opened.encoded if self.keep_images else None,
            opened.thumbnail,
        )


class _DecodedFile(NamedTuple):
    picture: ImageFile
    encoded: bytes
    pixels: Pixels
    thumbnail: bytes
