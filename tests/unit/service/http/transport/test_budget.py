import asyncio
from typing import Any

import pytest

from service.errors import BodiesFull
from service.http.transport import budget
from service.http.transport.budget import BodyBudget


def test_room_is_taken_and_given_back() -> None:
    bodies = BodyBudget(100)
    first: dict[str, Any] = {}
    second: dict[str, Any] = {}
    bodies.take(first, 60)
    bodies.take(second, 30)
    bodies.take(second, 10)
    with pytest.raises(BodiesFull, match="100 bytes"):
        bodies.take(first, 1)
    with pytest.raises(BodiesFull):
        bodies.check(1)
    assert bodies.held_bytes == 100
    bodies.give_back(second)
    bodies.give_back(second)  # which has nothing any more
    assert bodies.held_bytes == 60
    bodies.check(40)


def test_memory_is_given_back_after_large_bodies_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    trims: list[int] = []
    monkeypatch.setattr(budget, "_TRIM_S", 0)
    monkeypatch.setattr(budget, "_trimmer", lambda: trims.append)

    async def serve(*sizes: int) -> None:
        bodies = BodyBudget(10**9)
        for size in sizes:
            state: dict[str, Any] = {}
            bodies.take(state, size)
            bodies.give_back(state)
        await asyncio.sleep(0.05)

    asyncio.run(serve(10**6, 10**6))
    assert trims == []
    asyncio.run(serve(10**7, 10**7, 10**7))
    assert trims == [0]
