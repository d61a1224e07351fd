"""Collections that decide: labels by the nearest items, how good that is, and what is unknown."""

import io
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image, ImageDraw

from service.http.responses.labels import CollectionClassifyResponse, CollectionEvaluation
from tests.support.collecting import coded, made, put
from tests.support.serving import ROOT

REGISTRY = ROOT / "models" / "registry"
SAMPLE = ROOT / "tests" / "data" / "cifar10-sample" / "test"
SHAPES = ("circle", "square", "stripes", "cross", "dots")


@pytest.fixture(scope="module")
def service(published_service: httpx.Client) -> httpx.Client:
    return published_service


def drawn(shape: str, seed: int) -> bytes:
    """A picture of a shape at a place, size and color of its own."""
    random = np.random.default_rng([SHAPES.index(shape), seed])
    back, front = (
        tuple(int(v) for v in random.integers(low, high, 3)) for low, high in ((0, 90), (150, 256))
    )
    image = Image.new("RGB", (32, 32), back)
    draw = ImageDraw.Draw(image)
    x, y, r = (int(v) for v in random.integers((11, 11, 7), (21, 21, 11)))
    if shape == "circle":
        draw.ellipse((x - r, y - r, x + r, y + r), fill=front)
    elif shape == "square":
        draw.rectangle((x - r, y - r, x + r, y + r), fill=front)
    elif shape == "cross":
        draw.line((x - r, y, x + r, y), fill=front, width=4)
        draw.line((x, y - r, x, y + r), fill=front, width=4)
    for step in range(0, 32, 6):
        if shape == "stripes":
            draw.line((0, step + y % 6, 31, step + y % 6), fill=front, width=2)
        if shape == "dots":
            for other in range(0, 32, 6):
                draw.point(
                    [(step + x % 6, other + y % 6), (step + 1 + x % 6, other + y % 6)], fill=front
                )
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def classify(client: httpx.Client, *images: bytes, **params: Any) -> dict[str, Any]:
    files = [("image", (f"{i}.png", data)) for i, data in enumerate(images)]
    answer = client.post("/classify", params=params, files=files)
    assert answer.status_code == 200, answer.text
    CollectionClassifyResponse.model_validate(answer.json())
    found: dict[str, Any] = answer.json()
    return found


def evaluated(client: httpx.Client, name: str, **params: Any) -> CollectionEvaluation:
    answer = client.get(f"/collections/{name}/evaluation", params=params)
    assert answer.status_code == 200, answer.text
    return CollectionEvaluation.model_validate(answer.json())


@pytest.fixture(scope="module")
def shapes(service: httpx.Client) -> str:
    """25 pictures each of four shapes that no network here has seen; the fifth is a stranger."""
    address = made(service, "shapes", loss="arcface")
    put(service, address, *(
        {"id": f"{shape}-{i}", "label": shape, "image": coded(drawn(shape, i))}
        for shape in SHAPES[:4] for i in range(25)
    ))  # fmt: skip
    return "shapes"


def test_twenty_pictures_a_class_are_enough(service: httpx.Client, shapes: str) -> None:
    found = evaluated(service, shapes)
    assert (found.labels, found.evaluated, found.labeled, found.fitted) == (4, 100, 100, True)
    assert found.accuracy.value > 0.7 > 2 * found.majority
    assert found.accuracy.low < found.accuracy.value < found.accuracy.high
    fresh = [(shape, drawn(shape, seed)) for shape in SHAPES[:4] for seed in range(100, 140)]
    answer = classify(service, *(image for _, image in fresh), collection=shapes)
    right = [
        said["label"] == shape
        for (shape, _), said in zip(fresh, answer["predictions"], strict=True)
    ]
    measured = np.mean(right)
    assert found.accuracy.low - 0.1 < measured < found.accuracy.high + 0.1
    given = np.mean([said["probability"] for said in answer["predictions"]])
    assert given == pytest.approx(measured, abs=0.12)
    called = np.mean([said["unknown"] for said in answer["predictions"]])
    assert called < 0.2


def test_the_items_that_speak_for_a_label_are_listed(service: httpx.Client, shapes: str) -> None:
    answer = classify(service, drawn("circle", 3), collection=shapes, top_k=2)
    (said,) = answer["predictions"]
    assert (said["label"], said["items"][0]["id"]) == ("circle", "circle-3")
    assert said["items"][0]["score"] == pytest.approx(1, abs=1e-5)
    assert all(item["id"].startswith("circle") for item in said["items"])
    assert len(said["items"]) <= answer["k"]
    assert service.get(said["items"][0]["thumbnail"]).headers["content-type"] == "image/jpeg"
    assert said["top"][0] == {"label": "circle", "probability": said["probability"]}
    assert len(said["top"]) <= 2
    assert (said["unknown"], said["nearest"]) == (False, said["items"][0]["score"])


def test_unknown_is_by_a_named_share(service: httpx.Client, shapes: str) -> None:
    loose, strict = (evaluated(service, shapes, false_unknown=share) for share in (0.2, 0.01))
    assert loose.unknown is not None and strict.unknown is not None
    assert loose.unknown.threshold > strict.unknown.threshold
    for share, found in ((0.2, loose.unknown), (0.01, strict.unknown)):
        assert found.known_called_unknown.value <= share
        assert found.strangers_called_unknown.value >= found.known_called_unknown.value
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")
    answers = [
        classify(service, buffer.getvalue(), collection=shapes, false_unknown=share)
        for share in (0.0, 1.0)
    ]
    nearest = answers[0]["predictions"][0]["nearest"]
    every = evaluated(service, shapes, false_unknown=1.0).unknown
    assert every is not None
    assert answers[1]["predictions"][0]["unknown"] == (nearest < every.threshold)


def vectors(n: int, label: int, spread: float = 0.3) -> list[list[float]]:
    center = np.zeros(64)
    center[label] = 1
    random = np.random.default_rng([label, n])
    found: list[list[float]] = (center + spread * random.normal(size=(n, 64)) / 8).tolist()
    return found


def labeled(label: str, rows: list[list[float]]) -> list[dict[str, Any]]:
    return [{"id": f"{label}{i}", "label": label, "vector": row} for i, row in enumerate(rows)]


def test_the_evaluation_follows_every_write(service: httpx.Client) -> None:
    address = made(service, "grows", loss="arcface")
    answer = service.get(f"{address}/evaluation")
    assert code(answer) == (422, "no_labels")
    put(service, address, *({"id": f"none-{i}", "vector": v} for i, v in enumerate(vectors(5, 9))))
    assert code(service.get(f"{address}/evaluation")) == (422, "no_labels")
    put(
        service,
        address,
        *({"id": f"a{i}", "label": "a", "vector": v} for i, v in enumerate(vectors(30, 0))),
    )
    refused = service.get(f"{address}/evaluation")
    assert code(refused) == (422, "one_label")
    assert refused.json()["label"] == "a"
    files = [("image", ("x.png", drawn("dots", 0)))]
    for_images = service.post("/classify", params={"collection": "grows"}, files=files)
    assert code(for_images) == (422, "one_label")
    put(
        service,
        address,
        *({"id": f"b{i}", "label": "b", "vector": v} for i, v in enumerate(vectors(7, 1))),
    )
    few = evaluated(service, "grows")
    assert (few.fitted, few.calibration, few.unknown, few.unlabeled) == (False, None, None, 5)
    assert "'b'" in few.warnings[0] and few.labels == 2
    said = classify(service, drawn("dots", 0), collection="grows")
    assert (said["fitted"], said["predictions"][0]["unknown"]) == (False, None)
    assert said["warnings"] == few.warnings
    put(
        service,
        address,
        *({"id": f"b{i}", "label": "b", "vector": v} for i, v in enumerate(vectors(40, 1))),
    )
    enough = evaluated(service, "grows")
    assert enough.fitted and enough.unknown is not None and enough.sequence > few.sequence
    assert [(one.label, one.items) for one in enough.per_label] == [("a", 30), ("b", 40)]
    assert enough.accuracy.value == 1.0
    for i in range(40):
        assert service.delete(f"{address}/items/b{i}").status_code == 200
    assert code(service.get(f"{address}/evaluation")) == (422, "one_label")


def test_copies_make_it_too_hopeful_and_it_says_so(service: httpx.Client) -> None:
    address = made(service, "copies", loss="arcface")
    put(service, address, *(
        {"id": f"{label}-{i}-{j}", "label": label, "vector": v}
        for label, place in (("a", 0), ("b", 1))
        for i, v in enumerate(vectors(20, place)) for j in range(2)
    ))  # fmt: skip
    found = evaluated(service, "copies")
    assert found.copies == 80
    assert any("copy" in warning for warning in found.warnings)


def test_bad_input_has_a_code(service: httpx.Client, shapes: str) -> None:
    png = {"Content-Type": "image/png"}

    def ask(content: bytes = drawn("dots", 1), **params: Any) -> tuple[int, str]:
        return code(service.post("/classify", params=params, content=content, headers=png))

    assert ask(collection="nothing") == (404, "unknown_model")
    assert ask(collection=shapes, loss="center") == (409, "model_mismatch")
    assert ask(collection=shapes, false_unknown=1.5) == (422, "invalid_parameter")
    assert ask(false_unknown=0.1) == (422, "invalid_parameter")
    assert ask(b"", collection=shapes) == (422, "no_image")
    assert ask(b"none", collection=shapes) == (422, "undecodable_image")
    for params in ({"false_unknown": -1}, {"false_unknown": "nan"}, {"k": 3}):
        answer = service.get(f"/collections/{shapes}/evaluation", params=params)
        assert code(answer) == (422, "invalid_parameter")
    assert code(service.get("/collections/nothing/evaluation")) == (404, "unknown_model")


def test_an_l2_collection_decides_too(service: httpx.Client) -> None:
    address = made(service, "far", loss="center", metric="l2")
    put(service, address, *(
        {"id": f"{label}-{i}", "label": label, "image": coded(path.read_bytes())}
        for label in ("cat", "ship")
        for i, path in enumerate(sorted((SAMPLE / label).iterdir())[:10])
    ))  # fmt: skip
    found = evaluated(service, "far")
    assert (found.metric, found.fitted) == ("l2", False)
    assert found.accuracy.value > 0.7
    image = sorted((SAMPLE / "ship").iterdir())[0].read_bytes()
    (said,) = classify(service, image, collection="far")["predictions"]
    assert (said["label"], said["nearest"]) == ("ship", pytest.approx(0, abs=1e-2))
