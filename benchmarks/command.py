"""The shared parts of the benchmarks' command lines."""

from collections.abc import Collection, Iterator, Sequence

from rich.console import Console

from benchmarks.measured import Machine

_BUSY = 0.5  # load average over a minute


def numbers(text: str) -> tuple[int, ...]:
    """Of `1,2,3`; raises ValueError where one is none."""
    return tuple(int(part) for part in text.split(","))


def recorded(given: Sequence[str], paths: Collection[str]) -> Iterator[str]:
    """The arguments without these options and their paths, which are this machine's affair."""
    arguments = iter(given)
    for argument in arguments:
        name, equals, _ = argument.partition("=")
        if name not in paths:
            yield argument
        elif not equals:
            next(arguments)


def warn_if_busy(machine: Machine, console: Console) -> None:
    """Warn of other processes that take time from the measurement."""
    if (load := machine.load_average) > _BUSY:
        console.print(f"[yellow]The machine is busy: its load average is {load}.")
