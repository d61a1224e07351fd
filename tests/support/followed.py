"""A tiny run that is followed, stopped and gone on with, for the tests beside this file."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from models.report import DatasetRecord
from tests.support.tiny_runs import tiny_recipe, tiny_splits
from training.checkpoints.run import RunFolder, RunRecord
from training.loop.fit import fit
from training.loop.tracking.run_tracker import UNTRACKED, Tracking
from training.loop.trainer import Step, Trainer
from training.recipes.recipe import Recipe

STEPS = 12  # three epochs of four
RECIPE = tiny_recipe("cosface", parameters={"scale": 6.0})  # the doctor warns of such a scale


class Killed(BaseException):
    """An end that no part of the training catches."""


def follow(
    path: Path,
    tracking: Tracking,
    *,
    resume: bool = False,
    stop_after: int | None = None,
    recipe: Recipe = RECIPE,
) -> None:
    """Fit the run in `path`; die after so many steps, as a kill in mid-epoch would have it."""
    trainer = Trainer(recipe, tiny_splits(), classes=4)
    with pytest.MonkeyPatch.context() as patched:
        if stop_after is not None:
            patched.setattr(trainer, "steps", lambda: _dying(trainer, stop_after))
        fit(trainer, RunFolder(path), record_of(recipe), resume, tracking)


def follow_with_a_kill(path: Path, tracking: Tracking, *, after: int) -> None:
    """Fit the run, die after so many steps, and go on without naming the trackers again."""
    with pytest.raises(Killed):
        follow(path, tracking, stop_after=after)
    follow(path, UNTRACKED, resume=True)


def _dying(trainer: Trainer, after: int) -> Iterator[Step]:
    yield from islice(Trainer.steps(trainer), after)
    raise Killed


def record_of(recipe: Recipe) -> RunRecord:
    dataset = DatasetRecord(
        name="tiny", edition="noise", sha256="0" * 64, train=64, tuning=16, calibration=16, test=16
    )
    return RunRecord(
        recipe=recipe,
        source="tiny",
        dataset=dataset,
        class_names=("a", "b", "c", "d"),
        command="python -m training fit",
        commit=None,
        versions={},
        hardware="a machine",
    )
