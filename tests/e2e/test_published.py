"""The committed models answer over HTTP as their reports say."""

import tarfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from models.report import Report
from models.store import Store
from tests.serving import ready
from training.losses import LOSSES

ROOT = Path(__file__).parents[2]
REGISTRY = ROOT / "models" / "registry"
ARCHIVE = ROOT.parent / "shared" / "datasets" / "cifar10-jpeg.tar.xz"
PUBLISHED = Store(REGISTRY).names()
LEAST_ACCURACY = {"triplet": 0.78}
BATCH = 250


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with ready(REGISTRY) as running:
        yield running


@pytest.fixture(scope="module")
def test_images() -> list[tuple[str, bytes]]:
    """Label and JPEG file of each of the 10,000 test images."""
    if not ARCHIVE.is_file():
        pytest.skip("../shared/datasets is not beside this checkout: no 10,000 test images")
    images = []
    with tarfile.open(ARCHIVE) as archive:
        for member in archive:
            parts = Path(member.name).parts
            if member.isfile() and "test" in parts and (file := archive.extractfile(member)):
                images.append((parts[-2], file.read()))
    assert len(images) == 10_000
    return images


def test_all_five_losses_are_published() -> None:
    assert set(PUBLISHED) == {"softmax", "center", "cosface", "arcface", "triplet"}
    assert set(PUBLISHED) <= set(LOSSES)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_report_is_of_all_test_images_and_good_enough(name: str) -> None:
    bundle = Store(REGISTRY).load(name)
    report = bundle.report
    assert report.test_images == 10_000
    assert report.accuracy >= LEAST_ACCURACY.get(name, 0.80)
    assert report.provenance.dataset.train == 40_000
    assert bundle.manifest.gallery_size == 5_000
    assert np.bincount(bundle.gallery().labels).tolist() == [500] * 10


def test_the_models_share_one_file_of_thumbnails() -> None:
    bundles = [Store(REGISTRY).load(name) for name in PUBLISHED]
    assert len({bundle.manifest.thumbnails for bundle in bundles}) == 1
    assert len(list((REGISTRY / "thumbnails").iterdir())) == 1


@pytest.mark.shared
@pytest.mark.parametrize("name", PUBLISHED)
def test_10000_images_over_http_reproduce_the_confusion_matrix(
    name: str, client: httpx.Client, test_images: list[tuple[str, bytes]]
) -> None:
    report = Report.model_validate(client.get(f"/report/{name}").json())
    labels = report.confusion.labels
    counts = np.zeros((10, 10), dtype=int)
    for start in range(0, len(test_images), BATCH):
        batch = test_images[start : start + BATCH]
        files = [
            ("image", (f"{row}.jpg", data, "image/jpeg")) for row, (_, data) in enumerate(batch)
        ]
        answer = client.post("/classify", params={"loss": name, "top_k": 1}, files=files)
        for (label, _), prediction in zip(batch, answer.json()["predictions"], strict=True):
            counts[labels.index(label), labels.index(prediction["label"])] += 1
    assert counts.tolist() == [list(row) for row in report.confusion.counts]
