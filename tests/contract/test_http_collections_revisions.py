"""Labels and copies over HTTP, and the page of one collection."""

import httpx

from tests.support.bundles import picture
from tests.support.collecting import coded, item, made, put


def test_a_label_is_changed_by_id_whatever_the_id_is(service: httpx.Client) -> None:
    address = made(service, "labels", loss="softmax")
    image = {"id": "a/../?b", "label": "cat", "vector": [1, 0, 0, 0]}
    refused = service.post(f"{address}/items", json={"items": [image]})
    assert refused.status_code == 422  # ids with such parts are not taken
    put(service, address, {"id": "a//b ü?", "label": "cat", "image": coded(picture(1))})
    answer = service.put(f"{address}/label", params={"id": "a//b ü?"}, json={"label": "dog"})
    assert answer.json() == {"collection": "labels", "id": "a//b ü?", "label": "dog", "sequence": 2}
    shown = service.get(f"{address}/item", params={"id": "a//b ü?"}).json()
    assert shown["label"] == "dog"
    assert service.get(shown["thumbnail"]).status_code == 200
    cleared = service.put(f"{address}/label", params={"id": "a//b ü?"}, json={"label": None})
    assert cleared.json()["label"] is None
    found = service.post(
        "/neighbors?collection=labels", json={"ids": ["a//b ü?"], "filter": {"label": "dog"}}
    )
    assert found.json()["neighbors"] == [[]]


def test_bad_labels_are_refused(service: httpx.Client) -> None:
    address = made(service, "bad-labels", loss="softmax")
    put(service, address, item("a", 1, 0, 0, 0))
    for body in ({}, {"label": ""}, {"label": 3}, {"label": "x" * 257}, {"label": "a", "b": 1}):
        answer = service.put(f"{address}/label?id=a", json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "malformed_body"), body
    unknown = service.put(f"{address}/label?id=b", json={"label": "cat"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_item")
    assert service.put(f"{address}/label", json={"label": "cat"}).status_code == 422


def test_items_are_copied_with_all_that_is_theirs(service: httpx.Client) -> None:
    source, target = made(service, "from", loss="arcface"), made(service, "to", loss="arcface")
    image = {"id": "x/1", "label": "cat", "metadata": {"n": 1}, "image": coded(picture(2))}
    put(service, source, image, item("v", 1, 2, 3, 4))
    answer = service.post(f"{target}/copy", json={"source": "from", "ids": ["v", "x/1", "v"]})
    assert answer.json() == {
        "collection": "to", "source": "from", "sequence": 2, "items": 2, "replaced": 0,
    }  # fmt: skip
    for name in ("x/1", "v"):
        before, after = (
            service.get(f"{one}/items/{name}?vector=true").json() for one in (source, target)
        )
        assert after["vector"] == before["vector"]
        assert (after["label"], after["metadata"]) == (before["label"], before["metadata"])
    pictures = [service.get(f"{one}/thumbnails/x/1").content for one in (source, target)]
    assert pictures[0] == pictures[1]
    again = service.post(f"{target}/copy", json={"source": "from", "ids": ["v"]}).json()
    assert again["replaced"] == 1


def test_copies_of_another_model_or_of_nothing_are_refused(service: httpx.Client) -> None:
    source, target = made(service, "one", loss="arcface"), made(service, "other", loss="softmax")
    put(service, source, item("v", 1, 2, 3, 4))
    address = f"{target}/copy"
    answer = service.post(address, json={"source": "one", "ids": ["v"]})
    assert (answer.status_code, answer.json()["code"]) == (409, "model_mismatch")
    alike = made(service, "alike", loss="arcface") + "/copy"
    for body, code in (
        ({"source": "nix", "ids": ["v"]}, "unknown_model"),
        ({"source": "one", "ids": ["v", "w"]}, "unknown_item"),
        ({"source": "one", "ids": []}, "malformed_body"),
        ({"source": "one", "ids": ["v"] * 1001}, "malformed_body"),
    ):
        assert service.post(alike, json=body).json()["code"] == code
    assert service.get("/collections/alike").json()["items"] == 0


def test_a_browser_gets_a_page_and_a_program_what_it_got(service: httpx.Client) -> None:
    address = made(service, "shown", loss="softmax")
    page = service.get(address, headers={"Accept": "text/html,*/*;q=0.8"})
    assert page.headers["content-type"].startswith("text/html")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert 'data-name="shown"' in page.text
    for accept in ("*/*", "application/json"):
        answer = service.get(address, headers={"Accept": accept})
        assert answer.json()["name"] == "shown"
        assert "accept" in answer.headers["vary"].lower()
