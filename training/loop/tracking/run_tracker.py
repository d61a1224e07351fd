"""The choice of a run's trackers, and the events that reach them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from training.checkpoints.run import RunFolder
from training.errors import Interrupted
from training.loop.tracking.mlflow_place import EVENTS, METRICS, mlflow_place
from training.loop.tracking.tracker import Ending, EpochRow, StepRow, Tracker, TrackingStart
from training.loop.trainer import Step, Trainer


@dataclass(frozen=True)
class Tracking:
    """The trackers that were asked for; none by default."""

    csv: bool = False
    tensorboard: bool = False
    mlflow: str | None = None  # the store's or server's URI
    others: tuple[Tracker, ...] = ()

    def joined(self, folder: Path) -> "Tracking":
        """These, and those that already follow the run in `folder`."""
        place = mlflow_place(folder)
        return replace(
            self,
            csv=self.csv or (folder / METRICS).is_dir(),
            tensorboard=self.tensorboard or (folder / EVENTS).is_dir(),
            mlflow=self.mlflow or (place.uri if place else None),
        )

    def open(self, start: TrackingStart) -> list[Tracker]:
        """Begin, or go on; only what is asked for is imported."""
        trackers: list[Tracker] = [*self.others]
        if self.csv:
            from training.loop.tracking.csv import CsvTracker

            trackers.append(CsvTracker(start))
        if self.tensorboard:
            from training.loop.tracking.tensorboard import TensorBoardTracker

            trackers.append(TensorBoardTracker(start))
        if self.mlflow is not None:
            from training.loop.tracking.mlflow import MlflowTracker

            trackers.append(MlflowTracker(start, self.mlflow))
        return trackers


UNTRACKED = Tracking()


class RunTracker:
    """Tells the trackers of each step, and of each epoch that ends with it."""

    def __init__(self, trainer: Trainer, trackers: list[Tracker]) -> None:
        self._trainer = trainer
        self._trackers = trackers
        self._learning_rate = trainer.optimization.learning_rate

    def show(self, step: Step) -> None:
        """Call before the step is saved in a checkpoint."""
        if not self._trackers:
            return
        progress = self._trainer.progress
        done = _done(self._trainer)
        ended = step.step == step.steps
        row = StepRow(
            step=done,
            epoch=progress.epoch if ended else progress.epoch + 1,
            loss=step.loss,
            learning_rate=self._learning_rate,  # as it was before the schedule moved on
            images_per_second=step.images_per_second,
        )
        self._learning_rate = self._trainer.optimization.learning_rate
        for tracker in self._trackers:
            tracker.step(row)
        if ended:
            self._epoch(done)

    def _epoch(self, done: int) -> None:
        epoch = self._trainer.progress.history[-1]
        found = (one for one in self._trainer.progress.findings if one.epoch == epoch.epoch)
        row = EpochRow(step=done, epoch=epoch, findings=tuple(found))
        for tracker in self._trackers:
            tracker.epoch(row)


@contextmanager
def watched(trainer: Trainer, folder: RunFolder, tracking: Tracking) -> Iterator[RunTracker]:
    """Follow a run that has begun, from where its checkpoint stands.

    Of several processes that train one run together, the first one alone writes. Raises
    ExtraMissing or TrackingFailed where a tracker cannot begin.
    """
    alone = os.environ.get("RANK", "0") == "0"
    trackers = []
    if alone and not trainer.finished:
        start = TrackingStart(folder.path, folder.record(), _done(trainer))
        trackers = tracking.joined(folder.path).open(start)
    ending: Ending = "failed"
    try:
        yield RunTracker(trainer, trackers)
        ending = "finished"
    except (Interrupted, KeyboardInterrupt):
        ending = "stopped"
        raise
    finally:
        for tracker in trackers:
            tracker.close(ending)


def track_result(folder: RunFolder, name: str, value: float) -> None:
    """Tell those who followed the run a number that came out after it."""
    tracking = UNTRACKED.joined(folder.path)
    if tracking == UNTRACKED:
        return
    for tracker in tracking.open(TrackingStart(folder.path, folder.record(), step=None)):
        tracker.result(name, value)
        tracker.close("finished")


def _done(trainer: Trainer) -> int:
    return trainer.progress.epoch * trainer.steps_per_epoch + trainer.progress.step
