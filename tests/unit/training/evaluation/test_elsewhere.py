"""Other data sets, asked of a served model, against scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from models.manifest import Preprocess
from training.data.dataset import Dataset, LabeledImages
from training.data.other_datasets import far_sets, transfer_sets
from training.evaluation.answers import Answers
from training.evaluation.elsewhere import OtherFolders, ServedAnswers, transfer, unknown_sets

SPEC = Preprocess(size_px=16)
RANDOM = np.random.default_rng(7)
PROJECTION = RANDOM.normal(size=(16 * 16 * 3, 6))


def ask(part: LabeledImages) -> Answers:
    """A model of three classes: random directions of the pixels, and a softmax of three of them."""
    flat = part.images.numpy().reshape(len(part), -1) / 255 @ PROJECTION
    scores = flat[:, :3] / 4
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    probabilities = (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)
    unit = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    return Answers(unit.astype(np.float32), probabilities, part.labels.numpy(), part.ids)


def images(count: int, bright: int) -> LabeledImages:
    pixels = RANDOM.integers(0, bright, (count, 16, 16, 3)).astype(np.uint8)
    labels = torch.arange(count) % 3
    return LabeledImages(torch.from_numpy(pixels), labels, tuple(str(row) for row in range(count)))


def dataset(name: str, bright: int) -> Dataset:
    return Dataset(
        name=name,
        edition="made",
        sha256=name[0] * 64,
        class_names=("a", "b", "c"),
        train=images(60, bright),
        test=images(45, bright),
    )


@pytest.fixture(scope="module")
def served() -> ServedAnswers:
    parts = [ask(images(count, 200)) for count in (90, 80, 100)]
    return ServedAnswers("cosine", *parts)


def test_each_set_is_judged_against_the_test_images(served: ServedAnswers) -> None:
    folders = OtherFolders(near=(dataset("birds", 210),), far=(dataset("dark", 20),))
    found = {one.name: one for one in unknown_sets(ask, SPEC, served, folders)}
    assert {name: one.kind for name, one in found.items()} == {
        "birds": "near",
        "digits": "far",
        "noise": "far",
        "dark": "far",
    }
    assert {one.known for one in found.values()} == {100}
    known = 1 - served.test.probabilities.max(axis=1)
    threshold = np.quantile(
        1 - served.calibration.probabilities.max(axis=1), 0.95, method="inverted_cdf"
    )
    for far in far_sets(SPEC, folders.far):
        unknown = 1 - ask(far.images).probabilities.max(axis=1)
        row = next(one for one in found[far.name].scorers if one.scorer == "max_probability")
        truth = np.repeat([0, 1], [len(known), len(unknown)])
        expected = roc_auc_score(truth, np.concatenate([known, unknown]))
        assert row.auroc.value == pytest.approx(expected)
        assert row.accepted == pytest.approx((unknown <= threshold).mean())
        assert row.selection_auroc is None
        assert found[far.name].unknown == len(unknown)


def test_every_scorer_that_a_gallery_allows_is_tried(served: ServedAnswers) -> None:
    whole = unknown_sets(ask, SPEC, served, OtherFolders())
    assert {len(one.scorers) for one in whole} == {5}
    none = served.gallery.take(np.empty(0, np.int64))
    bare = ServedAnswers("cosine", none, served.calibration, served.test)
    assert {len(one.scorers) for one in unknown_sets(ask, SPEC, bare, OtherFolders())} == {1}


def test_a_set_has_no_say_in_the_threshold(served: ServedAnswers) -> None:
    alone = unknown_sets(ask, SPEC, served, OtherFolders())
    beside = unknown_sets(ask, SPEC, served, OtherFolders(far=(dataset("dark", 20),)))
    assert beside[: len(alone)] == alone


def test_transfer_is_a_logistic_regression_on_frozen_embeddings() -> None:
    section = transfer(ask, SPEC, OtherFolders(transfer=(dataset("birds", 210),)))
    assert [one.name for one in section.sets] == ["digits", "birds"]
    digits, birds = section.sets
    assert (digits.classes, birds.classes, birds.train, birds.test) == (10, 3, 60, 45)
    assert birds.majority == pytest.approx(15 / 45)
    made = transfer_sets(SPEC)[0]
    train, test = ask(made.train), ask(made.test)
    scaler = StandardScaler().fit(train.embeddings)
    probe = LogisticRegression(max_iter=1000).fit(scaler.transform(train.embeddings), train.labels)
    expected = probe.score(scaler.transform(test.embeddings), test.labels)
    assert digits.accuracy.value == pytest.approx(expected, abs=2 / digits.test)
    assert digits.train + digits.test == 1797
