"""Fill a small disk with a collection and its snapshots; run on one by `test_full_disk`.

python -m tests.support.full_disk FOLDER
"""

import os
import random
import sys
from pathlib import Path

from service.collections import Library, NewItem
from service.collections.errors import StorageFull
from tests.support.small_collections import drawn, open_small, spec_of

_ROOM = (0, 4096, 50_000, 300_000, 900_000, 1_100_000, 1_200_000, 1_300_000, 2_000_000)


def main(root: Path) -> None:
    """Write with every amount of room; nothing may be left behind, and all works with more."""
    library = Library(root / "collections", open_small, maintain_every_s=None)
    cats = library.create(spec_of())[0]
    images = random.Random(0)
    vectors = drawn(1000)
    cats.put([NewItem(str(i), vectors[i], image=images.randbytes(4000)) for i in range(250)])
    outcomes = set()
    for room in _ROOM:
        leave(root, room)
        try:
            copy = cats.backup(root / "snapshots")
            assert copy.items == 250
            outcomes.add("copied")
        except StorageFull:
            outcomes.add("refused")
        names = {path.name for path in (root / "snapshots").glob("*")}
        assert not {name for name in names if name.startswith(".") and name != ".lock"}, names
        for path in (root / "snapshots").glob("cats*"):
            path.unlink()
    assert outcomes == {"copied", "refused"}
    leave(root, 0)
    try:
        cats.put([NewItem("more", vectors[0], image=images.randbytes(400_000))])
    except StorageFull:
        assert cats.has(["more"]) == [False]
    else:
        raise AssertionError("there is room where there is none")
    leave(root, 3_000_000)
    cats.put([NewItem("more", vectors[0], image=images.randbytes(400_000))])
    assert cats.backup(root / "snapshots").items == 251
    library.close()


def leave(root: Path, room_bytes: int) -> None:
    """Leave so much room."""
    filler = root / "filler"
    filler.unlink(missing_ok=True)
    found = os.statvfs(root)
    filler.write_bytes(bytes(max(0, found.f_bavail * found.f_bsize - room_bytes)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
