"""Whether items and vectors can be taken, and how vectors are stored."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float64

from service.collections.errors import InvalidItems
from service.collections.filters import text_problem, value_problem
from service.collections.values import CollectionSpec, Metadata, NewItem
from service.index.protocol import Vectors

LABEL = "label"  # in filters the item's label
ID_CHARACTERS = 256
_KEY_CHARACTERS = 128
_TEXT_CHARACTERS = 4096
_KEYS = 64
_LONGEST = 1e18  # a greater length's square is past float32's range


def ready_items(items: Sequence[NewItem], spec: CollectionSpec) -> Vectors:
    """The items' vectors as they are stored. Raises InvalidItems with all that is wrong."""
    found = {i: problem for i, item in enumerate(items) for problem in _problems(item, spec)}
    if found:
        raise _invalid(found)
    if not items:
        return np.empty((0, spec.dimension), np.float32)
    return ready_vectors(np.stack([item.vector for item in items]), spec)


def ready_vectors(vectors: Vectors, spec: CollectionSpec) -> Vectors:
    """Vectors as they are stored: of unit length where the metric is cosine. Raises InvalidItems.

    Args:
        vectors: of one length; integers and other floats are taken too.
        spec: of the collection.
    """
    if vectors.shape[1] != spec.dimension:
        problem = f"{vectors.shape[1]} numbers, and the collection's vectors have {spec.dimension}"
        raise _invalid(dict.fromkeys(range(len(vectors)), problem))
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    _check_lengths(lengths, spec)
    if spec.metric == "l2":
        return np.ascontiguousarray(vectors, np.float32)
    unit: Vectors = (vectors / lengths[:, None]).astype(np.float32)
    return unit


def _check_lengths(lengths: Float64[np.ndarray, " n"], spec: CollectionSpec) -> None:
    found = dict.fromkeys(
        np.flatnonzero(~np.isfinite(lengths)), "has a number that is NaN or infinite"
    )
    if spec.metric == "cosine":
        found |= dict.fromkeys(np.flatnonzero(lengths == 0), "is all zero, which has no direction")
    else:
        found |= dict.fromkeys(np.flatnonzero(lengths > _LONGEST), f"is longer than {_LONGEST:g}")
    if found:
        raise _invalid({int(i): f"its vector {problem}" for i, problem in found.items()})


def _problems(item: NewItem, spec: CollectionSpec) -> Iterator[str]:
    if not 0 < len(item.id) <= ID_CHARACTERS:
        yield f"an id has 1 to {ID_CHARACTERS} characters"
    elif problem := text_problem(item.id):
        yield f"id {problem}"
    if item.vector.shape != (spec.dimension,):
        yield (
            f"vector of shape {list(item.vector.shape)}, and the collection's have "
            f"{spec.dimension} numbers"
        )
    if item.label is not None and (problem := _text_problem(item.label)):
        yield f"label {problem}"
    if item.metadata:
        yield from _metadata_problems(item.metadata)


def _metadata_problems(metadata: Metadata) -> Iterator[str]:
    if len(metadata) > _KEYS:
        yield f"metadata has over {_KEYS} keys"
    for key, value in metadata.items():
        if problem := _key_problem(key):
            yield f"metadata key {key!r:.80} {problem}"
        elif problem := _text_problem(value) if isinstance(value, str) else value_problem(value):
            yield f"metadata of {key!r} {problem}"


def _key_problem(key: object) -> str | None:
    if not isinstance(key, str) or not 0 < len(key) <= _KEY_CHARACTERS:
        return f"is not a text of 1 to {_KEY_CHARACTERS} characters"
    if key == LABEL:
        return "is the item's own field"
    return text_problem(key)


def _text_problem(text: str) -> str | None:
    if len(text) > _TEXT_CHARACTERS:
        return f"has over {_TEXT_CHARACTERS:,} characters"
    return text_problem(text)


def _invalid(found: dict[int, str]) -> InvalidItems:
    positions = sorted(found)
    return InvalidItems(tuple(positions), tuple(found[i] for i in positions))
