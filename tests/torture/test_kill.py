"""`kill -9` at random moments while items are written, and spoiled index files between.

`make torture` does 100 rounds. TORTURE_ROUNDS and TORTURE_SEED choose others; the seed is printed.
"""

import os
import random
import time
from pathlib import Path

import httpx
import numpy as np
import pytest

from service.collections import Kind
from tests.support.bundles import Recipe, publish
from tests.torture.checking import Checker
from tests.torture.damage import damage
from tests.torture.ledger import DIMENSION, Ledger, Put, batch
from tests.torture.process import Service
from tests.torture.writer import Writer

pytestmark = pytest.mark.torture

ROUNDS = int(os.environ.get("TORTURE_ROUNDS", "3"))
SEED = int(os.environ.get("TORTURE_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
KINDS: tuple[Kind, ...] = ("exact", "hnsw", "compact")
WRITERS = 2
NAME = "tortured"
# Items that are there before the first kill: enough that FAISS builds what is not exact.
FIRST = {"exact": 0, "hnsw": 25_000, "compact": 25_000}


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("registry")
    publish(root, "arcface", Recipe(dimension=DIMENSION))
    return root


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_acknowledged_is_lost_and_nothing_else_is_there(
    kind: Kind, registry: Path, tmp_path: Path
) -> None:
    rounds = ROUNDS // len(KINDS) + (KINDS.index(kind) < ROUNDS % len(KINDS))
    rng = random.Random(f"{SEED} {kind}")
    say(f"\nTORTURE_SEED={SEED}, {kind}, {rounds} rounds")
    ledgers = [Ledger() for _ in range(WRITERS + 1)]
    service = Service.start(registry, tmp_path / "data", tmp_path / "log")
    try:
        make(service.ready(), kind, ledgers[-1])
        for number in range(rounds):
            moment_s = rng.uniform(0.02, 1.5)
            write_until_killed(service, ledgers[:WRITERS], moment_s)
            hurt = damage(tmp_path / "data" / "collections" / NAME / "index", rng)
            service = start_again(registry, tmp_path, rng)
            checker = Checker(service.ready(), NAME)
            if rng.random() < 0.5:  # else it is asked at once, while indexes are being built
                checker.wait_built(kind)
            shown = checker.listed()
            pending = [ledger.settle(shown) for ledger in ledgers[:WRITERS]]
            checker.check(ledgers, shown)
            message = f"killed after {moment_s:.3f} s, pending {', '.join(pending)}; {len(shown):,}"
            files = ", ".join(hurt) or "left alone"
            say(f"round {number + 1}: {message} items, {checker.kind()}; index files: {files}")
        assert sum(ledger.acknowledged for ledger in ledgers) > rounds
    finally:
        service.kill()


def say(text: str) -> None:
    """For who runs `make torture`, and for the report of a test that fails."""
    print(text, flush=True)  # noqa: T201


def make(address: str, kind: Kind, ledger: Ledger) -> None:
    """The collection, and its first items."""
    made = httpx.put(f"{address}/collections/{NAME}", json={"index": kind}, timeout=60)
    assert made.status_code == 201, made.text
    rng = np.random.default_rng(SEED)
    for start in range(0, FIRST[kind], 5_000):
        ids = [f"first/{i}" for i in range(start, start + 5_000)]
        put = Put(batch(rng, WRITERS, start, ids))
        ledger.begin(put)
        body = {"items": [item.body() for item in put.items]}
        answer = httpx.post(f"{address}/collections/{NAME}/items", json=body, timeout=60)
        assert answer.status_code == 200, answer.text
        ledger.acknowledge()


def write_until_killed(service: Service, ledgers: list[Ledger], moment_s: float) -> None:
    """Let clients write, and kill the service meanwhile."""
    address = service.ready()
    writers = [Writer(i, address, NAME, ledger) for i, ledger in enumerate(ledgers)]
    for writer in writers:
        writer.start()
    time.sleep(moment_s)
    service.kill()
    for writer in writers:
        writer.stop()
        assert writer.failed is None


def start_again(registry: Path, folder: Path, rng: random.Random) -> Service:
    """Start the service; now and then it is killed while it starts, and started again."""
    service = Service.start(registry, folder / "data", folder / "log")
    while rng.random() < 0.2:
        time.sleep(rng.uniform(0.3, 2))
        service.kill()
        service = Service.start(registry, folder / "data", folder / "log")
    return service
