"""The test images of one run that are searched and paired, alike for trained and unseen classes."""

from functools import cached_property

import numpy as np
from jaxtyping import Float64, Int64

from models.manifest import Metric
from training.data.sampling import stratified
from training.evaluation.answers import Answers
from training.evaluation.collapse import unit_rows
from training.evaluation.consistency import ThresholdErrors
from training.evaluation.pair_scores import Scores, pair_scores

_IMAGES = 10_000  # as in a single report

Points = Float64[np.ndarray, "n d"]
Rows = Int64[np.ndarray, " n"]


class SearchedImages:
    """The part of a run's answers about test images that retrieval and verification read."""

    metric: Metric
    test: Answers

    @cached_property
    def rows(self) -> Rows:
        """The images' rows, of each class in proportion."""
        return stratified(self.test.labels, _IMAGES, seed=0)

    @cached_property
    def labels(self) -> Rows:
        """Their labels."""
        labels: Rows = self.test.labels[self.rows]
        return labels

    @cached_property
    def points(self) -> Points:
        """Their embeddings, at unit length where the metric is cosine."""
        points = self.test.embeddings[self.rows].astype(np.float64)
        return unit_rows(points) if self.metric == "cosine" else points

    @cached_property
    def pairs(self) -> Scores:
        """The scores of all their pairs."""
        return pair_scores(self.points, self.labels, self.metric)

    @cached_property
    def operating(self) -> ThresholdErrors | None:
        """Each class at each threshold of a pair."""
        return ThresholdErrors.of(self.points, self.labels, self.metric, self.pairs)
