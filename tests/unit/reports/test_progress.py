"""Progress of a command."""

import io
import re

import pytest
from rich.console import Console

from reports import progress
from reports.progress import showing


def test_where_there_is_no_terminal_it_is_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_LINE_EVERY_S", 0)
    file = io.StringIO()
    with showing(Console(file=file, soft_wrap=True), "pets", 2000) as tell:
        tell(1000)
        tell(1000)
    lines = file.getvalue().splitlines()
    assert len(lines) == 2
    assert re.fullmatch(r"pets: 1,000 of 2,000 items, [\d,]+ items/s, [\d,]+ s left", lines[0])
    assert re.fullmatch(r"pets: 2,000 of 2,000 items, [\d,]+ items/s, 0 s left", lines[1])


def test_the_last_line_says_how_it_ended() -> None:
    file = io.StringIO()
    with showing(Console(file=file, soft_wrap=True), "pets", 10) as tell:
        tell(4)
    assert file.getvalue().startswith("pets: 4 of 10 items")


def test_a_terminal_gets_a_bar_with_rate_and_time_left() -> None:
    file = io.StringIO()
    out = Console(file=file, force_terminal=True, width=100, color_system=None)
    with showing(out, "pets", 10) as tell:
        tell(10)
    assert "10/10" in file.getvalue()
    assert "items/s" in file.getvalue()
