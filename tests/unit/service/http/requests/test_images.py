"""The place where a body is parsed; its results are in tests/contract."""

import asyncio
import threading
from typing import Any

import pytest

from service.errors import MalformedBody, TooManyImages
from service.http.requests import images
from service.http.requests.images import read_images
from service.http.requests.multipart import file_parts
from service.settings import Settings

CHUNK_BYTES = 65_536
PART = b'--x\r\nContent-Disposition: form-data; name="a"; filename="a"\r\n\r\n'
END = b"--x--\r\n"


def body(*files: bytes) -> bytes:
    return b"".join(PART + file + b"\r\n" for file in files) + END


def read(content: bytes, max_images: int = 4) -> list[Any]:
    chunks = [content[at : at + CHUNK_BYTES] for at in range(0, len(content), CHUNK_BYTES)]

    async def receive() -> dict[str, Any]:
        chunk = chunks.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": bool(chunks)}

    scope = {"headers": [(b"content-type", b"multipart/form-data; boundary=x")]}
    return list(asyncio.run(read_images(scope, receive, Settings(max_images=max_images))))


@pytest.mark.parametrize(("size", "on_the_loop"), [(1_000, True), (700_000, False)])
def test_only_a_long_body_is_taken_apart_on_a_thread(
    monkeypatch: pytest.MonkeyPatch, size: int, on_the_loop: bool
) -> None:
    threads = []

    def watched(*arguments: Any) -> list[bytes]:
        threads.append(threading.current_thread())
        return file_parts(*arguments)

    monkeypatch.setattr(images, "file_parts", watched)
    files = [bytes([number]) * size for number in range(3)]
    assert read(body(*files)) == files
    assert [thread is threading.main_thread() for thread in threads] == [on_the_loop]


@pytest.mark.parametrize("size", [1_000, 700_000])
def test_faults_of_a_body_are_reported_wherever_it_is_taken_apart(size: int) -> None:
    with pytest.raises(TooManyImages):
        read(body(*[bytes(size)] * 3), max_images=2)
    with pytest.raises(MalformedBody, match="before its last boundary"):
        read(body(*[bytes(size)] * 3)[:-20])
