"""The summary of a command."""

import io

import pytest
from rich.console import Console

from service.cli import INTERRUPTED
from service.cli.ingest import IngestSummary
from service.cli.sources.base import RejectedInput
from service.cli.summary import print_summary, printable


def summarized(tally: IngestSummary) -> tuple[int, list[str]]:
    file = io.StringIO()
    status = print_summary(Console(file=file, soft_wrap=True, markup=False), tally, "pets")
    return status, file.getvalue().splitlines()


def test_what_came_of_the_items_is_counted() -> None:
    tally = IngestSummary(added=1200, replaced=3, present=4)
    assert summarized(tally) == (
        0,
        ["collection pets: 1,200 added, 3 replaced, 4 there already"],
    )


def test_faults_are_listed_up_to_a_number_and_all_are_counted() -> None:
    status, lines = summarized(
        IngestSummary(faults=[RejectedInput(f"[{i}]", "bad") for i in range(25)])
    )
    assert status == 1
    assert lines[0] == "not taken: [0]: bad"
    assert lines[20:] == ["and 5 more", "collection pets: 25 not taken"]


def test_an_interrupted_run_says_how_to_go_on() -> None:
    status, lines = summarized(
        IngestSummary(added=1, faults=[RejectedInput("a", "bad")], stopped=True)
    )
    assert status == INTERRUPTED
    assert lines[-1] == "interrupted; the same command goes on from here"


@pytest.mark.parametrize(
    ("text", "shown"),
    [("café 猫.jpg", "café 猫.jpg"), ("\x1b[31m", "\\x1b[31m"), ("a\udcff", "a\\udcff")],
)
def test_a_name_cannot_disturb_the_terminal(text: str, shown: str) -> None:
    assert printable(text) == shown
