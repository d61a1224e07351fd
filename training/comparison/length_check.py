"""The check that trials shorter than the final runs rank a loss's values as full ones do."""

from pathlib import Path

import numpy as np
from optuna.trial import FrozenTrial, TrialState
from pydantic import Field
from scipy.stats import spearmanr

from models.comparison import LengthCheck
from models.manifest import Frozen
from training.checkpoints.run import RunFolder
from training.comparison.protocol import ComparisonProtocol
from training.tuning.space import starting_values
from training.tuning.tune import Tuning

TRIALS = 8
_CHECKED = "checked.json"


class CheckedTrial(Frozen):
    """One trial's values, trained at the final runs' length."""

    trial: int
    short: float = Field(description="accuracy on the tuning split after the trial's epochs")
    full: float = Field(description="after the final runs' epochs")
    seconds: float

    @classmethod
    def read(cls, path: Path) -> "CheckedTrial":
        """Read the result of the check in this folder."""
        return cls.model_validate_json((path / _CHECKED).read_bytes())

    def write(self, path: Path) -> None:
        """Keep it."""
        RunFolder(path).write_text(_CHECKED, self.model_dump_json(indent=2) + "\n")


def is_checked(path: Path) -> bool:
    """Return whether the check in this folder is done."""
    return (path / _CHECKED).is_file()


def checked_losses(protocol: ComparisonProtocol) -> tuple[str, ...]:
    """The first loss and the one with the most searched values; none where trials are full."""
    if protocol.budget.epochs >= protocol.common.epochs:
        return ()
    most = max(protocol.losses, key=lambda loss: len(starting_values(protocol.start(loss))))
    return tuple(dict.fromkeys((protocol.losses[0], most)))


def checks(protocol: ComparisonProtocol, loss: str, tuning: Tuning) -> int:
    """Return the number of trials of the loss's study that are trained at full length."""
    return min(TRIALS, tuning.trials) if loss in checked_losses(protocol) else 0


def trial_at(tuning: Tuning, place: int, places: int) -> FrozenTrial:
    """The trial at one of `places` spread evenly over the ranking, the best first.

    Diverged trials are no part of it; where few others are left, places share a trial.
    """
    done = tuning.study().get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    ranked = sorted(done, key=lambda trial: (-(trial.value or 0.0), trial.number))
    return ranked[round(float(np.linspace(0, len(ranked) - 1, places)[place]))]


def length_check(loss: str, done: tuple[CheckedTrial, ...]) -> LengthCheck:
    """Correlate the ranks of short and full trials; null where one of them is constant."""
    short, full = ([getattr(one, name) for one in done] for name in ("short", "full"))
    varied = len(set(short)) > 1 and len(set(full)) > 1
    rank = float(spearmanr(short, full).statistic) if varied else None
    return LengthCheck(loss=loss, short=tuple(short), full=tuple(full), spearman=rank)
