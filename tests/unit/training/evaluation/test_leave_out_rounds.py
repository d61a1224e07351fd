"""Retrieval among classes that a model never saw, in its report."""

import pytest

from models.manifest import Metric
from tests.support.clusters import clusters
from training.comparison.unseen_measures import UnseenAnswers, unseen_values
from training.evaluation.leave_out_rounds import unseen_retrieval


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_a_report_and_a_comparison_measure_unseen_classes_alike(metric: Metric) -> None:
    unseen = clusters([row % 4 for row in range(120)], metric, seed=3)
    found, expected = unseen_retrieval(unseen, metric), unseen_values(UnseenAnswers(metric, unseen))
    assert found is not None
    assert (found.images, found.classes) == (120, 4)
    for name in ("recall_at_1", "map_at_r", "eer", "opis"):
        one = getattr(found, name)
        assert one.value == pytest.approx(expected[f"unseen_{name}"]), name
        assert one.low < one.value < one.high, name


def test_one_unseen_class_cannot_be_distinguished() -> None:
    assert unseen_retrieval(clusters([2] * 40, "l2", seed=3), "l2") is None
