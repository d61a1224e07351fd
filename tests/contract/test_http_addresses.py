"""An address means one thing: what is shown or deleted is what was asked for, to the last byte."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from service.collections.storage.layout import ITEMS
from tests.support.bundles import picture
from tests.support.collecting import item, made, put
from tests.support.serving import ready, routes

E1, E2 = (1, 0, 0, 0), (0, 1, 0, 0)
# Ids that were taken before they were refused, as an older release left them in the file.
OLD = ["abc\n", "a\nb", "a/../b", "./b", "b/..", "..", "\ttab", "x\x7f"]
ODD = ["a b ", " a", "a//b", "/a", "a/", "http://x/y?z=1#f", "%0A", "a%2Fb", "é", "e\u0301",
       "\ufffd", "a\u2028b", "...", "a/.../b", ".a", "a\\b", "日本", "x" * 256]  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("addresses")


@pytest.fixture(scope="module")
def running(tiny_registry: Path, data: Path) -> Iterator[httpx.Client]:
    with ready(tiny_registry, data_dir=data) as client:
        yield client


@pytest.fixture
def filled(running: httpx.Client) -> Iterator[str]:
    running.delete("/collections/here")
    yield made(running, "here", loss="arcface")
    running.delete("/collections/here")


def ids(client: httpx.Client, address: str) -> set[str]:
    return {one["id"] for one in client.get(f"{address}/items?limit=1000").json()["items"]}


def put_image(client: httpx.Client, address: str, item_id: str) -> httpx.Response:
    named = f"{address}/items?id={encoded(item_id)}"
    return client.post(named, content=picture(0), headers={"Content-Type": "image/png"})


def encoded(item_id: str) -> str:
    """As a careful client sends it."""
    return quote(item_id, safe="")


def aged(data: Path, name: str, renamed: dict[str, str]) -> None:
    """Give items ids that are refused today."""
    with sqlite3.connect(data / "collections" / name / ITEMS) as database:
        for old, new in renamed.items():
            database.execute("UPDATE items SET id = ? WHERE id = ?", (new, old))


@pytest.mark.parametrize("other", ["abc%0A", "abc%0D", "abc%00", "abc%0A%0A", "%0Aabc", "abc%20",
                                   "ABC", "abc/", "/abc", "abc%00x"])  # fmt: skip
def test_no_other_address_shows_or_deletes_an_item(
    running: httpx.Client, filled: str, other: str
) -> None:
    put(running, filled, item("abc", *E1))
    for kind in ("items", "thumbnails", "images"):
        assert running.get(f"{filled}/{kind}/{other}").status_code == 404
    answer = running.delete(f"{filled}/items/{other}")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_item")
    assert running.delete(f"{filled}/item?id={other}").status_code == 404
    assert ids(running, filled) == {"abc"}


def test_bytes_that_are_not_utf8_are_no_address(running: httpx.Client, filled: str) -> None:
    put(running, filled, item("\ufffd", *E1), item("a\ufffd", *E2))
    for other in ("%FF", "a%FF", "%C0%AF", "%ED%A0%80"):
        answer = running.delete(f"{filled}/items/{other}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        answer = running.delete(f"{filled}/item?id={other}")
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_parameter")
    assert ids(running, filled) == {"\ufffd", "a\ufffd"}


def test_no_route_answers_for_an_address_with_a_newline_behind_it(running: httpx.Client) -> None:
    named = {"name": "nix", "loss": "arcface", "model": "arcface", "id": "nix", "row": "0"}
    for method, path in sorted(routes()):
        address = path.format_map(defaultdict(lambda: "1", named))
        answer = running.request(method, f"{address}%0A")
        assert answer.status_code in {404, 405, 422}, (method, path, answer.status_code)


def test_whatever_was_put_is_shown_searched_and_deleted(running: httpx.Client, filled: str) -> None:
    put(running, filled, *(item(one, *E1, label=f"{i}") for i, one in enumerate(ODD)))
    for i, one in enumerate(ODD):
        for address in (f"{filled}/items/{encoded(one)}", f"{filled}/item?id={encoded(one)}"):
            shown = running.get(address).json()
            assert (shown["id"], shown["label"]) == (one, str(i))
    for i, one in enumerate(ODD):
        form = "items/{}" if i % 2 else "item?id={}"
        answer = running.delete(f"{filled}/{form.format(encoded(one))}")
        assert (answer.status_code, answer.json()["id"]) == (200, one)
        assert ids(running, filled) == set(ODD[i + 1 :])


@pytest.mark.parametrize("item_id", OLD)
def test_an_id_that_an_address_cannot_carry_is_refused(
    running: httpx.Client, filled: str, item_id: str
) -> None:
    answer = running.post(f"{filled}/items", json={"items": [item(item_id, *E1)]})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_items")
    answer = put_image(running, filled, item_id)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_items")
    assert ids(running, filled) == set()


def test_what_an_older_release_took_is_still_shown_and_deleted(
    running: httpx.Client, filled: str, data: Path
) -> None:
    numbers = {f"n{i}": one for i, one in enumerate(OLD)}
    for number in numbers:
        assert put_image(running, filled, number).status_code == 200
    put(running, filled, item("b", *E2), item("abc", *E2))
    aged(data, "here", numbers)
    for one in OLD:
        shown = running.get(f"{filled}/item?id={encoded(one)}&vector=true").json()
        assert shown["id"] == one
        assert len(shown["vector"]) == 4
        for kind in ("thumbnail", "image"):
            answer = running.get(shown[kind])
            assert answer.headers["content-type"].startswith("image/")
    assert running.get(f"{filled}/items/abc%0A").json()["id"] == "abc\n"
    for one in OLD:
        assert running.delete(f"{filled}/item?id={encoded(one)}").json()["id"] == one
    assert ids(running, filled) == {"b", "abc"}
