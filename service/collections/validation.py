"""Limits of an item: one set, whichever way it comes.

Requests, folders, Parquet files, `reembed` and `restore` all ask here. Each function gives what is
wrong, and None where nothing is.
"""

import re
from collections.abc import Iterator

import orjson

from service.vectors.filters import text_problem, value_problem

LABEL = "label"  # in filters the item's label
ID_CHARACTERS = 256
LABEL_CHARACTERS = 256
KEY_CHARACTERS = 128
TEXT_CHARACTERS = 4096
KEYS = 64
METADATA_BYTES = 16 * 1024  # as JSON

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def id_problem(value: object) -> str | None:
    """Of an id: text that an address, a line of a log and a terminal can carry."""
    if not isinstance(value, str) or not 1 <= len(value) <= ID_CHARACTERS:
        return f"id must be text of 1 to {ID_CHARACTERS} characters (got {_seen(value)})"
    if problem := text_problem(value):
        return f"id {problem}"
    if control := _CONTROL.search(value):
        return f"id must not have control characters (got {control[0]!r}); replace it"
    if not {".", ".."}.isdisjoint(value.split("/")):
        return "id must not have a part '.' or '..', which clients take out of addresses; rename it"
    return None


def label_problem(value: object) -> str | None:
    """Of a label, which may be None."""
    if value is None:
        return None
    if not isinstance(value, str) or not 1 <= len(value) <= LABEL_CHARACTERS:
        return f"label must be text of 1 to {LABEL_CHARACTERS} characters (got {_seen(value)})"
    if problem := text_problem(value):
        return f"label {problem}"
    return None


def metadata_problem(value: object) -> str | None:
    """Of metadata: an object of texts, numbers, booleans and nulls."""
    if not isinstance(value, dict):
        return f"metadata must be an object (got {_seen(value)})"
    if len(value) > KEYS:
        return f"metadata must be an object with at most {KEYS} keys (got {len(value):,})"
    if problem := next(_member_problems(value), None):
        return problem
    if (size := len(orjson.dumps(value))) > METADATA_BYTES:
        return f"metadata must be at most {METADATA_BYTES:,} bytes of JSON (got {size:,})"
    return None


def item_problem(item_id: object, label: object, metadata: object) -> str | None:
    """The first problem of an item, its vector aside."""
    return id_problem(item_id) or label_problem(label) or metadata_problem(metadata)


def _member_problems(metadata: dict[object, object]) -> Iterator[str]:
    for key, value in metadata.items():
        if problem := _key_problem(key):
            yield f"metadata key {key!r:.80} {problem}"
        elif isinstance(value, str) and len(value) > TEXT_CHARACTERS:
            limit = f"must have at most {TEXT_CHARACTERS:,} characters (got {len(value):,})"
            yield f"metadata of {key!r} {limit}"
        elif problem := value_problem(value):
            yield f"metadata of {key!r} {problem}"


def _key_problem(key: object) -> str | None:
    if not isinstance(key, str) or not 1 <= len(key) <= KEY_CHARACTERS:
        return f"must be text of 1 to {KEY_CHARACTERS} characters (got {_seen(key)})"
    if key == LABEL:
        return "is the item's own field, which filters mean by it; use another key"
    return text_problem(key)


def _seen(value: object) -> str:
    if isinstance(value, str):
        return f"{len(value):,} characters"
    return "null" if value is None else type(value).__name__
