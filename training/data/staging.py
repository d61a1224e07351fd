"""Data sets that a command writes as folders: whole or not at all, with a record."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from models.atomic import fsync_tree
from training.errors import InvalidOutput

RECORD = ".made.json"  # hidden, so that no listing takes it for an image


@contextmanager
def staged_folder(out: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes `out` when the block ends well.

    Raises InvalidOutput where `out` exists already.
    """
    if out.exists():
        raise InvalidOutput(f"--out must be a folder that does not exist yet (got {out})")
    staging = out.with_name(f".{out.name}.staging")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    try:
        yield staging
        fsync_tree(staging)
        staging.rename(out)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def write_record(folder: Path, record: Mapping[str, object]) -> None:
    """Write what the data set was made of into the folder."""
    text = json.dumps(record, indent=2, ensure_ascii=False)
    (folder / RECORD).write_text(text + "\n", encoding="utf-8")
