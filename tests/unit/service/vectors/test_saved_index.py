import json
import os
import resource
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.vectors import IndexSpec, Kind, LocalIndex, Rows, Vectors
from service.vectors.ivfpq import IvfPq
from service.vectors.saved_index import read
from tests.support.vectors import clustered

MODEL, OTHER_MODEL = "a" * 64, "b" * 64
VECTORS = clustered(1_200, 8)
QUERIES = clustered(5, 8, seed=1)
SPEC = IndexSpec(8, "cosine", "hnsw", buffer_rows=500, threads=1)


def fetch(rows: Rows) -> Vectors:
    vectors: Vectors = VECTORS[rows]
    return vectors


def make(kind: Kind = "hnsw") -> LocalIndex:
    """Built for the most part, with something waiting and something dead in either."""
    index = LocalIndex(replace(SPEC, kind=kind), fetch=fetch)
    index.add(np.arange(1_000), VECTORS[:1_000])
    index.maintain()
    index.add(np.arange(1_000, 1_100), VECTORS[1_000:1_100])
    index.remove(np.array([3, 1_050]))
    return index


def load(folder: Path, spec: IndexSpec = SPEC, model: str = MODEL) -> tuple[LocalIndex, int]:
    return LocalIndex.load(folder, spec, model, fetch=fetch)


def assert_nothing_usable(folder: Path) -> None:
    index, sequence = load(folder)
    assert (len(index), sequence) == (0, 0)


def data_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.name != "index.json")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An index as it was at sequence 1,102."""
    make().save(tmp_path / "index", 1_102, MODEL)
    return tmp_path / "index"


@pytest.mark.parametrize("kind", ["exact", "hnsw", "compact"])
def test_a_saved_index_comes_back_as_it_was(kind: Kind, tmp_path: Path) -> None:
    saved = make(kind)
    saved.save(tmp_path, 1_102, MODEL)
    index, sequence = load(tmp_path, replace(SPEC, kind=kind))
    assert (len(index), sequence, index.kind_in_use) == (1_098, 1_102, kind)
    for k in (10, 2_000):
        before, after = saved.search(QUERIES, k), index.search(QUERIES, k)
        np.testing.assert_array_equal(before.rows, after.rows)
        np.testing.assert_array_equal(before.scores, after.scores)


def test_a_loaded_index_has_no_table_that_it_would_not_use(tmp_path: Path) -> None:
    make("compact").save(tmp_path, 1_102, MODEL)
    saved = read(tmp_path, replace(SPEC, kind="compact"), MODEL, fetch)
    assert isinstance(saved.built, IvfPq)
    index: Any = saved.built.index  # the stubs lack the table
    assert index.precomputed_table.size() == 0  # 128 MiB at 1 M x 64


def test_a_loaded_index_goes_on(folder: Path) -> None:
    index, _ = load(folder)
    index.add(np.arange(900, 1_200), VECTORS[900:])  # followed from before what was saved
    index.remove(np.array([4]))
    assert len(index) == 1_100 - 2 + 100 - 1
    assert index.search(VECTORS[1_150:1_151], 1).rows[0, 0] == 1_150
    assert index.search(VECTORS[1_050:1_051], 1).rows[0, 0] != 1_050


def test_an_empty_index_can_be_saved(tmp_path: Path) -> None:
    LocalIndex(SPEC, fetch=fetch).save(tmp_path, 0, MODEL)
    index, sequence = load(tmp_path)
    assert (len(index), sequence) == (0, 0)


def test_what_is_written_after_saving_began_is_not_needed(tmp_path: Path) -> None:
    index = make()
    index.save(tmp_path, 1_102, MODEL)
    index.add(np.arange(1_100, 1_200), VECTORS[1_100:])
    assert len(load(tmp_path)[0]) == 1_098


def test_the_last_that_was_saved_is_loaded_and_nothing_else_is_kept(folder: Path) -> None:
    index, _ = load(folder)
    old = data_files(folder)
    index.add(np.arange(1_100, 1_200), VECTORS[1_100:])
    index.save(folder, 1_300, MODEL)
    assert load(folder)[1] == 1_300
    assert len(data_files(folder)) == len(old)
    assert not set(data_files(folder)) & set(old)


def test_an_abandoned_file_goes_once_nobody_can_be_writing_it(folder: Path) -> None:
    fresh, stale = folder / "0.faiss", folder / ".1.npz.7"
    fresh.write_bytes(b"of a process that is saving too")
    stale.write_bytes(b"of a process that was killed")
    os.utime(stale, (0, 0))
    make().save(folder, 1_103, MODEL)
    assert fresh.exists()
    assert not stale.exists()


def test_nothing_saved_is_nothing_usable(tmp_path: Path) -> None:
    assert_nothing_usable(tmp_path / "none")


@pytest.mark.parametrize("suffix", [".faiss", ".npz", ".json"])
@pytest.mark.parametrize("damage", ["missing", "empty", "torn", "longer", "flipped"])
def test_what_is_not_whole_is_not_used(folder: Path, suffix: str, damage: str) -> None:
    (path,) = folder.glob(f"*{suffix}")
    whole = path.read_bytes()
    middle = len(whole) // 2
    damaged = {
        "empty": b"",
        "torn": whole[:middle],
        "longer": whole + b"x",
        "flipped": whole[:middle] + bytes([whole[middle] ^ 0x55]) + whole[middle + 1 :],
    }
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(damaged[damage])
    assert_nothing_usable(folder)


def test_another_format_is_not_used(folder: Path) -> None:
    note = json.loads((folder / "index.json").read_text())
    (folder / "index.json").write_text(json.dumps(note | {"format": 2}))
    assert_nothing_usable(folder)


def test_another_models_index_is_not_used(folder: Path) -> None:
    assert load(folder, model=OTHER_MODEL)[1] == 0


@pytest.mark.parametrize("change", [{"metric": "l2"}, {"kind": "compact"}, {"dimension": 16}])
def test_an_index_of_another_kind_is_not_used(folder: Path, change: dict[str, object]) -> None:
    index, sequence = load(folder, replace(SPEC, **change))  # type: ignore[arg-type]
    assert (len(index), sequence) == (0, 0)


def test_how_an_index_is_built_may_change(folder: Path) -> None:
    assert load(folder, replace(SPEC, buffer_rows=9, threads=2, exact_below=1))[1] == 1_102


_KILLED = textwrap.dedent(
    """
    import os, sys
    from pathlib import Path
    import tests.unit.service.vectors.test_saved_index as test

    folder = Path(sys.argv[1])
    index = test.make()
    steps = 0

    def counted(name, last):
        original = getattr(Path, name)
        def call(self, *args, **kwargs):
            global steps
            steps += 1
            if steps == last:
                os._exit(9)
            return original(self, *args, **kwargs)
        setattr(Path, name, call)

    def save(last):
        for name in ("open", "replace", "unlink", "write_text"):
            counted(name, last)
        index.save(folder, 2000, test.MODEL)
        os._exit(0)

    for last in range(1, 40):
        child = os.fork()
        if not child:
            save(last)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        loaded, sequence = test.load(folder)
        print(code, len(loaded), sequence)
        if code == 0:
            break
    """
)


def test_whenever_a_save_is_killed_the_old_or_the_new_is_whole(folder: Path) -> None:
    """One process forks another for each step at which it is killed."""
    command = [sys.executable, "-c", _KILLED, str(folder)]
    said = subprocess.run(
        command, check=True, timeout=120, cwd=Path.cwd(), capture_output=True, text=True
    ).stdout
    codes, sizes, seen = zip(*(map(int, line.split()) for line in said.splitlines()), strict=True)
    assert set(codes[:-1]) == {9}
    assert codes[-1] == 0
    assert set(sizes) == {1_098}
    assert set(seen) == {1_102, 2_000}
    assert list(seen) == sorted(seen)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """As a full disk: no file may grow beyond that size."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [100, 60_000])
def test_where_the_disk_is_full_the_old_stays_and_nothing_is_left(folder: Path, size: int) -> None:
    before = data_files(folder)
    index = make()
    with largest_file(size), pytest.raises(OSError):
        index.save(folder, 2_000, MODEL)
    assert data_files(folder) == before
    assert load(folder)[1] == 1_102
