"""Damage to the files of an index, as by a crash, a full disk or a person."""

import os
import random
from collections.abc import Callable
from pathlib import Path


def damage(index: Path, rng: random.Random) -> list[str]:
    """Spoil some of the files below the folder; what was done, in words."""
    files = sorted(path for path in index.rglob("*") if path.is_file())
    hurt = [path for path in files if rng.random() < 0.5]
    return [f"{rng.choice(_WAYS)(path, rng)} {path.relative_to(index)}" for path in hurt]


def _truncate(path: Path, rng: random.Random) -> str:
    os.truncate(path, rng.randrange(path.stat().st_size + 1))
    return "truncated"


def _overwrite(path: Path, rng: random.Random) -> str:
    size = path.stat().st_size
    if size:
        with path.open("r+b") as file:
            file.seek(rng.randrange(size))
            file.write(rng.randbytes(min(64, size)))
    return "overwrote"


def _empty(path: Path, _: random.Random) -> str:
    path.write_bytes(b"")
    return "emptied"


def _delete(path: Path, _: random.Random) -> str:
    path.unlink()
    return "deleted"


_WAYS: tuple[Callable[[Path, random.Random], str], ...] = (_truncate, _overwrite, _empty, _delete)
