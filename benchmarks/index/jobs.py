"""One measurement in a process of its own: its settings, and its files."""

from pathlib import Path
from typing import Literal, Self

from benchmarks.index.data import DIMENSION, Data
from benchmarks.index.results import Kind, Settings, Vectors
from models.manifest import Frozen
from service.collections.data_folder import COLLECTIONS
from service.vectors import IndexSpec

MODEL_SHA256 = "0" * 64  # of no model: the vectors are ready
COLLECTION = "benchmark"
Stage = Literal["data", "ingest", "build", "search", "restart"]


class Job(Frozen):
    """A stage for one size, and for one kind where it is about one."""

    stage: Stage
    size: int
    work: Path
    settings: Settings
    kind: Kind = "exact"
    vectors: Vectors = "memory"
    source: Literal["snapshot", "items"] = "snapshot"

    def but(self, **changed: object) -> Self:
        """The same with some fields changed."""
        return self.model_validate({**dict(self), **changed})

    @property
    def title(self) -> str:
        """For the progress bar."""
        about = {"build": self.kind, "search": self.kind, "restart": self.source}
        return " ".join([f"{self.size:,}:", self.stage, about.get(self.stage, "")]).rstrip()

    @property
    def data(self) -> Data:
        """The vectors, queries and truths."""
        return Data(self.work / "data", self.size, self.settings.queries, self.settings.k)

    @property
    def library(self) -> Path:
        """The service's data folder."""
        return self.work / str(self.size) / "library"

    @property
    def collection(self) -> Path:
        """The collection's own folder."""
        return self.library / COLLECTIONS / COLLECTION

    @property
    def index(self) -> Path:
        """Return the path of the saved index."""
        return self.work / str(self.size) / self.kind

    @property
    def spec(self) -> IndexSpec:
        """As the service would make it, but of that kind however small."""
        threads = self.settings.build_threads
        return IndexSpec(DIMENSION, "cosine", self.kind, buffer_rows=1, threads=threads)
