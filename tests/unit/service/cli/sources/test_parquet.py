"""Vectors in a Parquet file."""

import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.cli.errors import ParquetUnavailable, UnusableFile
from service.cli.sources.base import RejectedInput
from service.cli.sources.parquet import open_vectors, start_rows
from service.collections import NewItem

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

VECTORS = np.arange(12, dtype=np.float32).reshape(4, 3)
IDS = ["a", "b", "c", "d"]


def listed(values: Any = VECTORS, kind: Any = None) -> Any:
    rows = [None if row is None else list(row) for row in values]
    return pa.array(rows, kind or pa.list_(pa.float32()))


def write(folder: Path, **columns: Any) -> Path:
    path = folder / "vectors.parquet"
    pq.write_table(pa.table({"id": IDS, "vector": listed(), **columns}), path, row_group_size=3)
    return path


def items(path: Path, size: int = 2) -> list[NewItem | RejectedInput]:
    return [one for rows in open_vectors(path).batches(size) for one in start_rows(rows)()]


def refusal(path: Path) -> str:
    with pytest.raises(UnusableFile) as caught:
        open_vectors(path)
    return str(caught.value)


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.float32()),
        pa.list_(pa.float64()),
        pa.large_list(pa.float32()),
        pa.list_(pa.float32(), 3),
        pa.list_(pa.float16()),
    ],
    ids=str,
)
def test_every_kind_of_list_is_read(tmp_path: Path, kind: Any) -> None:
    if pa.types.is_float16(kind.value_type):
        vectors = listed(VECTORS.astype(np.float16), kind)
    else:
        vectors = listed(VECTORS, kind)
    found = items(write(tmp_path, vector=vectors))
    assert [one.id for one in found] == IDS
    for one, vector in zip(found, VECTORS, strict=True):
        assert isinstance(one, NewItem)
        assert one.vector.dtype == np.float32
        np.testing.assert_array_equal(one.vector, vector)


def test_other_columns_are_metadata(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        label=["cat", None, "dog", "cat"],
        year=[2020, 2021, None, 2023],
        price=[0.5, float("nan"), 2.0, 3.0],
        tame=[True, False, None, True],
        color=pa.array(["red", "blue", "red", None]).dictionary_encode(),
        day=[date(2020, 1, 2)] * 4,
        at=[datetime(2020, 1, 2, 3, tzinfo=UTC)] * 4,
        exact=[Decimal("1.5")] * 4,
        raw=[b"x"] * 4,
        parts=[[1], [2], [3], [4]],
    )
    file = open_vectors(path)
    assert (file.rows, file.left_out) == (4, ("raw", "parts"))
    first, second = items(path)[:2]
    assert isinstance(first, NewItem)
    assert isinstance(second, NewItem)
    assert first.label == "cat"
    assert first.metadata == {
        "year": 2020,
        "price": 0.5,
        "tame": True,
        "color": "red",
        "day": "2020-01-02",
        "at": "2020-01-02T03:00:00+00:00",
        "exact": 1.5,
    }
    assert second.label is None
    assert second.metadata["price"] is None


def test_the_row_numbers_of_pandas_are_left_alone(tmp_path: Path) -> None:
    path = write(tmp_path, __index_level_0__=[1, 2, 3, 4])
    first = items(path)[0]
    assert isinstance(first, NewItem)
    assert first.metadata == {}


def test_a_row_without_a_whole_vector_is_a_fault_of_its_own(tmp_path: Path) -> None:
    vectors = listed([[1, 2, 3], None, [4, None, 6], [7, 8, 9]])
    found = items(write(tmp_path, vector=vectors), size=4)
    assert [type(one) for one in found] == [NewItem, RejectedInput, RejectedInput, NewItem]
    last = found[3]
    assert isinstance(last, NewItem)
    np.testing.assert_array_equal(last.vector, [7, 8, 9])


def test_vectors_of_different_lengths_stay_apart(tmp_path: Path) -> None:
    found = items(write(tmp_path, vector=listed([[1], [2, 3], [], [4, 5, 6]])), size=4)
    assert [len(one.vector) for one in found if isinstance(one, NewItem)] == [1, 2, 0, 3]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"id": [1, 2, 3, 4]}, "its ids are int64, not string"),
        ({"id": ["a", "b", "a", "d"]}, "1 of its ids are there more than once, such as 'a'"),
        ({"id": ["a", None, None, "d"]}, "2 of its ids are null"),
        ({"vector": [1.0, 2.0, 3.0, 4.0]}, "its vectors are double, not lists of float"),
        ({"vector": [["x"]] * 4}, "its vectors are list<.*string>, not lists of float"),
    ],
)
def test_columns_of_another_kind_are_refused(
    tmp_path: Path, columns: dict[str, Any], said: str
) -> None:
    import re

    assert re.search(said, refusal(write(tmp_path, **columns)))


def test_missing_columns_are_named(tmp_path: Path) -> None:
    path = tmp_path / "other.parquet"
    pq.write_table(pa.table({"name": ["a"]}), path)
    assert "it has no column id and no vector, but name" in refusal(path)


def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.parquet"
    path.write_text("id,vector")
    assert "cannot be read as Parquet" in refusal(path)


def test_without_pyarrow_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ParquetUnavailable, match=r"extra 'parquet'.*--extra parquet"):
        open_vectors(tmp_path / "any.parquet")
