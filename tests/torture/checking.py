"""Check that the service has what it acknowledged, all of it and nothing else."""

import base64
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
import orjson

from tests.support.serving import PATIENCE_S
from tests.torture.ledger import Ledger, Shown, Written

_AT_ONCE = 1000
_SAMPLE = 20
_IN_A_ROW = 8  # answers, each from one of two workers
_SAME = 1 - 1e-5  # the cosine of a vector with itself


@dataclass(frozen=True)
class Checker:
    """Asks a running service about one collection, over a new connection each time."""

    address: str
    collection: str

    def listed(self) -> Shown:
        """Every item, as the pages tell."""
        found: dict[str, tuple[str | None, dict[str, Any]]] = {}
        after: int | None = 0
        while after is not None:
            page = self._get(f"items?after={after}&limit={_AT_ONCE}")
            for item in page["items"]:
                assert item["id"] not in found
                found[item["id"]] = item["label"], item["metadata"]
            after = page["next"]
        return found

    def kind(self) -> str:
        """Return the kind of index that answers now, in whichever worker was asked."""
        return str(self._get("")["index_in_use"])

    def wait_built(self, kind: str) -> None:
        """Come back once every worker has built its index, as far as one can tell from outside."""
        give_up = time.monotonic() + PATIENCE_S
        in_a_row = 0
        while in_a_row < _IN_A_ROW:
            assert time.monotonic() < give_up
            in_a_row = in_a_row + 1 if self.kind() == kind else 0
            time.sleep(0.05)

    def check(self, ledgers: Sequence[Ledger], shown: Shown) -> None:
        """Compare every item, then search for each."""
        items = {id_: one for ledger in ledgers for id_, one in ledger.items.items()}
        expected = {id_: one.shown() for id_, one in items.items()}
        assert set(shown) == set(expected), _differences(set(shown), set(expected))
        assert shown == expected
        assert self._get("")["items"] == len(expected)
        self._check_found(list(items.values()), expected)
        self._check_gone([one for ledger in ledgers for one in ledger.gone], items, expected)
        for one in list(items.values())[:: max(1, len(items) // _SAMPLE)]:
            stored = self._get(f"items/{one.id}?vector=true")["vector"]
            np.testing.assert_allclose(stored, one.vector, atol=1e-6)

    def _check_found(self, items: list[Written], expected: Shown) -> None:
        lost = []
        for start in range(0, len(items), _AT_ONCE):
            part = items[start : start + _AT_ONCE]
            for one, hits in zip(part, self._neighbors(part, expected), strict=True):
                if not hits or hits[0]["id"] != one.id or hits[0]["score"] < _SAME:
                    lost.append((one.id, one.metadata, hits))
        assert not lost, f"{len(lost)} of {len(items)} are not found; the first: {lost[0]}"

    def _check_gone(self, gone: list[Written], items: dict[str, Written], expected: Shown) -> None:
        for start in range(0, len(gone), _AT_ONCE):
            part = gone[start : start + _AT_ONCE]
            for one, hits in zip(part, self._neighbors(part, expected), strict=True):
                stale = [h for h in hits if h["id"] == one.id and h["score"] > _SAME]
                assert not stale, f"{one.id} is still found by a vector that it has no more"

    def _neighbors(self, items: list[Written], expected: Shown) -> list[list[dict[str, Any]]]:
        """The hits of each item's vector, all of which are items that there are."""
        vectors = [base64.b64encode(one.vector.tobytes()).decode() for one in items]
        answer = httpx.post(
            f"{self.address}/neighbors?collection={self.collection}&k=3",
            content=orjson.dumps({"vectors": vectors}),
            headers={"content-type": "application/json"},
            timeout=PATIENCE_S,
        )
        assert answer.status_code == 200, answer.text
        neighbors: list[list[dict[str, Any]]] = answer.json()["neighbors"]
        for hit in (hit for hits in neighbors for hit in hits):
            assert (hit["label"], hit["metadata"]) == expected.get(hit["id"]), hit
        return neighbors

    def _get(self, path: str) -> dict[str, Any]:
        address = f"{self.address}/collections/{self.collection}/{path}".rstrip("/")
        answer = httpx.get(address, timeout=PATIENCE_S)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body


def _differences(found: set[str], expected: set[str]) -> str:
    lost, extra = sorted(expected - found), sorted(found - expected)
    return f"{len(lost)} lost {lost[:5]}, {len(extra)} too many {extra[:5]}"
