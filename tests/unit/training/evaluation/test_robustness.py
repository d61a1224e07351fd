"""Changed images: each change does what its name says, and answers to them are counted."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.support.tiny_runs import sample
from training.data.dataset import LabeledImages
from training.evaluation import corruptions
from training.evaluation.corruptions import CHANGES, Corruption, Images
from training.evaluation.figures.robustness import describe_robustness, draw_robustness
from training.evaluation.robustness import changed, robustness
from training.export.onnx import open_session, run

MODEL = Path(__file__).parents[4] / "models" / "registry" / "softmax" / "1" / "model.onnx"


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabeledImages]:
    yield sample(tmp_path_factory.mktemp("cache"))[0].test


@pytest.fixture
def images(part: LabeledImages) -> Images:
    found: Images = part.images.numpy()
    return found


def at(name: str, strength: float, images: Images) -> np.ndarray:
    change = next(one for one in CHANGES if one.name == name)
    return changed(change, float(strength), images).astype(np.float64)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_a_change_is_the_same_each_time_and_changes_something(
    change: Corruption, images: Images
) -> None:
    for strength in change.strengths:
        first = changed(change, strength, images)
        assert first.shape == images.shape
        assert first.dtype == np.uint8
        assert (first != images).any()
        np.testing.assert_array_equal(first, changed(change, strength, images))


def test_noise_has_the_deviation_that_it_names() -> None:
    flat = np.full((20, 32, 32, 3), 128, np.uint8)
    noise = at("gaussian-noise", 8, flat) - 128
    assert noise.std() == pytest.approx(8, rel=0.02)
    assert np.corrcoef(noise.reshape(-1, 3).T)[0, 1] == pytest.approx(0, abs=0.02)


def test_noise_in_color_leaves_brightness(images: Images) -> None:
    luma = np.array([0.299, 0.587, 0.114])
    middle = images // 2 + 64  # next to nothing is cut off
    noise = at("chroma-noise", 16, middle) - middle
    assert np.quantile(abs(noise @ luma), 0.999) <= 0.5  # rounding
    assert noise.std() > 8


def test_light_color_and_contrast(images: Images) -> None:
    assert (at("brightness", 64, images) >= images).all()
    assert (at("brightness", -64, images) == np.maximum(images.astype(int) - 64, 0)).all()
    grays = at("gray", 1, images)
    assert (grays.max(axis=-1) == grays.min(axis=-1)).all()
    halved = at("contrast", 0.5, images).std(axis=(1, 2))
    np.testing.assert_allclose(halved, images.std(axis=(1, 2)) / 2, atol=0.5)


def test_shrinking_leaves_a_border_of_the_mean_color_and_turning_keeps_the_center() -> None:
    white = np.zeros((1, 32, 32, 3), np.uint8)
    white[:, 8:24, 8:24] = 255
    small = at("scale", 0.5, white)[0]
    assert (small[:8] == round(255 / 4)).all()
    assert (small[14:18, 14:18] == 255).all()
    large = at("scale", 1.5, white)[0]
    assert large.mean() > white.mean() * 2
    assert (at("rotation", 30, white)[0, 14:18, 14:18] == 255).all()


def test_blur_takes_detail_and_jpeg_takes_more_at_lower_quality(images: Images) -> None:
    gaps = [abs(at("jpeg", quality, images) - images).mean() for quality in (75, 50, 25)]
    assert gaps == sorted(gaps)
    detail = [
        abs(np.diff(one, axis=1)).mean()
        for one in (images.astype(float), at("blur", 0.5, images), at("blur", 1, images))
    ]
    assert detail == sorted(detail, reverse=True)


def test_what_a_published_model_answers_to_changed_images(
    part: LabeledImages, tmp_path: Path
) -> None:
    session = open_session(MODEL)
    ask, labels = partial(run, session), part.labels.numpy()
    found = robustness(ask, part.images.numpy(), labels)
    assert len(found.changed) == sum(len(one.strengths) for one in CHANGES)
    probabilities = run(session, part.images.numpy())[1]
    assert found.unchanged.accuracy.value == (probabilities.argmax(axis=1) == labels).mean()
    assert found.unchanged.mean_confidence == pytest.approx(probabilities.max(axis=1).mean())
    noisy = corruptions.gaussian_noise(
        part.images.numpy(), 16.0, np.random.default_rng([0, *b"gaussian-noise 16"])
    )
    row = found.at("gaussian-noise", 16)
    assert row is not None
    right = run(session, noisy)[1].argmax(axis=1) == labels
    assert row.accuracy.value == right.mean()
    assert found.kept(row) == right.mean() / found.unchanged.accuracy.value
    draw_robustness(found, tmp_path / "robustness.svg")
    assert "Gaussian noise 16" in (tmp_path / "robustness.svg").read_text()
    assert describe_robustness(found).name == "robustness"


def test_a_part_is_the_same_for_every_model_and_says_so(part: LabeledImages) -> None:
    seen: list[Images] = []

    def ask(images: Images) -> tuple[np.ndarray, np.ndarray]:
        seen.append(images)
        even = np.full((len(images), 10), 0.1, np.float32)
        return np.zeros((len(images), 2), np.float32), even

    twice = [robustness(ask, part.images.numpy(), part.labels.numpy(), 30) for _ in range(2)]
    assert (twice[0].images, twice[0].of, twice[0].unchanged.n) == (30, len(part), 30)
    half = len(seen) // 2
    for first, second in zip(seen[:half], seen[half:], strict=True):
        np.testing.assert_array_equal(first, second)
