"""The default models survive noise that no one can see: over HTTP, on the sample."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from models.store import Store
from tests.support.serving import ready

ROOT = Path(__file__).parents[2]
REGISTRY = ROOT / "models" / "registry"
SAMPLE = ROOT / "tests" / "data" / "cifar10-sample" / "test"
FILES = sorted(SAMPLE.glob("*/*.jpg"))
NOISE_SD = 8.0
LEAST_KEPT = 0.9


@pytest.fixture(scope="module")
def published() -> Iterator[httpx.Client]:
    with ready(REGISTRY) as client:
        yield client


def pngs(noise_sd: float) -> list[bytes]:
    """The sample as PNGs, with independent noise in each channel of each pixel."""
    random = np.random.default_rng(0)
    found = []
    for path in FILES:
        pixels = np.asarray(Image.open(path).convert("RGB"), np.float64)
        noisy = np.rint(pixels + random.normal(0, noise_sd, pixels.shape)).clip(0, 255)
        buffer = BytesIO()
        Image.fromarray(noisy.astype(np.uint8)).save(buffer, "PNG")
        found.append(buffer.getvalue())
    return found


def accuracy(client: httpx.Client, loss: str, images: list[bytes]) -> float:
    named: list[str] = []
    for start in range(0, len(images), 20):
        files = [("image", (f"{i}.png", one)) for i, one in enumerate(images[start : start + 20])]
        answer = client.post("/classify", params={"loss": loss}, files=files)
        assert answer.status_code == 200, answer.text
        named += [one["label"] for one in answer.json()["predictions"]]
    return float(
        np.mean([path.parent.name == label for path, label in zip(FILES, named, strict=True)])
    )


@pytest.mark.parametrize("loss", Store(REGISTRY).names())
def test_the_default_version_keeps_nine_tenths_of_its_accuracy(
    published: httpx.Client, loss: str
) -> None:
    clean, noisy = (accuracy(published, loss, pngs(sd)) for sd in (0.0, NOISE_SD))
    assert clean > 0.8  # n = 100: published are 91 % and more
    assert noisy >= LEAST_KEPT * clean


@pytest.mark.parametrize("loss", Store(REGISTRY).names())
def test_every_report_measures_robustness_and_leaks_and_names_the_baseline(loss: str) -> None:
    for version in Store(REGISTRY).versions(loss):
        report = Store(REGISTRY).load(loss, version).report
        assert report.robustness is not None
        assert report.leaks is not None
        assert report.classification.majority is not None
        assert report.classification.majority.accuracy == pytest.approx(0.1)


def test_the_front_page_names_the_classes(published: httpx.Client) -> None:
    page = published.get("/").text
    manifest = Store(REGISTRY).load("softmax").manifest
    for label in manifest.labels:
        assert label in page
