import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from service.collections import Library, NewItem
from service.collections.errors import CollectionBusy, CollectionDamaged, StorageFull
from service.vectors.query import Search
from tests.support.small_collections import batch, drawn, spec_of
from tests.unit.service.collections.conftest import Opener


@pytest.fixture
def items(open_library: Opener, folder: Path) -> Path:
    """The file of a collection that nobody has open."""
    library = open_library()
    cats = library.create(spec_of())[0]
    cats.put(batch([f"{i:0250d}" for i in range(400)]))
    library.close()
    return folder / "cats" / "items.sqlite"


@pytest.mark.parametrize("content", [b"", b"not a database" * 1000])
def test_a_file_that_is_no_database_is_damaged(
    items: Path, library: Library, content: bytes
) -> None:
    items.write_bytes(content)
    with pytest.raises(CollectionDamaged, match="restore it"):
        library.get("cats")
    library.delete("cats")
    assert library.create(spec_of())[1]


@pytest.mark.parametrize(
    "change",
    ["PRAGMA application_id = 1", "PRAGMA user_version = 99", "UPDATE collection SET spec = '{}'"],
)
def test_a_file_of_another_make_is_damaged(items: Path, library: Library, change: str) -> None:
    with closing(sqlite3.connect(items, isolation_level=None)) as database:
        database.execute(change)
    with pytest.raises(CollectionDamaged):
        library.get("cats")


def test_a_damaged_page_is_reported_by_whoever_reads_it(items: Path, library: Library) -> None:
    content = bytearray(items.read_bytes())
    content[10 * 4096 :] = b"\xff" * (len(content) - 10 * 4096)
    items.write_bytes(content)
    cats = library.get("cats")
    for ask in (
        lambda: cats.page(0, 1000),
        lambda: cats.search(drawn(1), Search(1)),
        lambda: cats.put(batch([f"{i:0250d}" for i in range(400)])),
    ):
        with pytest.raises(CollectionDamaged):
            ask()


def test_a_full_disk_stores_nothing_and_says_so(library: Library) -> None:
    cats = library.create(spec_of())[0]
    cats.put(batch(["a"]))
    # Stands for the disk: SQLite answers the same where it cannot write one page more.
    writer = cats._awake().connections._writer
    (pages,) = writer.execute("PRAGMA page_count").fetchone()
    writer.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(StorageFull):
        cats.put([NewItem("b", drawn(1)[0]), NewItem("c", drawn(1)[0], image=bytes(100_000))])
    assert cats.has(["a", "b", "c"]) == [True, False, False]
    writer.execute("PRAGMA max_page_count = 1000000")
    assert cats.put(batch(["b"])).sequence == 2


def test_whoever_waits_too_long_for_other_writers_is_reported(
    library: Library, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    cats = library.create(spec_of())[0]
    monkeypatch.setattr("service.collections.storage.connections.BUSY_TIMEOUT_S", 0.05)
    with cats._awake().connections.writing(), pytest.raises(CollectionBusy):
        cats.put(batch(["a"]))
    assert cats.put(batch(["a"])).sequence == 1
