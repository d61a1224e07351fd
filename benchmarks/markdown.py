"""Cells and tables in Markdown, and the pages that they go into."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from models.atomic import replacing
from reports.marks import put

NONE = "-"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; the first column is left, the others are right."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *rows))


def text(value: float | None, form: str) -> str:
    """A number in this form; a dash for none."""
    return NONE if value is None else form.format(value)


def add_page_option(parser: argparse.ArgumentParser) -> None:
    """Add `--into`, the page that `deliver` writes to."""
    parser.add_argument("--into", type=Path, help="a page with the marks")


def deliver(text: str, command: str, page: Path | None) -> None:
    """Print what the command made, or write it into the page, between the command's marks.

    Raises ValueError where the page lacks a mark.
    """
    if page is None:
        print(text)
        return
    changed = put(page.read_text(), command, text)
    with replacing(page) as file:
        file.write_text(changed)
