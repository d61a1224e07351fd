"""The README's table of speed has the medians, and no number for a wrong server."""

from benchmarks.serving.brief import brief
from tests.unit.benchmarks.serving.reports import report


def test_rates_are_medians_and_a_wrong_server_has_none() -> None:
    lines = brief(report(), ("fast", "wrong", "absent")).splitlines()
    cells = {line.split("|")[1].strip(): line.split("|")[2:-1] for line in lines if "|" in line}
    assert [cell.strip() for cell in cells["Fast"]] == ["64000", "0 ms"]
    assert [cell.strip() for cell in cells["Wrong"]] == ["wrong answers", "-"]
    assert lines[-1].startswith("2026-11-23: 3 rounds of 3 s")
