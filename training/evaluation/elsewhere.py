"""Images of other data sets, asked of the served model: are they noticed, are they of use?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from models.evidence.transfer import TransferSection
from models.evidence.unknowns import UnknownSet
from models.manifest import Metric, Preprocess
from training.data.dataset import Dataset, LabeledImages
from training.data.other_datasets import FarImages, far_sets, test_images, transfer_sets
from training.evaluation.answers import Answers
from training.evaluation.transfer import transfer_section
from training.evaluation.unknowns import FittedScorer, LeaveOutAnswers, possible_scorers

Ask = Callable[[LabeledImages], Answers]


@dataclass(frozen=True)
class OtherFolders:
    """Other data sets, at the size of the model's input, beside digits and noise."""

    near: Sequence[Dataset] = ()
    far: Sequence[Dataset] = ()
    transfer: Sequence[Dataset] = ()


@dataclass(frozen=True)
class ServedAnswers:
    """The answers of a served model about images of the classes that it knows."""

    metric: Metric
    gallery: Answers
    calibration: Answers
    test: Answers


def unknown_sets(
    ask: Ask, spec: Preprocess, served: ServedAnswers, folders: OtherFolders
) -> tuple[UnknownSet, ...]:
    """Measure how the model tells test images from those of other data sets.

    Thresholds of what is accepted are fitted on calibration images.
    """
    none = served.test.take(np.empty(0, np.int64))
    known = LeaveOutAnswers((), served.gallery, served.calibration, served.test, none)
    scorers = possible_scorers(served.gallery)
    judges = [FittedScorer.of(scorer, known, served.metric) for scorer in scorers]
    return (
        *(_judged("near", judges, one, ask(one.images)) for one in test_images(folders.near)),
        *(_judged("far", judges, one, ask(one.images)) for one in far_sets(spec, folders.far)),
    )


def transfer(ask: Ask, spec: Preprocess, folders: OtherFolders) -> TransferSection:
    """Probe the embeddings on digits and on these data sets."""
    return transfer_section(ask, transfer_sets(spec, folders.transfer))


def _judged(
    kind: Literal["near", "far"], judges: Sequence[FittedScorer], one: FarImages, answers: Answers
) -> UnknownSet:
    return UnknownSet(
        name=one.name,
        sha256=one.sha256,
        kind=kind,
        known=len(judges[0].known),
        unknown=len(answers),
        scorers=tuple(judge.result(answers) for judge in judges),
    )
