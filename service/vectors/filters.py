"""Metadata filters: what an item must be to be a hit."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, cast

from service.vectors.errors import InvalidFilter

Value = str | int | float | bool | None
Operator = Literal["in", "gt", "gte", "lt", "lte"]

_RANGES: dict[str, Operator] = {"gt": "gt", "gte": "gte", "lt": "lt", "lte": "lte"}
_INT64 = 2**63
_MOST_VALUES = 10_000


@dataclass(frozen=True)
class Condition:
    """One condition on one key; `label` is the item's label, any other key is metadata.

    An item without the key meets no condition on it. Values are equal only within their type: true
    is not 1, though 1 is 1.0; a range over numbers holds numbers only, one over text only text,
    which is ordered by code point.
    """

    key: str
    op: Operator
    values: tuple[Value, ...]  # of a range its one bound


Where = tuple[Condition, ...]  # all must hold


def parse_filter(value: object) -> Where:
    """The filter that a JSON value says: an object of key to value, or to operators.

    `{"species": "cat", "year": {"gte": 2020, "lt": 2024}, "color": {"in": ["red", "blue"]}}`

    Raises InvalidFilter.
    """
    if not isinstance(value, dict):
        raise InvalidFilter('send an object such as {"species": "cat", "year": {"gte": 2020}}')
    return tuple(condition for key, test in value.items() for condition in _conditions(key, test))


def _conditions(key: object, test: object) -> Iterator[Condition]:
    if not isinstance(key, str):
        raise InvalidFilter(f"a key is text, not {key!r}")
    if problem := text_problem(key):
        raise InvalidFilter(f"key {key!r} {problem}")
    if not isinstance(test, dict):
        yield Condition(key, "in", (_value(key, test),))
        return
    if not test:
        raise InvalidFilter(f"{key!r} has no operator; use in, gt, gte, lt or lte")
    for op, operand in test.items():
        yield _condition(key, op, operand)


def _condition(key: str, op: object, operand: object) -> Condition:
    if op == "in":
        return Condition(key, "in", _choices(key, operand))
    if op in _RANGES:
        return Condition(key, _RANGES[str(op)], (_bound(key, str(op), operand),))
    raise InvalidFilter(f"{key!r} has operator {op!r}; use in, gt, gte, lt or lte")


def _choices(key: str, operand: object) -> tuple[Value, ...]:
    if not isinstance(operand, list):
        raise InvalidFilter(f"'in' of {key!r} takes a list of values")
    if len(operand) > _MOST_VALUES:
        raise InvalidFilter(f"'in' of {key!r} takes at most {_MOST_VALUES:,} values")
    return tuple(_value(key, one) for one in operand)


def _bound(key: str, op: str, operand: object) -> Value:
    value = _value(key, operand)
    if value is None or isinstance(value, bool):
        raise InvalidFilter(f"{op!r} of {key!r} takes a number or text")
    return value


def _value(key: str, value: object) -> Value:
    problem = value_problem(value)
    if problem:
        raise InvalidFilter(f"a value of {key!r} {problem}")
    return cast("Value", value)


def value_problem(value: object) -> str | None:
    """Explain why a value cannot be in metadata; None where it can."""
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, str):
        return text_problem(value)
    if isinstance(value, int):
        return None if -_INT64 <= value < _INT64 else "is an integer beyond 64 bits"
    if isinstance(value, float):
        return None if math.isfinite(value) else "is not a finite number"
    return "is neither text, number, true, false nor null"


def text_problem(text: str) -> str | None:
    """Explain why a text cannot be stored and found again; None where it can."""
    if "\0" in text:
        return "has a NUL character"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "is not valid Unicode"
    return None
