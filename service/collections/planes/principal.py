"""The plane of the two principal components: at once, and by one pass over the vectors."""

import sqlite3

import numpy as np
from jaxtyping import Float32, Float64

from service.collections.planes.plane import CollectionPlane
from service.collections.planes.quality import SAMPLE, trustworthiness
from service.collections.planes.stored import chosen_rows, labels_of_all, sample, vectors_in_parts
from service.collections.spec import CollectionSpec
from service.collections.storage import reads
from service.vectors.protocol import Rows

METHOD = "the two principal components"
_AXES_OF = 20_000  # vectors that the axes are worked out from


def principal(database: sqlite3.Connection, spec: CollectionSpec) -> CollectionPlane:
    """Lay all items out, as one transaction sees them. It holds a part of them at a time."""
    sequence, _ = reads.counts(database)
    rows = all_rows(database)
    points = project(database, spec, rows)
    labels, label = labels_of_all(database)
    checked = chosen_rows(rows, SAMPLE)
    vectors = sample(database, rows, spec.dimension, SAMPLE)
    return CollectionPlane(
        key=spec.key,
        sequence=sequence,
        rows=rows,
        x=points[:, 0],
        y=points[:, 1],
        label=label,
        labels=labels,
        method=METHOD,
        quality=trustworthiness(vectors, points[checked]),
    )


def all_rows(database: sqlite3.Connection) -> Rows:
    """Every row, ascending."""
    cursor = database.execute("SELECT row FROM items ORDER BY row")
    return np.fromiter((row for (row,) in cursor), np.int64)


def project(
    database: sqlite3.Connection, spec: CollectionSpec, rows: Rows
) -> Float32[np.ndarray, "n 2"]:
    """The positions of all items, with a root mean square of about 1."""
    some = sample(database, rows, spec.dimension, _AXES_OF).astype(np.float64)
    if not len(some):
        return np.empty((0, 2), np.float32)
    mean = some.mean(axis=0)
    axes = principal_axes(some - mean)
    placed = [(part - mean) @ axes for _, part in vectors_in_parts(database, spec.dimension)]
    points = np.concatenate(placed)
    size = float(np.sqrt(np.square(points).sum(axis=1).mean())) or 1.0
    return (points / size).astype(np.float32)


def principal_axes(centered: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "d 2"]:
    """The two axes, each with its largest entry positive; zero where there is but one."""
    _, _, axes = np.linalg.svd(centered.T @ centered)
    axes = axes[:2]
    largest = np.abs(axes).argmax(axis=1)
    axes = axes * np.sign(axes[np.arange(len(axes)), largest])[:, None]
    columns: Float64[np.ndarray, "d 2"] = np.pad(axes, ((0, 2 - len(axes)), (0, 0))).T
    return columns
