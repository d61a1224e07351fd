"""The map of a collection over real HTTP: columns that NumPy reads, rows that are the items'."""

import time

import httpx
import numpy as np

from service.http.responses.planes import PlaneDescription
from tests.support.collecting import item, made, put


def filled(client: httpx.Client, name: str, items: int = 40) -> str:
    address = made(client, name, loss="softmax")
    draw = np.random.default_rng(1).normal(size=(items, 4)).round(3).tolist()
    put(client, address, *(item(f"i/{i}", *v, label="ab"[i % 2]) for i, v in enumerate(draw)))
    return address


def described(client: httpx.Client, address: str, layout: str = "principal") -> PlaneDescription:
    answer = client.get(f"{address}/map", params={"layout": layout})
    assert answer.status_code == 200, answer.text
    return PlaneDescription.model_validate(answer.json())


def columns(client: httpx.Client, about: PlaneDescription) -> dict[str, np.ndarray]:
    assert about.points is not None
    data = client.get(about.points.address).content
    assert len(data) == about.points.bytes
    return {
        one.name: np.frombuffer(
            data, np.dtype(one.dtype).newbyteorder("<"), about.count, one.offset
        )
        for one in about.points.columns
    }


def test_points_are_the_items_in_both_layouts(service: httpx.Client) -> None:
    address = filled(service, "mapped")
    described(service, address, "neighbors")
    for layout in ("principal", "neighbors"):
        for _ in range(600):
            about = described(service, address, layout)
            if about.state != "computing":
                break
            time.sleep(0.1)
        assert (about.state, about.count, about.classes) == ("ready", 40, ["a", "b"])
        found = columns(service, about)
        assert about.bounds.left == found["x"].min()
        assert 0 < (about.trustworthiness or 0) <= 1
        ids = service.get(f"{address}/ids").json()
        assert ids["rows"] == found["row"].astype(int).tolist()
        assert ids["ids"] == [f"i/{i}" for i in range(40)]
        assert found["label"].tolist() == [i % 2 for i in range(40)]
        after = int(found["row"][7]) - 1
        page = service.get(f"{address}/items", params={"after": after, "limit": 1}).json()
        assert page["items"][0]["id"] == "i/7"


def test_ids_come_in_parts(service: httpx.Client) -> None:
    address, found, after = filled(service, "parts"), list[str](), -1
    while True:
        part = service.get(f"{address}/ids", params={"after": after, "limit": 7}).json()
        found += part["ids"]
        if part["next"] is None:
            break
        after = part["next"]
    assert found == [f"i/{i}" for i in range(40)]


def test_points_of_another_sequence_are_not_answered(service: httpx.Client) -> None:
    address = filled(service, "changing")
    about = described(service, address)
    assert about.points is not None
    service.delete(f"{address}/items/i/3")
    assert described(service, address).count == 39
    for path in (about.points.address, f"{address}/points?layout=neighbors"):
        answer = service.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_map")
    assert service.get(f"{address}/map?layout=circle").status_code == 422
    assert service.get("/collections/nix/map").json()["code"] == "unknown_model"


def test_an_empty_collection_has_an_empty_map(service: httpx.Client) -> None:
    about = described(service, made(service, "nothing", loss="softmax"))
    assert (about.state, about.count, about.classes) == ("ready", 0, [])
    assert all(len(one) == 0 for one in columns(service, about).values())
