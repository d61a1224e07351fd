"""Overload, deadlines and clients that go away. Nothing here depends on how fast it runs."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from tests.support.bundles import picture
from tests.support.serving import PATIENCE_S, ready

SLOW = picture(0, (1500, 1500))  # long to decode beside everything else here


def files(*images: bytes) -> list[tuple[str, tuple[str, bytes]]]:
    return [("image", ("a.png", image)) for image in images]


def test_overload_is_refused_at_once_and_nothing_is_half_done(tiny_registry: Path) -> None:
    with (
        ready(tiny_registry, queue_items=4, max_images=4) as client,
        ThreadPoolExecutor(12) as pool,
    ):
        alone = client.post("/embed", files=files(*[SLOW] * 4)).content
        asked = [pool.submit(client.post, "/embed", files=files(*[SLOW] * 4)) for _ in range(12)]
        answers = [one.result() for one in asked]
        accepted = [one for one in answers if one.status_code == 200]
        refused = [one for one in answers if one.status_code == 503]
        assert len(accepted) + len(refused) == 12
        assert {one.content for one in accepted} == {alone}
        assert refused
        for one in refused:
            assert one.json()["code"] == "overloaded"
            assert one.json()["limit"] == 4
            assert int(one.headers["retry-after"]) >= 1
        assert client.post("/embed", files=files(*[SLOW] * 4)).content == alone
        assert queued(client) == 0


def test_a_passed_deadline_is_said_and_leaves_nothing_behind(tiny_registry: Path) -> None:
    with ready(tiny_registry, deadline_s=1e-6) as client:
        answer = client.post("/embed", files=files(SLOW))
        assert (answer.status_code, answer.json()["code"]) == (504, "deadline_exceeded")
        assert answer.json()["deadline_s"] == 1e-6
        assert queued(client) == 0


def test_a_client_that_goes_away_is_dropped(tiny_registry: Path) -> None:
    with ready(tiny_registry) as client:
        give_up = time.monotonic() + PATIENCE_S
        while 'status="499"' not in client.get("/metrics").text:
            assert time.monotonic() < give_up
            send_and_leave(client, SLOW)
        good = client.post("/embed", files=files(picture(1)))
        assert good.status_code == 200
        while queued(client):
            assert time.monotonic() < give_up


def send_and_leave(client: httpx.Client, image: bytes) -> None:
    address = (client.base_url.host, client.base_url.port or 80)
    head = "POST /embed HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
    with socket.create_connection(address) as connection:
        connection.sendall(f"{head}Content-Length: {len(image)}\r\n\r\n".encode() + image)


def queued(client: httpx.Client) -> float:
    lines = client.get("/metrics").text.splitlines()
    return sum(
        float(line.split()[-1]) for line in lines if line.startswith("lossatlas_queue_items")
    )
