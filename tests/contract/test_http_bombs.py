"""Images that are made to cost much, sent over HTTP: refused, and nobody else is kept waiting."""

import base64
import struct
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.bombs import bomb
from tests.support.pictures import encode, photo
from tests.support.serving import ready

MIB = 2**20
CLAIM = (
    b"GIF89a"
    + struct.pack("<HHBBB", 7000, 7000, 0x80, 0, 0)
    + bytes(6)
    + struct.pack("<BHHHHBB", 0x2C, 0, 0, 7000, 7000, 0, 2)
    + b"\1\x44\0;"
)


@pytest.fixture(scope="module")
def service(tiny_registry: Path) -> Iterator[httpx.Client]:
    """A service as it is by default."""
    with ready(tiny_registry) as client:
        yield client


def code(client: httpx.Client, data: bytes) -> str:
    answer = client.post("/embed", content=data, headers={"Content-Type": "image/jpeg"})
    return str(answer.json().get("code", answer.status_code))


@pytest.mark.parametrize("path", ["/embed", "/classify", "/neighbors", "/compare"])
def test_few_bytes_that_claim_many_pixels_are_refused(service: httpx.Client, path: str) -> None:
    images = [base64.b64encode(CLAIM).decode()] * 256
    answer = service.post(path, json={"images": images})
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (413, "too_many_pixels")
    assert problem["pixels"] == 256 * 49_000_000
    assert problem["limit"] == 100_000_000 + 64 * 256 * len(CLAIM)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("jpeg scans", "too_many_pixels"),
        ("jpeg exif", "undecodable_image"),
        ("jpeg exif large", "200"),
        ("png text", "undecodable_image"),
        ("png zipped text", "200"),
        ("gif comment", "undecodable_image"),
        ("gif tiny blocks", "undecodable_image"),
        ("bmp line ends", "200"),
    ],
)
def test_bombs_are_refused_or_read_for_little(
    service: httpx.Client, name: str, expected: str
) -> None:
    assert code(service, bomb(name, MIB)) == expected


def test_a_jpeg_that_lacks_pixels_is_refused_and_one_without_its_end_is_read(
    service: httpx.Client,
) -> None:
    data = encode(photo(size=(160, 112)), "JPEG")
    half = data[: len(data) // 2]
    assert [code(service, one) for one in (data, data[:-2])] == ["200", "200"]
    assert [code(service, one) for one in (half, half + data[-2:])] == ["undecodable_image"] * 2


def test_other_formats_are_refused_by_their_names(service: httpx.Client) -> None:
    for kind in ("TIFF", "JPEG2000"):
        answer = service.post(
            "/embed",
            content=encode(photo(size=(64, 64)), kind),
            headers={"Content-Type": "application/octet-stream"},
        )
        assert answer.status_code == 422
        assert kind.removesuffix("2000") in answer.json()["detail"]
