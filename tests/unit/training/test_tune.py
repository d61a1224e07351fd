"""Tuning: an equal budget, the tuning split alone, and a study that goes on."""

from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from tests.unit.training.runs import tiny_recipe, tiny_splits
from training.config import load_recipe
from training.data.dataset import Dataset
from training.errors import Diverged, Interrupted, InvalidRun
from training.fit import fit
from training.losses import LOSSES, default_parameters
from training.run import RunFolder, RunRecord
from training.trainer import Trainer
from training.tune import COMMON, Budget, Tuning

SPLITS = tiny_splits()
DATASET = Dataset("tiny", "noise", "0" * 64, tuple("abcd"), SPLITS.train, SPLITS.test)
BUDGET = Budget(trials=3, epochs=1)


def tuning(path: Path, loss: str, **fields: object) -> Tuning:
    return Tuning(path, tiny_recipe(loss, **fields), BUDGET)


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_gets_the_same_budget_and_starts_at_its_defaults(
    tmp_path: Path, loss: str
) -> None:
    study = tuning(tmp_path, loss)
    chosen = study.run("tiny", DATASET, SPLITS)
    tried = study.tried()
    assert len(tried.trials) == BUDGET.trials
    own = {name: default_parameters(loss)[name] for name in LOSSES[loss].search}
    assert tried.trials[0].values == pytest.approx(
        {"learning_rate": study.start.learning_rate, "weight_decay": study.start.weight_decay} | own
    )
    assert set(tried.chosen) == {*COMMON, *LOSSES[loss].search}
    best = max(trial.tuning_accuracy or 0 for trial in tried.trials)
    winner = next(trial for trial in tried.trials if trial.values == tried.chosen)
    assert winner.tuning_accuracy == best
    assert load_recipe(loss, study.recipe_path) == chosen
    assert chosen.epochs == study.start.epochs  # the trials' own length is not the recipe's
    for name, value in chosen.parameters.items():
        space = LOSSES[loss].search.get(name)
        assert space is None or space.low <= value <= space.high


def test_a_stopped_study_goes_on_with_the_trial_that_was_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tuning(tmp_path / "whole", "cosface")
    whole.run("tiny", DATASET, SPLITS)

    broken = tuning(tmp_path / "broken", "cosface")
    fits = []

    def stops_at_the_second(
        trainer: Trainer, folder: RunFolder, record: RunRecord, resume: bool
    ) -> None:
        fits.append(folder)
        if len(fits) == 2:
            raise Interrupted("stopped")
        fit(trainer, folder, record, resume)

    with monkeypatch.context() as patched:
        patched.setattr("training.tune.fit", stops_at_the_second)
        with pytest.raises(Interrupted):
            broken.run("tiny", DATASET, SPLITS)
    broken.run("tiny", DATASET, SPLITS)
    assert broken.tried() == whole.tried()


def test_a_diverged_trial_is_spent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def diverges(*_: object, **__: object) -> None:
        raise Diverged("the loss became nan")

    monkeypatch.setattr("training.tune.fit", diverges)
    study = tuning(tmp_path, "softmax")
    with pytest.raises(InvalidRun, match="every trial"):
        study.run("tiny", DATASET, SPLITS)
    storage = f"sqlite:///{tmp_path / 'study.db'}"
    trials = optuna.load_study(study_name="softmax", storage=storage).trials
    assert [trial.state for trial in trials] == [optuna.trial.TrialState.FAIL] * BUDGET.trials


def test_another_data_set_cannot_go_on_with_a_study(tmp_path: Path) -> None:
    study = tuning(tmp_path, "softmax")
    study.run("tiny", DATASET, SPLITS)
    with pytest.raises(InvalidRun, match="another protocol"):
        study.run("tiny", replace(DATASET, sha256="1" * 64), SPLITS)


def test_a_finished_study_trains_nothing_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = tuning(tmp_path, "softmax")
    chosen = study.run("tiny", DATASET, SPLITS)
    monkeypatch.setattr("training.tune.fit", None)
    assert study.run("tiny", DATASET, SPLITS) == chosen
