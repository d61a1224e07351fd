"""Damage is not for ever: what could not be loaded is served once it can be."""

from pathlib import Path
from time import monotonic, sleep

import httpx

from models.bundle import MODEL
from tests.support.bundles import Recipe, picture, publish
from tests.support.serving import PATIENCE_S, ready, serving, wait_loaded

GOOD = {"Content-Type": "image/png"}


def embed(client: httpx.Client, query: str = "") -> httpx.Response:
    return client.post(f"/embed{query}", content=picture(0), headers=GOOD)


def until_embedded(client: httpx.Client, query: str = "") -> httpx.Response:
    give_up = monotonic() + PATIENCE_S
    while (answer := embed(client, query)).status_code != 200:
        assert answer.json()["code"] == "model_damaged"
        assert monotonic() < give_up
        sleep(0.1)
    return answer


def test_a_model_that_is_repaired_is_served_again(tmp_path: Path) -> None:
    publish(tmp_path, "softmax", Recipe(thumbnails=False))
    model = publish(tmp_path, "arcface").path / MODEL
    whole = model.read_bytes()
    model.write_bytes(whole[:-1] + b"x")
    with ready(tmp_path) as client:
        assert embed(client).json()["code"] == "model_damaged"
        assert client.get("/health/ready").status_code == 200
        model.write_bytes(whole)
        assert until_embedded(client).json()["loss"] == "arcface"
        assert client.get("/models/arcface").json()["state"] == "ready"
        assert client.get("/models/arcface").json()["reason"] is None
        assert client.get("/health/ready").json()["status"] == "ready"


def test_an_older_version_that_is_repaired_is_served(tmp_path: Path) -> None:
    model = publish(tmp_path, "arcface").path / MODEL
    publish(tmp_path, "arcface", Recipe(seed=5))
    whole = model.read_bytes()
    model.unlink()
    with ready(tmp_path) as client:
        assert embed(client, "?version=1").json()["code"] == "model_damaged"
        model.write_bytes(whole)
        assert until_embedded(client, "?version=1").json()["version"] == 1


def test_a_service_with_nothing_but_damage_is_ready_once_it_is_repaired(tmp_path: Path) -> None:
    model = publish(tmp_path, "arcface").path / MODEL
    whole = model.read_bytes()
    model.write_bytes(b"")
    with serving(tmp_path) as client:
        assert wait_loaded(client).json()["status"] == "unavailable"
        model.write_bytes(whole)
        until_embedded(client)
        assert client.get("/health/ready").status_code == 200
