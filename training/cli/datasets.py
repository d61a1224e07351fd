"""The data sets of one command: each is loaded once, whatever its steps and losses."""

from pathlib import Path

from models.manifest import Preprocess
from training import data
from training.checkpoints.run import RunFolder
from training.cli.options import say_once
from training.data.dataset import Dataset, Splits
from training.errors import InvalidRun


class DataSets:
    """Loads what a command names; `cache` is where downloads and decoded images are kept.

    Kept in memory while the command runs, for the size of image that was last asked for.
    """

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._loaded: tuple[str, Preprocess, Dataset] | None = None

    def load(self, source: str, spec: Preprocess) -> Dataset:
        """The data set that `--data` names, at the recipe's size; its inventory is printed."""
        found = self._held(source, spec)
        if found.inventory is not None:
            say_once("\n".join(found.inventory.lines()))
        return found

    def of(self, run: RunFolder) -> Dataset:
        """The data set that the run was trained on. Raises InvalidRun where it has changed."""
        record = run.record()
        found = self._held(record.source, record.recipe.preprocess)
        if found.sha256 != record.dataset.sha256:
            raise InvalidRun(f"{record.source} has changed since {run.path} was trained on it")
        return found

    def splits_of(self, run: RunFolder) -> Splits:
        """The splits that the run was trained with. Raises InvalidRun where the data changed."""
        return data.prepare(self.of(run), run.record().recipe)[1]

    def _held(self, source: str, spec: Preprocess) -> Dataset:
        if self._loaded is None or self._loaded[:2] != (source, spec):
            self._loaded = None  # two of them need not fit into memory
            self._loaded = (source, spec, data.load(source, spec, self._cache))
        return self._loaded[2]
