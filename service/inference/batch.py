"""Requests that wait for a model, and the batches that are made of them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import NamedTuple

import numpy as np

from service.inference.session import Outputs, join
from service.inference.work import Pixels, Work

Infer = Callable[[Pixels], Outputs]


@dataclass(frozen=True)
class BatchRecord:
    """One batch that ran: what the metrics want to know."""

    items: int
    waited_s: float  # by the piece that waited longest
    decode_s: float  # of the images that it decoded; 0 without any
    inference_s: float


class Answer(NamedTuple):
    """The outputs for one request, and what it took: the sums over the batches that it was in."""

    outputs: Outputs
    decode_s: float  # before its batches, or in them
    queue_s: float  # in which none of its images was in a batch
    inference_s: float
    batch_items: int  # of the last batch


class PendingRequest:
    """A request on its way through the batches."""

    __slots__ = (
        "_answered",
        "_decode_s",
        "_inference_s",
        "_parts",
        "_size",
        "_taken",
        "_work",
        "answer",
        "since",
    )

    def __init__(self, work: Work, answer: asyncio.Future[Answer]) -> None:
        self.answer = answer
        self.since = perf_counter()
        self._work = work
        self._size = len(work)
        self._taken = self._answered = 0
        self._decode_s = self._inference_s = 0.0  # of the batches that it was in
        self._parts: dict[int, Outputs] = {}  # by the index of the first image

    @property
    def left(self) -> int:
        """Images that are to be taken; none where nobody waits for the answer."""
        return 0 if self.answer.done() else self._size - self._taken

    def take(self, room: int) -> "Piece":
        """Begin what fits."""
        start = self._taken
        self._taken = stop = min(self._size, start + room)
        whole = stop - start == self._size
        return Piece(self, start, stop - start, self._work if whole else self._work[start:stop])

    def give(self, start: int, part: Outputs, batch: "Batch") -> None:
        """Take the outputs from this image on; the last ones make the answer."""
        outputs = self._whole(start, part)
        busy_s = self._decode_s + self._inference_s
        self._decode_s += batch.decode_s
        self._inference_s += batch.inference_s
        if outputs is not None and not self.answer.done():
            decode_s = self._work.decoded_s or self._decode_s
            queue_s = max(0.0, batch.started - self.since - busy_s)
            self.answer.set_result(
                Answer(outputs, decode_s, queue_s, self._inference_s, batch.items)
            )

    def _whole(self, start: int, part: Outputs) -> Outputs | None:
        if len(part.embedding) == self._size:
            return part
        self._parts[start] = part
        self._answered += len(part.embedding)
        if self._answered < self._size:
            return None
        return join([self._parts[start] for start in sorted(self._parts)])

    def fail(self, error: Exception) -> None:
        """Answer with an error."""
        if not self.answer.done():
            self.answer.set_exception(error)


class Piece(NamedTuple):
    """A request, or the part of it that fits a batch."""

    request: PendingRequest
    start: int
    items: int
    work: Work


class Batch:
    """Pieces that run together. It keeps its own errors, and fails the requests in it alone."""

    def __init__(
        self,
        infer: Infer,
        observe: Callable[[BatchRecord], None],
        pieces: list[Piece],
        *,
        brief: bool,
        decodes: bool,
    ) -> None:
        """Prepare to run; `decodes` where images are still to be decoded."""
        self.brief = brief
        self.items = 0
        self.started = self.decode_s = self.inference_s = 0.0
        self._infer = infer
        self._observe = observe
        self._pieces = pieces
        self._decodes = decodes
        self._outputs: Outputs | None = None
        self._failed: list[tuple[Piece, Exception]] = []

    def run(self) -> None:
        """Decode and infer, on a lane."""
        self.started = perf_counter()
        parts = self._decode()
        begun = perf_counter()
        if self._decodes:
            self.decode_s = begun - self.started
        if parts:
            self._run(parts[0] if len(parts) == 1 else np.concatenate(parts))
        self.inference_s = perf_counter() - begun

    def deliver(self) -> None:
        """Answer the requests, on the event loop."""
        try:
            self._hand_out()
        except Exception as error:  # noqa: BLE001 - each request in the batch re-raises it
            self._fail_all(error)
        for piece, reason in self._failed:
            piece.request.fail(reason)
        self._failed.clear()  # what decoding raises has this batch in its frames

    def _decode(self) -> list[Pixels]:
        parts: list[Pixels] = []
        good: list[Piece] = []
        for piece in self._pieces:
            if piece.request.answer.done():  # its client has gone, or its deadline has passed
                continue
            try:
                parts.append(piece.work.pixels())
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
        embedding, probabilities = self._outputs
        if len(embedding) != self.items:
            raise RuntimeError(f"the model gave {len(embedding)} answers for {self.items} images")
        waited_s = self.started - min(piece.request.since for piece in self._pieces)
        self._observe(BatchRecord(self.items, waited_s, self.decode_s, self.inference_s))
        start = 0
        for request, begin, items, _ in self._pieces:
            stop = start + items
            request.give(begin, Outputs(embedding[start:stop], probabilities[start:stop]), self)
            start = stop
