"""From a trained run to its report: calibrate on one split, then read the test set once."""

from datetime import UTC, datetime

import numpy as np
import torch
from numpy.typing import NDArray

from models.report import Calibration, Comparison, DatasetRecord, Epoch, Figure, Provenance, Report
from training.data.dataset import LabelledImages, Splits
from training.errors import InvalidRun
from training.evaluate.calibration import fit_temperature
from training.evaluate.classification import class_metrics, compare, confusion
from training.evaluate.figures import draw_confusion, draw_feature_space
from training.run import RunFolder, RunRecord
from training.served import ServedModel
from training.trainer import Embedder

BASELINE = "softmax"
REPORT = "report.json"
SERVED = "served.pt"
FIGURES = "figures"
_PREDICTIONS = "test_predictions.npy"
_SHOWN_PER_CLASS = 200


def evaluate(folder: RunFolder, splits: Splits, baseline: RunFolder | None) -> Report:
    """Fit prototypes and temperature, predict the test set, write report, figures and weights.

    `baseline` is the softmax run to count errors against; None, or not yet evaluated on the same
    data, leaves that part of the report out. Raises InvalidRun where training is unfinished.
    """
    record = folder.record()
    trained = trained_embedder(folder, record, splits)
    calibration = calibrate(trained, splits)
    model = ServedModel(trained, calibration.temperature).eval()
    folder.save(folder.path / SERVED, model.state_dict())

    embeddings, probabilities = answer(model, splits.test)
    true = splits.test.labels.numpy()
    predicted = probabilities.argmax(axis=1)
    np.save(folder.path / _PREDICTIONS, predicted)
    names, loss = record.class_names, record.recipe.loss
    classes = class_metrics(true, predicted, names)
    history, seconds = _learning_curve(folder)
    report = Report(
        name=loss,
        loss=loss,
        test_images=len(true),
        accuracy=float((true == predicted).mean()),
        classes=tuple(classes),
        confusion=confusion(true, predicted, names),
        against_softmax=_against(baseline, record, true, predicted),
        calibration=calibration,
        learning_curve=history,
        figures=_FIGURES,
        provenance=_provenance(record, seconds),
    )
    draw_confusion(
        report.confusion,
        f"{loss}: accuracy {report.accuracy:.2%} on {len(true):,} test images",
        folder.path / FIGURES / "confusion-matrix.svg",
    )
    shown = _first_of_each_class(true, len(names))
    draw_feature_space(
        untrained_embeddings(folder, record, splits, shown),
        embeddings[shown],
        true[shown],
        names,
        folder.path / FIGURES / "feature-space.svg",
    )
    folder.write_text(REPORT, report.model_dump_json(indent=2) + "\n")
    return report


def trained_embedder(folder: RunFolder, record: RunRecord, splits: Splits) -> Embedder:
    """The embedder as the last epoch left it. Raises InvalidRun where epochs are missing."""
    state = folder.load(folder.checkpoint_path)
    done = state["progress"]["epoch"]
    if done < record.recipe.epochs:
        raise InvalidRun(
            f"{folder.path} has finished {done} of {record.recipe.epochs} epochs; go on with "
            "python -m training fit --resume"
        )
    embedder = Embedder(record.recipe, len(record.class_names), splits.train.images)
    embedder.load_state_dict(state["embedder"])
    return embedder.eval()


def calibrate(embedder: Embedder, splits: Splits) -> Calibration:
    """Fit prototypes on the training split where the loss has them; then the temperature."""
    loss = embedder.loss
    if loss.fits_prototypes:
        loss.fit_prototypes(embedder.embed(splits.train.images), splits.train.labels)
    logits = loss.logits(embedder.embed(splits.calibration.images)).detach()
    return fit_temperature(logits, splits.calibration.labels)


@torch.no_grad()
def answer(
    model: ServedModel, part: LabelledImages
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The model's embeddings [n, d] and probabilities [n, c] of a part of the data."""
    answers = [model(images) for images in torch.split(part.images, 1000)]
    embeddings, probabilities = (torch.cat(column).numpy() for column in zip(*answers, strict=True))
    return embeddings, probabilities


def untrained_embeddings(
    folder: RunFolder, record: RunRecord, splits: Splits, rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Embeddings [m, d] of test images by the weights that training started from."""
    embedder = Embedder(record.recipe, len(record.class_names), splits.train.images)
    embedder.load_state_dict(folder.load(folder.initial_path))
    embeddings, _ = answer(ServedModel(embedder.eval()), splits.test.take(torch.from_numpy(rows)))
    return embeddings


_FIGURES = (
    Figure(
        name="confusion-matrix",
        title="Confusion matrix",
        caption="Test images by true class (rows) and predicted class (columns); shade is the "
        "share of the row.",
    ),
    Figure(
        name="feature-space",
        title="Feature space before and after training",
        caption=f"Embeddings of the first {_SHOWN_PER_CLASS} test images of each class, by the "
        "initial and by the trained weights, projected to 2-D. Distances between far clusters "
        "mean little in such a picture.",
    ),
)


def _against(
    baseline: RunFolder | None,
    record: RunRecord,
    true: NDArray[np.int64],
    predicted: NDArray[np.int64],
) -> Comparison | None:
    theirs = predicted if record.recipe.loss == BASELINE else _predictions(baseline, record.dataset)
    if theirs is None:
        return None
    own, other = (class_metrics(true, rows, record.class_names) for rows in (predicted, theirs))
    return compare(own, other, BASELINE, len(true))


def _predictions(folder: RunFolder | None, dataset: DatasetRecord) -> NDArray[np.int64] | None:
    if folder is None or not (folder.path / _PREDICTIONS).is_file():
        return None
    if folder.record().dataset != dataset:
        return None
    predicted: NDArray[np.int64] = np.load(folder.path / _PREDICTIONS)
    return predicted


def _learning_curve(folder: RunFolder) -> tuple[tuple[Epoch, ...], float]:
    progress = folder.load(folder.checkpoint_path)["progress"]
    history = tuple(Epoch.model_validate(epoch) for epoch in progress["history"])
    return history, float(progress["seconds"])


def _provenance(record: RunRecord, seconds: float) -> Provenance:
    return Provenance(
        dataset=record.dataset,
        recipe=record.recipe.model_dump(),
        seed=record.recipe.seed,
        command=record.command,
        commit=record.commit,
        versions=record.versions,
        hardware=record.hardware,
        training_seconds=seconds,
        evaluated=datetime.now(UTC),
    )


def _first_of_each_class(labels: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    rows = [np.flatnonzero(labels == label)[:_SHOWN_PER_CLASS] for label in range(classes)]
    return np.concatenate(rows)


def served_model(folder: RunFolder, splits: Splits) -> ServedModel:
    """The calibrated model that `evaluate` left in the folder."""
    record = folder.record()
    embedder = Embedder(record.recipe, len(record.class_names), splits.train.images)
    model = ServedModel(embedder)
    model.load_state_dict(folder.load(folder.path / SERVED))
    return model.eval()
