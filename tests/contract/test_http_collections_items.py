"""Items over HTTP: put as vectors or images, shown, listed in pages, deleted; their pictures."""

import io
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from models.bundle import MODEL
from models.store import Store
from service.http.responses.collections import ItemDetail, ItemPage, ItemsReceipt
from tests.support.bundles import picture
from tests.support.collecting import coded, item, made, put


def test_vectors_are_put_as_numbers_or_base64(service: httpx.Client) -> None:
    address = made(service, "vectors", loss="softmax")
    numbers = np.array([0.1, -2, 3e-5, 4], np.float32)
    receipt = put(
        service,
        address,
        {"id": "numbers", "vector": numbers.tolist(), "label": "cat"},
        {"id": "base64", "vector": coded(numbers.astype("<f4").tobytes()), "metadata": {"n": 1}},
        {"vector": [1, 2, 3, 4]},
    )
    assert receipt.sequence == 3
    assert [one.replaced for one in receipt.items] == [False] * 3
    for name in ("numbers", "base64"):
        shown = ItemDetail.model_validate(service.get(f"{address}/items/{name}?vector=true").json())
        np.testing.assert_array_equal(np.array(shown.vector, np.float32), numbers)
    assert service.get(f"{address}/items/{receipt.items[2].id}").json() == {
        "id": receipt.items[2].id,
        "label": None,
        "metadata": {},
        "thumbnail": None,
        "image": None,
        "vector": None,
    }


def test_with_cosine_vectors_are_kept_at_unit_length(service: httpx.Client) -> None:
    address = made(service, "unit", loss="softmax", metric="cosine")
    put(service, address, item("a", 3, 0, 0, 4))
    vector = service.get(f"{address}/items/a?vector=true").json()["vector"]
    np.testing.assert_allclose(vector, [0.6, 0, 0, 0.8], atol=1e-7)


def test_an_item_of_the_same_id_is_replaced(service: httpx.Client) -> None:
    address = made(service, "replacing")
    image = {"id": "a", "image": coded(picture(1)), "label": "cat", "metadata": {"year": 2020}}
    assert not put(service, address, image).items[0].replaced
    receipt = put(service, address, item("a", 0, 1, 0, 0, metadata={"year": 2021}))
    assert receipt.items[0].replaced
    shown = service.get(f"{address}/items/a").json()
    assert (shown["label"], shown["metadata"], shown["image"]) == (None, {"year": 2021}, None)
    assert service.get(f"{address}/thumbnails/a").json()["code"] == "unknown_image"
    assert service.get(address).json()["items"] == 1


@pytest.mark.parametrize("how", ["raw", "files", "json"])
def test_images_are_embedded_by_the_collections_model(service: httpx.Client, how: str) -> None:
    address = made(service, f"images-{how}", loss="arcface", version=1)
    image = picture(5)
    forms: dict[str, dict[str, Any]] = {
        "raw": {"content": image, "headers": {"Content-Type": "image/png"}},
        "files": {"files": [("a", ("a.png", image)), ("b", ("b.png", image))]},
        "json": {"json": {"items": [{"image": "data:image/png;base64," + coded(image)}]}},
    }
    answer = service.post(f"{address}/items", **forms[how])
    receipt = ItemsReceipt.model_validate(answer.json())
    assert "inference" in answer.headers["server-timing"]
    own = service.post("/embed?version=1", **forms["raw"]).json()["embeddings"][0]
    for one in receipt.items:
        shown = service.get(f"{address}/items/{one.id}?vector=true").json()
        np.testing.assert_allclose(shown["vector"], own, atol=1e-6)


def test_a_raw_image_takes_its_id_label_and_metadata_from_the_address(
    service: httpx.Client,
) -> None:
    address = made(service, "raw")
    params = {"id": "a b/ü?#%.png", "label": "Katze", "metadata": '{"jahr": 2020, "ok": true}'}
    headers = {"Content-Type": "image/png"}
    answer = service.post(f"{address}/items", params=params, content=picture(1), headers=headers)
    assert answer.json()["items"] == [{"id": "a b/ü?#%.png", "replaced": False}]
    shown = service.get(f"{address}/items").json()["items"][0]
    assert (shown["id"], shown["label"]) == (params["id"], "Katze")
    assert shown["metadata"] == {"jahr": 2020, "ok": True}
    assert service.get(shown["thumbnail"]).status_code == 200
    one = service.get(f"{address}/items/a%20b/%C3%BC%3F%23%25.png").json()
    assert one == {**shown, "vector": None}


def test_images_and_vectors_may_be_mixed_in_any_order(service: httpx.Client) -> None:
    address = made(service, "mixed")
    images = [picture(seed) for seed in range(3)]
    given = [
        {"id": "0", "image": coded(images[0])},
        item("v", 0, 0, 1, 0),
        {"id": "1", "image": coded(images[1])},
        {"id": "2", "image": coded(images[2])},
    ]
    put(service, address, *given)
    files = [("a", (f"{i}.png", image)) for i, image in enumerate(images)]
    embeddings = service.post("/embed", files=files).json()["embeddings"]
    for i, embedding in enumerate(embeddings):
        vector = service.get(f"{address}/items/{i}?vector=true").json()["vector"]
        np.testing.assert_allclose(vector, embedding, atol=1e-6)


def test_an_image_has_a_thumbnail_and_is_kept_where_that_is_wanted(service: httpx.Client) -> None:
    image = picture(3, (400, 200))
    for keep in (True, False):
        address = made(service, f"keep-{keep}".lower(), keep_images=keep)
        put(service, address, {"id": "x", "image": coded(image)})
        shown = service.get(f"{address}/items/x").json()
        small = service.get(shown["thumbnail"])
        with Image.open(io.BytesIO(small.content)) as opened:
            assert (opened.format, opened.size) == ("JPEG", (96, 48))
        assert small.headers["content-type"] == "image/jpeg"
        if keep:
            original = service.get(shown["image"])
            assert original.content == image
            assert original.headers["content-type"] == "image/png"
            assert original.headers["x-content-type-options"] == "nosniff"
        else:
            assert shown["image"] is None
            assert service.get(f"{address}/images/x").json()["code"] == "unknown_image"


def test_a_thumbnail_is_sent_once_until_it_changes(service: httpx.Client) -> None:
    address = made(service, "cached")
    put(service, address, {"id": "x", "image": coded(picture(3))})
    first = service.get(f"{address}/thumbnails/x")
    known = {"If-None-Match": first.headers["etag"]}
    second = service.get(f"{address}/thumbnails/x", headers=known)
    assert (second.status_code, second.content) == (304, b"")
    put(service, address, {"id": "x", "image": coded(picture(4))})
    third = service.get(f"{address}/thumbnails/x", headers=known)
    assert third.status_code == 200
    assert third.content != first.content


def test_items_come_in_pages_in_the_order_in_which_they_were_put(service: httpx.Client) -> None:
    address = made(service, "pages")
    put(service, address, *[item(f"{i}", i + 1, 0, 0, 0) for i in range(7)])
    put(service, address, item("2", 1, 1, 1, 1))
    service.delete(f"{address}/items/4")
    found, after, pages = list[str](), 0, 0
    while True:
        params = {"after": after, "limit": 2}
        page = ItemPage.model_validate(service.get(f"{address}/items", params=params).json())
        found += [one.id for one in page.items]
        pages += 1
        if page.next is None:
            break
        after = page.next
    assert found == ["0", "1", "3", "5", "6", "2"]
    assert pages == 3
    assert len(service.get(f"{address}/items").json()["items"]) == 6


def test_a_deleted_item_is_gone(service: httpx.Client) -> None:
    address = made(service, "deleting")
    put(service, address, item("a/b", 1, 0, 0, 0), item("c", 1, 0, 0, 0))
    answer = service.delete(f"{address}/items/a/b")
    assert answer.json() == {"collection": "deleting", "id": "a/b", "sequence": 3}
    for gone in (service.get(f"{address}/items/a/b"), service.delete(f"{address}/items/a/b")):
        assert (gone.status_code, gone.json()["code"]) == (404, "unknown_item")
        assert (gone.json()["collection"], gone.json()["id"]) == ("deleting", "a/b")
    assert service.get(address).json()["items"] == 1


def test_vectors_that_say_their_model_are_taken_where_it_fits(
    service: httpx.Client, tiny_registry: Path
) -> None:
    address = made(service, "renewed", loss="arcface", version=1)
    body: dict[str, Any] = {"items": [item("a", 1, 0, 0, 0)]}
    for version, status in ((1, 200), (2, 409)):
        sha256 = Store(tiny_registry).load("arcface", version).manifest.files[MODEL].sha256
        answer = service.post(f"{address}/items", json={**body, "model_sha256": sha256})
        assert answer.status_code == status
    assert answer.json()["code"] == "model_mismatch"
    assert "python -m service reembed renewed" in answer.json()["detail"]
