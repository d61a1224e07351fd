"""One registry of tiny models, services of it and commands on it, shared by the contract tests."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from models.manifest import UnknownRule
from models.store import Store
from service.__main__ import main
from tests.support.bundles import SVG, Recipe, publish
from tests.support.comparisons import comparison
from tests.support.report_sections import RULE
from tests.support.serving import ROOT, ready

SAMPLE = ROOT / "tests" / "data" / "cifar10-sample" / "test"
Run = Callable[..., int]


@pytest.fixture(scope="session")
def tiny_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """arcface in two versions, an l2 model without thumbnails, and a comparison.

    The older arcface has no rule for unknown images; the others have one each.
    """
    root = tmp_path_factory.mktemp("registry")
    publish(root, "arcface", Recipe(seed=1))
    publish(root, "arcface", Recipe(seed=2, unknown=RULE))
    nearest = UnknownRule(scorer="knn_distance", threshold=0.333, k=2, accepts=0.95)
    publish(root, "softmax", Recipe(seed=3, metric="l2", thumbnails=False, unknown=nearest))
    figures = tmp_path_factory.mktemp("figures")
    (figures / "results.svg").write_bytes(SVG)
    Store(root).put_comparison(comparison(), figures)
    return root


@pytest.fixture(scope="session")
def client(tiny_registry: Path) -> Iterator[httpx.Client]:
    """A service with small limits, so that tests can pass them."""
    with ready(
        tiny_registry, max_images=8, max_pixels=10_000, max_body_bytes=200_000, queue_items=64
    ) as running:
        yield running


@pytest.fixture(scope="module")
def service(
    tiny_registry: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """A service for the collections of one module."""
    with ready(tiny_registry, data_dir=tmp_path_factory.mktemp("data")) as client:
        yield client


@pytest.fixture(scope="module")
def published_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Serve two of the published models, one with metric l2."""
    root = tmp_path_factory.mktemp("registry")
    for name in ("arcface", "center"):
        shutil.copytree(ROOT / "models" / "registry" / name / "1", root / name / "1")
    shutil.copytree(ROOT / "models" / "registry" / "thumbnails", root / "thumbnails")
    with ready(root, data_dir=tmp_path_factory.mktemp("data")) as client:
        yield client


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """100 images in class folders, and one that is none."""
    folder = tmp_path / "photos"
    shutil.copytree(SAMPLE, folder)
    (folder / "cat" / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    return folder


@pytest.fixture
def run(tiny_registry: Path, tmp_path: Path) -> Run:
    """Do a command in this process."""

    def do(name: str, *words: object) -> int:
        takes_models = name in ("index", "reembed")
        places = [f"--data-dir={tmp_path / 'data'}"]
        places += [f"--registry={tiny_registry}", "--device=cpu"] if takes_models else []
        return main([name, *map(str, words), *places])

    return do
