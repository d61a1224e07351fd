import os
from collections.abc import Callable
from pathlib import Path

import pytest

from service.collections import CollectionSpec, Library
from service.vectors import LocalIndex
from service.vectors.kinds import IndexSpec
from service.vectors.protocol import Rows, Vectors
from service.vectors.query import Search
from tests.support.small_collections import batch, found, spec_of


def open_local(
    spec: CollectionSpec, folder: Path, fetch: Callable[[Rows], Vectors]
) -> tuple[LocalIndex, int]:
    index_spec = IndexSpec(spec.dimension, spec.metric, spec.index)
    return LocalIndex.load(folder, index_spec, spec.model_sha256, fetch=fetch)


class Counting:
    """Opens saved indexes, and keeps the sequence that each reflected."""

    def __init__(self) -> None:
        self.sequences: list[int] = []

    def __call__(
        self, spec: CollectionSpec, folder: Path, fetch: Callable[[Rows], Vectors]
    ) -> tuple[LocalIndex, int]:
        index, sequence = open_local(spec, folder, fetch)
        self.sequences.append(sequence)
        return index, sequence


@pytest.fixture
def saved(folder: Path) -> Path:
    """The folder of an index that reflects 51 changes, of 53."""
    library = Library(folder, open_local, maintain_every_s=None)
    cats = library.create(spec_of())[0]
    cats.put(batch([str(i) for i in range(50)]))
    cats.delete("7")
    assert len(found(cats)) == 49
    library.close()
    library = Library(folder, open_local, maintain_every_s=None)
    library.get("cats").put(batch(["7", "8"], seed=1))
    library.close()
    return folder / "cats" / "index"


def check_reopened(folder: Path, sequence: int) -> None:
    opener = Counting()
    library = Library(folder, opener, maintain_every_s=None)
    cats = library.get("cats")
    assert found(cats) == {str(i) for i in range(50)}
    assert cats.search(cats.vectors(["7"]), Search(1))[0][0].item.id == "7"
    assert opener.sequences == [sequence]
    library.close()


def test_an_index_is_saved_at_the_end_and_caught_up_at_the_start(folder: Path, saved: Path) -> None:
    check_reopened(folder, 51)
    check_reopened(folder, 53)


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
def test_a_torn_index_is_made_anew(folder: Path, saved: Path, kept: float) -> None:
    for path in saved.iterdir():
        os.truncate(path, int(kept * path.stat().st_size))
    check_reopened(folder, 0)


def test_an_index_ahead_of_its_items_is_made_anew(
    folder: Path, saved: Path, tmp_path: Path
) -> None:
    library = Library(folder, open_local, maintain_every_s=None)
    other = library.create(spec_of("dogs"))[0]
    other.put(batch(["a", "b"]))
    saved.rename(folder / "dogs" / "index")
    assert found(other) == {"a", "b"}
    library.close()


def test_an_index_is_saved_once_enough_is_new(folder: Path) -> None:
    library = Library(folder, open_local, maintain_every_s=None)
    other = Library(folder, open_local, maintain_every_s=None)
    cats = library.create(spec_of())[0]
    other.get("cats")
    saved = folder / "cats" / "index" / "index.json"
    cats.put(batch([f"few {i}" for i in range(100)]))
    library.maintain()
    assert not saved.exists()
    cats.put(batch([f"many {i}" for i in range(6000)]))
    library.maintain()
    first = saved.read_text()
    cats.put(batch([f"more {i}" for i in range(9000)], seed=1))
    other.maintain()  # the one that saved first goes on doing so
    assert saved.read_text() == first
    library.close()
    assert saved.read_text() != first
    other.close()
    check = Counting()
    last = Library(folder, check, maintain_every_s=None)
    assert len(found(last.get("cats"), 20_000)) == 15_100
    assert check.sequences == [15_100]
    last.close()


def test_an_index_that_fails_is_tried_again(folder: Path) -> None:
    """Searches tell of the failure; the thread that looks after indexes outlives it."""
    failing = True

    def sometimes(
        spec: CollectionSpec, index: Path, fetch: Callable[[Rows], Vectors]
    ) -> tuple[LocalIndex, int]:
        if failing:
            raise OSError("the index's disk is away")
        return open_local(spec, index, fetch)

    library = Library(folder, sometimes, maintain_every_s=0.01)
    cats = library.create(spec_of())[0]
    cats.put(batch(["a"]))
    with pytest.raises(OSError, match="away"):
        found(cats)
    library.maintain()
    failing = False
    assert found(cats) == {"a"}
    library.close()
