"""Progress of a step: a bar on a terminal, else a line every few seconds."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_LINE_EVERY_S = 5.0

Tell = Callable[[int], None]  # so many more are done


@contextmanager
def showing(what: str, total: int) -> Iterator[Tell]:
    """Show the progress of the block, which tells how many more of `total` images are done."""
    out = Console(soft_wrap=True, highlight=False)
    if not out.is_terminal:
        yield _Lines(out, what, total).tell
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=out) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.advance(task, done)


class _Lines:
    def __init__(self, out: Console, what: str, total: int) -> None:
        self._out, self._what, self._total = out, what, total
        self._done = 0
        self._started = self._last = monotonic()

    def tell(self, done: int) -> None:
        self._done += done
        now = monotonic()
        if now - self._last >= _LINE_EVERY_S or self._done == self._total:
            self._last = now
            rate = self._done / max(now - self._started, 1e-9)
            self._out.print(
                f"{self._what}: {self._done:,} of {self._total:,} images, {rate:,.0f} images/s"
            )
