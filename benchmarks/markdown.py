"""Cells and tables in Markdown."""

from collections.abc import Sequence

NONE = "-"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; the first column is left, the others are right."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *rows))


def text(value: float | None, form: str) -> str:
    """A number in this form; a dash for none."""
    return NONE if value is None else form.format(value)
