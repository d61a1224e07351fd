"""One registry of tiny models and one running service, shared by the contract tests."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from models.manifest import UnknownRule
from models.store import Store
from tests.bundles import SVG, Recipe, publish
from tests.comparisons import comparison
from tests.reports import RULE
from tests.serving import ready


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
