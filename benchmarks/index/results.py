"""The result of a run of the benchmark: the schema of its JSON file."""

from collections.abc import Collection
from datetime import datetime
from typing import Literal

from pydantic import Field

from benchmarks.measured import Machine, Percentiles
from models.manifest import Frozen

Kind = Literal["exact", "hnsw", "compact"]
Vectors = Literal["memory", "items"]
KINDS: tuple[Kind, ...] = ("exact", "hnsw", "compact")


class Settings(Frozen):
    """The settings of the measurement."""

    sizes: tuple[int, ...]
    k: int = Field(ge=1, description="neighbors of each query")
    queries: int = Field(ge=1, description="different ones, held out; all of them are one batch")
    put_items: int = Field(ge=1, description="in one Collection.put")
    build_threads: int = Field(ge=1, description="a service leaves one processor to requests")
    rounds: int = Field(ge=1, description="at most, of each comparison; ours and raw take turns")
    seconds: float = Field(gt=0, description="of a comparison; its least rounds may take longer")


class DataFacts(Frozen):
    """The facts of the vectors."""

    dimension: int
    classes: int
    galleries: tuple[str, ...] = Field(description="models that the spread was fitted to")


class Way(Frozen):
    """One way to search, through the protocol or with raw FAISS."""

    recall: float = Field(ge=0, le=1, description="at k; of all queries in one batch")
    found: float = Field(ge=0, le=1, description="rows given, of k a query")
    per_s: float = Field(description="queries, in batches, one thread; median over rounds")
    single: Percentiles = Field(description="of one query at a time, one thread")


class Comparison(Frozen):
    """Both ways, in alternation, in one process, on one index file."""

    case: str
    rounds: int
    ours: Way
    raw: Way
    batch_overhead: float = Field(description="ours / raw - 1 in time; median over rounds")
    single_overhead: float = Field(description="the same for single queries, query by query")


class SearchRun(Frozen):
    """A saved index is opened in a new process and searched."""

    size: int
    kind: Kind
    auto: bool = Field(description="whether `auto` is this kind at this size")
    vectors: Vectors = Field(description="where compact finds the exact ones; items: in SQLite")
    parameters: str = Field(description="of the FAISS index, in its own words")
    load_s: float = Field(description="from its file to the first answer; in the page cache")
    memory_bytes: int = Field(description="growth of the process's PSS by load and first answers")
    computed_bytes: int = Field(description="what vectors, links, codes and rows must take")
    disk_bytes: int
    comparisons: tuple[Comparison, ...]

    @property
    def as_served(self) -> bool:
        """Return whether exact vectors come from the place where the service has them."""
        return self.kind != "compact" or self.vectors == "items"

    def case(self, name: str) -> Comparison:
        """The comparison of that case."""
        return next(one for one in self.comparisons if one.case == name)


class BuildRun(Frozen):
    """An index is made of ready vectors, in memory."""

    size: int
    kind: Kind
    add_s: float
    build_s: float = Field(description="until maintain() has nothing more to do")
    save_s: float
    peak_bytes: int = Field(description="of the process's own memory, less what it was before")


class Floors(Frozen):
    """The costs of the disk and SQLite by themselves, with the same settings."""

    fsync: Percentiles = Field(description="4 KiB appended to a file, then fsync")
    insert_per_s: float = Field(description="rows of number and vector, put_items a transaction")


class IngestRun(Frozen):
    """A new collection of kind `auto` takes items of ready vectors, a label and a number."""

    size: int
    per_s: float = Field(description="items: from the first put to the last one's return")
    put: Percentiles = Field(description="of one put of put_items")
    floors: Floors
    caught_up_s: float = Field(description="after the last put, until the index holds all items")
    kind_in_use: str
    database_bytes: int
    index_bytes: int
    peak_bytes: int = Field(description="of the process's own memory, less what it was before")


class WholeSearch(Frozen):
    """Collection.search: one query, its hits with label and metadata from SQLite."""

    case: str
    latency: Percentiles
    found: float = Field(ge=0, le=1, description="hits, of k a query")


class RestartRun(Frozen):
    """A new process opens the library; the last item that was put must find itself first."""

    size: int
    source: Literal["snapshot", "items"] = Field(description="items: there was no saved index")
    first_right_s: float = Field(description="from Library(...) to the first right answer")
    searches: tuple[WholeSearch, ...]


Result = IngestRun | BuildRun | SearchRun | RestartRun


class Report(Frozen):
    """One run of the benchmark."""

    schema_version: Literal[1] = 1
    command: str
    date: datetime
    commit: str | None = Field(description="of the code; with + where files differ from it")
    finished: tuple[int, ...] = Field(description="sizes of which everything was measured")
    machine: Machine
    versions: dict[str, str]
    settings: Settings
    data: DataFacts
    ingests: tuple[IngestRun, ...] = ()
    builds: tuple[BuildRun, ...] = ()
    searches: tuple[SearchRun, ...] = ()
    restarts: tuple[RestartRun, ...] = ()

    @property
    def complete(self) -> bool:
        """Return whether it came to its end."""
        return set(self.finished) == set(self.settings.sizes)

    def with_result(self, result: Result) -> "Report":
        """And this."""
        name = _PLACES[type(result)]
        return self.model_copy(update={name: (*getattr(self, name), result)})

    def only(self, sizes: Collection[int]) -> "Report":
        """Return the part about these sizes."""
        kept = {
            name: tuple(one for one in getattr(self, name) if one.size in sizes)
            for name in _PLACES.values()
        }
        return self.model_copy(update=kept)


_PLACES: dict[type[Result], str] = {
    IngestRun: "ingests",
    BuildRun: "builds",
    SearchRun: "searches",
    RestartRun: "restarts",
}
