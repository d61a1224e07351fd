"""Micro-batching without a timer: while batches run, the next one fills."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import NamedTuple

import numpy as np

from service.decode import Pixels
from service.errors import Overloaded, Stopping
from service.lanes import Lanes
from service.session import Outputs

Infer = Callable[[Pixels], Outputs]


@dataclass(frozen=True)
class BatchRecord:
    """One batch that ran: what the metrics want to know."""

    items: int
    waited_s: float  # by the piece that waited longest
    inference_s: float


@dataclass(frozen=True)
class Limits:
    """What one batcher accepts, and how many images it runs at once."""

    queue_items: int
    max_batch: int


class Answered(NamedTuple):
    """The outputs for one request, and the last batch that it was in."""

    outputs: Outputs
    queue_s: float  # until that batch began
    inference_s: float
    batch_items: int


class Batcher:
    """Joins the images of concurrent requests into batches for one model.

    A request larger than a batch is split, and between its parts the others have their turn. A
    batch that raises fails the requests in it and no others.
    """

    def __init__(
        self, infer: Infer, limits: Limits, lanes: Lanes, observe: Callable[[BatchRecord], None]
    ) -> None:
        self._infer = infer
        self._limits = limits
        self._lanes = lanes
        self._observe = observe
        self._items = 0
        self._queue: deque[_Request] = deque()
        self._stopping = False

    @property
    def items(self) -> int:
        """Images admitted and not answered yet."""
        return self._items

    @property
    def waiting(self) -> bool:
        """Whether images wait for a lane."""
        return bool(self._queue)

    def check_room(self, items: int = 1) -> None:
        """Raise Overloaded where there is no room for this many images."""
        if self._items + items > self._limits.queue_items:
            raise Overloaded(self._limits.queue_items)

    def admit(self, items: int) -> "_Room":
        """A block that holds room for this many images.

        Entering it raises Overloaded at once where there is none.
        """
        return _Room(self, items)

    def hold(self, items: int) -> None:
        """Take room for this many images. Raises Overloaded."""
        self.check_room(items)
        self._items += items

    def release(self, items: int) -> None:
        """Give room back."""
        self._items -= items

    async def run(self, pixels: Pixels) -> Answered:
        """The model's outputs for these images, in order.

        When the caller is cancelled, what has not begun to run is dropped. Raises Stopping.
        """
        if self._stopping:
            raise Stopping
        request = _Request(pixels, asyncio.get_running_loop().create_future(), perf_counter())
        self._queue.append(request)
        self._lanes.offer(self)
        return await request.answer

    def next_batch(self) -> "_Batch | None":
        """Take what fits one batch, a part of each request in turn."""
        pieces: list[_Piece] = []
        room = self._limits.max_batch
        while room and self._queue:
            request = self._queue.popleft()
            if request.answer.done():  # its client has gone, or its deadline has passed
                continue
            piece = request.take(room)
            pieces.append(piece)
            room -= len(piece.pixels)
            if request.untaken:
                self._queue.append(request)
        return _Batch(self._infer, self._observe, pieces) if pieces else None

    def stop(self) -> None:
        """Take no more; whoever still waits gets Stopping."""
        self._stopping = True
        while self._queue:
            self._queue.popleft().fail(Stopping())


@dataclass(eq=False, slots=True)
class _Room:
    batcher: Batcher
    items: int

    def __enter__(self) -> None:
        self.batcher.hold(self.items)

    def __exit__(self, *_: object) -> None:
        self.batcher.release(self.items)


@dataclass(eq=False, slots=True)
class _Request:
    pixels: Pixels
    answer: asyncio.Future[Answered]
    since: float
    taken: int = 0
    parts: dict[int, Outputs] = field(default_factory=dict)  # by the index of the first image
    answered: int = 0

    @property
    def untaken(self) -> int:
        return len(self.pixels) - self.taken

    def take(self, room: int) -> "_Piece":
        start = self.taken
        self.taken = min(len(self.pixels), start + room)
        return _Piece(self, start, self.pixels[start : self.taken])

    def give(self, start: int, part: Outputs, batch: "_Batch") -> None:
        self.parts[start] = part
        self.answered += len(part.embedding)
        if self.answered == len(self.pixels) and not self.answer.done():
            outputs = _joined([self.parts[start] for start in sorted(self.parts)])
            queue_s = batch.started - self.since
            self.answer.set_result(Answered(outputs, queue_s, batch.inference_s, batch.items))

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class _Piece(NamedTuple):
    """A request, or the part of it that fits a batch."""

    request: _Request
    start: int
    pixels: Pixels


class _Batch:
    def __init__(
        self, infer: Infer, observe: Callable[[BatchRecord], None], pieces: list[_Piece]
    ) -> None:
        self.items = sum(len(piece.pixels) for piece in pieces)
        self.started = self.inference_s = 0.0
        self._infer = infer
        self._observe = observe
        self._pieces = pieces
        self._outputs: Outputs | None = None
        self._error: Exception | None = None

    def run(self) -> None:
        self.started = perf_counter()
        try:
            parts = [piece.pixels for piece in self._pieces]
            self._outputs = self._infer(parts[0] if len(parts) == 1 else np.concatenate(parts))
        except Exception as error:  # noqa: BLE001 - each request in the batch re-raises it
            self._error = error
        self.inference_s = perf_counter() - self.started

    def deliver(self) -> None:
        try:
            self._hand_out()
        except Exception as error:  # noqa: BLE001 - as above
            self._error = error
        if self._error is not None:
            for piece in self._pieces:
                piece.request.fail(self._error)

    def _hand_out(self) -> None:
        if self._outputs is None:
            return
        if len(self._outputs.embedding) != self.items:
            found = len(self._outputs.embedding)
            raise RuntimeError(f"the model gave {found} answers for {self.items} images")
        waited_s = self.started - min(piece.request.since for piece in self._pieces)
        self._observe(BatchRecord(self.items, waited_s, self.inference_s))
        start = 0
        for piece in self._pieces:
            stop = start + len(piece.pixels)
            piece.request.give(piece.start, _rows(self._outputs, start, stop), self)
            start = stop


def _rows(outputs: Outputs, start: int, stop: int) -> Outputs:
    return Outputs(outputs.embedding[start:stop], outputs.probabilities[start:stop])


def _joined(parts: Sequence[Outputs]) -> Outputs:
    if len(parts) == 1:
        return parts[0]
    return Outputs(
        np.concatenate([part.embedding for part in parts]),
        np.concatenate([part.probabilities for part in parts]),
    )
