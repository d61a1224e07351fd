"""The stored vectors and labels of a collection, a part at a time."""

import sqlite3
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float32, Int64, UInt16

from service.collections.planes.plane import MOST_LABELS
from service.vectors.protocol import Rows, Vectors

_AT_ONCE = 8_192  # short enough that other threads get their turn between two


class Labels:
    """Numbers for labels, by when they first come; those past the most that fit are one."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, label: str | None) -> int:
        """The number of a label; -1 where it is none."""
        if label is None or (label not in self._numbers and len(self._numbers) >= MOST_LABELS - 1):
            return -1
        return self._numbers.setdefault(label, len(self._numbers))

    def sorted(
        self, numbers: Int64[np.ndarray, " n"]
    ) -> tuple[tuple[str, ...], UInt16[np.ndarray, " n"]]:
        """All labels in order, and these numbers as places among them; without one: their count."""
        names = tuple(sorted(self._numbers))
        places = np.empty(len(names) + 1, np.int64)
        for place, name in enumerate(names):
            places[self._numbers[name]] = place
        places[-1] = len(names)
        return names, places[numbers].astype(np.uint16)


def vectors_in_parts(
    database: sqlite3.Connection, dimension: int
) -> Iterator[tuple[Rows, Vectors]]:
    """All vectors by rows."""
    after = -1
    while True:
        part = database.execute(
            "SELECT row, vector FROM items WHERE row > ? ORDER BY row LIMIT ?", (after, _AT_ONCE)
        ).fetchall()
        if not part:
            return
        after = part[-1][0]
        rows = np.fromiter((row for row, _ in part), np.int64, len(part))
        stored = np.frombuffer(b"".join(vector for _, vector in part), "<f4")
        yield rows, stored.reshape(len(part), dimension)


def labels_of_all(database: sqlite3.Connection) -> tuple[tuple[str, ...], UInt16[np.ndarray, " n"]]:
    """The labels, and each item's, by rows."""
    labels, numbers = Labels(), list[Int64[np.ndarray, " n"]]()
    cursor = database.execute("SELECT label FROM items ORDER BY row")
    while part := cursor.fetchmany(_AT_ONCE):
        numbers.append(np.fromiter((labels.number(one) for (one,) in part), np.int64, len(part)))
    return labels.sorted(np.concatenate(numbers) if numbers else np.empty(0, np.int64))


def sample(
    database: sqlite3.Connection, rows: Rows, dimension: int, most: int
) -> Float32[np.ndarray, "m d"]:
    """The vectors of at most so many rows, chosen by chance but always the same."""
    chosen = chosen_rows(rows, most)
    parts = [
        database.execute("SELECT vector FROM items WHERE row = ?", (row,)).fetchone()[0]
        for row in rows[chosen].tolist()
    ]
    return np.frombuffer(b"".join(parts), "<f4").reshape(len(parts), dimension)


def chosen_rows(rows: Rows, most: int) -> Int64[np.ndarray, " m"]:
    """Places of at most so many of the rows, ascending."""
    if len(rows) <= most:
        return np.arange(len(rows))
    return np.sort(np.random.default_rng(0).permutation(len(rows))[:most])
