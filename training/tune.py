"""Choose a loss's learning rate, weight decay and own parameters, on the tuning split alone."""

from dataclasses import dataclass
from pathlib import Path

import optuna
from optuna.samplers import TPESampler
from optuna.study import Study
from optuna.trial import Trial, TrialState
from pydantic import Field

from models.atomic import replacing
from models.comparison import Trial as Trialled
from models.comparison import Tuned
from models.manifest import Frozen
from training.config import Recipe
from training.data.dataset import Dataset, Splits
from training.errors import Diverged, InvalidRun
from training.fit import fit
from training.losses import LOSSES, default_parameters
from training.losses.base import Range
from training.run import RunFolder, describe
from training.trainer import Trainer

COMMON = {
    "learning_rate": Range(5e-4, 5e-3, log=True),
    "weight_decay": Range(2e-2, 1.0, log=True),
}
_SPENT = (TrialState.COMPLETE, TrialState.FAIL)
_PROTOCOL = "protocol"


class Budget(Frozen):
    """What every loss is given, alike."""

    trials: int = Field(default=6, ge=1)
    epochs: int = Field(default=2, ge=1, description="of each trial")


@dataclass(frozen=True)
class Tuning:
    """One loss's study: `start` is its first trial, Optuna's TPE sampler proposes the others.

    The folder holds the study, a run folder for each trial, and in the end the chosen recipe.
    The criterion is the tuning split's accuracy with the weights that a trial keeps.
    """

    path: Path
    start: Recipe
    budget: Budget

    @property
    def recipe_path(self) -> Path:
        """Where the chosen recipe is written when the budget is spent."""
        return self.path / "recipe.toml"

    def run(self, source: str, dataset: Dataset, splits: Splits) -> Recipe:
        """Spend what is left of the budget, and write the best recipe.

        A trial that diverges counts as one. Raises Interrupted after a signal (the same command
        goes on), InvalidRun where the folder holds another study or every trial diverged.
        """
        study = self._study(dataset)
        while (trial := self._next(study)) is not None:
            recipe = self._proposed(trial)
            record = describe(recipe, source, dataset, splits)
            trainer = Trainer(recipe, splits, len(dataset.class_names))
            folder = RunFolder(self.path / "trials" / str(trial.number))
            try:
                fit(trainer, folder, record, resume=True)
            except Diverged:
                study.tell(trial, state=TrialState.FAIL)
            else:
                study.tell(trial, trainer.kept_epoch.tuning_accuracy)
        return self._choose(study)

    def tried(self) -> Tuned:
        """Every trial and the chosen values."""
        study = optuna.load_study(study_name=self.start.loss, storage=self._storage)
        return Tuned(
            loss=self.start.loss,
            trials=tuple(
                Trialled(values=trial.params, tuning_accuracy=trial.value)
                for trial in study.get_trials(deepcopy=False, states=_SPENT)
            ),
            chosen=study.best_params,
        )

    @property
    def _storage(self) -> str:
        return f"sqlite:///{self.path / 'study.db'}"

    def _study(self, dataset: Dataset) -> Study:
        self.path.mkdir(parents=True, exist_ok=True)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(
            storage=self._storage,
            study_name=self.start.loss,
            direction="maximize",
            load_if_exists=True,
        )
        protocol = {
            "start": self.start.model_dump(mode="json"),
            "epochs": self.budget.epochs,
            "dataset": dataset.sha256,
        }
        if study.user_attrs.setdefault(_PROTOCOL, protocol) != protocol:
            raise InvalidRun(
                f"{self.path} holds the study of another protocol; name another --runs"
            )
        study.set_user_attr(_PROTOCOL, protocol)
        return study

    def _next(self, study: Study) -> Trial | None:
        """The trial that was cut off, or a new one; None where the budget is spent."""
        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            return Trial(study, trial._trial_id)
        spent = len(study.get_trials(deepcopy=False, states=_SPENT))
        if spent >= self.budget.trials:
            return None
        if spent == 0:
            study.enqueue_trial(self._starting_values(), skip_if_exists=True)
        study.sampler = TPESampler(seed=self.start.seed + spent)  # the same after a resume
        return study.ask()

    def _starting_values(self) -> dict[str, float]:
        common = {name: getattr(self.start, name) for name in COMMON}
        own = default_parameters(self.start.loss) | self.start.parameters
        return common | {name: own[name] for name in LOSSES[self.start.loss].search}

    def _proposed(self, trial: Trial) -> Recipe:
        own = LOSSES[self.start.loss].search
        values = {
            name: trial.suggest_float(name, space.low, space.high, log=space.log)
            for name, space in {**COMMON, **own}.items()
        }
        common = {name: values[name] for name in COMMON}
        parameters = {name: values[name] for name in own}
        return self._varied(common, parameters).varied(epochs=self.budget.epochs)

    def _varied(self, common: dict[str, float], parameters: dict[str, float]) -> Recipe:
        return self.start.varied(**common, parameters=self.start.parameters | parameters)

    def _choose(self, study: Study) -> Recipe:
        if not study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            raise InvalidRun(f"every trial in {self.path} diverged; is the data set sound?")
        best = study.best_params
        chosen = self._varied(
            {name: best[name] for name in COMMON},
            {name: value for name, value in best.items() if name not in COMMON},
        )
        with replacing(self.recipe_path) as temporary:
            temporary.write_text(_header(study) + chosen.to_toml())
        return chosen


def _header(study: Study) -> str:
    trials = len(study.get_trials(deepcopy=False, states=_SPENT))
    return f"# best of {trials} trials: {study.best_value:.2%} on the tuning split\n"
