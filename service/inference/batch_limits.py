"""The number of images that wait for a model, and that it takes at once."""

import math
from dataclasses import dataclass

# A processor gains nothing from more than 8 images of the smallest network in a batch, and an
# eighth from 16 of a larger one (docs/lab/performance.md): a batch is as small as that allows, so
# that nobody waits long behind it.
_CPU_BATCH = 32
_LONGEST_S = 0.05
_BRIEF_S = 0.01  # what the event loop may do itself

WAITING_SHARE = 1 / 3  # of the deadline; the rest is for decoding, searching and a slow moment
_LEARNED_BATCHES = 64  # to 128 of the latest batches say what an image takes
_LEAST_S = 1e-9  # of an image; no clock is finer
_LATEST = 0.2  # weight of the latest batch in the pace
_JUMP = 4  # times the pace, at most: one slow moment is not the pace


@dataclass(frozen=True)
class Limits:
    """The limits of one batcher: images accepted, and images in one run."""

    queue_items: int
    max_batch: int
    brief: int = 0  # images that take no longer than the event loop may be away
    wait_s: float = math.inf  # which images in progress may take together


def cpu_limits(queue_items: int, image_s: float, wait_s: float = math.inf) -> Limits:
    """Batches on a processor that takes this long for an image."""
    image_s = max(image_s, _LEAST_S)
    most = min(_CPU_BATCH, max(1, int(_LONGEST_S / image_s)))
    return Limits(queue_items, most, brief=int(_BRIEF_S / image_s), wait_s=wait_s)


class ImageTime:
    """The time that a model takes for an image where nothing disturbs it, learned while it serves.

    Other work on the processor makes a batch slower and never faster. Therefore the least time of
    an image among the latest batches counts, and one busy moment, such as the start, does not.
    """

    def __init__(self, image_s: float) -> None:
        """Begin with what was measured at the load."""
        self.least_s = self._before_s = image_s
        self._latest_s = math.inf
        self._left = _LEARNED_BATCHES

    def note(self, items: int, inference_s: float) -> None:
        """Learn from a batch of so many images."""
        self._latest_s = min(self._latest_s, inference_s / items)
        self.least_s = min(self._before_s, self._latest_s)
        self._left -= 1
        if not self._left:
            self._before_s, self._latest_s = self._latest_s, math.inf
            self._left = _LEARNED_BATCHES


class Pace:
    """The time of one image among others, measured on the batches that run."""

    def __init__(self, image_s: float) -> None:
        """Begin with what was measured before anybody asked."""
        self._image_s = image_s
        self._last: float | None = None

    def note(self, items: int, own_s: float, now: float, *, waiting: bool) -> None:
        """Note a batch that took `own_s`, and whether more was waiting when it ended.

        Between two ends with work between them, all that happened counts: other models, other
        lanes, other processes.
        """
        passed = own_s if self._last is None else now - self._last
        latest = min(passed / items, _JUMP * self._image_s or math.inf)
        self._image_s += _LATEST * (latest - self._image_s)
        self._last = now if waiting else None

    def seconds(self, items: int) -> float:
        """Return the time of so many images."""
        return items * self._image_s

    def items(self, seconds: float) -> int:
        """Return how many images take so long, at most 2^62."""
        return int(min(2.0**62, seconds / max(self._image_s, 1e-12)))


def ahead(held: int, requests: int, cost: int) -> int:
    """Return the part of what is held that a new request waits for in a `Queue`.

    Every second turn goes to the request with the least left: what is dearer than the new one
    delays it by no more than its own kind does.
    """
    return min(held, 2 * cost * requests)
