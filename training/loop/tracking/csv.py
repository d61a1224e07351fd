"""Rows in CSV files, readable by anything: `metrics/` in the run folder."""

import csv
import os
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from models.atomic import replacing
from training.loop.tracking.mlflow_place import METRICS
from training.loop.tracking.tracker import Ending, EpochRow, StepRow, TrackingStart

PARAMETERS = "parameters.csv"
STEPS = "steps.csv"
EPOCHS = "epochs.csv"
RESULTS = "results.csv"
_STEP = "step"


class CsvTracker:
    """`steps.csv` and `epochs.csv` grow row by row; a resumed run goes on in the same files."""

    def __init__(self, start: TrackingStart) -> None:
        self._path = start.folder / METRICS
        self._path.mkdir(exist_ok=True)
        rows = ((name, str(value)) for name, value in start.parameters().items())
        _replace(self._path / PARAMETERS, [("parameter", "value"), *rows])
        if start.step is not None:
            for name in (STEPS, EPOCHS):
                _drop_after(self._path / name, start.step)
        self._steps = _Table(self._path / STEPS)
        self._epochs = _Table(self._path / EPOCHS)

    def step(self, row: StepRow) -> None:
        """One row of steps.csv."""
        self._steps.add(
            {
                _STEP: row.step,
                "epoch": row.epoch,
                "loss": row.loss,
                "learning_rate": row.learning_rate,
                "images_per_second": row.images_per_second,
            }
        )

    def epoch(self, row: EpochRow) -> None:
        """One row of epochs.csv; both files are on the disk afterwards."""
        epoch = row.epoch
        self._epochs.add(
            {
                "epoch": epoch.epoch,
                _STEP: row.step,
                "loss": epoch.loss,
                "tuning_accuracy": epoch.tuning_accuracy,
                "seconds": epoch.seconds,
                **epoch.diagnostics,
                "findings": " | ".join(row.findings_text()),
            }
        )
        self._steps.sync()
        self._epochs.sync()

    def result(self, name: str, value: float) -> None:
        """One row of results.csv, in the place of an earlier one of that name."""
        path = self._path / RESULTS
        rows = [row for row in _rows(path)[1:] if row[0] != name]
        _replace(path, [("result", "value"), *rows, (name, repr(value))])

    def close(self, ending: Ending) -> None:  # noqa: ARG002 - the rows tell it
        """Close the files."""
        self._steps.close()
        self._epochs.close()


class _Table:
    """A CSV file that is appended to, each row at once; its first row names the columns."""

    def __init__(self, path: Path) -> None:
        self._empty = not path.is_file() or path.stat().st_size == 0
        self._file: IO[str] = path.open("a", newline="", encoding="utf-8")
        self._writer = csv.writer(self._file)

    def add(self, row: dict[str, int | float | str]) -> None:
        if self._empty:
            self._writer.writerow(row)
            self._empty = False
        self._writer.writerow(row.values())
        self._file.flush()

    def sync(self) -> None:
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


def _drop_after(path: Path, step: int) -> None:
    """Keep the rows up to `step`; one that was cut off by a kill is of a later step."""
    if not path.is_file():
        return
    rows = _rows(path)
    columns = rows[0] if rows else []
    if _STEP not in columns:  # cut off inside its first row
        path.unlink()
        return
    place = columns.index(_STEP)
    kept = [row for row in rows[1:] if len(row) == len(columns) and int(row[place]) <= step]
    _replace(path, [columns, *kept])


def _rows(path: Path) -> list[list[str]]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def _replace(path: Path, rows: Iterable[Iterable[str]]) -> None:
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
