"""Progress of a command, on a terminal or in a log."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

_LINE_EVERY_S = 5.0

Tell = Callable[[int], None]  # so many more items are done


def console() -> Console:
    """Standard output, for text that is taken as it is."""
    return Console(markup=False, highlight=False, emoji=False, soft_wrap=True)


@contextmanager
def showing(out: Console, what: str, total: int) -> Iterator[Tell]:
    """Show the progress of the block: a bar on a terminal, else a line every few seconds."""
    if not out.is_terminal:
        lines = _Lines(out, what, total)
        yield lines.tell
        lines.end()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=out) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.advance(task, done)


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:,.0f} items/s")


class _Lines:
    def __init__(self, out: Console, what: str, total: int) -> None:
        self._out, self._what, self._total = out, what, total
        self._done = self._said = 0
        self._started = self._last = monotonic()

    def tell(self, done: int) -> None:
        self._done += done
        if monotonic() - self._last >= _LINE_EVERY_S:
            self._say()

    def end(self) -> None:
        if self._said < self._done:
            self._say()

    def _say(self) -> None:
        self._last, self._said = monotonic(), self._done
        rate = self._done / max(self._last - self._started, 1e-9)
        left = (self._total - self._done) / rate if rate else 0
        self._out.print(
            f"{self._what}: {self._done:,} of {self._total:,} items, {rate:,.0f} items/s, "
            f"{left:,.0f} s left"
        )
