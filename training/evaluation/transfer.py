"""A linear probe of frozen embeddings on another data set."""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Bool
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from models.evidence.transfer import TransferSection, TransferSet
from training.data.dataset import LabeledImages
from training.data.other_datasets import TransferImages
from training.evaluation.answers import Answers
from training.evaluation.intervals import share

STRENGTH = 1.0
_ITERATIONS = 1000


def probed(train: Answers, test: Answers) -> Bool[np.ndarray, " n"]:
    """Find the test images that a logistic regression on `train` gives the right class.

    It reads standardized embeddings as served, with L2 strength C = 1: nothing is searched.
    """
    probe = make_pipeline(
        StandardScaler(), LogisticRegression(C=STRENGTH, max_iter=_ITERATIONS)
    ).fit(train.embeddings.astype(np.float64), train.labels)
    right: Bool[np.ndarray, " n"] = probe.predict(test.embeddings.astype(np.float64)) == test.labels
    return right


def transfer_section(
    ask: Callable[[LabeledImages], Answers], sets: Sequence[TransferImages]
) -> TransferSection:
    """Probe the model's embeddings on each of these data sets; needs one at least."""
    return TransferSection(sets=tuple(_probed_set(ask, one) for one in sets))


def _probed_set(ask: Callable[[LabeledImages], Answers], one: TransferImages) -> TransferSet:
    train, test = ask(one.train), ask(one.test)
    classes, counts = np.unique(test.labels, return_counts=True)
    return TransferSet(
        name=one.name,
        sha256=one.sha256,
        classes=len(np.union1d(classes, train.labels)),
        train=len(train),
        test=len(test),
        accuracy=share(probed(train, test)),
        majority=float(counts.max() / counts.sum()),
    )
