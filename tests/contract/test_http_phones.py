"""Photographs of phones: AVIF and HEIC in every body, in collections, in folders."""

import base64
import io
import random
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from models import heif_decode
from models.manifest import Preprocess
from tests.contract.conftest import Run
from tests.support.pictures import encode, heic, oriented, photo
from tests.support.serving import ready
from training import data

PHOTO = photo(size=(160, 112))
FILES: dict[str, Callable[..., bytes]] = {
    "avif": lambda image, **options: encode(image, "AVIF", **options),
    "heic": heic,
    "heif": heic,
}
KINDS = pytest.mark.parametrize("kind", FILES)


@pytest.fixture(scope="module")
def service(tiny_registry: Path) -> Iterator[httpx.Client]:
    with ready(tiny_registry, max_pixels=1_000_000) as client:
        yield client


def sent(client: httpx.Client, content: bytes, media: str = "image/avif") -> httpx.Response:
    return client.post("/embed", content=content, headers={"Content-Type": media})


def embedding(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return np.array(answer.json()["embeddings"])


@KINDS
def test_every_body_carries_them_and_the_embedding_is_that_of_the_photograph(
    service: httpx.Client, kind: str
) -> None:
    content, media = FILES[kind](PHOTO, quality=95), f"image/{kind}"
    expected = embedding(sent(service, encode(PHOTO, "PNG"), "image/png"))
    text = base64.b64encode(content).decode()
    for answer in (
        sent(service, content, media),
        sent(service, content, "application/octet-stream"),
        service.post("/embed", files={"a": (f"a.{kind}", content, media)}),
        service.post("/embed", json={"images": [text]}),
        service.post("/embed", json={"images": [f"data:{media};base64,{text}"]}),
    ):
        np.testing.assert_allclose(embedding(answer), expected, atol=0.03)


@KINDS
def test_an_oriented_photograph_is_turned(service: httpx.Client, kind: str) -> None:
    upright = encode(PHOTO.transpose(Image.Transpose.ROTATE_270), "PNG")
    found = embedding(sent(service, FILES[kind](PHOTO, quality=95, exif=oriented(6))))
    np.testing.assert_allclose(found, embedding(sent(service, upright)), atol=0.03)


@KINDS
@pytest.mark.parametrize("path", ["/embed", "/classify", "/neighbors", "/compare"])
def test_one_that_is_cut_is_refused_as_others_are(
    service: httpx.Client, kind: str, path: str
) -> None:
    content = FILES[kind](PHOTO)
    for kept in (12, 40, len(content) // 2, len(content) - 1):
        answer = service.post(
            path, content=content[:kept], headers={"Content-Type": f"image/{kind}"}
        )
        assert (answer.status_code, answer.json()["code"]) == (422, "undecodable_image")


@KINDS
def test_one_that_is_too_large_is_refused_from_its_header(service: httpx.Client, kind: str) -> None:
    large = FILES[kind](Image.new("RGB", (1200, 900)))
    answer = sent(service, large)
    assert (answer.status_code, answer.json()["code"]) == (413, "image_too_large")
    small = FILES[kind](Image.new("RGB", (128, 128)))
    claimed = small.replace(struct.pack(">II", 128, 128), struct.pack(">II", 30_000, 30_000))
    assert claimed != small
    assert sent(service, claimed).json()["code"] == "image_too_large"
    short = small.replace(struct.pack(">II", 128, 128), struct.pack(">II", 64, 64))
    assert sent(service, short).json()["code"] == "undecodable_image"


def test_few_bytes_that_claim_many_pixels_together_are_refused(tiny_registry: Path) -> None:
    blank = encode(Image.new("RGBA", (2000, 2000)), "AVIF", speed=10)
    images = [base64.b64encode(blank).decode()] * 16
    with ready(tiny_registry) as client:
        answer = client.post("/embed", json={"images": images})
        assert (answer.status_code, answer.json()["code"]) == (413, "too_many_pixels")
        assert answer.json()["pixels"] == 16 * 2 * 4_000_000  # each with its transparency


def test_no_damaged_file_is_an_error_of_the_service(service: httpx.Client) -> None:
    chance = random.Random(0)
    files = [make(PHOTO) for make in FILES.values()]
    for _ in range(150):
        content = bytearray(chance.choice(files))
        for _ in range(chance.choice((1, 2, 8))):
            content[chance.randrange(min(900, len(content)))] = chance.randrange(256)
        answer = sent(service, bytes(content))
        assert answer.status_code in (200, 413, 422), answer.text


def test_a_heic_is_refused_by_name_where_no_decoder_is_installed(
    service: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heif_decode, "reads_heic", lambda: False)
    answer = sent(service, heic(PHOTO))
    assert (answer.status_code, answer.json()["code"]) == (422, "undecodable_image")
    assert "HEIC" in answer.json()["detail"]


@KINDS
def test_an_item_keeps_its_file_and_gets_a_thumbnail_that_browsers_show(
    service: httpx.Client, kind: str
) -> None:
    service.put(f"/collections/{kind}")
    content = FILES[kind](PHOTO)
    added = service.post(
        f"/collections/{kind}/items?id=a", content=content, headers={"Content-Type": "image/heic"}
    )
    assert added.status_code == 200, added.text
    question = service.post(
        f"/neighbors?collection={kind}&k=1", content=content, headers={"Content-Type": "image/heic"}
    )
    ((hit,),) = question.json()["neighbors"]
    assert (hit["id"], hit["score"]) == ("a", pytest.approx(1, abs=1e-5))
    thumbnail = service.get(hit["thumbnail"])
    assert thumbnail.headers["content-type"] == "image/jpeg"
    with Image.open(io.BytesIO(thumbnail.content)) as image:
        assert image.width > image.height


def folder(root: Path) -> Path:
    for label in ("cat", "dog"):
        (root / label).mkdir(parents=True)
        for number in range(12):
            for kind, make in FILES.items():
                picture = PHOTO.crop((number, 0, 100 + number, 80))
                (root / label / f"{number}.{kind.upper()}").write_bytes(make(picture))
    return root


def test_the_command_indexes_a_folder_of_them(
    tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("index", folder(tmp_path / "images"), "--collection=pets") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "collection pets: 72 added"


def test_training_reads_a_folder_of_them(tmp_path: Path) -> None:
    images = folder(tmp_path / "images")
    assert data.choose_size_px(str(images), "compact") == 64
    dataset = data.load(str(images), Preprocess(size_px=16), tmp_path / "cache")
    assert dataset.train.images.shape[1:] == (16, 16, 3)
    assert len(dataset.train.images) + len(dataset.test.images) == 72
