"""Pairs over real HTTP: same or not, how surely, and with which errors."""

import base64
import shutil
from itertools import combinations
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from models.pairs import choose
from models.store import Store
from service.http.responses.verify import PairThresholdAnswer, VerifyResponse
from tests.support.bundles import picture
from tests.support.collecting import made, put
from tests.support.serving import ROOT, ready

SAMPLE = ROOT / "tests" / "data" / "cifar10-sample" / "test"
REGISTRY = ROOT / "models" / "registry"
PNG = {"Content-Type": "image/png"}


@pytest.fixture(scope="module")
def service(published_service: httpx.Client) -> httpx.Client:
    return published_service


def photographs(label: str, count: int) -> list[bytes]:
    return [path.read_bytes() for path in sorted((SAMPLE / label).iterdir())[:count]]


def ask(client: httpx.Client, *images: bytes, **params: Any) -> dict[str, Any]:
    files = [("image", (f"{i}.jpg", data)) for i, data in enumerate(images)]
    answer = client.post("/verify", params=params, files=files)
    assert answer.status_code == 200, answer.text
    VerifyResponse.model_validate(answer.json())
    found: dict[str, Any] = answer.json()
    return found


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def embeddings(client: httpx.Client, loss: str, images: list[bytes]) -> np.ndarray:
    files = [("image", (f"{i}.jpg", data)) for i, data in enumerate(images)]
    answer = client.post("/embed", params={"loss": loss}, files=files).json()
    return np.array(answer["embeddings"])


@pytest.mark.parametrize("loss", ["arcface", "center"])
def test_scores_are_those_of_the_embeddings(service: httpx.Client, loss: str) -> None:
    images = [*photographs("cat", 2), *photographs("ship", 2)]
    one, *rest = embeddings(service, loss, images)
    found = ask(service, *images, loss=loss)
    wanted = [one @ other if loss == "arcface" else -((one - other) ** 2).sum() for other in rest]
    assert [pair["score"] for pair in found["pairs"]] == pytest.approx(wanted, abs=1e-4)
    kind = {"arcface": "cosine", "center": "negative_squared_distance"}[loss]
    assert (found["score"], found["prior"], len(found["pairs"])) == (kind, 0.5, 3)
    near = service.post(
        "/neighbors",
        params={"loss": loss, "k": 1},
        content=images[0],
        headers={"Content-Type": "image/jpeg"},
    ).json()["neighbors"][0][0]
    stored = service.post(
        "/verify",
        params={"loss": loss, "id": near["id"]},
        content=images[0],
        headers={"Content-Type": "image/jpeg"},
    ).json()["pairs"][0]
    assert stored["score"] == pytest.approx(near["score"], abs=1e-4)
    assert (stored["of"], stored["id"]) == ("item", near["id"])


def test_the_threshold_keeps_the_rate_and_says_its_errors(service: httpx.Client) -> None:
    section = Store(REGISTRY).load("arcface", 1).report.pairs
    assert section is not None
    images = [*photographs("cat", 2), *photographs("ship", 1)]
    for wanted in ({"far": 0.001}, {"far": 0.05}, {"frr": 0.05}, {}):
        found = ask(service, *images, loss="arcface", **wanted)
        threshold = found["threshold"]
        kind, most = next(iter(wanted.items()), ("far", 0.01))
        row = choose(section.rates, kind, most)  # type: ignore[arg-type]  # of a literal
        assert threshold["value"] == row.threshold
        assert threshold["chosen_by"] == (kind if wanted else "default")
        assert threshold["promised"][kind]["value"] <= most
        assert threshold["promised"]["far"] == row.far.model_dump()
        seen = section.test.rates[section.rates.index(row)]
        assert threshold["measured"]["frr"] == seen.frr.model_dump()
        for pair in found["pairs"]:
            assert pair["same"] == (pair["score"] >= row.threshold)
    chosen = ask(service, *images, loss="arcface", threshold=0.5)["threshold"]
    assert (chosen["value"], chosen["chosen_by"]) == (0.5, "threshold")


def test_the_prior_moves_probabilities_and_nothing_else(service: httpx.Client) -> None:
    images = [*photographs("cat", 1), *photographs("dog", 3)]
    even, rare = (ask(service, *images, loss="arcface", prior=prior) for prior in (0.5, 0.01))
    for one, other in zip(even["pairs"], rare["pairs"], strict=True):
        odds = [pair["probability"] / (1 - pair["probability"]) for pair in (one, other)]
        assert odds[0] / odds[1] == pytest.approx(99, rel=1e-6)
        assert (one["score"], one["same"]) == (other["score"], other["same"])


def test_pairs_of_photographs_are_as_probable_as_they_are_often_the_same(
    service: httpx.Client,
) -> None:
    """Ten photographs a class that no fit has read, in all pairs: mean probability and share."""
    labels = sorted(path.name for path in SAMPLE.iterdir())
    images = [data for label in labels for data in photographs(label, 10)]
    truth = np.repeat(np.arange(len(labels)), 10)
    vectors = embeddings(service, "arcface", images).tolist()
    prior = 9 / 99
    given, outcome = [], []
    for i in range(len(images) - 1):
        body = {"vectors": vectors[i:]}
        answer = service.post("/verify", params={"loss": "arcface", "prior": prior}, json=body)
        given += [pair["probability"] for pair in answer.json()["pairs"]]
        outcome += (truth[i + 1 :] == truth[i]).tolist()
    assert len(given) == len(list(combinations(images, 2)))
    assert np.mean(given) == pytest.approx(np.mean(outcome), abs=0.03)
    sure = np.array(given) > 0.5
    assert np.mean(np.array(outcome)[sure]) == pytest.approx(
        np.mean(np.array(given)[sure]), abs=0.1
    )


def test_an_image_is_compared_with_stored_items(service: httpx.Client) -> None:
    address = made(service, "pets", loss="arcface")
    cats = photographs("cat", 3)
    put(
        service,
        address,
        *(
            {"id": f"cat {i}", "image": base64.b64encode(data).decode()}
            for i, data in enumerate(cats)
        ),
    )
    params = {"collection": "pets"}
    body = {"images": [base64.b64encode(cats[0]).decode()], "ids": ["cat 0", "cat 2"]}
    found = service.post("/verify", params=params, json=body).json()
    assert found["collection"] == "pets"
    assert [pair["id"] for pair in found["pairs"]] == ["cat 0", "cat 2"]
    assert (found["pairs"][0]["score"], found["pairs"][0]["same"]) == (
        pytest.approx(1, abs=1e-5),
        True,
    )
    two = service.post("/verify", params=params, json={"ids": ["cat 0", "cat 2"]}).json()
    assert two["pairs"][0]["score"] == pytest.approx(found["pairs"][1]["score"], abs=1e-5)
    mixed = {"vectors": embeddings(service, "arcface", cats[:1]).tolist(), "ids": ["cat 2"]}
    third = service.post("/verify", params=params, json=mixed).json()
    assert third["pairs"][0]["score"] == pytest.approx(two["pairs"][0]["score"], abs=1e-4)
    gone = service.post("/verify", params=params, json={"ids": ["cat 0", "dog"]})
    assert code(gone) == (404, "unknown_item")
    assert gone.json()["id"] == "dog"
    other = service.post("/verify", params={**params, "loss": "center"}, json=body)
    assert code(other) == (409, "model_mismatch")
    made(service, "straight", loss="center", metric="cosine")
    answer = service.post("/verify", params={"collection": "straight"}, json=body)
    assert code(answer) == (409, "metric_mismatch")
    assert answer.json()["measured"] == "l2"
    nowhere = service.post("/verify", params={"collection": "nowhere"}, json=body)
    assert code(nowhere) == (404, "unknown_model")


VECTOR = [1.0] + [0.0] * 63


@pytest.mark.parametrize(("params", "body", "expected"), [
    ({"far": 0}, {}, (422, "rate_unreachable")),
    ({"far": 1e-9}, {}, (422, "rate_unreachable")),
    ({"far": 0.1, "frr": 0.1}, {}, (422, "invalid_parameter")),
    ({"far": 0.1, "threshold": 0.1}, {}, (422, "invalid_parameter")),
    ({"far": -0.1}, {}, (422, "invalid_parameter")),
    ({"far": "nan"}, {}, (422, "invalid_parameter")),
    ({"threshold": "inf"}, {}, (422, "invalid_parameter")),
    ({"threshold": 1.5}, {}, (422, "invalid_parameter")),
    ({"threshold": 1, "loss": "center"}, {}, (422, "invalid_parameter")),
    ({"prior": 0}, {}, (422, "invalid_parameter")),
    ({"prior": 1}, {}, (422, "invalid_parameter")),
    ({"priors": 0.1}, {}, (422, "invalid_parameter")),
    ({"loss": "nobody"}, {}, (404, "unknown_model")),
    ({"version": 9}, {}, (404, "unknown_model")),
    ({}, {}, (422, "malformed_body")),
    ({}, {"vectors": [VECTOR]}, (422, "malformed_body")),
    ({}, {"vectors": [VECTOR, VECTOR[1:]]}, (422, "invalid_items")),
    ({}, {"vectors": [VECTOR, [0.0] * 64]}, (422, "invalid_items")),
    ({}, {"vectors": [VECTOR, [1e39, *VECTOR[1:]]]}, (422, "invalid_items")),
    ({}, {"vectors": [VECTOR, "AAAA"]}, (422, "invalid_items")),
    ({}, {"vectors": [VECTOR, [True, *VECTOR[1:]]]}, (422, "invalid_items")),
    ({}, {"vectors": [VECTOR] * 1001}, (413, "too_many_items")),
    ({}, {"vectors": [VECTOR] * 2, "model_sha256": "0" * 64}, (409, "vectors_of_another_model")),
    ({}, {"vectors": [VECTOR], "ids": ["nothing"]}, (404, "unknown_item")),
    ({}, {"images": ["AAAA", "AAAA"]}, (422, "undecodable_image")),
    ({}, {"pictures": []}, (422, "malformed_body")),
])  # fmt: skip
def test_bad_input_has_a_code(
    service: httpx.Client, params: dict[str, Any], body: dict[str, Any], expected: tuple[int, str]
) -> None:
    answer = service.post("/verify", params={"loss": "arcface", **params}, json=body)
    assert code(answer) == expected, answer.text


def test_a_rate_out_of_reach_names_the_nearest_that_can_be_had(service: httpx.Client) -> None:
    for rate in ("far", "frr"):
        two = {"vectors": [VECTOR, VECTOR]}
        refused = service.post("/verify", params={"loss": "arcface", rate: 0}, json=two)
        if rate == "frr" and refused.status_code == 200:
            continue  # the lowest measured threshold rejects no genuine pair of the split
        nearest = refused.json()["nearest"]
        assert (refused.json()["rate"], nearest > 0) == (rate, True)
        again = service.post("/verify", params={"loss": "arcface", rate: nearest}, json=two)
        assert again.status_code == 200
        assert again.json()["threshold"]["promised"][rate]["value"] == pytest.approx(nearest)


def test_one_image_alone_cannot_be_compared(service: httpx.Client) -> None:
    answer = service.post("/verify", content=picture(1), headers=PNG)
    assert code(answer) == (422, "malformed_body")


def test_the_report_names_the_threshold_too(service: httpx.Client) -> None:
    answer = service.get("/report/arcface/threshold", params={"far": 0.001})
    found = PairThresholdAnswer.model_validate(answer.json())
    section = Store(REGISTRY).load("arcface", 1).report.pairs
    assert section is not None
    assert found.threshold.promised.far.value <= 0.001
    assert found.threshold.measured.far.low <= 0.001 <= found.threshold.measured.far.high * 1.5
    assert (found.images, found.test_images) == (section.images, section.test.images)
    assert [one.name for one in found.others] == [one.name for one in section.others]
    for params in ({}, {"far": 0.1, "max_error": 0.1}, {"far": 0.1, "frr": 0.1}, {"threshold": 7}):
        assert code(service.get("/report/arcface/threshold", params=params)) == (
            422, "invalid_parameter",
        )  # fmt: skip
    refused = service.get("/report/arcface/threshold", params={"far": 0})
    assert code(refused) == (422, "rate_unreachable")


def test_a_model_from_before_pairs_were_calibrated(tmp_path: Path, tiny_registry: Path) -> None:
    registry = tmp_path / "registry"
    shutil.copytree(tiny_registry, registry)
    store = Store(registry)
    bundle = store.load("softmax", 1)
    report = bundle.report.model_copy(update={"pairs": None})

    def fill(folder: Path) -> Any:
        (folder / "report.json").write_text(report.model_dump_json())
        return bundle.manifest

    store.replace("softmax", 1, fill)
    with ready(registry, default_loss="softmax") as client:
        for answer in (
            client.post("/verify", json={"vectors": [[1, 0, 0, 0], [1, 0, 0, 1]]}),
            client.get("/report/softmax/threshold", params={"far": 0.1}),
        ):
            assert code(answer) == (409, "pairs_not_measured")
            assert "reevaluate --only pairs" in answer.json()["command"]
        assert client.get("/report/softmax/threshold?max_error=1").status_code == 200
        page = client.get("/report/softmax", headers={"Accept": "text/html"})
        assert page.status_code == 200
