"""Metrics of what is answered, against the answers themselves."""

import re
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from models.store import Store
from service.http.observability.predictions import MOST_LABELS, OTHER, Tally, stability_index
from tests.support.bundles import picture, publish
from tests.support.serving import ROOT, ready

SAMPLE = ROOT / "tests" / "data" / "cifar10-sample" / "test"
REGISTRY = ROOT / "models" / "registry"
LINE = re.compile(r"^(lossatlas_\w+)\{(.*)\} ([\d.e+-]+)$", re.MULTILINE)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Version 1, whose rule for unknown images was measured, and version 2, whose was not."""
    root = tmp_path_factory.mktemp("registry")
    for version in ("1", "2"):
        shutil.copytree(REGISTRY / "arcface" / version, root / "arcface" / version)
    shutil.copytree(REGISTRY / "thumbnails", root / "thumbnails")
    with ready(root) as client:
        yield client


def metrics(client: httpx.Client, name: str) -> dict[str, float]:
    text = client.get("/metrics").text
    return {labels: float(value) for found, labels, value in LINE.findall(text) if found == name}


def labels(**named: str) -> str:
    return ",".join(f'{name}="{value}"' for name, value in sorted(named.items()))


def test_predictions_are_counted_by_label_and_confidence(service: httpx.Client) -> None:
    images = [path for folder in sorted(SAMPLE.iterdir()) for path in sorted(folder.iterdir())]
    for start in range(0, len(images), 20):
        files = [("image", (one.name, one.read_bytes())) for one in images[start : start + 20]]
        said = service.post("/classify?version=1", files=files).json()["predictions"]
        assert len(said) == len(files)
    files = [("image", (one.name, one.read_bytes())) for one in images]
    said = service.post("/classify?version=1", files=files).json()["predictions"]
    counted = metrics(service, "lossatlas_predictions_total")
    for label, count in Counter(one["label"] for one in said).items():
        assert counted[labels(label=label, model="arcface", version="1")] == 2 * count
    unknown = metrics(service, "lossatlas_unknown_images_total")
    if said[0]["unknown"] is not None:
        assert sum(unknown.values()) == 2 * len(said)
    bins = metrics(service, "lossatlas_top_probability_total")
    assert sum(bins.values()) == 2 * len(said)
    top = sum(one["probability"] >= 14 / 15 for one in said)
    assert bins[labels(low="0.933", model="arcface", version="1")] == 2 * top
    (calm,) = metrics(service, "lossatlas_probability_psi").values()
    assert 0 <= calm < 0.25
    noise = [("image", (f"{i}.png", picture(i))) for i in range(200)]
    for _ in range(5):
        assert service.post("/classify?version=1", files=noise).status_code == 200
    (moved,) = metrics(service, "lossatlas_probability_psi").values()
    assert moved > 0.25 > calm


def test_nothing_is_called_unknown_that_no_measurement_chose(service: httpx.Client) -> None:
    image = next((SAMPLE / "cat").iterdir()).read_bytes()
    kind = {"Content-Type": "image/jpeg"}
    for version in (1, 2):
        measured = Store(REGISTRY).load("arcface", version).report.unknowns.measured_rule
        answer = service.post(f"/classify?version={version}", content=image, headers=kind).json()
        assert (answer["predictions"][0]["unknown"] is None) == (measured is None)
    compared = service.post("/compare", content=image, headers=kind).json()["images"][0]
    measured = Store(REGISTRY).load("arcface", 2).report.unknowns.measured_rule
    assert (compared["opinions"][0]["unknown"] is None) == (measured is None)
    assert (compared["agreement"]["unknown"] is None) == (measured is None)


def test_labels_of_metrics_are_bounded(tmp_path: Path) -> None:
    bundle = publish(tmp_path)
    names = tuple(f"label {i}" for i in range(1_000))
    tally = Tally(replace(bundle, manifest=bundle.manifest.model_copy(update={"labels": names})))
    tally.note({"label": f"label {i}", "probability": 0.5, "unknown": None} for i in range(1_000))
    counted, unknown, bins, _ = tally.take()
    assert len(counted) == MOST_LABELS + 1
    assert (counted[OTHER], unknown, sum(bins)) == (1_000 - MOST_LABELS, {}, 1_000)
    assert tally.take()[0] == {}


def test_the_index_is_that_of_its_definition() -> None:
    assert stability_index([10, 20, 70], [100, 200, 700]) == pytest.approx(0, abs=1e-3)
    far = stability_index([700, 200, 100], [1_000, 2_000, 7_000])
    assert far == pytest.approx(2 * 0.6 * 1.9459, rel=0.01)
