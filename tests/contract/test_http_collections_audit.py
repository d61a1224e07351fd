"""The audit of a collection over HTTP: known errors are found, the rest is refused by code."""

from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from models.audit.neighbors import nearest
from service.collections import audit as audits
from service.http.responses.audits import AuditAnswer
from tests.support.collecting import item, made, put
from tests.support.serving import ready

CENTERS = np.eye(4)


def clusters(per_label: int = 30) -> list[dict[str, Any]]:
    """Three clear clusters of so many items each, of all directions around a center."""
    noise = np.random.default_rng(0).normal(scale=0.15, size=(3, per_label, 4))
    return [
        item(f"{label}/{n}", *(CENTERS[label] + noise[label, n]).tolist(), label=f"label {label}")
        for label in range(3)
        for n in range(per_label)
    ]


def audited(client: httpx.Client, address: str, **query: int) -> AuditAnswer:
    answer = client.get(f"{address}/audit", params=query)
    assert answer.status_code == 200, answer.text
    return AuditAnswer.model_validate(answer.json())


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_flipped_labels_copies_and_outliers_are_found(service: httpx.Client, metric: str) -> None:
    address = made(service, f"audited-{metric}", metric=metric)
    items = clusters()
    items[3]["label"], items[40]["label"] = "label 1", "label 2"  # of clusters 0 and 1
    put(service, address, *items)
    put(service, address, items[70] | {"id": "twin"}, item("far", 0, 0, 0, 1, label="label 0"))
    put(service, address, item("unlabeled", 1, 0.1, 0, 0))
    found = audited(service, address)
    assert (found.items, found.labeled) == (93, 92)
    assert found.labels == ["label 0", "label 1", "label 2"]
    wrong = {one.id: one.suggested for one in found.wrong if one.probable}
    assert wrong["0/3"] == "label 0"
    assert wrong["1/10"] == "label 1"
    assert found.probable == len(wrong) <= 4
    assert {one.id for one in found.wrong[:3]} >= {"0/3", "1/10"}
    assert [(one.id, one.other, one.same_label) for one in found.copies] == [("twin", "2/10", True)]
    assert "far" in {one.id for one in found.outliers}
    assert "unlabeled" not in {one.id for one in found.wrong}


def test_a_limit_cuts_the_lists_and_counts_stay(service: httpx.Client) -> None:
    address = made(service, "audited-limit", metric="cosine")
    items = clusters(12)
    put(service, address, *items, *(one | {"id": f"copy of {one['id']}"} for one in items[:5]))
    found = audited(service, address, limit=2)
    assert (len(found.wrong), len(found.copies), found.copies_found) == (2, 2, 5)
    confidence = [one.confidence for one in audited(service, address, limit=1000).wrong]
    assert confidence == sorted(confidence)
    assert len(confidence) == 41


def test_it_is_made_once_for_each_state(
    tiny_registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    whole = nearest

    def counted(*given: Any) -> Any:
        calls.append(1)
        return whole(*given)

    monkeypatch.setattr(audits, "nearest", counted)
    with ready(tiny_registry, data_dir=tmp_path) as client:
        address = made(client, "kept", metric="cosine")
        put(client, address, *clusters(8))
        first = audited(client, address)
        made_once = len(calls)
        assert audited(client, address) == first
        assert len(calls) == made_once
        client.delete(f"{address}/items/0%2F0")
        assert audited(client, address).items == first.items - 1
        assert len(calls) > made_once
        # One of the same name is another collection.
        client.delete(address)
        made(client, "kept", metric="cosine")
        assert client.get(f"{address}/audit").json()["code"] == "no_labels"


@pytest.mark.parametrize(
    ("items", "code"),
    [
        ([], "no_labels"),
        ([item("a", 1, 0, 0, 0), item("b", 0, 1, 0, 0)], "no_labels"),
        ([item("a", 1, 0, 0, 0, label="x"), item("b", 0, 1, 0, 0, label="x")], "one_label"),
    ],
)
def test_what_cannot_be_judged_is_said(
    service: httpx.Client, items: list[dict[str, Any]], code: str
) -> None:
    address = made(service, f"unjudged-{code}-{len(items)}")
    if items:
        put(service, address, *items)
    answer = service.get(f"{address}/audit")
    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_two_items_of_two_labels_are_enough(service: httpx.Client) -> None:
    address = made(service, "audited-two", metric="cosine")
    put(service, address, item("a", 1, 0, 0, 0, label="x"), item("b", 0, 1, 0, 0, label="y"))
    assert len(audited(service, address).wrong) == 2


def test_a_large_collection_is_refused_before_it_is_read(
    tiny_registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audits, "MOST_ITEMS", 10)
    with ready(tiny_registry, data_dir=tmp_path) as client:
        address = made(client, "large")
        put(client, address, *clusters(4))
        answer = client.get(f"{address}/audit")
        assert (answer.status_code, answer.json()["code"]) == (422, "too_large_to_audit")
        assert (answer.json()["items"], answer.json()["limit"]) == (12, 10)


def test_it_ends_with_the_deadline_and_lets_the_next_one_begin(
    tiny_registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, *[1e9] * 1000])
    with ready(tiny_registry, data_dir=tmp_path) as client:
        address = made(client, "slow", metric="cosine")
        put(client, address, *clusters(8))
        with monkeypatch.context() as patch:
            patch.setattr(audits, "monotonic", lambda: next(clock))
            answer = client.get(f"{address}/audit")
            assert (answer.status_code, answer.json()["code"]) == (504, "deadline_exceeded")
        assert audited(client, address).items == 24


def test_a_second_one_at_once_is_refused_and_others_are_served(
    tiny_registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ready(tiny_registry, data_dir=tmp_path) as client:
        address = made(client, "busy", metric="cosine")
        put(client, address, *clusters(8))
        seen: list[httpx.Response] = []
        whole = nearest

        def meanwhile(*given: Any) -> Any:
            if not seen:
                seen.append(httpx.get(f"{client.base_url}{address}/audit"))
                seen.append(httpx.get(f"{client.base_url}/health/live"))
            return whole(*given)

        monkeypatch.setattr(audits, "nearest", meanwhile)
        assert audited(client, address).items == 24
        assert (seen[0].status_code, seen[0].json()["code"]) == (503, "audit_busy")
        assert seen[0].headers["Retry-After"]
        assert seen[1].status_code == 200


def test_no_such_collection(service: httpx.Client) -> None:
    assert service.get("/collections/nowhere/audit").json()["code"] == "unknown_model"
    address = made(service, "asked-wrong")
    for wrong in ({"limit": 0}, {"limit": 1001}, {"k": 3}):
        answer = service.get(f"{address}/audit", params=wrong)
        assert answer.json()["code"] == "invalid_parameter"
