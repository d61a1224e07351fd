"""Bodies with a Content-Encoding: decoded within the limits, or refused with what is accepted."""

import base64
import gzip
import json
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.bundles import picture
from tests.support.serving import ready

IMAGE = picture(0)
URI = "data:image/png;base64," + base64.b64encode(IMAGE).decode()
FORM = (
    b'--x\r\nContent-Disposition: form-data; name="a"; filename="a"\r\n\r\n' + IMAGE + b"\r\n--x--"
)
BODIES: dict[str, tuple[str, str, bytes]] = {
    "raw": ("/embed", "image/png", IMAGE),
    "json": ("/embed", "application/json", json.dumps({"images": [URI]}).encode()),
    "multipart": ("/embed", "multipart/form-data; boundary=x", FORM),
    "classify": ("/classify", "image/png", IMAGE),
    "compare": ("/compare", "multipart/form-data; boundary=x", FORM),
    "neighbors": ("/neighbors", "application/json", b'{"vectors": [[1, 2, 3, 4]]}'),
    "openai": ("/v1/embeddings", "application/json",
               json.dumps({"model": "arcface", "input": URI}).encode()),
    "items": ("/collections/a/items", "application/json",
              b'{"items": [{"id": "v", "vector": [1, 2, 3, 4]}]}'),
    "image item": ("/collections/a/items?id=i", "image/png", IMAGE),
}  # fmt: skip
LIMIT = 3_000_000


@pytest.fixture(scope="module")
def limited(tiny_registry: Path) -> Iterator[httpx.Client]:
    with ready(tiny_registry, max_body_bytes=LIMIT) as client:
        assert client.put("/collections/a").status_code == 201
        yield client


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def post(client: httpx.Client, what: str, body: bytes, coding: str | None) -> httpx.Response:
    path, media, _ = BODIES[what]
    headers = {"Content-Type": media} | ({} if coding is None else {"Content-Encoding": coding})
    return client.post(path, content=body, headers=headers)


@pytest.mark.parametrize("what", BODIES)
def test_a_coded_body_is_answered_as_the_plain_one(limited: httpx.Client, what: str) -> None:
    plain_body = BODIES[what][2]
    plain = post(limited, what, plain_body, None)
    assert plain.status_code == 200, plain.text
    for coding, body in (
        ("gzip", gzip.compress(plain_body)),
        ("GZip", gzip.compress(plain_body[:10]) + gzip.compress(plain_body[10:])),
        ("x-gzip", gzip.compress(plain_body)),
        ("deflate", zlib.compress(plain_body)),
        ("deflate", raw_deflate(plain_body)),
        ("identity", plain_body),
        ("identity, gzip", gzip.compress(plain_body)),
    ):
        answer = post(limited, what, body, coding)
        assert answer.status_code == 200, (coding, answer.text)
        if what not in ("items", "image item"):
            assert answer.json() == plain.json()


def test_a_collection_may_be_made_with_a_coded_body(limited: httpx.Client) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    body = gzip.compress(b'{"keep_images": false}')
    made = limited.put("/collections/coded", content=body, headers=headers)
    assert (made.status_code, made.json()["keep_images"]) == (201, False)


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "nonsense", "gzip, br", "gzip, gzip"])
@pytest.mark.parametrize("what", BODIES)
def test_another_coding_is_refused_before_the_body_is_read(
    limited: httpx.Client, what: str, coding: str
) -> None:
    answer = post(limited, what, IMAGE, coding)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_content_encoding")
    assert answer.headers["accept-encoding"] == "gzip, deflate"
    assert answer.json()["content_encoding"] == coding


WHOLE = gzip.compress(IMAGE)
DAMAGED = [
    b"",
    IMAGE,
    WHOLE[:-9],
    WHOLE[:-1],
    WHOLE[:20] + b"\0\0" + WHOLE[22:],
    WHOLE + b"behind",
    gzip.compress(b"") * 17,
]


@pytest.mark.parametrize("body", DAMAGED)
def test_damaged_data_is_named(limited: httpx.Client, body: bytes) -> None:
    answer = post(limited, "raw", body, "gzip")
    assert (answer.status_code, answer.json()["code"]) == (422, "malformed_body")
    assert "gzip" in answer.json()["detail"]


BOMBS: list[tuple[str, bytes]] = [
    ("gzip", gzip.compress(bytes(LIMIT + 1))),
    ("deflate", zlib.compress(bytes(LIMIT + 1))),
    ("deflate", raw_deflate(bytes(2**30 // 4))),
    ("gzip", gzip.compress(bytes(2**27)) * 8),
]


@pytest.mark.parametrize(("coding", "body"), BOMBS, ids=range(len(BOMBS)))
@pytest.mark.parametrize("what", ["raw", "json", "multipart", "items", "openai"])
def test_a_bomb_is_not_decoded(limited: httpx.Client, what: str, coding: str, body: bytes) -> None:
    started = time.process_time()
    answer = post(limited, what, body, coding)
    spent = time.process_time() - started
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert spent < 1 + 2 * len(body) / 2**20


def test_a_coded_body_that_is_too_large_as_it_is_is_refused(limited: httpx.Client) -> None:
    answer = post(limited, "raw", bytes(LIMIT + 1), "gzip")
    assert (answer.status_code, answer.json()["limit"]) == (413, LIMIT)


def test_openapi_lists_it(limited: httpx.Client) -> None:
    found: dict[str, Any] = limited.get("/openapi.json").json()["paths"]["/embed"]["post"]
    assert "unsupported_content_encoding" in found["responses"]["415"]["description"]
