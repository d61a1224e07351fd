"""Fit one run: progress on the screen, checkpoints in the run folder, stops that lose nothing."""

from contextlib import nullcontext
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from models.interrupts import stop_on_interrupt
from models.report import Epoch
from training.checkpoints.run import RunFolder, RunRecord
from training.errors import Interrupted, InvalidRun
from training.loop.tracking.run_tracker import UNTRACKED, RunTracker, Tracking, watched
from training.loop.trainer import Step, Trainer


def fit(
    trainer: Trainer,
    folder: RunFolder,
    record: RunRecord,
    resume: bool,
    tracking: Tracking = UNTRACKED,
) -> None:
    """Train until the recipe's last epoch, saving a checkpoint after each.

    Raises InvalidRun where the folder holds a run and `resume` is off, or another run where it
    is on; Interrupted after a signal, with a checkpoint at the very step. Of several processes
    the first alone reads and writes the folder; a signal to one of them stops all.
    """
    ranks = trainer.ranks
    state = ranks.broadcast_from_main(lambda: _opened(trainer, folder, record, resume))
    if state is not None:
        trainer.load_state(state)
    tracked = (
        watched(trainer, folder, tracking) if ranks.first else nullcontext(RunTracker(trainer, []))
    )
    with stop_on_interrupt() as stop, tracked as watch, _Screen(trainer) as screen:
        for step in trainer.steps():
            watch.show(step)  # before the checkpoint, so that no row goes missing
            screen.show(step)
            if step.step == step.steps:
                _save(trainer, folder)
                screen.epoch_done()
            if ranks.any(stop.is_set()) and not trainer.finished:
                _save(trainer, folder)
                raise Interrupted(
                    f"stopped; go on with the same command and --resume ({folder.path})"
                )
        screen.finished()


def _opened(
    trainer: Trainer, folder: RunFolder, record: RunRecord, resume: bool
) -> dict[str, Any] | None:
    """Begin the run, or find its checkpoint if there is one yet."""
    if folder.started:
        _check_resumable(folder, record, resume)
    else:
        folder.begin(record, trainer.embedder.state_dict())
    return folder.load(folder.checkpoint_path) if folder.checkpoint_path.is_file() else None


def _save(trainer: Trainer, folder: RunFolder) -> None:
    if trainer.ranks.first:
        folder.save(folder.checkpoint_path, trainer.state())


def _check_resumable(folder: RunFolder, record: RunRecord, resume: bool) -> None:
    if not resume:
        raise InvalidRun(
            f"{folder.path} already holds a run; continue it with --resume, or name another --runs"
        )
    earlier = folder.record()
    if (earlier.recipe, earlier.dataset) != (record.recipe, record.dataset):
        raise InvalidRun(
            f"{folder.path} was started with another recipe or data set; name another --runs"
        )


_UNKNOWN = "-"


class _Screen:
    """A bar for the whole run, and a line for each epoch that also reads well in a log file."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self._console = Console(quiet=not trainer.ranks.first)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]}  tuning accuracy {task.fields[accuracy]}"),
            TextColumn("{task.fields[rate]} images/s"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not trainer.ranks.first,
        )
        self._task: TaskID | None = None
        self._shown = len(trainer.progress.findings)

    def __enter__(self) -> "_Screen":
        self._bar.start()
        recipe, progress = self._trainer.recipe, self._trainer.progress
        per_epoch = self._trainer.steps_per_epoch
        self._task = self._bar.add_task(
            recipe.loss,
            total=recipe.epochs * per_epoch,
            completed=progress.epoch * per_epoch + progress.step,
            loss=_UNKNOWN,
            accuracy=_accuracy(progress.history[-1]) if progress.history else _UNKNOWN,
            rate=_UNKNOWN,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self, step: Step) -> None:
        """Advance the bar by one step, and say what the doctor found in it."""
        if self._task is not None:
            rate = f"{step.images_per_second:,.0f}"
            self._bar.update(self._task, advance=1, loss=f"{step.loss:.4f}", rate=rate)
        for finding in self._trainer.progress.findings[self._shown :]:
            self._say(f"{finding.severity} ({finding.detector}): {finding.sentence}", "yellow")
        self._shown = len(self._trainer.progress.findings)

    def epoch_done(self) -> None:
        """Print the epoch's line and show its tuning accuracy on the bar."""
        epoch = self._trainer.progress.history[-1]
        if self._task is not None:
            self._bar.update(self._task, accuracy=_accuracy(epoch))
        health = "".join(f"  {name} {value:.3f}" for name, value in epoch.diagnostics.items())
        self._say(
            f"epoch {epoch.epoch}/{self._trainer.recipe.epochs}  "
            f"loss {epoch.loss:.4f}  tuning accuracy {_accuracy(epoch)}  "
            f"{epoch.seconds:.1f} s{health}"
        )

    def finished(self) -> None:
        """Say which epoch's weights are kept, where that is a choice."""
        if self._trainer.recipe.patience:
            kept = self._trainer.kept_epoch
            self._say(f"keeps epoch {kept.epoch}: tuning accuracy {_accuracy(kept)}")

    def _say(self, line: str, style: str = "") -> None:
        self._console.print(
            f"{self._trainer.recipe.loss}  {line}",
            style=style,
            highlight=False,
            markup=False,
            soft_wrap=True,
        )


def _accuracy(epoch: Epoch) -> str:
    return f"{epoch.tuning_accuracy:.2%}"
