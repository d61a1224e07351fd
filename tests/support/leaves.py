"""Every number and text of a schema, made distinct, so that a page can be searched for each."""

import html
import re
from collections.abc import Iterator
from itertools import count
from typing import Any, TypeVar

from models.manifest import Frozen

T = TypeVar("T", bound=Frozen)
Path = tuple[str, ...]


def scrambled(shown: T) -> T:
    """The same value with a number of its own in every place; `None` and texts stay."""
    numbers = count(1)

    def change(node: Any, key: str) -> Any:
        if isinstance(node, dict):
            return {name: change(value, name) for name, value in node.items()}
        if isinstance(node, list):
            return [change(value, key) for value in node]
        if isinstance(node, bool) or key == "schema_version":
            return node
        if isinstance(node, float):
            return 0.1 + 0.00061803 * next(numbers) % 0.8
        return 1003 + 7 * next(numbers) if isinstance(node, int) else node

    return type(shown).model_validate(change(shown.model_dump(mode="json"), ""))


def leaves(node: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every number and text below, with its path; indexes are left out of it."""
    if isinstance(node, dict):
        for name, value in node.items():
            yield from leaves(value, (*path, name))
    elif isinstance(node, list):
        for value in node:
            yield from leaves(value, path)
    elif node is not None and not isinstance(node, bool):
        yield path, node


def is_shown(value: Any, text: str) -> bool:
    """Return whether a page's HTML holds the value in one of the forms that pages use."""
    if isinstance(value, int):
        return re.search(rf"(?<![\d.,])({value}|{value:,})(?![\d.,]*\d)", text) is not None
    return any(way in text for way in _ways(value))


def _ways(value: Any) -> tuple[str, ...]:
    if isinstance(value, float):
        return (f"{100 * value:.2f}", f"{value:.4f}", f"{value:.6g}", f"{value:.4g}")
    return html.escape(str(value)), html.escape(str(value).replace("_", " "))
