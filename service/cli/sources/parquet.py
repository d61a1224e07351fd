"""Vectors in a Parquet file, as items."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Float32

from service.cli.errors import ParquetUnavailable, UnusableFile
from service.cli.sources.base import Made, RejectedInput
from service.collections import Metadata, NewItem

if TYPE_CHECKING:
    import pyarrow

_ID, _VECTOR, _LABEL = "id", "vector", "label"


class ParquetRow(NamedTuple):
    """One row of the file; `vector` is none where it has none."""

    id: str
    vector: Float32[np.ndarray, " d"] | None
    label: str | None
    metadata: Metadata


@dataclass(frozen=True)
class VectorFile:
    """A Parquet file with the columns `id`, `vector` and perhaps `label`; others are metadata."""

    path: Path
    rows: int
    metadata: tuple[str, ...]  # columns
    left_out: tuple[str, ...]  # columns that are neither

    def batches(self, size: int) -> Iterator[list[ParquetRow]]:
        """The rows, `size` at a time, in the file's order."""
        import pyarrow.parquet

        with pyarrow.parquet.ParquetFile(self.path) as file:
            there = set(file.schema_arrow.names)
            columns = [name for name in (_ID, _VECTOR, _LABEL) if name in there]
            for part in file.iter_batches(size, columns=[*columns, *self.metadata]):
                yield list(self._rows(part))

    def _rows(self, part: "pyarrow.RecordBatch") -> Iterator[ParquetRow]:
        vectors = _vectors(part.column(_VECTOR))
        ids = part.column(_ID).to_pylist()
        labels = (
            part.column(_LABEL).to_pylist() if _LABEL in part.schema.names else [None] * len(ids)
        )
        columns = [part.column(name).to_pylist() for name in self.metadata]
        for i, (id_, vector, label) in enumerate(zip(ids, vectors, labels, strict=True)):
            values = zip(self.metadata, (column[i] for column in columns), strict=True)
            metadata = {name: _plain(value) for name, value in values}
            yield ParquetRow(id_, vector, None if label in (None, "") else str(label), metadata)


def open_vectors(path: Path) -> VectorFile:
    """Look at the file's columns and ids.

    Raises ParquetUnavailable where pyarrow is not installed, and UnusableFile where the file is
    not as VectorFile says.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ParquetUnavailable(str(error)) from None
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            schema, rows = file.schema_arrow, file.metadata.num_rows
            _check_columns(path, schema)
            _check_ids(path, file.read(columns=[_ID]).column(_ID))
    except pyarrow.ArrowException as error:
        raise UnusableFile(path, f"it cannot be read as Parquet: {error}") from error
    others = [field for field in schema if not _is_own(field.name)]
    scalar = tuple(field.name for field in others if _is_scalar(field.type))
    left_out = tuple(field.name for field in others if field.name not in scalar)
    return VectorFile(path, rows, scalar, left_out)


def start_rows(rows: Sequence[ParquetRow]) -> Callable[[], Made]:
    """Make items of rows, which takes no time."""
    return lambda: [_as_item(row) for row in rows]


def _as_item(row: ParquetRow) -> NewItem | RejectedInput:
    if row.vector is None:
        return RejectedInput(row.id, "it has no vector, or one with missing numbers")
    return NewItem(row.id, row.vector, row.label, row.metadata)


def _is_own(name: str) -> bool:
    return name in (_ID, _VECTOR, _LABEL) or name.startswith("__index_level_")  # pandas' rows


def _check_columns(path: Path, schema: "pyarrow.Schema") -> None:
    import pyarrow.types as kinds

    names = schema.names
    if missing := [name for name in (_ID, _VECTOR) if name not in names]:
        there = ", ".join(names)
        raise UnusableFile(path, f"it has no column {' and no '.join(missing)}, but {there}")
    if len(set(names)) < len(names):
        raise UnusableFile(path, "two of its columns have one name")
    if not _is_text(schema.field(_ID).type):
        raise UnusableFile(path, f"its ids are {schema.field(_ID).type}, not string")
    vector = schema.field(_VECTOR).type
    lists = (kinds.is_list, kinds.is_large_list, kinds.is_fixed_size_list)
    if not any(check(vector) for check in lists) or not kinds.is_floating(vector.value_type):
        raise UnusableFile(path, f"its vectors are {vector}, not lists of float")


def _check_ids(path: Path, ids: "pyarrow.ChunkedArray") -> None:
    import pyarrow.compute

    if ids.null_count:
        raise UnusableFile(path, f"{ids.null_count:,} of its ids are null")
    if pyarrow.compute.count_distinct(ids).as_py() == len(ids):
        return
    counted = pyarrow.compute.value_counts(ids)
    often = counted.filter(pyarrow.compute.greater(counted.field("counts"), 1))
    example = often.field("values")[0].as_py()
    raise UnusableFile(
        path, f"{len(often):,} of its ids are there more than once, such as {example!r}"
    )


def _is_text(kind: "pyarrow.DataType") -> bool:
    import pyarrow.types as kinds

    plain = kind.value_type if kinds.is_dictionary(kind) else kind
    return bool(kinds.is_string(plain) or kinds.is_large_string(plain))


def _is_scalar(kind: "pyarrow.DataType") -> bool:
    import pyarrow.types as kinds

    plain = kind.value_type if kinds.is_dictionary(kind) else kind
    checks = (
        kinds.is_boolean,
        kinds.is_integer,
        kinds.is_floating,
        kinds.is_decimal,
        kinds.is_temporal,
        kinds.is_null,
        _is_text,
    )
    return any(check(plain) for check in checks) and not kinds.is_duration(plain)


def _vectors(
    column: "pyarrow.Array",
) -> list[Float32[np.ndarray, " d"] | None]:
    """Each list as an array; none where the list or a number of it is null."""
    import pyarrow.compute

    lengths = pyarrow.compute.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False)
    flat = column.flatten()  # without the null lists
    with np.errstate(over="ignore"):  # the infinity that it leaves is refused
        numbers = flat.to_numpy(zero_copy_only=False).astype(np.float32)
    stops = np.cumsum(lengths)
    parts = np.split(numbers, stops[:-1]) if len(stops) else []
    absent = _absent(column, flat, stops)
    return [None if gone else part for part, gone in zip(parts, absent, strict=True)]


def _absent(column: "pyarrow.Array", flat: "pyarrow.Array", stops: np.ndarray) -> np.ndarray:
    """Return which vectors are null or have null in them."""
    absent = np.asarray(column.is_null().to_numpy(zero_copy_only=False), bool)
    if flat.null_count:
        holes = np.flatnonzero(flat.is_null().to_numpy(zero_copy_only=False))
        absent[np.searchsorted(stops, holes, side="right")] = True
    return absent


def _plain(value: Any) -> str | int | float | bool | None:
    """The value as JSON has it; NaN, which JSON lacks and pandas writes for none, is none."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return value  # type: ignore[no-any-return]  # the others of _is_scalar
