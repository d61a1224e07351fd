"""How many images wait for a model, and how many it takes at once."""

from dataclasses import dataclass

# A processor gains nothing from more than 8 images of the smallest network in a batch, and an
# eighth from 16 of a larger one (docs/performance.md): a batch is as small as that allows, so that
# nobody waits long behind it.
_CPU_BATCH = 32
_LONGEST_S = 0.05
_BRIEF_S = 0.01  # what the event loop may do itself


@dataclass(frozen=True)
class Limits:
    """What one batcher accepts, and how many images it runs at once."""

    queue_items: int
    max_batch: int
    brief: int = 0  # images that take no longer than the event loop may be away


def cpu_limits(queue_items: int, image_s: float) -> Limits:
    """Batches on a processor that takes this long for an image."""
    most = min(_CPU_BATCH, max(1, int(_LONGEST_S / image_s)))
    return Limits(queue_items, most, brief=int(_BRIEF_S / image_s))
