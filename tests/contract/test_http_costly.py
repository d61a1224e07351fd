"""Bodies that are small to send and costly to take apart: refused, for little of the processor."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.bundles import picture
from tests.support.serving import ready

MIB = 2**20
ROUTES = ["/embed", "/compare", "/neighbors", "/v1/embeddings", "/collections/a/items"]


@pytest.fixture(scope="module")
def open_to_all(tiny_registry: Path) -> Iterator[httpx.Client]:
    with ready(tiny_registry) as client:
        assert client.put("/collections/a").status_code == 201
        yield client


def filled(opening: bytes, unit: bytes, closing: bytes) -> bytes:
    return opening + unit * (6 * MIB // len(unit)) + closing


JSON = {
    "lists": filled(b'{"images": [', b"[],", b"1]}"),
    "lists as items": filled(b'{"items": [', b"[],", b"1]}"),
    "lists as vectors": filled(b'{"vectors": [', b"[],", b"1]}"),
    "objects in a filter": filled(b'{"ids": ["x"], "filter": {"a": {"in": [', b"{},", b"1]}}}"),
    "numbers": filled(b'{"images": [', b"1,", b"1]}"),
    "keys": b"{" + b",".join(b'"%x":1' % n for n in range(600_000)) + b"}",
    "texts": filled(b'{"ids": [', b'"x",', b'""]}'),
    "depth": filled(b"", b'{"a":', b""),
    "tokens": filled(b'{"model": "arcface", "input": [', b"[1],", b"1]}"),
}


def spent(client: httpx.Client, path: str, body: bytes, media: str) -> tuple[httpx.Response, float]:
    started = time.process_time()  # of the service too: it runs in this process
    answer = client.post(path, content=body, headers={"Content-Type": media})
    return answer, time.process_time() - started


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("what", JSON)
def test_too_many_values_are_refused_before_they_are_made(
    open_to_all: httpx.Client, path: str, what: str
) -> None:
    answer, seconds = spent(open_to_all, path, JSON[what], "application/json")
    assert (answer.status_code, answer.json()["code"]) == (413, "too_many_values")
    assert seconds < 2 * len(JSON[what]) / MIB
    assert open_to_all.get("/health/live").status_code == 200


def test_the_body_of_a_collection_is_short(open_to_all: httpx.Client) -> None:
    headers = {"Content-Type": "application/json"}
    answer = open_to_all.put("/collections/b", content=bytes(65_537), headers=headers)
    assert (answer.status_code, answer.json()["limit"]) == (413, 65_536)


HEAD = b'Content-Disposition: form-data; name="a"; filename='
PART = b"\r\n--x\r\n" + HEAD
MULTIPART = {
    "empty parts": (b"--x\r\n" + HEAD + b'"a"\r\n\r\n') + (PART + b'"a"\r\n\r\n') * 60_000,
    "empty inputs": (b"--x\r\n" + HEAD + b'""\r\n\r\n') + (PART + b'""\r\n\r\n') * 60_000,
    "fields": (b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n') + PART * 60_000,
    "one long header": b"--x\r\n" + HEAD + b'"' + b"a" * 6 * MIB + b'"\r\n\r\n',
    "many headers": b"--x\r\n" + b"a: b\r\n" * MIB,
    "many quotes": (b"--x\r\n" + HEAD + b'"' + b'\\"' * 8_000 + b'"\r\n\r\n') * 300,
    "many parameters": b"--x\r\n" + (HEAD + b"a" + b";a=b" * 4_000 + b"\r\n\r\n" + PART) * 300,
    "nearly boundaries": b"--x\r\n" + HEAD + b'"a"\r\n\r\n' + b"\r\n--" * MIB,
    "no headers": b"--x\r\n" * MIB,
    "line ends": b"\r\n" * 3 * MIB,
}


@pytest.mark.parametrize("what", MULTIPART)
@pytest.mark.parametrize("path", ["/embed", "/collections/a/items"])
def test_no_form_costs_more_than_it_may(open_to_all: httpx.Client, path: str, what: str) -> None:
    body = MULTIPART[what] + b"\r\n--x--\r\n"
    answer, seconds = spent(open_to_all, path, body, "multipart/form-data; boundary=x")
    assert answer.status_code in (413, 422), answer.text
    assert seconds < 1 + 2 * len(body) / MIB


@pytest.mark.parametrize(
    "media",
    [
        'multipart/form-data; boundary="' + '\\"' * 4_000,
        "multipart/form-data; " + "a=b; " * 4_000 + "boundary=x",
        "multipart/form-data; boundary=" + "x" * 10_000,
        "multipart/form-data" + ";" * 10_000,
        'multipart/form-data; a="' + "x" * 10_000 + "; boundary=x",
    ],
    ids=range(5),
)
def test_no_content_type_costs_more_than_it_may(open_to_all: httpx.Client, media: str) -> None:
    answer, seconds = spent(open_to_all, "/embed", b"--x--\r\n", media)
    assert answer.status_code in (413, 415, 422, 431)
    assert seconds < 1


def form(*parts: tuple[str, str, bytes]) -> bytes:
    said = b""
    for filename, media, content in parts:
        said += (
            f'--x\r\nContent-Disposition: form-data; name="a"; filename="{filename}"\r\n'.encode()
        )
        said += f"Content-Type: {media}\r\n\r\n".encode() + content + b"\r\n"
    return said + b"--x--\r\n"


EMPTY = ("", "application/octet-stream", b"")  # as browsers send a file input without a file
IMAGE = ("a.png", "image/png", picture(0))


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ((IMAGE, EMPTY), None),
        ((EMPTY, IMAGE, EMPTY), None),
        ((EMPTY,), "no_image"),
        ((EMPTY,) * 64, "no_image"),
        ((EMPTY,) * 65, "malformed_body"),
        ((IMAGE, ("a.png", "image/png", b"")), "undecodable_image"),
        ((IMAGE, ("", "image/png", b"x")), "undecodable_image"),
    ],
)
def test_a_file_input_that_was_left_empty_is_no_image(
    open_to_all: httpx.Client, parts: tuple[tuple[str, str, bytes], ...], code: str | None
) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = open_to_all.post("/embed", content=form(*parts), headers=headers)
    if code is None:
        assert len(answer.json()["embeddings"]) == 1
    else:
        assert (answer.status_code, answer.json()["code"]) == (422, code)
