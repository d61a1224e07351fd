"""Micro-batching without a timer: while one batch runs, the next one fills."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from service.decode import Pixels
from service.errors import DeadlineExceeded, Overloaded, Stopping
from service.session import Outputs

MAX_BATCH = 256


@dataclass(frozen=True)
class BatchRecord:
    """One batch that ran: what the metrics want to know."""

    items: int
    waited_s: float  # by the piece that waited longest
    inference_s: float


@dataclass(frozen=True)
class Limits:
    """What one batcher accepts."""

    queue_items: int
    deadline_s: float
    max_batch: int = MAX_BATCH


@dataclass(frozen=True)
class _Piece:
    """A request, or the part of a large one that fits a batch."""

    pixels: Pixels
    answer: asyncio.Future[Outputs]
    since: float


class Batcher:
    """Joins the images of concurrent requests into batches for one model.

    `infer` runs on a thread of its own, one batch at a time. A batch that raises fails the
    requests in it and no others. Use it on the event loop that `start` was called on.
    """

    def __init__(
        self,
        infer: Callable[[Pixels], Outputs],
        limits: Limits,
        observe: Callable[[BatchRecord], None],
    ) -> None:
        self._infer = infer
        self._limits = limits
        self._observe = observe
        self._items = 0
        self._waiting: deque[_Piece] = deque()
        self._arrived = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="infer")
        self._loop: asyncio.Task[None] | None = None
        self._stopping = False

    @property
    def items(self) -> int:
        """Images admitted and not answered yet."""
        return self._items

    def start(self) -> None:
        """Begin to answer."""
        self._loop = asyncio.create_task(self._run_batches(), name="batcher")

    async def stop(self) -> None:
        """End the loop; whoever still waits gets Stopping."""
        self._stopping = True
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.wait([self._loop])
        while self._waiting:
            _fail(self._waiting.popleft(), Stopping())
        self._thread.shutdown()

    @asynccontextmanager
    async def admit(self, items: int) -> AsyncIterator[None]:
        """Hold room for this many images while a request decodes and runs them.

        Raises Overloaded at once where there is no room, and DeadlineExceeded when the block
        takes too long.
        """
        if self._items + items > self._limits.queue_items:
            raise Overloaded(self._limits.queue_items)
        self._items += items
        try:
            async with asyncio.timeout(self._limits.deadline_s) as deadline:
                yield
        except TimeoutError:
            if not deadline.expired():
                raise
            raise DeadlineExceeded(self._limits.deadline_s) from None
        finally:
            self._items -= items

    async def run(self, pixels: Pixels) -> Outputs:
        """The model's outputs for these images, in order.

        When the caller is cancelled, what has not begun to run is dropped.
        """
        if self._stopping:
            raise Stopping
        pieces = self._pieces(pixels)
        self._waiting.extend(pieces)
        self._arrived.set()
        try:
            outputs = await asyncio.gather(*(piece.answer for piece in pieces))
        finally:
            for piece in pieces:
                piece.answer.cancel()
        return outputs[0] if len(outputs) == 1 else _joined(outputs)

    def _pieces(self, pixels: Pixels) -> list[_Piece]:
        loop, now, step = asyncio.get_running_loop(), perf_counter(), self._limits.max_batch
        return [
            _Piece(pixels[start : start + step], loop.create_future(), now)
            for start in range(0, len(pixels), step)
        ]

    async def _run_batches(self) -> None:
        while True:
            await self._arrived.wait()
            batch = self._next_batch()
            if batch:
                await self._answer(batch)
            else:
                self._arrived.clear()

    def _next_batch(self) -> list[_Piece]:
        batch: list[_Piece] = []
        room = self._limits.max_batch
        while self._waiting and len(self._waiting[0].pixels) <= room:
            piece = self._waiting.popleft()
            if not piece.answer.done():  # its client has gone, or its deadline has passed
                batch.append(piece)
                room -= len(piece.pixels)
        return batch

    async def _answer(self, batch: list[_Piece]) -> None:
        loop, started = asyncio.get_running_loop(), perf_counter()
        try:
            outputs = await loop.run_in_executor(self._thread, self._infer_together, batch)
            self._observe(_record(batch, started))
            _hand_out(outputs, batch)
        except asyncio.CancelledError:
            for piece in batch:
                _fail(piece, Stopping())
            raise
        except Exception as error:  # noqa: BLE001 - each request in the batch re-raises it
            for piece in batch:
                _fail(piece, error)

    def _infer_together(self, batch: list[_Piece]) -> Outputs:
        if len(batch) == 1:
            return self._infer(batch[0].pixels)
        return self._infer(np.concatenate([piece.pixels for piece in batch]))


def _record(batch: list[_Piece], started: float) -> BatchRecord:
    items = sum(len(piece.pixels) for piece in batch)
    return BatchRecord(items, started - batch[0].since, perf_counter() - started)


def _hand_out(outputs: Outputs, batch: list[_Piece]) -> None:
    start = 0
    for piece in batch:
        stop = start + len(piece.pixels)
        if not piece.answer.done():
            part = Outputs(outputs.embedding[start:stop], outputs.probabilities[start:stop])
            piece.answer.set_result(part)
        start = stop


def _joined(outputs: Sequence[Outputs]) -> Outputs:
    return Outputs(
        np.concatenate([part.embedding for part in outputs]),
        np.concatenate([part.probabilities for part in outputs]),
    )


def _fail(piece: _Piece, error: Exception) -> None:
    if not piece.answer.done():
        piece.answer.set_exception(error)
