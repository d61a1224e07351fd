"""Rows on disk: Parquet shards written whole or not at all, and what they were made of."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import ValidationError

from models.atomic import fsync, replacing
from models.manifest import Frozen
from training.errors import InvalidOutput

_FACTS = b"lossatlas"  # the key of `ShardOrigin` in a shard's Parquet metadata


class Failure(Frozen):
    """A file that could not be embedded."""

    id: str
    error: str


class ShardOrigin(Frozen):
    """The origin of a shard, kept inside it."""

    model: str
    version: int
    model_sha256: str
    decoder: int  # models.preprocess.VERSION
    part: str  # listing.Part.digest
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True)
class Shards:
    """The shards of one output folder: `shard-00000.parquet` and so on."""

    folder: Path

    def path(self, number: int) -> Path:
        """Return the path of the shard of that part."""
        return self.folder / f"shard-{number:05}.parquet"

    def holds(self, number: int, made_of: ShardOrigin) -> bool:
        """Return whether that shard exists, made of the same files by the same model.

        Raises InvalidOutput where another model made it.
        """
        there = read_facts(self.path(number))
        if there is None:
            return False
        if (there.model_sha256, there.version) != (made_of.model_sha256, made_of.version):
            raise InvalidOutput(
                f"{self.folder} holds embeddings of {there.model}/{there.version}, not of "
                f"{made_of.model}/{made_of.version}; choose another folder with --out"
            )
        return there.model_copy(update={"failures": ()}) == made_of

    def write(self, number: int, rows: pa.Table, made_of: ShardOrigin) -> None:
        """Put the good rows into the shard, and what failed into its metadata."""
        failed = rows.filter(pc.is_valid(rows.column("error"))).select(["id", "error"])
        failures = tuple(Failure(**row) for row in failed.to_pylist())
        facts = made_of.model_copy(update={"failures": failures})
        good = rows.filter(pc.is_null(rows.column("error"))).drop_columns(["error"])
        good = good.replace_schema_metadata({_FACTS: facts.model_dump_json()})
        with replacing(self.path(number)) as temporary:
            pq.write_table(good, temporary)
        fsync(self.folder)

    def drop_from(self, number: int) -> None:
        """Delete shards of a longer listing that was here before."""
        for path in self.folder.glob("shard-*.parquet"):
            if int(path.stem.removeprefix("shard-")) >= number:
                path.unlink()

    def failures(self, count: int) -> Iterator[Failure]:
        """Every failure of the first `count` shards, in order."""
        for number in range(count):
            facts = read_facts(self.path(number))
            yield from facts.failures if facts else ()

    def write_failures(self, count: int) -> int:
        """Write `errors.jsonl`, a line for each file that failed; returns how many."""
        failed = 0
        with replacing(self.folder / "errors.jsonl") as temporary, temporary.open("w") as file:
            for failure in self.failures(count):
                failed += 1
                file.write(json.dumps(failure.model_dump(), ensure_ascii=False) + "\n")
        return failed


def read_facts(path: Path) -> ShardOrigin | None:
    """Read the origin of a shard; None where the file is missing or not ours."""
    try:
        metadata = pq.read_schema(path).metadata or {}
        return ShardOrigin.model_validate_json(metadata[_FACTS])
    except (OSError, pa.ArrowException, KeyError, ValidationError):
        return None


def count_rows(path: Path) -> int:
    """Count the rows of a shard."""
    return int(pq.read_metadata(path).num_rows)
