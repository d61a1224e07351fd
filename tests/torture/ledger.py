"""The acknowledged writes of the service, and the pending ones when it died."""

import base64
import zlib
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]
DIMENSION = 16
LABELS = ("cat", "dog", None)


@dataclass(frozen=True)
class Written:
    """One version of one item."""

    id: str
    vector: Vector
    label: str | None
    metadata: dict[str, Any]

    def body(self) -> dict[str, Any]:
        vector = base64.b64encode(self.vector.tobytes()).decode()
        return {"id": self.id, "vector": vector, "label": self.label, "metadata": self.metadata}

    def shown(self) -> tuple[str | None, dict[str, Any]]:
        """Return the item as the service is to show it, apart from its vector."""
        return self.label, self.metadata


@dataclass(frozen=True)
class Put:
    """A batch: all of it or nothing."""

    items: tuple[Written, ...]


@dataclass(frozen=True)
class Deletion:
    """One item that shall go."""

    id: str


Shown = Mapping[str, tuple[str | None, dict[str, Any]]]


@dataclass
class Ledger:
    """One writer's items. Nobody else writes to these ids."""

    items: dict[str, Written] = field(default_factory=dict)
    gone: deque[Written] = field(default_factory=lambda: deque(maxlen=500))  # replaced or deleted
    pending: Put | Deletion | None = None
    begun: int = 0  # batches and deletions, answered or not
    acknowledged: int = 0

    def begin(self, operation: Put | Deletion) -> None:
        """Note what is about to be asked for."""
        self.pending = operation
        self.begun += 1

    def acknowledge(self) -> None:
        """Move the pending writes to the durable ones: they have been answered."""
        assert self.pending is not None
        if isinstance(self.pending, Put):
            self._put(self.pending.items)
        else:
            self.gone.append(self.items.pop(self.pending.id))
        self.pending = None
        self.acknowledged += 1

    def settle(self, shown: Shown) -> str:
        """Find out what came of the operation that was never answered: all of it or nothing."""
        pending, self.pending = self.pending, None
        if pending is None:
            return "nothing"
        if isinstance(pending, Deletion):
            if pending.id not in shown:
                self.gone.append(self.items.pop(pending.id))
                return "deleted"
            return "not deleted"
        there = [shown.get(item.id) == item.shown() for item in pending.items]
        assert all(there) or not any(there), f"{sum(there)} of a batch of {len(there)} are there"
        if all(there):
            self._put(pending.items)
        return "put" if all(there) else "not put"

    def _put(self, items: Iterable[Written]) -> None:
        for item in items:
            if (before := self.items.get(item.id)) is not None:
                self.gone.append(before)
            self.items[item.id] = item


def batch(
    rng: np.random.Generator, writer: int, number: int, ids: Sequence[str]
) -> tuple[Written, ...]:
    """New versions of these ids; each says of which batch it is, and what its vector is."""
    vectors = rng.normal(size=(len(ids), DIMENSION)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return tuple(
        Written(
            id_,
            vector,
            LABELS[int(rng.integers(len(LABELS)))],
            {
                "writer": writer,
                "batch": number,
                "size": len(ids),
                "checksum": zlib.crc32(vector.tobytes()),
            },
        )
        for id_, vector in zip(ids, vectors, strict=True)
    )
