"""The command line."""

from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.index import __main__ as command
from benchmarks.index.benchmark import Benchmark


def test_a_choice_is_taken_and_recorded_without_the_machines_paths(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Benchmark] = []

    def run(one: Benchmark, _: Console) -> bool:
        asked.append(one)
        return True

    monkeypatch.setattr(Benchmark, "run", run)
    assert command.main([]) == 0
    given = ["--quick", "--sizes", "100,200", "--out=/x.json", "--work", "/y"]
    assert command.main(given) == 0
    full, quick = asked
    assert full.settings.sizes == (10_000, 100_000, 1_000_000)
    assert full.out == Path("benchmarks/results/index.json")
    assert quick.settings.sizes == (100, 200)
    assert (quick.out, quick.work) == (Path("/x.json"), Path("/y"))
    assert quick.command == "python -m benchmarks.index --quick --sizes 100,200"
