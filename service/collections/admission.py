"""Admission of items and vectors, and the stored form of vectors."""

from collections.abc import Iterator, Sequence

import numpy as np

from service.collections.items import NewItem
from service.collections.spec import CollectionSpec
from service.collections.validation import item_problem
from service.vectors.errors import InvalidItems
from service.vectors.lengths import Given, problems, ready
from service.vectors.protocol import Vectors


def ready_items(items: Sequence[NewItem], spec: CollectionSpec) -> Vectors:
    """The items' vectors as they are stored. Raises InvalidItems with all that is wrong."""
    found = {i: problem for i, item in enumerate(items) for problem in _problems(item, spec)}
    if found:
        raise _invalid(found)
    if not items:
        return np.empty((0, spec.dimension), np.float32)
    return ready_vectors(np.stack([item.vector for item in items]), spec)


def ready_vectors(vectors: Given, spec: CollectionSpec) -> Vectors:
    """Vectors as they are stored: of unit length where the metric is cosine. Raises InvalidItems.

    Args:
        vectors: of one length; integers and other floats are taken too.
        spec: of the collection.
    """
    if vectors.shape[1] != spec.dimension:
        problem = f"vector must have {spec.dimension} numbers (got {vectors.shape[1]})"
        raise _invalid(dict.fromkeys(range(len(vectors)), problem))
    if found := problems(vectors, spec.metric):
        raise _invalid({i: f"vector {problem}" for i, problem in found.items()})
    return ready(vectors, spec.metric)


def _problems(item: NewItem, spec: CollectionSpec) -> Iterator[str]:
    if problem := item_problem(item.id, item.label, item.metadata):
        yield problem
    if item.vector.shape != (spec.dimension,):
        yield f"vector must have {spec.dimension} numbers (got shape {list(item.vector.shape)})"


def _invalid(found: dict[int, str]) -> InvalidItems:
    positions = sorted(found)
    return InvalidItems(tuple(positions), tuple(found[i] for i in positions))
