"""POST /compare: several losses about the same images, decoded once, all of it or nothing."""

import re
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest

from models.bundle import MODEL
from models.manifest import Preprocess
from service.http.responses.compare import CompareResponse
from service.http.responses.schemas import ClassifyResponse, NeighborsResponse
from service.inference.decode import Decoder
from service.inference.session import Outputs, Session
from service.inference.work import DecodedImages, Pixels
from tests.support.bundles import Recipe, picture, publish
from tests.support.serving import PATIENCE_S, ready, serving, wait_loaded

PICTURES = [picture(seed) for seed in range(5)]
GOOD: dict[str, Any] = {"content": PICTURES[0], "headers": {"Content-Type": "image/png"}}


def files(*images: bytes) -> list[tuple[str, tuple[str, bytes]]]:
    return [("image", (f"{i}.png", image)) for i, image in enumerate(images)]


def compared(answer: httpx.Response) -> CompareResponse:
    assert answer.status_code == 200, answer.text
    return CompareResponse.model_validate(answer.json())


def check_each_says_what_it_says_alone(client: httpx.Client, images: list[bytes]) -> None:
    body = compared(client.post("/compare?k=3&top_k=2", files=files(*images)))
    assert len(body.images) == len(images)
    for column, loss in enumerate(body.losses):
        opinions = [image.opinions[column] for image in body.images]
        classes = client.post(f"/classify?loss={loss}&top_k=2", files=files(*images)).json()
        near = client.post(f"/neighbors?loss={loss}&k=3", files=files(*images)).json()
        alone = ClassifyResponse.model_validate(classes)
        assert {(one.loss, one.version) for one in opinions} == {(loss, alone.version)}
        for one, prediction, neighbors in zip(
            opinions,
            alone.predictions,
            NeighborsResponse.model_validate(near).neighbors,
            strict=True,
        ):
            assert (one.label, one.unknown) == (prediction.label, prediction.unknown)
            assert one.probability == pytest.approx(prediction.probability)
            assert [top.label for top in one.top] == [top.label for top in prediction.top]
            assert [(near.id, near.thumbnail) for near in one.neighbors] == [
                (near.id, near.thumbnail) for near in neighbors
            ]


def test_each_loss_says_what_it_says_alone(client: httpx.Client) -> None:
    body = compared(client.post("/compare", files=files(*PICTURES)))
    assert (body.losses, body.unavailable) == (["arcface", "softmax"], [])
    check_each_says_what_it_says_alone(client, PICTURES)


def test_images_come_in_every_form_and_keep_their_order(client: httpx.Client) -> None:
    alone = [
        compared(client.post("/compare", content=image, headers=GOOD["headers"])).images[0]
        for image in PICTURES
    ]
    together = compared(client.post("/compare", files=files(*PICTURES))).images
    assert [[one.label for one in image.opinions] for image in together] == [
        [one.label for one in image.opinions] for image in alone
    ]
    assert len({image.opinions[0].neighbors[0].id for image in together}) > 1


def test_named_losses_answer_in_the_order_of_their_names(client: httpx.Client) -> None:
    for query, losses in (
        ("loss=softmax&loss=arcface", ["softmax", "arcface"]),
        ("loss=softmax&loss=arcface&loss=softmax", ["softmax", "arcface"]),
        ("loss=softmax", ["softmax"]),
    ):
        body = compared(client.post(f"/compare?{query}", **GOOD))
        assert body.losses == losses
        assert [one.loss for one in body.images[0].opinions] == losses
        assert body.images[0].agreement.of == len(losses)


@pytest.mark.parametrize(("query", "k", "top_k"), [("", 5, 5), ("?k=0&top_k=1", 0, 1)])
def test_k_and_top_k_say_how_much_is_listed(
    client: httpx.Client, query: str, k: int, top_k: int
) -> None:
    for one in compared(client.post(f"/compare{query}", **GOOD)).images[0].opinions:
        assert (len(one.neighbors), len(one.top)) == (k, top_k)


def test_agreement_is_what_most_losses_say(tmp_path: Path) -> None:
    for seed, name in enumerate(("arcface", "center", "softmax", "triplet")):
        publish(tmp_path, name, Recipe(seed=seed))
    images = [picture(seed) for seed in range(40)]
    with ready(tmp_path) as client:
        body = compared(client.post("/compare?k=0", files=files(*images)))
    seen = set()
    for image in body.images:
        votes = Counter(one.label for one in image.opinions)
        first, *others = [label for label, count in votes.items() if count == max(votes.values())]
        if not others:
            assert image.agreement.label == first
        else:
            weight = {
                label: sum(one.probability for one in image.opinions if one.label == label)
                for label in (first, *others)
            }
            assert image.agreement.label == max(weight, key=lambda label: weight[label])
        assert (image.agreement.losses, image.agreement.of) == (max(votes.values()), 4)
        seen.add((max(votes.values()), bool(others)))
    assert {(1, True), (2, True), (2, False), (3, False)} <= seen


def test_agreement_counts_who_calls_the_image_unknown(client: httpx.Client) -> None:
    images = [picture(seed) for seed in range(8)]
    body = compared(client.post("/compare", files=files(*images)))
    counts = [image.agreement.unknown for image in body.images]
    assert counts == [sum(bool(one.unknown) for one in image.opinions) for image in body.images]
    assert len(set(counts)) > 1


@pytest.mark.parametrize(("sizes", "decodings"), [((8, 8, 8), 1), ((8, 12, 8), 2)])
def test_images_are_decoded_once_for_each_input_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sizes: tuple[int, ...], decodings: int
) -> None:
    for name, size_px in zip(("arcface", "softmax", "triplet"), sizes, strict=True):
        publish(tmp_path, name, Recipe(size_px=size_px, thumbnails=False))
    decoded: list[int] = []
    decode = Decoder.decode

    async def counting(self: Decoder, images: list[bytes], spec: Preprocess) -> DecodedImages:
        decoded.append(spec.size_px)
        return await decode(self, images, spec)

    with ready(tmp_path) as client:
        check_each_says_what_it_says_alone(client, PICTURES)
        monkeypatch.setattr(Decoder, "decode", counting)
        compared(client.post("/compare", files=files(*PICTURES)))
    assert len(decoded) == len(set(decoded)) == decodings


HELD_PX = 12  # the input size of the model that a test makes wait or fail


@dataclass
class Held:
    """A hold on that model's batches."""

    begun: Event = field(default_factory=Event)
    go_on: Event = field(default_factory=Event)
    error: Exception | None = None
    sleeps_s: float = 0


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    found, run = Held(), Session.run
    found.go_on.set()

    def run_held(self: Session, images: Pixels) -> Outputs:
        if images.shape[1] == HELD_PX:
            found.begun.set()
            found.go_on.wait()
            time.sleep(found.sleeps_s)
            if found.error is not None:
                raise found.error
        return run(self, images)

    monkeypatch.setattr(Session, "run", run_held)
    yield found
    found.go_on.set()


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """arcface, and softmax, which can be held."""
    publish(tmp_path, "arcface", Recipe(thumbnails=False))
    publish(tmp_path, "softmax", Recipe(size_px=HELD_PX, thumbnails=False))
    return tmp_path


def measured(client: httpx.Client, metric: str) -> dict[str, float]:
    """The metric's value for each model."""
    lines = client.get("/metrics").text
    found = re.findall(rf'^{metric}{{model="(\w+)",version="1"}} (\S+)', lines, re.MULTILINE)
    return {model: float(value) for model, value in found}


def test_without_room_in_every_queue_nothing_is_begun(pair: Path, held: Held) -> None:
    with ready(pair, queue_items=4, max_images=4) as client, ThreadPoolExecutor(1) as pool:
        held.begun.clear()
        held.go_on.clear()
        two = pool.submit(client.post, "/embed?loss=softmax", files=files(*PICTURES[:2]))
        assert held.begun.wait(PATIENCE_S)
        batches = measured(client, "lossatlas_batch_items_count")
        refused = client.post("/compare", files=files(*PICTURES[:3]))
        assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
        assert int(refused.headers["retry-after"]) >= 1
        assert measured(client, "lossatlas_queue_items") == {"arcface": 0, "softmax": 2}
        assert measured(client, "lossatlas_batch_items_count") == batches
        held.go_on.set()
        assert two.result().status_code == 200
        assert len(compared(client.post("/compare", files=files(*PICTURES[:3]))).images) == 3


def test_the_deadline_holds_for_the_slowest_loss(pair: Path, held: Held) -> None:
    with ready(pair, deadline_s=0.2) as client:
        held.go_on.clear()
        answer = client.post("/compare", **GOOD)
        assert (answer.status_code, answer.json()["code"]) == (504, "deadline_exceeded")
        assert measured(client, "lossatlas_queue_items") == {"arcface": 0, "softmax": 0}
        held.go_on.set()


def test_a_loss_that_fails_fails_the_request_and_no_other(pair: Path, held: Held) -> None:
    with ready(pair) as client:
        held.error = RuntimeError("made to fail")
        answer = client.post("/compare", **GOOD)
        assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
        assert measured(client, "lossatlas_queue_items") == {"arcface": 0, "softmax": 0}
        assert compared(client.post("/compare?loss=arcface", **GOOD)).losses == ["arcface"]
        held.error = None
        assert compared(client.post("/compare", **GOOD)).losses == ["arcface", "softmax"]


def test_the_timing_is_that_of_the_slowest_loss(pair: Path, held: Held) -> None:
    with ready(pair) as client:
        held.sleeps_s = 0.1
        timing = client.post("/compare", **GOOD).headers["server-timing"]
    stages = dict(re.findall(r"(\w+);dur=([\d.]+)", timing))
    assert set(stages) == {"decode", "queue", "inference"}
    assert float(stages["inference"]) >= 100


def test_a_loss_that_still_loads_is_left_out_unless_it_is_named(pair: Path, held: Held) -> None:
    held.go_on.clear()  # softmax waits in its golden batch
    with serving(pair) as client:
        assert held.begun.wait(PATIENCE_S)
        body = compared(client.post("/compare", **GOOD))
        assert body.losses == ["arcface"]
        assert [(one.name, one.state) for one in body.unavailable] == [("softmax", "loading")]
        named = client.post("/compare?loss=arcface&loss=softmax", **GOOD)
        assert (named.status_code, named.json()["code"]) == (503, "not_ready")
        held.go_on.set()
        wait_loaded(client)
        assert compared(client.post("/compare", **GOOD)).losses == ["arcface", "softmax"]


def test_a_damaged_loss_is_left_out_unless_it_is_named(pair: Path) -> None:
    (pair / "softmax" / "1" / MODEL).write_bytes(b"")
    with ready(pair) as client:
        body = compared(client.post("/compare", **GOOD))
        assert body.losses == ["arcface"]
        assert [(one.name, one.state) for one in body.unavailable] == [("softmax", "damaged")]
        assert body.unavailable[0].reason
        named = client.post("/compare?loss=softmax", **GOOD)
        assert (named.status_code, named.json()["code"]) == (409, "model_damaged")


@pytest.mark.parametrize(
    ("softmax", "code"), [("damaged", "model_damaged"), ("loading", "not_ready")]
)
def test_where_no_loss_can_answer_it_says_why(
    pair: Path, held: Held, softmax: str, code: str
) -> None:
    """One that loads is worth waiting for, though the default is damaged."""
    (pair / "arcface" / "1" / MODEL).write_bytes(b"")
    if softmax == "damaged":
        (pair / "softmax" / "1" / MODEL).write_bytes(b"")
    held.go_on.clear()
    with serving(pair) as client:
        if softmax == "damaged":
            wait_loaded(client)
        else:
            assert held.begun.wait(PATIENCE_S)
        assert client.post("/compare", **GOOD).json()["code"] == code
        held.go_on.set()


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/compare?loss=nix", GOOD, 404, "unknown_model"),
        ("/compare?loss=arcface&loss=nix", GOOD, 404, "unknown_model"),
        ("/compare?loss=", GOOD, 404, "unknown_model"),
        ("/compare?k=101", GOOD, 422, "invalid_parameter"),
        ("/compare?k=-1", GOOD, 422, "invalid_parameter"),
        ("/compare?top_k=0", GOOD, 422, "invalid_parameter"),
        ("/compare?k=1&k=2", GOOD, 422, "invalid_parameter"),
        ("/compare?version=1", GOOD, 422, "invalid_parameter"),
        ("/compare", {"files": files(PICTURES[0], b"x")}, 422, "undecodable_image"),
        ("/compare", {"files": files(*[PICTURES[0]] * 9)}, 413, "too_many_images"),
        ("/compare", {"files": files(picture(1, (200, 100)))}, 413, "image_too_large"),
        ("/compare", {"content": bytes(200_001)}, 413, "body_too_large"),
        ("/compare", {"content": b"x"}, 415, "unsupported_media_type"),
        ("/compare", {"json": {"images": []}}, 422, "no_image"),
    ],
)
def test_bad_input_is_refused_as_on_the_other_routes(
    client: httpx.Client, path: str, body: dict[str, Any], status: int, code: str
) -> None:
    answer = client.post(path, **body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize("path", ["/embed", "/classify", "/neighbors"])
def test_the_other_routes_point_here_where_several_losses_are_named(
    client: httpx.Client, path: str
) -> None:
    answer = client.post(f"{path}?loss=arcface&loss=softmax", **GOOD)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_parameter")
    (fault,) = answer.json()["errors"]
    assert fault["parameter"] == "loss"
    assert "POST /compare" in fault["message"]
