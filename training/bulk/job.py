"""From a folder of images to a folder of shards; existing shards are passed over."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
from filelock import FileLock, Timeout
from pydantic import Field

from models.atomic import replacing
from models.bundle import MODEL, Bundle
from models.manifest import Frozen, Metric, Name, Sha256
from models.preprocess import VERSION
from training.bulk.engines import Batch, BulkEngine
from training.bulk.listing import ShardFiles, chunked, list_parts
from training.bulk.shards import ShardOrigin, Shards, count_rows
from training.errors import InvalidOutput

MANIFEST = "manifest.json"

Tell = Callable[[int], None]  # so many more files are done


class EmbeddingManifest(Frozen):
    """The contents of an output folder: its `manifest.json`, written last."""

    schema_version: int = 1
    model: Name
    version: int = Field(ge=1)
    model_sha256: Sha256 = Field(description="of the model.onnx that made every vector")
    metric: Metric
    dimension: int = Field(ge=1)
    n: int = Field(ge=0, description="rows in all shards")
    n_failed: int = Field(ge=0, description="lines of errors.jsonl")
    shards: tuple[str, ...] = Field(description="in the order of the rows, which is that of ids")
    source: str = Field(description="the folder of images, as it was named")
    engine: str
    workers: int = Field(ge=1, description="of the last run")
    batch: int = Field(ge=1, description="images in one run of the graph, in the last run")
    embedded: dict[str, int] = Field(description="files that each node took in the last run")
    command: str = Field(description="of the last run")
    created: datetime


@dataclass(frozen=True)
class Sizes:
    """The division of rows into files."""

    batch: int  # files in one run of the graph
    shard: int  # files in one shard


class _Waiting(NamedTuple):
    """A part whose rows are still to come."""

    number: int
    rows: int
    made_of: ShardOrigin


@dataclass
class EmbeddingJob:
    """All images below `source` into `out`."""

    source: Path
    out: Path
    bundle: Bundle
    sizes: Sizes
    tell: Tell
    _waiting: deque["_Waiting"] = field(default_factory=deque, init=False)
    _parts: int = field(default=0, init=False)

    def run(self, engine: BulkEngine, command: str) -> EmbeddingManifest:
        """Embed what is missing, and write the manifest of the whole.

        Raises InvalidOutput where somebody else writes there, or another model's embeddings are
        there. An interruption loses no shard that is finished.
        """
        self.out.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.out / ".lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise InvalidOutput(f"another process is writing into {self.out}") from None
        try:
            (self.out / MANIFEST).unlink(missing_ok=True)
            self._write_shards(engine)
            return self._sum_up(engine, command)
        finally:
            lock.release()

    @property
    def _shards(self) -> Shards:
        return Shards(self.out)

    def _write_shards(self, engine: BulkEngine) -> None:
        pending: list[pa.Table] = []
        for table in engine.rows(self._missing()):
            self.tell(len(table))
            pending.append(table)
            while self._waiting and sum(map(len, pending)) >= self._waiting[0].rows:
                part = self._waiting.popleft()
                rows = pa.concat_tables(pending)
                self._shards.write(part.number, rows[: part.rows], part.made_of)
                pending = [rows[part.rows :]]

    def _missing(self) -> Iterator[Batch]:
        """The batches of every part that has no shard yet."""
        for part in list_parts(self.source, self.sizes.shard):
            self._parts = part.number + 1
            made_of = self._facts(part)
            if self._shards.holds(part.number, made_of):
                self.tell(len(part.files))
                continue
            self._waiting.append(_Waiting(part.number, len(part.files), made_of))
            for files in chunked(part.files, self.sizes.batch):
                yield [file.id for file in files]

    def _facts(self, part: ShardFiles) -> ShardOrigin:
        made = self.bundle.manifest
        return ShardOrigin(
            model=made.name,
            version=made.version,
            model_sha256=made.files[MODEL].sha256,
            decoder=VERSION,
            part=part.digest,
        )

    def _sum_up(self, engine: BulkEngine, command: str) -> EmbeddingManifest:
        shards, made = self._shards, self.bundle.manifest
        shards.drop_from(self._parts)
        paths = [shards.path(number) for number in range(self._parts)]
        manifest = EmbeddingManifest(
            model=made.name,
            version=made.version,
            model_sha256=made.files[MODEL].sha256,
            metric=made.metric,
            dimension=made.dimension,
            n=sum(map(count_rows, paths)),
            n_failed=shards.write_failures(self._parts),
            shards=tuple(path.name for path in paths),
            source=str(self.source),
            engine=engine.name,
            workers=engine.workers,
            batch=self.sizes.batch,
            embedded=dict(engine.embedded),
            command=command,
            created=datetime.now(UTC),
        )
        with replacing(self.out / MANIFEST) as temporary:
            temporary.write_text(manifest.model_dump_json(indent=2) + "\n")
        return manifest
