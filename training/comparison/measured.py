"""What one run of a comparison came to, kept in its folder."""

from pathlib import Path

from pydantic import Field

from models.comparison import Reader
from models.evidence.unknowns import LeaveOutRound
from models.manifest import Frozen
from training.calibrate import calibrate
from training.comparison.heads import head_swap
from training.comparison.measures import Said, round_values, run_values
from training.data.dataset import Dataset, Splits
from training.evaluate import weights
from training.evaluate.answering import network_answers
from training.evaluate.classification import count_confusions
from training.evaluate.rounds import leave_out_round
from training.run import RunFolder

_MEASURED = "measured.json"


class Measured(Frozen):
    """The measures of a run by name; `heads` and `confusions` where it knows all classes."""

    values: dict[str, float]
    heads: dict[Reader, float] = Field(default={})
    confusions: tuple[tuple[int, ...], ...] = ()
    unknowns: LeaveOutRound | None = None

    @classmethod
    def read(cls, path: Path) -> "Measured":
        """What the run in this folder came to."""
        return cls.model_validate_json((path / _MEASURED).read_bytes())


def measure_run(folder: RunFolder, splits: Splits) -> None:
    """Calibrate a finished run and measure it on the test set, once."""
    if (folder.path / _MEASURED).is_file():
        return
    model, _ = calibrate(weights.trained(folder, splits), splits)
    train, test = (network_answers(model, part) for part in (splits.train, splits.test))
    metric = model.loss.metric
    _write(
        folder,
        Measured(
            values=run_values(Said(metric, train, test)),
            heads=head_swap(metric, train, test),
            confusions=count_confusions(test.labels, test.predicted, test.probabilities.shape[1]),
        ),
    )


def measure_round(folder: RunFolder, dataset: Dataset) -> None:
    """Measure a finished run without some classes, once."""
    if (folder.path / _MEASURED).is_file():
        return
    scored = leave_out_round(folder, dataset)
    _write(folder, Measured(values=round_values(scored), unknowns=scored))


def _write(folder: RunFolder, measured: Measured) -> None:
    folder.write_text(_MEASURED, measured.model_dump_json(indent=2) + "\n")
