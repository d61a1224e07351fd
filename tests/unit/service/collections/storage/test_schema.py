from contextlib import closing
from pathlib import Path

from service.collections import Library
from service.collections.storage import schema
from tests.support.small_collections import spec_of


def test_a_commit_waits_for_the_disk(library: Library, folder: Path) -> None:
    library.create(spec_of())
    with closing(schema.connect(folder / "cats" / "items.sqlite")) as database:
        (journal,) = database.execute("PRAGMA journal_mode").fetchone()
        (synchronous,) = database.execute("PRAGMA synchronous").fetchone()
    assert journal == "wal"
    assert synchronous == 2  # FULL, in SQLite's words
