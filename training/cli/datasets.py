"""The data sets of one command: each is loaded once, whatever its steps and losses."""

from pathlib import Path

from models.manifest import Preprocess
from training import data
from training.checkpoints.run import RunFolder
from training.cli.options import say_once
from training.data.dataset import Dataset, Splits
from training.data.drop_leaks import Copied, drop_leaks
from training.errors import InvalidRun

_SHOWN = 20


class DataSets:
    """Loads what a command names; `cache` is where downloads and decoded images are kept.

    With `drop_leaks`, training images that are copies of test images are left out of what is
    loaded to train on; a run's own record says what was left out of its data.
    Kept in memory while the command runs, for the size of image that was last asked for.
    """

    def __init__(self, cache: Path, *, drop_leaks: Copied | None = None) -> None:
        self._cache, self._drop_leaks = cache, drop_leaks
        self._loaded: tuple[str, Preprocess, Dataset] | None = None

    def load(self, source: str, spec: Preprocess) -> Dataset:
        """The data set that `--data` names, at the recipe's size; its inventory is printed."""
        found = self._held(source, spec)
        if self._drop_leaks:
            found = drop_leaks(found, self._cache, self._drop_leaks)
        if found.inventory is not None:
            say_once("\n".join(found.inventory.lines()))
        if self._drop_leaks:
            say_once(_dropped(found))
        return found

    def of(self, run: RunFolder) -> Dataset:
        """The data set that the run was trained on. Raises InvalidRun where it has changed."""
        record = run.record()
        held = self._held(record.source, record.recipe.preprocess)
        found = held.without(record.dataset.dropped)
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


def _dropped(found: Dataset) -> str:
    n = len(found.dropped)
    shown = ", ".join(found.dropped[:_SHOWN]) + (f" and {n - _SHOWN:,} more" if n > _SHOWN else "")
    return (
        f"data: left out {n:,} training image{'' if n == 1 else 's'} with a copy in the test set"
        f"{f': {shown}' if n else ''}"
    )
