"""The version that answers where a request names none: pinned, promoted, or the newest."""

from pathlib import Path

import pytest

from models.aliases import ALIASES, promote
from models.store import Store
from service.__main__ import main
from tests.support.bundles import Recipe, picture, publish
from tests.support.serving import ready

PNG = picture(0)
TYPE = {"Content-Type": "image/png"}


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    """Three versions of arcface, two of softmax."""
    root = tmp_path / "registry"
    for seed in (1, 2, 3):
        publish(root, "arcface", Recipe(seed=seed))
    for seed in (4, 5):
        publish(root, "softmax", Recipe(seed=seed))
    return root


def test_a_promoted_version_answers_everywhere(registry: Path) -> None:
    promote(Store(registry), "arcface", 2)
    with ready(registry) as client:
        asked = client.post("/embed", content=PNG, headers=TYPE).json()
        assert asked["version"] == 2
        assert client.post("/embed?version=3", content=PNG, headers=TYPE).json()["version"] == 3
        assert client.post("/embed?loss=softmax", content=PNG, headers=TYPE).json()["version"] == 2
        listed = {one["name"]: one["version"] for one in client.get("/models").json()["models"]}
        assert listed == {"arcface": 2, "softmax": 2}
        ready_ones = client.get("/health/ready").json()["models"]
        assert [(one["name"], one["version"]) for one in ready_ones] == sorted(listed.items())
        assert client.get("/models/arcface").json()["versions"] == [3, 2, 1]
        image = client.post("/compare", content=PNG, headers=TYPE).json()["images"][0]
        assert {one["loss"]: one["version"] for one in image["opinions"]} == listed
        assert client.put("/collections/shelf", json={}).json()["version"] == 2


def test_a_pinned_version_goes_before_a_promoted_one(registry: Path) -> None:
    promote(Store(registry), "arcface", 2)
    with ready(registry, default_versions="arcface:1, softmax:1") as client:
        listed = {one["name"]: one["version"] for one in client.get("/models").json()["models"]}
    assert listed == {"arcface": 1, "softmax": 1}


@pytest.mark.parametrize(
    "pins", ["arcface", "arcface:0", "arcface:x", "arcface:1,arcface:2", "Arc:1", "arcface:1:2"]
)
def test_pins_that_are_no_versions_are_refused(registry: Path, pins: str) -> None:
    assert main(["--registry", str(registry), "--default-versions", pins, "--port", "0"]) == 2


@pytest.mark.parametrize("pins", ["arcface:9", "shoes:1"])
def test_a_pin_that_is_not_published_is_one_line(
    registry: Path, pins: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--registry", str(registry), "--default-versions", pins, "--port", "0"]) == 2
    refusal = capsys.readouterr().err.strip()
    assert pins.replace(":", "/") in refusal
    assert len(refusal.splitlines()) == 1


def test_damaged_aliases_are_one_line(registry: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (registry / ALIASES).write_text("{")
    assert main(["--registry", str(registry), "--port", "0"]) == 2
    assert ALIASES in capsys.readouterr().err
