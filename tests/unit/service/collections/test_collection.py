from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from service.collections import Collection, Item, Library, Metadata, NewItem
from service.collections.errors import UnknownImage
from service.vectors.errors import InvalidItems, UnknownItem
from service.vectors.query import Search
from tests.support.small_collections import DIMENSION, batch, drawn, scored, spec_of


@pytest.fixture
def cats(library: Library) -> Collection:
    return library.create(spec_of())[0]


@pytest.fixture
def points(library: Library) -> Collection:
    return library.create(spec_of("points", "l2"))[0]


def every(collection: Collection, at_once: int = 7) -> list[Item]:
    items: list[Item] = []
    after: int | None = 0
    while after is not None:
        page = collection.page(after, at_once)
        items += page.items
        after = page.next
    return items


def test_an_item_comes_back_as_it_was_put(cats: Collection) -> None:
    metadata: Metadata = {
        "species": "cat",
        "year": 2020,
        "weight": 4.0,
        "tame": True,
        "owner": None,
    }
    new = NewItem("a/b ü", drawn(1)[0], "tabby", metadata, image=b"image", thumbnail=b"thumb")
    receipt = cats.put([new])
    item = cats.get("a/b ü")
    assert item == Item(1, "a/b ü", "tabby", metadata, has_thumbnail=True, has_image=True)
    assert [type(value) for value in item.metadata.values()] == [str, int, float, bool, type(None)]
    assert cats.image("a/b ü") == b"image"
    assert cats.thumbnail("a/b ü") == b"thumb"
    assert (receipt.sequence, receipt.replaced) == (1, (False,))


def test_vectors_are_kept_at_unit_length_where_the_metric_is_cosine(cats: Collection) -> None:
    vectors = drawn(3) * np.array([[1e-20], [1.0], [1e20]], np.float32)
    cats.put([NewItem(str(i), vector) for i, vector in enumerate(vectors)])
    expected = drawn(3) / np.linalg.norm(drawn(3), axis=1, keepdims=True)
    assert np.allclose(cats.vectors(["2", "0", "1"]), expected[[2, 0, 1]], atol=1e-6)


def test_vectors_are_kept_exactly_where_the_metric_is_l2(points: Collection) -> None:
    points.put(batch(["a", "b"]))
    assert np.array_equal(points.vectors(["b", "a"]), drawn(2)[::-1])
    assert points.vectors([]).shape == (0, DIMENSION)


def test_an_item_of_the_same_id_replaces_the_other_whole(cats: Collection) -> None:
    cats.put([replace(batch(["a"])[0], label="old", thumbnail=b"old", metadata={"year": 1})])
    receipt = cats.put(batch(["a"], seed=1))
    assert receipt.replaced == (True,)
    assert cats.get("a") == Item(2, "a", None, {}, has_thumbnail=False, has_image=False)
    assert cats.facts().items == 1
    with pytest.raises(UnknownImage):
        cats.thumbnail("a")


def test_the_last_of_two_items_with_one_id_stays(points: Collection) -> None:
    receipt = points.put(batch(["a", "b", "a"]))
    assert receipt.replaced == (False, False, True)
    assert [item.id for item in every(points)] == ["b", "a"]
    assert np.array_equal(points.vectors(["a"])[0], drawn(3)[2])
    assert points.facts().items == 2


def test_what_was_deleted_is_gone(cats: Collection) -> None:
    cats.put(batch(["a", "b"]))
    assert cats.delete("a") == 3
    assert cats.has(["b", "a", "c"]) == [True, False, False]
    for ask in (cats.get, cats.image, cats.thumbnail, cats.delete, lambda one: cats.vectors([one])):
        with pytest.raises(UnknownItem):
            ask("a")
    assert [hit.item.id for hit in cats.search(drawn(1), Search(10))[0]] == ["b"]


def test_pages_hold_each_item_once_in_the_order_in_which_they_were_put(cats: Collection) -> None:
    assert every(cats) == []
    cats.put(batch([str(i) for i in range(14)]))
    cats.put(batch(["3"]))
    assert [item.id for item in every(cats)] == [*"012456789", "10", "11", "12", "13", "3"]
    assert cats.page(0, 14).next is None


def test_a_batch_with_invalid_items_says_which_and_stores_nothing(cats: Collection) -> None:
    nan, infinite, zero = drawn(3)
    nan[3], infinite[0], zero[:] = np.nan, np.inf, 0
    good = drawn(1)[0]
    cases: list[NewItem] = [
        NewItem("", good),
        NewItem("nul\0", good),
        NewItem("half \ud800", good),
        NewItem("short", good[:-1]),
        NewItem("key", good, metadata={"label": "x"}),
        NewItem("big", good, metadata={"n": 2**63}),
        NewItem("long", good, metadata={"text": "x" * 5000}),
        NewItem("nan", good, metadata={"n": float("nan")}),
        NewItem("label", good, label="\0"),
    ]
    with pytest.raises(InvalidItems) as caught:
        cats.put([NewItem("fine", good), *cases])
    assert caught.value.indexes == tuple(range(1, len(cases) + 1))
    with pytest.raises(InvalidItems) as caught:
        cats.put([NewItem(str(i), v) for i, v in enumerate([good, nan, infinite, zero])])
    assert caught.value.indexes == (1, 2, 3)
    assert cats.facts().items == cats.facts().sequence == 0


def test_queries_that_are_no_vectors_are_refused(cats: Collection) -> None:
    with pytest.raises(InvalidItems):
        cats.search(np.ones((2, DIMENSION + 1), np.float32), Search(1))
    with pytest.raises(InvalidItems):
        cats.search(np.full((1, DIMENSION), np.nan, np.float32), Search(1))


def test_a_score_threshold_cuts_the_hits(points: Collection) -> None:
    points.put(batch([str(i) for i in range(20)]))
    whole = points.search(drawn(1, seed=5), Search(20))[0]
    least = whole[7].score
    assert points.search(drawn(1, seed=5), Search(20, min_score=least))[0] == whole[:8]


def test_each_query_leaves_out_its_own_item(points: Collection) -> None:
    ids = [str(i) for i in range(10)]
    points.put(batch(ids))
    queries = points.vectors(["4", "7", "2"])
    near = points.search(queries, Search(3, without=("4", "7", "nobody")))
    whole = points.search(queries, Search(10))
    assert [[hit.item.id for hit in hits] for hits in near] == [
        [hit.item.id for hit in whole[0][1:4]],
        [hit.item.id for hit in whole[1][1:4]],
        [hit.item.id for hit in whole[2][:3]],
    ]
    everything = points.search(queries[:1], Search(99, without=("4",)))
    assert len(everything[0]) == 9


def test_a_search_in_an_empty_collection_finds_nothing(cats: Collection) -> None:
    assert cats.search(drawn(2), Search(3)) == [[], []]
    assert cats.search(drawn(0), Search(3)) == []


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_put_and_deleted_searches_find_the_nearest(
    points: Collection, seed: int
) -> None:
    chance = np.random.default_rng(seed)
    oracle: dict[str, np.ndarray] = {}
    for step in range(40):
        ids = [str(i) for i in chance.integers(0, 60, size=chance.integers(1, 12))]
        if chance.random() < 0.3 and oracle:
            gone = str(chance.choice(list(oracle)))
            points.delete(gone)
            del oracle[gone]
        else:
            new = batch(ids, seed=1000 * seed + step)
            points.put(new)
            oracle |= {item.id: item.vector for item in new}
        if chance.random() < 0.5:
            check_against(oracle, points, chance)
    check_against(oracle, points, chance)


def check_against(oracle: dict[str, Any], points: Collection, chance: np.random.Generator) -> None:
    assert {item.id for item in every(points)} == set(oracle)
    assert points.facts().items == len(oracle)
    if not oracle:
        return
    queries = chance.normal(size=(3, DIMENSION)).astype(np.float32)
    ids = np.array(list(oracle))
    scores = scored("l2", queries, np.stack(list(oracle.values())))
    for hits, expected in zip(points.search(queries, Search(5)), scores, strict=True):
        best = np.argsort(-expected)[:5]
        assert [hit.item.id for hit in hits] == ids[best].tolist()
        assert [hit.score for hit in hits] == pytest.approx(expected[best].tolist())
