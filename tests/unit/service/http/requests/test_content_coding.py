import asyncio
import gzip
from typing import Any

import pytest

from service.errors import BodiesFull
from service.http.requests.content_coding import read_body
from service.http.transport.budget import BUDGET, BodyBudget

PLAIN = b"0123456789abcdef" * 1_000
CODED = gzip.compress(PLAIN)


def read(budget: BodyBudget) -> bytes:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": CODED}

    scope = {"headers": [(b"content-encoding", b"gzip")], "state": {BUDGET: budget}}

    async def run() -> bytes:
        return await read_body(scope, receive, len(PLAIN))

    return asyncio.run(run())


def test_what_a_body_is_decoded_to_is_counted_as_held() -> None:
    budget = BodyBudget(len(PLAIN))
    assert read(budget) == PLAIN
    assert budget.held_bytes == len(PLAIN)


def test_there_must_be_room_for_what_a_body_is_decoded_to() -> None:
    with pytest.raises(BodiesFull):
        read(BodyBudget(len(PLAIN) - 1))
