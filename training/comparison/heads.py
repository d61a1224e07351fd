"""Read one set of embeddings with four heads, so that loss and head are not confounded."""

import numpy as np
from jaxtyping import Float64, Int64
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from models.comparison import Reader
from models.manifest import Metric
from training.evaluation.answers import Answers
from training.evaluation.collapse import unit_rows
from training.evaluation.retrieval import neighbor_labels

NEIGHBORS = 20
_ITERATIONS = 1000


def head_swap(metric: Metric, train: Answers, test: Answers) -> dict[Reader, float]:
    """Test accuracy of the same embeddings by each reader; all are fitted on `train`.

    The class means and the linear probe (logistic regression on standardized embeddings, L2
    strength C = 1) read embeddings as served; k-NN takes the 20 nearest training images in the
    served metric.
    """
    fitted = _points(train, metric)
    asked = _points(test, metric)
    means = NearestCentroid().fit(fitted, train.labels)
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=_ITERATIONS))
    probe.fit(fitted, train.labels)
    k = min(NEIGHBORS, len(train))
    predicted: dict[Reader, Int64[np.ndarray, " n"]] = {
        "own head": test.predicted,
        "nearest class mean": means.predict(asked),
        "k-NN": neighbor_labels(test.embeddings, train, k, metric),
        "linear probe": probe.predict(asked),
    }
    return {reader: float((given == test.labels).mean()) for reader, given in predicted.items()}


def _points(answers: Answers, metric: Metric) -> Float64[np.ndarray, "n d"]:
    points = answers.embeddings.astype(np.float64)
    return unit_rows(points) if metric == "cosine" else points
