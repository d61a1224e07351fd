"""The vectors, queries and truths of one size, made once and kept in a folder."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from benchmarks.index.cases import CASES, Case, Rows, Truth, find_truth
from benchmarks.index.spread import Classes, Vectors, fit, make_classes
from models.atomic import replacing
from models.store import Store

_REGISTRY = Path(__file__).parents[2] / "models" / "registry"
CLASSES = 1000
DIMENSION = 64
_SEED = 20261124
_CHUNK = 50_000
_QUERIES = 1  # of a chunk's seed: a stream that no item comes from
_ITEMS = 2


@dataclass(frozen=True)
class Data:
    """One size. A larger size begins with the items of a smaller one."""

    folder: Path
    size: int
    queries_count: int
    k: int

    @cached_property
    def vectors(self) -> Vectors:
        """Items, mapped from the file: what nobody reads takes no memory."""
        return _mapped(self._file("items", self.size))

    @cached_property
    def queries(self) -> Vectors:
        """Held out: of the same classes, and none of the items."""
        return np.array(_mapped(self._file("queries", self.queries_count)))

    def truth(self, case: Case) -> Truth:
        """Search exactly."""
        return Truth(np.load(self._truth_file(case)), min(self.k, len(self.kept(case))))

    def kept(self, case: Case) -> Rows:
        """The rows that count."""
        return np.flatnonzero(case.kept(self.size))

    def prepare(self) -> None:
        """Make the files that are missing."""
        self.folder.mkdir(parents=True, exist_ok=True)
        wanted = {"items": (_ITEMS, self.size), "queries": (_QUERIES, self.queries_count)}
        missing = {n: of for n, of in wanted.items() if not self._file(n, of[1]).exists()}
        if missing:
            classes = make_published_classes()
            for name, (stream, count) in missing.items():
                _save(self._file(name, count), _drawn(classes, stream, count))
        for case in CASES:
            file = self._truth_file(case)
            if not file.exists():
                found = find_truth(self.vectors, self.queries, self.kept(case), self.k)
                _save(file, found.kth)

    def _file(self, name: str, count: int) -> Path:
        return self.folder / f"{name}-{_SEED}-{count}.npy"

    def _truth_file(self, case: Case) -> Path:
        return self.folder / f"truth-{_SEED}-{self.size}-{self.queries_count}-{case.name}.npy"


def make_published_classes() -> Classes:
    """Classes that spread as the galleries of the published models do."""
    store = Store(_REGISTRY)
    galleries = (store.load(name).gallery() for name in published_models())
    spread = fit((one.embeddings, one.labels) for one in galleries)
    return make_classes(spread, CLASSES, np.random.default_rng(_SEED))


def published_models() -> tuple[str, ...]:
    """By name."""
    return Store(_REGISTRY).names()


def _drawn(classes: Classes, stream: int, count: int) -> Vectors:
    parts = []
    for number, start in enumerate(range(0, count, _CHUNK)):
        rng = np.random.default_rng((_SEED, stream, number))
        # A whole chunk even where less is needed, so that each size begins as the others do.
        parts.append(classes.draw(_CHUNK, rng)[0][: count - start])
    return np.concatenate(parts)


def _save(file: Path, array: np.ndarray) -> None:
    with replacing(file) as temporary, temporary.open("wb") as stream:
        np.save(stream, array)


def _mapped(file: Path) -> Vectors:
    mapped: Vectors = np.load(file, mmap_mode="r")
    return mapped
