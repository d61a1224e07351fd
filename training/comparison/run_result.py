"""The result of one run of a comparison, kept in its folder."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from pydantic import Field

from models.comparison import Reader
from models.evidence.unknowns import LeaveOutRound
from models.manifest import Frozen
from training.calibration.calibrate import calibrate
from training.checkpoints import networks
from training.checkpoints.run import RunFolder, RunRecord
from training.common.machine import Computed
from training.comparison.corrupted import corrupted_measures
from training.comparison.far_measures import far_moves, far_values
from training.comparison.heads import head_swap
from training.comparison.image_variance import moved
from training.comparison.measures import (
    RunOutputs,
    round_influences,
    round_values,
    run_influences,
    run_values,
)
from training.comparison.transfer import transfer_measures
from training.comparison.unseen_measures import UnseenAnswers, unseen_influences, unseen_values
from training.data.dataset import Dataset, Splits
from training.data.other_datasets import FarImages, TransferImages
from training.evaluation.classification import count_confusions
from training.evaluation.inference import network_answers, network_ask
from training.evaluation.leave_out_rounds import left_out_answers
from training.evaluation.unknowns import score_round

_MEASURED = "measured.json"


class Measured(Frozen):
    """The measures of a run by name; `heads` and `confusions` where it knows all classes.

    Whole in itself: the run's weights may be deleted once it is written.
    """

    values: dict[str, float]
    resampled: dict[str, tuple[float, ...]] = Field(
        default={},
        description="how far each measure moves in 256 resamples of the test images, the same ones "
        "for every run",
    )
    images: int | None = Field(default=None, description="test images that were resampled")
    heads: dict[Reader, float] = Field(default={})
    confusions: tuple[tuple[int, ...], ...] = ()
    unknowns: LeaveOutRound | None = None
    tuning_curve: tuple[float, ...] = Field(
        default=(), description="accuracy on the tuning split after each epoch"
    )
    training_seconds: float | None = None
    record: RunRecord | None = Field(
        default=None, description="what was trained on what, on which machine"
    )
    precision: Computed | None = Field(default=None, description="of the backbone in training")

    @classmethod
    def read(cls, path: Path) -> "Measured":
        """Read the result of the run in this folder."""
        return cls.model_validate_json((path / _MEASURED).read_bytes())


def is_measured(path: Path) -> bool:
    """Return whether the run in this folder is finished and measured."""
    return (path / _MEASURED).is_file()


def measure_run(folder: RunFolder, splits: Splits, transfer: Sequence[TransferImages] = ()) -> None:
    """Calibrate a finished run and measure it on the test set and other data sets, once."""
    if is_measured(folder.path):
        return
    model, _ = calibrate(networks.trained(folder, splits), splits)
    train, test = (network_answers(model, part) for part in (splits.train, splits.test))
    metric = model.loss.metric
    said = RunOutputs(metric, train, test)
    calibration = network_answers(model, splits.calibration.read_to_calibrate())
    corrupted = corrupted_measures(
        partial(network_ask, model), splits.test.images.numpy(), test.labels, calibration
    )
    probed = transfer_measures(partial(network_answers, model), transfer)
    trained = Measured(
        values={**run_values(said), **corrupted.values, **probed.values},
        resampled={
            **{name: moved(each) for name, each in run_influences(said).items()},
            **corrupted.moves,
            **probed.moves,
        },
        images=len(test),
        heads=head_swap(metric, train, test),
        confusions=count_confusions(test.labels, test.predicted, test.probabilities.shape[1]),
    )
    _write(folder, trained)


def measure_round(folder: RunFolder, dataset: Dataset, far: Sequence[FarImages] = ()) -> None:
    """Measure a finished run without some classes, also on images of other data sets, once."""
    if is_measured(folder.path):
        return
    left_out, metric = left_out_answers(folder, dataset, far)
    scored, ids = score_round(left_out, metric), dataset.test.ids
    unseen = UnseenAnswers(metric, left_out.unknown)
    influences = {
        **round_influences(scored, left_out, metric, ids),
        **unseen_influences(unseen, ids),
    }
    trained = Measured(
        values={**round_values(scored), **far_values(scored), **unseen_values(unseen)},
        resampled={
            **{name: moved(each) for name, each in influences.items()},
            **far_moves(scored, left_out, metric, ids),
        },
        images=len(ids),
        unknowns=scored,
    )
    _write(folder, trained)


def _write(folder: RunFolder, measured: Measured) -> None:
    progress = folder.load(folder.checkpoint_path)["progress"]
    record = folder.record()
    whole = measured.model_copy(
        update={
            "tuning_curve": tuple(float(one["tuning_accuracy"]) for one in progress["history"]),
            "training_seconds": float(progress["seconds"]),
            "record": record,
            "precision": record.precision,
            "resampled": {name: _short(moves) for name, moves in measured.resampled.items()},
        }
    )
    folder.write_text(_MEASURED, whole.model_dump_json() + "\n")


def _short(moves: tuple[float, ...]) -> tuple[float, ...]:
    """To four digits: these are noise, and files of a hundred runs are kept in git."""
    return tuple(float(f"{move:.4g}") for move in moves)
