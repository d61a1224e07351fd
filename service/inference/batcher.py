"""Micro-batching without a timer: while batches run, the next one fills."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from time import perf_counter
from typing import NamedTuple

import numpy as np

from service.errors import Overloaded, Stopping
from service.inference.batch_limits import Limits, Pace, ahead
from service.inference.decode import Deferred, Pixels
from service.inference.executor import Lanes
from service.inference.queue import Queue
from service.inference.session import Outputs, join

Infer = Callable[[Pixels], Outputs]
Work = Pixels | Deferred  # of one request

_MOST_EFFORT = 4 * 2**20  # pixels that one batch decodes: about 10 ms


@dataclass(frozen=True)
class BatchRecord:
    """One batch that ran: what the metrics want to know."""

    items: int
    waited_s: float  # by the piece that waited longest
    decode_s: float  # of the deferred images in it; 0 without any
    inference_s: float


class Answer(NamedTuple):
    """The outputs for one request, and what the last batch that it was in took."""

    outputs: Outputs
    decode_s: float  # in that batch
    queue_s: float  # until that batch began
    inference_s: float
    batch_items: int


class Batcher:
    """Joins the images of concurrent requests into batches for one model.

    A request larger than a batch is split. Batches begin with the requests that have the fewest
    images left, and with the oldest ones, in turn: a single image waits for no more than two
    batches, and no request for ever. A batch that raises fails the requests in it and no others.

    No more images are admitted than can be answered within `limits.wait_s`, by the time that images
    take while there are others.
    """

    def __init__(
        self,
        infer: Infer,
        limits: Limits,
        lanes: Lanes,
        observe: Callable[[BatchRecord], None],
        image_s: float = 0.0,
    ) -> None:
        """Begin with the time that an image takes; it is measured anew with each batch."""
        self._infer = infer
        self._limits = limits
        self._lanes = lanes
        self._observe = observe
        self._pace = Pace(image_s)
        self._items = self._requests = 0
        self._queue: Queue[_Request] = Queue()
        self._stopping = False

    @property
    def items(self) -> int:
        """Images admitted and not answered yet."""
        return self._items

    @property
    def waiting(self) -> bool:
        """Whether images wait for a lane."""
        return bool(self._queue)

    @property
    def batch_waits(self) -> bool:
        """Whether there are requests for a full batch."""
        return len(self._queue) >= self._limits.max_batch

    @property
    def room(self) -> int:
        """Images that may be in progress now."""
        in_time = self._pace.items(self._limits.wait_s)
        return min(self._limits.queue_items, max(in_time, self._limits.max_batch))

    def check_room(self, items: int = 1) -> None:
        """Raise Overloaded where there is no room for this many images.

        Where nothing is in progress there is room for any request. What larger requests have in
        progress counts no more than their turns do, so that they refuse no smaller ones.
        """
        held = self._items + items
        in_turn = ahead(self._items, self._requests, items) + items
        fits_one = not self._items or held <= self._limits.max_batch
        in_time = fits_one or self._pace.seconds(in_turn) <= self._limits.wait_s
        if held > self._limits.queue_items or not in_time:
            limit = self.room if self._items else self._limits.queue_items
            retry_s = min(self._pace.seconds(self._items), self._limits.wait_s)
            raise Overloaded(limit, max(1, ceil(retry_s)))

    def admit(self, items: int) -> "_Room":
        """A block that holds room for this many images.

        Entering it raises Overloaded at once where there is none.
        """
        return _Room(self, items)

    def hold(self, items: int) -> None:
        """Take room for this many images. Raises Overloaded."""
        self.check_room(items)
        self._items += items
        self._requests += 1

    def release(self, items: int) -> None:
        """Give room back."""
        self._items -= items
        self._requests -= 1

    async def run(self, work: Work) -> Answer:
        """The model's outputs for these images, in order.

        When the caller is cancelled, what has not begun to run is dropped. Raises Stopping, and
        what decoding a deferred image raises.
        """
        if self._stopping:
            raise Stopping
        request = _Request(work, asyncio.get_running_loop().create_future(), perf_counter())
        self._queue.add(request)
        self._lanes.offer(self)
        try:
            return await request.answer
        finally:
            del request  # it has the answer, which may be an error that has this frame

    def next_batch(self) -> "_Batch | None":
        """Take what fits one batch."""
        pieces: list[_Piece] = []
        room, effort = self._limits.max_batch, _MOST_EFFORT
        turn = self._queue.take_turn()
        for request in turn:
            piece = request.take(room)
            pieces.append(piece)
            room -= len(piece.work)
            if isinstance(piece.work, Deferred):
                effort -= piece.work.effort
            if not room or effort <= 0:
                break
        turn.close()
        if not pieces:
            return None
        brief = self._limits.max_batch - room <= self._limits.brief
        return _Batch(self._infer, self._record, pieces, brief=brief)

    def stop(self) -> None:
        """Take no more; whoever still waits gets Stopping."""
        self._stopping = True
        for request in self._queue.clear():
            request.fail(Stopping())

    def _record(self, batch: BatchRecord) -> None:
        own_s = batch.decode_s + batch.inference_s
        self._pace.note(batch.items, own_s, perf_counter(), waiting=self.waiting)
        self._observe(batch)


@dataclass(eq=False, slots=True)
class _Room:
    batcher: Batcher
    items: int

    def __enter__(self) -> None:
        self.batcher.hold(self.items)

    def __exit__(self, *_: object) -> None:
        self.batcher.release(self.items)


class _Request:
    __slots__ = ("answer", "answered", "parts", "since", "taken", "work")

    def __init__(self, work: Work, answer: asyncio.Future[Answer], since: float) -> None:
        self.work = work
        self.answer = answer
        self.since = since
        self.taken = self.answered = 0
        self.parts: dict[int, Outputs] = {}  # by the index of the first image

    @property
    def left(self) -> int:
        """Images that are to be taken; none where nobody waits for the answer."""
        return 0 if self.answer.done() else len(self.work) - self.taken

    def take(self, room: int) -> "_Piece":
        start = self.taken
        self.taken = min(len(self.work), start + room)
        return _Piece(self, start, self.work[start : self.taken])

    def give(self, start: int, part: Outputs, batch: "_Batch") -> None:
        self.parts[start] = part
        self.answered += len(part.embedding)
        if self.answered == len(self.work) and not self.answer.done():
            outputs = join([self.parts[start] for start in sorted(self.parts)])
            queue_s = batch.started - self.since
            self.answer.set_result(
                Answer(outputs, batch.decode_s, queue_s, batch.inference_s, batch.items)
            )

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class _Piece(NamedTuple):
    """A request, or the part of it that fits a batch."""

    request: _Request
    start: int
    work: Work


class _Batch:
    def __init__(
        self,
        infer: Infer,
        observe: Callable[[BatchRecord], None],
        pieces: list[_Piece],
        *,
        brief: bool,
    ) -> None:
        self.brief = brief
        self.items = 0
        self.started = self.decode_s = self.inference_s = 0.0
        self._infer = infer
        self._observe = observe
        self._pieces = pieces
        self._outputs: Outputs | None = None
        self._failed: list[tuple[_Piece, Exception]] = []

    def run(self) -> None:
        self.started = perf_counter()
        parts = self._decode()
        begun = perf_counter()
        if any(isinstance(piece.work, Deferred) for piece in self._pieces):
            self.decode_s = begun - self.started
        if parts:
            self._run(parts[0] if len(parts) == 1 else np.concatenate(parts))
        self.inference_s = perf_counter() - begun

    def deliver(self) -> None:
        try:
            self._hand_out()
        except Exception as error:  # noqa: BLE001 - each request in the batch re-raises it
            self._fail_all(error)
        for piece, reason in self._failed:
            piece.request.fail(reason)
        self._failed.clear()  # what decoding raises has this batch in its frames

    def _decode(self) -> list[Pixels]:
        parts: list[Pixels] = []
        good: list[_Piece] = []
        for piece in self._pieces:
            if piece.request.answer.done():  # its client has gone, or its deadline has passed
                continue
            try:
                work = piece.work
                parts.append(work.pixels() if isinstance(work, Deferred) else work)
            except Exception as error:  # noqa: BLE001 - of this request alone
                self._failed.append((piece, error))
            else:
                good.append(piece)
        self._pieces = good
        return parts

    def _run(self, pixels: Pixels) -> None:
        self.items = len(pixels)
        try:
            self._outputs = self._infer(pixels)
        except Exception as error:  # noqa: BLE001 - as above
            self._fail_all(error)

    def _fail_all(self, error: Exception) -> None:
        self._failed += [(piece, error) for piece in self._pieces]

    def _hand_out(self) -> None:
        if self._outputs is None:
            return
        if len(self._outputs.embedding) != self.items:
            found = len(self._outputs.embedding)
            raise RuntimeError(f"the model gave {found} answers for {self.items} images")
        waited_s = self.started - min(piece.request.since for piece in self._pieces)
        self._observe(BatchRecord(self.items, waited_s, self.decode_s, self.inference_s))
        start = 0
        for piece in self._pieces:
            stop = start + len(piece.work)
            piece.request.give(piece.start, _rows(self._outputs, start, stop), self)
            start = stop


def _rows(outputs: Outputs, start: int, stop: int) -> Outputs:
    return Outputs(outputs.embedding[start:stop], outputs.probabilities[start:stop])
