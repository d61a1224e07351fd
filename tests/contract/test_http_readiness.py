import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.bundle import GOLDEN, MODEL, Bundle
from models.files import sha256_of
from tests.support.bundles import Recipe, picture, publish
from tests.support.serving import ready, serving, wait_loaded

GOOD: dict[str, Any] = {"content": picture(0), "headers": {"Content-Type": "image/png"}}


def alter_graph(bundle: Bundle) -> None:
    path = bundle.path / MODEL
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def alter_golden(bundle: Bundle) -> None:
    """Golden answers that the graph does not give, with a sha256 that fits them."""
    golden = bundle.golden()
    rewrite(
        bundle,
        GOLDEN,
        {
            "images": golden.images,
            "embedding": golden.embedding + np.float32(2e-4),
            "probabilities": golden.probabilities,
        },
    )


def forget_manifest(bundle: Bundle) -> None:
    (bundle.path / "manifest.json").unlink()


def break_thumbnails(bundle: Bundle) -> None:
    folder = bundle.path.parent.parent / "thumbnails"
    (folder / f"{bundle.manifest.thumbnails}.npz").write_bytes(b"")


def rewrite(bundle: Bundle, name: str, arrays: dict[str, np.ndarray]) -> None:
    np.savez(bundle.path / name, **arrays)  # type: ignore[arg-type]  # only names of arrays
    path = bundle.path / "manifest.json"
    manifest = json.loads(path.read_text())
    file = bundle.path / name
    manifest["files"][name] = {"sha256": sha256_of(file), "size_bytes": file.stat().st_size}
    path.write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (alter_graph, "model.onnx is not what the manifest's sha256 says"),
        (alter_golden, "golden batch gives another embedding"),
        (forget_manifest, "manifest.json"),
        (break_thumbnails, "missing or altered"),
    ],
)
def test_a_damaged_bundle_is_named_and_the_others_serve(
    tmp_path: Path, damage: Callable[[Bundle], None], reason: str
) -> None:
    publish(tmp_path, "softmax", Recipe(thumbnails=False))
    damage(publish(tmp_path, "arcface"))
    with ready(tmp_path) as client:
        readiness = client.get("/health/ready")
        states = {model["name"]: model for model in readiness.json()["models"]}
        assert (readiness.status_code, readiness.json()["status"]) == (200, "ready")
        assert states["softmax"]["state"] == "ready"
        assert states["arcface"]["state"] == "damaged"
        assert reason in states["arcface"]["reason"]
        assert client.post("/embed?loss=softmax", **GOOD).status_code == 200
        for answer in (client.post("/embed", **GOOD), client.get("/report/arcface")):
            assert (answer.status_code, answer.json()["code"]) == (409, "model_damaged")
            assert reason in answer.json()["reason"]
        assert reason in client.get("/models/arcface").json()["reason"]
        overview = client.get("/report").json()
        assert [one["name"] for one in overview["losses"]] == ["softmax"]
        assert [one["name"] for one in overview["unavailable"]] == ["arcface"]
        for page in ("/", "/report"):
            assert reason.split("'")[0] in client.get(page, headers={"Accept": "text/html"}).text


def test_a_service_with_nothing_but_damage_lives_and_is_not_ready(tmp_path: Path) -> None:
    alter_graph(publish(tmp_path, "arcface"))
    with serving(tmp_path) as client:
        readiness = wait_loaded(client)
        assert (readiness.status_code, readiness.json()["status"]) == (503, "unavailable")
        assert client.get("/health/live").json() == {"status": "live"}


def test_requests_while_models_load_are_asked_to_come_back(tmp_path: Path) -> None:
    for name in ("arcface", "center", "softmax", "triplet"):
        publish(tmp_path, name, Recipe(size_px=32, gallery=500, dimension=64))
    with serving(tmp_path) as client:
        answers = [client.post("/embed?loss=triplet", **GOOD)]
        while answers[-1].status_code != 200:
            assert answers[-1].json()["code"] == "not_ready"
            assert "retry-after" in answers[-1].headers
            answers.append(client.post("/embed?loss=triplet", **GOOD))


def test_an_altered_older_version_is_named_when_it_is_asked_for(tmp_path: Path) -> None:
    alter_graph(publish(tmp_path, "arcface"))
    publish(tmp_path, "arcface", Recipe(seed=5))
    with ready(tmp_path) as client:
        assert client.get("/models/arcface?version=1").json()["state"] == "published"
        assert client.post("/embed?version=1", **GOOD).json()["code"] == "model_damaged"
        assert client.get("/models/arcface?version=1").json()["state"] == "damaged"
        assert client.post("/embed", **GOOD).json()["version"] == 2


def test_the_unforeseen_is_logged_and_not_shown(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    figure = publish(tmp_path, "arcface").path / "figures" / "confusion-matrix.svg"
    with ready(tmp_path) as client:
        figure.unlink()
        answer = client.get("/report/arcface/figures/confusion-matrix.svg")
        assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
        assert "figure" not in answer.text
        assert client.post("/embed", **GOOD).status_code == 200
    said = capfd.readouterr().err
    assert "FileNotFoundError" in said
    assert answer.json()["request_id"] in said
