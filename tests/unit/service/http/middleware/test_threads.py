import asyncio
from contextvars import ContextVar
from threading import Event

from service.http.middleware.threads import Threads
from tests.support.serving import PATIENCE_S


def test_who_reads_does_not_wait_for_who_writes() -> None:
    done = Event()

    async def ask() -> None:
        threads = Threads()
        writing = [
            asyncio.create_task(threads.write(lambda: done.wait(PATIENCE_S))) for _ in range(20)
        ]
        await asyncio.sleep(0)
        assert await threads.read(lambda: 7) == 7
        done.set()
        assert all(await asyncio.gather(*writing))
        threads.close()

    asyncio.run(ask())


def test_work_sees_the_context_that_it_came_from() -> None:
    name: ContextVar[str] = ContextVar("name", default="none")

    async def ask() -> str:
        threads = Threads()
        name.set("mine")
        try:
            return await threads.read(name.get)
        finally:
            threads.close()

    assert asyncio.run(ask()) == "mine"


def test_what_has_not_begun_is_dropped_with_its_request() -> None:
    go_on, begun = Event(), list[int]()

    def work(number: int) -> None:
        begun.append(number)
        go_on.wait(PATIENCE_S)

    async def ask() -> None:
        threads = Threads()
        tasks = [asyncio.create_task(threads.write(lambda i=i: work(i))) for i in range(20)]  # type: ignore[misc]
        await asyncio.sleep(0.05)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        go_on.set()
        threads.close()

    asyncio.run(ask())
    assert 0 < len(begun) < 20
