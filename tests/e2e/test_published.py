"""The committed models answer over HTTP as their reports say."""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import httpx
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torchmetrics.functional.classification import multiclass_calibration_error

from models.report import Report
from models.store import Store
from reports.paper import paper
from tests.support.serving import ready
from training.losses import LOSSES

ROOT = Path(__file__).parents[2]
REGISTRY = ROOT / "models" / "registry"
ARCHIVE = ROOT.parent / "shared" / "datasets" / "cifar10-jpeg.tar.xz"
LOSS_NAMES = Store(REGISTRY).names()
PUBLISHED = [(name, version) for name in LOSS_NAMES for version in Store(REGISTRY).versions(name)]
IDS = [f"{name}-{version}" for name, version in PUBLISHED]
LEAST_ACCURACY = {("triplet", 1): 0.78}
TRAINED_ON = {1: 40_000, 2: 46_000}
LARGEST_ECE = 0.015
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
    assert set(LOSS_NAMES) == {"softmax", "center", "cosface", "arcface", "triplet"}
    assert set(LOSS_NAMES) <= set(LOSSES)
    assert {Store(REGISTRY).versions(name) for name in LOSS_NAMES} == {(1, 2)}


@pytest.mark.parametrize(("name", "version"), PUBLISHED, ids=IDS)
def test_a_report_is_of_all_test_images_and_good_enough(name: str, version: int) -> None:
    bundle = Store(REGISTRY).load(name, version)
    report = bundle.report
    assert report.classification.n == 10_000
    least = LEAST_ACCURACY.get((name, version), 0.80 if version == 1 else 0.914)
    assert report.classification.accuracy.value >= least
    assert report.confidence.after.ece.value <= LARGEST_ECE
    assert report.provenance.dataset.train == TRAINED_ON[version]
    assert bundle.manifest.unknown == report.unknowns.rule
    assert bundle.manifest.gallery_size == 5_000
    assert np.bincount(bundle.gallery().labels).tolist() == [500] * 10


@pytest.mark.parametrize("name", LOSS_NAMES)
def test_the_papers_network_was_also_trained_without_classes_and_in_a_plane(name: str) -> None:
    report = Store(REGISTRY).load(name, 1).report
    assert report.unknowns.rounds
    assert report.feature_space.plane is not None


def test_the_comparison_gives_every_loss_the_same() -> None:
    compared = Store(REGISTRY).comparison()
    assert compared is not None
    assert set(compared.losses) == set(LOSSES)
    assert {len(tuned.trials) for tuned in compared.tuning} == {compared.protocol.trials}
    assert {len(row.by_seed) for row in compared.results} == {compared.protocol.seeds}
    assert compared.protocol.seeds >= 5


def test_the_page_on_the_paper_is_made_from_the_comparison() -> None:
    compared = Store(REGISTRY).comparison()
    assert compared is not None
    assert (ROOT / "docs" / "paper.md").read_text() == paper(compared)


def test_the_models_of_a_version_share_one_file_of_thumbnails() -> None:
    files = {
        version: {Store(REGISTRY).load(name, version).manifest.thumbnails for name in LOSS_NAMES}
        for version in (1, 2)
    }
    tests = {
        Store(REGISTRY).load(name, version).manifest.test_images
        for name in LOSS_NAMES
        for version in (1, 2)
    }
    assert len(tests) == 1
    assert [len(of_version) for of_version in files.values()] == [1, 1]
    there = {path.stem for path in (REGISTRY / "thumbnails").iterdir()}
    assert there == files[1] | files[2] | tests


@dataclass(frozen=True)
class Fetched:
    """The service's answers about the 10,000 test images."""

    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    embeddings: NDArray[np.float64]
    unknown: NDArray[np.bool_] | None  # where the model's rule was not measured


@pytest.fixture(scope="module", params=PUBLISHED, ids=IDS)
def fetched(
    request: pytest.FixtureRequest, client: httpx.Client, test_images: list[tuple[str, bytes]]
) -> tuple[Report, Fetched]:
    name, version = request.param
    which = {"loss": name, "version": version}
    answer = client.get(f"/report/{name}", params={"version": version})
    report = Report.model_validate(answer.json())
    classes = [row.label for row in report.classification.classes]
    probabilities, embeddings, unknown = [], [], []
    for start in range(0, len(test_images), BATCH):
        batch = test_images[start : start + BATCH]
        files = [
            ("image", (f"{row}.jpg", data, "image/jpeg")) for row, (_, data) in enumerate(batch)
        ]
        answers = client.post("/classify", params={**which, "top_k": 10}, files=files).json()
        for one in answers["predictions"]:
            by_label = {each["label"]: each["probability"] for each in one["top"]}
            probabilities.append([by_label[label] for label in classes])
            unknown.append(one["unknown"])
        as_array = {"accept": "application/x-npy"}
        answer = client.post("/embed", params=which, files=files, headers=as_array)
        embeddings.append(np.load(BytesIO(answer.content)))
    return report, Fetched(
        labels=np.array([classes.index(label) for label, _ in test_images]),
        probabilities=np.array(probabilities),
        embeddings=np.concatenate(embeddings).astype(np.float64),
        unknown=None if set(unknown) == {None} else np.array(unknown),
    )


@pytest.mark.published
@pytest.mark.shared
def test_10000_images_over_http_reproduce_the_classification(
    fetched: tuple[Report, Fetched],
) -> None:
    report, answers = fetched
    counts = np.zeros((10, 10), dtype=int)
    np.add.at(counts, (answers.labels, answers.probabilities.argmax(axis=1)), 1)
    found = report.classification
    assert found.confusion is not None
    assert counts.tolist() == [list(row) for row in found.confusion.counts]
    assert found.accuracy.value == pytest.approx(counts.trace() / 10_000)
    three = np.argsort(-answers.probabilities, axis=1)[:, :3]
    assert found.top3_accuracy is not None
    share = (three == answers.labels[:, None]).any(axis=1).mean()
    assert found.top3_accuracy.value == pytest.approx(share, abs=2e-4)


@pytest.mark.published
@pytest.mark.shared
def test_10000_images_over_http_reproduce_the_confidence(fetched: tuple[Report, Fetched]) -> None:
    report, answers = fetched
    after = report.confidence.after
    p = torch.tensor(answers.probabilities)
    labels = torch.tensor(answers.labels)
    ece = multiclass_calibration_error(p, labels, num_classes=10, n_bins=15, norm="l1")
    assert after.ece.value == pytest.approx(float(ece), abs=2e-4)
    nll = -np.log(answers.probabilities[np.arange(10_000), answers.labels].clip(1e-38)).mean()
    assert after.nll == pytest.approx(nll, abs=1e-4)
    brier = np.square(answers.probabilities - np.eye(10)[answers.labels]).sum(axis=1).mean()
    assert after.brier == pytest.approx(brier, abs=1e-4)
    assert (answers.unknown is None) == (report.unknowns.chosen_by == "default")
    if answers.unknown is not None:
        accepted = 1 - answers.unknown.mean()
        assert report.unknowns.test_accepted == pytest.approx(accepted, abs=2e-4)


@pytest.mark.published
@pytest.mark.shared
def test_10000_images_over_http_reproduce_the_retrieval(fetched: tuple[Report, Fetched]) -> None:
    report, answers = fetched
    squares = np.square(answers.embeddings).sum(axis=1)
    nearest = []
    for part in np.array_split(np.arange(10_000), 10):
        distances = squares - 2 * answers.embeddings[part] @ answers.embeddings.T
        distances[np.arange(len(part)), part] = np.inf
        nearest.append(distances.argmin(axis=1))
    recall = (answers.labels[np.concatenate(nearest)] == answers.labels).mean()
    assert report.retrieval.recall_at_1 is not None
    assert report.retrieval.recall_at_1.value == pytest.approx(recall, abs=5e-4)
