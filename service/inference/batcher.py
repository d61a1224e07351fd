"""Micro-batching without a timer: while batches run, the next one fills."""

import asyncio
from collections.abc import Callable
from time import perf_counter

from service.errors import Stopping
from service.inference.batch import Answer, Batch, BatchRecord, Infer, PendingRequest, Piece
from service.inference.batch_limits import ImageTime, Limits, Pace, cpu_limits
from service.inference.capacity import Capacity
from service.inference.executor import InferenceExecutor
from service.inference.queue import Queue
from service.inference.work import Work

_MOST_EFFORT = 4 * 2**20  # pixels that one batch decodes: about 10 ms


class Batcher:
    """Joins the images of concurrent requests into batches for one model.

    A request larger than a batch is split. Batches begin with the requests that have the fewest
    images left, and with the oldest ones, in turn: a single image waits for no more than two
    batches, and no request for ever. A batch that raises fails the requests in it and no others.

    >>> import numpy as np
    >>> from service.inference.session import Outputs
    >>> from service.inference.work import DecodedImages
    >>> def infer(pixels):  # a model that says of each image what its first value is
    ...     first = pixels[:, 0, 0, :1].astype(np.float32)
    ...     return Outputs(embedding=first, probabilities=first)
    >>> def observe(record):
    ...     print("a batch of", record.items)
    >>> async def ask():
    ...     lanes = InferenceExecutor(1)
    ...     batcher = Batcher(infer, Limits(queue_items=100, max_batch=8), lanes, observe)
    ...     lanes.start()
    ...     images = [DecodedImages(np.full((1, 8, 8, 3), value, np.uint8)) for value in (3, 4)]
    ...     answers = await asyncio.gather(*map(batcher.run, images))
    ...     await lanes.stop()
    ...     return [answer.outputs.embedding.tolist() for answer in answers]
    >>> asyncio.run(ask())
    a batch of 2
    [[[3.0]], [[4.0]]]
    """

    def __init__(
        self,
        infer: Infer,
        limits: Limits,
        lanes: InferenceExecutor,
        observe: Callable[[BatchRecord], None],
        image_s: float = 0.0,
        *,
        learns: bool = False,
    ) -> None:
        """Begin with the time that an image takes; it is measured anew with each batch.

        With `learns`, the size of batches follows that time (`cpu_limits`).
        """
        self._infer = infer
        self.limits = limits
        self._image_time = ImageTime(image_s) if learns else None
        self._lanes = lanes
        self._observe = observe
        self._pace = Pace(image_s)
        self.capacity = Capacity(limits, self._pace)
        self._queue: Queue[PendingRequest] = Queue()
        self._stopping = False

    @property
    def waiting(self) -> bool:
        """Return whether images wait for a lane."""
        return bool(self._queue)

    @property
    def batch_waits(self) -> bool:
        """Return whether requests for a full batch wait."""
        return len(self._queue) >= self.limits.max_batch

    async def run(self, work: Work) -> Answer:
        """The model's outputs for these images, in order.

        When the caller is cancelled, what has not begun to run is dropped. Raises Stopping, and
        what decoding raises.
        """
        if self._stopping:
            raise Stopping
        request = PendingRequest(work, asyncio.get_running_loop().create_future())
        self._queue.add(request)
        self._lanes.offer(self)
        try:
            return await request.answer
        finally:
            del request  # it has the answer, which may be an error that has this frame

    def next_batch(self) -> Batch | None:
        """Take what fits one batch."""
        pieces: list[Piece] = []
        limits = self.limits
        room, effort = limits.max_batch, _MOST_EFFORT
        turn = self._queue.take_turn()
        for request in turn:
            piece = request.take(room)
            pieces.append(piece)
            room -= piece.items
            effort -= piece.work.effort
            if not room or effort <= 0:
                break
        turn.close()
        if not pieces:
            return None
        brief = limits.max_batch - room <= limits.brief
        decodes = effort < _MOST_EFFORT
        return Batch(self._infer, self._record, pieces, brief=brief, decodes=decodes)

    def stop(self) -> None:
        """Take no more; whoever still waits gets Stopping."""
        self._stopping = True
        for request in self._queue.clear():
            request.fail(Stopping())

    def _record(self, batch: BatchRecord) -> None:
        own_s = batch.decode_s + batch.inference_s
        self._pace.note(batch.items, own_s, perf_counter(), waiting=self.waiting)
        if self._image_time is not None:
            self._learn(self._image_time, batch)
        self._observe(batch)

    def _learn(self, time: ImageTime, batch: BatchRecord) -> None:
        before_s = time.least_s
        time.note(batch.items, batch.inference_s)
        if time.least_s != before_s:
            self.limits = cpu_limits(self.limits.queue_items, time.least_s, self.limits.wait_s)
            self.capacity.batch = self.limits.max_batch
