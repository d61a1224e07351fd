"""Drafts become items: each image gets its own embedding, whatever stands between."""

import numpy as np

from service.http.requests.items import ItemDraft
from service.http.routes.ingest import new_items
from tests.support.bundles import picture

EMBEDDINGS = np.array([[1, 0], [0, 1]], np.float32)
VECTOR = np.array([3, 4], np.float32)


def draft(name: str, image: bytes | None = None) -> ItemDraft:
    return ItemDraft(name, "label", {"n": 1}, image, VECTOR if image is None else None)


def test_embeddings_go_to_the_images_in_order() -> None:
    drafts = [draft("v"), draft("a", picture(0)), draft("w"), draft("b", picture(1))]
    items = list(new_items(drafts, EMBEDDINGS, [b"s", b"t"], keep_images=True))
    assert [one.id for one in items] == ["v", "a", "w", "b"]
    assert [one.vector.tolist() for one in items] == [[3, 4], [1, 0], [3, 4], [0, 1]]
    assert [one.image for one in items] == [None, picture(0), None, picture(1)]
    assert [one.thumbnail for one in items] == [None, b"s", None, b"t"]
    assert {one.label for one in items} == {"label"}


def test_images_are_kept_only_where_that_is_wanted() -> None:
    drafts = [draft("a", picture(0))]
    (item,) = new_items(drafts, EMBEDDINGS[:1], [b"s"], keep_images=False)
    assert item.image is None
    assert item.thumbnail == b"s"
