import base64
import io
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from models.preprocess import FORMATS, preprocess
from models.store import Store
from service.http.responses.schemas import ClassifyResponse, EmbedResponse, NeighborsResponse
from tests.support.bundles import LABELS, Recipe, picture, publish, run
from tests.support.report_sections import RULE
from tests.support.serving import ready

PICTURES = [picture(seed) for seed in range(5)]


def as_json(images: list[bytes]) -> dict[str, list[str]]:
    return {"images": [base64.b64encode(image).decode() for image in images]}


def as_files(images: list[bytes]) -> list[tuple[str, tuple[str, bytes]]]:
    return [("image", (f"{i}.png", image)) for i, image in enumerate(images)]


def expected(registry: Path, loss: str, images: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
    bundle = Store(registry).load(loss)
    pixels = np.stack([preprocess(image, bundle.manifest.preprocess) for image in images])
    return run(bundle.model_path, pixels)


@pytest.mark.parametrize("loss", ["arcface", "softmax"])
def test_embeddings_are_the_models_own(
    client: httpx.Client, tiny_registry: Path, loss: str
) -> None:
    answer = client.post("/embed", params={"loss": loss}, json=as_json(PICTURES))
    body = EmbedResponse.model_validate(answer.json())
    embedding, _ = expected(tiny_registry, loss, PICTURES)
    assert (body.loss, body.dimension) == (loss, 4)
    np.testing.assert_allclose(np.array(body.embeddings), embedding, atol=1e-6)


def test_one_picture_has_one_embedding_however_it_is_sent(client: httpx.Client) -> None:
    image = PICTURES[0]
    uri = "data:image/png;base64," + base64.b64encode(image).decode()
    wrapped = base64.encodebytes(image).decode()
    answers = [
        client.post("/embed", content=image, headers={"Content-Type": "image/png"}),
        client.post("/embed", content=image, headers={"Content-Type": "application/octet-stream"}),
        client.post("/embed", files=as_files([image])),
        client.post("/embed", json={"images": [uri]}),
        client.post("/embed", json={"images": [wrapped]}),
    ]
    assert [answer.status_code for answer in answers] == [200] * 5
    assert len({answer.content for answer in answers}) == 1


def test_images_keep_their_order(client: httpx.Client) -> None:
    alone = [
        client.post("/embed", files=as_files([image])).json()["embeddings"][0] for image in PICTURES
    ]
    for answer in (
        client.post("/embed", files=as_files(PICTURES)),
        client.post("/embed", json=as_json(PICTURES)),
    ):
        np.testing.assert_allclose(answer.json()["embeddings"], alone, atol=1e-6)


def test_every_format_is_taken(client: httpx.Client) -> None:
    for kind in FORMATS:
        content = picture(7, kind=kind)
        headers = {"Content-Type": f"image/{kind.lower()}"}
        assert client.post("/embed", content=content, headers=headers).status_code == 200, kind


def test_base64_and_npy_carry_the_same_floats(client: httpx.Client) -> None:
    plain = np.array(client.post("/embed", files=as_files(PICTURES)).json()["embeddings"])
    coded = client.post("/embed?encoding_format=base64", files=as_files(PICTURES)).json()
    rows = [np.frombuffer(base64.b64decode(text), "<f4") for text in coded["embeddings"]]
    npy = client.post("/embed", files=as_files(PICTURES), headers={"Accept": "application/x-npy"})
    array = np.load(io.BytesIO(npy.content))
    assert npy.headers["content-type"] == "application/x-npy"
    assert (array.dtype, array.shape) == (np.float32, (5, 4))
    np.testing.assert_array_equal(np.array(rows), array)
    np.testing.assert_array_equal(plain.astype(np.float32), array)


def test_classes_come_likeliest_first(client: httpx.Client, tiny_registry: Path) -> None:
    body = ClassifyResponse.model_validate(
        client.post("/classify?top_k=3", files=as_files(PICTURES)).json()
    )
    _, probabilities = expected(tiny_registry, "arcface", PICTURES)
    for prediction, row in zip(body.predictions, probabilities, strict=True):
        order = np.argsort(-row)[:3]
        assert [one.label for one in prediction.top] == [LABELS[i] for i in order]
        np.testing.assert_allclose(
            [one.probability for one in prediction.top], row[order], atol=1e-6
        )
        assert (prediction.label, prediction.probability) == (
            prediction.top[0].label,
            prediction.top[0].probability,
        )


@pytest.mark.parametrize("loss", ["arcface", "softmax"])
def test_unknown_images_are_known_by_the_manifests_rule(
    client: httpx.Client, tiny_registry: Path, loss: str
) -> None:
    images = [picture(seed) for seed in range(8)]
    body = ClassifyResponse.model_validate(
        client.post(f"/classify?loss={loss}", files=as_files(images)).json()
    )
    embedding, probabilities = expected(tiny_registry, loss, images)
    bundle = Store(tiny_registry).load(loss)
    rule = bundle.manifest.unknown
    assert rule is not None
    if rule.scorer == "max_probability":
        scores = 1 - probabilities.max(axis=1)
    else:
        rows = bundle.gallery().embeddings
        distances = np.linalg.norm(embedding[:, None] - rows[None], axis=2)
        scores = np.sort(distances, axis=1)[:, (rule.k or 1) - 1]
    flags = [one.unknown for one in body.predictions]
    assert flags == (scores > rule.threshold).tolist()
    assert set(flags) == {True, False}
    listed = client.get(f"/models/{loss}").json()["manifest"]["unknown"]
    assert listed == rule.model_dump()


def test_a_model_without_a_rule_calls_nothing_unknown_or_known(client: httpx.Client) -> None:
    body = client.post("/classify?version=1", files=as_files(PICTURES)).json()
    assert {one["unknown"] for one in body["predictions"]} == {None}
    assert client.get("/models/arcface?version=1").json()["manifest"]["unknown"] is None


def test_a_rule_that_no_measurement_chose_answers_null_and_the_page_says_why(
    tmp_path: Path,
) -> None:
    publish(tmp_path, "arcface", Recipe(unknown=RULE, measured=False))
    publish(tmp_path, "softmax", Recipe(unknown=RULE))
    with ready(tmp_path) as client:
        classified = client.post("/classify", files=as_files(PICTURES)).json()["predictions"]
        assert {one["unknown"] for one in classified} == {None}
        alone = client.post("/compare?loss=arcface", files=as_files(PICTURES)).json()["images"]
        assert {one["agreement"]["unknown"] for one in alone} == {None}
        both = client.post("/compare", files=as_files(PICTURES)).json()["images"]
        for image in both:
            default, measured = image["opinions"]
            assert (default["unknown"], type(measured["unknown"])) == (None, bool)
            assert image["agreement"]["unknown"] == measured["unknown"]
        assert client.get("/models/arcface").json()["manifest"]["unknown"] == RULE.model_dump()
        page = client.get("/report/arcface", headers={"Accept": "text/html"}).text
        assert "/classify answers null for unknown" in page
        page = client.get("/report/softmax", headers={"Accept": "text/html"}).text
        assert "answers null" not in page


@pytest.mark.parametrize(("top_k", "listed"), [(None, 5), (1, 1), (10, 10), (1000, 10)])
def test_top_k_is_capped_at_the_classes(
    client: httpx.Client, top_k: int | None, listed: int
) -> None:
    params = {} if top_k is None else {"top_k": top_k}
    answer = client.post("/classify", params=params, files=as_files(PICTURES[:1]))
    assert len(answer.json()["predictions"][0]["top"]) == listed


@pytest.mark.parametrize("loss", ["arcface", "softmax"])
def test_neighbors_are_the_nearest_by_brute_force(
    client: httpx.Client, tiny_registry: Path, loss: str
) -> None:
    answer = client.post("/neighbors", params={"loss": loss, "k": 7}, files=as_files(PICTURES))
    body = NeighborsResponse.model_validate(answer.json())
    gallery = Store(tiny_registry).load(loss).gallery()
    queries, _ = expected(tiny_registry, loss, PICTURES)
    if loss == "softmax":
        scores = -((queries[:, None] - gallery.embeddings[None]) ** 2).sum(axis=2)
    else:
        scores = queries @ gallery.embeddings.T
    for found, row in zip(body.neighbors, scores, strict=True):
        order = np.argsort(-row)[:7]
        assert [one.id for one in found] == [gallery.ids[i] for i in order]
        assert [one.label for one in found] == [LABELS[gallery.labels[i]] for i in order]
        np.testing.assert_allclose([one.score for one in found], row[order], atol=1e-5)


def test_k_is_capped_at_the_collection(client: httpx.Client) -> None:
    default = client.post("/neighbors", files=as_files(PICTURES[:1])).json()
    all_of_them = client.post("/neighbors?k=100", files=as_files(PICTURES[:1])).json()
    assert (default["collection"], len(default["neighbors"][0])) == ("gallery", 10)
    assert len(all_of_them["neighbors"][0]) == 30


def test_a_neighbor_shows_its_thumbnail(client: httpx.Client, tiny_registry: Path) -> None:
    found = client.post("/neighbors?k=3", files=as_files(PICTURES[:1])).json()["neighbors"][0]
    bundle = Store(tiny_registry).load("arcface")
    gallery, thumbnails = bundle.gallery(), bundle.thumbnails()
    assert thumbnails is not None
    for neighbor in found:
        answer = client.get(neighbor["thumbnail"])
        assert answer.content == thumbnails.jpeg(gallery.ids.index(neighbor["id"]))
        assert answer.headers["content-type"] == "image/jpeg"
        assert "immutable" in answer.headers["cache-control"]
        with Image.open(io.BytesIO(answer.content)) as image:
            assert image.format == "JPEG"


def test_a_model_without_thumbnails_says_null(client: httpx.Client) -> None:
    body = client.post("/neighbors?loss=softmax&k=1", files=as_files(PICTURES[:1])).json()
    assert body["neighbors"][0][0]["thumbnail"] is None
    assert client.get("/models/softmax/thumbnails/0.jpg").json()["code"] == "unknown_thumbnail"


def test_the_newest_version_answers_and_an_older_one_when_asked(client: httpx.Client) -> None:
    newest = client.post("/embed", files=as_files(PICTURES[:1])).json()
    oldest = client.post("/embed?version=1", files=as_files(PICTURES[:1])).json()
    assert (newest["version"], oldest["version"]) == (2, 1)
    assert newest["embeddings"] != oldest["embeddings"]


def test_a_request_id_is_echoed_or_made(client: httpx.Client) -> None:
    given = client.get("/health/live", headers={"X-Request-ID": "mine-1"})
    made = client.get("/health/live", headers={"X-Request-ID": "not ok"})
    assert given.headers["x-request-id"] == "mine-1"
    again = client.get("/health/live")
    ids = {answer.headers["x-request-id"] for answer in (made, again)}
    assert len(ids) == 2
    assert "not ok" not in ids


def test_metrics_count_what_happened(client: httpx.Client) -> None:
    client.post("/embed", files=as_files(PICTURES))
    text = client.get("/metrics").text
    assert 'lossatlas_requests_total{method="POST",route="/embed",status="200"}' in text
    assert 'lossatlas_queue_items{model="arcface",version="2"} 0.0' in text
    assert 'lossatlas_batch_items_count{model="arcface",version="2"}' in text
    assert 'lossatlas_batch_limit_items{model="arcface",version="2"}' in text
    assert 'lossatlas_queue_limit_items{model="arcface",version="2"}' in text
    model = client.get("/models/arcface").json()
    assert 1 <= model["batch_limit"] <= model["queue_limit"]
