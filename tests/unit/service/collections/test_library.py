from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.collections import Collection, CollectionSpec, Library, Receipt
from service.collections.errors import CollectionDiffers, InvalidCollectionName, UnknownCollection
from service.collections.storage import writes
from service.errors import IndexUnavailable, Stopping
from service.vectors.errors import InvalidItems
from service.vectors.protocol import Rows, Vectors
from service.vectors.query import Search
from tests.support.small_collections import batch, drawn, found, open_small, spec_of
from tests.unit.service.collections.conftest import Opener


def test_creating_what_is_there_gives_it(library: Library) -> None:
    cats, made = library.create(spec_of())
    again, anew = library.create(replace(spec_of(), created="2030-01-01T00:00:00+00:00"))
    assert (made, anew) == (True, False)
    assert again is cats
    assert again.spec.created == spec_of().created


def test_creating_what_is_there_otherwise_is_refused(library: Library) -> None:
    library.create(spec_of())
    with pytest.raises(CollectionDiffers) as caught:
        library.create(replace(spec_of(), dimension=9, model_sha256="b" * 64))
    found = [difference.split()[0] for difference in caught.value.differences]
    assert found == ["model_sha256", "dimension"]


@pytest.mark.parametrize("name", ["", "Cats", "a b", "../x", ".x", "-x", "x" * 64, "gallery", "ü"])
def test_names_that_cannot_be_are_refused(library: Library, name: str) -> None:
    with pytest.raises(InvalidCollectionName):
        library.create(spec_of(name))
    with pytest.raises(UnknownCollection):
        library.get(name)


def test_what_is_not_there_is_unknown(library: Library) -> None:
    library.create(spec_of("b"))
    library.create(spec_of("a"))
    with pytest.raises(UnknownCollection) as caught:
        library.get("c")
    assert caught.value.available == library.names() == ("a", "b")
    with pytest.raises(UnknownCollection):
        library.delete("c")


def test_another_process_sees_every_write_at_once(open_library: Opener) -> None:
    mine, theirs = open_library(), open_library()
    cats = mine.create(spec_of())[0]
    same = theirs.get("cats")
    for step in range(10):
        cats.put(batch([f"mine {step}"], seed=step))
        assert f"mine {step}" in found(same)
        same.put(batch([f"theirs {step}"], seed=100 + step))
        assert f"theirs {step}" in found(cats)
        cats.delete(f"theirs {step}")
        assert f"theirs {step}" not in found(same)
    assert found(cats) == found(same) == {f"mine {step}" for step in range(10)}
    assert same.facts().indexed_sequence == cats.facts().sequence == 30


def test_items_outlive_the_process(open_library: Opener) -> None:
    first = open_library()
    first.create(spec_of())[0].put(batch(["a", "b", "c"]))
    first.get("cats").delete("b")
    first.close()
    second = open_library()
    assert found(second.get("cats")) == {"a", "c"}
    with pytest.raises(Stopping):
        first.get("cats")


def test_a_deleted_collection_is_gone_for_every_process(open_library: Opener, folder: Path) -> None:
    mine, theirs = open_library(), open_library()
    cats = mine.create(spec_of())[0]
    same = theirs.get("cats")
    same.put(batch(["a"]))
    assert found(same) == {"a"}
    mine.delete("cats")
    assert mine.names() == theirs.names() == ()
    for collection in (cats, same):
        for ask in every_method(collection):
            with pytest.raises(UnknownCollection):
                ask()
    with pytest.raises(UnknownCollection):
        theirs.get("cats")
    assert [path.name for path in folder.iterdir()] == [".lock"]


def every_method(collection: Collection) -> list[Callable[[], object]]:
    return [
        lambda: collection.put(batch(["b"])),
        lambda: collection.delete("a"),
        lambda: collection.has(["a"]),
        lambda: collection.get("a"),
        lambda: collection.thumbnail("a"),
        lambda: collection.vectors(["a"]),
        lambda: collection.page(0, 10),
        lambda: collection.search(drawn(1), Search(1)),
        collection.facts,
        collection.maintain,
    ]


def test_a_collection_made_anew_has_nothing_of_the_old_one(open_library: Opener) -> None:
    mine, theirs, others = open_library(), open_library(), open_library()
    mine.create(spec_of())[0].put(batch([f"old {i}" for i in range(5)]))
    old, forgotten = theirs.get("cats"), others.get("cats")
    old.put(batch(["old"]))
    assert len(found(forgotten)) == 6
    mine.delete("cats")
    new, made = mine.create(spec_of())
    assert made
    new.put(batch(["new"]))
    with pytest.raises(UnknownCollection):
        old.put(batch(["lost"]))
    same = theirs.get("cats")
    assert same is not old
    same.put(batch(["newer"]))
    others.close()  # whose last connection to the old files takes nothing of the new ones away
    assert found(new) == found(same) == {"new", "newer"}
    assert found(open_library().get("cats")) == {"new", "newer"}


def test_a_batch_is_not_acknowledged_that_went_into_a_file_since_deleted(
    open_library: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, theirs = open_library(), open_library()
    cats = mine.create(spec_of())[0]
    real = writes.put

    def put_late(*arguments: Any) -> Receipt:
        receipt = real(*arguments)
        theirs.delete("cats")
        theirs.create(spec_of())
        return receipt

    monkeypatch.setattr(writes, "put", put_late)
    with pytest.raises(UnknownCollection):
        cats.put(batch(["a"]))
    assert mine.get("cats").facts().items == 0


def test_what_killed_processes_left_is_swept(open_library: Opener, folder: Path) -> None:
    open_library().create(spec_of())
    for name in (".new-killed", ".gone-killed"):
        (folder / name).mkdir()
        (folder / name / "items.sqlite").write_bytes(b"half")
    assert open_library().names() == ("cats",)
    assert sorted(path.name for path in folder.iterdir()) == [".lock", "cats"]


def test_a_search_that_cannot_be_leaves_the_collection_usable(library: Library) -> None:
    cats = library.create(spec_of())[0]
    cats.put(batch(["a"], metadata={"x": 1}))
    for _ in range(20):
        with pytest.raises(InvalidItems):
            cats.search(np.nan * drawn(1), Search(1))
    assert found(cats) == {"a"}


def test_vectors_of_rows_that_are_gone_are_nan(folder: Path) -> None:
    given: list[Callable[[Rows], Vectors]] = []

    def keeping(
        spec: CollectionSpec, index: Path, fetch: Callable[[Rows], Vectors]
    ) -> tuple[object, int]:
        given.append(fetch)
        return open_small(spec, index, fetch)

    library = Library(folder, keeping, maintain_every_s=None)  # type: ignore[arg-type]
    points = library.create(spec_of("points", "l2"))[0]
    points.put(batch(["a", "b", "c"]))
    points.delete("b")
    found(points)
    vectors = given[0](np.array([3, 2, 1, 99]))
    assert np.array_equal(vectors[[0, 2]], drawn(3)[[2, 0]])
    assert np.isnan(vectors[[1, 3]]).all()
    library.close()


def test_what_an_index_keeps_elsewhere_is_dropped_by_whoever_deletes(
    library: Library, folder: Path
) -> None:
    spec = library.create(spec_of())[0].spec
    dropped: list[CollectionSpec] = []
    theirs = Library(folder, open_small, drop_index=dropped.append, maintain_every_s=None)
    theirs.delete("cats")
    theirs.close()
    assert dropped == [spec]


def test_a_deletion_ends_where_the_engine_elsewhere_does_not_answer(folder: Path) -> None:
    def unreachable(spec: CollectionSpec) -> None:
        raise IndexUnavailable("down")

    library = Library(folder, open_small, drop_index=unreachable, maintain_every_s=None)
    library.create(spec_of())
    library.delete("cats")
    library.close()
    assert library.names() == ()
