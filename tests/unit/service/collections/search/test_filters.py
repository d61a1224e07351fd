from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from service.collections import Collection, Library, NewItem
from service.vectors.errors import InvalidFilter
from service.vectors.filters import parse_filter
from service.vectors.query import Search
from tests.support.small_collections import drawn, spec_of

VALUES: list[Any] = [None, True, False, 0, 1, 1.0, 2, -3, 0.5, 2**53 + 1, "", "1", "a", "b", "Ü"]


@pytest.fixture
def things(library: Library) -> Collection:
    return library.create(spec_of("things", "l2"))[0]


def ids_where(collection: Collection, where: object) -> set[str]:
    hits = collection.search(drawn(1), Search(10_000, where=parse_filter(where)))[0]
    return {hit.item.id for hit in hits}


def put(collection: Collection, *metadata: dict[str, Any], label: str | None = None) -> None:
    vectors = drawn(len(metadata), seed=1)
    collection.put(
        [NewItem(str(i), vectors[i], label, one) for i, one in enumerate(metadata)],
    )


def test_values_are_equal_within_their_type_alone(things: Collection) -> None:
    put(things, *({"x": value} for value in VALUES))
    assert ids_where(things, {"x": True}) == {"1"}
    assert ids_where(things, {"x": 1}) == ids_where(things, {"x": 1.0}) == {"4", "5"}
    assert ids_where(things, {"x": 0}) == {"3"}
    assert ids_where(things, {"x": None}) == {"0"}
    assert ids_where(things, {"x": "1"}) == {"11"}
    assert ids_where(things, {"x": {"in": [True, 0, "a"]}}) == {"1", "3", "12"}
    assert ids_where(things, {"x": {"in": []}}) == set()


def test_a_range_stays_within_its_type(things: Collection) -> None:
    put(things, *({"x": value} for value in VALUES))
    assert ids_where(things, {"x": {"gte": 1}}) == {"4", "5", "6", "9"}
    assert ids_where(things, {"x": {"gt": -99, "lt": 1}}) == {"3", "7", "8"}
    assert ids_where(things, {"x": {"gt": 2**53}}) == {"9"}
    assert ids_where(things, {"x": {"gte": ""}}) == {"10", "11", "12", "13", "14"}
    assert ids_where(things, {"x": {"gt": "a", "lte": "b"}}) == {"13"}
    assert ids_where(things, {"x": {"gt": 5, "lt": "b"}}) == set()


def test_the_label_is_filtered_like_metadata(things: Collection) -> None:
    vectors = drawn(3)
    labels = ("cat", "dog", None)
    things.put([NewItem(str(i), v, labels[i]) for i, v in enumerate(vectors)])
    assert ids_where(things, {"label": "cat"}) == {"0"}
    assert ids_where(things, {"label": {"gt": "cat"}}) == {"1"}
    assert ids_where(things, {"label": None}) == {"2"}
    assert ids_where(things, {}) == {"0", "1", "2"}


def test_a_filter_that_was_asked_before_sees_what_was_written_since(things: Collection) -> None:
    put(things, {"x": 1}, {"x": True})
    assert ids_where(things, {"x": 1}) == ids_where(things, {"x": 1}) == {"0"}
    put(things, {"x": 2}, {"x": 1}, {"x": 1})
    assert ids_where(things, {"x": 1}) == {"1", "2"}
    things.delete("2")
    assert ids_where(things, {"x": 1}) == {"1"}


def test_what_was_replaced_or_deleted_meets_no_filter(things: Collection) -> None:
    put(things, {"x": 1, "y": "a"}, {"x": 1}, label="old")
    put(things, {"x": 2}, label="new")
    things.delete("1")
    assert ids_where(things, {"x": 1, "label": {"in": ["old", "new"]}}) == set()
    assert ids_where(things, {"x": 2, "label": "new"}) == {"0"}


def test_a_key_that_no_item_has_is_met_by_none_whatever_is_stored(things: Collection) -> None:
    sold = {"sold": True}
    assert ids_where(things, sold) == set()
    put(things, {"species": "cat", "year": 2020})
    assert ids_where(things, sold) == set()
    assert ids_where(things, {"species": "cat"} | sold) == set()
    assert ids_where(things, {"sold": {"gte": 1}}) == ids_where(things, {"sold": {"in": []}})
    put(things, {"species": "cat"}, sold)
    assert ids_where(things, sold) == {"1"}
    things.delete("1")
    assert ids_where(things, sold) == set()


@pytest.mark.parametrize(
    "where",
    [
        None,
        [],
        "species",
        {"x": [1, 2]},
        {"x": {}},
        {"x": {"like": "a%"}},
        {"x": {"in": "abc"}},
        {"x": {"in": [[1]]}},
        {"x": {"gt": None}},
        {"x": {"lte": True}},
        {"x": {"gt": {"lt": 1}}},
        {"x": float("nan")},
        {"x": 2**63},
        {"x": "\0"},
        {"x": "\ud800"},
        {1: "x"},
        {"x": {"in": list(range(10_001))}},
        {"\ud800": 1},
    ],
)
def test_what_is_no_filter_is_refused(where: object) -> None:
    with pytest.raises(InvalidFilter):
        parse_filter(where)


def kind(value: object) -> str:
    if value is None or isinstance(value, bool):
        return str(value)
    return "text" if isinstance(value, str) else "number"


COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "gt": lambda a, b: a > b,
    "gte": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "lte": lambda a, b: a <= b,
}


def meets(metadata: dict[str, Any], where: dict[str, Any]) -> bool:
    for key, test in where.items():
        operators = test if isinstance(test, dict) else {"in": [test]}
        for op, operand in operators.items():
            if key not in metadata:
                return False
            value = metadata[key]
            if op == "in":
                fine = any(kind(value) == kind(one) and value == one for one in operand)
            else:
                fine = kind(value) == kind(operand) and COMPARED[op](value, operand)
            if not fine:
                return False
    return True


def drawn_filter(chance: np.random.Generator) -> dict[str, Any]:
    def value() -> Any:
        return VALUES[chance.integers(len(VALUES))]

    def bound() -> Any:
        bounds = [one for one in VALUES if one is not None and not isinstance(one, bool)]
        return bounds[chance.integers(len(bounds))]

    tests: list[Callable[[], Any]] = [
        value,
        lambda: {"in": [value() for _ in range(chance.integers(0, 5))]},
        lambda: {str(op): bound() for op in chance.choice(list(COMPARED), 2, replace=False)},
        lambda: {"gte": bound()},
    ]
    keys = chance.choice(["x", "y", "z"], size=chance.integers(1, 4), replace=False)
    return {str(key): tests[chance.integers(len(tests))]() for key in keys}


@pytest.mark.parametrize("seed", range(5))
def test_filters_agree_with_their_definition(things: Collection, seed: int) -> None:
    chance = np.random.default_rng(seed)
    metadata: list[dict[str, Any]] = [
        {key: VALUES[chance.integers(len(VALUES))] for key in "xyz" if chance.random() < 0.8}
        for _ in range(300)
    ]
    put(things, *metadata)
    for _ in range(100):
        where = drawn_filter(chance)
        expected = {str(i) for i, one in enumerate(metadata) if meets(one, where)}
        assert ids_where(things, where) == expected, where


def test_a_filter_of_few_beside_one_of_many_agrees_too(things: Collection) -> None:
    put(things, *({"many": i % 2, "number": i, "half": i / 2} for i in range(6000)))
    assert ids_where(things, {"many": 1, "number": {"in": [1, 2, 3]}}) == {"1", "3"}
    assert ids_where(things, {"many": 1, "number": {"lt": 4}, "half": {"gt": 1}}) == {"3"}
    assert len(ids_where(things, {"many": {"in": [0, 1]}, "half": {"gte": 0}})) == 6000
