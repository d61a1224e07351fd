"""Unknowns against scikit-learn, DeLong's double sums and loops over distances."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score, roc_curve

from models.evidence.unknowns import LeaveOutRound, ScorerResult
from models.manifest import Metric, Scorer
from models.open_set import reference, scores
from tests.support.clusters import clusters
from training.evaluation.answers import Answers
from training.evaluation.unknowns import (
    FarAnswers,
    LeaveOutAnswers,
    accepting,
    auroc,
    fit_rule,
    fpr95,
    score_round,
    unknowns,
)

METRICS: tuple[Metric, ...] = ("cosine", "l2")
SCORERS: tuple[Scorer, ...] = (
    "max_probability",
    "class_mean_distance",
    "knn_distance",
    "relative_mahalanobis",
    "principal_residual",
)


@pytest.fixture(params=METRICS)
def metric(request: pytest.FixtureRequest) -> Metric:
    chosen: Metric = request.param
    return chosen


def some(n: int, metric: Metric, seed: int, known: bool = True) -> Answers:
    """Of classes 0 to 2; the unknown ones lie at other centers, with the same 3 probabilities."""
    own = clusters([row % 3 for row in range(n)], metric, seed, classes=3, dimension=6)
    if known:
        return own
    other = clusters([3 + row % 2 for row in range(n)], metric, seed, classes=5, dimension=6)
    return Answers(other.embeddings, own.probabilities, own.labels, own.ids)


def left_out(metric: Metric) -> LeaveOutAnswers:
    return LeaveOutAnswers(
        names=("ant", "bee"),
        gallery=some(30, metric, 1),
        calibration=some(40, metric, 2),
        known=some(60, metric, 3),
        unknown=some(50, metric, 4, known=False),
        unknown_train=some(45, metric, 5, known=False),
    )


def values(seed: int, n: int, shift: float = 0.0) -> np.ndarray:
    """Scores with many ties."""
    drawn = np.random.default_rng(seed).normal(size=n) + shift
    return (drawn.round(1)).astype(np.float32)


@pytest.mark.parametrize("seed", range(5))
def test_auroc_is_scikit_learns_and_its_variance_delongs(seed: int) -> None:
    known, unknown = values(seed, 60), values(seed + 50, 40, 0.8)
    found = auroc(known, unknown)
    truth = [0] * 60 + [1] * 40
    assert found.value == pytest.approx(roc_auc_score(truth, np.concatenate([known, unknown])))
    wins = np.array([[(u > k) + (u == k) / 2 for k in known] for u in unknown])
    by_unknown, by_known = wins.mean(axis=1), wins.mean(axis=0)
    area = wins.mean()
    s10 = sum((v - area) ** 2 for v in by_unknown) / 39
    s01 = sum((v - area) ** 2 for v in by_known) / 59
    reach = 2.0227 * math.sqrt(s10 / 40 + s01 / 60)  # Student's t, 39 degrees of freedom
    assert found.low == pytest.approx(area - reach, abs=0.02)
    assert found.high == pytest.approx(area + reach, abs=0.02)
    assert found.high - area < area - found.low


@pytest.mark.parametrize("truth", [0.5, 0.8, 0.95, 0.99])
@pytest.mark.parametrize("kinds", [(10, 10), (60, 30), (400, 400)])
def test_the_interval_of_auroc_holds_the_truth(truth: float, kinds: tuple[int, int]) -> None:
    random, draws = np.random.default_rng(3), 200
    shift, held = math.sqrt(2) * norm.ppf(truth), 0
    for _ in range(draws):
        known, unknown = (random.normal(size=n).astype(np.float32) for n in kinds)
        found = auroc(known, unknown + np.float32(shift))
        held += found.low <= truth <= found.high
    assert held / draws >= 0.9


def test_an_interval_stays_within_0_and_1() -> None:
    apart = auroc(np.zeros(5, np.float32), np.ones(4, np.float32))
    assert (apart.value, apart.high) == (1, 1)
    assert apart.low < 0.8
    assert auroc(values(1, 5), values(2, 5, 1.5)).high <= 1
    single = auroc(values(1, 5), np.ones(1, np.float32))
    assert (single.low, single.high) == (0, 1)


@pytest.mark.parametrize("n", [1, 2, 19, 20, 21, 40, 99, 100, 140, 1000, 1999])
def test_the_threshold_is_the_least_that_accepts_95_percent(n: int) -> None:
    known = np.random.default_rng(n).permutation(n).astype(np.float32)
    threshold = accepting(known)
    assert (known <= threshold).sum() * 100 >= 95 * n
    assert (known < threshold).sum() * 100 < 95 * n


@pytest.mark.parametrize("seed", range(5))
def test_fpr95_is_read_off_the_roc(seed: int) -> None:
    known, unknown = values(seed, 77), values(seed + 50, 40, 1.5)
    fpr, tpr, _ = roc_curve(
        [1] * 77 + [0] * 40, -np.concatenate([known, unknown]), drop_intermediate=False
    )
    assert fpr95(known, unknown) == pytest.approx(fpr[tpr >= 0.95].min())


def fitted(scorer: Scorer, answers: Answers, gallery: Answers, metric: Metric) -> list[float]:
    """From covariances, as in tests/unit/models/test_shape.py, which derives them naively."""
    compared = reference(scorer, None, metric, gallery.embeddings, gallery.labels)
    return [
        float(scores(scorer, row[None], answers.probabilities[:1], compared)[0])
        for row in answers.embeddings
    ]


def distances(scorer: Scorer, answers: Answers, gallery: Answers, metric: Metric) -> list[float]:
    """Each scorer by its words."""
    if scorer == "max_probability":
        return [1 - max(row) for row in answers.probabilities.tolist()]
    if scorer in ("relative_mahalanobis", "principal_residual"):
        return fitted(scorer, answers, gallery, metric)
    found = []
    rows = gallery.embeddings.astype(float)
    means = np.array([rows[gallery.labels == label].mean(axis=0) for label in range(3)])
    for query in answers.embeddings.astype(float):
        others = means if scorer == "class_mean_distance" else rows
        if metric == "cosine":
            near = [1 - float(query @ r) / math.hypot(*query) / math.hypot(*r) for r in others]
        else:
            near = [math.dist(query, row) for row in others]
        found.append(sorted(near)[9 if scorer == "knn_distance" else 0])
    return found


def test_a_round_scores_test_images_and_chooses_by_training_images(metric: Metric) -> None:
    parts = left_out(metric)
    found = score_round(parts, metric)
    assert (found.left_out, found.known, found.unknown) == (("ant", "bee"), 60, 50)
    assert [row.scorer for row in found.scorers] == list(SCORERS)
    assert parts.unknown_train is not None
    for row in found.scorers:
        known, unknown, calibration, train = (
            distances(row.scorer, images, parts.gallery, metric)
            for images in (parts.known, parts.unknown, parts.calibration, parts.unknown_train)
        )
        assert row.auroc.value == pytest.approx(roc_auc_score([0] * 60 + [1] * 50, known + unknown))
        assert row.fpr95 == pytest.approx(
            fpr95(np.array(known, np.float32), np.array(unknown, np.float32))
        )
        assert row.selection_auroc == pytest.approx(
            roc_auc_score([0] * 40 + [1] * 45, calibration + train)
        )
        least = sorted(calibration)[math.ceil(0.95 * 40) - 1]
        accepted = [score <= least + 1e-6 * abs(least) for score in unknown]
        assert row.accepted == pytest.approx(sum(accepted) / 50)


def test_far_images_are_judged_by_what_the_left_out_classes_chose(metric: Metric) -> None:
    parts = left_out(metric)
    far = clusters([5] * 25, metric, 6, classes=6, dimension=6)
    found = score_round(replace(parts, far=(FarAnswers("moon", "0" * 64, far),)), metric)
    (moon,) = found.far
    assert (moon.name, moon.unknown) == ("moon", 25)
    for near, row in zip(found.scorers, moon.scorers, strict=True):
        known, unknown = (
            distances(row.scorer, images, parts.gallery, metric) for images in (parts.known, far)
        )
        assert row.auroc.value == pytest.approx(roc_auc_score([0] * 60 + [1] * 25, known + unknown))
        assert (row.scorer, row.selection_auroc) == (near.scorer, near.selection_auroc)
    assert found.model_copy(update={"far": ()}) == score_round(parts, metric)


def test_a_round_without_some_images(metric: Metric) -> None:
    assert score_round(replace(left_out(metric), unknown=some(0, metric, 4)), metric).scorers == ()
    assert score_round(replace(left_out(metric), known=some(0, metric, 3)), metric).scorers == ()
    unchosen = score_round(replace(left_out(metric), unknown_train=None), metric).scorers
    assert [row.selection_auroc for row in unchosen] == [None] * len(SCORERS)
    blind = score_round(replace(left_out(metric), gallery=some(0, metric, 1)), metric).scorers
    assert [row.scorer for row in blind] == ["max_probability"]


@pytest.mark.parametrize("scorer", SCORERS)
def test_a_rule_accepts_95_percent_of_the_calibration_images(
    metric: Metric, scorer: Scorer
) -> None:
    gallery, calibration = some(30, metric, 1), some(41, metric, 2)
    rule = fit_rule(scorer, metric, calibration, gallery)
    expected = sorted(distances(scorer, calibration, gallery, metric))[math.ceil(0.95 * 41) - 1]
    assert rule.threshold == pytest.approx(expected, rel=1e-5, abs=1e-7)
    assert (rule.scorer, rule.accepts) == (scorer, 0.95)
    assert rule.k == (10 if scorer == "knn_distance" else None)


def test_k_is_no_more_than_the_gallery_has(metric: Metric) -> None:
    assert fit_rule("knn_distance", metric, some(9, metric, 2), some(4, metric, 1)).k == 4


def a_round(**chosen: tuple[float, float | None]) -> LeaveOutRound:
    """A round of test and selection AUROC for each scorer."""
    unknown = np.arange(50, dtype=np.float32)
    rows = tuple(
        ScorerResult(
            scorer=scorer,
            auroc=auroc(unknown, unknown).model_copy(update={"value": chosen[scorer][0]}),
            fpr95=1 - chosen[scorer][0],
            selection_auroc=chosen[scorer][1],
        )
        for scorer in SCORERS
        if scorer in chosen
    )
    return LeaveOutRound(left_out=("ant",), known=5, unknown=5, scorers=rows)


ROUNDS = (
    a_round(max_probability=(0.9, 0.7), class_mean_distance=(0.6, 0.9), knn_distance=(0.5, 0.5)),
    a_round(max_probability=(0.9, 0.7), class_mean_distance=(0.4, 0.6), knn_distance=(0.7, 0.8)),
)


def test_the_scorer_is_chosen_by_training_images_and_the_rounds_are_averaged(
    metric: Metric,
) -> None:
    parts = some(30, metric, 1), some(40, metric, 2), some(60, metric, 3)
    section = unknowns(ROUNDS, metric, *parts)
    assert section.rounds == ROUNDS
    means = {row.scorer: (row.auroc, row.fpr95, row.selection_auroc) for row in section.means}
    assert means["max_probability"] == pytest.approx((0.9, 0.1, 0.7))
    assert means["class_mean_distance"] == pytest.approx((0.5, 0.5, 0.75))
    assert means["knn_distance"] == pytest.approx((0.6, 0.4, 0.65))
    assert section.chosen_by == "selection_auroc"
    assert section.rule == fit_rule("class_mean_distance", metric, parts[1], parts[0])
    known = np.array(distances("class_mean_distance", parts[2], parts[0], metric))
    assert section.test_accepted == (known <= section.rule.threshold).mean()


def test_without_training_images_of_left_out_classes_test_images_choose_nothing() -> None:
    unchosen = a_round(
        max_probability=(0.5, None), class_mean_distance=(0.9, None), knn_distance=(0.8, None)
    )
    parts = some(30, "l2", 1), some(40, "l2", 2), some(60, "l2", 3)
    for rounds in ((), (unchosen,), (unchosen, *ROUNDS)):
        section = unknowns(rounds, "l2", *parts)
        assert (section.rule.scorer, section.chosen_by) == ("max_probability", "default")


def test_equal_scorers_are_chosen_by_their_order() -> None:
    equal = a_round(
        max_probability=(0.5, 0.8), class_mean_distance=(0.9, 0.8), knn_distance=(0.8, 0.8)
    )
    parts = some(30, "l2", 1), some(40, "l2", 2), some(60, "l2", 3)
    assert unknowns((equal,), "l2", *parts).rule.scorer == "max_probability"


def test_a_model_without_a_gallery_or_test_images_has_a_rule_on_probability() -> None:
    section = unknowns(ROUNDS, "l2", some(0, "l2", 1), some(40, "l2", 2), some(0, "l2", 3))
    assert section.rule.scorer == "max_probability"
    assert section.test_accepted is None


def test_a_split_that_is_certain_does_not_make_everything_unknown() -> None:
    """The threshold was 0, which no image that is a little unsure can be below."""
    certain = replace(
        some(12, "cosine", 2), probabilities=np.eye(4, dtype=np.float32)[np.zeros(12, int)]
    )
    rule = fit_rule("max_probability", "cosine", certain, certain)
    assert rule.threshold == pytest.approx(1 / 14)
    for scorer in ("class_mean_distance", "knn_distance"):
        same = replace(certain, embeddings=np.ones_like(certain.embeddings))
        assert fit_rule(scorer, "l2", same, same).threshold > 0
