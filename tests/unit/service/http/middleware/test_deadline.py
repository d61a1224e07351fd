import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from service.errors import ClientGone, DeadlineExceeded
from service.http.middleware.deadline import RequestTimeout
from tests.support.serving import PATIENCE_S


async def stays() -> dict[str, Any]:
    await asyncio.Event().wait()
    return {}


async def leaves() -> dict[str, Any]:
    return {"type": "http.disconnect"}


def on_loop(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, PATIENCE_S))


def test_work_that_ends_in_time_is_left_alone() -> None:
    async def scenario() -> None:
        patience = RequestTimeout(deadline_s=PATIENCE_S)
        with patience.waiting(stays):
            await asyncio.sleep(0.12)  # it is looked at twice
        await asyncio.sleep(0.12)  # and nobody looks again

    on_loop(scenario())


def test_a_passed_deadline_cancels_the_work() -> None:
    async def scenario() -> None:
        work = asyncio.get_running_loop().create_future()
        with (
            pytest.raises(DeadlineExceeded, match=r"0\.01 s"),
            RequestTimeout(deadline_s=0.01).waiting(stays),
        ):
            await work
        assert work.cancelled()
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    on_loop(scenario())


def test_a_client_that_goes_away_cancels_the_work() -> None:
    async def scenario() -> None:
        patience = RequestTimeout(deadline_s=PATIENCE_S)
        with pytest.raises(ClientGone), patience.waiting(leaves):
            await asyncio.Event().wait()
        with patience.waiting(stays):  # the next one is not disturbed
            await asyncio.sleep(0.06)

    on_loop(scenario())


def test_cancelling_from_outside_stays_a_cancellation() -> None:
    async def work() -> None:
        with RequestTimeout(deadline_s=PATIENCE_S).waiting(stays):
            await asyncio.Event().wait()

    async def scenario() -> None:
        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    on_loop(scenario())


def test_an_error_of_the_work_itself_comes_through() -> None:
    async def scenario() -> None:
        with (
            pytest.raises(TimeoutError, match="the disk"),
            RequestTimeout(PATIENCE_S).waiting(stays),
        ):
            raise TimeoutError("the disk")

    on_loop(scenario())
