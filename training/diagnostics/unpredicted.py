"""A class that is never predicted."""

import math
from typing import ClassVar

from training.diagnostics.detector import Detector, Diagnosis, TrainingSnapshot

_CHANCE = 0.01
_NAMED = 3


class ClassNeverPredicted(Detector[TrainingSnapshot]):
    """Warns, from half of training on, of classes that no tuning image is taken for.

    Only classes with enough tuning images for that to be no accident: a classifier that gives
    every class its share leaves one with n images out with a probability of about e^-n, times C
    classes (below 0.01 from 7 images of 10 classes on, from 12 of 1,000).
    """

    name: ClassVar[str] = "class-never-predicted"

    def examine(self, seen: TrainingSnapshot) -> Diagnosis | None:
        """Find classes that are never predicted."""
        if 2 * len(seen.curve) < seen.epochs or not len(seen.tuning_labels):
            return None
        classes = len(seen.train_counts)
        support = seen.tuning_labels.bincount(minlength=classes)
        predicted = seen.tuning_logits.argmax(dim=1).bincount(minlength=classes)
        missing = (predicted == 0) & (support >= math.log(classes / _CHANCE))
        labels = [int(label) for label in missing.nonzero()]
        if not labels:
            return None
        return Diagnosis(_sentence(labels, seen, int(support[labels].sum())), float(len(labels)))


def _sentence(labels: list[int], seen: TrainingSnapshot, images: int) -> str:
    named = "; ".join(
        f"class {label} (such as {seen.examples[label]}; {int(seen.train_counts[label]):,} "
        "training images)"
        for label in labels[:_NAMED]
    )
    more = f" and {len(labels) - _NAMED:,} more" if len(labels) > _NAMED else ""
    middle = float(seen.train_counts.double().median())
    few = sum(int(seen.train_counts[label]) < middle / 2 for label in labels)
    advice = (
        f"add training images of what is rare (half of the classes have {middle:,.0f} or more)"
        if few
        else f"check the labels, train longer than {seen.epochs} epochs, or change learning_rate "
        f"(now {seen.learning_rate:g})"
    )
    return (
        f"no tuning image is taken for {named}{more}, although {images:,} of "
        f"{len(seen.tuning_labels):,} belong there: all of these are answered wrongly; {advice}"
    )
