"""Labels that change and items that are copied: all else of them stays."""

import numpy as np
import pytest

from service.collections import Library, NewItem
from service.vectors.errors import UnknownItem
from service.vectors.filters import Condition
from service.vectors.query import Search
from tests.support.small_collections import batch, drawn, spec_of


def tabby(library: Library) -> NewItem:
    new = NewItem("a/b", drawn(1)[0], "tabby", {"year": 2020}, image=b"image", thumbnail=b"small")
    library.create(spec_of())[0].put([new, *batch(["x", "y"])])
    return new


def test_a_label_changes_and_nothing_else(library: Library) -> None:
    new = tabby(library)
    cats = library.get("cats")
    vector, before = cats.vectors(["a/b"]), cats.facts()
    sequence = cats.relabel("a/b", "cat")
    item = cats.get("a/b")
    assert (item.label, item.metadata) == ("cat", new.metadata)
    assert (cats.image("a/b"), cats.thumbnail("a/b")) == (b"image", b"small")
    np.testing.assert_array_equal(cats.vectors(["a/b"]), vector)
    assert (sequence, cats.facts().items) == (before.sequence + 1, before.items)
    cats.check_whole()


def test_searches_and_filters_see_the_new_label(library: Library) -> None:
    new = tabby(library)
    cats = library.get("cats")
    query = np.array([new.vector])
    assert cats.search(query, Search(1))[0][0].item.label == "tabby"
    cats.relabel("a/b", None)
    nearest = cats.search(query, Search(3))[0]
    assert [hit.item.id for hit in nearest].count("a/b") == 1
    assert nearest[0].item.label is None
    cats.relabel("a/b", "cat")
    named = Search(3, (Condition("label", "in", ("cat",)),))
    assert [hit.item.id for hit in cats.search(query, named)[0]] == ["a/b"]
    old = Search(3, (Condition("label", "in", ("tabby",)),))
    assert cats.search(query, old)[0] == []


def test_an_item_that_is_not_there_has_no_label(library: Library) -> None:
    tabby(library)
    with pytest.raises(UnknownItem):
        library.get("cats").relabel("nobody", "cat")


def test_what_is_stored_can_be_put_elsewhere(library: Library) -> None:
    new = tabby(library)
    cats, copies = library.get("cats"), library.create(spec_of("copies"))[0]
    copies.put(cats.stored(["x", "a/b"]))
    item = copies.get("a/b")
    assert (item.label, item.metadata) == (new.label, new.metadata)
    assert (copies.image("a/b"), copies.thumbnail("a/b")) == (b"image", b"small")
    np.testing.assert_allclose(copies.vectors(["x", "a/b"]), cats.vectors(["x", "a/b"]), atol=1e-7)
    assert copies.facts().items == 2
    with pytest.raises(UnknownItem):
        cats.stored(["x", "nobody"])
