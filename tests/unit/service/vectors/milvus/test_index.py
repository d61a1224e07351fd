import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from service.errors import DistributedUnavailable, IndexUnavailable
from service.vectors.kinds import IndexSpec
from service.vectors.milvus.index import MilvusIndex, name_in_milvus, open_milvus
from service.vectors.milvus.rows import MOST_HITS, NAMED_ROWS, MilvusRows
from service.vectors.milvus.server import Address, MilvusServer
from service.vectors.protocol import Hits, Rows, Vectors
from service.vectors.topk import NOBODY
from tests.support.milvus import milvus_lite
from tests.support.vectors import clustered

DIMENSION = 8
COSINE = IndexSpec(DIMENSION, "cosine", "exact")
Open = Callable[..., tuple[MilvusIndex, int]]


class Truth:
    """The vectors by row, as SQLite would have them."""

    def __init__(self, vectors: Vectors) -> None:
        self.vectors = vectors.copy()
        self.rows = np.arange(len(vectors))

    def fetch(self, rows: Rows) -> Vectors:
        found: Vectors = self.vectors[rows]
        return found

    def forget(self, rows: list[int]) -> None:
        self.vectors[rows] = np.nan


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with milvus_lite(tmp_path_factory.mktemp("milvus")) as url:
        yield url


@pytest.fixture
def server(url: str) -> Iterator[MilvusServer]:
    server = MilvusServer(url)
    yield server
    server.close()


@pytest.fixture
def truth() -> Truth:
    return Truth(clustered(60, DIMENSION))


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return str(request.node.name)


def found(index: MilvusIndex, queries: Vectors, k: int, among: Rows | None = None) -> list[int]:
    rows: list[int] = index.search(queries, k, among).rows[0].tolist()
    return rows


def assert_nearest(hits: Hits, queries: Vectors, k: int, truth: Truth, among: Rows) -> None:
    """They are the k nearest of the unit vectors in `among`, by their cosine."""
    cosines = queries @ truth.vectors[among].T
    order = np.argsort(-cosines, axis=1)[:, :k]
    assert hits.rows.shape == order.shape
    np.testing.assert_allclose(hits.scores, np.take_along_axis(cosines, order, 1), atol=1e-5)
    assert (hits.rows == among[order]).mean() > 0.99  # but for equal scores


def test_what_is_added_twice_is_there_once(server: MilvusServer, truth: Truth, name: str) -> None:
    index, _ = open_milvus(server, COSINE, name, "it", fetch=truth.fetch)
    index.add(truth.rows, truth.vectors)
    index.add(truth.rows[10:], truth.vectors[10:])
    assert len(index) == 60
    assert sorted(found(index, truth.vectors[:1], 100)) == truth.rows.tolist()
    index.remove(np.array([3, 4]))
    index.remove(np.array([4, 999]))
    assert len(index) == 58


def test_one_process_sees_what_another_wrote(url: str, truth: Truth, name: str) -> None:
    ours, theirs = MilvusServer(url), MilvusServer(url)
    index, _ = open_milvus(ours, COSINE, name, "it", fetch=truth.fetch)
    other, _ = open_milvus(theirs, COSINE, name, "it", fetch=truth.fetch)
    index.add(truth.rows, truth.vectors)
    assert found(other, truth.vectors[7:8], 1) == [7]
    other.remove(np.array([7]))
    assert 7 not in found(index, truth.vectors[7:8], 60)
    ours.close()
    theirs.close()


def test_the_sequence_is_kept_for_all(url: str, truth: Truth, name: str) -> None:
    ours, theirs = MilvusServer(url), MilvusServer(url)
    index, sequence = open_milvus(ours, COSINE, name, "it", fetch=truth.fetch)
    assert sequence == 0
    index.add(truth.rows, truth.vectors)
    index.save(Path("unused"), 60, "0" * 64)
    assert open_milvus(theirs, COSINE, name, "it", fetch=truth.fetch)[1] == 60
    index.drop()
    again, sequence = open_milvus(theirs, COSINE, name, "it", fetch=truth.fetch)
    assert (sequence, len(again)) == (0, 0)
    assert not Path("unused").exists()
    ours.close()
    theirs.close()


def test_a_sequence_without_its_rows_is_forgotten(
    server: MilvusServer, truth: Truth, name: str
) -> None:
    index, _ = open_milvus(server, COSINE, name, "it", fetch=truth.fetch)
    index.save(Path("unused"), 60, "0" * 64)
    with server.reached() as client:
        client.drop_collection(name_in_milvus(name, "it"))  # by hand, or with all of Milvus's data
    assert open_milvus(server, COSINE, name, "it", fetch=truth.fetch)[1] == 0


def test_a_row_that_is_gone_is_no_hit_and_is_removed(
    server: MilvusServer, truth: Truth, name: str
) -> None:
    vectors = truth.vectors.copy()
    index, _ = open_milvus(server, COSINE, name, "it", fetch=truth.fetch)
    index.add(truth.rows, vectors)
    truth.forget([5, 6])  # by a process that was killed before it told Milvus
    hits = found(index, vectors[5:6], 58)
    assert sorted(hits) == [row for row in range(60) if row not in (5, 6)]
    assert len(index) == 58


def test_a_search_among_many_rows_is_complete(server: MilvusServer, name: str) -> None:
    n = NAMED_ROWS + 2000
    truth = Truth(clustered(n, DIMENSION))
    index, _ = open_milvus(server, COSINE, name, "it", fetch=truth.fetch)
    index.add(truth.rows, truth.vectors)
    queries = truth.vectors[:3]
    far = np.sort(np.argsort(truth.vectors @ queries[0])[: NAMED_ROWS + 500])
    scattered = np.flatnonzero(truth.rows % 10)
    for among in (far, scattered):
        assert len(among) > NAMED_ROWS
        for k in (10, 2000):
            assert_nearest(index.search(queries, k, among), queries, k, truth, among)


def test_more_hits_than_milvus_gives_are_found(server: MilvusServer, name: str) -> None:
    n = MOST_HITS + 500
    truth = Truth(clustered(n, DIMENSION))
    index, _ = open_milvus(server, COSINE, name, "it", fetch=truth.fetch)
    index.add(truth.rows, truth.vectors)
    queries = truth.vectors[:2]
    assert_nearest(index.search(queries, n + 1), queries, n, truth, truth.rows)


class Forgetful(MilvusRows):
    """Finds half of what there is, as a graph of close copies may."""

    def nearest(self, queries: Vectors, k: int, among: Rows | None) -> Hits:
        hits = super().nearest(queries, k, among)
        return Hits(np.where(hits.rows % 2, hits.rows, NOBODY), hits.scores)


def test_what_milvus_does_not_find_is_found(server: MilvusServer, truth: Truth, name: str) -> None:
    rows = Forgetful(server, COSINE, name)
    rows.prepare()
    index = MilvusIndex(COSINE, rows, truth.fetch)
    index.add(truth.rows, truth.vectors)
    queries, among = truth.vectors[:4], np.arange(20, 40)
    assert_nearest(index.search(queries, 15), queries, 15, truth, truth.rows)
    assert_nearest(index.search(queries, 15, among), queries, 15, truth, among)


def test_a_server_that_is_not_there_is_unavailable(truth: Truth) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = MilvusServer(f"milvus://user:secret@127.0.0.1:{port}")
    for _ in range(3):
        with pytest.raises(IndexUnavailable, match=f"127.0.0.1:{port}") as caught:
            open_milvus(server, COSINE, "nothing", "it", fetch=truth.fetch)
        assert "secret" not in str(caught.value)
    server.close()


def test_a_server_that_comes_back_is_found(tmp_path: Path, truth: Truth) -> None:
    with milvus_lite(tmp_path) as url:
        server = MilvusServer(url)
        index, _ = open_milvus(server, COSINE, "back", "it", fetch=truth.fetch)
        index.add(truth.rows, truth.vectors)
    with pytest.raises(IndexUnavailable):
        index.search(truth.vectors[:1], 1)
    with milvus_lite(tmp_path, Address.parse(url).port):
        assert found_in_time(index, truth.vectors[7:8]) == [7]
        assert len(index) == 60
        server.close()


def found_in_time(index: MilvusIndex, query: Vectors) -> list[int]:
    give_up = time.monotonic() + 30
    while True:
        try:
            return found(index, query, 1)
        except IndexUnavailable:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.1)


def test_what_milvus_refuses_is_unavailable_and_says_why(
    server: MilvusServer, truth: Truth, name: str
) -> None:
    index, _ = open_milvus(server, COSINE, name, "it", fetch=truth.fetch)
    index.drop()
    with pytest.raises(IndexUnavailable, match=name_in_milvus(name, "it")):
        index.search(truth.vectors[:1], 1)


@pytest.mark.parametrize("kind", ["auto", "hnsw", "compact"])
def test_every_kind_is_searched(server: MilvusServer, truth: Truth, name: str, kind: str) -> None:
    spec = IndexSpec(DIMENSION, "l2", kind)  # type: ignore[arg-type]
    index, _ = open_milvus(server, spec, name, "it", fetch=truth.fetch)
    index.add(truth.rows, truth.vectors)
    assert found(index, truth.vectors[7:8], 1) == [7]
    assert index.kind_in_use == ("compact" if kind == "compact" else "hnsw")
    assert index.maintain() is False


def test_names_differ_where_anything_does() -> None:
    pairs = [("cats", "1"), ("cats", "2"), ("c-ats", "1"), ("c_ats", "1"), ("x" * 300, "1")]
    names = {name_in_milvus(*pair) for pair in pairs}
    assert len(names) == len(pairs)
    assert all(re.fullmatch(r"lossatlas_\w{5,240}", name) for name in names)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("milvus://host", Address("http", "host", 19530)),
        ("milvus://[::1]:9", Address("http", "::1", 9)),
        ("milvus+tls://host:9/db", Address("https", "host", 9, database="db")),
        ("milvus://me:p%40ss@host", Address("http", "host", 19530, token="me:p@ss")),
    ],
)
def test_an_address_is_read(url: str, address: Address) -> None:
    assert Address.parse(url) == address


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pymilvus", None)
    with pytest.raises(DistributedUnavailable, match="--extra distributed"):
        MilvusServer("milvus://host")


def test_nothing_of_milvus_is_imported_before_a_server_is_named() -> None:
    script = (
        "import sys, service.vectors.milvus.index\n"
        "print(sorted({'pymilvus', 'grpc', 'pandas', 'pyarrow'} & set(sys.modules)))"
    )
    output = subprocess.check_output([sys.executable, "-c", script], text=True)
    assert output.strip() == "[]"
