"""Progress of a benchmark."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn

Advance = Callable[[str], None]


@contextmanager
def progress(total: int, clock: ProgressColumn, console: Console) -> Iterator[Advance]:
    """A bar and this clock; the call that is given tells what comes next."""
    columns = (BarColumn(), MofNCompleteColumn(), clock, TextColumn("{task.description}"))
    # Drawn between steps only: a thread that draws would take time from what is measured.
    with Progress(*columns, console=console, auto_refresh=False) as bar:
        task = bar.add_task("", total=total)
        steps_done = 0

        def advance(what: str) -> None:
            nonlocal steps_done
            bar.update(task, description=what, completed=steps_done, refresh=True)
            steps_done += 1

        yield advance
        bar.update(task, description="done", completed=steps_done)
