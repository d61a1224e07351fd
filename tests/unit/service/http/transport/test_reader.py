"""The protocol itself, on a transport that only keeps: what it reads, and when."""

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from service.http.requests.body import Body
from service.http.transport.protocol import OneWriteProtocol
from service.http.transport.server_config import server_config
from service.settings import Settings
from tests.support.serving import PATIENCE_S
from tests.support.wires import chunked, request

LIVE = b"GET / HTTP/1.1\r\n\r\n"


class Transport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.reading = True
        self.closed = False

    def is_closing(self) -> bool:
        return self.closed

    def writelines(self, parts: Iterable[Any]) -> None:
        answer = b"".join(parts)
        if not answer.startswith(b"HTTP/1.1 100"):
            self.written.append(answer)

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def write_eof(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


class Bench:
    """A connection to an application that answers when `open` is set, with its body's length."""

    def __init__(self, **settings: Any) -> None:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await self._answer(scope, receive, send)

        config = server_config(app, Settings(**settings), stop_s=5)
        config.load()
        self.open = asyncio.Event()
        self.pieces: list[int] = []
        self.transport = Transport()
        make: Any = config.http_protocol_class
        self.protocol: OneWriteProtocol = make(
            config=config, server_state=ServerState(), app_state={}
        )
        self.protocol.connection_made(self.transport)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        size = 0
        async for piece in Body(scope, receive, 2**30):
            self.pieces.append(len(piece))
            size += len(piece)
        await self.open.wait()
        headers = [(b"content-length", b"10")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"%010d" % size})

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    async def answered(self, count: int) -> None:
        while len(self.transport.written) < count:
            await asyncio.sleep(0)
        await self.settle()
        assert all(one.startswith(b"HTTP/1.1 200") for one in self.transport.written)
        assert len(self.transport.written) == count


Scenario = Callable[[], Coroutine[Any, Any, None]]


def on_loop(scenario: Scenario) -> None:
    asyncio.run(asyncio.wait_for(scenario(), PATIENCE_S))


@pytest.mark.parametrize("framing", ["", "Content-Length: 3", "Transfer-Encoding: chunked"])
def test_requests_are_read_as_they_are_answered(framing: str) -> None:
    head = request("POST", "/", *[framing] if framing else [])
    body = {"": b"", "Content-Length: 3": b"abc"}.get(framing, chunked(b"abc"))

    async def scenario() -> None:
        bench = Bench()
        count = 200_000 // len(head + body)
        bench.protocol.data_received((head + body) * count)
        await bench.settle()
        assert len(bench.protocol.pipeline) < 40
        assert not bench.transport.reading
        bench.open.set()
        await bench.answered(count)
        assert bench.transport.reading

    on_loop(scenario)


def test_what_comes_while_reading_is_paused_is_kept() -> None:
    async def scenario() -> None:
        bench = Bench()
        stream = LIVE * 5000
        for at in range(0, len(stream), 7001):
            bench.protocol.data_received(stream[at : at + 7001])
        assert len(bench.protocol.pipeline) < 40
        bench.open.set()
        await bench.answered(5000)

    on_loop(scenario)


@pytest.mark.parametrize("step", [1, 2, 3, 7, 50, 1000, 10**6])
@pytest.mark.parametrize("settings", [{}, {"max_header_bytes": 1024}])
def test_requests_are_the_same_however_they_are_cut(step: int, settings: dict[str, int]) -> None:
    offer = ("Connection: upgrade", "Upgrade: h2c")
    blanks = b"\r\n\r\n" * 100
    stream = b"".join(
        [
            request("POST", "/", body=blanks),
            request("POST", "/", *offer, body=blanks),
            request("POST", "/", "Transfer-Encoding: chunked", *offer),
            chunked(blanks, b"\r\n\r\n", b"a" * 3000, trailers=b"A: b\r\n"),
            request("GET", "/", *offer) * 20,
            b"\r\n\r\n",
            request("POST", "/", "Transfer-Encoding: chunked") + chunked(b"a", b"b"),
            request("POST", "/", *offer, body=b"a" * 70_000),
        ]
    )
    sizes = [400, 400, 3404, *[0] * 20, 2, 70_000]

    async def scenario() -> None:
        bench = Bench(**settings)
        bench.open.set()
        for at in range(0, len(stream), step):
            bench.protocol.data_received(stream[at : at + step])
            if step > 10 or at % 100 == 0:
                await asyncio.sleep(0)
        await bench.answered(len(sizes))
        assert [int(one[-10:]) for one in bench.transport.written] == sizes

    on_loop(scenario)


def test_a_body_in_single_bytes_is_not_a_list_of_them() -> None:
    async def scenario() -> None:
        bench = Bench()
        bench.open.set()
        bench.protocol.data_received(request("POST", "/", "Content-Length: 100000"))
        for _ in range(100_000):
            bench.protocol.data_received(b"a")
            await asyncio.sleep(0)
        await bench.answered(1)
        assert sum(bench.pieces) == 100_000
        assert len(bench.pieces) < 5

    on_loop(scenario)


def some_request(rng: random.Random) -> tuple[bytes, int]:
    """A request of any framing, and the size of its body."""
    offer = ("Connection: upgrade", "Upgrade: foo")
    long = ("A: " + "b" * 800,)
    headers = rng.choice([(), offer, long, ("Expect: 100-continue",)])
    unit = rng.choice([b"a", b"\r\n", LIVE, b"0\r\n\r\n"])
    body = unit * rng.choice([0, 1, 2, 50, 300, 9000])
    kind = rng.choice(["none", "length", "chunks"])
    if kind == "chunks":
        step = rng.choice([1, 10]) if len(body) < 500 else 1000
        pieces = [body[at : at + step] for at in range(0, len(body), step)]
        trailers = rng.choice([b"", b"X: y\r\n"])
        head = request("POST", "/", "Transfer-Encoding: chunked", *headers)
        return head + chunked(*pieces, trailers=trailers), len(body)
    if kind == "length" and body:
        return request("POST", "/", *headers, body=body), len(body)
    return request("GET", "/?a=b", *headers) + rng.choice([b"", b"\r\n"]), 0


@pytest.mark.parametrize("seed", range(40))
def test_any_requests_in_any_pieces_are_answered_in_order(seed: int) -> None:
    rng = random.Random(seed)
    found = [some_request(rng) for _ in range(rng.randint(1, 60))]
    stream = b"".join(sent for sent, _ in found)
    steps = rng.choice([(1, 5, 100, 1000), (1000, 20_000), (65_536, 262_144)])

    async def scenario() -> None:
        bench = Bench()
        at = 0
        while at < len(stream):
            if not bench.transport.reading:
                bench.open.set()
                await asyncio.sleep(0)
                continue
            step = rng.choice(steps)
            bench.protocol.data_received(stream[at : at + step])
            at += step
            if rng.random() < 0.5:
                await asyncio.sleep(0)
        bench.open.set()
        await bench.answered(len(found))
        assert [int(one[-10:]) for one in bench.transport.written] == [size for _, size in found]

    on_loop(scenario)
