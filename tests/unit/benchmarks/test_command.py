"""The shared parts of the command lines."""

from io import StringIO

import pytest
from rich.console import Console

from benchmarks.command import numbers, recorded, warn_if_busy
from benchmarks.machine import machine


def test_numbers_are_parted_by_commas() -> None:
    assert numbers("1,16") == (1, 16)
    with pytest.raises(ValueError, match="many"):
        numbers("1,many")


def test_paths_are_not_recorded() -> None:
    given = ["--out", "/a", "--quick", "--work=/b", "--only=--out", "--outer"]
    assert list(recorded(given, ("--out", "--work"))) == ["--quick", "--only=--out", "--outer"]
    assert list(recorded(["--work=/b"], ("--out",))) == ["--work=/b"]


@pytest.mark.parametrize(("load", "warned"), [(0.5, False), (0.51, True)])
def test_a_busy_machine_is_warned_of(load: float, warned: bool) -> None:
    console = Console(file=StringIO())
    with console.capture() as said:
        warn_if_busy(machine().model_copy(update={"load_average": load}), console)
    assert ("load average is 0.51" in said.get()) is warned
