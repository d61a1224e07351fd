from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service.collections import Library
from tests.support.small_collections import open_small

Opener = Callable[[], Library]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "collections"


@pytest.fixture
def open_library(folder: Path) -> Iterator[Opener]:
    """Each call is as another process: nothing is shared but the folder."""
    opened: list[Library] = []

    def another() -> Library:
        opened.append(Library(folder, open_small, maintain_every_s=None))
        return opened[-1]

    yield another
    for library in opened:
        library.close()


@pytest.fixture
def library(open_library: Opener) -> Library:
    return open_library()
