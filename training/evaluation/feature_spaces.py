"""The embedding space in pictures: before and after training, and in a true plane."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32

from models.evidence.feature_space import FeatureSpace, Plane
from training import data
from training.calibration.calibrate import calibrate
from training.calibration.module import ServedModel
from training.checkpoints import networks
from training.checkpoints.run import RunFolder
from training.data.dataset import Dataset, LabeledImages, Splits
from training.evaluation.answers import Answers
from training.evaluation.figures.plane import TrainedPlanePoints
from training.evaluation.inference import network_answers
from training.evaluation.projection import PlaneProjection, shown_rows, take_picture


@dataclass(frozen=True)
class FeatureSpaces:
    """The same test images before and after training; the plane and its points, if trained."""

    before: PlaneProjection
    after: PlaneProjection
    plane: Plane | None
    points: TrainedPlanePoints | None

    @property
    def section(self) -> FeatureSpace:
        """Return their section of the report."""
        return FeatureSpace(
            before=self.before.measured, after=self.after.measured, plane=self.plane
        )

    @classmethod
    def of(
        cls, folder: RunFolder, dataset: Dataset, splits: Splits, test: Answers
    ) -> "FeatureSpaces":
        """Project a run's embeddings; `test` is what its trained weights say.

        Raises InvalidRun where the run in a plane was begun and not finished.
        """
        rows = shown_rows(test.labels)
        part = splits.test.take(torch.from_numpy(rows))
        first = network_answers(ServedModel(networks.initial(folder, splits)).eval(), part)
        before, after = (
            take_picture(one.embeddings, one.labels) for one in (first, test.take(rows))
        )
        flat = _plane(folder.plane, dataset) if folder.plane.started else (None, None)
        return cls(before, after, *flat)


def _plane(run: RunFolder, dataset: Dataset) -> tuple[Plane, TrainedPlanePoints]:
    recipe, names = run.record().recipe, run.record().class_names
    splits = data.prepare(dataset, recipe)[1]
    model, _ = calibrate(networks.trained(run, splits), splits)
    test = network_answers(model, splits.test)
    rows = shown_rows(test.labels)
    found = Plane(
        test_images=len(test),
        accuracy=float((test.predicted == test.labels).mean()),
        epochs=recipe.epochs,
        seed=recipe.seed,
        parameters=recipe.parameters,
        largest_margin=model.loss.largest_margin(len(names), recipe.embedding_size),
        separation_deg=360 / len(names),
    )
    return found, TrainedPlanePoints(
        points=_raw(model, splits.test.take(torch.from_numpy(rows))),
        labels=test.labels[rows],
        names=names,
        metric=model.loss.metric,
        anchors=model.class_weights,
    )


@torch.no_grad()
def _raw(model: ServedModel, part: LabeledImages) -> Float32[np.ndarray, "n 2"]:
    """As the backbone gives them, of any length."""
    points: Float32[np.ndarray, "n 2"] = model.backbone(part.images).numpy()
    return points
