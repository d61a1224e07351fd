"""Tuning: an equal budget, the tuning split alone, and a study that goes on."""

from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from models.report import Epoch
from tests.support.tiny_runs import tiny_recipe, tiny_splits
from training.checkpoints.run import RunFolder, RunRecord
from training.data.dataset import Dataset
from training.errors import Diverged, Interrupted, InvalidRun
from training.loop.fit import fit
from training.loop.tracking.run_tracker import Tracking
from training.loop.trainer import Trainer
from training.losses import LOSSES, default_parameters
from training.recipes.recipe import load_recipe
from training.tuning.tune import Budget, Tuning

SPLITS = tiny_splits()
DATASET = Dataset("tiny", "noise", "0" * 64, tuple("abcd"), SPLITS.train, SPLITS.test)
TRIALS = 3
BUDGET = Budget(trials=TRIALS, epochs=1)


def tuning(path: Path, loss: str, **fields: object) -> Tuning:
    return Tuning(path, tiny_recipe(loss, **fields), BUDGET)


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_gets_the_same_budget_and_starts_at_its_defaults(
    tmp_path: Path, loss: str
) -> None:
    study = tuning(tmp_path, loss)
    chosen = study.run("tiny", DATASET, SPLITS)
    tried = study.tried(4)
    assert len(tried.trials) == BUDGET.trials
    own = {name: default_parameters(loss)[name] for name in LOSSES[loss].search}
    assert tried.trials[0].values == pytest.approx(
        {"learning_rate": study.start.learning_rate, "weight_decay": study.start.weight_decay} | own
    )
    assert set(tried.chosen) == {"learning_rate", "weight_decay", *LOSSES[loss].search}
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
        trainer: Trainer, folder: RunFolder, record: RunRecord, resume: bool, tracking: Tracking
    ) -> None:
        fits.append(folder)
        if len(fits) == 2:
            raise Interrupted("stopped")
        fit(trainer, folder, record, resume, tracking)

    with monkeypatch.context() as patched:
        patched.setattr("training.tuning.tune.fit", stops_at_the_second)
        with pytest.raises(Interrupted):
            broken.run("tiny", DATASET, SPLITS)
    broken.run("tiny", DATASET, SPLITS)
    assert broken.tried(4) == whole.tried(4)


def test_a_diverged_trial_is_spent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def diverges(*_: object, **__: object) -> None:
        raise Diverged("the loss became nan")

    monkeypatch.setattr("training.tuning.tune.fit", diverges)
    study = tuning(tmp_path, "softmax")
    with pytest.raises(InvalidRun, match="every trial"):
        study.run("tiny", DATASET, SPLITS)
    trials = study.study().trials
    assert [trial.state for trial in trials] == [optuna.trial.TrialState.FAIL] * TRIALS


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
    monkeypatch.setattr("training.tuning.tune.fit", None)
    assert study.run("tiny", DATASET, SPLITS) == chosen


def test_a_pruned_trial_is_spent_and_never_chosen(tmp_path: Path) -> None:
    budget = Budget(trials=6, epochs=3, prune=True)
    study = Tuning(tmp_path, tiny_recipe("softmax"), budget)
    study.run("tiny", DATASET, SPLITS)
    trials = study.study().trials
    pruned = [trial for trial in trials if trial.state == optuna.trial.TrialState.PRUNED]
    assert len(trials) == 6
    assert pruned
    assert study.epochs_spent() == sum(trial.last_step or 0 for trial in trials) < 18
    assert study.tried(4).chosen not in [trial.params for trial in pruned]


def test_unpruned_losses_cost_the_same_epochs(tmp_path: Path) -> None:
    for loss in ("softmax", "triplet"):
        study = tuning(tmp_path / loss, loss)
        study.run("tiny", DATASET, SPLITS)
        assert study.epochs_spent() == TRIALS * BUDGET.epochs


def test_the_chosen_recipe_says_how_it_was_chosen_and_can_be_run(tmp_path: Path) -> None:
    study = tuning(tmp_path / "study", "center")
    chosen = study.run("some data", DATASET, SPLITS)
    study.write_recipe(tmp_path / "chosen" / "center.toml")
    assert load_recipe("center", tmp_path / "chosen") == chosen
    header = (tmp_path / "chosen" / "center.toml").read_text().split("loss =")[0]
    best = max(trial.tuning_accuracy or 0 for trial in study.tried(4).trials)
    for fact in (
        f"python -m training run --loss center --recipe {tmp_path}/chosen/center.toml",
        "--data 'some data'",
        f"best of 3 trials of 1 epochs: {best:.2%} on the tuning split of tiny (n = 16)",
        "chosen by: python -m training",
        "threads",  # of the hardware
    ):
        assert fact in header


def test_a_study_may_go_further_but_not_elsewhere(tmp_path: Path) -> None:
    study = tuning(tmp_path, "softmax")
    study.run("tiny", DATASET, SPLITS)
    further = replace(study, budget=Budget(trials=4, epochs=1))
    further.run("tiny", DATASET, SPLITS)
    assert further.tried(4).trials[:3] == study.tried(4).trials[:3]
    assert len(further.tried(4).trials) == 4
    for other in (
        replace(study, start=tiny_recipe("softmax", batch_size=8)),
        replace(study, budget=Budget(trials=4, epochs=2)),
        replace(study, budget=Budget(trials=4, epochs=1, prune=True)),
    ):
        with pytest.raises(InvalidRun, match="another protocol"):
            other.run("tiny", DATASET, SPLITS)


def values_tried(study: Tuning) -> list[dict[str, float]]:
    return [trial.values for trial in study.tried(4).trials]


def test_what_is_drawn_for_a_loss_is_not_what_is_drawn_for_another(tmp_path: Path) -> None:
    studies = [tuning(tmp_path / loss, loss) for loss in LOSSES]
    for study in studies:
        study.run("tiny", DATASET, SPLITS)
    for name in ("learning_rate", "weight_decay"):
        drawn = [trial[name] for study in studies for trial in values_tried(study)[1:]]
        assert len(set(drawn)) == len(drawn) == len(LOSSES) * (BUDGET.trials_for(0) - 1)


@pytest.mark.parametrize(("loss", "trials"), [("softmax", 12), ("triplet", 18), ("cosface", 24)])
def test_trials_are_in_proportion_to_what_is_searched(
    tmp_path: Path, loss: str, trials: int
) -> None:
    assert Tuning(tmp_path, tiny_recipe(loss), Budget()).trials == trials


def test_the_sampler_models_the_trials_once_a_few_were_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trial's result changes the trials after the drawn ones, and none of those."""
    runs = []
    for better in ("learning_rate", "weight_decay"):

        def comes_to(trainer: Trainer, *_: object, wanted: str = better, **__: object) -> None:
            value = getattr(trainer.recipe, wanted)
            epoch = Epoch(epoch=1, loss=1, tuning_accuracy=value, seconds=1, diagnostics={})
            trainer.progress.history.append(epoch)

        monkeypatch.setattr("training.tuning.tune.fit", comes_to)
        monkeypatch.setattr(
            "training.tuning.tune.Tuning._choose", lambda self, study: self._chosen(study)
        )
        study = Tuning(tmp_path / better, tiny_recipe("softmax"), Budget())
        study.run("tiny", DATASET, SPLITS)
        runs.append(values_tried(study))
    drawn = study.tried(4).drawn
    assert drawn == 7
    assert runs[0][:drawn] == runs[1][:drawn]
    assert runs[0][drawn:] != runs[1][drawn:]
    assert len(runs[0]) == 12


def test_a_best_value_near_an_end_of_its_range_is_flagged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faster_is_better(trainer: Trainer, *_: object, **__: object) -> None:
        value = trainer.recipe.learning_rate
        epoch = Epoch(epoch=1, loss=1, tuning_accuracy=value, seconds=1, diagnostics={})
        trainer.progress.history.append(epoch)

    monkeypatch.setattr("training.tuning.tune.fit", faster_is_better)
    monkeypatch.setattr(
        "training.tuning.tune.Tuning._choose", lambda self, study: self._chosen(study)
    )
    study = Tuning(tmp_path, tiny_recipe("softmax"), Budget(trials=30))
    study.run("tiny", DATASET, SPLITS)
    assert "learning_rate" in study.tried(4).at_edge
    assert study.tried(4).searched["learning_rate"].logarithmic
