"""Progress of a command, on a terminal or in a log: the same for service and training."""

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

Advance = Callable[[int], None]  # so many more are done


def console() -> Console:
    """Standard output, for text that is taken as it is."""
    return Console(markup=False, highlight=False, emoji=False, soft_wrap=True)


@contextmanager
def showing(out: Console, what: str, total: int, unit: str = "items") -> Iterator[Advance]:
    """Show the progress of the block: a bar on a terminal, else a line every few seconds.

    Yields a function that takes how many more of `total` are done.
    """
    if not out.is_terminal:
        lines = _Lines(out, what, total, unit)
        yield lines.advance
        lines.end()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(unit),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=out) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.advance(task, done)


class _Rate(ProgressColumn):
    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:,.0f} {self._unit}/s")


class _Lines:
    def __init__(self, out: Console, what: str, total: int, unit: str) -> None:
        self._out, self._what, self._total, self._unit = out, what, total, unit
        self._done = self._said = 0
        self._started = self._last = monotonic()

    def advance(self, done: int) -> None:
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
            f"{self._what}: {self._done:,} of {self._total:,} {self._unit}, "
            f"{rate:,.0f} {self._unit}/s, "
            f"{left:,.0f} s left"
        )
