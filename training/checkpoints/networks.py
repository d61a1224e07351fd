"""The networks of a run folder: as training started, as it ended, as it is served."""

from models.evidence.confidence import Calibration
from training.calibration.module import ServedModel
from training.checkpoints.frozen import whole_state
from training.checkpoints.run import RunFolder
from training.checkpoints.state import Progress, kept_weights
from training.data.dataset import Splits, TrainingSplits
from training.errors import InvalidRun
from training.networks.embedder import Embedder
from training.networks.fold_batchnorm import folded_batchnorm
from training.networks.pretrained import Pretrained

_SERVED = "served.pt"
_CALIBRATION = "calibration.json"


def initial(folder: RunFolder, splits: TrainingSplits) -> Embedder:
    """The embedder before the first step."""
    embedder = _blank(folder, splits)
    embedder.load_state_dict(whole_state(folder, folder.load(folder.initial_path)))
    return embedder.eval()


def trained(folder: RunFolder, splits: TrainingSplits) -> Embedder:
    """The embedder with the weights that the run keeps, in the form that is served.

    Raises InvalidRun where epochs are missing.
    """
    state, recipe = folder.load(folder.checkpoint_path), folder.record().recipe
    progress = Progress.restored(state["progress"])
    if not progress.is_finished(recipe.epochs, recipe.patience):
        raise InvalidRun(
            f"{folder.path} has finished {progress.epoch} of {recipe.epochs} epochs; go on with "
            "python -m training fit --resume"
        )
    embedder = _blank(folder, splits)
    embedder.load_state_dict(whole_state(folder, kept_weights(state)))
    if isinstance(splits, Splits):
        splits.calibration.finished(folder.path)
    return folded_batchnorm(embedder, recipe)


def save_served(model: ServedModel, calibration: Calibration, folder: RunFolder) -> None:
    """Keep the calibrated model for evaluation and publishing."""
    folder.write_text(_CALIBRATION, calibration.model_dump_json(indent=2) + "\n")
    folder.save(folder.path / _SERVED, model.state_dict())


def calibration(folder: RunFolder) -> Calibration:
    """Return the run's calibration. Raises InvalidRun where it was not."""
    path = folder.path / _CALIBRATION
    if not path.is_file():
        raise InvalidRun(f"{folder.path} is not calibrated yet: python -m training export")
    return Calibration.model_validate_json(path.read_bytes())


def served(folder: RunFolder, splits: TrainingSplits) -> ServedModel:
    """The calibrated model. Raises InvalidRun where the run was not exported."""
    fitted = calibration(folder)
    blank = folded_batchnorm(_blank(folder, splits), folder.record().recipe)
    model = ServedModel(blank, fitted.temperature, fitted.confidence_map)
    model.load_state_dict(folder.load(folder.path / _SERVED))
    return model.eval()


def _blank(folder: RunFolder, splits: TrainingSplits) -> Embedder:
    """The folder has the weights; their source may be gone."""
    record, images = folder.record(), splits.train.images
    return Embedder(record.recipe, len(record.class_names), images, Pretrained.random())
