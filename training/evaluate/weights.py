"""The networks of a run folder: as training started, as it ended, as it is served."""

from training.data.dataset import Splits
from training.embedder import Embedder
from training.errors import InvalidRun
from training.run import RunFolder
from training.served import ServedModel

_SERVED = "served.pt"


def initial(folder: RunFolder, splits: Splits) -> Embedder:
    """The embedder before the first step."""
    embedder = _blank(folder, splits)
    embedder.load_state_dict(folder.load(folder.initial_path))
    return embedder.eval()


def trained(folder: RunFolder, splits: Splits) -> Embedder:
    """The embedder after the last step. Raises InvalidRun where epochs are missing."""
    state = folder.load(folder.checkpoint_path)
    done, epochs = state["progress"]["epoch"], folder.record().recipe.epochs
    if done < epochs:
        raise InvalidRun(
            f"{folder.path} has finished {done} of {epochs} epochs; go on with "
            "python -m training fit --resume"
        )
    embedder = _blank(folder, splits)
    embedder.load_state_dict(state["embedder"])
    return embedder.eval()


def save_served(model: ServedModel, folder: RunFolder) -> None:
    """Keep the calibrated model for export and publishing."""
    folder.save(folder.path / _SERVED, model.state_dict())


def served(folder: RunFolder, splits: Splits) -> ServedModel:
    """The calibrated model. Raises InvalidRun where the run was not evaluated."""
    path = folder.path / _SERVED
    if not path.is_file():
        raise InvalidRun(f"{folder.path} is not calibrated yet: python -m training evaluate")
    model = ServedModel(_blank(folder, splits))
    model.load_state_dict(folder.load(path))
    return model.eval()


def _blank(folder: RunFolder, splits: Splits) -> Embedder:
    record = folder.record()
    return Embedder(record.recipe, len(record.class_names), splits.train.images)
