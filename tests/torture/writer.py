"""A client that puts, replaces and deletes until the service dies."""

from threading import Event, Thread

import httpx
import numpy as np

from tests.support.serving import PATIENCE_S
from tests.torture.ledger import Deletion, Ledger, Put, Written, batch

_IDS = 4_000  # of one writer: before long most batches replace
_LARGEST_BATCH = 300
_BATCHES_PER_CONNECTION = 3  # a new one may lead to the other worker


class Writer(Thread):
    """One client. Whatever it was not answered stays pending in its ledger."""

    def __init__(self, number: int, address: str, collection: str, ledger: Ledger) -> None:
        super().__init__(name=f"writer-{number}", daemon=True)
        self.number = number
        self.failed: str | None = None
        self._items = f"{address}/collections/{collection}/items"
        self._ledger = ledger
        self._stopping = Event()
        self._rng = np.random.default_rng([number, ledger.begun])

    def run(self) -> None:
        try:
            while not self._stopping.is_set() and self.failed is None:
                with httpx.Client(timeout=PATIENCE_S) as client:
                    for _ in range(_BATCHES_PER_CONNECTION):
                        self._write(client)
        except httpx.TransportError:  # it was killed
            pass

    def stop(self) -> None:
        """Write no more; for when the service is already dead."""
        self._stopping.set()
        self.join(PATIENCE_S)
        assert not self.is_alive()

    def _write(self, client: httpx.Client) -> None:
        if self._ledger.items and self._rng.random() < 0.3:
            ids = list(self._ledger.items)
            gone = Deletion(ids[int(self._rng.integers(len(ids)))])
            self._ledger.begin(gone)
            answer = client.delete(f"{self._items}/{gone.id}")
        else:
            put = Put(self._new_batch())
            self._ledger.begin(put)
            answer = client.post(self._items, json={"items": [one.body() for one in put.items]})
        if answer.status_code == 200:
            self._ledger.acknowledge()
        else:
            self.failed = f"{answer.status_code} {answer.text}"

    def _new_batch(self) -> tuple[Written, ...]:
        size = int(self._rng.integers(1, _LARGEST_BATCH + 1))
        chosen = self._rng.choice(_IDS, size, replace=False)
        ids = [f"w{self.number}/{i}" for i in chosen.tolist()]
        return batch(self._rng, self.number, self._ledger.begun, ids)
