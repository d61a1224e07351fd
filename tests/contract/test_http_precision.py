"""A service in two precisions: who answers is said, and vectors of both are not mixed unawares."""

from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.support.bundles import Recipe, picture
from tests.support.precisions import publish_in_two
from tests.support.serving import ready, started

PNG = {"content-type": "image/png"}


def put(client: httpx.Client, name: str) -> httpx.Response:
    return client.post(f"/collections/{name}/items?id=one", content=picture(1), headers=PNG)


def asked(client: httpx.Client, name: str) -> httpx.Response:
    return client.post(f"/neighbors?collection={name}", content=picture(2), headers=PNG)


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    publish_in_two(tmp_path / "registry", recipe=Recipe(seed=1), may_mix=False)
    return tmp_path / "registry"


def test_every_answer_says_which_graph_gave_it(registry: Path) -> None:
    answers = {}
    for precision in ("float32", "int8"):
        with ready(registry, precision=precision) as client:
            (model,) = client.get("/models").json()["models"]
            assert model["precision"] == precision
            assert [one["precision"] for one in model["manifest"]["variants"]] == ["int8"]
            embedded = client.post("/embed", content=picture(1), headers=PNG).json()
            assert embedded["precision"] == precision
            assert client.post("/classify", content=picture(1), headers=PNG).json()[
                "precision"
            ] == (precision)
            near = client.post("/neighbors", content=picture(1), headers=PNG)
            assert near.status_code == 200
            assert near.json()["precision"] == precision
            (image,) = client.post("/compare", content=picture(1), headers=PNG).json()["images"]
            assert {one["precision"] for one in image["opinions"]} == {precision}
            metrics = client.get("/metrics").text
            line = f'lossatlas_model_precision{{model="arcface",precision="{precision}",version="1"'
            assert f"{line}}} 1.0" in metrics
            answers[precision] = np.array(embedded["embeddings"])
    assert 1e-4 < np.abs(answers["int8"] - answers["float32"]).max() < 0.05


@pytest.mark.parametrize("made_in", ["float32", "int8"])
def test_a_collection_keeps_its_precision_and_refuses_another(
    registry: Path, tmp_path: Path, made_in: str
) -> None:
    other = {"float32": "int8", "int8": "float32"}[made_in]
    data = tmp_path / "data"
    with ready(registry, data_dir=data, precision=made_in) as client:
        assert client.put("/collections/pets", json={"loss": "arcface"}).status_code == 201
        assert client.get("/collections/pets").json()["precision"] == made_in
        assert put(client, "pets").is_success
        vector = client.post("/embed", content=picture(2), headers=PNG).json()["embeddings"][0]
        assert asked(client, "pets").json()["neighbors"][0][0]["id"] == "one"
    with ready(registry, data_dir=data, precision=other) as client:
        for refused in (asked(client, "pets"), put(client, "pets")):
            problem = refused.json()
            assert (refused.status_code, problem["code"]) == (409, "precision_mismatch")
            assert problem["made_in"] == made_in
            assert f"--precision {made_in}" in problem["detail"]
        given = client.post("/neighbors?collection=pets", json={"vectors": [vector]})
        assert given.status_code == 200
        assert given.json()["precision"] == made_in
    with ready(registry, data_dir=data, precision=made_in) as client:
        assert asked(client, "pets").json()["neighbors"][0][0]["id"] == "one"


def test_vectors_that_find_the_same_neighbors_may_be_mixed(tmp_path: Path) -> None:
    publish_in_two(tmp_path / "registry", may_mix=True)
    data = tmp_path / "data"
    with ready(tmp_path / "registry", data_dir=data, precision="float32") as client:
        client.put("/collections/pets", json={"loss": "arcface"})
        assert put(client, "pets").is_success
    with ready(tmp_path / "registry", data_dir=data, precision="int8") as client:
        assert client.get("/collections/pets").json()["precision"] == "float32"
        assert asked(client, "pets").json()["neighbors"][0][0]["id"] == "one"


def test_all_processes_of_a_service_answer_alike(registry: Path, tmp_path: Path) -> None:
    flags = (f"--registry={registry}", f"--data-dir={tmp_path}", "--workers=2", "--precision=int8")
    with started(*flags) as (client, _):
        found = set()
        for _ in range(20):
            with httpx.Client(base_url=client.base_url, timeout=60) as fresh:
                answer = fresh.post("/embed", content=picture(1), headers=PNG).json()
                found.add((answer["precision"], tuple(answer["embeddings"][0])))
        assert {precision for precision, _ in found} == {"int8"}
        assert len(found) == 1
