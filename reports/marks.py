"""Generated text in a page that people write: each piece stands between two marks."""


def put(page: str, command: str, text: str) -> str:
    r"""Return the page with this text between the marks of that command.

    Raises ValueError where a mark is missing.

    >>> put("<!-- by x: begin -->\nold\n<!-- by x: end -->\n", "x", "new").split("\n")[1]
    'new'
    """
    begin, end = (f"<!-- by {command}: {edge} -->" for edge in ("begin", "end"))
    before, first, rest = page.partition(begin)
    _, last, after = rest.partition(end)
    if not first or not last:
        raise ValueError(f"the page must have the marks {begin} and {end}")
    return f"{before}{begin}\n{text}\n{end}{after}"


def has(page: str, command: str) -> bool:
    """Return whether the page has a place for what the command makes."""
    return f"<!-- by {command}: begin -->" in page
