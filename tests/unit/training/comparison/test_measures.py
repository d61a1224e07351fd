"""Each headline metric is the one that a single report states."""

import pytest

from models.evidence.confidence import Calibration
from models.evidence.estimate import Estimate
from models.evidence.unknowns import LeaveOutRound, ScorerResult
from models.manifest import Metric, Scorer
from tests.support.clusters import clusters
from training.comparison.catalog import MEASURES
from training.comparison.measures import RunOutputs, round_values, run_values
from training.evaluation.classification import classification_section
from training.evaluation.confidence import confidence_section
from training.evaluation.geometry import geometry
from training.evaluation.retrieval import retrieval
from training.evaluation.verification import verification

NAMES = ("a", "b", "c")


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_a_run_is_measured_as_in_its_report(metric: Metric) -> None:
    train = clusters([row % 3 for row in range(90)], metric, seed=1)
    test = clusters([row % 3 for row in range(150)], metric, seed=2)
    found = run_values(RunOutputs(metric, train, test))

    sure = confidence_section(
        test, test, train, Calibration(temperature=1.0, nll_before=1.0, nll_after=1.0, n=90)
    )
    searched, paired = retrieval(test, train, metric), verification(test, metric)
    lie = geometry(train, test, NAMES, metric)
    assert searched.map_at_r and searched.recall_at_1 and lie.margin
    assert paired.eer and paired.opis and sure.selective.augrc
    assert found == pytest.approx(
        {
            "accuracy": classification_section(test, NAMES, None).accuracy.value,
            "map_at_r": searched.map_at_r.value,
            "recall_at_1": searched.recall_at_1.value,
            "eer": paired.eer.value,
            "tar_at_far_1e-3": paired.tar_at_far[1].tar.value,
            "ece": sure.after.ece.value,
            "adaptive_ece": sure.after.adaptive_ece.value,
            "nll": sure.after.nll,
            "aurc": sure.selective.aurc,
            "augrc": sure.selective.augrc.value,
            "opis": paired.opis.value,
            "fisher_ratio": lie.fisher_ratio,
            "angular_margin": lie.margin.mean_rad,
        }
    )


def result(scorer: Scorer, auroc: float, selection: float | None) -> ScorerResult:
    value = Estimate(value=auroc, low=auroc, high=auroc)
    return ScorerResult(scorer=scorer, auroc=value, fpr95=1 - auroc, selection_auroc=selection)


def test_the_scorer_is_chosen_by_training_images() -> None:
    scored = LeaveOutRound(
        left_out=("d",),
        known=9,
        unknown=3,
        scorers=(
            result("max_probability", 0.9, 0.6),
            result("knn_distance", 0.7, 0.8),  # worse on the test images, and still the choice
        ),
    )
    assert round_values(scored) == pytest.approx({"unknown_auroc": 0.7, "unknown_fpr95": 0.3})


def test_a_round_without_scores_has_no_measures() -> None:
    assert round_values(LeaveOutRound(left_out=("d",), known=9, unknown=1, scorers=())) == {}


def test_every_goal_is_decided_by_one_measure() -> None:
    goals = [measure.goal for measure in MEASURES if measure.goal]
    assert len(goals) == len(set(goals)) == 6
    assert len({measure.name for measure in MEASURES}) == len(MEASURES)
