"""The Markdown tables say what the report says."""

from pathlib import Path

import pytest

from benchmarks.serving import sections, table
from benchmarks.serving.medians import Medians
from tests.unit.benchmarks.serving.reports import WRONG, closed, report


def rows(markdown: str) -> dict[str, list[str]]:
    """Cells of each row, by its first."""
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert len({len(row) for row in cells}) == 1
    return {row[0]: row[1:] for row in cells}


def test_throughput_is_the_median_over_rounds_with_the_best_in_bold() -> None:
    found = rows(sections.throughput(Medians(report())))
    assert found["Requests a second"][0] == "a JPEG: 1 / 64"
    assert found["Fast"] == ["**1000** / **64000**", "0.01 ms", "100 MiB", "2.0 s"]
    assert found["Slow"] == ["400 / 25600", "0.02 ms", "-", "-"]
    assert found["*what the parts allow*"][0] == "80000"


def test_a_wrong_server_has_no_number() -> None:
    assert rows(sections.throughput(Medians(report())))["Wrong"][0] == "wrong answers"


def test_wrong_answers_under_load_are_reported_too() -> None:
    results = report()
    late = closed("fast", 3, 64, 1e6, answers=WRONG)
    changed = results.model_copy(update={"closed": (*results.closed, late)})
    assert rows(sections.throughput(Medians(changed)))["Fast"][0] == "wrong answers"


def test_failures_are_marked() -> None:
    runs = [closed("fast", 1, 1, 1000.0), closed("fast", 1, 64, 500.0, failures={"503": 1})]
    results = report(closed=runs)
    assert rows(sections.throughput(Medians(results)))["Fast"][0] == "**1000** / **500†**"
    assert "†" in table.caption(results)


def test_shares_latencies_and_open_loop() -> None:
    found = Medians(report())
    assert rows(sections.shares(found))["Fast"] == ["0.80"]
    assert rows(sections.shares(found))["Wrong"] == ["-"]
    assert rows(sections.latencies(found))["Slow"] == ["2.5 / 5.0; 0.0 / 0.1"]
    assert rows(sections.open_loop(found))["Fast"] == ["4321"]


def test_overload() -> None:
    found = rows(sections.overload(Medians(report())))
    numbers = ["2000", "950", "95%", "50%", "40 ms", "4 ms", "0.25", "100 MiB", "100 MiB"]
    assert found["Fast, a JPEG"] == numbers
    assert set(found["Wrong, a JPEG"]) == {"-"}


def test_floors() -> None:
    found = rows(sections.floors(report()))
    assert found["decode: Pillow (cosine)"] == ["70.0 (1.0000)"]
    assert found["onnxruntime: an image in a batch of 16"] == ["137.0"]


def test_the_caption_says_how_it_was_measured() -> None:
    results = table.caption(report())
    for fact in (
        "`python -m benchmarks.serving`",
        "2026-11-23",
        "commit 0123456789ab:",
        "medians of 3 interleaved rounds, 3 s for each number;",
        "by 65% in the middle and by 100% at most",
        "2 cores of EPYC (avx2)",
    ):
        assert fact in results
    assert "interrupted" not in results
    assert "interrupted" in table.caption(report(complete=False))


def test_the_command_prints_all_or_the_summary(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "serving.json"
    file.write_text(report().model_dump_json())
    table.main([str(file)])
    everything = capsys.readouterr().out
    table.main([str(file), "--summary"])
    summary = capsys.readouterr().out
    assert summary.strip() in everything
    assert everything.count("\n### ") == 6


def test_nothing_measured_yet_can_be_shown() -> None:
    """Interrupted in the first turn."""
    results = report(closed=(), open=(), overload=(), starts=(), checks=(), floors=())
    assert rows(sections.throughput(Medians(results)))["Fast"][0] == "- / -"
    assert table.everything(results)


def test_servers_are_compared_at_64_connections_or_at_the_most_there_are() -> None:
    results = report()
    assert sections.compared_at(results) == 64
    few = results.settings.model_copy(update={"connections": (1, 16)})
    assert sections.compared_at(results.model_copy(update={"settings": few})) == 16


def test_one_round_has_no_spread() -> None:
    results = report()
    once = results.settings.model_copy(update={"rounds": 1})
    text = table.caption(results.model_copy(update={"settings": once}))
    assert "one round, 3 s for each number. 2 cores" in text


def test_pinned_processors_are_reported() -> None:
    results = report()
    assert "shared by server and load generator" in table.caption(results)
    pinned = results.settings.model_copy(update={"server_cpus": (0,), "generator_cpus": (1, 2)})
    text = table.caption(results.model_copy(update={"settings": pinned}))
    assert "the server on 0 and the load generator on 1, 2, which" in text
