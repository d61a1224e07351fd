"""The trainings that a comparison is made of, shared between as many processes as one starts."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout
from pydantic import ValidationError

from models.comparison import LengthCheck
from training import data
from training.checkpoints.run import RunFolder, describe
from training.common.machine import Machine
from training.comparison.length_check import (
    CheckedTrial,
    checks,
    is_checked,
    length_check,
    trial_at,
)
from training.comparison.other_sets import OtherImages
from training.comparison.protocol import START_SEED, ComparisonProtocol
from training.comparison.run_result import Measured, is_measured, measure_round, measure_run
from training.data.dataset import Dataset, Splits
from training.errors import InvalidRun
from training.loop.fit import fit
from training.loop.trainer import Trainer
from training.recipes.recipe import Recipe, load_recipe
from training.recipes.variants import FEWEST_KNOWN, left_out
from training.tuning.space import with_values
from training.tuning.tune import Tuning

_PROTOCOL = "protocol.json"


@dataclass(frozen=True)
class ComparisonJob:
    """One training or study, alone in its folder."""

    kind: Literal["study", "final", "unknowns", "length"]
    path: Path
    loss: str
    seed: int = 0
    left_out: tuple[str, ...] = ()
    place: int = 0


@dataclass
class ComparisonFolder:
    """The folder of a comparison: `tuning/<loss>`, `seeds/<seed>/<loss>`, `unknowns/<seed>/<loss>`.

    Where tuning's trials are shorter than the final runs, `lengths/<loss>/<place>` holds some of
    them at full length. Several processes may work in the folder; each takes what no other has
    taken. The studies' `study.jsonl` and `recipe.toml`, the runs' `measured.json` and the checks'
    `checked.json` are all that must last: with them a comparison goes on in another place, where
    nothing that they tell of is trained again.
    """

    path: Path
    protocol: ComparisonProtocol
    source: str
    dataset: Dataset
    machine: Machine | None = None
    others: OtherImages = field(default_factory=OtherImages)
    _done: set[Path] = field(default_factory=set)

    def begin(self) -> None:
        """Write the protocol down. Raises InvalidRun where the folder follows another one.

        The number of seeds may change: each is a further run of the same protocol.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        if (self.path / _PROTOCOL).is_file():
            self._check_earlier()
        RunFolder(self.path).write_text(_PROTOCOL, self.protocol.model_dump_json(indent=2) + "\n")

    def _check_earlier(self) -> None:
        try:
            earlier = ComparisonProtocol.model_validate_json((self.path / _PROTOCOL).read_bytes())
        except ValidationError as error:
            raise InvalidRun(
                f"{self.path} holds the protocol of an older LossAtlas; name another --runs"
            ) from error
        if differ := earlier.differences(self.protocol):
            raise InvalidRun(
                f"{self.path} follows another protocol: {', '.join(differ)} differ; "
                "name another --runs"
            )

    def train(self) -> bool:
        """Do every job that no other process is at; whether all of them are done in the end."""
        jobs = [*self.studies(), *self.finals(), *self.rounds(), *self.checks()]
        progressed = True
        while progressed:
            progressed = False
            for job in jobs:
                if job.path not in self._done and self._try(job):
                    progressed = True
        return all(job.path in self._done for job in jobs)

    def studies(self) -> Iterator[ComparisonJob]:
        """The tuning of each loss."""
        for loss in self.protocol.losses:
            yield ComparisonJob("study", self.path / "tuning" / loss, loss)

    def finals(self) -> Iterator[ComparisonJob]:
        """The final runs, seed by seed."""
        for seed in range(self.protocol.seeds):
            for loss in self.protocol.losses:
                yield ComparisonJob("final", self.path / "seeds" / str(seed) / loss, loss, seed)

    def rounds(self) -> Iterator[ComparisonJob]:
        """The final runs again, each without some classes; none where the classes are too few."""
        names = self.dataset.class_names
        for seed in range(self.protocol.seeds if len(names) > FEWEST_KNOWN else 0):
            for loss in self.protocol.losses:
                path = self.path / "unknowns" / str(seed) / loss
                yield ComparisonJob("unknowns", path, loss, seed, left_out(names, seed))

    def checks(self) -> Iterator[ComparisonJob]:
        """Some trials again at the final runs' length, where they were shorter."""
        for loss in self.protocol.losses:
            for place in range(checks(self.protocol, loss, self.tuning(loss))):
                path = self.path / "lengths" / loss / str(place)
                yield ComparisonJob("length", path, loss, START_SEED, place=place)

    def length_checks(self) -> tuple[LengthCheck, ...]:
        """Read the results of the finished checks, by loss."""
        found: dict[str, list[CheckedTrial]] = {}
        for job in self.checks():
            found.setdefault(job.loss, []).append(CheckedTrial.read(job.path))
        return tuple(length_check(loss, tuple(done)) for loss, done in found.items())

    def training_seconds(self) -> float:
        """Of all trials and final runs together, as if one after the other."""
        trials = sum(self.tuning(loss).seconds_spent() for loss in self.protocol.losses)
        runs = (Measured.read(job.path) for job in (*self.finals(), *self.rounds()))
        checked = (CheckedTrial.read(job.path).seconds for job in self.checks())
        return trials + sum(one.training_seconds or 0.0 for one in runs) + sum(checked)

    def epochs(self) -> int:
        """Of training, in all trials and runs together, each of as many images as it has."""
        protocol = self.protocol
        trials = sum(self.tuning(loss).trials for loss in protocol.losses)
        full = len([*self.finals(), *self.checks()])
        return (
            trials * protocol.budget.epochs
            + full * protocol.common.epochs
            + len([*self.rounds()]) * protocol.unknown_epochs
        )

    def recipe(self, job: ComparisonJob) -> Recipe:
        """Return the recipe of a final run or a round, once the loss's study is finished."""
        tuned = self.tuning(job.loss).recipe_path
        recipe = load_recipe(job.loss, tuned).varied(seed=job.seed, leave_out=job.left_out)
        return recipe.varied(epochs=self.protocol.unknown_epochs) if job.left_out else recipe

    def _try(self, job: ComparisonJob) -> bool:
        """Do the job if it can be done now; whether it is."""
        job.path.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(job.path / ".lock", timeout=0):
                done = self._do(job)
        except Timeout:
            return False
        if done:
            self._done.add(job.path)
        return done

    def _do(self, job: ComparisonJob) -> bool:
        if job.kind == "study":
            dataset, splits = data.prepare(self.dataset, self.protocol.start(job.loss))
            self.tuning(job.loss).run(self.source, dataset, splits)
            return True
        if is_measured(job.path) or is_checked(job.path):
            return True
        if not self.tuning(job.loss).recipe_path.is_file():
            return False
        if job.kind == "length":
            self._check_length(job)
            return True
        folder = RunFolder(job.path)
        splits, _ = self._fit(folder, self.recipe(job))
        if job.kind == "final":
            measure_run(folder, splits, self.others.transfer)
        else:
            measure_round(folder, self.dataset, self.others.far)
        return True

    def _fit(self, folder: RunFolder, recipe: Recipe) -> tuple[Splits, Trainer]:
        dataset, splits = data.prepare(self.dataset, recipe)
        trainer = Trainer(recipe, splits, len(dataset.class_names), self.machine)
        record = describe(recipe, self.source, dataset, splits, trainer.precision)
        fit(trainer, folder, record, resume=True)
        return splits, trainer

    def _check_length(self, job: ComparisonJob) -> None:
        tuning = self.tuning(job.loss)
        trial = trial_at(tuning, job.place, checks(self.protocol, job.loss, tuning))
        recipe = with_values(self.protocol.start(job.loss), trial.params)
        _, trainer = self._fit(RunFolder(job.path), recipe)
        checked = CheckedTrial(
            trial=trial.number,
            short=trial.value or 0.0,
            full=trainer.kept_epoch.tuning_accuracy,
            seconds=trainer.progress.seconds,
        )
        checked.write(job.path)

    def tuning(self, loss: str) -> Tuning:
        """The loss's study."""
        start = self.protocol.start(loss)
        path = self.path / "tuning" / loss
        return Tuning(path, start, self.protocol.budget, machine=self.machine)
