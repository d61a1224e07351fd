"""From a trained run to its report: calibrate on one split, then read the test set once."""

from datetime import UTC, datetime

import numpy as np
import torch
from numpy.typing import NDArray

from models.report import Calibration, Comparison, DatasetRecord, Epoch, Figure, Provenance, Report
from training.data.dataset import LabelledImages, Splits
from training.embedder import Embedder
from training.evaluate import weights
from training.evaluate.calibration import fit_temperature
from training.evaluate.classification import class_metrics, compare, confusion
from training.evaluate.figures import draw_confusion, draw_feature_space
from training.run import RunFolder, RunRecord
from training.served import ServedModel

BASELINE = "softmax"
REPORT = "report.json"
FIGURES = "figures"
_PREDICTIONS = "test_predictions.pt"
_SHOWN_PER_CLASS = 200
_BATCH = 1000


def evaluate(folder: RunFolder, splits: Splits, baseline: RunFolder | None) -> Report:
    """Fit prototypes and temperature, predict the test set, write report, figures and weights.

    `baseline` is the softmax run to count errors against; None, or not yet evaluated on the same
    data, leaves that part of the report out. Raises InvalidRun where training is unfinished.
    """
    embedder = weights.trained(folder, splits)
    (folder.path / REPORT).unlink(missing_ok=True)  # from here on an earlier one would be stale
    calibration = calibrate(embedder, splits)
    model = ServedModel(embedder, calibration.temperature).eval()
    weights.save_served(model, folder)
    embeddings, probabilities = answer(model, splits.test)
    predicted = probabilities.argmax(axis=1)
    folder.save(folder.path / _PREDICTIONS, {"predicted": torch.from_numpy(predicted)})
    report = _report(folder, splits, predicted, calibration, baseline)
    _draw(folder, splits, embeddings, report)
    folder.write_text(REPORT, report.model_dump_json(indent=2) + "\n")
    return report


@torch.no_grad()
def calibrate(embedder: Embedder, splits: Splits) -> Calibration:
    """Fit prototypes on the training split where the loss has them; then the temperature."""
    loss = embedder.loss
    if loss.fits_prototypes:
        loss.fit_prototypes(embedder.embed(splits.train.images), splits.train.labels)
    logits = loss.logits(embedder.embed(splits.calibration.images))
    return fit_temperature(logits, splits.calibration.labels)


@torch.no_grad()
def answer(
    model: ServedModel, part: LabelledImages
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The model's embeddings [n, d] and probabilities [n, c] of a part of the data."""
    answers = [model(images) for images in torch.split(part.images, _BATCH)]
    embeddings, probabilities = (torch.cat(column).numpy() for column in zip(*answers, strict=True))
    return embeddings, probabilities


def _report(
    folder: RunFolder,
    splits: Splits,
    predicted: NDArray[np.int64],
    calibration: Calibration,
    baseline: RunFolder | None,
) -> Report:
    record = folder.record()
    true, names = splits.test.labels.numpy(), record.class_names
    history, seconds = _learning_curve(folder)
    return Report(
        name=record.recipe.loss,
        loss=record.recipe.loss,
        test_images=len(true),
        accuracy=float((true == predicted).mean()),
        classes=tuple(class_metrics(true, predicted, names)),
        confusion=confusion(true, predicted, names),
        against_softmax=_against(baseline, record, true, predicted),
        calibration=calibration,
        learning_curve=history,
        figures=_FIGURES,
        provenance=_provenance(record, seconds),
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
    predicted: NDArray[np.int64] = folder.load(folder.path / _PREDICTIONS)["predicted"].numpy()
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


def _draw(
    folder: RunFolder, splits: Splits, embeddings: NDArray[np.float32], report: Report
) -> None:
    title = f"{report.loss}: accuracy {report.accuracy:.2%} on {report.test_images:,} test images"
    figures = folder.path / FIGURES
    draw_confusion(report.confusion, title, figures / "confusion-matrix.svg")
    names = report.confusion.labels
    shown = _first_of_each_class(splits.test.labels.numpy(), len(names))
    part = splits.test.take(torch.from_numpy(shown))
    before, _ = answer(ServedModel(weights.initial(folder, splits)), part)
    after, labels = embeddings[shown], part.labels.numpy()
    draw_feature_space(before, after, labels, names, figures / "feature-space.svg")


def _first_of_each_class(labels: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    rows = [np.flatnonzero(labels == label)[:_SHOWN_PER_CLASS] for label in range(classes)]
    return np.concatenate(rows)
