"""Files and folders written whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary sibling to write, which becomes `path` when the block ends well.

    It is fsynced before it takes the place; where the block raises, nothing is left of it.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        fsync(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def new_folder(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """Give a temporary sibling folder to fill, which becomes `path` when the block ends well.

    Everything in it is fsynced first. With `replace`, it takes the place of an older folder: a
    reader finds the old one, for an instant none, or the new one, never some of each. Raises
    OSError where the place cannot be had; after any error the old one stays.
    """
    staging = Path(tempfile.mkdtemp(prefix=".publishing-", dir=path.parent))
    try:
        yield staging
        fsync_tree(staging)
        staging.chmod(0o755)
        if replace and path.exists():
            _exchange(staging, path)
        else:
            staging.rename(path)
        fsync(path.parent)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _exchange(staging: Path, path: Path) -> None:
    old = staging.with_name(f"{staging.name}-replaced")
    path.rename(old)
    try:
        staging.rename(path)
    except BaseException:
        old.rename(path)
        raise
    shutil.rmtree(old)


def fsync(path: Path) -> None:
    """Have a file's content, or a folder's entries, on the disk before returning."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fsync_tree(folder: Path) -> None:
    """The same for a folder and everything below it."""
    for path in (*folder.rglob("*"), folder):
        fsync(path)
