"""A collection's items on a plane, as columns and as a file."""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float32, Int64, UInt16

from models.atomic import replacing

Layout = Literal["principal", "neighbors"]
MOST_LABELS = 65_535
_UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)
_SMALL = 256  # labels that uint8 can number


@dataclass(frozen=True)
class Quality:
    """Trustworthiness of a plane (Venna and Kaski 2001), over a sample of its points."""

    trustworthiness: float
    k: int
    sample: int


@dataclass(frozen=True)
class CollectionPlane:
    """Every item, in the order of rows, as `sequence` of the collection has them."""

    key: str  # of the collection: its name may come to mean another one
    sequence: int
    rows: Int64[np.ndarray, " n"]
    x: Float32[np.ndarray, " n"]
    y: Float32[np.ndarray, " n"]
    label: UInt16[np.ndarray, " n"]  # index into `labels`; as many as there are: no label
    labels: tuple[str, ...]
    method: str
    quality: Quality

    def columns(self) -> Iterator[tuple[str, str, bytes]]:
        """Name, type and little-endian values of each column, the widest first."""
        number = "uint8" if len(self.labels) < _SMALL else "uint16"
        yield "row", "float64", self.rows.astype("<f8").tobytes()
        yield "x", "float32", self.x.astype("<f4").tobytes()
        yield "y", "float32", self.y.astype("<f4").tobytes()
        yield "label", number, self.label.astype("<u2" if number == "uint16" else "u1").tobytes()


def write(path: Path, plane: CollectionPlane) -> None:
    """Write it whole or not at all."""
    path.parent.mkdir(exist_ok=True)
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            allow_pickle=False,
            key=np.array(plane.key),
            sequence=np.array(plane.sequence),
            rows=plane.rows,
            points=np.stack([plane.x, plane.y]),
            label=plane.label,
            labels=np.array(plane.labels, dtype=np.str_),
            method=np.array(plane.method),
            trustworthiness=np.array(plane.quality.trustworthiness),
            sampled=np.array([plane.quality.k, plane.quality.sample]),
        )


def read(path: Path) -> CollectionPlane | None:
    """The plane in the file; None where there is none that can be read."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            k, sample = arrays["sampled"].tolist()
            x, y = arrays["points"]
            return CollectionPlane(
                key=str(arrays["key"]),
                sequence=int(arrays["sequence"]),
                rows=arrays["rows"],
                x=x,
                y=y,
                label=arrays["label"],
                labels=tuple(arrays["labels"].tolist()),
                method=str(arrays["method"]),
                quality=Quality(float(arrays["trustworthiness"]), k, sample),
            )
    except _UNREADABLE:
        return None
