"""Photographs in, trained, exported, published, served and asked: the whole path."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from models.report import Report
from tests.e2e.conftest import SAMPLE
from tests.support.serving import ready
from training.losses import LOSSES

pytestmark = pytest.mark.trained

LABELS = sorted(path.name for path in (SAMPLE / "test").iterdir())
TEST_IMAGES = sorted((SAMPLE / "test").glob("*/*.jpg"))
CAT = SAMPLE / "test" / "cat"


@pytest.fixture(scope="module")
def client(trained: Path) -> Iterator[httpx.Client]:
    with ready(trained / "registry") as running:
        yield running


def files(paths: list[Path]) -> list[tuple[str, tuple[str, bytes, str]]]:
    return [("image", (path.name, path.read_bytes(), "image/jpeg")) for path in paths]


@pytest.mark.parametrize("loss", LOSSES)
def test_the_reports_confusion_matrix_is_what_the_service_answers(
    client: httpx.Client, loss: str
) -> None:
    report = Report.model_validate(client.get(f"/report/{loss}").json())
    answer = client.post("/classify", params={"loss": loss}, files=files(TEST_IMAGES))
    counts = np.zeros((10, 10), dtype=int)
    for path, prediction in zip(TEST_IMAGES, answer.json()["predictions"], strict=True):
        counts[LABELS.index(path.parent.name), LABELS.index(prediction["label"])] += 1
    found = report.classification
    assert found.confusion is not None
    assert found.n == len(TEST_IMAGES) == 100
    assert counts.tolist() == [list(row) for row in found.confusion.counts]
    assert found.accuracy.value == pytest.approx(counts.trace() / 100)


@pytest.mark.parametrize("loss", [loss for loss in LOSSES if loss != "softmax"])
def test_errors_are_counted_against_the_softmax_model(client: httpx.Client, loss: str) -> None:
    ours, theirs = (
        Report.model_validate(client.get(f"/report/{name}").json()).classification
        for name in (loss, "softmax")
    )
    assert theirs.against_softmax is None  # itself
    assert ours.against_softmax is not None
    assert ours.against_softmax.baseline_accuracy == pytest.approx(theirs.accuracy.value)
    for row, own, baseline in zip(
        ours.against_softmax.classes, ours.classes, theirs.classes, strict=True
    ):
        assert row.false_positives_difference == own.false_positives - baseline.false_positives
        assert row.false_negatives_difference == own.false_negatives - baseline.false_negatives


@pytest.mark.parametrize("loss", LOSSES)
def test_a_training_image_is_its_own_nearest_neighbor(client: httpx.Client, loss: str) -> None:
    gallery_image = None
    for path in sorted((SAMPLE / "train" / "cat").iterdir()):
        answer = client.post(
            "/neighbors", params={"loss": loss, "k": 1}, content=path.read_bytes(),
            headers={"content-type": "image/jpeg"},
        )  # fmt: skip
        (nearest,) = answer.json()["neighbors"][0]
        if nearest["id"] == f"train/cat/{path.name}":
            gallery_image = nearest
            break
    assert gallery_image is not None
    assert gallery_image["label"] == "cat"
    thumbnail = client.get(gallery_image["thumbnail"])
    assert thumbnail.headers["content-type"] == "image/jpeg"


@pytest.mark.parametrize("loss", LOSSES)
def test_the_figures_and_the_page_are_served(client: httpx.Client, loss: str) -> None:
    report = Report.model_validate(client.get(f"/report/{loss}").json())
    for figure in report.figures:
        svg = client.get(f"/report/{loss}/figures/{figure.name}.svg")
        assert svg.status_code == 200
        assert svg.headers["content-type"].startswith("image/svg+xml")
    page = client.get(f"/report/{loss}", headers={"accept": "text/html"})
    assert f"{100 * report.classification.accuracy.value:.2f}" in page.text


@pytest.mark.parametrize("loss", LOSSES)
def test_provenance_says_what_was_run(client: httpx.Client, loss: str) -> None:
    provenance = Report.model_validate(client.get(f"/report/{loss}").json()).provenance
    dataset = provenance.dataset
    assert (dataset.train, dataset.tuning, dataset.calibration, dataset.test) == (320, 40, 40, 100)
    assert provenance.recipe["loss"] == loss
    assert provenance.recipe["epochs"] == 1
    assert provenance.command.startswith("python -m training run --loss all")
    assert provenance.training_seconds > 0


def test_every_new_model_has_its_map_and_its_test_images(client: httpx.Client) -> None:
    maps = [client.get(f"/report/{loss}/map").json() for loss in LOSSES]
    assert [one.get("tests") for one in maps] == [len(TEST_IMAGES)] * len(maps)
    assert len({one["images_sha256"] for one in maps}) == 1  # so that their planes are comparable
    begun = [
        loss for loss, one in zip(LOSSES, maps, strict=True) if "another model" in one["method"]
    ]
    assert begun == [loss for loss in LOSSES if loss != "softmax"]
    sheet = client.get(maps[0]["sheets"]["addresses"][0])
    assert (sheet.status_code, sheet.headers["content-type"]) == (200, "image/jpeg")
    position = client.post("/report/softmax/position", files=files(TEST_IMAGES[:1])).json()
    assert len(position["positions"]) == 1
