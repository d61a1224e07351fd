"""A linear probe of frozen embeddings on another data set."""

import numpy as np
from jaxtyping import Bool
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from training.evaluation.answers import Answers

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
