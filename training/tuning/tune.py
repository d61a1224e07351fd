"""Choose a loss's learning rate, weight decay and own parameters, on the tuning split alone."""

import shlex
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypedDict

import numpy as np
import optuna
from optuna.pruners import MedianPruner, NopPruner
from optuna.samplers import TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import Study
from optuna.trial import Trial, TrialState
from pydantic import Field

from models.atomic import replacing
from models.comparison_protocol import Searched, Tuned
from models.comparison_protocol import Trial as Trialled
from models.manifest import Frozen
from training.checkpoints.run import RunFolder, RunRecord, describe
from training.common.machine import Machine
from training.data.dataset import Dataset, Splits
from training.errors import Diverged, InvalidRun
from training.loop.fit import fit
from training.loop.tracking.pruning import PruningTracker
from training.loop.tracking.run_tracker import UNTRACKED, Tracking
from training.loop.trainer import Trainer
from training.recipes.recipe import Recipe
from training.tuning.space import at_edge, search_space, starting_values, with_values

_SPENT = (TrialState.COMPLETE, TrialState.FAIL, TrialState.PRUNED)
_PROTOCOL = "protocol"
_COST = "cost"
_UNPRUNED = 2  # trials that always run to their end, so that a median means something
_DRAWN_PER_VALUE = 3  # trials for each searched value before TPE models what they came to


class Budget(Frozen):
    """The budget of every loss, by the number of values that are searched for it."""

    trials: int | None = Field(
        default=None, ge=1, description="as many for every loss, whatever is searched"
    )
    trials_per_value: int = Field(
        default=6, ge=1, description="trials for each searched value, where `trials` is not given"
    )
    epochs: int = Field(default=2, ge=1, description="of each trial")
    prune: bool = Field(
        default=False,
        description="end trials early that are worse than the median; losses then cost unequally",
    )

    def trials_for(self, values: int) -> int:
        """Return the number of trials of a search over so many values, one at least."""
        return self.trials or self.trials_per_value * max(1, values)


class _Ending(TypedDict, total=False):
    values: float
    state: TrialState


class _Cost(Frozen):
    """The cost of a trial, its training images and its machine."""

    epochs: int
    seconds: float
    source: str
    dataset: str
    tuning: int = Field(description="images that it was judged by")
    command: str
    hardware: str
    commit: str | None


class _Protocol(Frozen):
    """The facts that a study must not change while it goes on."""

    start: Recipe
    epochs: int
    dataset: str
    prune: bool = False


@dataclass(frozen=True)
class Tuning:
    """One loss's study: `start` is its first trial, Optuna's TPE sampler proposes the others.

    The next trials are drawn at random, three for each searched value, by random numbers of this
    loss alone; from then on the sampler models what the trials came to. The folder holds the study,
    a run folder for each trial, and in the end the chosen recipe; `study.jsonl` alone is enough to
    go on from, on any machine of the same precision. The criterion is the tuning split's accuracy
    with the weights that a trial keeps.
    """

    path: Path
    start: Recipe
    budget: Budget
    tracking: Tracking = UNTRACKED
    machine: Machine | None = None

    @property
    def recipe_path(self) -> Path:
        """Return the file of the chosen recipe, written when the budget is spent."""
        return self.path / "recipe.toml"

    def run(self, source: str, dataset: Dataset, splits: Splits) -> Recipe:
        """Spend what is left of the budget, and write the best recipe.

        A trial that diverges counts as one. Raises Interrupted after a signal (the same command
        goes on), InvalidRun where the folder holds another study or every trial diverged.
        """
        study = self._study(dataset)
        while (trial := self._next(study)) is not None:
            recipe = self._proposed(trial, len(dataset.class_names))
            trainer = Trainer(recipe, splits, len(dataset.class_names), self.machine)
            record = describe(recipe, source, dataset, splits, trainer.precision)
            folder = RunFolder(self.path / "trials" / str(trial.number))
            try:
                fit(trainer, folder, record, resume=True, tracking=self._tracking(trial))
                ending: _Ending = {"values": trainer.kept_epoch.tuning_accuracy}
            except Diverged:
                ending = {"state": TrialState.FAIL}
            except optuna.TrialPruned:
                ending = {"state": TrialState.PRUNED}
            trial.set_user_attr(_COST, _cost(trainer, record).model_dump(mode="json"))
            study.tell(trial, **ending)
        return self._choose(study)

    @property
    def trials(self) -> int:
        """Return the number of trials of this loss's search."""
        return self.budget.trials_for(len(starting_values(self.start)))

    def tried(self, classes: int) -> Tuned:
        """Every trial, the chosen values, and which of them lie at the edge of their range."""
        study = self.study()
        space = search_space(self.start, classes)
        return Tuned(
            loss=self.start.loss,
            trials=tuple(
                Trialled(values=trial.params, tuning_accuracy=trial.value)
                for trial in study.get_trials(deepcopy=False, states=_SPENT)
            ),
            chosen=study.best_params,
            searched={
                name: Searched(low=one.low, high=one.high, logarithmic=one.log)
                for name, one in space.items()
            },
            at_edge=at_edge(study.best_params, space),
            drawn=min(self.trials, 1 + self._drawn),
        )

    def epochs_spent(self) -> int:
        """Of all trials together."""
        return sum(cost.epochs for cost in self._costs())

    def seconds_spent(self) -> float:
        """Of training, in all trials together."""
        return sum(cost.seconds for cost in self._costs())

    def study(self) -> Study:
        """Open Optuna's study of the trials so far."""
        return optuna.load_study(study_name=self.start.loss, storage=self._storage)

    def _costs(self) -> list[_Cost]:
        attributes = (trial.user_attrs for trial in self.study().get_trials(deepcopy=False))
        return [_Cost.model_validate(one[_COST]) for one in attributes if _COST in one]

    @property
    def _storage(self) -> str | JournalStorage:
        """A text file that only grows; a database where an older LossAtlas began the study."""
        database = self.path / "study.db"
        if database.is_file():
            return f"sqlite:///{database}"
        return JournalStorage(JournalFileBackend(str(self.path / "study.jsonl")))

    def _study(self, dataset: Dataset) -> Study:
        self.path.mkdir(parents=True, exist_ok=True)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(
            storage=self._storage,
            study_name=self.start.loss,
            direction="maximize",
            pruner=MedianPruner(n_startup_trials=_UNPRUNED) if self.budget.prune else NopPruner(),
            load_if_exists=True,
        )
        protocol = _Protocol(
            start=self.start,
            epochs=self.budget.epochs,
            dataset=dataset.sha256,
            prune=self.budget.prune,
        )
        kept = study.user_attrs.get(_PROTOCOL)
        if kept is not None and _Protocol.model_validate(kept) != protocol:
            raise InvalidRun(
                f"{self.path} holds the study of another protocol; name another --runs"
            )
        study.set_user_attr(_PROTOCOL, protocol.model_dump(mode="json"))
        return study

    def _next(self, study: Study) -> Trial | None:
        """The trial that was cut off, or a new one; None where the budget is spent."""
        spent = len(study.get_trials(deepcopy=False, states=_SPENT))
        study.sampler = TPESampler(n_startup_trials=1 + self._drawn, seed=self._seed(spent))
        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            return Trial(study, trial._trial_id)
        if spent >= self.trials:
            return None
        if spent == 0:
            study.enqueue_trial(starting_values(self.start), skip_if_exists=True)
        return study.ask()

    @property
    def _drawn(self) -> int:
        return _DRAWN_PER_VALUE * len(starting_values(self.start))

    def _seed(self, spent: int) -> int:
        """The same after a resume; another for each trial and for each loss."""
        place = (self.start.seed, zlib.crc32(self.start.loss.encode()), spent)
        return int(np.random.SeedSequence(place).generate_state(1)[0])

    def _proposed(self, trial: Trial, classes: int) -> Recipe:
        values = {
            name: trial.suggest_float(name, space.low, space.high, log=space.log)
            for name, space in search_space(self.start, classes).items()
        }
        return with_values(self.start, values).varied(epochs=self.budget.epochs)

    def _tracking(self, trial: Trial) -> Tracking:
        others = (PruningTracker(trial),) if self.budget.prune else ()
        return replace(self.tracking, others=others)

    def _choose(self, study: Study) -> Recipe:
        if not study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            raise InvalidRun(f"every trial in {self.path} diverged; is the data set sound?")
        self._write(study, self.recipe_path)
        return self._chosen(study)

    def write_recipe(self, path: Path) -> None:
        """Write the chosen recipe, with how it was chosen, where `--recipe` can read it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._write(self.study(), path)

    def _chosen(self, study: Study) -> Recipe:
        return with_values(self.start, study.best_params)

    def _write(self, study: Study, path: Path) -> None:
        cost = _Cost.model_validate(study.best_trial.user_attrs[_COST])
        trials = len(study.get_trials(deepcopy=False, states=_SPENT))
        use = ["--loss", self.start.loss, "--recipe", str(path), "--data", cost.source]
        header = (
            shlex.join(["python", "-m", "training", "run", *use]),
            f"best of {trials} trials of {self.budget.epochs} epochs"
            + (" (pruned ones shorter)" if self.budget.prune else "")
            + f": {study.best_value:.2%} on the tuning split of {cost.dataset}"
            f" (n = {cost.tuning:,}); the test images were not read",
            f"chosen by: {cost.command}",
            f"{cost.hardware}; commit {cost.commit or 'unknown'}",
        )
        with replacing(path) as temporary:
            comment = "".join(f"# {line}\n" for line in header)
            temporary.write_text(comment + self._chosen(study).to_toml())


def _cost(trainer: Trainer, record: RunRecord) -> _Cost:
    return _Cost(
        epochs=trainer.progress.epoch,
        seconds=trainer.progress.seconds,
        source=record.source,
        dataset=record.dataset.name,
        tuning=record.dataset.tuning,
        command=record.command,
        hardware=record.hardware,
        commit=record.commit,
    )
