"""Measures of other data sets and of changed images: their values, and what resamples move."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from models.manifest import Preprocess
from tests.unit.training.comparison.test_influence import answers
from tests.unit.training.comparison.test_runs import DATASET, PROTOCOL
from training.comparison.catalog import MEASURES
from training.comparison.corrupted import (
    ERROR,
    IMAGES,
    STRENGTHS,
    corrupted_measures,
    least_confidence,
)
from training.comparison.far_measures import far_moves, far_values
from training.comparison.other_sets import OtherImages, OtherSets
from training.comparison.run_result import Measured
from training.comparison.runs import ComparisonFolder
from training.comparison.summary import summarize
from training.comparison.transfer import transfer_measures
from training.data.dataset import Dataset, LabeledImages
from training.data.other_datasets import far_sets, transfer_sets
from training.data.sampling import stratified
from training.errors import InvalidRun
from training.evaluation.answers import Answers
from training.evaluation.corruptions import CHANGES
from training.evaluation.robustness import changed
from training.evaluation.unknowns import FarAnswers, LeaveOutAnswers, score_round

SPEC = Preprocess(size_px=16, half_scale=False)


def folder(name: str, count: int = 40, seed: int = 1) -> Dataset:
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (count, 16, 16, 3), generator=generator).to(torch.uint8)
    part = LabeledImages(pixels, torch.arange(count) % 2, tuple(str(row) for row in range(count)))
    return Dataset(name, "png", f"{seed}" * 64, ("a", "b"), part, part)


def test_every_strength_is_one_that_reports_have() -> None:
    assert list(STRENGTHS) == [change.name for change in CHANGES]
    assert all(STRENGTHS[change.name] in change.strengths for change in CHANGES)


def test_digits_and_noise_need_no_files_and_are_the_same_each_time() -> None:
    digits, noise = far_sets(SPEC)
    assert (digits.name, len(digits.images)) == ("digits", 1797)
    assert (noise.name, len(noise.images)) == ("noise", 2000)
    assert digits.images.images.shape[1:] == (16, 16, 3)
    assert [one.sha256 for one in far_sets(SPEC)] == [digits.sha256, noise.sha256]
    (probed,) = transfer_sets(SPEC)
    assert len(probed.train) + len(probed.test) == 1797
    shown = {one.numpy().tobytes() for one in probed.train.images}
    assert sum(one.numpy().tobytes() in shown for one in probed.test.images) <= 2


def test_a_data_set_is_not_far_from_itself_and_has_a_name_of_its_own() -> None:
    own, other = folder("own", seed=1), folder("other", seed=2)
    others = OtherImages.of(own, SPEC, [other], [other])
    assert [one.name for one in others.record.far] == ["digits", "noise", "other"]
    assert [one.name for one in others.record.transfer] == ["digits", "other"]
    for far, transfer in (([own], []), ([], [own]), ([other, other], []), ([folder("noise")], [])):
        with pytest.raises(InvalidRun):
            OtherImages.of(folder("third", seed=1), SPEC, far, transfer)


def left_out(seed: int) -> tuple[LeaveOutAnswers, tuple[str, ...]]:
    """Test images of three known and two unknown classes, and two far sets."""
    whole = answers(500, seed)
    known, unknown = np.flatnonzero(whole.labels < 3), np.flatnonzero(whole.labels >= 3)
    train = answers(600, 1)
    gallery = train.take(np.flatnonzero(train.labels < 3))
    chooser = answers(400, 2)
    parts = LeaveOutAnswers(
        names=("d", "e"),
        gallery=gallery,
        calibration=chooser.take(np.flatnonzero(chooser.labels < 3)),
        known=whole.take(known),
        unknown=whole.take(unknown),
        unknown_train=chooser.take(np.flatnonzero(chooser.labels >= 3)),
        far=tuple(
            FarAnswers(name, "0" * 64, answers(300, 1000 * place + seed, spread=1.5 + place))
            for place, name in enumerate(("near", "wide"), start=1)
        ),
    )
    return parts, whole.ids


def test_far_measures_are_means_of_the_scorer_that_left_out_classes_chose() -> None:
    scored = score_round(left_out(3)[0], "l2")
    best = max(scored.scorers, key=lambda row: row.selection_auroc or 0)
    rows = [row for one in scored.far for row in one.scorers if row.scorer == best.scorer]
    assert far_values(scored) == pytest.approx(
        {
            "unknown_accepted": best.accepted,
            "unknown_far_auroc": np.mean([row.auroc.value for row in rows]),
            "unknown_far_fpr95": np.mean([row.fpr95 for row in rows]),
            "unknown_far_accepted": np.mean([row.accepted for row in rows]),
        }
    )
    assert set(far_values(scored)) <= {measure.name for measure in MEASURES}


@pytest.mark.simulation
def test_far_moves_spread_as_other_images_would() -> None:
    spreads, values = [], []
    for seed in range(10, 90):
        parts, ids = left_out(seed)
        scored = score_round(parts, "l2")
        values.append(far_values(scored))
        if seed < 20:
            moves = far_moves(scored, parts, "l2", ids)
            spreads.append({name: np.std(each) for name, each in moves.items()})
    assert set(spreads[0]) == set(values[0])
    for name in values[0]:
        true = np.std([each[name] for each in values])
        assert np.mean([each[name] for each in spreads]) == pytest.approx(true, rel=0.4), name


def linear(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A network of one layer: probable where the mean color is."""
    points = images.reshape(len(images), -1, 3).mean(axis=1).astype(np.float32) / 32
    likely = np.exp(points - points.max(axis=1, keepdims=True))
    return points, likely / likely.sum(axis=1, keepdims=True)


def colored(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = random.integers(3, size=n)
    pixels = random.integers(60, 140, (n, 8, 8, 3)) + 60 * np.eye(3)[labels][:, None, None]
    pixels = pixels + random.normal(0, 40, (n, 1, 1, 3))
    return np.clip(pixels, 0, 255).astype(np.uint8), labels


def said(n: int, seed: int) -> Answers:
    images, labels = colored(n, seed)
    return Answers(*linear(images), labels, tuple(map(str, range(n))))


def test_changed_images_are_measured_one_by_one() -> None:
    images, labels = colored(3000, 1)
    calibration = said(400, 2)
    found = corrupted_measures(linear, images, labels, calibration)
    rows = np.sort(stratified(labels, IMAGES, seed=0))
    least = least_confidence(calibration)
    assert least is not None
    right, answered, wrong = [], [], []
    for change in CHANGES:
        shown = changed(change, STRENGTHS[change.name], images[rows])
        for p, label in zip(linear(shown)[1], labels[rows], strict=True):
            right.append(int(p.argmax()) == label)
            answered.append(float(p.max()) >= least)
            wrong.append(answered[-1] and not right[-1])
    assert found.values["corrupted_accuracy"] == pytest.approx(np.mean(right))
    assert found.values["corrupted_coverage"] == pytest.approx(np.mean(answered))
    assert found.values["corrupted_error"] == pytest.approx(np.sum(wrong) / np.sum(answered))
    assert set(found.moves) == set(found.values)


@pytest.mark.simulation
def test_changed_images_move_as_other_images_would() -> None:
    calibration = said(400, 2)
    found = [corrupted_measures(linear, *colored(300, seed), calibration) for seed in range(30)]
    for name in ("corrupted_accuracy", "corrupted_coverage", "corrupted_error"):
        true = np.std([one.values[name] for one in found])
        spread = np.mean([np.std(one.moves[name]) for one in found])
        assert spread == pytest.approx(true, rel=0.4), name


def test_the_least_confidence_keeps_the_error_it_was_asked_for() -> None:
    calibration = said(2000, 4)
    least = least_confidence(calibration)
    assert least is not None
    confidence = calibration.probabilities.max(axis=1)
    wrong = calibration.predicted != calibration.labels
    assert wrong[confidence >= least].mean() <= ERROR
    for further in np.unique(confidence[confidence < least]):
        assert wrong[confidence >= further].mean() > ERROR
    never = Answers(
        calibration.embeddings, calibration.probabilities, 9 + calibration.labels, calibration.ids
    )
    assert least_confidence(never) is None


def test_transfer_is_the_accuracy_of_a_probe() -> None:
    def ask(part: LabeledImages) -> Answers:
        points = part.images.numpy().reshape(len(part), -1)[:, ::12].astype(np.float32)
        return Answers(points, points, part.labels.numpy(), part.ids)

    (digits,) = transfer_sets(SPEC)
    found = transfer_measures(ask, [digits])
    scaler = StandardScaler().fit(ask(digits.train).embeddings.astype(np.float64))
    train, test = (
        scaler.transform(ask(part).embeddings.astype(np.float64))
        for part in (digits.train, digits.test)
    )
    probe = LogisticRegression(max_iter=1000).fit(train, digits.train.labels)
    expected = probe.score(test, digits.test.labels)
    assert found.values == pytest.approx({"transfer_accuracy": expected})
    n = len(digits.test)
    assert np.std(found.moves["transfer_accuracy"]) == pytest.approx(
        np.sqrt(expected * (1 - expected) / n), rel=0.15
    )
    assert transfer_measures(ask, []).values == {}


def test_other_data_sets_may_be_added_to_a_protocol_and_not_exchanged() -> None:
    own, other = folder("own", seed=1), folder("other", seed=2)
    none = PROTOCOL.model_copy(update={"others": OtherSets()})
    digits, more = (
        PROTOCOL.model_copy(update={"others": OtherImages.of(own, SPEC, far).record})
        for far in ([], [other])
    )
    assert none.differences(digits) == ()
    assert digits.differences(more) == digits.differences(none) == ("others",)
    assert digits.differences(digits.model_copy(update={"seeds": 9})) == ()


def test_a_comparison_holds_the_measures_of_other_data_sets(tmp_path: Path) -> None:
    small = Preprocess(size_px=8, half_scale=False)
    others = OtherImages.of(DATASET, small)
    protocol = PROTOCOL.model_copy(
        update={"recipes": PROTOCOL.recipes[:2], "others": others.record}
    )
    comparison = ComparisonFolder(tmp_path, protocol, "tiny", DATASET, others=others)
    comparison.begin()
    assert comparison.train()
    final = Measured.read(next(iter(comparison.finals())).path)
    round_ = Measured.read(next(iter(comparison.rounds())).path)
    assert {"corrupted_accuracy", "corrupted_ece", "transfer_accuracy"} <= set(final.values)
    far = {"unknown_far_auroc", "unknown_far_fpr95", "unknown_far_accepted", "unknown_accepted"}
    assert far <= set(round_.values)
    for run in (final, round_):
        assert {len(run.resampled[name]) for name in run.values} == {256}
    assert round_.unknowns is not None
    assert [one.name for one in round_.unknowns.far] == ["digits", "noise"]
    summed = {measure.name for measure in summarize(comparison).measures}
    assert far | {"corrupted_accuracy", "corrupted_coverage", "transfer_accuracy"} <= summed
