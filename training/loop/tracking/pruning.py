"""Tells Optuna how a trial goes, and ends it where Optuna says so."""

from optuna import TrialPruned
from optuna.trial import Trial

from training.loop.tracking.tracker import Ending, EpochRow, StepRow


class PruningTracker:
    """Reports each epoch's tuning accuracy; raises TrialPruned where the trial is not worth more.

    A trial that goes on after a kill repeats what it had reported; Optuna keeps the first.
    """

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        known = trial.study.get_trials(deepcopy=False)[trial.number].intermediate_values
        self._reported = set(known)

    def step(self, row: StepRow) -> None:
        """Steps decide nothing."""

    def epoch(self, row: EpochRow) -> None:
        """Report, and raise TrialPruned where the pruner says so."""
        number = row.epoch.epoch
        if number not in self._reported:
            self._trial.report(row.epoch.tuning_accuracy, number)
        if self._trial.should_prune():
            raise TrialPruned

    def result(self, name: str, value: float) -> None:
        """Results come after a trial."""

    def close(self, ending: Ending) -> None:
        """Nothing is open."""
