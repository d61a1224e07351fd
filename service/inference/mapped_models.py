"""Predictions of several models for the same test images, by their maps."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from service.inference.model_map import ModelMap
from service.inference.votes import Vote, evidence


@dataclass(frozen=True)
class MappedModel:
    """One model, by its map."""

    loss: str
    version: int
    labels: tuple[str, ...]
    plane: ModelMap


@dataclass(frozen=True)
class MappedModels:
    """Models of the same test images and classes; the first is the one that is asked about."""

    voices: tuple[MappedModel, ...]
    votes: tuple[Vote, ...] = ()  # of all versions, also those that are not asked

    @property
    def own(self) -> MappedModel:
        """The model that is asked about."""
        return self.voices[0]

    @property
    def predictions(self) -> NDArray[np.int64]:
        """Return each model's prediction for each test image, [models, tests]."""
        tests = self.own.plane.tests
        return np.stack([voice.plane.points.prediction[:tests] for voice in self.voices])

    @property
    def confidences(self) -> NDArray[np.float32]:
        """Return the confidence of each, [models, tests]."""
        tests = self.own.plane.tests
        return np.stack([voice.plane.points.confidence[:tests] for voice in self.voices])

    def suspects(self) -> NDArray[np.bool_]:
        """Test images that all models take for one class which is not their label, [tests].

        None where nobody but the model itself can be asked.
        """
        plane, said = self.own.plane, self.predictions
        if len(said) == 1:
            return np.zeros(plane.tests, dtype=bool)
        agreed: NDArray[np.bool_] = (said == said[0]).all(axis=0) & plane.wrong
        return agreed

    def cell(self, true: int, predicted: int) -> NDArray[np.intp]:
        """Rows of the test images of one class that the model takes for another.

        Suspects come first; among these and among the others, the most confident does.
        """
        plane = self.own.plane
        labels, said = plane.labels[: plane.tests], self.predictions[0]
        rows = np.flatnonzero((labels == true) & (said == predicted))
        sure, suspect = self.confidences[0][rows], self.suspects()[rows]
        return rows[np.lexsort((rows, -sure, ~suspect))]

    @cached_property
    def evidence(self) -> NDArray[np.float64]:
        """Return how much all versions speak against the label, -1..1, [tests].

        By the prediction of the model that is asked about.
        """
        plane = self.own.plane
        votes = self.votes or tuple(_as_vote(voice) for voice in self.voices)
        return evidence(votes, self.predictions[0], plane.labels[: plane.tests])

    def mislabeled(self) -> NDArray[np.intp]:
        """Rows of all suspects; the one against whose label most is said comes first."""
        rows = np.flatnonzero(self.suspects())
        return rows[np.lexsort((rows, -self.evidence[rows]))]


def _as_vote(voice: MappedModel) -> Vote:
    points, tests = voice.plane.points, voice.plane.tests
    return Vote(
        voice.loss,
        voice.version,
        voice.labels,
        voice.plane.test_images,
        points.prediction[:tests],
        points.confidence[:tests],
    )
