"""The answers and inputs of every peer besides a plain image."""

from collections.abc import Sequence

import msgspec
import numpy as np
import orjson
from numpy.typing import NDArray

_JPEG = b"\xff\xd8"


def read_images(body: bytes) -> list[bytes]:
    """The images of a body that is a JPEG, or several as an array in MessagePack."""
    if body.startswith(_JPEG):
        return [body]
    images: list[bytes] = msgspec.msgpack.decode(body, type=list[bytes])
    return images


def write_json(embeddings: NDArray[np.float32]) -> bytes:
    """Embeddings [n, 64] as JSON."""
    return orjson.dumps({"embeddings": embeddings}, option=orjson.OPT_SERIALIZE_NUMPY)


def split(embeddings: NDArray[np.float32], sizes: Sequence[int]) -> list[NDArray[np.float32]]:
    """The rows of a batch, back to the requests that they came with."""
    return np.split(embeddings, np.cumsum(sizes)[:-1])
