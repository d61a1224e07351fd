"""Answers of the runs that were trained without some classes."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from models.evidence.unknowns import LeaveOutRound, UnseenRetrieval
from models.manifest import Metric
from training import data
from training.calibration.calibrate import calibrate
from training.checkpoints import networks
from training.checkpoints.run import RunFolder
from training.data.dataset import Dataset, LabeledImages
from training.data.gallery import gallery_rows
from training.data.other_datasets import FarImages, far_sets
from training.evaluation.answers import Answers
from training.evaluation.inference import network_answers
from training.evaluation.pair_section import round_pairs
from training.evaluation.retrieval import retrieval
from training.evaluation.unknowns import FarAnswers, LeaveOutAnswers, score_round
from training.evaluation.verification import verification

_FEWEST_CLASSES = 2


def leave_out_round(folder: RunFolder, dataset: Dataset) -> LeaveOutRound:
    """Measure how the run rejects the classes that its recipe leaves out of `dataset`.

    Raises InvalidRun where its training is unfinished.
    """
    recipe = folder.record().recipe
    # What a frozen trunk's run sees are features; other data sets come as images.
    far = () if recipe.frozen else far_sets(recipe.preprocess)
    left_out, metric = left_out_answers(folder, dataset, far)
    searched = unseen_retrieval(left_out.unknown, metric)
    paired = round_pairs(left_out.calibration, left_out.unknown, metric)
    measured = {"retrieval": searched, "pairs": paired}
    return score_round(left_out, metric).model_copy(update=measured)


def unseen_retrieval(unseen: Answers, metric: Metric) -> UnseenRetrieval | None:
    """Search and pair images of classes that were never trained, among themselves.

    None for fewer than two classes: then no answer could be wrong.
    """
    classes = len(np.unique(unseen.labels))
    if classes < _FEWEST_CLASSES:
        return None
    none = unseen.take(np.empty(0, np.int64))
    found, paired = retrieval(unseen, none, metric), verification(unseen, metric)
    return UnseenRetrieval(
        images=found.images,
        classes=classes,
        recall_at_1=found.recall_at_1,
        map_at_r=found.map_at_r,
        eer=paired.eer,
        opis=paired.opis,
    )


def left_out_answers(
    folder: RunFolder, dataset: Dataset, far: Sequence[FarImages] = ()
) -> tuple[LeaveOutAnswers, Metric]:
    """Ask the run about the classes that it knows and about those that its recipe leaves out.

    `far` are images of other data sets at the recipe's size.
    Raises InvalidRun where its training is unfinished.
    """
    recipe = folder.record().recipe
    known, splits = data.prepare(dataset, recipe)
    _, unknown = dataset.leave_out(recipe.leave_out)
    model, _ = calibrate(networks.trained(folder, splits), splits)
    gallery = splits.train.take(gallery_rows(splits.train.labels, len(known.class_names)))
    left_out = LeaveOutAnswers(
        names=recipe.leave_out,
        gallery=network_answers(model, gallery),
        calibration=network_answers(model, splits.calibration.read_to_calibrate()),
        known=network_answers(model, splits.test),
        unknown=_labeled(network_answers(model, unknown.test), dataset.test),
        unknown_train=network_answers(model, unknown.train),
        far=tuple(
            FarAnswers(one.name, one.sha256, network_answers(model, one.images)) for one in far
        ),
    )
    return left_out, model.loss.metric


def _labeled(answers: Answers, part: LabeledImages) -> Answers:
    """With the classes that the whole data set gives the images."""
    labels = dict(zip(part.ids, part.labels.tolist(), strict=True))
    return replace(answers, labels=np.array([labels[name] for name in answers.ids], np.int64))
