"""The measurements, in order."""

from collections.abc import Iterator
from itertools import product
from typing import get_args

from benchmarks.training.peers import PEERS
from benchmarks.training.results import EpochJob, Job, LossJob, Settings, Side, Source, Way

CLASSES = 10
_ALL: tuple[tuple[Way, Source, int], ...] = (
    ("ours", "memory", 0),
    ("loop", "memory", 0),
    ("loop", "memory", 2),
    ("loop", "files", 0),
    ("loop", "files", 2),
    ("metric-learning", "memory", 0),
    ("metric-learning", "files", 2),
)
_FEW = (_ALL[0], _ALL[1], _ALL[4], _ALL[6])


def plan(settings: Settings) -> Iterator[Job]:
    """The losses first: they are brief."""
    cells = [*((batch, CLASSES) for batch in settings.batches), settings.many_classes]
    for (batch, classes), loss in product(cells, PEERS):
        for turn, side in product(range(settings.turns), get_args(Side)):
            yield LossJob(
                loss=loss,
                side=side,
                batch=batch,
                classes=classes,
                repeats=settings.repeats,
                seconds=settings.seconds,
                limit_mib=settings.limit_mib,
                turn=turn,
            )
    for number, (backbone, images) in enumerate(settings.images.items()):
        for way, source, workers in _FEW if number else _ALL:
            yield EpochJob(
                backbone=backbone,
                way=way,
                source=source,
                workers=workers,
                images=images,
                batch=settings.batch,
                threads=settings.threads,
            )
